"""A plot of one metric: title, axes, curves, marks; zoom, pan and a crosshair."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from studio.plotting import metrics
from studio.plotting.axis import Axis, tick_text
from studio.plotting.buckets import value_range
from studio.plotting.crosshair import Crosshair, Reading
from studio.plotting.curve import Curve, Options
from studio.plotting.drawing import Drawing, Placed, draw, place, reading
from studio.plotting.items import CurveItems, pen_width
from studio.plotting.marks import BreakMarks
from studio.plotting.view import PlotView
from studio.theme import theme
from studio.widgets.elided import ElidedLabel

MOST_WHOLE = 8
"""Above so many curves in a plot only the first keeps its raw line and its band."""
_MARGIN = 0.06


class Plot(QWidget):
    """Draws the curves it was given with :meth:`set_curves` when :meth:`redraw` is called."""

    pointed = Signal(object)
    """The crosshair's x (log10 where the axis is), or None: the mouse is gone."""
    zoomed = Signal(object)
    """The user chose an x range (low, high), or None: everything."""
    picked = Signal(object)
    """The key of the curve that was clicked."""
    resized = Signal()
    """The plot has another size: it needs a redraw."""

    def __init__(self, metric: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.measure = metric
        self.options = Options()
        self.emphasis: Hashable | None = None
        self.is_stale = True
        self._curves: list[Curve] = []
        self._items: dict[Hashable, CurveItems] = {}
        self._placed: dict[Hashable, tuple[tuple[Any, ...], Placed | None]] = {}
        self._is_auto = True
        self._dropped = 0
        self._without_x: list[str] = []
        self.axes = {side: Axis(side) for side in ("left", "bottom")}
        self.view = PlotView()
        self.canvas = pg.PlotWidget(viewBox=self.view, axisItems=self.axes)
        for axis in self.axes.values():
            axis.setZValue(-1)  # the grid lies below what is drawn
        self._arrange()
        self._marks = BreakMarks(self.view)
        self.crosshair = Crosshair(self.canvas)
        self.view.sigRangeChangedManually.connect(self._zoomed_by_hand)
        self.view.clicked_at.connect(self._pick)
        self.canvas.viewport().setMouseTracking(True)
        self.canvas.viewport().installEventFilter(self)
        self.dress()

    # -- what to draw ----------------------------------------------------------------------------

    @property
    def curves(self) -> list[Curve]:
        """The curves, hidden ones too."""
        return self._curves

    def set_curves(self, curves: list[Curve]) -> None:
        """Draw these from the next redraw on."""
        self._curves = curves
        keys = {curve.key for curve in curves}
        for key in [key for key in self._items if key not in keys]:
            self._items.pop(key).remove()
            self._placed.pop(key, None)
        self.is_stale = True

    def set_options(self, options: Options) -> None:
        """Draw in this way from the next redraw on; some metrics keep a logarithmic axis."""
        if metrics.is_log(self.measure):
            options = replace(options, log_y=True)
        was = self.options
        self.options = options
        if (was.log_x, was.log_y, was.x_mode) != (options.log_x, options.log_y, options.x_mode):
            self._is_auto = True
        self.axes["left"].is_log = options.log_y
        self.axes["bottom"].is_log = options.log_x
        self.is_stale = True

    def set_emphasis(self, key: Hashable | None) -> None:
        """Let the other curves step back from the next redraw on; a key of no curve here: none."""
        found = key if any(curve.key == key for curve in self._curves) else None
        if found != self.emphasis:
            self.emphasis, self.is_stale = found, True

    def set_range(self, x_range: tuple[float, float] | None) -> None:
        """Show this part of the x axis, the y axis fitting itself; None shows everything."""
        self._is_auto = x_range is None
        if x_range is not None:
            self.view.setXRange(*x_range, padding=0)
            self._fit_y = True
        self.is_stale = True
        self.redraw()

    def show_all(self) -> None:
        """Fit both axes to the curves."""
        self._is_auto = True
        self.is_stale = True
        self.redraw()
        self.zoomed.emit(None)

    # -- drawing ---------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Draw the curves as they are now. Does nothing when nothing changed."""
        if not self.is_stale:
            return
        self.is_stale = False
        placed = self._place_all()
        low, high = self._x_range(placed)
        pixels = max(self.view.width(), 50.0)
        drawn: list[tuple[CurveItems, Curve, Drawing]] = []
        is_crowded = len(placed) > MOST_WHOLE
        for order, curve in enumerate(self._curves):
            items = self._items.get(curve.key)
            if items is None:
                items = self._items[curve.key] = CurveItems(self.view)
            items.set_order(-1 if curve.key == self.emphasis else order)
            where = placed.get(curve.key)
            if where is None:
                items.hide()
                continue
            is_whole = not is_crowded or curve.key == self.emphasis or order == 0
            items.set_plain(not is_whole)
            has_band = self.options.has_band and is_whole and self.emphasis in (None, curve.key)
            drawn.append((items, curve, draw(where, low, high, pixels, has_band=has_band)))
        points = sum(drawing.points for _, _, drawing in drawn)
        self._dropped = sum(drawing.dropped for _, _, drawing in drawn)
        for items, curve, drawing in drawn:
            steps_back = self.emphasis is not None and self.emphasis != curve.key
            items.show(curve, drawing, pen_width(points), steps_back=steps_back)
        values = [drawing.raw[1] for _, _, drawing in drawn]
        if self._is_auto or self._fit_y:
            self._fit(low, high, values)
        self._marks.show(self._broken(placed))
        self._write_note()

    def _place_all(self) -> dict[Hashable, Placed]:
        found: dict[Hashable, Placed] = {}
        self._without_x = []
        shown = self.options
        for curve in self._curves:
            if curve.is_hidden or not len(curve.series):
                continue
            state = (curve.series.version, shown, curve.epoch_steps)
            kept = self._placed.get(curve.key)
            if kept is None or kept[0] != state:
                kept = self._placed[curve.key] = (state, place(curve, shown))
            if kept[1] is not None:
                found[curve.key] = kept[1]
            else:
                self._without_x.append(curve.label)
        return found

    def _x_range(self, placed: dict[Hashable, Placed]) -> tuple[float, float]:
        if not self._is_auto:
            low, high = self.view.viewRange()[0]
            return float(low), float(high)
        ends = [(float(p.x[0]), float(p.x[-1])) for p in placed.values() if len(p.x)]
        if not ends:
            return 0.0, 1.0
        low, high = min(e[0] for e in ends), max(e[1] for e in ends)
        if high <= low:
            room = max(abs(low) * 0.1, 0.5)
            return low - room, high + room
        return low, high

    def _fit(self, low: float, high: float, values: list[Any]) -> None:
        found = value_range(values, hide_outliers=self.options.hide_outliers)
        bottom, top = found if found is not None else (0.0, 1.0)
        room = (top - bottom) * _MARGIN or max(abs(top) * 0.1, 0.5)
        self.view.setRange(
            xRange=(low, high), yRange=(bottom - room, top + room), padding=0, disableAutoRange=True
        )

    def _broken(self, placed: dict[Hashable, Placed]) -> list[tuple[Curve, float]]:
        found = []
        for curve in self._curves:
            at = curve.broken_at(self.options)
            if at is not None and curve.key in placed:
                found.append((curve, at))
        return found

    # -- crosshair -------------------------------------------------------------------------------

    def point_at(self, x: float | None, *, has_card: bool) -> None:
        """Show the crosshair at x of the axis; None takes it away."""
        if x is None:
            self.crosshair.clear()
            return
        area = self.inner_rect()
        at = self._pixel(x, 0.0).x()
        if not area.left() - 1 <= at <= area.right() + 1:
            self.crosshair.clear()
            return
        self.crosshair.resize(self.canvas.size())
        self.crosshair.point(area, at, "", self._readings(x), has_card=has_card)

    def _readings(self, x: float) -> list[Reading]:
        found = []
        low, high = self.view.viewRange()[0]
        grace = (high - low) * 0.02
        for curve in self._curves:
            _, where = self._placed.get(curve.key, (None, None))
            if curve.is_hidden or where is None:
                continue
            spot = reading(where.x, where.main, x, grace)
            if spot is None:
                continue
            at = self._pixel(*spot)
            value = 10.0 ** spot[1] if self.options.log_y else spot[1]
            text = metrics.number(value, self.measure)
            found.append(Reading(text, curve.label, curve.color, at.y(), at.x()))
        return found

    def inner_rect(self) -> QRectF:
        """The rectangle inside the axes, in pixels of the canvas."""
        rect = self.view.sceneBoundingRect()
        return QRectF(self.canvas.mapFromScene(rect).boundingRect())

    def _pixel(self, x: float, y: float) -> QPointF:
        scene = self.view.mapViewToScene(QPointF(x, y))
        return QPointF(self.canvas.viewportTransform().map(scene))

    def _x_at(self, position: QPointF) -> float:
        return float(self.view.mapSceneToView(self.canvas.mapToScene(position.toPoint())).x())

    # -- events ----------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the mouse over the canvas."""
        if event.type() == QEvent.Type.MouseMove and isinstance(event, QMouseEvent):
            inside = self.inner_rect().contains(event.position())
            self.pointed.emit(self._x_at(event.position()) if inside else None)
        elif event.type() == QEvent.Type.MouseButtonDblClick and isinstance(event, QMouseEvent):
            if event.button() == Qt.MouseButton.LeftButton:
                self.show_all()
        elif event.type() == QEvent.Type.Leave:
            self.pointed.emit(None)
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw in the resolution of the new size at the next tick."""
        super().resizeEvent(event)
        self.is_stale = True
        self.crosshair.clear()
        self.resized.emit()

    def _zoomed_by_hand(self, *_: Any) -> None:
        self._is_auto = self._fit_y = False
        self.is_stale = True
        self.redraw()
        self.crosshair.clear()
        self.zoomed.emit(tuple(self.view.viewRange()[0]))

    def _pick(self, position: QPointF) -> None:
        pixel = self.canvas.viewportTransform().map(position)
        x = self._x_at(pixel)
        close = [(abs(r.y - pixel.y()), r.name) for r in self._readings(x)]
        best = min(close, default=None)
        key = None
        if best is not None and best[0] <= theme().px(12):
            key = next((c.key for c in self._curves if c.label == best[1]), None)
        self.picked.emit(key)

    # -- look ------------------------------------------------------------------------------------

    _fit_y = False

    def _arrange(self) -> None:
        self.canvas.setFrameShape(self.canvas.Shape.NoFrame)
        self.canvas.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.canvas.hideButtons()
        # Room for half of the last tick's words.
        self.canvas.plotItem.layout.setContentsMargins(0, 0, theme().px(14), 0)
        self.title, self.unit = QLabel(), QLabel()
        self.note = ElidedLabel("", "micro", "muted")
        self.note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        head = QHBoxLayout()
        head.setContentsMargins(theme().px(46), 0, theme().px(8), 0)
        head.setSpacing(theme().px(6))
        head.addWidget(self.title)
        head.addWidget(self.unit)
        head.addWidget(self.note, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.canvas, 1)
        self.setMinimumSize(theme().px(180), theme().px(110))

    def dress(self) -> None:
        """Take colours and fonts from the theme."""
        look = theme()
        self.canvas.setBackground(look.color("panel"))
        for axis in self.axes.values():
            axis.dress()
        labels = ((self.title, "strong", "ink"), (self.unit, "small", "muted"))
        for label, role, color in labels:
            label.setFont(look.font(role))
            label.setStyleSheet(f"color: {look.color(color).name()}; background: transparent;")
        self.title.setText(metrics.title(self.measure))
        self.title.setToolTip(self.measure)
        self.canvas.setAccessibleName(f"Plot of {metrics.title(self.measure)}")
        self._write_note()
        self.is_stale = True

    def _write_note(self) -> None:
        options = self.options
        said = [metrics.unit(self.measure), "log axis" if options.log_y else ""]
        self.unit.setText(", ".join(filter(None, said)))
        notes = [
            f"{curve.label}: {self.measure} became {curve.series.broken.word} at step "
            f"{tick_text(curve.series.broken.step, 1)}"
            for curve in self._curves
            if curve.series.broken and not curve.is_hidden
        ]
        if self._dropped:
            notes.append(f"{self._dropped:,} values of 0 or below not drawn")
        if self._without_x:
            notes.append(f"{', '.join(self._without_x)}: {options.x_mode} not known")
        if options.hide_outliers:
            notes.append("outliers outside")
        text = "; ".join(notes)
        if text != self.note.text():
            self.note.setText(text)
