"""Curves over one axis, and signals in lanes as on an oscilloscope."""

from __future__ import annotations

import bisect
import math

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QPolygonF

from backend.core.views import Lines, Series, Trace
from studio.pictures import axes
from studio.pictures.drawing import Drawing
from studio.pictures.words import exact, short
from studio.theme import theme

_MANY = 2_000  # beyond so many points only the lowest and highest of a pixel are drawn


def polylines(series: Series, x: axes.Scale, y: axes.Scale) -> list[QPolygonF]:
    """Return the curve in pixels, broken where a value is no number."""
    n = min(len(series.x), len(series.y))
    xs = np.asarray(series.x[:n], dtype=float)
    ys = np.asarray(series.y[:n], dtype=float)
    with np.errstate(all="ignore"):
        px, py = _pixels(xs, x), _pixels(ys, y)
    good = np.isfinite(px) & np.isfinite(py)
    if n > _MANY:
        px, py, good = _thinned(px, py, good)
    parts = np.split(np.arange(len(px)), np.flatnonzero(~good))
    found = []
    for part in parts:
        part = part[good[part]]
        if len(part):
            found.append(QPolygonF([QPointF(float(px[i]), float(py[i])) for i in part]))
    return found


def _pixels(values: np.ndarray, scale: axes.Scale) -> np.ndarray:
    low, high = scale.low, scale.high
    if scale.is_log:
        values, low, high = np.log10(values), math.log10(low), math.log10(high)
    pixels: np.ndarray = scale.start + (values - low) / (high - low) * (scale.end - scale.start)
    return pixels


