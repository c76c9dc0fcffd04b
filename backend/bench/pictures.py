"""What benchmarks of generators measure on test pictures."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from backend.values import Generator, Pairs

    Edit = Callable[[np.ndarray], np.ndarray]

_BATCH = 32


def photo_source() -> str:
    """Return the photos to take: the many of GCompris where they are installed."""
    from backend.data import gcompris

    return "gcompris" if gcompris.is_here() else "bundled"


def held_out(source: str) -> float:
    """Return the part of the photos to test on."""
    # Of nine photos four are held out: a floor of KID needs as many.
    return 0.2 if source == "gcompris" else 0.45


def l1_on_test(model: Generator, pairs: Pairs) -> float:
    """Return the mean absolute error on the test pairs, of pixels as they are shown, in 0..1."""
    import numpy as np

    from backend.data.pairs import open_pairs

    test, edit = open_pairs(pairs.manifest, "test"), edit_of(model)
    errors = []
    for start in range(0, len(test), _BATCH):
        sources, targets = test.take(np.arange(start, min(start + _BATCH, len(test))))
        gaps = np.abs(edit(sources).astype(np.float64) - targets) / 255
        errors += gaps.mean((1, 2, 3)).tolist()
    return statistics.mean(errors)


def edit_of(model: Generator) -> Edit:
    """Return what a generator does with pixels (N, H, W, 3), uint8."""
    from backend.models.editing import edit_as

    def edit(pixels: np.ndarray) -> np.ndarray:
        made: np.ndarray = edit_as(model, model.module.eval(), pixels)[0]
        return made

    return edit


class Watched:
    """An edit that sums up how sharp its pictures are."""

    def __init__(self, edit: Edit) -> None:
        self.edit = edit
        self.energy, self.pictures = 0.0, 0

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Return the edited pictures (N, H, W, 3)."""
        made = self.edit(pixels)
        self.energy += edges(made) * len(made)
        self.pictures += len(made)
        return made

    @property
    def sharpness(self) -> float:
        """The mean of :func:`edges` over all pictures so far."""
        return self.energy / self.pictures


def edges(pictures: np.ndarray) -> float:
    """Return the mean square of the steps between neighbouring pixels of (N, H, W, 3)."""
    import numpy as np

    levels = pictures.astype(np.float32)
    return float(sum(np.square(np.diff(levels, axis=axis)).mean() for axis in (1, 2)))
