"""Grouped bars, a strip of cells, and a histogram."""

from __future__ import annotations

import math

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from backend.core.views import Bars, Histogram, Strip
from studio.pictures import axes
from studio.pictures.drawing import Drawing
from studio.pictures.words import exact, short, with_unit
from studio.theme import theme


def ink_on(ground: QColor) -> QColor:
    """Text colour that reads on a colour of a ramp."""
    light, dark = theme().color("ink"), theme().color("bench")
    if not theme().is_dark:
        light, dark = theme().color("card"), theme().color("ink")
    return dark if ground.lightnessF() > 0.5 else light


class BarsDrawing(Drawing):
    """One row a label, one bar a group: long names fit, a thousand rows scroll."""

    payload: Bars

    def __init__(self, payload: Bars) -> None:
        super().__init__(payload)
        values = [v for row in payload.groups.values() for v in row if math.isfinite(v)]
        low, high = min([0.0, *values]), max([0.0, *values])
        self._span = axes.sound_span(low, high) if high > low else (0.0, 1.0)
        self._groups = list(payload.groups.items())
        self._x = axes.Scale(0, 1, 0, 1)
        self._top = self._row = 0.0

    @property
    def count(self) -> int:
        """Labels."""
        return len(self.payload.labels)

    def least(self, width: float) -> tuple[float, float]:
        """Rows of fixed height."""
        look = theme()
        row = look.px(10) * max(1, len(self._groups)) + look.px(12)
        return width, look.px(54) + row * self.count

    def lay(self, width: float, height: float) -> None:
        """Names left, figures right of the bars."""
        super().lay(width, height)
        look = theme()
        names = axes.text_width(look.mono("small"), self.payload.labels)
        left = min(names + look.px(12), width * 0.4)
        right = width - look.px(20 if len(self._groups) > 1 else 76)
        self._x = axes.Scale(*self._span, left, max(right, left + 10))
        self._top = look.px(28 if len(self._groups) > 1 else 6)
        self._row = look.px(10) * max(1, len(self._groups)) + look.px(12)

    def _color(self, group: int) -> QColor:
        return theme().mix("panel", theme().pen_color(group + 1), 0.8)

    def paint(self, painter: QPainter, clip: QRectF) -> None:
        """Zero line, bars, names."""
        look = theme()
        bottom = self._top + self._row * self.count
        grid = [self._x.to(v) for v in self._x.ticks(5)]
        axes.hairline(
            painter, look.color("plot_grid"), *(QLineF(x, self._top, x, bottom) for x in grid)
        )
        first = max(0, int((clip.top() - self._top) / self._row) - 1)
        last = min(self.count, int((clip.bottom() - self._top) / self._row) + 2)
        for index in range(first, last):
            self._paint_row(painter, index)
        zero = self._x.to(0.0)
        axes.hairline(painter, look.color("line"), QLineF(zero, self._top, zero, bottom))
        axes.base_axis(painter, self._x, bottom)
        if len(self._groups) > 1:
            entries = [(QPen(self._color(g)), name) for g, (name, _) in enumerate(self._groups)]
            axes.legend(painter, QRectF(self._x.start, 0, self.width, look.px(20)), entries)

    def _paint_row(self, painter: QPainter, index: int) -> None:
        look = theme()
        y = self._top + index * self._row
        painter.setFont(look.mono("small"))
        painter.setPen(look.color("ink"))
        area = QRectF(0, y, self._x.start - look.px(8), self._row)
        axes.elided(painter, area, axes.RIGHT, self.payload.labels[index])
        zero = self._x.to(0.0)
        for number, (_, values) in enumerate(self._groups):
            value = values[index] if index < len(values) else math.nan
            top = y + look.px(6) + number * look.px(10)
            if not math.isfinite(value):
                axes.cross(painter, QRectF(zero, top, look.px(10), look.px(8)))
                end = zero + look.px(10)
            else:
                end = self._x.to(value)
                bar = QRectF(
                    QPointF(min(zero, end), top), QPointF(max(zero, end), top + look.px(8))
                )
                painter.fillRect(bar, self._color(number))
            if len(self._groups) == 1:
                painter.setPen(look.color("muted"))
                text = QRectF(max(end, zero) + look.px(6), y, look.px(70), self._row)
                axes.elided(painter, text, axes.LEFT, short(value))

    def at(self, place: QPointF) -> int | None:
        """Row under the pointer."""
        index = int((place.y() - self._top) // self._row) if self._row else -1
        return index if 0 <= index < self.count else None

    def rect(self, index: int) -> QRectF:
        """The whole row."""
        return QRectF(0, self._top + index * self._row, self.width, self._row)

    def words(self, index: int) -> str:
        """Label, then the value of each group."""
        lines = [self.payload.labels[index]]
        for name, values in self._groups:
            value = values[index] if index < len(values) else None
            lines.append(f"{name}\t{with_unit(value, self.payload.unit)}")
        return "\n".join(lines)

    def step(self, index: int, dx: int, dy: int) -> int:
        """All arrows walk over the rows."""
        return super().step(index, dx + dy, 0)

    def mark(self, painter: QPainter, index: int) -> None:
        """Tint behind would hide nothing but cost a pass, so the row gets an outline."""
        axes.hairline_box(painter, self.rect(index), "border_strong")


class StripDrawing(Drawing):
    """A row of cells coloured between ``low`` and ``high``, broken where the width ends."""

    payload: Strip

    def __init__(self, payload: Strip) -> None:
        super().__init__(payload)
        self._cell = (1.0, 1.0)

    @property
    def count(self) -> int:
        """Labels that have a value."""
        return min(len(self.payload.labels), len(self.payload.values))

    def _columns(self, width: float) -> int:
        return max(1, min(self.count, int(width / theme().px(56))))

    def least(self, width: float) -> tuple[float, float]:
        """Rows of 56 px and the colour bar."""
        rows = math.ceil(self.count / self._columns(width)) if self.count else 1
        return width, rows * theme().px(52) + theme().px(32)

    def lay(self, width: float, height: float) -> None:
        """Spread the cells over the width."""
        super().lay(width, height)
        self.per_row = self._columns(width)
        self._cell = (min(width / self.per_row, theme().px(120)), theme().px(52))

    def rect(self, index: int) -> QRectF:
        """The coloured cell."""
        wide, high = self._cell
        row, column = divmod(index, self.per_row)
        return QRectF(column * wide, row * high, wide - 2, high - theme().px(20))

    def _share(self, value: float) -> float:
        span = self.payload.high - self.payload.low
        return min(max((value - self.payload.low) / span, 0.0), 1.0) if 0 < span < math.inf else 0.5

    def paint(self, painter: QPainter, clip: QRectF) -> None:
        """Cells with their values, names below, colour bar."""
        look = theme()
        for index in range(self.count):
            cell = self.rect(index)
            if cell.top() > clip.bottom() or cell.bottom() + 24 < clip.top():
                continue
            value = self.payload.values[index]
            painter.setFont(look.mono("small"))
            if math.isfinite(value):
                ground = look.heat(self._share(value))
                painter.fillRect(cell, ground)
                painter.setPen(ink_on(ground))
                axes.elided(painter, cell, axes.CENTER, short(value, 3))
            else:
                axes.cross(painter, cell)
            painter.setPen(look.color("muted"))
            name = QRectF(cell.left(), cell.bottom(), cell.width(), look.px(16))
            axes.elided(painter, name, axes.CENTER, self.payload.labels[index])
        low, high = self.payload.low, self.payload.high
        area = QRectF(0, self.least(self.width)[1] - look.px(24), self.width, look.px(20))
        axes.color_bar(painter, area, low, high, self.payload.unit, look.heat)

    def words(self, index: int) -> str:
        """Label and value."""
        value = with_unit(self.payload.values[index], self.payload.unit)
        return f"{self.payload.labels[index]}\n{value}"


class HistogramDrawing(Drawing):
    """Counts between edges, with marked values as dashed lines."""

    payload: Histogram

    def __init__(self, payload: Histogram) -> None:
        super().__init__(payload)
        finite = [c for c in payload.counts if math.isfinite(c)]
        self._x_span = axes.span_of([*payload.edges, *payload.marks.values()])
        self._y_span = axes.sound_span(0.0, max([*finite, 0.0]) or 1.0)
        self._x = self._y = axes.Scale(0, 1, 0, 1)

    @property
    def count(self) -> int:
        """Bins."""
        return max(0, min(len(self.payload.counts), len(self.payload.edges) - 1))

    def lay(self, width: float, height: float) -> None:
        """Leave room for axes and the names of marks."""
        super().lay(width, height)
        look = theme()
        top = look.px(24 if self.payload.marks else 10)
        bottom = height - axes.base_axis_height(self.payload.unit)
        self._y = axes.Scale(*self._y_span, bottom, top)
        left = axes.value_axis_width(self._y)
        self._x = axes.Scale(*self._x_span, left, width - look.px(16))

    def rect(self, index: int) -> QRectF:
        """The bar, at least 1 px wide."""
        ends = (self._x.to(e) for e in self.payload.edges[index : index + 2])
        a, b = (min(max(x, self._x.start), self._x.end) for x in ends)
        value = self.payload.counts[index]
        top = self._y.to(value if math.isfinite(value) else 0.0)
        gap = 1.0 if b - a > 3 else 0.0
        return QRectF(a, top, max(1.0, b - a - gap), max(0.0, self._y.start - top))

    def at(self, place: QPointF) -> int | None:
        """Bin whose column the pointer is in."""
        for index in range(self.count):
            cell = self.rect(index)
            if cell.left() <= place.x() < cell.right() + 1 and place.y() <= self.height:
                return index
        return None

    def paint(self, painter: QPainter, clip: QRectF) -> None:
        """Grid, bars, marks."""
        look = theme()
        axes.value_axis(painter, self._y, self._x.start, self._x.end, 4)
        fill = look.mix("panel", "muted", 0.75)
        for index in range(self.count):
            cell = self.rect(index)
            if math.isfinite(cell.left()) and self.payload.counts[index] > 0:
                painter.fillRect(cell, fill)
        axes.base_axis(painter, self._x, self._y.start, self.payload.unit)
        self._paint_marks(painter)

    def _paint_marks(self, painter: QPainter) -> None:
        look = theme()
        painter.setFont(look.font("micro"))
        marks = [(n, v) for n, v in self.payload.marks.items() if math.isfinite(v)]
        places = sorted(self._x.to(value) for _, value in marks)
        for number, (name, value) in enumerate(marks):
            x = self._x.to(value)
            painter.setPen(QPen(look.pen_color(number), 1.4, Qt.PenStyle.DashLine))
            painter.drawLine(QLineF(x, self._y.end - 4, x, self._y.start))
            painter.setPen(look.color("ink"))
            end = next((p for p in places if p > x + 1), self.width)
            start = max((p for p in places if p < x - 1), default=0.0)
            if end - x >= min(axes.text_width(painter.font(), [name]) + 8, x - start):
                area, align = QRectF(x + 4, 0, end - x - 8, look.px(18)), axes.LEFT
            else:
                area, align = QRectF(start + 4, 0, x - start - 8, look.px(18)), axes.RIGHT
            axes.elided(painter, area, align, name)

    def words(self, index: int) -> str:
        """Bounds of the bin and its count."""
        low, high = self.payload.edges[index : index + 2]
        text = f"{exact(low)} to {exact(high)} {self.payload.unit}".rstrip()
        return f"{text}\ncount\t{exact(self.payload.counts[index])}"

    def mark(self, painter: QPainter, index: int) -> None:
        """The picked bar in ink."""
        painter.fillRect(self.rect(index), theme().color("ink"))
