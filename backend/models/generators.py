"""Generators from picture to picture: a residual network and a U-Net, made to run on phones.

Up-sampling is a convolution and a pixel shuffle, or a nearest enlargement and a convolution; both
export to operators that every runtime has, for any height and width in multiples of what
:func:`multiple_of` says.
Source: Johnson et al., Perceptual losses for real-time style transfer, ECCV 2016, supplement;
Isola et al., Image-to-image translation with conditional adversarial networks, CVPR 2017, sec. 6.1.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from backend.models.errors import RecipeError
from backend.models.gan_layers import (
    Activation,
    Init,
    Norm,
    Padding,
    Upsampling,
    conv_block,
    initialise_gan,
    upsample,
)
from backend.models.layers import require_positive
from backend.models.registry import network


class ResidualBlock(nn.Module):
    """Two convolutions with norms beside a shortcut, no activation behind the sum."""

    def __init__(
        self, width: int, norm: Norm, padding: Padding, activation: Activation, separable: bool
    ) -> None:
        super().__init__()
        self.conv1 = conv_block(width, width, 3, norm, padding, activation, separable=separable)
        self.conv2 = conv_block(width, width, 3, norm, padding, "none", separable=separable)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, width, H, W) to the same shape."""
        return x + self.conv2(self.conv1(x))


class GlobalContext(nn.Module):
    """Scales and shifts channels by what two small layers make of their means over the picture.

    An edit that depends on how light or how green the whole picture is needs to see it.
    Source: Hu et al., Squeeze-and-excitation networks, CVPR 2018, sec. 3, with a shift beside the
    scale as in Perez et al., FiLM, AAAI 2018.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.squeeze = nn.Conv2d(width, width, 1)
        self.relu = nn.ReLU()
        self.scale = nn.Conv2d(width, width, 1)
        self.shift = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, width, H, W) to the same shape."""
        z = self.relu(self.squeeze(self.mean(x)))
        return x * (1 + self.scale(z)) + self.shift(z)


