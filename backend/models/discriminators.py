"""Discriminators: networks that score patches of a picture, real or made."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from backend.models.errors import RecipeError
from backend.models.gan_layers import Init, Norm, initialise_gan, make_norm
from backend.models.layers import require_positive
from backend.models.registry import network


class PatchDiscriminator(nn.Module):
    """Convolutions that score overlapping patches; no two patches share more than they overlap.

    ``levels`` are the strides: each level is a convolution, a norm and a leaky ReLU, and the last
    one is the score. :meth:`features` gives all of them.
    """

    def __init__(
        self, inputs: int, width: int, layers: int, norm: Norm, spectral: bool, init: Init
    ) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        channels = inputs
        for i in range(layers + 1):
            outputs = min(width << i, 8 * width)
            kind: Norm = norm if i else "none"
            conv = nn.Conv2d(channels, outputs, 4, 2 if i < layers else 1, 1, bias=kind == "none")
            self.levels.append(nn.Sequential(conv, *make_norm(kind, outputs), nn.LeakyReLU(0.2)))
            channels = outputs
        self.levels.append(nn.Sequential(nn.Conv2d(channels, 1, 4, 1, 1)))
        initialise_gan(self, init)
        if spectral:
            for level in self.levels:
                spectral_norm(level[0])

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, inputs, H, W) to scores (N, 1, h, w)."""
        for level in self.levels:
            x = level(x)
        return x

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the output of every level, (N, C, h, w) each; the last one is the score."""
        found = []
        for level in self.levels:
            x = level(x)
            found.append(x)
        return found


@network("patch_discriminator")
def patch_discriminator(
    inputs: Annotated[int, "Channels: 6 for source and target stacked, 3 for one picture."] = 6,
    width: Annotated[int, "Channels of the first level; doubled up to eight times."] = 64,
    layers: Annotated[int, "Levels that halve the size; 3 score patches of 70 x 70."] = 3,
    norm: Annotated[Norm, "Norm of the middle levels."] = "batch",
    spectral: Annotated[bool, "Divides each kernel by its largest singular value."] = False,
    init: Annotated[Init, "First values of the convolutions."] = "normal",
) -> nn.Module:
    """Patch discriminator of pix2pix, with spectral norm as an option.

    Source: Isola et al., CVPR 2017, sec. 6.1.2; Miyato et al., Spectral normalization for
    generative adversarial networks, ICLR 2018, alg. 1.
    """
    require_positive("patch_discriminator", inputs=inputs, width=width)
    if layers < 0:
        raise RecipeError(f"A patch_discriminator takes 0 or more layers, not {layers}.")
    return PatchDiscriminator(inputs, width, layers, norm, spectral, init)


def patch_size(layers: int) -> int:
    """Return the side in pixels of what one score of a patch discriminator sees.

    From the last convolution back: r = (r - 1) stride + 4.
    """
    side = 1
    for stride in [1, 1] + [2] * layers:
        side = (side - 1) * stride + 4
    return side
