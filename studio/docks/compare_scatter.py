"""Runs as points over two metrics, with the front of those that none beats."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.plotting import metrics
from studio.plotting.axis import Axis
from studio.plotting.pareto import Direction, front, staircase
from studio.plotting.pens import make_pen
from studio.plotting.view import PlotView
from studio.theme import theme
from studio.widgets.painting import elevation, line, text_width

_REACH = 14
_MARGIN = 0.08


@dataclass(frozen=True)
class Spot:
    """A run: its figures, its pen (None: not marked), and the name for the card."""

    name: str
    label: str
    x: float
    y: float
    pen: int | None = None


class Scatter(QWidget):
    """The plot. Left and right go from point to point, Enter shows, Space marks."""

    picked = Signal(object)
    """Name of the run that was clicked."""
    opened = Signal(object)
    """Name of the run whose graph shall be opened."""
    wants_mark = Signal(object)

    def __init__(self, facts: Callable[[str], list[str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._facts = facts
        self.spots: list[Spot] = []
        self.front: list[int] = []
        self.hovered: int | None = None
        self._x_key = self._y_key = ""
        self.axes = {side: Axis(side) for side in ("left", "bottom")}
        self.view = PlotView()
        self.canvas = pg.PlotWidget(viewBox=self.view, axisItems=self.axes)
        for axis in self.axes.values():
            axis.setZValue(-1)  # the grid lies below what is drawn
        self.canvas.setFrameShape(self.canvas.Shape.NoFrame)
        self.canvas.hideButtons()
        self.canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.canvas.setAccessibleName("Runs as points")
        self._line = pg.PlotCurveItem(antialias=True)
        self._dots = pg.ScatterPlotItem(pxMode=True, antialias=True)
        for item in (self._line, self._dots):
            self.view.addItem(item, ignoreBounds=True)
        self._card = HoverCard(self.canvas)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.canvas)
        viewport = self.canvas.viewport()
        viewport.setMouseTracking(True)
        viewport.installEventFilter(self)
        self.canvas.installEventFilter(self)
        self.dress()

    def show_spots(
        self, spots: list[Spot], x_key: str, y_key: str, better: tuple[Direction, Direction]
    ) -> None:
        """Draw these runs; those without both figures are left out before."""
        hovered = self.spots[self.hovered].name if self.hovered is not None else None
        self.spots = [s for s in spots if math.isfinite(s.x) and math.isfinite(s.y)]
        self.hovered = next((i for i, s in enumerate(self.spots) if s.name == hovered), None)
        is_other = (x_key, y_key) != (self._x_key, self._y_key)
        self._x_key, self._y_key = x_key, y_key
        points = [(spot.x, spot.y) for spot in self.spots]
        self.front = front(points, *better)
        stairs = staircase([points[index] for index in self.front], better[1])
        self._draw(stairs)
        if is_other or not self._is_inside():
            self.fit()
        self._show_card()

    def fit(self) -> None:
        """Show every point."""
        if not self.spots:
            return
        ranges = []
        for values in ([s.x for s in self.spots], [s.y for s in self.spots]):
            low, high = min(values), max(values)
            room = (high - low) * _MARGIN or abs(high) * 0.1 or 1.0
            ranges.append((low - room, high + room))
        self.view.setRange(xRange=ranges[0], yRange=ranges[1], padding=0, disableAutoRange=True)

    def dress(self) -> None:
        """Take colours and fonts from the theme."""
        self.canvas.setBackground(theme().color("panel"))
        for axis in self.axes.values():
            axis.dress()

    def pixel_of(self, index: int) -> QPointF:
        """Where a point is on the canvas."""
        spot = self.spots[index]
        scene = self.view.mapViewToScene(QPointF(spot.x, spot.y))
        return QPointF(self.canvas.viewportTransform().map(scene))

    # -- events ----------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow mouse and keys over the canvas."""
        kind = event.type()
        if watched is self.canvas:
            if kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
                return self._key(event)
        elif kind == QEvent.Type.MouseMove and isinstance(event, QMouseEvent):
            self._hover(self._nearest(event.position()))
        elif kind == QEvent.Type.Leave:
            self._hover(None)
        elif isinstance(event, QMouseEvent) and event.button() == Qt.MouseButton.LeftButton:
            self._click(kind, event.position())
        return super().eventFilter(watched, event)

    def _click(self, kind: QEvent.Type, position: QPointF) -> None:
        index = self._nearest(position)
        if kind == QEvent.Type.MouseButtonDblClick:
            if index is None:
                self.fit()
            else:
                self.opened.emit(self.spots[index].name)
        elif kind == QEvent.Type.MouseButtonPress and index is not None:
            self.picked.emit(self.spots[index].name)

    def _key(self, event: QKeyEvent) -> bool:
        order = sorted(range(len(self.spots)), key=lambda i: (self.spots[i].x, self.spots[i].y))
        key = event.key()
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and order:
            at = order.index(self.hovered) if self.hovered is not None else -1
            step = 1 if key == Qt.Key.Key_Right else -1
            self._hover(order[min(max(at + step, 0), len(order) - 1)])
            return True
        if self.hovered is None:
            return False
        name = self.spots[self.hovered].name
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            is_open = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            (self.opened if is_open else self.picked).emit(name)
            return True
        if key == Qt.Key.Key_Space:
            self.wants_mark.emit(name)
            return True
        return False

    def _nearest(self, position: QPointF) -> int | None:
        best, reach = None, float(theme().px(_REACH))
        for index in range(len(self.spots)):
            there = self.pixel_of(index) - position
            distance = math.hypot(there.x(), there.y())
            if distance <= reach:
                best, reach = index, distance
        return best

    def _hover(self, index: int | None) -> None:
        if index != self.hovered:
            self.hovered = index
            self._show_card()

    def _show_card(self) -> None:
        if self.hovered is None:
            self._card.hide()
            return
        spot = self.spots[self.hovered]
        rows = [
            (metrics.title(metrics.split(key)[1]), metrics.with_unit(v, metrics.split(key)[1]))
            for key, v in ((self._x_key, spot.x), (self._y_key, spot.y))
        ]
        color = _color_of(spot)
        self._card.point(
            self.pixel_of(self.hovered), spot.label, color, rows, self._facts(spot.name)
        )

    # -- drawing ---------------------------------------------------------------------------------

    def _draw(self, stairs: list[tuple[float, float]]) -> None:
        look = theme()
        self._line.setData(
            x=np.array([p[0] for p in stairs]),
            y=np.array([p[1] for p in stairs]),
            pen=make_pen(look.color("muted"), 1.0, [4, 3]),
        )
        on_front = set(self.front)
        dots: list[dict[str, Any]] = []
        for index, spot in enumerate(self.spots):
            color = _color_of(spot)
            is_filled = spot.pen is not None or index in on_front
            size = 11 if spot.pen is not None else 8
            fill = QBrush(color) if is_filled else QBrush(look.color("panel"))
            dots.append(
                {
                    "pos": (spot.x, spot.y),
                    "size": look.px(size),
                    "brush": fill,
                    "pen": make_pen(color, 1.4),
                    # The front differs in shape, too: nothing is told by fill alone.
                    "symbol": "d" if index in on_front else "o",
                }
            )
        self._dots.setData(spots=dots)

    def _is_inside(self) -> bool:
        (left, right), (low, high) = self.view.viewRange()
        return all(left <= s.x <= right and low <= s.y <= high for s in self.spots)


