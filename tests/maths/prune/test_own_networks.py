"""Generators that users bring: each kind of layer is cut rightly, or refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.prune.channels import ChannelError, find_channels
from backend.prune.shrink import shrink_channels, shrink_plan

SIZE = (3, 16, 16)


class Own(nn.Module):
    """Two convolutions with norms; ``way`` combines them."""

    def __init__(self, way: Callable[[Own, Tensor], Tensor], joined: int = 16) -> None:
        super().__init__()
        self.way = way
        self.first, self.first_norm = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.second, self.second_norm = nn.Conv2d(joined, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.last = nn.Conv2d(16, 3, 3, padding=1)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 16, 1), nn.Sigmoid())
        self.curve, self.grouped = nn.PReLU(16), nn.GroupNorm(4, 16)
        self.bias = nn.Parameter(torch.randn(1, 16, 1, 1))
        self.wide, self.shuffle = nn.Conv2d(16, 64, 1), nn.PixelShuffle(2)

    def block(self, x: Tensor) -> Tensor:
        return F.relu(self.second_norm(self.second(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.way(self, F.relu(self.first_norm(self.first(x)))))


WAYS: dict[str, Callable[[Own, Tensor], Tensor]] = {
    "twice": lambda net, x: net.block(x + x),
    "scaled": lambda net, x: x + 0.1 * net.block(x),
    "minus": lambda net, x: x - net.block(x) / 2,
    "gate": lambda net, x: net.block(x) * net.gate(x),
    "named": lambda net, x: F.relu(input=net.second_norm(net.second(input=x))),
    "pooled": lambda net, x: F.interpolate(F.avg_pool2d(net.block(x), 2), scale_factor=2),
    "curve": lambda net, x: net.curve(net.block(x)),
    "group norm": lambda net, x: net.grouped(net.block(x)),
    "shuffle": lambda net, x: F.avg_pool2d(net.shuffle(net.wide(net.block(x))), 2),
}


def half(net: nn.Module) -> nn.Module:
    """Keep half of the channels that may leave; at least one group must."""
    torch.manual_seed(0)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.1, 1)
    channels = find_channels(net, SIZE)
    keep = {g.name: list(range(0, g.width, 2)) for g in channels.groups.values() if not g.fixed}
    assert keep
    return shrink_channels(net, shrink_plan(channels, keep)).eval()


@pytest.mark.parametrize("name", WAYS)
def test_a_network_of_many_layers_is_cut_and_runs(name: str) -> None:
    net = Own(WAYS[name]).eval()
    student = half(net)
    assert sum(p.numel() for p in student.parameters()) < sum(p.numel() for p in net.parameters())
    assert student(torch.zeros(1, *SIZE)).shape == (1, *SIZE)


def test_a_map_that_is_joined_to_itself_counts_twice() -> None:
    net = Own(lambda net, x: net.block(torch.cat([x, x], 1)), joined=32).eval()
    assert half(net)(torch.zeros(1, *SIZE)).shape == (1, *SIZE)


def test_a_picture_that_the_network_cannot_read_is_named() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 3, 3))
    with pytest.raises(ChannelError, match="picture of 3 x 4 pixels"):
        find_channels(net, (3, 4, 3))


@pytest.mark.parametrize(
    ("way", "message"),
    [
        (lambda net, x: net.block(net.block(x)), "used more than once"),
        (lambda net, x: net.block(x + net.bias), "a tensor of the network's own"),
        (lambda net, x: net.block(torch.cat([x, x], 2)[:, :, :16]), '"cat" is not known'),
        (lambda net, x: F.instance_norm(net.second(x)), '"instance_norm" is not known'),
    ],
)
def test_what_cannot_be_cut_is_named(way: Callable[[Own, Tensor], Tensor], message: str) -> None:
    with pytest.raises(ChannelError, match=message):
        find_channels(Own(way), SIZE)
