"""What a CycleGAN in training is judged by: its cycles, KID to the target sets, a grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import nn

from backend.core.context import Context
from backend.metrics.kid import unpaired
from backend.models.editing import edit_as
from backend.train.cycle_losses import Cycle
from backend.train.edit import Edit
from backend.train.picture_batches import PictureSource

GRID = "A, A to B, and back, B, B to A"
"""The name of the grid, and what its columns are."""

_MOST_JUDGED = 64
_BATCH = 4
_LARGEST = 192  # pixels; a grid is written after each epoch

Features = Callable[[np.ndarray], np.ndarray]


class CycleJudge:
    """Judges both generators on validation pictures; called after each epoch.

    KID is that of :mod:`backend.metrics.kid` between made pictures and the target set's own, which
    are of other photos: it compares epochs of one training, not trainings.
    """

    def __init__(
        self,
        ctx: Context,
        forth: Edit,
        back: Edit,
        val: tuple[PictureSource, PictureSource],
        shown: int,
        features: Features | None,
    ) -> None:
        self.ctx, self.forth, self.back, self.features = ctx, forth, back, features
        self.a, self.b = (one.take(_spread(len(one), _MOST_JUDGED)) for one in val)
        self.shown = shown
        enough = features is not None and min(len(self.a), len(self.b)) > 1
        self._known = [features(x) for x in (self.b, self.a)] if enough and features else []
        self.untouched = unpaired(*reversed(self._known)) if self._known else None
        """KID of the pictures of A as they are to those of B: what an edit has to get below."""

    def __call__(self, cycle: Cycle, step: int) -> dict[str, float]:
        """Report the figures at ``step``, show the grid; return the figures."""
        for module in (cycle.forth, cycle.back):
            module.eval()
        b, a = (
            self._edited(self.forth, cycle.forth, self.a),
            self._edited(self.back, cycle.back, self.b),
        )
        again_a = self._edited(self.back, cycle.back, b)
        again_b = self._edited(self.forth, cycle.forth, a)
        errors = [_distance(again_a, self.a), _distance(again_b, self.b)]
        figures = {"val_cycle": float(np.mean(errors))}
        if self._known and self.features is not None:
            for name, made, known in zip("ba", (b, a), self._known, strict=True):
                figures[f"val_kid_{name}"] = unpaired(self.features(made), known)
        if self.untouched is not None:
            figures["val_kid_untouched"] = self.untouched
        self.ctx.metric(step, **figures)
        if self.shown:
            self.ctx.image(GRID, self._grid(b, again_a, a))
        for module in (cycle.forth, cycle.back):
            module.train()
        return figures

    def _edited(self, edit: Edit, module: nn.Module, pixels: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(pixels), _BATCH):
            some = pixels[start : start + _BATCH]
            parts.append(edit_as(edit, module, some, self.ctx.device)[0])
        return np.concatenate(parts)

    def _grid(self, b: np.ndarray, again: np.ndarray, a: np.ndarray) -> np.ndarray:
        count = min(self.shown, len(self.a), len(self.b))
        height = min(self.a.shape[1], self.b.shape[1])
        every = max(1, -(-height // _LARGEST))
        # Crops of one photo lie side by side; those shown are spread over all of them.
        some = _spread(len(self.a), count), _spread(len(self.b), count)
        sets = ((self.a, 0), (b, 0), (again, 0), (self.b, 1), (a, 1))
        columns = [x[some[i]][:, :height:every, ::every] for x, i in sets]
        return np.concatenate([np.concatenate(list(column)) for column in columns], 1)


def _distance(made: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(made.astype(np.float32) - wanted).mean()) / 255


def _spread(count: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
