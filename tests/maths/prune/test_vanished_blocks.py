"""P9 and P10 of the CAT digest: what a plan says of blocks that vanish is what their student costs.

MACs of the student are counted here by hand, from the weights and the maps that layers really give.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from backend.core.channel_plan import ChannelSpace, CostTerm, ScoreGroup
from backend.models.inception import inception_generator
from backend.models.spade import inception_spade
from backend.prune.channels import Channels, find_channels
from backend.prune.shrink import shrink_channels, shrink_plan


def counted(network: nn.Module, size: tuple[int, int, int]) -> float:
    total = [0.0]

    def count(part: nn.Module, _: Any, made: Tensor) -> None:
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            total[0] += part.weight.numel() * made[0, 0].numel()
        elif not part.track_running_stats:
            total[0] += made[0].numel()

    network = copy.deepcopy(network).eval()
    for part in network.modules():
        norm = isinstance(part, nn.BatchNorm2d | nn.InstanceNorm2d)
        if norm or isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            part.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, *size))
    return total[0]


def space_of(channels: Channels) -> ChannelSpace:
    groups = [ScoreGroup(name=g.name, width=g.width) for g in channels.groups.values()]
    terms = [
        CostTerm(layer=t.layer, factor=t.factor, inputs=t.inputs, outputs=t.outputs, needs=t.needs)
        for t in channels.terms
    ]
    return ChannelSpace(groups=tuple(groups), terms=tuple(terms))


def check(network: nn.Module, size: tuple[int, int, int], gone: Iterable[str]) -> None:
    channels = find_channels(network, size)
    space = space_of(channels)
    assert space.cost(space.full_widths) == counted(network, size)
    empty = [name for name in channels.groups if name.startswith(tuple(gone))]
    assert empty
    student = shrink_channels(network, shrink_plan(channels, {name: [] for name in empty}))
    widths = {**space.full_widths, **dict.fromkeys(empty, 0)}
    assert space.cost(widths) == counted(student, size)


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("gone", ["features.0.branches.", "features.1.branches.residual"])
def test_cat_p10_an_inception_block_that_vanishes_takes_its_norm_along(
    norm: Any, gone: str
) -> None:
    check(inception_generator(width=8, blocks=2, reduction=4, norm=norm), (3, 16, 16), [gone])


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("gone", ["up_1.branches.", "up_1.spade.", "up_1.branches.residual"])
def test_cat_p10_a_spade_block_that_vanishes_takes_its_modulation_along(
    norm: Any, gone: str
) -> None:
    network = inception_spade(
        classes=5, width=4, upsampling="normal", reduction=2, spade_width=8, norm=norm,
        residual_kernels="1,3", depthwise_kernels="3",
    )  # fmt: skip
    check(network, (3, 64, 64), [gone])
