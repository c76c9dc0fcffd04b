"""P5 of the E2GAN digest where names end alike: peft would take a rank for a layer's twin."""

from __future__ import annotations

import itertools

import pytest
from torch import nn

from backend.distill import lora

NAMES = ("conv", "inner.conv", "inner.inner.conv", "inner.conv2")


class Twins(nn.Module):
    """Layers whose names end in those of others."""

    def __init__(self, depth: int = 2) -> None:
        super().__init__()
        self.conv, self.conv2 = nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3)
        if depth:
            self.inner = Twins(depth - 1)


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_e2gan_p5_a_layer_gets_its_own_rank_and_no_twins(order: tuple[int, ...]) -> None:
    ranks = {NAMES[i]: i + 1 for i in order} | {"inner.conv2": 5}
    adapted = lora.attach(Twins(), {"ranks": ranks})
    got = {name: adapted.get_submodule(name).r[lora.ADAPTER] for name in ranks}
    assert got == ranks
    assert set(lora.ranks_of(lora.adapter_state(adapted))) == set(ranks)
