"""The three items of a curve: band below, raw line over it, smoothed line on top."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen

from studio.plotting.buckets import Buckets
from studio.plotting.curve import Curve
from studio.plotting.drawing import Drawing, band_outline
from studio.plotting.pens import band as band_color
from studio.plotting.pens import faint, make_pen
from studio.theme import theme
from studio.tokens import token

_Z_BAND, _Z_RAW, _Z_SMOOTH = 1, 2, 3


class BandItem(pg.GraphicsObject):  # type: ignore[misc]
    """A filled stripe from the least to the greatest value of each bucket."""

    def __init__(self) -> None:
        super().__init__()
        self._path = QPainterPath()
        self._brush = QBrush()
        self.setZValue(_Z_BAND)

    def show_band(self, found: Buckets | None, color: QColor) -> None:
        """Fill between the ends of the buckets; nothing for None."""
        edges = None if found is None else band_outline(found)
        self.prepareGeometryChange()
        self._brush = QBrush(color)
        if edges is None:
            self._path = QPainterPath()
        else:
            x, low, high = edges
            self._path = pg.arrayToQPath(
                np.concatenate((x, x[::-1])), np.concatenate((low, high[::-1])), connect="all"
            )
            self._path.closeSubpath()
        self.update()

    def boundingRect(self) -> QRectF:
        """Extent of the stripe."""
        return self._path.boundingRect()

    def paint(self, painter: QPainter, *_: Any) -> None:
        """Fill the stripe; its edges stay hard, which is faster."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.fillPath(self._path, self._brush)


class CurveItems:
    """The items of one curve in one view."""

    def __init__(self, view: pg.ViewBox) -> None:
        self._view = view
        self._is_plain = False
        self.band = BandItem()
        self.raw = pg.PlotCurveItem(antialias=True, connect="finite", skipFiniteCheck=False)
        self.smooth = pg.PlotCurveItem(antialias=True, connect="finite", skipFiniteCheck=False)
        self.dot = pg.ScatterPlotItem(size=theme().px(6), pxMode=True, antialias=True)
        self.raw.setZValue(_Z_RAW)
        self.smooth.setZValue(_Z_SMOOTH)
        self.dot.setZValue(_Z_SMOOTH)
        for item in self.all:
            view.addItem(item, ignoreBounds=True)

    @property
    def all(self) -> tuple[Any, ...]:
        """Every item."""
        return (self.band, self.raw, self.smooth, self.dot)

    def set_order(self, order: int) -> None:
        """Lie above the curves of a higher order: the run in focus on top."""
        nearer = 0.9 - min(order, 80) * 0.01
        for item, level in zip(self.all, (_Z_BAND, _Z_RAW, _Z_SMOOTH, _Z_SMOOTH), strict=True):
            item.setZValue(level + nearer)

    def set_plain(self, on: bool) -> None:
        """Draw the smoothed line alone: many raw lines hide each other, and take long."""
        self._is_plain = on

    def remove(self) -> None:
        """Take the items out of the view."""
        for item in self.all:
            self._view.removeItem(item)

    def hide(self) -> None:
        """Show nothing."""
        for item in self.all:
            item.setVisible(False)

    def show(self, curve: Curve, drawing: Drawing, width: float, *, steps_back: bool) -> None:
        """Draw; a curve that ``steps_back`` is faint and has no band, for another is emphasised."""
        color = curve.color
        self.band.setVisible(not steps_back and drawing.band is not None)
        if self.band.isVisible():
            self.band.show_band(drawing.band, band_color(color))
        top = drawing.raw if drawing.smooth is None else drawing.smooth
        has_raw = drawing.smooth is not None and not steps_back and not self._is_plain
        self.raw.setVisible(has_raw)
        if has_raw:
            self._set(self.raw, drawing.raw, make_pen(faint(color), 1.0))
        self.smooth.setVisible(True)
        line = faint(color) if steps_back else color
        self._set(self.smooth, top, make_pen(line, width, curve.dash))
        self._set_dots(drawing, line)

    def _set_dots(self, drawing: Drawing, color: QColor) -> None:
        # A line needs two neighbours: a value that stands alone is a dot.
        x, y = drawing.raw
        alone = np.isfinite(y)
        if len(y) > 1:
            left = np.concatenate(([False], alone[:-1]))
            right = np.concatenate((alone[1:], [False]))
            alone = alone & ~left & ~right
        self.dot.setVisible(bool(alone.any()))
        if alone.any():
            self.dot.setData(x=x[alone], y=y[alone], brush=QBrush(color), pen=make_pen(color))

    @staticmethod
    def _set(item: pg.PlotCurveItem, line: tuple[Any, Any], pen: QPen) -> None:
        item.setData(x=line[0], y=line[1], pen=pen)


def pen_width(points: int) -> float:
    """Width of the smoothed lines of a plot with so many points in sight: broad ones are slow."""
    is_short = points < token("plot.short_below_points")
    return float(token("plot.pen_width_short" if is_short else "plot.pen_width"))
