"""Patch discriminators at several sizes of one picture, which see its label map, too."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.models.discriminators import PatchDiscriminator
from backend.models.gan_layers import Norm
from backend.models.layers import require_positive
from backend.models.registry import network
from backend.models.spade import LabelCode


class ScaledDiscriminator(nn.Module):
    """Scores of a picture at its own size, at half of it, and so on; each scale has its network.

    It reads label map and picture stacked, both in -1 .. 1, and unfolds the labels.
    """

    def __init__(
        self, code: LabelCode, width: int, layers: int, scales: int, norm: Norm, spectral: bool
    ) -> None:
        super().__init__()
        self.code = code
        inputs = code.classes + 3
        self.scales = nn.ModuleList(
            PatchDiscriminator(inputs, width, layers, norm, spectral, "xavier")
            for _ in range(scales)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map (N, 6, H, W), labels and picture, to scores (N, 1, h, w) of each scale."""
        return [judge(seen) for judge, seen in zip(self.scales, self._seen(x), strict=True)]

    def features(self, x: Tensor) -> list[list[Tensor]]:
        """Return the output of every level of each scale; the last of a scale is its score."""
        pairs = zip(self.scales, self._seen(x), strict=True)
        return [judge.features(seen) for judge, seen in pairs]  # type: ignore[operator]

    def _seen(self, x: Tensor) -> list[Tensor]:
        labels = self.code.one_hot((x[:, :1] + 1) / 2)
        seen = [torch.cat([labels, x[:, 3:]], 1)]
        for _ in range(len(self.scales) - 1):
            seen.append(F.avg_pool2d(seen[-1], 3, 2, 1, count_include_pad=False))
        return seen


@network("scaled_discriminator")
def scaled_discriminator(
    classes: Annotated[int, "Classes of the label maps."] = 35,
    width: Annotated[int, "Channels of the first level; doubled up to eight times."] = 64,
    layers: Annotated[int, "Levels that halve the size."] = 4,
    scales: Annotated[int, "Sizes of the picture: the whole, a half, and so on."] = 2,
    norm: Annotated[Norm, "Norm of the middle levels."] = "instance",
    spectral: Annotated[bool, "Divides each kernel by its largest singular value."] = True,
) -> nn.Module:
    """Multi-scale patch discriminator of SPADE, whose features can be matched.

    Source: Wang et al., pix2pixHD, CVPR 2018, sec. 3.2; Park et al., SPADE, CVPR 2019, appendix A.
    """
    require_positive("scaled_discriminator", width=width, layers=layers, scales=scales)
    return ScaledDiscriminator(LabelCode(classes), width, layers, scales, norm, spectral)
