"""Whether the two pictures of a pair belong together: structure against chance, and a shift.

Edges of source and target are compared with edges of the source and of other pairs' targets; and
they are slid over each other to find where they fit best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SIDE = 64  # cells of an edge map along the longer side
_LEAST = 8  # pairs, below which chance cannot be told


def edge_maps(pictures: np.ndarray, side: int = _SIDE) -> np.ndarray:
    """Return gradient magnitudes of the brightness of pictures (B, H, W, 3) uint8, as (B, h, w).

    Brightness is averaged over blocks first, so that the longer side has about ``side`` cells.
    """
    height, width = pictures.shape[1:3]
    block = max(1, round(max(height, width) / side))
    high, wide = height // block, width // block
    grey = pictures[:, : high * block, : wide * block].astype(np.float32).mean(3)
    small = grey.reshape(len(grey), high, block, wide, block).mean((2, 4))
    down, right = np.gradient(small, axis=(1, 2))
    return np.hypot(down, right)
