"""Pictures through a generator: bytes in, bytes out."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.data.preprocess import ImageInput


class Readable(Protocol):
    """What a generator reads and gives; see :func:`edit_pictures`."""

    @property
    def image(self) -> ImageInput:
        """What it reads."""
        ...

    @property
    def low(self) -> float:
        """What black is in its answer."""
        ...

    @property
    def high(self) -> float:
        """What white is in its answer."""
        ...

    @property
    def any_size(self) -> bool:
        """Whether other sizes than that of ``image`` fit."""
        ...

    @property
    def multiple(self) -> int:
        """Sides that fit are multiples of this."""
        ...


def edit_as(
    known: Readable, module: nn.Module, pixels: np.ndarray, device: torch.device | str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Call :func:`edit_pictures` on ``module``, which reads and gives what ``known`` does."""
    return edit_pictures(
        module,
        pixels,
        known.image,
        low=known.low,
        high=known.high,
        any_size=known.any_size,
        multiple=known.multiple,
        device=device,
    )


@torch.no_grad()
def edit_pictures(
    module: nn.Module,
    pixels: np.ndarray,
    image: ImageInput,
    *,
    low: float,
    high: float,
    any_size: bool = True,
    multiple: int = 4,
    device: torch.device | str = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """Return the edited pictures, uint8 (B, H, W, 3), and which are finite, bool (B,).

    A network of any size reads them as they are, their edges reflected up to the next multiple;
    one of a fixed size reads them scaled, and its answer is scaled back. Output pixels are
    (y - low) / (high - low), clipped and rounded. A picture that is not finite is black.

    Args:
        module: maps (B, 3, H, W) to the same shape.
        pixels: uint8 (B, H, W, 3).
        image: what the network reads.
        low: what black is in the answer.
        high: what white is in the answer.
        any_size: heights and widths other than those of ``image`` fit too.
        multiple: sides that fit are multiples of this.
        device: where to compute.
    """
    height, width = pixels.shape[1:3]
    if any_size:
        x = replace(image, height=height, width=width).batch(pixels, device)
        x = _reflected(x, -height % multiple, -width % multiple)
        y = module(x)[:, :, :height, :width]
    else:
        y = module(image.batch(pixels, device))
        if tuple(y.shape[2:]) != (height, width):
            y = F.interpolate(y, (height, width), mode="bilinear", antialias=True)
    finite = torch.isfinite(y).flatten(1).all(1)
    y = torch.where(finite[:, None, None, None], (y - low) / (high - low), torch.zeros_like(y))
    u8 = y.clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1)
    return u8.contiguous().cpu().numpy(), finite.cpu().numpy()


def _reflected(x: Tensor, down: int, right: int) -> Tensor:
    return F.pad(x, (0, right, 0, down), mode="reflect") if down or right else x