def _thinned(
    px: np.ndarray, py: np.ndarray, good: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    px, py = px[good], py[good]
    order = np.argsort(px, kind="stable")
    px, py = px[order], py[order]
    _, first = np.unique(np.round(px), return_index=True)
    if not len(first):
        return px, py, np.ones(0, dtype=bool)
    lows, highs = np.minimum.reduceat(py, first), np.maximum.reduceat(py, first)
    both = np.stack([lows, highs], axis=1).reshape(-1)
    return np.repeat(px[first], 2), both, np.ones(len(both), dtype=bool)


class LinesDrawing(Drawing):
    """Curves over a common axis; the read-out tells every curve at one x."""

    payload: Lines

    def __init__(self, payload: Lines) -> None:
        super().__init__(payload)
        xs = [v for s in payload.series for v in s.x]
        ys = [v for s in payload.series for v in s.y]
        self._x_span = axes.span_of(xs, payload.log_x)
        self._y_span = axes.span_of(ys, payload.log_y)
        self._places = sorted({v for v in xs if math.isfinite(v)})
        self._at = [dict(zip(s.x, s.y, strict=False)) for s in payload.series]
        self._x = self._y = axes.Scale(0, 1, 0, 1)
        self._curves: list[list[QPolygonF]] = []

    @property
    def count(self) -> int:
        """Different places on the x axis."""
        return len(self._places)

    def lay(self, width: float, height: float) -> None:
        """Leave room for legend and axes."""
        super().lay(width, height)
        look, payload = theme(), self.payload
        top = look.px(28 if payload.series else 8)
        bottom = height - axes.base_axis_height(payload.x_label)
        self._y = axes.Scale(*self._y_span, bottom, top, payload.log_y)
        left = axes.value_axis_width(self._y)
        self._x = axes.Scale(*self._x_span, left, width - look.px(16), payload.log_x)
        self._curves = [polylines(series, self._x, self._y) for series in payload.series]

    def paint(self, painter: QPainter, clip: QRectF) -> None:
        """Grid, axis, curves, legend."""
        axes.value_axis(painter, self._y, self._x.start, self._x.end)
        axes.base_axis(painter, self._x, self._y.start, self.payload.x_label)
        painter.save()
        area = QRectF(
            self._x.start, self._y.end - 2, self._x.end - self._x.start + 2, self._y.start + 4
        )
        painter.setClipRect(area, Qt.ClipOperation.IntersectClip)
        for index, curves in enumerate(self._curves):
            pen = axes.plot_pen(index)
            if len(self.payload.series[index].x) > _MANY:
                pen.setWidthF(1.0)  # wider lines are several times slower to paint
            painter.setPen(pen)
            for curve in curves:
                if curve.size() == 1:
                    painter.drawEllipse(curve.at(0), 2, 2)
                painter.drawPolyline(curve)
        painter.restore()
        row = QRectF(self._x.start, 0, self.width - self._x.start, theme().px(20))
        entries = [(axes.plot_pen(i), s.name) for i, s in enumerate(self.payload.series)]
        axes.legend(painter, row, entries)

    def at(self, place: QPointF) -> int | None:
        """Nearest x, anywhere above or below the curves."""
        if not self._places or not self._x.start - 8 <= place.x() <= self._x.end + 8:
            return None
        value = self._x.back(place.x())
        index = bisect.bisect_left(self._places, value)
        near = [i for i in (index - 1, index) if 0 <= i < self.count]
        return min(near, key=lambda i: abs(self._x.to(self._places[i]) - place.x()))

    def rect(self, index: int) -> QRectF:
        """The crosshair's column."""
        x = self._x.to(self._places[index])
        return QRectF(x - 1, self._y.end, 2, self._y.start - self._y.end)

    def words(self, index: int) -> str:
        """x, then each curve that has a value there."""
        place = self._places[index]
        lines = [f"{self.payload.x_label or 'x'} {exact(place)}"]
        for series, values in zip(self.payload.series, self._at, strict=True):
            if place in values:
                lines.append(
                    f"{series.name}\t{exact(values[place])} {self.payload.y_label}".rstrip()
                )
        return "\n".join(lines)

    def mark(self, painter: QPainter, index: int) -> None:
        """Dashed crosshair and a ring on each curve."""
        x = self._x.to(self._places[index])
        dashed = QPen(theme().color("muted"), 1, Qt.PenStyle.DashLine)
        painter.setPen(dashed)
        painter.drawLine(QLineF(x, self._y.end, x, self._y.start))
        for number, values in enumerate(self._at):
            value = values.get(self._places[index], math.nan)
            if math.isfinite(value) and (value > 0 or not self.payload.log_y):
                painter.setPen(QPen(theme().pen_color(number), 1.6))
                painter.setBrush(theme().color("panel"))
                painter.drawEllipse(QPointF(x, self._y.to(value)), 3.5, 3.5)
        painter.setBrush(Qt.BrushStyle.NoBrush)


class TraceDrawing(Drawing):
    """Signals over one time axis: bench ground, 10 divisions, a lane with its own scale each."""

    payload: Trace

    def __init__(self, payload: Trace) -> None:
        super().__init__(payload)
        times = [v for s in payload.signals for v in s.x]
        self._span = axes.span_of(times)
        self._times = sorted({v for v in times if math.isfinite(v)})
        self._x = axes.Scale(0, 1, 0, 1)
        self._lanes: list[axes.Scale] = []
        self._curves: list[list[QPolygonF]] = []

    @property
    def count(self) -> int:
        """Different times."""
        return len(self._times)

    def least(self, width: float) -> tuple[float, float]:
        """44 px a lane."""
        look = theme()
        return width, look.px(44) * max(1, len(self.payload.signals)) + look.px(48)

    def lay(self, width: float, height: float) -> None:
        """Names at the left, values at the cursor at the right."""
        super().lay(width, height)
        look = theme()
        bottom, top = height - look.px(38), look.px(16)
        self._x = axes.Scale(*self._span, look.px(116), width - look.px(100))
        lane = (bottom - top) / max(1, len(self.payload.signals))
        self._lanes, self._curves = [], []
        for n, signal in enumerate(self.payload.signals):
            low, high = axes.span_of(signal.y)
            start, end = top + (n + 1) * lane - lane * 0.16, top + n * lane + lane * 0.16
            self._lanes.append(axes.Scale(low, high, start, end))
            self._curves.append(polylines(signal, self._x, self._lanes[-1]))

    def _frame(self) -> QRectF:
        look = theme()
        left, right = self._x.start, self._x.end
        return QRectF(left, look.px(16), right - left, self.height - look.px(38 + 16))

    def paint(self, painter: QPainter, clip: QRectF) -> None:
        """Ground and grid, then each signal with its name and scale."""
        look, frame = theme(), self._frame()
        painter.fillRect(frame, look.color("bench"))
        grid = look.mix("bench", "ink", 0.09)
        xs = [frame.left() + frame.width() * n / 10 for n in range(1, 10)]
        ys = [frame.top() + frame.height() * n / 8 for n in range(1, 8)]
        axes.hairline(painter, grid, *(QLineF(x, frame.top(), x, frame.bottom()) for x in xs))
        axes.hairline(painter, grid, *(QLineF(frame.left(), y, frame.right(), y) for y in ys))
        axes.hairline_box(painter, frame)
        for n, (signal, lane) in enumerate(zip(self.payload.signals, self._lanes, strict=True)):
            pen = axes.plot_pen(n + 1)  # pen 0 means the run in focus, which a signal is not
            painter.setPen(pen)
            for curve in self._curves[n]:
                painter.drawPolyline(curve)
            middle = (lane.start + lane.end) / 2
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(pen.color())
            painter.drawEllipse(QPointF(look.px(5), middle - look.px(8)), 4, 4)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setFont(look.font("strong"))
            painter.setPen(look.color("ink"))
            name = QRectF(look.px(16), middle - look.px(18), look.px(94), look.px(20))
            axes.elided(painter, name, axes.LEFT, signal.name)
            painter.setFont(look.mono("small"))
            painter.setPen(look.color("muted"))
            text = f"{short(lane.low, 3)} to {short(lane.high, 3)}"
            axes.elided(painter, name.translated(0, look.px(17)), axes.LEFT, text)
        axes.base_axis(painter, self._x, frame.bottom(), self.payload.time_unit)

    def at(self, place: QPointF) -> int | None:
        """Nearest time."""
        if not self._times or not self._x.start - 8 <= place.x() <= self._x.end + 8:
            return None
        index = bisect.bisect_left(self._times, self._x.back(place.x()))
        near = [i for i in (index - 1, index) if 0 <= i < self.count]
        return min(near, key=lambda i: abs(self._x.to(self._times[i]) - place.x()))

    def rect(self, index: int) -> QRectF:
        """Column of cursor A."""
        x = self._x.to(self._times[index])
        return QRectF(x - 1, self._frame().top(), 2, self._frame().height())

    def _value(self, signal: Series, time: float) -> float:
        index = bisect.bisect_right(signal.x, time) - 1  # a signal holds until its next sample
        return signal.y[index] if 0 <= index < len(signal.y) else math.nan

    def words(self, index: int) -> str:
        """Time, then every signal as it is then."""
        time = self._times[index]
        lines = [f"A at {exact(time)} {self.payload.time_unit}"]
        lines += [f"{s.name}\t{exact(self._value(s, time))}" for s in self.payload.signals]
        return "\n".join(lines)

    def mark(self, painter: QPainter, index: int) -> None:
        """Cursor A with its flag, and the values at the right."""
        look, frame = theme(), self._frame()
        time = self._times[index]
        x = self._x.to(time)
        painter.setPen(QPen(look.color("ink"), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QLineF(x, frame.top(), x, frame.bottom()))
        flag = QRectF(x - look.px(8), 0, look.px(16), look.px(14))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.color("ink"))
        painter.drawRoundedRect(flag, 2, 2)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setFont(look.mono("small"))
        painter.setPen(look.color("bench"))
        painter.drawText(flag, axes.CENTER, "A")
        painter.setPen(look.color("ink"))
        for signal, lane in zip(self.payload.signals, self._lanes, strict=True):
            y = (lane.start + lane.end) / 2
            rect = QRectF(self._x.end + look.px(10), y - 8, look.px(88), look.px(16))
            axes.elided(painter, rect, axes.LEFT, short(self._value(signal, time), 5))
