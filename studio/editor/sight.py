"""Which part of the scene a view shows, and how large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPointF, QRectF

from studio.editor.motion import Eased
from studio.theme import theme

if TYPE_CHECKING:
    from studio.editor.view import GraphView

LEAST, MOST = 0.25, 2.0
"""Zooms that the wheel reaches; a graph too large for the least may be fitted smaller."""
LEAST_FIT = 0.05
FIT_MARGIN = 24.0


class Sight(QObject):
    """Zoom and place of a view. Cards grow with the user's text scale by way of the zoom."""

    def __init__(self, view: GraphView) -> None:
        super().__init__(view)
        self.zoom = 1.0
        self.is_fitted = True
        """Whether the sight is that of the last fit, so that another size asks for a new one."""
        self._view = view
        self._way: tuple[float, QPointF, float, QPointF] | None = None
        self._eased = Eased(self, "fit_view", self._show_between)

    def set_zoom(self, zoom: float, about: QPointF | None = None) -> None:
        """Zoom (clamped) and keep the point ``about`` of the viewport, or the middle, in place."""
        self.stop()
        self.is_fitted = False
        view = self._view
        zoom = min(max(zoom, min(LEAST, self.zoom)), MOST)
        place = QPointF(view.viewport().rect().center()) if about is None else about
        before = view.to_scene(place)
        self._apply(zoom)
        self.scroll_by(view.viewportTransform().map(before) - place)

    def scroll_by(self, delta: QPointF) -> None:
        """Move by pixels of the viewport."""
        self.is_fitted = False
        bars = (self._view.horizontalScrollBar(), self._view.verticalScrollBar())
        for bar, step in zip(bars, (delta.x(), delta.y()), strict=True):
            bar.setValue(bar.value() + round(step))

    def fit(self, *, at_once: bool = False) -> None:
        """Show all that is on the canvas, at most at 100 %."""
        rect = self._view.scene().content_rect()
        zoom, center = self._fitting(rect), rect.center()
        if at_once:
            self.stop()
            self.is_fitted = True
            self._apply(zoom)
            self._view.centerOn(center)
        else:
            self.glide(zoom, center)
            self.is_fitted = True  # on its way there; another size ends the way in the new fit

    def glide(self, zoom: float, center: QPointF) -> None:
        """Go to a zoom and a place, eased."""
        self.is_fitted = False
        start = self._view.mapToScene(self._view.viewport().rect().center())
        self._way = (self.zoom, start, min(zoom, MOST), center)
        self._eased.start()

    def refresh(self) -> None:
        """Take over another text scale."""
        center = self._view.mapToScene(self._view.viewport().rect().center())
        self._apply(self.zoom)
        self._view.centerOn(center)

    def stop(self) -> None:
        """Stay here."""
        self._eased.stop()

    @property
    def is_gliding(self) -> bool:
        """Whether it is on its way."""
        return self._eased.is_moving

    def _fitting(self, rect: QRectF) -> float:
        if rect.isEmpty():
            return 1.0
        room, scale = self._view.viewport().size(), theme().scale
        wide = (room.width() - 2 * FIT_MARGIN) / rect.width() / scale
        high = (room.height() - 2 * FIT_MARGIN) / rect.height() / scale
        return min(max(min(wide, high), LEAST_FIT), 1.0)

    def _apply(self, zoom: float) -> None:
        self.zoom = zoom
        scale = zoom * theme().scale
        self._view.resetTransform()
        self._view.scale(scale, scale)
        self._view.zoom_changed.emit(zoom)

    def _show_between(self, share: float) -> None:
        if self._way is not None:
            zoom, start, to_zoom, end = self._way
            self._apply(zoom + (to_zoom - zoom) * share)
            self._view.centerOn(start + (end - start) * share)
