"""Scales, ticks, grids, legends and colour bars that all pictures share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from studio.pictures.words import short
from studio.theme import theme

LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
CENTER = int(Qt.AlignmentFlag.AlignCenter)
_HUGE, _TINY = 1e290, 1e-290


@dataclass(frozen=True)
class Scale:
    """Maps values of ``low..high`` onto pixels ``start..end``."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def to(self, value: float) -> float:
        """Pixel of a value; what lies outside is placed outside."""
        low, high = self.low, self.high
        if self.is_log:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, 1e-300))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def back(self, pixel: float) -> float:
        """Value at a pixel."""
        share = (pixel - self.start) / ((self.end - self.start) or 1.0)
        if self.is_log:
            a, b = math.log10(self.low), math.log10(self.high)
            return float(10 ** (a + share * (b - a)))
        return self.low + share * (self.high - self.low)

    def ticks(self, count: int) -> list[float]:
        """About ``count`` round values within the scale."""
        return log_ticks(self.low, self.high) if self.is_log else ticks(self.low, self.high, count)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values (1, 2, 2.5, 5 times a power of ten) from ``low`` to ``high``."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low]
    raw = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten from ``low`` to ``high``; with 2 and 5 where there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = max(1, (last - first) // 6)
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    found = [m * 10.0**n for n in range(first, last + 1, every) for m in factors]
    return [t for t in found if low * 0.999 <= t <= high * 1.001]


def span_of(values: Iterable[float], is_log: bool = False) -> tuple[float, float]:
    """Lowest and highest finite value, widened where both are the same; (0, 1) of nothing."""
    usable = [v for v in values if math.isfinite(v) and (v > 0 or not is_log)]
    if not usable:
        return (0.1, 1.0) if is_log else (0.0, 1.0)
    return sound_span(min(usable), max(usable), is_log)


def sound_span(low: float, high: float, is_log: bool = False) -> tuple[float, float]:
    """Bounds that arithmetic can divide by: within +-1e290, and not the same."""
    least = _TINY if is_log else -_HUGE
    low, high = (min(max(v, least), _HUGE) for v in (low, high))
    if high - low > max(_TINY, abs(high) * 1e-14):
        return low, high
    if is_log:
        return low / 2, low * 2
    pad = abs(low) * 0.1 if abs(low) > _TINY else 1.0
    return low - pad, low + pad


def tick_words(values: Sequence[float]) -> list[str]:
    """Texts of ticks, all with as many digits as the step between them needs."""
    if len(values) < 2:
        return [short(v) for v in values]
    step = abs(values[1] - values[0])
    size = max(abs(v) for v in values)
    even = all(math.isclose(b - a, step, rel_tol=1e-6) for a, b in itertools.pairwise(values))
    if not even or size >= 1e6 or size < 1e-3:
        return [short(v, 3) for v in values]
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    while digits < 8 and not math.isclose(round(step, digits), step, rel_tol=1e-6):
        digits += 1
    return [f"{v if abs(v) > step * 1e-9 else 0:,.{digits}f}" for v in values]


def text_width(font: QFont, texts: Iterable[str]) -> float:
    """Width of the widest text in pixels."""
    metrics = QFontMetricsF(font)
    return max((metrics.horizontalAdvance(text) for text in texts), default=0.0)


def elided(painter: QPainter, rect: QRectF, flags: int, text: str) -> None:
    """Paint one line of text, cut with an ellipsis where it does not fit."""
    metrics = QFontMetricsF(painter.font())
    clipped = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
    painter.drawText(rect, flags | int(Qt.TextFlag.TextSingleLine), clipped)


def hairline(painter: QPainter, color: QColor, *lines: QLineF) -> None:
    """Paint sharp lines one device pixel wide."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    pen = QPen(color, theme().border)
    pen.setCosmetic(True)
    painter.setPen(pen)
    painter.drawLines(list(lines))
    painter.restore()


def value_axis(painter: QPainter, scale: Scale, left: float, right: float, count: int = 5) -> None:
    """Paint horizontal grid lines from ``left`` to ``right`` and their values left of them."""
    look = theme()
    marks = scale.ticks(count)
    hairline(
        painter,
        look.color("plot_grid"),
        *(QLineF(left, scale.to(v), right, scale.to(v)) for v in marks),
    )
    painter.setFont(look.mono("small"))
    painter.setPen(look.color("muted"))
    for value, text in zip(marks, tick_words(marks), strict=True):
        y = scale.to(value)
        painter.drawText(QRectF(0, y - 8, left - look.px(6), 16), RIGHT, text)


def value_axis_width(scale: Scale, count: int = 5) -> float:
    """Room that the words of :func:`value_axis` need."""
    return text_width(theme().mono("small"), tick_words(scale.ticks(count))) + theme().px(10)


def base_axis(painter: QPainter, scale: Scale, y: float, label: str = "") -> None:
    """Paint the x axis with its ticks below, and its label at the right end."""
    look = theme()
    hairline(painter, look.color("line"), QLineF(scale.start, y, scale.end, y))
    painter.setFont(look.mono("small"))
    painter.setPen(look.color("muted"))
    marks = scale.ticks(max(2, min(6, int(abs(scale.end - scale.start) / look.px(70)))))
    width = look.px(72)
    for value, text in zip(marks, tick_words(marks), strict=True):
        x = scale.to(value)
        rect = QRectF(x - width / 2, y + look.px(4), width, look.px(16))
        rect.moveLeft(max(0.0, rect.left()))
        painter.drawText(rect, CENTER, text)
    if label:
        painter.setFont(look.font("micro"))
        area = QRectF(scale.start, y + look.px(20), scale.end - scale.start, look.px(16))
        elided(painter, area, RIGHT, label)


def base_axis_height(label: str) -> float:
    """Room below the x axis."""
    return theme().px(38 if label else 22)


Ramp = Callable[[float], QColor]


def color_bar(
    painter: QPainter, rect: QRectF, low: float, high: float, unit: str, ramp: Ramp
) -> None:
    """Paint a bar of the ramp with its two ends in figures: flat steps, no gradient brush."""
    look = theme()
    painter.save()
    painter.setFont(look.mono("small"))
    left, right = short(low), f"{short(high)} {unit}".rstrip()
    wide = text_width(painter.font(), [left]) + look.px(8)
    painter.setPen(look.color("muted"))
    painter.drawText(QRectF(rect.left(), rect.top(), wide, rect.height()), LEFT, left)
    bar_width = min(look.px(140), max(rect.width() * 0.4, look.px(48)))
    steps, height = 48, look.px(8)
    top = rect.center().y() - height / 2
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    for n in range(steps):
        x = rect.left() + wide + bar_width * n / steps
        cell = QRectF(x, top, bar_width / steps + 0.6, height)
        painter.fillRect(cell, ramp(n / (steps - 1)))
    hairline_box(painter, QRectF(rect.left() + wide, top, bar_width, height))
    rest = QRectF(
        rect.left() + wide + bar_width + look.px(8), rect.top(), rect.width(), rect.height()
    )
    rest.setRight(max(rest.left(), rect.right()))
    painter.setPen(look.color("muted"))
    elided(painter, rest, LEFT, right)
    painter.restore()


def hairline_box(painter: QPainter, rect: QRectF, color: str = "line") -> None:
    """Outline a rectangle with sharp lines."""
    a, b, c, d = rect.topLeft(), rect.topRight(), rect.bottomRight(), rect.bottomLeft()
    tint = theme().color(color)
    hairline(painter, tint, QLineF(a, b), QLineF(b, c), QLineF(c, d), QLineF(d, a))


def cross(painter: QPainter, rect: QRectF) -> None:
    """Mark a cell that has no number: ground colour and one diagonal."""
    painter.fillRect(rect, theme().color("field"))
    hairline(painter, theme().color("border_strong"), QLineF(rect.bottomLeft(), rect.topRight()))


def legend(painter: QPainter, rect: QRectF, entries: Sequence[tuple[QPen, str]]) -> None:
    """Paint one row of line samples with their names, as many as fit, then how many more."""
    look = theme()
    painter.setFont(look.font("small"))
    metrics = QFontMetricsF(painter.font())
    x = rect.left()
    for index, (pen, name) in enumerate(entries):
        name = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, look.px(160))
        width = metrics.horizontalAdvance(name)
        left = len(entries) - index
        if x + width + look.px(26 + (46 if left > 1 else 0)) > rect.right() and index:
            painter.setPen(look.color("muted"))
            painter.drawText(QRectF(x, rect.top(), look.px(60), rect.height()), LEFT, f"+{left}")
            return
        sample = QPen(pen)
        sample.setWidthF(2)
        painter.setPen(sample)
        y = rect.center().y()
        painter.drawLine(QPointF(x, y), QPointF(x + look.px(14), y))
        painter.setPen(look.color("ink"))
        painter.drawText(QRectF(x + look.px(20), rect.top(), width + 4, rect.height()), LEFT, name)
        x += width + look.px(36)


def plot_pen(index: int) -> QPen:
    """Pen of series ``index``, dashed from the ninth on."""
    pen = QPen(theme().pen_color(index), 1.6)
    dash = theme().pen_dash(index)
    if dash:
        pen.setDashPattern(dash)
    return pen
