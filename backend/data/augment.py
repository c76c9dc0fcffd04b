"""Random changes to training pictures, each a function of (seed, epoch, index) and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.data import counter
from backend.data.manifest import DataError


@dataclass(frozen=True)
class Augment:
    """Which changes to make; all vectorised over a batch of uint8 (B, H, W, C).

    In this order: random resized crop, flip, shift, cutout. The size of the pictures stays.

    Source: Szegedy et al., Going deeper with convolutions, CVPR 2015, sec. 6 (resized crop);
    DeVries, Taylor, Improved regularization of convolutional neural networks with cutout, 2017.
    """

    shift: int = 0
    """Largest shift in pixels along each axis: a crop of the picture padded by as much."""
    flip: bool = False
    """Mirror every second picture, left to right."""
    crop: float | None = None
    """Smallest area of a random resized crop, as a part of the picture; None: no such crop."""
    ratio: float = 4 / 3
    """Largest aspect ratio of that crop; the smallest is its inverse."""
    cutout: int = 0
    """Side in pixels of a square that is painted over; it may lie partly outside."""
    fill: int = 0
    """Byte with which the padding and the square are filled."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        if self.shift < 0 or self.cutout < 0 or not 0 <= self.fill <= 255:
            raise DataError("Shift and cutout are pixels from 0 up, and fill is a byte (0 to 255).")
        if (self.crop is not None and not 0 < self.crop <= 1) or self.ratio < 1:
            raise DataError("The area of a crop is a part of 1 and its aspect ratio is at least 1.")

    def __call__(
        self, images: np.ndarray, indices: np.ndarray, seed: int, epoch: int
    ) -> np.ndarray:
        """Return changed copies of ``images`` (B, H, W, C) uint8; ``indices`` (B,) name them."""
        if self.crop is not None:
            images = self._crop(images, seed, epoch, indices)
        if self.flip or self.shift:
            images = self._move(images, seed, epoch, indices)
        if self.cutout:
            images = self._cut(images, seed, epoch, indices)
        return images

    def _move(self, images: np.ndarray, seed: int, epoch: int, indices: np.ndarray) -> np.ndarray:
        """Flip and shift by one gather: row r of the result is row r + dy of the picture."""
        height, width = images.shape[1:3]
        rows, columns = np.arange(height)[None], np.arange(width)[None]  # (1, H), (1, W)
        if self.shift:
            span = 2 * self.shift + 1
            dy = counter.integers(span, seed, "shift y", epoch, indices) - self.shift
            dx = counter.integers(span, seed, "shift x", epoch, indices) - self.shift
            rows, columns = rows + dy[:, None], columns + dx[:, None]  # (B, H), (B, W)
        outside = ((rows < 0) | (rows >= height))[:, :, None] | (
            (columns < 0) | (columns >= width)
        )[:, None]
        if self.flip:
            mirrored = counter.uniform(seed, "flip", epoch, indices) < 0.5
            columns = np.where(mirrored[:, None], width - 1 - columns, columns)
        batch = np.arange(len(images))[:, None, None]
        moved = images[
            batch, rows.clip(0, height - 1)[:, :, None], columns.clip(0, width - 1)[:, None]
        ]
        if outside.any():
            moved[np.broadcast_to(outside, moved.shape[:3])] = self.fill
        return moved

    def _crop(self, images: np.ndarray, seed: int, epoch: int, indices: np.ndarray) -> np.ndarray:
        """Enlarge a random part of every picture to its full size, bilinear."""
        height, width = images.shape[1:3]
        smallest = 1.0 if self.crop is None else self.crop
        area = smallest + (1 - smallest) * counter.uniform(seed, "crop area", epoch, indices)
        # Uniform in the logarithm, so that wide and tall crops are equally frequent.
        bend = self.ratio ** (counter.uniform(seed, "crop ratio", epoch, indices) - 0.5)
        high = np.minimum(np.sqrt(area) / bend, 1) * height
        wide = np.minimum(np.sqrt(area) * bend, 1) * width
        top = counter.uniform(seed, "crop y", epoch, indices) * (height - high)
        left = counter.uniform(seed, "crop x", epoch, indices) * (width - wide)
        tall = _stretch(images, top, high)
        both = _stretch(tall.swapaxes(1, 2), left, wide).swapaxes(1, 2)
        return np.rint(both).astype(np.uint8)

    def _cut(self, images: np.ndarray, seed: int, epoch: int, indices: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        y = counter.integers(height, seed, "cutout y", epoch, indices) - self.cutout // 2
        x = counter.integers(width, seed, "cutout x", epoch, indices) - self.cutout // 2
        rows, columns = np.arange(height) - y[:, None], np.arange(width) - x[:, None]
        hidden = ((rows >= 0) & (rows < self.cutout))[:, :, None] & (
            (columns >= 0) & (columns < self.cutout)
        )[:, None]
        return np.where(hidden[..., None], np.uint8(self.fill), images)


def _stretch(images: np.ndarray, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Enlarge rows ``start`` .. ``start + length`` (B,) of ``images`` to all rows: float32.

    Linear between the centres of pixels. Only single multiplications and additions, which round
    the same in every batch; a library's resampling need not.
    """
    n = images.shape[1]
    place = start[:, None] + (np.arange(n) + 0.5) * (length[:, None] / n) - 0.5  # (B, n)
    place = place.clip(0, n - 1)
    low = np.floor(place).astype(np.int64)
    weight = (place - low).astype(np.float32)[:, :, None, None]
    batch = np.arange(len(images))[:, None]
    upper = images[batch, low].astype(np.float32)
    lower = images[batch, np.minimum(low + 1, n - 1)].astype(np.float32)
    return upper + (lower - upper) * weight
