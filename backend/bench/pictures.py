"""What benchmarks of generators measure on test pictures."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backend.values import Generator, Pairs

_BATCH = 32


def l1_on_test(model: Generator, pairs: Pairs) -> float:
    """Return the mean absolute error on the test pairs, of pixels as they are shown, in 0..1."""
    import numpy as np

    from backend.data.pairs import open_pairs
    from backend.models.editing import edit_pictures

    test = open_pairs(pairs.manifest, "test")
    errors = []
    for start in range(0, len(test), _BATCH):
        sources, targets = test.take(np.arange(start, min(start + _BATCH, len(test))))
        made = edit_pictures(
            model.module.eval(), sources, model.image, low=model.low, high=model.high,
            any_size=model.any_size, multiple=model.multiple,
        )[0]  # fmt: skip
        gaps = np.abs(made.astype(np.float64) - targets) / 255
        errors += gaps.mean((1, 2, 3)).tolist()
    return statistics.mean(errors)
