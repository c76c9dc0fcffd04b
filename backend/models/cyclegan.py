"""The ResNet generator of CycleGAN, layer by layer as published weights name it.

Source: Zhu et al., Unpaired image-to-image translation using cycle-consistent adversarial
networks, ICCV 2017, appendix 7.2.
"""

from __future__ import annotations

from typing import Annotated

from torch import Tensor, nn

from backend.models.layers import require_positive
from backend.models.registry import network


class ResidualBlock(nn.Module):
    """Two reflected 3x3 convolutions with instance norm beside a shortcut; the shape stays."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), _norm(channels), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), _norm(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return x + self.block(x)


class CycleGanGenerator(nn.Module):
    """Halve twice, ``blocks`` residual blocks, double twice, tanh: (N, 3, H, W), H and W of 4."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7)]
        layers += [_norm(width), nn.ReLU()]
        for inputs in (width, 2 * width):
            layers += [nn.Conv2d(inputs, 2 * inputs, 3, stride=2, padding=1)]
            layers += [_norm(2 * inputs), nn.ReLU()]
        layers += [ResidualBlock(4 * width) for _ in range(blocks)]
        for inputs in (4 * width, 2 * width):
            half = inputs // 2
            layers += [nn.ConvTranspose2d(inputs, half, 3, stride=2, padding=1, output_padding=1)]
            layers += [_norm(half), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, 3, H, W) in -1 .. 1 to pictures in -1 .. 1."""
        return self.model(x)


@network("cyclegan_generator")
def cyclegan_generator(
    width: Annotated[int, "Channels of the first layer."] = 64,
    blocks: Annotated[int, "Residual blocks."] = 9,
) -> nn.Module:
    """Make the generator of CycleGAN with affine instance norm."""
    require_positive("cyclegan_generator", width=width, blocks=blocks)
    return CycleGanGenerator(width, blocks)


def _norm(channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=True)
