"""The Curves dock: what the run in focus and the marked runs measure, one plot a metric."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from studio.docks.curve_source import CurveSource
from studio.docks.curves_tools import CurvesTools
from studio.docks.memory import Memory
from studio.plotting import smoothing
from studio.plotting.axis import tick_text
from studio.plotting.curve import Options, XMode
from studio.plotting.figure import Figure
from studio.plotting.grid import PlotGrid
from studio.plotting.legend import Legend
from studio.plotting.plot import Plot
from studio.theme import theme
from studio.widgets.elided import ElidedLabel
from studio.widgets.empty_state import EmptyState

if TYPE_CHECKING:
    from studio.session import Session

_MOST_PLOTS = 4
_SLICE_SECONDS = 0.006
_PAUSE_MS = 10
_BUSY = 3
"""A redraw may take one part in this many plus one of the time."""


class CurvesWidget(QWidget):
    """Small multiples with one legend. Redraws at 10 Hz at most, and only while it is visible."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.source = CurveSource(session)
        self._memory = Memory(session.workspace, "curves")
        self.options = self._remembered()
        self.plots: dict[str, Plot] = {}
        self._watched: list[Any] = []
        self._seen: tuple[Any, ...] = ()
        self._needs_runs = True
        self._tools: CurvesTools | None = None
        self._left: list[Plot] = []
        self._has_news = False
        self._cost = 0.0
        self._interval = theme().motion("curve_redraw") or 100
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._turn)
        self._build()
        session.focus_changed.connect(self._runs_changed)
        session.marks_changed.connect(self._runs_changed)
        session.settings.changed.connect(self._settings_changed)
        theme().changed.connect(self._dress)
        self.setAccessibleName("Curves")

    def tools(self) -> QWidget:
        """Return what stands at the right end of the dock's strip."""
        if self._tools is None:
            self._tools = CurvesTools(self)
        return self._tools

    # -- options ---------------------------------------------------------------------------------

    def change(self, **fields: Any) -> None:
        """Draw all plots in another way: fields of :class:`Options`."""
        self.options = replace(self.options, **fields)
        for plot in self.plots.values():
            plot.set_options(self.options)
        kept = {k: v for k, v in vars(self.options).items() if k != "weight"}
        self._memory.set(**kept)
        if self._tools is not None:
            self._tools.show_options()
        self._say_reading()
        self._redraw_all()

    @Slot(float)
    def remember_smoothing(self, weight: float) -> None:
        """Keep the smoothing for the next start."""
        self.session.settings.set(smoothing=round(weight, 2))

    def all_metrics(self) -> list[str]:
        """Every metric that the shown runs have."""
        return list(self.source.metrics())

    def shown_metrics(self) -> list[str]:
        """Metrics with a plot: the chosen ones, else those that change while a node works."""
        counts = self.source.metrics()
        chosen = self._memory.get("metrics", [])
        found = [metric for metric in counts if metric in chosen]
        if found:
            return found
        moving = [metric for metric, count in counts.items() if count > 1 and metric != "lr"]
        return (moving or [m for m, count in counts.items() if count > 1] or list(counts))[
            :_MOST_PLOTS
        ]

    def choose_metric(self, metric: str, on: bool) -> None:
        """Show or hide the plot of a metric; the last plot stays."""
        shown = [name for name in self.shown_metrics() if name != metric]
        chosen = [*shown, metric] if on else shown
        if chosen:
            # What other runs were given stays chosen, though this one does not have it.
            absent = [m for m in self._memory.get("metrics", []) if m not in self.source.metrics()]
            self._memory.set(metrics=[*absent, *chosen])
            self._arrange()

    def known_x_modes(self) -> set[XMode]:
        """Kinds of x axis that at least one curve has."""
        found: set[XMode] = set()
        for plot in self.plots.values():
            for curve in plot.curves:
                for mode in get_args(XMode):
                    if curve.x(replace(self.options, x_mode=mode)) is not None:
                        found.add(mode)
        return found

    # -- legend ----------------------------------------------------------------------------------

    @Slot(object)
    def toggle_curve(self, key: Any) -> None:
        """Hide or show the curves of one node of one run."""
        self.source.hidden ^= {key}
        self._arrange()

    @Slot(object)
    def solo_curve(self, key: Any) -> None:
        """Show this alone; a second time shows all again."""
        others = {entry.curve.key for entry in self.legend.entries} - {key}
        is_alone = key not in self.source.hidden and others <= self.source.hidden
        self.source.hidden = set() if is_alone and others else others  # type: ignore[assignment]
        self._arrange()

    def show_every_curve(self) -> None:
        """Hide none."""
        self.source.hidden = set()
        self._arrange()

    @Slot(object)
    def emphasise(self, key: Hashable | None) -> None:
        """Let the other curves step back; None: all are equal."""
        for plot in self.plots.values():
            plot.set_emphasis(key)
        self._later()

    # -- zoom and crosshair ----------------------------------------------------------------------

    def show_whole_range(self) -> None:
        """Undo every zoom."""
        for plot in self.plots.values():
            plot.set_range(None)

    @Slot(object)
    def _zoomed(self, x_range: tuple[float, float] | None) -> None:
        for plot in self.plots.values():
            if plot is not self.sender():
                plot.set_range(x_range)

    @Slot(object)
    def _pointed(self, x: float | None) -> None:
        for plot in self.plots.values():
            plot.point_at(x, has_card=plot is self.sender())
        if x is None:
            self.place.setText("")
            return
        value = 10.0**x if self.options.log_x else x
        if self.options.x_mode == "step":
            self.place.setText(f"step {round(value):,}")
        elif self.options.x_mode == "epoch":
            self.place.setText(f"epoch {value:.2f}")
        else:
            self.place.setText(f"{tick_text(round(value, 1), 0.1)} s")

    # -- following runs --------------------------------------------------------------------------

    @Slot()
    def _runs_changed(self) -> None:
        self._needs_runs = True
        self._later()

    @Slot(object)
    def _run_changed(self, _events: object) -> None:
        self._later()

    @Slot()
    def _settings_changed(self) -> None:
        weight = self.session.settings.values.smoothing
        if weight != self.options.weight:
            self.change(weight=weight)

    def _later(self) -> None:
        self._has_news = True
        if self.isVisible() and not self._timer.isActive():
            self._timer.start(self._interval)

    @Slot()
    def _turn(self) -> None:
        self.tick(_SLICE_SECONDS)

    def tick(self, seconds: float = math.inf) -> None:
        """Read what is new and draw what changed, for about ``seconds``; the rest a moment later.

        With many runs the plots take turns, so that the window answers between them.
        """
        if not self.isVisible():
            return
        began = time.perf_counter()
        if not self._left:
            self._read()
        while self._left:
            self._left.pop(0).redraw()
            if time.perf_counter() - began > seconds:
                break
        self._cost += time.perf_counter() - began
        if self._left:
            self._timer.start(_PAUSE_MS)
            return
        least = theme().motion("curve_redraw") or 100
        self._interval = int(max(least, _BUSY * 1000 * self._cost))
        self._cost = 0.0
        if self._has_news:
            self._timer.start(self._interval)

    def _read(self) -> None:
        self._has_news = False
        if self._needs_runs:
            self._follow()
        changed = self.source.read()
        if self._structure() != self._seen:
            self._arrange()
        for metric in changed & set(self.plots):
            self.plots[metric].is_stale = True
        self._left = [plot for plot in self.plots.values() if plot.is_stale]

    def _follow(self) -> None:
        self._needs_runs = False
        for watch in self._watched:
            watch.changed.disconnect(self._run_changed)
        self.source.choose_runs()
        self._watched = list(self.source.watches)
        for watch in self._watched:
            watch.changed.connect(self._run_changed)
        self._seen = ()

    def _structure(self) -> tuple[Any, ...]:
        """What the arrangement depends on: nodes, their states, and which metrics have a line."""
        return tuple(
            (
                watch.name,
                tuple((key, min(len(p.steps), 2)) for key, p in watch.fold.series.items()),
                tuple((name, node.state, node.total) for name, node in watch.fold.nodes.items()),
            )
            for watch in self.source.watches
        )

    def _arrange(self) -> None:
        self._seen = self._structure()
        self.source.read()
        shown = self.shown_metrics()
        for metric in [metric for metric in self.plots if metric not in shown]:
            plot = self.plots.pop(metric)
            self._left = [left for left in self._left if left is not plot]
            plot.hide()
            plot.deleteLater()
        for metric in shown:
            plot = self.plots.get(metric) or self._make_plot(metric)
            self.plots[metric] = plot
            plot.set_curves(self.source.curves(metric))
        self.plots = {metric: self.plots[metric] for metric in shown}
        self.grid.set_plots(list(self.plots.values()))
        self.legend.show_curves(self.source.entries(shown))
        self._stack.setCurrentWidget(self._full if shown else self._empty)
        self._redraw_all()

    def _make_plot(self, metric: str) -> Plot:
        plot = Plot(metric, self.grid)
        plot.set_options(self.options)
        plot.pointed.connect(self._pointed)
        plot.zoomed.connect(self._zoomed)
        plot.picked.connect(self.emphasise)
        plot.resized.connect(self._later_again)
        return plot

    @Slot()
    def _later_again(self) -> None:
        self._later()

    def _redraw_all(self) -> None:
        if self.isVisible():
            for plot in self.plots.values():
                plot.redraw()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what happened while nobody looked."""
        super().showEvent(event)
        self._later()

    def hideEvent(self, event: QHideEvent) -> None:
        """Draw nothing while hidden."""
        self._timer.stop()
        super().hideEvent(event)

    def figure(self) -> Figure:
        """Return what an export draws: the plots as they stand in the dock."""
        shown = [entry.curve for entry in self.legend.entries if not entry.curve.is_hidden]
        return Figure(list(self.plots.values()), shown, self.legend.sample.text, self.grid.columns)

    # -- look ------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.legend = Legend()
        self.place = ElidedLabel("", "small", "muted", mono=True)
        self.place.setFixedSize(theme().px(90), theme().px(24))
        self.grid = PlotGrid()
        self._empty = EmptyState(
            "chart-line-variant", "Curves appear when a node trains.", "Run to here", self._run
        )
        head = QHBoxLayout()
        head.setContentsMargins(theme().px(12), theme().px(4), theme().px(12), 0)
        head.setSpacing(theme().px(12))
        head.addWidget(self.legend, 1)
        head.addWidget(self.place, 0, Qt.AlignmentFlag.AlignTop)
        self._full = QWidget()
        column = QVBoxLayout(self._full)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.grid, 1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._full)
        self.legend.toggled_curve.connect(self.toggle_curve)
        self.legend.soloed.connect(self.solo_curve)
        self.legend.hovered.connect(self.emphasise)
        self._say_reading()

    def _run(self) -> None:
        self.session.act("run_here" if self.session.selection.current else "run")

    def _say_reading(self) -> None:
        weight = self.options.weight
        band = ", min to max band" if self.options.has_band else ""
        words = smoothing.in_words(weight)
        self.legend.sample.set_text(
            f"raw line{band}, {words}" if weight > 0 else "raw line, not smoothed"
        )

    def _remembered(self) -> Options:
        known = {name: self._memory.get(name, value) for name, value in vars(Options()).items()}
        if known["x_mode"] not in get_args(XMode):
            known["x_mode"] = "step"
        return Options(**{**known, "weight": self.session.settings.values.smoothing})

    @Slot()
    def _dress(self) -> None:
        for plot in self.plots.values():
            plot.dress()
        self._say_reading()
        self._later()


class CurvesDock:
    """Curves over steps, live and of old runs."""

    NAME = "curves"
    TITLE = "Curves"
    ICON = "chart-line-variant"
    AREA = "bottom"
    KINDS: tuple[str, ...] = ()
    WIDGET = CurvesWidget
