"""How the mouse moves a plot: wheel zooms x (with Ctrl y), drag pans, double click shows all."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal


class PlotView(pg.ViewBox):  # type: ignore[misc]
    """The inner rectangle of a plot. Shift and drag zooms into a rectangle."""

    clicked_at = Signal(object)
    """A position in the scene."""

    def __init__(self) -> None:
        super().__init__(enableMenu=False, defaultPadding=0.0)
        self.disableAutoRange()

    def wheelEvent(self, ev: Any, axis: int | None = None) -> None:
        """Zoom x about the mouse; with Ctrl y; over an axis that axis."""
        if axis is None:
            axis = 1 if ev.modifiers() & Qt.KeyboardModifier.ControlModifier else 0
        super().wheelEvent(ev, axis=axis)

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:
        """Pan with the left or middle button; the right one is left alone."""
        if ev.button() == Qt.MouseButton.RightButton:
            ev.ignore()
            return
        is_box = bool(ev.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self.state["mouseMode"] = self.RectMode if is_box else self.PanMode
        super().mouseDragEvent(ev, axis=axis)

    def mouseClickEvent(self, ev: Any) -> None:
        """Tell single clicks of the left button."""
        if ev.button() == Qt.MouseButton.LeftButton and not ev.double():
            ev.accept()
            self.clicked_at.emit(ev.scenePos())
