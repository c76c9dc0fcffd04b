"""Fewer points for the screen: the least and greatest value of each bucket of a long series."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio.plotting.smoothing import Floats

_FARTHEST = 1e300


@dataclass(frozen=True)
class Buckets:
    """One entry a bucket that holds points: middle, least and greatest value, all (B,)."""

    x: Floats
    low: Floats
    high: Floats
    count: NDArray[np.int64]


def visible(x: Floats, low: float, high: float) -> slice:
    """Which points of ascending ``x`` a view from ``low`` to ``high`` needs.

    One point more at either side, so that lines leave the picture instead of ending in it.
    """
    first = max(int(np.searchsorted(x, low, "left")) - 1, 0)
    last = min(int(np.searchsorted(x, high, "right")) + 1, len(x))
    return slice(first, max(first, last))


def width_for(span: float, pixels: float, pixels_each: float = 1.0) -> float:
    """Width of a bucket in units of x: a power of two, so that it keeps its place on a scroll.

    At least ``pixels_each`` and less than twice that on a picture of ``pixels``.
    """
    wanted = span / max(pixels, 1.0) * pixels_each
    if not wanted > 0 or not math.isfinite(wanted):
        return 1.0
    return 2.0 ** math.ceil(math.log2(wanted))


def bucket(x: Floats, y: Floats, width: float) -> Buckets:
    """Sort (N,) points of ascending ``x`` into buckets of ``width``; NaN counts for nothing.

    A bucket whose values are all NaN stays, with NaN: it is the gap in the picture.
    """
    if not len(x):
        none = np.empty(0)
        return Buckets(none, none, none, np.empty(0, dtype=np.int64))
    number = np.floor(x / width)
    starts = np.concatenate(([0], np.flatnonzero(np.diff(number)) + 1))
    ends = np.append(starts[1:], len(x)) - 1
    with np.errstate(invalid="ignore"):
        low = np.fmin.reduceat(y, starts)
        high = np.fmax.reduceat(y, starts)
    return Buckets((x[starts] + x[ends]) / 2, low, high, (ends - starts + 1).astype(np.int64))


def outline(x: Floats, y: Floats, width: float) -> tuple[Floats, Floats]:
    """Return the line of a series in few points that looks like the whole.

    Each bucket gives its first, least, greatest and last value; a series with fewer points than
    that comes back as it is.
    """
    if len(x) < 4 or len(x) <= 4 * (math.floor(x[-1] / width) - math.floor(x[0] / width) + 1):
        return x, y
    found = bucket(x, y, width)
    ends = np.cumsum(found.count) - 1
    starts = ends - found.count + 1
    px = np.empty(4 * len(starts))
    py = np.empty_like(px)
    px[0::4], px[1::4], px[2::4], px[3::4] = x[starts], found.x, found.x, x[ends]
    py[0::4], py[1::4], py[2::4], py[3::4] = y[starts], found.low, found.high, y[ends]
    return px, py


def value_range(parts: list[Floats], *, hide_outliers: bool = False) -> tuple[float, float] | None:
    """Range that holds the finite values of all parts; None when there is none.

    ``hide_outliers`` leaves out what lies more than half the spread of the middle 90 %
    away from it.
    """
    finite = [part[np.isfinite(part)] for part in parts]
    finite = [part for part in finite if part.size]
    if not finite:
        return None
    low = min(float(part.min()) for part in finite)
    high = max(float(part.max()) for part in finite)
    if hide_outliers:
        together = np.concatenate(finite)
        inner_low, inner_high = (float(q) for q in np.quantile(together, (0.05, 0.95)))
        reach = inner_high - inner_low
        if reach > 0:
            low, high = max(low, inner_low - 0.5 * reach), min(high, inner_high + 0.5 * reach)
    # What lies beyond cannot be told apart on an axis, and the distance of the two must be finite.
    return max(low, -_FARTHEST), min(high, _FARTHEST)
