"""Axes with round ticks, and curves thinned without hiding their extremes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backend.report.text import number

SPAN = 1000.0
"""A plot is drawn on a square of this side and stretched to its place by the browser."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """Maps values to ``0..SPAN``; ``ticks`` are values with their labels."""

    low: float
    high: float
    log: bool
    ticks: tuple[tuple[float, str], ...]

    def at(self, value: float) -> float:
        """Return the place of a value, 0 at the low end; may lie outside."""
        if self.log:
            if value <= 0:
                return 0.0
            low, high = math.log10(self.low), math.log10(self.high)
            share = (math.log10(value) - low) / (high - low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(3 * SPAN, max(-2 * SPAN, share * SPAN))


def axis(
    values: Sequence[float],
    *,
    log: bool = False,
    count: int = 5,
    tight: bool = False,
    whole: bool = False,
) -> Axis:
    """Return an axis that holds the finite ``values``.

    Its ends are rounded to ticks unless ``tight``; with ``whole`` the ticks are whole numbers.
    """
    finite = [v for v in values if math.isfinite(v) and abs(v) < 1e290]
    if log:
        finite = [v for v in finite if v > 1e-290]
    if not finite:
        low, high = (0.1, 1.0) if log else (0.0, 1.0)
    else:
        low, high = min(finite), max(finite)
    if high - low <= max(1e-12 * max(abs(low), abs(high)), 1e-290):
        # One value, or values that no two ticks could tell apart: make room around them.
        if log:
            low, high = low / 2, high * 2
        else:
            margin = abs(low) * 0.1 or 1.0
            low, high = low - margin, high + margin
    return _log_axis(low, high, count) if log else _linear_axis(low, high, count, tight, whole)


def nice_step(span: float, count: int) -> float:
    """Return a round step (1, 2, 2.5 or 5 times a power of ten) for about ``count`` ticks."""
    rough = span / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999), rough)


def _linear_axis(low: float, high: float, count: int, tight: bool, whole: bool) -> Axis:
    step = nice_step(high - low, count)
    if whole and step < 5:
        step = float(math.ceil(step)) if step > 1 else 1.0
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if not tight:
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        low, high = first * step, last * step
    decimals = max(0, -math.floor(math.log10(step)) + (1 if _is_quarter(step) else 0))
    ticks = []
    for index in range(first, min(last, first + 20) + 1):
        value = index * step
        plain = step >= 1e-5 and abs(high) < 1e6 and abs(low) < 1e6
        ticks.append((value, f"{value:,.{decimals}f}" if plain else number(value, 3)))
    return Axis(low, high, False, tuple((v, t.replace("-", "−")) for v, t in ticks))


def _is_quarter(step: float) -> bool:
    return abs(step / 10.0 ** math.floor(math.log10(step)) - 2.5) < 1e-6


def _log_axis(low: float, high: float, count: int) -> Axis:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = math.log10(high) - math.log10(low)
    factors: tuple[int, ...] = (1, 2, 5) if decades < 2.5 else (1,)
    every = max(1, round((last - first) / count)) if factors == (1,) else 1
    ticks = [
        factor * 10.0**power
        for power in range(first, last + 1)
        if (power - first) % every == 0
        for factor in factors
    ]
    below = [t for t in ticks if t <= low * 1.0001]
    above = [t for t in ticks if t >= high * 0.9999]
    low, high = (below[-1] if below else low), (above[0] if above else high)
    kept = [t for t in ticks if low * 0.999 <= t <= high * 1.001]
    return Axis(low, high, True, tuple((t, number(t, 3).replace("-", "−")) for t in kept))


def wants_log(values: Sequence[float]) -> bool:
    """Whether a log axis shows more: all positive, far apart, and most of them near the floor."""
    finite = sorted(v for v in values if math.isfinite(v))
    if len(finite) < 8 or finite[0] <= 0:
        return False
    return finite[-1] / finite[0] > 20 and finite[len(finite) // 2] < 0.15 * finite[-1]


@dataclass(frozen=True)
class Bucket:
    """Neighbouring points of a curve as one: place, mean, and the extremes that they reach."""

    x: float
    mean: float
    low: float
    high: float


def buckets(points: Sequence[Point], count: int) -> list[Bucket]:
    """Gather points into at most ``count`` buckets; a bucket without a finite value is NaN."""
    size = max(1, math.ceil(len(points) / count))
    out = []
    for start in range(0, len(points), size):
        part = points[start : start + size]
        x = sum(p[0] for p in part) / len(part)
        finite = [p[1] for p in part if math.isfinite(p[1])]
        if finite:
            out.append(Bucket(x, sum(finite) / len(finite), min(finite), max(finite)))
        else:
            out.append(Bucket(x, math.nan, math.nan, math.nan))
    return out


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """Return the mean around each value, neighbours ``k`` away weighing ``weight ** k``.

    Both sides count alike, so the line does not lag behind as a running mean does; a value that is
    not finite is a gap and weighs nothing.
    """
    forward = _running(values, weight)
    backward = _running(values[::-1], weight)[::-1]
    out = []
    for value, (sum_a, norm_a), (sum_b, norm_b) in zip(values, forward, backward, strict=True):
        is_gap = not math.isfinite(value)
        out.append(math.nan if is_gap else (sum_a + sum_b - value) / (norm_a + norm_b - 1))
    return out


def _running(values: Sequence[float], weight: float) -> list[tuple[float, float]]:
    total, norm, out = 0.0, 0.0, []
    for value in values:
        if math.isfinite(value):
            total, norm = weight * total + value, weight * norm + 1
        out.append((total, norm))
    return out


def robust_range(values: Sequence[float]) -> tuple[float, float, int]:
    """Return a range that a few wild values do not blow up, and how many lie outside it."""
    finite = sorted(v for v in values if math.isfinite(v))
    if not finite:
        return 0.0, 1.0, 0
    low, high = finite[0], finite[-1]
    if len(finite) >= 100:
        cut = len(finite) // 100
        inner_low, inner_high = finite[cut], finite[-1 - cut]
        spread = (inner_high - inner_low) or abs(inner_high) or 1.0
        if high - low > 4 * spread:
            low, high = max(low, inner_low - spread / 2), min(high, inner_high + spread / 2)
    return low, high, sum(v < low or v > high for v in finite)