class ResNetGenerator(nn.Module):
    """Stem, halvings, residual blocks, doublings, head: (N, 3, H, W) to the same shape."""

    def __init__(
        self,
        width: int,
        blocks: int,
        downs: int,
        norm: Norm,
        outer_norm: bool,
        padding: Padding,
        activation: Activation,
        upsampling: Upsampling,
        shuffle: int,
        kernel: int,
        separable: bool,
        skips: bool,
        shortcut: bool,
        context: bool,
        tanh: bool,
        init: Init,
    ) -> None:
        super().__init__()
        widths = [width << i for i in range(downs + 1)]
        colours = 3 * shuffle**2
        outer: Norm = norm if outer_norm else "none"
        self.unshuffle = nn.PixelUnshuffle(shuffle) if shuffle > 1 else nn.Identity()
        self.stem = conv_block(colours, width, kernel, outer, padding, activation)
        self.down = nn.ModuleList(
            conv_block(a, b, 3, outer, padding, activation, stride=2)
            for a, b in itertools.pairwise(widths)
        )
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(widths[-1], norm, padding, activation, separable)
                for _ in range(blocks)
            )
        )
        self.context = GlobalContext(widths[-1]) if context else nn.Identity()
        self.up = nn.ModuleList(
            upsample(b, a, upsampling, outer, padding, activation)
            for a, b in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.skips = skips
        self.head = conv_block(width, colours, kernel, "none", padding, "none")
        self.shuffle = nn.PixelShuffle(shuffle) if shuffle > 1 else nn.Identity()
        self.colour = nn.Conv2d(3, 3, 1) if shortcut else None
        self.tanh = nn.Tanh() if tanh else nn.Identity()
        initialise_gan(self, init)
        if self.colour is not None:
            with torch.no_grad():
                # Twice the picture: tanh leaves of -1 .. 1 about -0.96 .. 0.96.
                self.colour.weight.copy_(2 * torch.eye(3)[:, :, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, 3, H, W) in -1 .. 1 to edited ones in -1 .. 1 (without tanh: any)."""
        y = self.stem(self.unshuffle(x))
        kept = []
        for part in self.down:
            kept.append(y)
            y = part(y)
        y = self.blocks(self.context(y))
        for part in self.up:
            y = part(y)
            y = y + kept.pop() if self.skips else y
        y = self.shuffle(self.head(y))
        return self.tanh(y if self.colour is None else y + self.colour(x))


@network("resnet_generator")
def resnet_generator(
    width: Annotated[int, "Channels of the first convolution; each halving doubles them."] = 64,
    blocks: Annotated[int, "Residual blocks at the smallest size."] = 9,
    downs: Annotated[int, "Halvings of height and width before the blocks."] = 2,
    norm: Annotated[
        Norm,
        "'batch' costs nothing once exported, 'instance' sees each picture by itself, 'none' "
        "keeps contrast and brightness.",
    ] = "instance",
    outer_norm: Annotated[
        bool, "Norms outside the blocks, too; without them contrast and brightness pass by."
    ] = True,
    padding: Annotated[Padding, "What lies beyond the edges: zeros, or the picture mirrored."] = (
        "reflect"
    ),
    activation: Annotated[Activation, "Non-linearity between convolutions."] = "relu",
    upsampling: Annotated[
        Upsampling,
        "'nearest' enlarges, then convolves; 'shuffle' convolves at the small size and spreads "
        "channels; 'transposed' as in the papers, with checkerboards.",
    ] = "nearest",
    shuffle: Annotated[
        Literal[1, 2, 4],
        "Pixels of a square of this side become channels first, and pixels again at the end.",
    ] = 1,
    kernel: Annotated[int, "Size of the first and last kernel; odd."] = 7,
    separable: Annotated[bool, "Depth-wise and 1 x 1 convolutions in the blocks."] = False,
    skips: Annotated[bool, "Adds each size's features before the blocks to those behind."] = False,
    shortcut: Annotated[
        bool, "Adds the picture, its colours mixed by a 3 x 4 matrix, before tanh."
    ] = False,
    context: Annotated[
        bool, "Lets the means over the whole picture scale and shift the blocks' channels."
    ] = False,
    tanh: Annotated[bool, "Ends in tanh, so that outputs are in -1 .. 1."] = True,
    init: Annotated[Init, "First values of the convolutions."] = "normal",
) -> nn.Module:
    """Residual generator; with its defaults that of CycleGAN with nearest up-sampling."""
    require_positive("resnet_generator", width=width, blocks=blocks, kernel=kernel)
    if downs < 0 or kernel % 2 == 0:
        raise RecipeError(
            f"A resnet_generator takes 0 or more downs and an odd kernel, not {downs} and {kernel}."
        )
    return ResNetGenerator(
        width, blocks, downs, norm, outer_norm, padding, activation, upsampling, shuffle, kernel,
        separable, skips, shortcut, context, tanh, init,
    )  # fmt: skip


class UNetGenerator(nn.Module):
    """Halvings, then doublings that see the halvings' features: (N, 3, H, W) to the same shape."""

    def __init__(
        self,
        width: int,
        depth: int,
        most: int,
        norm: Norm,
        upsampling: Upsampling,
        dropout: float,
        init: Init,
    ) -> None:
        super().__init__()
        widths = [min(width << i, most) for i in range(depth)]
        self.down = nn.ModuleList()
        inputs = 3
        for i, outputs in enumerate(widths):
            # No norm on the first level, nor where one pixel may be left.
            kind: Norm = "none" if i in (0, depth - 1) else norm
            self.down.append(
                conv_block(inputs, outputs, 4, kind, "zero", "leaky" if i < depth - 1 else "relu",
                           stride=2)
            )  # fmt: skip
            inputs = outputs
        self.up = nn.ModuleList()
        for i in range(depth - 1, 0, -1):
            inputs = widths[i] * (1 if i == depth - 1 else 2)
            part = upsample(inputs, widths[i - 1], upsampling, norm, "zero", "relu")
            drop = dropout if depth - 4 <= i < depth - 1 else 0.0
            self.up.append(nn.Sequential(part, nn.Dropout(drop)) if drop else part)
        last = upsample(2 * widths[0], 3, upsampling, "none", "zero", "none")
        self.up.append(last)
        self.tanh = nn.Tanh()
        initialise_gan(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, 3, H, W) in -1 .. 1 to edited ones in -1 .. 1."""
        kept = []
        for part in self.down:
            x = part(x)
            kept.append(x)
        y = kept.pop()
        for part in self.up:
            y = part(y)
            if kept:
                y = torch.cat([y, kept.pop()], 1)
        return self.tanh(y)


@network("unet_generator")
def unet_generator(
    width: Annotated[int, "Channels of the first level; doubled level by level."] = 64,
    depth: Annotated[int, "Levels; height and width are multiples of 2 to this power."] = 8,
    most: Annotated[int, "Largest number of channels."] = 512,
    norm: Annotated[Norm, "Norm of all levels but the first and the last."] = "batch",
    upsampling: Annotated[
        Upsampling,
        "'nearest' enlarges, then convolves; 'shuffle' convolves at the small size and spreads "
        "channels; 'transposed' as in the paper, with checkerboards.",
    ] = "nearest",
    dropout: Annotated[
        float, "Dropout of the three levels above the lowest; the paper: 0.5."
    ] = 0.0,
    init: Annotated[Init, "First values of the convolutions."] = "normal",
) -> nn.Module:
    """U-Net of pix2pix."""
    require_positive("unet_generator", width=width, most=most)
    if depth < 2 or not 0 <= dropout < 1:
        raise RecipeError(
            f"A unet_generator takes 2 or more levels and a dropout below 1, not {depth} and "
            f"{dropout}."
        )
    return UNetGenerator(width, depth, most, norm, upsampling, dropout, init)


def multiple_of(module: nn.Module) -> int:
    """Return what height and width must be multiples of for a generator of this file.

    Raises:
        TypeError: another network.
    """
    if isinstance(module, ResNetGenerator):
        shuffle = getattr(module.unshuffle, "downscale_factor", 1)
        return int(shuffle) << len(module.down)
    if isinstance(module, UNetGenerator):
        return 1 << len(module.down)
    raise TypeError(f"{type(module).__name__} is not one of the generators of the zoo.")
