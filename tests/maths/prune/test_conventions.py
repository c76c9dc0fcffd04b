"""P10 of the CAT digest: the classic generator costs what papers and pencils say."""

from __future__ import annotations

import pytest
from torch import nn

from backend.core.channel_plan import ChannelSpace, CostTerm, ScoreGroup
from backend.core.errors import FretsawError
from backend.models.recipe import Recipe, build
from backend.models.registry import zoo
from backend.prune.channels import find_channels


@pytest.mark.parametrize(("convention", "giga"), [("output", 56.80), ("input", 49.55)])
def test_cat_p10_the_classic_generator_by_both_conventions(convention, giga: float) -> None:
    network = build(Recipe(zoo("cyclegan_generator")))
    channels = find_channels(network, (3, 256, 256), convention=convention)

    def side(x: str | int) -> int:
        return x if isinstance(x, int) else channels.groups[x].width

    total = sum(
        term.factor * side(term.inputs) * side(term.outputs)
        for term in channels.terms
        if isinstance(network.get_submodule(term.layer), nn.Conv2d | nn.ConvTranspose2d)
    )
    assert round(total / 1e9, 2) == giga


def test_norms_without_a_scale_give_no_scores() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.InstanceNorm2d(4), nn.Conv2d(4, 3, 1))
    channels = find_channels(network, (3, 8, 8))
    assert all(not channels.scores(network, name) for name in channels.groups)


def test_a_step_rounds_widths_down_and_the_bounds_come_first() -> None:
    scores = tuple(i / 64 for i in range(64))
    group = ScoreGroup(name="fc", width=64, scores=scores, step=16, lower=16)
    assert [group.count(t) for t in (-1.0, 0.1, 0.5, 0.9)] == [64, 48, 16, 16]
    assert group.model_copy(update={"upper": 40}).count(-1.0) == 32
    assert group.count(0.1, multiple=12) == 48
    space = ChannelSpace(groups=(group,), terms=(CostTerm(layer="one", factor=1, outputs="fc"),))
    assert space.search(40).widths == {"fc": 32}
    assert space.uniform(40) == {"fc": 32}
    with pytest.raises(FretsawError, match="below the least"):
        space.search(15)
