"""The maths of plots: smoothing, buckets, growing series, ticks, names, the Pareto front."""

from __future__ import annotations

import math
from array import array
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.plotting import buckets, metrics, pareto, smoothing
from studio.plotting.axis import linear_ticks, log_ticks, tick_text
from studio.plotting.curve import Curve
from studio.plotting.series import Series

NAN = float("nan")


def points(values: list[float], steps: list[float] | None = None, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(
        steps=array("d", steps if steps is not None else range(len(values))),
        values=array("d", values),
        **more,
    )


def curve(values: list[float], steps: list[float] | None = None, **how: Any) -> Curve:
    made = Curve(key=how.pop("key", "a"), name="A", **how)
    made.series.take(points(values, steps))
    return made


# -- smoothing ------------------------------------------------------------------------------------

finite = st.floats(-1e6, 1e6)


def slow_ema(steps: np.ndarray, values: np.ndarray, weight: float, gap: float) -> np.ndarray:
    found = np.full(len(values), np.nan)
    for i in range(len(values)):
        if not np.isfinite(values[i]):
            continue
        known = [j for j in range(i + 1) if np.isfinite(values[j])]
        k = np.array([weight ** ((steps[i] - steps[j]) / gap) for j in known])
        found[i] = (k * values[known]).sum() / k.sum()
    return found


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.one_of(finite, st.just(NAN))), min_size=1, max_size=60
    ),
    st.floats(0.01, 0.99),
    st.integers(1, 59),
)
@settings(max_examples=80, deadline=None)
def test_ema_is_what_its_formula_says_whole_or_in_parts(
    rows: list[tuple[int, float]], weight: float, cut: int
) -> None:
    steps = np.cumsum([float(gap) for gap, _ in rows])
    values = np.array([value for _, value in rows])
    wanted = slow_ema(steps, values, weight, 2.0)
    whole = smoothing.ema(steps, values, weight, 2.0)
    growing = smoothing.Smoother(weight, 2.0)
    parts = [growing.feed(steps[:cut], values[:cut]), growing.feed(steps[cut:], values[cut:])]
    scale = 1e-9 * (1 + np.nanmax(np.abs(values), initial=0.0))
    np.testing.assert_allclose(whole, wanted, rtol=1e-9, atol=scale)
    np.testing.assert_allclose(np.concatenate(parts), wanted, rtol=1e-9, atol=scale)


def test_a_constant_stays_and_the_first_value_has_no_bias() -> None:
    steps = np.array([0.0, 1, 2, 50, 51])
    np.testing.assert_allclose(smoothing.ema(steps, np.full(5, 7.25), 0.9), 7.25)
    assert smoothing.ema(steps, np.array([3.0, 9, 9, 9, 9]), 0.99)[0] == 3.0


def test_nan_and_infinity_stay_gaps_and_do_not_poison_what_follows() -> None:
    smooth = smoothing.ema(np.arange(5.0), np.array([2.0, NAN, math.inf, 2.0, 2.0]), 0.9)
    assert np.isnan(smooth[1:3]).all()
    np.testing.assert_allclose(smooth[[0, 3, 4]], 2.0)


def test_a_long_gap_forgets_more() -> None:
    values = np.array([0.0, 0.0, 10.0])
    near = smoothing.ema(np.array([0.0, 1, 2]), values, 0.9, 1.0)[-1]
    far = smoothing.ema(np.array([0.0, 1, 30]), values, 0.9, 1.0)[-1]
    assert near < 5 < 8 < far


def test_a_short_series_is_smoothed_over_a_tenth_of_it_at_most() -> None:
    assert smoothing.fitting(0.99, 8) == 0.0
    assert smoothing.fitting(0.9, 40) == pytest.approx(0.75)
    assert smoothing.fitting(0.86, 20_000) == 0.86


def test_the_legend_says_the_smoothing_in_words() -> None:
    assert smoothing.in_words(0.9) == "smoothed over about 10 points"
    assert smoothing.in_words(0.0) == "not smoothed"


# -- buckets --------------------------------------------------------------------------------------


@given(st.lists(finite, min_size=1, max_size=300), st.sampled_from([1.0, 4.0, 64.0]))
@settings(max_examples=60, deadline=None)
def test_buckets_keep_the_least_and_the_greatest(values: list[float], width: float) -> None:
    y = np.array(values)
    x = np.arange(len(y), dtype=float)
    found = buckets.bucket(x, y, width)
    assert int(found.count.sum()) == len(y)
    assert found.low.min() == y.min()
    assert found.high.max() == y.max()
    line_x, line_y = buckets.outline(x, y, width)
    assert (line_x[0], line_y[0], line_y[-1]) == (x[0], y[0], y[-1])
    assert (line_y.min(), line_y.max()) == (y.min(), y.max())
    assert (np.diff(line_x) >= 0).all()


