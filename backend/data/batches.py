"""Pictures taken evenly from a set, for calibration and checks; no randomness."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from backend.data.manifest import ImageSet
from backend.data.preprocess import ImageInput


def spread_pictures(
    images: ImageSet, image: ImageInput, count: int, device: torch.device | str = "cpu"
) -> Tensor:
    """Return at most ``count`` pictures, evenly spaced over the set, as (N, C, H, W) float32."""
    chosen = np.unique(np.linspace(0, len(images) - 1, count).astype(np.int64))
    return image.batch(images.take(chosen), device).contiguous()


def spread_batches(
    images: ImageSet,
    image: ImageInput,
    size: int,
    count: int,
    device: torch.device | str = "cpu",
) -> Iterator[Tensor]:
    """Yield at most ``count`` batches of ``size`` pictures, each spread over the whole set.

    Sets are often sorted by class; each of these batches has all of them.
    """
    stride = max(1, len(images) // size)
    for start in range(min(count, stride)):
        chosen = np.arange(start, len(images), stride)[:size]
        yield image.batch(images.take(chosen), device)
