"""Contact sheets: many small pictures as one."""

from __future__ import annotations

import math

import numpy as np

from backend.data.manifest import ImageSet


def contact_sheet(
    pictures: np.ndarray, *, columns: int | None = None, gap: int = 1, background: int = 128
) -> np.ndarray:
    """Lay pictures (N, H, W, C) uint8 out in rows; returns (H', W', 3) uint8.

    Grey pictures become colour ones; ``columns`` defaults to the squarest layout.
    """
    count, height, width, channels = pictures.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap, 3)
    sheet = np.full(size, background, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        colour = np.repeat(picture, 3, axis=2) if channels == 1 else picture
        sheet[top : top + height, left : left + width] = colour
    return sheet


def one_of_each_class(images: ImageSet, rows: int = 4) -> np.ndarray:
    """Return the first ``rows`` pictures of each class as a sheet; each column is a class."""
    classes = np.unique(images.labels)[:16]
    chosen = [np.flatnonzero(images.labels == label)[:rows] for label in classes]
    rows = min(len(found) for found in chosen)
    order = np.stack([found[:rows] for found in chosen], axis=1).reshape(-1)
    return contact_sheet(images.take(order), columns=len(classes))
