"""Networks without norms: the transform ``norm.drop``, and weights to begin with."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from backend.models.cyclegan import ResidualBlock as CycleGanBlock
from backend.models.generators import ResidualBlock
from backend.models.inception import InceptionBlock
from backend.models.recipe import transform

_NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d)
_CONVS = (nn.Conv2d, nn.ConvTranspose2d)


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


def begin_without_norms(module: nn.Module, *, branch: float = 0.1) -> None:
    """Give convolutions weights that keep the size of signals, and residual branches a small start.

    Source: He et al., Delving deep into rectifiers, ICCV 2015, eq. 10; that branches must start
    small where no norm tames their sum: Zhang et al., Fixup initialization, ICLR 2019.
    """
    for part in module.modules():
        if isinstance(part, _CONVS):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    with torch.no_grad():
        for last in _ends_of_branches(module):
            last.weight.mul_(branch)


def _ends_of_branches(module: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    branches: list[nn.Module] = []
    for part in module.modules():
        if isinstance(part, InceptionBlock):
            branches += part.branches.values()
        elif isinstance(part, CycleGanBlock | ResidualBlock):
            branches.append(part)
    return [[c for c in part.modules() if isinstance(c, _CONVS)][-1] for part in branches]
