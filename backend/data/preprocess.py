"""From bytes of pictures to what a network reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from backend.data.manifest import DataError, ImageSet

# ITU-R BT.601, the weights of grey that picture libraries use.
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class ImageInput:
    """The input of a network: its size, and mean and deviation of each channel on a 0..1 scale."""

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check the fields; lists, as JSON has them, become tuples."""
        object.__setattr__(self, "mean", tuple(map(float, self.mean)))
        object.__setattr__(self, "std", tuple(map(float, self.std)))
        if self.channels not in (1, 3) or min(self.height, self.width) < 1:
            raise DataError(
                f"A network input of {self.channels} channels and {self.height} x {self.width} "
                "pixels is not supported; it needs 1 or 3 channels and at least one pixel."
            )
        if not len(self.mean) == len(self.std) == self.channels or min(self.std) <= 0:
            raise DataError(
                f"The input needs {self.channels} means and {self.channels} positive deviations, "
                f"not {self.mean} and {self.std}."
            )

    @classmethod
    def measured(cls, images: ImageSet, *, most: int = 10_000) -> ImageInput:
        """Return the input that fits ``images``: their size, mean and deviation per channel.

        At most ``most`` pictures, evenly spaced, are looked at. Give the training split.
        """
        height, width, channels = images.shape
        chosen = np.unique(np.linspace(0, len(images) - 1, min(most, len(images))).astype(np.int64))
        counts = np.zeros((channels, 256), np.int64)
        for start in range(0, len(chosen), 256):
            pixels = images.take(chosen[start : start + 256]).reshape(-1, channels)
            for c in range(channels):
                counts[c] += np.bincount(pixels[:, c], minlength=256)
        levels = np.arange(256) / 255
        weights = counts / counts.sum(1, keepdims=True)
        mean = weights @ levels
        std = np.sqrt((weights * (levels - mean[:, None]) ** 2).sum(1))
        std = np.maximum(std, 1 / 255)  # a channel without contrast must not divide by zero
        return cls(channels, height, width, tuple(mean.tolist()), tuple(std.tolist()))

    def batch(self, pixels: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        """Return ``to_float`` of uint8 ``pixels`` (N, H, W, C), computed on ``device``."""
        u8 = torch.from_numpy(np.require(pixels, np.uint8, ("C", "W")))
        return self.to_float(u8.to(device))

    def to_float(self, u8: Tensor) -> Tensor:
        """Return x = (u8 / 255 - mean) / std as float32 (N, C, H, W), on the device of ``u8``.

        ``u8`` is uint8 (N, H', W', 1 or 3). Grey and colour are turned into each other and the
        size is changed (bilinear with antialiasing) where the network wants another. Colour comes
        out in channels_last memory.

        Raises:
            DataError: neither one nor three channels.
        """
        if u8.ndim != 4 or u8.shape[-1] not in (1, 3):
            raise DataError(
                f"Pictures need the shape (N, H, W, 1 or 3), not {tuple(u8.shape)}; "
                "convert them to grey or RGB."
            )
        x = u8.permute(0, 3, 1, 2).to(torch.float32).div_(255)
        if x.shape[1] == 3 and self.channels == 1:
            x = (x * x.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
        if x.shape[2:] != (self.height, self.width):
            size = (self.height, self.width)
            x = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
        if x.shape[1] == 1 and self.channels == 3:
            x = x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        mean, std = (x.new_tensor(v).view(1, -1, 1, 1) for v in (self.mean, self.std))
        return x.sub_(mean).div_(std)
