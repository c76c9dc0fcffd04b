"""The baseline of every edit: one 3 x 4 matrix for the colours of all pixels of all pictures."""

from __future__ import annotations

import numpy as np

from backend.metrics.classification import MetricError


class ColourFit:
    """Fits target = M (r, g, b, 1) by least squares over pixels that are given part by part."""

    def __init__(self) -> None:
        self._xx = np.zeros((4, 4))
        self._xy = np.zeros((4, 3))
        self.pixels = 0

    def add(self, sources: np.ndarray, targets: np.ndarray) -> None:
        """Take in pictures before and after, uint8 (B, H, W, 3), all their pixels."""
        pixels = sources.reshape(-1, 3).astype(np.float64) / 255
        x = np.concatenate([pixels, np.ones((len(pixels), 1))], 1)
        y = targets.reshape(-1, 3).astype(np.float64) / 255
        self._xx += x.T @ x
        self._xy += x.T @ y
        self.pixels += len(x)

    def matrix(self) -> np.ndarray:
        """Return M, float64 (3, 4), on a scale of 0 .. 1; the smallest one if several fit alike.

        Raises:
            MetricError: no pixels were given.
        """
        if not self.pixels:
            raise MetricError("There are no pictures to fit colours on; add training pairs.")
        found, *_ = np.linalg.lstsq(self._xx, self._xy, rcond=None)
        return found.T


def recolour(matrix: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """Return pictures (B, H, W, 3) uint8 with their colours mapped by a matrix (3, 4)."""
    mapped = pictures.astype(np.float32) @ matrix[:, :3].T.astype(np.float32)
    mapped += 255 * matrix[:, 3].astype(np.float32)
    return np.clip(np.rint(mapped), 0, 255).astype(np.uint8)