def test_a_long_series_becomes_a_short_line_with_its_spike() -> None:
    y = np.zeros(20_000)
    y[12_345] = 99.0
    line_x, line_y = buckets.outline(np.arange(20_000.0), y, buckets.width_for(20_000, 300))
    assert len(line_x) <= 4 * 300
    assert line_y.max() == 99.0


def test_a_gap_of_nan_stays_a_gap() -> None:
    y = np.ones(1000)
    y[400:600] = NAN
    found = buckets.bucket(np.arange(1000.0), y, 10.0)
    assert np.isnan(found.low[40:60]).all()
    assert np.isfinite(found.low[:40]).all()


def test_bucket_width_is_a_power_of_two_near_the_wish() -> None:
    width = buckets.width_for(1000, 300)
    assert width == 4.0
    assert buckets.width_for(0, 300) == 1.0


def test_visible_takes_one_point_more_at_either_side() -> None:
    x = np.arange(10.0)
    assert buckets.visible(x, 3.5, 5.5) == slice(3, 7)
    assert buckets.visible(x, -5, 50) == slice(0, 10)
    assert buckets.visible(np.empty(0), 0, 1) == slice(0, 0)


def test_hiding_outliers_keeps_the_middle() -> None:
    y = np.append(np.linspace(0, 1, 200), 1e6)
    assert buckets.value_range([y]) == (0.0, 1e6)
    low, high = buckets.value_range([y], hide_outliers=True) or (0, 0)
    assert low == 0.0
    assert 1.0 <= high < 2.0
    assert buckets.value_range([np.array([NAN])]) is None


# -- series ---------------------------------------------------------------------------------------


def test_a_series_takes_only_what_is_new_and_notices_a_cut() -> None:
    live = points([1.0, 2.0, 3.0], cuts=0)
    series = Series()
    assert series.take(live)
    assert not series.take(live)
    live.steps.append(3.0)  # the owner may append: nothing looks into its array
    live.values.append(4.0)
    assert series.take(live)
    np.testing.assert_array_equal(series.values, [1, 2, 3, 4])
    series.smooth(0.5)
    live.steps[:] = array("d", [0, 1])
    live.values[:] = array("d", [1, 2])
    live.cuts = 1
    for step, value in ((2.0, 7.0), (3.0, 8.0)):  # as long as before: only `cuts` tells
        live.steps.append(step)
        live.values.append(value)
    assert series.take(live)
    np.testing.assert_array_equal(series.values, [1, 2, 7, 8])
    np.testing.assert_allclose(series.smooth(0.5), smoothing.ema(series.steps, series.values, 0.5))


def test_growing_smoothing_equals_smoothing_at_once() -> None:
    rng = np.random.default_rng(1)
    live, series = points([]), Series()
    for _ in range(30):
        for _ in range(int(rng.integers(1, 9))):
            live.steps.append(float(len(live.steps)))
            live.values.append(float(rng.normal()))
        series.take(live)
        series.smooth(0.9)
    wanted = smoothing.ema(series.steps, series.values, 0.9)
    np.testing.assert_allclose(series.smooth(0.9), wanted)


def test_steps_out_of_order_are_sorted() -> None:
    series = Series()
    series.take(points([5.0, 3.0, 4.0], [2, 0, 1]))
    np.testing.assert_array_equal(series.steps, [0, 1, 2])
    np.testing.assert_array_equal(series.values, [3, 4, 5])
    assert len(series.smooth(0.5)) == 3


def test_a_series_knows_where_it_broke() -> None:
    series = Series()
    series.take(points([1.0, 2.0, NAN, 3.0, math.inf], [410, 411, 412, 413, 414]))
    assert series.broken is not None
    assert (series.broken.step, series.broken.word) == (412, "NaN")
    assert np.isnan(series.values[[2, 4]]).all()


def test_seconds_are_known_only_where_points_have_times() -> None:
    bare, timed = Series(), Series()
    bare.take(points([1.0, 2.0]))
    timed.take(points([1.0, 2.0], since=array("f", [0.0, 2.5]), began=1000.0))
    assert bare.seconds() is None
    np.testing.assert_array_equal(timed.seconds(), [0.0, 2.5])
    np.testing.assert_array_equal(timed.seconds(990.0), [10.0, 12.5])


