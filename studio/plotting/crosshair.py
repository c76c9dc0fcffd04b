"""The crosshair over a plot: dashed line, a ring on each curve, and a card of values beside it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from studio.plotting.pens import make_pen
from studio.theme import theme
from studio.tokens import token

_RING = 3.5
_MOST_ROWS = 10


@dataclass(frozen=True)
class Reading:
    """What one curve says at the crosshair; ``y`` is a pixel of the overlay."""

    text: str
    name: str
    color: QColor
    y: float
    x: float


class Crosshair(QWidget):
    """Lies over the plot's viewport and lets the mouse through."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("Crosshair")
        self._area = QRectF()
        self._x: float | None = None
        self._head = ""
        self._readings: list[Reading] = []
        self._has_card = False
        self.hide()

    def point(
        self, area: QRectF, x: float, head: str, readings: list[Reading], *, has_card: bool
    ) -> None:
        """Stand at pixel ``x`` of ``area`` (the plot's inner rectangle)."""
        self._area, self._x, self._head = area, x, head
        self._readings, self._has_card = readings, has_card
        self.show()
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self._x = None
        self._readings = []
        self.hide()

    @property
    def readings(self) -> list[Reading]:
        """What is shown now."""
        return self._readings if self._x is not None else []

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint line, rings and card."""
        if self._x is None:
            return
        painter = QPainter(self)
        look = theme()
        painter.setPen(make_pen(look.color("muted"), 1.0, [3, 3]))
        x = round(self._x) + 0.5
        painter.drawLine(QPointF(x, self._area.top()), QPointF(x, self._area.bottom()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for reading in self._readings:
            if self._area.top() - 1 <= reading.y <= self._area.bottom() + 1:
                painter.setPen(QPen(reading.color, 1.6))
                painter.setBrush(look.color("panel"))
                painter.drawEllipse(QPointF(reading.x, reading.y), _RING, _RING)
        if self._has_card and self._readings:
            paint_card(painter, self.card_rect(), self._readings[:_MOST_ROWS])

    def card_rect(self) -> QRectF:
        """Where the card stands: beside the line, clear of the rings where there is room."""
        size = card_size(self._readings[:_MOST_ROWS])
        gap = theme().px(10)
        at = self._x or 0.0
        left = at + gap
        if left + size.width() > self._area.right():
            left = at - gap - size.width()
        if left < 0:  # no room at either side: the wider one, cut by nothing but the window
            left = max(0.0, min(at + gap, self.width() - size.width()))
        rings = [r.y for r in self._readings]
        lowest = self._area.bottom() - size.height() - gap
        top_free = sum(
            self._area.top() <= y <= self._area.top() + size.height() + gap for y in rings
        )
        low_free = sum(lowest <= y <= self._area.bottom() for y in rings)
        top = lowest if low_free <= top_free else self._area.top() + gap
        return QRectF(left, max(top, 2.0), size.width(), size.height())


def card_size(readings: list[Reading]) -> QSize:
    """Size of the read-out card of these rows."""
    look = theme()
    mono = QFontMetricsF(look.mono("small"))
    values = max((mono.horizontalAdvance(r.text) for r in readings), default=0.0)
    names = max((mono.horizontalAdvance(r.name) for r in readings), default=0.0)
    width = look.px(8) * 2 + look.px(12) + values + look.px(6) + names
    return QSize(int(width + 1), len(readings) * look.px(16) + 2 * look.px(6))


def paint_card(painter: QPainter, rect: QRectF, readings: list[Reading]) -> None:
    """Paint the card: a popover with a dot, the value and the name of each curve."""
    look = theme()
    radius = float(token("radius.button"))
    paint_elevation(painter, rect, radius)
    mono = look.mono("small")
    metrics = QFontMetricsF(mono)
    values = max((metrics.horizontalAdvance(r.text) for r in readings), default=0.0)
    painter.setFont(mono)
    y = rect.top() + look.px(6)
    for reading in readings:
        line = QRectF(rect.left() + look.px(8), y, rect.width() - look.px(16), look.px(16))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(reading.color)
        painter.drawEllipse(QPointF(line.left() + 3, line.center().y()), 3, 3)
        value = QRectF(line.left() + look.px(12), y, values, line.height())
        painter.setPen(look.color("ink"))
        painter.drawText(
            value, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, reading.text
        )
        name = QRectF(value.right() + look.px(6), y, line.right() - value.right(), line.height())
        painter.setPen(look.color("muted"))
        painter.drawText(
            name, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, reading.name
        )
        y += look.px(16)


def paint_elevation(painter: QPainter, rect: QRectF, radius: float) -> None:
    """Paint the ground of a floating card: flat shadows, card colour, strong border."""
    look = theme()
    painter.setPen(Qt.PenStyle.NoPen)
    for dx, dy, grow, alpha in reversed(token("elevation.2.layers")):
        shadow = QColor(look.color("bench" if look.is_dark else "ink"))
        shadow.setAlphaF(alpha if look.is_dark else alpha / 2)
        painter.setBrush(shadow)
        painter.drawRoundedRect(
            rect.translated(dx, dy).adjusted(-grow, -grow, grow, grow), radius, radius
        )
    painter.setPen(QPen(look.color("border_strong"), look.border))
    painter.setBrush(look.color("card"))
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