def _color_of(spot: Spot) -> QColor:
    return theme().color("muted") if spot.pen is None else theme().pen_color(spot.pen)


class HoverCard(QWidget):
    """What a point is: name, both figures, settings that make it differ."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._at = QPointF()
        self.title = ""
        self.rows: list[tuple[str, str]] = []
        self.facts: list[str] = []
        self._color = QColor()
        self.hide()

    def point(
        self, at: QPointF, title: str, color: QColor, rows: list[tuple[str, str]], facts: list[str]
    ) -> None:
        """Stand beside this pixel of the parent."""
        self._at, self.title, self._color = at, title, color
        self.rows, self.facts = rows, facts
        parent = self.parentWidget()
        if parent is not None:
            self.resize(parent.size())
        self.show()
        self.update()

    def card_rect(self) -> QRectF:
        """Where the card is: beside the point, inside the plot."""
        look = theme()
        small, mono = look.font("small"), look.mono("small")
        widths = [text_width(look.font("strong"), self.title) + look.px(14)]
        widths += [text_width(small, a) + look.px(12) + text_width(mono, b) for a, b in self.rows]
        widths += [text_width(mono, fact) for fact in self.facts]
        width = max(widths) + 2 * look.px(10)
        lines = 1 + len(self.rows) + len(self.facts)
        height = lines * look.px(18) + 2 * look.px(8)
        gap = look.px(12)
        left = self._at.x() + gap
        if left + width > self.width():
            left = max(0.0, self._at.x() - gap - width)
        top = min(
            max(self._at.y() - height / 2, 2.0), max(2.0, self.height() - height - look.px(14))
        )
        return QRectF(left, top, width, height)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint a ring on the point and the card beside it."""
        look = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(look.color("ink"), 1.6))
        painter.drawEllipse(self._at, look.px(8), look.px(8))
        rect = self.card_rect()
        elevation(painter, rect, look.px(6))
        step = look.px(18)
        row = QRectF(
            rect.left() + look.px(10), rect.top() + look.px(8), rect.width() - look.px(20), step
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._color)
        painter.drawEllipse(QPointF(row.left() + 4, row.center().y()), 4, 4)
        line(
            painter,
            row.adjusted(look.px(14), 0, 0, 0),
            self.title,
            look.font("strong"),
            look.color("ink"),
        )
        right = Qt.AlignmentFlag.AlignRight
        for words, value in self.rows:
            row.translate(0, step)
            line(painter, row, words, look.font("small"), look.color("muted"))
            line(painter, row, value, look.mono("small"), look.color("ink"), right)
        for fact in self.facts:
            row.translate(0, step)
            line(painter, row, fact, look.mono("small"), look.color("muted"))