# -- axes, names ----------------------------------------------------------------------------------


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e5))
@settings(max_examples=100, deadline=None)
def test_ticks_are_few_and_inside(low: float, span: float) -> None:
    for most in (3, 6):
        ticks = linear_ticks(low, low + span, most)
        assert len(ticks) <= most
        assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)


def test_log_ticks_are_round_numbers() -> None:
    found = [round(10**tick, 6) for tick in log_ticks(-1, 0, 6)]
    assert found == [0.1, 0.2, 0.5, 1.0]
    assert len(log_ticks(-8, 8, 5)) <= 5
    assert [round(10**t, 4) for t in log_ticks(math.log10(0.45), math.log10(0.52), 5)]


def test_tick_words() -> None:
    assert tick_text(0.5, 0.1) == "0.5"
    assert tick_text(5000, 5000) == "5k"
    assert tick_text(0.00002, 0.00001) == "2e-5"
    assert tick_text(0, 0.1) == "0"


def test_a_key_is_split_after_the_node_though_layers_have_dots() -> None:
    assert metrics.split("f8net.val_top1") == ("f8net", "val_top1")
    assert metrics.split("distill.1-KA model.9") == ("distill", "1-KA model.9")
    assert metrics.split("loss") == ("", "loss")


@pytest.mark.parametrize(
    ("metric", "title", "unit", "better"),
    [
        ("val_top1", "Validation top-1", "%", "higher"),
        ("loss", "Loss", "", "lower"),
        ("ort_ms", "ONNX Runtime", "ms", "lower"),
        ("bytes", "Size", "bytes", "lower"),
        ("lr", "Learning rate", "", ""),
        ("max_error", "Max error", "", "lower"),
        ("val_l1", "Validation L1", "", "lower"),
        ("1-KA", "1 - KA", "", "lower"),
        ("1-KA blocks.2", "1 - KA, blocks.2", "", "lower"),
    ],
)
def test_what_a_name_says(metric: str, title: str, unit: str, better: str) -> None:
    assert (metrics.title(metric), metrics.unit(metric), metrics.better(metric)) == (
        title,
        unit,
        better,
    )


def test_a_metric_without_a_name_harms_nothing() -> None:
    assert (metrics.title(""), metrics.unit(""), metrics.better("")) == ("", "", "")
    assert metrics.number(1.5, "") == "1.500"


def test_numbers_have_the_digits_of_their_metric() -> None:
    assert metrics.with_unit(84.5, "top1") == "84.50 %"
    assert metrics.with_unit(317356.0, "bytes") == "317,356 bytes"
    assert metrics.number(0.33268, "loss") == "0.3327"
    assert metrics.number(8.7e-07, "lr") == "8.7e-7"
    assert metrics.number(NAN, "loss") == "NaN"


# -- Pareto ---------------------------------------------------------------------------------------

small = st.integers(-4, 4).map(float)
directions = st.sampled_from(["lower", "higher"])


@given(st.lists(st.tuples(small, small), max_size=14), directions, directions)
@settings(max_examples=200, deadline=None)
def test_the_front_is_what_brute_force_finds(rows: Any, x_better: Any, y_better: Any) -> None:
    def beats(a: tuple[float, float], b: tuple[float, float]) -> bool:
        dx = (b[0] - a[0]) * (1 if x_better == "lower" else -1)
        dy = (b[1] - a[1]) * (1 if y_better == "lower" else -1)
        return dx >= 0 and dy >= 0 and (dx > 0 or dy > 0)

    wanted = {i for i, p in enumerate(rows) if not any(beats(other, p) for other in rows)}
    found = pareto.front(rows, x_better, y_better)
    assert set(found) == wanted
    assert len(found) == len(wanted)
    assert [rows[i][0] for i in found] == sorted(rows[i][0] for i in found)


def test_the_front_leaves_out_what_is_not_a_number() -> None:
    assert pareto.front([(1.0, NAN), (math.inf, 1.0), (2.0, 2.0)], "lower", "lower") == [2]


@pytest.mark.parametrize(
    ("rows", "better", "corner"),
    [
        ([(1.0, 5.0), (2.0, 3.0)], "lower", (2.0, 5.0)),
        ([(1.0, 3.0), (2.0, 5.0)], "higher", (2.0, 3.0)),
    ],
)
def test_the_stairs_show_what_is_reached(rows: Any, better: Any, corner: Any) -> None:
    assert pareto.staircase(rows, better) == [rows[0], corner, rows[1]]
