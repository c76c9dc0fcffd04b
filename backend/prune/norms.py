"""Networks without norms: the transform ``norm.drop``, and weights to begin with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from backend.models.cyclegan import CycleGanGenerator
from backend.models.cyclegan import ResidualBlock as CycleGanBlock
from backend.models.generators import ResidualBlock
from backend.models.inception import InceptionBlock, InceptionGenerator
from backend.models.recipe import transform

_NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d)
_CONVS = (nn.Conv2d, nn.ConvTranspose2d)
_CONTRAST = 1.3
"""Of a picture that passes through the last tanh: near 1 for most pixels."""


@transform("norm.drop", version=1)
def drop_norms(module: nn.Module, plan: dict[str, Any]) -> nn.Module:
    """Put the identity in the place of each norm, and give every convolution a bias.

    Colours pass through as they are: an instance norm takes the mean off each channel, and with it
    how bright a picture is. The plan is empty.
    """
    for part in list(module.modules()):
        for name, child in part.named_children():
            if isinstance(child, _NORMS):
                setattr(part, name, nn.Identity())
            elif isinstance(child, _CONVS) and child.bias is None:
                like = child.weight
                child.bias = nn.Parameter(
                    torch.zeros(child.out_channels, device=like.device, dtype=like.dtype)
                )
    return module


def begin_without_norms(module: nn.Module) -> None:
    """Give a network without norms weights that keep the size of signals.

    Residual branches begin at zero, since no norm tames their sum. Where the network is wide enough
    (3, 12, 48, 12 and 3 channels between its ends) some of its channels carry the picture itself:
    it begins with an edit that only lowers the contrast, where it would otherwise spend most of a
    short training on learning to copy.
    Source: He et al., Delving deep into rectifiers, ICCV 2015, eq. 10; that branches may begin at
    zero: Zhang et al., Fixup initialization, ICLR 2019, sec. 3.
    """
    for part in module.modules():
        if isinstance(part, _CONVS):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    with torch.no_grad():
        for last in _ends_of_branches(module):
            last.weight.zero_()
        outer = _outer(module)
        widths = [conv.out_channels for conv in outer]
        if len(outer) == 6 and all(w >= n for w, n in zip(widths, _CARRIED, strict=True)):
            _carry_the_picture(outer)


# Channels that hold a picture after each outer layer: at half the size each becomes four.
_CARRIED = (3, 12, 48, 12, 3, 3)


def _carry_the_picture(outer: Sequence[nn.Conv2d | nn.ConvTranspose2d]) -> None:
    """Let the first channels of each layer pass the pixels on: in -1 .. 1, and 1 more inside."""
    stem, *middle, head = outer
    for i in range(3):
        stem.weight[i].zero_()
        stem.weight[i, i, 3, 3] = 1
        stem.bias[i] = 1  # so that a ReLU lets all of it pass
        head.weight[i].zero_()
        head.weight[i, i, 3, 3] = _CONTRAST
        head.bias[i] = -_CONTRAST
    for conv, few in zip(middle, (3, 12, 12, 3), strict=True):
        up = isinstance(conv, nn.ConvTranspose2d)  # its weight is (in, out, kh, kw)
        weight = conv.weight.transpose(0, 1) if up else conv.weight
        weight[: few if up else 4 * few].zero_()
        for one in range(few):
            for place in range(4):
                whole, part = one, 4 * one + place
                row, column = divmod(place, 2)
                pair = (whole, part) if up else (part, whole)
                weight[(*pair, 1 + row, 1 + column)] = 1


def _outer(module: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    """Return the six convolutions around the blocks of a generator that doubles by transposing."""
    if isinstance(module, CycleGanGenerator):
        ends: list[nn.Module] = [module.model]
    elif isinstance(module, InceptionGenerator):
        ends = [module.down_sampling, module.up_sampling]
    else:
        ends = []
    convs = [part for end in ends for part in end.children() if isinstance(part, _CONVS)]
    sizes = [(conv.kernel_size[0], conv.stride[0]) for conv in convs]
    return convs if sizes == [(7, 1), (3, 2), (3, 2), (3, 2), (3, 2), (7, 1)] else []


def _ends_of_branches(module: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    branches: list[nn.Module] = []
    for part in module.modules():
        if isinstance(part, InceptionBlock):
            branches += part.branches.values()
        elif isinstance(part, CycleGanBlock | ResidualBlock):
            branches.append(part)
    return [[c for c in part.modules() if isinstance(c, _CONVS)][-1] for part in branches]
