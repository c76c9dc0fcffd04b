"""How near edited pictures are to the wanted ones: PSNR, SSIM and L1, a picture at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from backend.metrics.classification import MetricError

MOST_DB = 100.0
"""PSNR of pictures that are equal; one level of one value in a million is 108 dB."""

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@dataclass(frozen=True)
class Spread:
    """Mean over pictures, standard deviation between them (NaN for one), and their number."""

    mean: float
    deviation: float
    samples: int

    @classmethod
    def of(cls, values: np.ndarray) -> Spread:
        """Describe figures (N,), one a picture."""
        found = np.asarray(values, np.float64)
        if not len(found):
            raise MetricError("There are no pictures to compare; choose a split that has some.")
        deviation = float(found.std(ddof=1)) if len(found) > 1 else math.nan
        return cls(float(found.mean()), deviation, len(found))


def psnr(made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return 10 log10(255^2 / MSE) in dB of each picture, float64 (B,), at most 100.

    Both are uint8 (B, H, W, 3).

    Raises:
        MetricError: shapes or dtypes differ.
    """
    a, b = _checked(made, wanted)
    error = np.square(a.astype(np.int32) - b.astype(np.int32)).mean(axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return np.minimum(MOST_DB, 10 * np.log10(255**2 / error))


def l1(made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the mean absolute error of each picture on a scale of 0..1, float64 (B,).

    Both are uint8 (B, H, W, 3).

    Raises:
        MetricError: shapes or dtypes differ.
    """
    a, b = _checked(made, wanted)
    return np.abs(a.astype(np.int32) - b.astype(np.int32)).mean(axis=(1, 2, 3)) / 255


def ssim(made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the structural similarity of each picture, float64 (B,), at most 1.

    Both are uint8 (B, H, W, 3), at least 11 pixels high and wide. Gaussian window of 11 with
    sigma 1.5, population covariance, K1 = 0.01, K2 = 0.03; the mean over colours and over the
    places where the whole window lies in the picture.

    Source: Wang et al., Image quality assessment: from error visibility to structural similarity,
    IEEE TIP 2004, sec. III.B-C.

    Raises:
        MetricError: shapes or dtypes differ, or the pictures are too small.
    """
    a, b = _checked(made, wanted)
    if min(a.shape[1:3]) < _WINDOW:
        raise MetricError(
            f"SSIM needs pictures of at least {_WINDOW} x {_WINDOW} pixels, not {a.shape[1]} x "
            f"{a.shape[2]}."
        )
    return np.array([_ssim(one, other) for one, other in zip(a, b, strict=True)])


def difference_map(made: np.ndarray, wanted: np.ndarray, full: int = 64) -> np.ndarray:
    """Return the largest difference of the three colours as grey, uint8 (..., H, W, 3).

    The scale is fixed: black is equal, white a difference of ``full`` levels of 255 or more.
    """
    gap = np.abs(made.astype(np.int16) - wanted).max(axis=-1, keepdims=True)
    grey = np.minimum(gap.astype(np.int32) * 255 // full, 255).astype(np.uint8)
    return np.repeat(grey, 3, axis=-1)


def _ssim(made: np.ndarray, wanted: np.ndarray) -> float:
    x, y = (torch.from_numpy(p.astype(np.float64)).permute(2, 0, 1) for p in (made, wanted))
    mean_x, mean_y, xx, yy, xy = _windowed(torch.stack([x, y, x * x, y * y, x * y]))
    var_x, var_y = xx - mean_x**2, yy - mean_y**2
    top = (2 * mean_x * mean_y + _C1) * (2 * (xy - mean_x * mean_y) + _C2)
    bottom = (mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2)
    return float((top / bottom).mean())


def _windowed(maps: Tensor) -> Tensor:
    """Weighted means over the window, of maps (5, 3, H, W); no place beyond the edges."""
    at = torch.arange(_WINDOW, dtype=torch.float64) - _WINDOW // 2
    weights = torch.exp(-(at**2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    flat = maps.flatten(0, 1).unsqueeze(1)
    flat = F.conv2d(flat, weights.view(1, 1, -1, 1))
    flat = F.conv2d(flat, weights.view(1, 1, 1, -1))
    return flat.squeeze(1).unflatten(0, maps.shape[:2])


def _checked(made: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if made.shape != wanted.shape or made.ndim != 4 or made.shape[-1] != 3:
        raise MetricError(
            f"Only pictures (B, H, W, 3) of one size can be compared, not {made.shape} with "
            f"{wanted.shape}."
        )
    if made.dtype != np.uint8 or wanted.dtype != np.uint8:
        raise MetricError(f"Pictures are compared as uint8, not {made.dtype} and {wanted.dtype}.")
    return made, wanted
