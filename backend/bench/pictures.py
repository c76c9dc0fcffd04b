"""What benchmarks of generators measure on test pictures."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backend.values import Generator, Pairs

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
    from backend.models.editing import edit_as

    test = open_pairs(pairs.manifest, "test")
    errors = []
    for start in range(0, len(test), _BATCH):
        sources, targets = test.take(np.arange(start, min(start + _BATCH, len(test))))
        made = edit_as(model, model.module.eval(), sources)[0]
        gaps = np.abs(made.astype(np.float64) - targets) / 255
        errors += gaps.mean((1, 2, 3)).tolist()
    return statistics.mean(errors)
