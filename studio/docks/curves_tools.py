"""The tools of the curves: smoothing, log axis, export, and a menu with the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QWidget

from studio.docks.curves_export import CurvesExport
from studio.docks.tool_menu import attach_menu
from studio.plotting import metrics
from studio.theme import theme
from studio.widgets.button import tool
from studio.widgets.elided import ElidedLabel
from studio.widgets.painting import follow_theme
from studio.widgets.slider import Slider

if TYPE_CHECKING:
    from studio.docks.curves import CurvesWidget

_X_NAMES = (("step", "Step"), ("epoch", "Epoch"), ("time", "Time since the node began"))


class CurvesTools(QWidget):
    """What stands at the right end of the dock's strip."""

    def __init__(self, curves: CurvesWidget) -> None:
        super().__init__(curves)
        self._curves = curves
        self.exporter = CurvesExport(curves)
        self.label = ElidedLabel("Smoothing", "small", "muted")
        self.slider = Slider(
            0.0, 0.99, curves.options.weight, tick=0.86, step=0.01, name="Smoothing"
        )
        self.slider.setFixedWidth(theme().px(72))
        self.value = ElidedLabel("", "small", "ink", mono=True)
        self.log = tool("axis-arrow", "Logarithmic y axis", checkable=True, small=True)
        self.log.setChecked(curves.options.log_y)
        self.export = tool("export-variant", "Export the plots", small=True)
        self.more = tool("dots-horizontal", "Axes, metrics and zoom", small=True)
        for button, fill in ((self.export, self._fill_export), (self.more, self._fill_more)):
            attach_menu(button, fill)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme().px(6))
        for part in (self.label, self.slider, self.value, self.log, self.export, self.more):
            row.addWidget(part)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self.slider.changed.connect(self._slide)
        self.slider.settled.connect(curves.remember_smoothing)
        self.log.toggled.connect(self._set_log)
        self.show_options()
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes after a theme change."""
        self.slider.setFixedWidth(theme().px(72))
        self.show_options()

    def show_options(self) -> None:
        """Show the options as they are."""
        options = self._curves.options
        self.slider.set_value(options.weight)
        self.value.setText(f"{options.weight:.2f}")
        self.value.setFixedWidth(theme().px(32))
        self.log.setChecked(options.log_y)

    def _slide(self, value: float) -> None:
        self._curves.change(weight=value)

    def _set_log(self, on: bool) -> None:
        self._curves.change(log_y=on)

    def _fill_export(self, menu: QMenu) -> None:
        out = self.exporter
        for text, deed in (
            ("Copy picture", out.copy_picture),
            ("Copy numbers as CSV", out.copy_csv),
            ("Save as PNG...", out.save_png),
            ("Save as SVG...", out.save_svg),
            ("Save numbers as CSV...", out.save_csv),
        ):
            entry = menu.addAction(text, deed)
            entry.setEnabled(bool(self._curves.plots))

    def _fill_more(self, menu: QMenu) -> None:
        curves = self._curves
        options = curves.options
        for text, name in (
            ("Logarithmic y axis", "log_y"),
            ("Logarithmic x axis", "log_x"),
            ("Hide outliers", "hide_outliers"),
            ("Min to max band", "has_band"),
        ):
            self._switch(menu, text, getattr(options, name), Change(curves, name))
        menu.addSeparator()
        group = QActionGroup(menu)
        known = curves.known_x_modes()
        for mode, text in _X_NAMES:
            entry = self._switch(
                menu, f"x axis: {text}", options.x_mode == mode, Pick(curves, mode)
            )
            entry.setEnabled(mode in known)
            group.addAction(entry)
        menu.addSeparator()
        chosen = curves.shown_metrics()
        for metric in curves.all_metrics():
            title = metrics.title(metric)
            self._switch(menu, title, metric in chosen, Choose(curves, metric))
        menu.addSeparator()
        menu.addAction("Show every curve", curves.show_every_curve)
        menu.addAction("Show the whole range", curves.show_whole_range)

    @staticmethod
    def _switch(menu: QMenu, text: str, on: bool, deed: Callable[[bool], None]) -> QAction:
        entry = menu.addAction(text)
        entry.setCheckable(True)
        entry.setChecked(on)
        entry.toggled.connect(deed)
        return entry


class Change:
    """Sets one option of the curves when it is called."""

    def __init__(self, curves: CurvesWidget, name: str) -> None:
        self._curves, self._name = curves, name

    def __call__(self, on: Any) -> None:
        """Set the option."""
        self._curves.change(**{self._name: on})


class Pick:
    """Chooses a kind of x axis when it is called."""

    def __init__(self, curves: CurvesWidget, mode: str) -> None:
        self._curves, self._mode = curves, mode

    def __call__(self, on: bool) -> None:
        """Choose it when it was switched on."""
        if on:
            self._curves.change(x_mode=self._mode)


class Choose:
    """Shows or hides the plot of one metric when it is called."""

    def __init__(self, curves: CurvesWidget, metric: str) -> None:
        self._curves, self._metric = curves, metric

    def __call__(self, on: bool) -> None:
        """Show or hide the plot."""
        self._curves.choose_metric(self._metric, on)
