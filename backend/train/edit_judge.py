"""What a generator in training is judged by: PSNR against the wanted, and a grid of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image
from torch import nn

from backend.core.context import Context
from backend.metrics.images import psnr
from backend.models.editing import edit_as
from backend.train.edit_batches import Kept, PairSource

GRID = "input, wanted, edited, difference"
"""The name of the grid, and what its columns are."""

_MOST_JUDGED = 64
_BATCH = 4
_LARGEST = 192  # pixels; a grid is written after each epoch


class EditJudge:
    """Judges a generator on validation pairs; called after each epoch."""

    def __init__(self, ctx: Context, edit: Any, val: PairSource, shown: int) -> None:
        self.ctx, self.edit = ctx, edit
        self.val = Kept(val)
        self.judged = spread(len(val), _MOST_JUDGED)
        self.shown = spread(len(val), shown)
        self.identity: float | None = None

    def __call__(self, module: nn.Module, step: int) -> dict[str, float]:
        """Report PSNR and L1 at ``step``, show the grid; return the figures."""
        was_training = module.training
        module.eval()
        made = {}
        found, identity, l1 = [], [], []
        for start in range(0, len(self.judged), _BATCH):
            chosen = self.judged[start : start + _BATCH]
            sources, targets = self.val.take(chosen)
            pictures = self._edited(module, sources, chosen)
            made.update(zip(chosen.tolist(), pictures, strict=True))
            found += psnr(pictures, targets).tolist()
            l1 += [_distance(a, b) for a, b in zip(pictures, targets, strict=True)]
            if self.identity is None:
                identity += psnr(sources, targets).tolist()
        if self.identity is None:
            self.identity = float(np.mean(identity))
        figures = {
            "val_psnr": float(np.mean(found)),
            "val_psnr_identity": self.identity,
            "val_l1": float(np.mean(l1)),
        }
        self.ctx.metric(step, **figures)
        if len(self.shown):
            self.ctx.image(GRID, self._grid(module, made))
        module.train(was_training)
        return figures

    def _edited(self, module: nn.Module, sources: np.ndarray, which: np.ndarray) -> np.ndarray:
        edit = self.edit
        if edit.told is not None:
            edit.told(module, self.val.pairs, which)
        return edit_as(edit, module, sources, self.ctx.device)[0]

    def _grid(self, module: nn.Module, made: dict[int, np.ndarray]) -> np.ndarray:
        """Return the sheet of the shown samples; those that were not judged are edited now."""
        sources, targets = self.val.take(self.shown)
        missing = [k for k, i in enumerate(self.shown.tolist()) if i not in made]
        if missing:
            which = self.shown[missing]
            pictures = self._edited(module, sources[missing], which)
            made.update(zip(which.tolist(), pictures, strict=True))
        return sheet(sources, targets, np.stack([made[i] for i in self.shown.tolist()]))


def sheet(sources: np.ndarray, wanted: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Return a row for each sample: input, wanted, made, twice the difference of the last two.

    All are uint8 (N, H, W, 3); pictures above 192 pixels are made smaller.
    """
    gap = np.abs(made.astype(np.int16) - wanted)
    difference = np.minimum(2 * gap, 255).astype(np.uint8)
    grid = np.concatenate(list(np.concatenate([sources, wanted, made, difference], axis=2)))
    scale = _LARGEST / max(sources.shape[1:3])
    if scale >= 1:
        return grid
    size = (round(grid.shape[1] * scale), round(grid.shape[0] * scale))
    return np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BOX))


def _distance(made: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.mean(np.abs(made.astype(np.float64) - wanted))) / 255


def spread(count: int, most: int) -> np.ndarray:
    """Return at most ``most`` indices, evenly spread over ``count``."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
