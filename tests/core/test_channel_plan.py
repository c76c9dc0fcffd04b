"""The search for one threshold; properties P6 and P7 of the CAT digest."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.channel_plan import ChannelSpace, CostTerm, ScoreGroup
from backend.core.errors import FretsawError

SCORES = st.lists(st.floats(0.01, 3), min_size=4, max_size=24)


def space(first: list[float], second: list[float], lower: int = 1) -> ChannelSpace:
    return ChannelSpace(
        groups=(
            ScoreGroup(name="a", width=len(first), scores=tuple(first), lower=lower),
            ScoreGroup(name="b", width=len(second), scores=tuple(second), lower=0),
        ),
        terms=(
            CostTerm(layer="one", factor=10, inputs=3, outputs="a"),
            CostTerm(layer="two", factor=7, inputs="a", outputs="b"),
            CostTerm(layer="three", factor=5, inputs="b", outputs="a"),
        ),
    )


@settings(max_examples=150, deadline=None)
@given(SCORES, SCORES, st.floats(0.05, 0.99))
def test_cat_p6_the_cost_is_within_the_target_and_nearly_reaches_it(
    first: list[float], second: list[float], share: float
) -> None:
    network = space(first, second)
    least, full = network.bounds()
    target = least + share * (full - least)
    if len({*first, *second}) == 1:
        return  # refused, see below
    plan = network.search(target)
    assert plan.cost <= target
    assert plan.cost == network.cost(plan.widths)
    below = network.cost(network.widths(plan.threshold * (1 - 2e-3) - 1e-9))
    smallest = min(map(abs, first + second))
    assert below > target or plan.threshold <= smallest * (1 + 2e-3)


@given(SCORES, SCORES, st.floats(0, 3), st.floats(0, 3))
def test_cat_p6_a_higher_threshold_never_costs_more(
    first: list[float], second: list[float], t: float, u: float
) -> None:
    network = space(first, second)
    low, high = sorted((t, u))
    assert network.cost(network.widths(high)) <= network.cost(network.widths(low))


def test_cat_p7_a_target_above_the_whole_keeps_all_but_the_least_scores() -> None:
    network = space([0.2, 0.5, 0.9, 1.2], [0.3, 0.7, 0.8, 1.0])
    plan = network.search(1e9)
    assert plan.widths == {"a": 3, "b": 4}  # the bracket ends just above the least score


def test_cat_p7_a_target_below_the_floor_is_refused() -> None:
    network = space([0.2, 0.5, 0.9, 1.2], [0.3, 0.7, 0.8, 1.0], lower=2)
    with pytest.raises(FretsawError, match="below the least"):
        network.search(10)


def test_equal_scores_are_refused_when_something_must_go() -> None:
    network = space([1.0] * 4, [1.0] * 4)
    with pytest.raises(FretsawError, match="are equal"):
        network.search(network.bounds()[1] * 0.5)


def test_networks_without_scores_or_with_broken_ones_are_refused() -> None:
    bare = ChannelSpace(groups=(ScoreGroup(name="a", width=4),), terms=())
    with pytest.raises(FretsawError, match="affine norm"):
        bare.search(1)
    with pytest.raises(FretsawError, match="not a finite number"):
        space([math.nan, 1, 2, 3], [1, 2, 3, 4]).search(1)


def test_bounds_and_multiples_shape_the_widths() -> None:
    group = ScoreGroup(name="a", width=20, scores=tuple(i / 20 for i in range(20)), lower=3)
    assert group.count(0.5) == 9
    assert group.count(0.5, multiple=8) == 16
    assert group.count(0.0, multiple=8) == 20
    assert group.count(9.0) == 3
    assert group.model_copy(update={"upper": 5}).count(0.1) == 5


def test_survivors_are_those_with_the_largest_scores_in_order() -> None:
    group = ScoreGroup(name="a", width=5, scores=(0.1, -0.9, 0.5, 0.9, 0.2))
    assert group.survivors(3) == [1, 2, 3]
    assert group.survivors(0) == []


def test_a_uniform_network_is_as_wide_as_the_target_allows() -> None:
    network = space([1.0] * 20, [1.0] * 10)
    full = network.bounds()[1]
    widths = network.uniform(full / 4)
    assert network.cost(widths) <= full / 4
    assert network.cost({"a": widths["a"] + 1, "b": widths["b"] + 1}) > full / 4
    with pytest.raises(FretsawError, match="Raise the target"):
        network.uniform(1)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 2.0])
def test_rounding_up_stays_within_the_bounds(threshold: float) -> None:
    scores = tuple(i / 20 for i in range(1, 21))
    bounded = ScoreGroup(name="a", width=20, scores=scores, lower=2, upper=14)
    assert bounded.count(threshold, 8) == 8  # 16 is more than the upper bound
    tight = ScoreGroup(name="a", width=20, scores=scores, lower=2, upper=5)
    assert tight.count(threshold, 8) <= 5  # no multiple of 8 is within it
    free = ScoreGroup(name="a", width=20, scores=scores, lower=2)
    assert free.count(threshold, 8) == {0.0: 20, 0.5: 16, 2.0: 8}[threshold]


def test_uniform_widths_keep_to_multiples_and_bounds() -> None:
    scores = tuple(i / 40 for i in range(1, 41))
    groups = (
        ScoreGroup(name="a", width=40, scores=scores, upper=16),
        ScoreGroup(name="b", width=40, scores=scores),
    )
    terms = (CostTerm(layer="one", factor=1, inputs="a", outputs="b"),)
    widths = ChannelSpace(groups=groups, terms=terms, multiple=8).uniform(500)
    assert widths == {"a": 16, "b": 24}
