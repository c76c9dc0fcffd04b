"""Smoothing of curves: an exponential average without bias that knows uneven steps.

With values v_j at steps t_j, weight w and typical gap h, the smoothed value is

    y_i = sum_{j<=i} w^((t_i - t_j) / h) v_j  /  sum_{j<=i} w^((t_i - t_j) / h)

so a constant stays what it is, the first value is the first value, and a long gap forgets more
than a short one. NaN and infinite values have no weight and stay gaps of the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_NOTHING = 1e-18  # a product of decays below this changes no sum any more


def spacing(steps: Floats) -> float:
    """Typical gap between steps: the median of the positive ones; 1 where there is none."""
    gaps = np.diff(steps)
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if gaps.size else 1.0


def ema(steps: Floats, values: Floats, weight: float, gap: float | None = None) -> Floats:
    """Smooth a whole series, (N,) steps and (N,) values, with ``weight`` in [0, 1)."""
    return Smoother(weight, spacing(steps) if gap is None else gap).feed(steps, values)


def span_points(weight: float) -> float:
    """How many points the average reaches over: 1 / (1 - w)."""
    return 1.0 / max(1.0 - weight, 1e-6)


def fitting(weight: float, points: int) -> float:
    """Weight for a series of so many points: it never averages over more than a tenth of them.

    Without this, eight validation figures would be drawn far from where they are.
    """
    most = max(1.0, points / 10)
    return min(max(weight, 0.0), 1.0 - 1.0 / most)


def in_words(weight: float) -> str:
    """Say the smoothing as the legend does."""
    if weight <= 0:
        return "not smoothed"
    return f"smoothed over about {span_points(weight):,.0f} points"


class Smoother:
    """The average of a growing series: each part costs only its own length."""

    def __init__(self, weight: float, gap: float = 1.0) -> None:
        self.weight = min(max(weight, 0.0), 0.9999)
        self.gap = gap if gap > 0 else 1.0
        self._sum = 0.0
        self._mass = 0.0
        self._last: float | None = None

    def feed(self, steps: Floats, values: Floats) -> Floats:
        """Return the smoothed values of the next (N,) points."""
        if not len(steps):
            return np.empty(0)
        first = steps[0] if self._last is None else self._last
        gaps = np.diff(steps, prepend=first).clip(min=0.0)
        decay = np.power(self.weight, gaps / self.gap)
        is_known = np.isfinite(values)
        sums = np.where(is_known, values, 0.0)
        mass = is_known.astype(np.float64)
        sums[0] += decay[0] * self._sum
        mass[0] += decay[0] * self._mass
        with np.errstate(over="ignore", invalid="ignore"):  # values at the end of what floats hold
            scan(decay, sums, mass)
        self._sum, self._mass, self._last = float(sums[-1]), float(mass[-1]), float(steps[-1])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(is_known, sums / mass, np.nan)


def scan(decay: Floats, *rows: Floats) -> None:
    """Solve y_i = decay_i y_(i-1) + x_i in place for each row x, by doubling the reach.

    After k rounds every y holds the terms of the last 2^k points; the rounds end when what is
    further away has no weight.
    """
    product = decay.copy()
    product[0] = 0.0
    reach = 1
    while reach < len(product) and float(product.max()) > _NOTHING:
        for row in rows:
            row[reach:] += product[reach:] * row[:-reach].copy()
        shifted = product[:-reach].copy()
        product[reach:] *= shifted
        product[:reach] = 0.0
        reach *= 2


def as_floats(values: Any) -> Floats:
    """Copy a sequence or an ``array`` of numbers into an array of floats."""
    return np.array(values, dtype=np.float64)
