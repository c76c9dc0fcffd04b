"""The axes of a plot: four to six ticks in mono, one level, linear or logarithmic."""

from __future__ import annotations

import math
from typing import Any

import pyqtgraph as pg

from studio.theme import theme

_LOG_STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0))


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """Round values between ``low`` and ``high``: steps of 1, 2, 2.5 or 5, at most ``most``."""
    span = high - low
    if not span > 0 or not math.isfinite(span) or most < 1:
        return []
    magnitude = 10.0 ** math.floor(math.log10(span / most))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0):
        step = factor * magnitude
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [round(k * step, 12) + 0.0 for k in range(first, last + 1)]
    return []


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Round values of a logarithmic axis, given and returned as log10."""
    if not high > low or high - low > 600:
        return []
    best: list[float] = []
    for marks in _LOG_STEPS:
        decades = range(math.floor(low) - 1, math.ceil(high) + 1)
        found = [k + math.log10(m) for k in decades for m in marks]
        found = [value for value in found if low - 1e-9 <= value <= high + 1e-9]
        if len(found) <= most and len(found) > len(best):
            best = found
    if len(best) >= 2:
        return best
    if high - low > 2:
        stride = math.ceil((high - low) / most)
        return [float(k) for k in range(math.ceil(low), math.floor(high) + 1) if k % stride == 0]
    values = linear_ticks(10.0**low, 10.0**high, most)
    return [math.log10(value) for value in values if value > 0]


def tick_text(value: float, step: float) -> str:
    """Write a tick in no more digits than the step between ticks needs."""
    size = max(abs(value), abs(step))
    if value == 0:
        return "0"
    if size >= 1e6 or size < 1e-4:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    if abs(step) >= 1000 and value % 100 == 0:
        return f"{value / 1000:g}k"
    digits = 0
    while digits < 8 and abs(round(step, digits) - step) > 1e-9 * abs(step):
        digits += 1
    return f"{value:.{digits}f}"


class Axis(pg.AxisItem):  # type: ignore[misc]
    """An axis in the look; the left one carries the grid, the bottom one the line."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation, showValues=True)
        self.is_log = False
        self.enableAutoSIPrefix(False)
        self.dress()

    def dress(self) -> None:
        """Take colours and font from the theme."""
        look = theme()
        is_left = self.orientation == "left"
        self.setStyle(
            tickLength=0,
            tickFont=look.mono("small"),
            tickTextOffset=look.px(6),
            autoExpandTextSpace=False,
            hideOverlappingLabels=False,
        )
        self.setTextPen(pg.mkPen(look.color("muted")))
        self.setTickPen(pg.mkPen(look.color("plot_grid")))
        self.setPen(pg.mkPen(look.color("panel" if is_left else "line")))
        self.setGrid(255 if is_left else False)
        if is_left:
            self.setWidth(look.px(46))
        else:
            self.setHeight(look.px(20))

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[Any]:
        """Return the one level of ticks, as pyqtgraph asks for it."""
        room = theme().px(34 if self.orientation == "left" else 64)
        most = max(2, min(6, int(size / room)))
        low, high = min(minVal, maxVal), max(minVal, maxVal)
        ticks = (log_ticks if self.is_log else linear_ticks)(low, high, most)
        step = ticks[1] - ticks[0] if len(ticks) > 1 else high - low
        return [(step, ticks)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Return the words at the ticks."""
        if not self.is_log:
            return [tick_text(value, spacing) for value in values]
        real = [10.0**value for value in values]
        return [_log_text(value) for value in real]


def _log_text(value: float) -> str:
    if 1e-4 <= value < 1e6:
        return f"{float(f'{value:.3g}'):g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
