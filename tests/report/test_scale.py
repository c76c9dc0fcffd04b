from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.report.curves import groups, suffix
from backend.report.layout import HEIGHT, WIDTH, arrange
from backend.report.scale import SPAN, axis, buckets, robust_range, smooth, wants_log
from backend.report.text import column_numbers, duration, number, percent, scaled, split_sentence

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def test_ticks_are_round_numbers() -> None:
    assert [t for _, t in axis([0.03, 0.97], count=4).ticks] == [
        "0.00",
        "0.25",
        "0.50",
        "0.75",
        "1.00",
    ]
    assert [t for _, t in axis([0, 1500], count=5, tight=True).ticks] == [
        "0",
        "500",
        "1,000",
        "1,500",
    ]
    assert [t for _, t in axis([0.02, 3], log=True).ticks] == [
        "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5",
    ]  # fmt: skip
    assert [t for _, t in axis([0, 1], tight=True, whole=True).ticks] == ["0", "1"]
    assert [t for _, t in axis([0, 11], tight=True, whole=True).ticks] == ["0", "3", "6", "9"]
    assert [t for _, t in axis([-2, 2], count=4).ticks] == ["−2", "−1", "0", "1", "2"]


@given(st.lists(FINITE, max_size=6), st.booleans(), st.booleans())
def test_an_axis_holds_its_values_and_has_ticks(
    values: list[float], log: bool, tight: bool
) -> None:
    made = axis(values, log=log, tight=tight)
    assert made.low < made.high
    assert 1 <= len(made.ticks) <= 40
    for value in values:
        if (value > 1e-280 or not log) and abs(value) < 1e280:
            assert -1 <= made.at(value) <= SPAN + 1
    for value, _ in made.ticks:
        assert -1 <= made.at(value) <= SPAN + 1


@given(
    st.lists(st.tuples(st.integers(0, 99), FINITE), min_size=1, max_size=300), st.integers(1, 40)
)
def test_buckets_keep_extremes(points: list[tuple[float, float]], count: int) -> None:
    found = buckets(points, count)
    assert len(found) <= count
    assert min(b.low for b in found) == min(y for _, y in points)
    assert max(b.high for b in found) == max(y for _, y in points)


def test_smoothing_has_no_pull_to_zero_and_keeps_gaps() -> None:
    assert smooth([5.0] * 4, 0.9) == pytest.approx([5.0] * 4)
    out = smooth([1.0, math.nan, 3.0], 0.5)
    assert math.isnan(out[1])
    # By hand: 3 weighs 1, the finite value before it 0.5.
    assert out[2] == pytest.approx((0.5 * 1 + 3) / 1.5)
    # A straight line stays where it is, except near its ends: no lag.
    assert smooth([float(i) for i in range(99)], 0.5)[49] == pytest.approx(49)


def test_a_wild_value_does_not_flatten_a_curve() -> None:
    assert robust_range([0.0, 1.0] * 200 + [1e6]) == (0.0, 1.5, 1)
    assert robust_range([1.0, 50.0]) == (1.0, 50.0, 0)


def test_log_axis_only_where_it_helps() -> None:
    assert wants_log([10.0 * 0.7**i for i in range(30)])
    assert not wants_log([0.05 * (1 + math.cos(i / 10)) for i in range(31)])
    assert not wants_log([1.0, 2.0, 0.0])


def test_metrics_meet_by_the_end_of_their_names() -> None:
    assert suffix("val_top1") == suffix("top1") == suffix("test/top1") == "top1"
    points = [(0.0, 1.0), (1.0, 2.0)]
    found = groups(
        {("a", "", "val_top1"): points, ("b", "", "top1"): points, ("a", "", "lr"): points}
    )
    assert [(group.title, len(group.curves)) for group in found] == [
        ("Top-1", 2),
        ("Learning rate", 1),
    ]


def test_numbers_in_words() -> None:
    assert number(1234567) == "1,234,567"
    assert number(0.02714) == "0.02714"
    assert number(4e-5) == "4e-5"
    assert number(-1234.56) == "-1,235"
    assert number(math.nan) == "NaN"
    assert number(None) == "–"
    assert column_numbers([90.45, 90.2, 89.7]) == ["90.45", "90.20", "89.70"]
    assert column_numbers([1.0, None, math.nan]) == ["1", "–", "NaN"]
    assert column_numbers([2.3021, 2.3019]) == ["2.3021", "2.3019"]
    assert column_numbers([1000.0, 0.001]) == ["1,000", "0.001"]
    assert scaled("bytes", [1_092_104, 3]) == ("MB", 1e6)
    assert scaled("ms", [1e9]) == ("ms", 1.0)
    assert percent(0.00001) == "< 0.01 %"
    assert [duration(s) for s in (0.02, 0.42, 12, 221.4, 7500)] == [
        "20 ms", "0.4 s", "12 s", "3 min 41 s", "2 h 05 min",
    ]  # fmt: skip
    assert split_sentence("It needs 2.1 GB. Halve it.") == ("It needs 2.1 GB.", "Halve it.")


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30))
def test_cards_never_overlap_and_links_lead_right(pairs: list[tuple[int, int]]) -> None:
    names = [f"n{i}" for i in range(12)]
    links = [(f"n{a}", f"n{b}") for a, b in pairs]
    plan = arrange(names, links, ["n3"])
    assert set(plan.nodes) == set(names)
    spots = list(plan.nodes.values())
    for i, (x, y) in enumerate(spots):
        assert 0 <= x <= plan.width - WIDTH
        assert 0 <= y <= plan.height - HEIGHT
        for other_x, other_y in spots[i + 1 :]:
            assert abs(x - other_x) >= WIDTH or abs(y - other_y) >= HEIGHT
    for wire in plan.wires:
        xs = [x for x, _ in wire.places]
        assert xs == sorted(xs)
        # Where a link passes a column it meets no card.
        for (left, y), (right, _) in zip(wire.places[1:-1:2], wire.places[2:-1:2], strict=True):
            for x, top in spots:
                is_beside = x + WIDTH <= left or x >= right
                assert is_beside or not top < y < top + HEIGHT
