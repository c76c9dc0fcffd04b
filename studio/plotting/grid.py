"""Plots beside and below each other: as many columns as the width has room for."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from studio.plotting.plot import Plot
from studio.theme import theme

_LEAST_WIDTH = 220
_LEAST_HEIGHT = 130


class PlotGrid(QScrollArea):
    """Holds plots of equal size; scrolls when they would become too low."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plots: list[Plot] = []
        self.columns = 1
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._page = QWidget()
        self.setWidget(self._page)
        self.setAccessibleName("Plots")

    def set_plots(self, plots: list[Plot]) -> None:
        """Show these plots in this order."""
        self._plots = plots
        for plot in plots:
            if plot.parentWidget() is not self._page:
                plot.setParent(self._page)
            plot.show()
        self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place the plots in the new size."""
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        look = theme()
        count = len(self._plots)
        area = self.viewport().size()
        if not count or area.width() < 1:
            return
        fitting = max(1, area.width() // look.px(_LEAST_WIDTH))
        rows = math.ceil(count / fitting)
        self.columns = math.ceil(count / rows)
        width = area.width() // self.columns
        height = max(area.height() // rows, look.px(_LEAST_HEIGHT))
        self._page.resize(area.width(), height * rows)
        for index, plot in enumerate(self._plots):
            row, column = divmod(index, self.columns)
            plot.setGeometry(column * width, row * height, width, height)
