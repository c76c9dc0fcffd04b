"""The canvas page: the view with the map, the zoom and the quick search laid over it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.editor.minimap import Minimap, ZoomPill
from studio.editor.quick_search import QuickSearch
from studio.editor.requests import QuickRequest
from studio.editor.view import GraphView
from studio.session import Session

MARGIN = 16


class CanvasPage(QWidget):
    """The graph with what floats over it."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = GraphView(session)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self.map = Minimap(session, self.view, self)
        self.zoom = ZoomPill(self.view, self)
        self._session = session
        self._search = QuickSearch(session, self.view)
        self.view.scene().wants_node.connect(self._search.open)
        self.view.installEventFilter(self)
        self._is_map_wanted = True
        session.document.replaced.connect(self._show_overlays)
        session.document.changed.connect(self._show_overlays)

    def open_quick_search(self, place: QPointF | None = None) -> None:
        """Search for a node to put at ``place``, or in the middle."""
        x, y = self.view.place_for_paste() if place is None else (place.x(), place.y())
        self._search.open(QuickRequest(QPointF(x, y)))

    def is_map_shown(self) -> bool:
        """Whether the user wants the map."""
        return self._is_map_wanted

    def show_map(self, on: bool) -> None:
        """Show or hide the map."""
        self._is_map_wanted = on
        self._show_overlays()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep what floats in its corner."""
        if watched is self.view and event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self._place()
        return super().eventFilter(watched, event)

    def _show_overlays(self, _change: object = None) -> None:
        has_nodes = bool(self._session.document.graph.nodes)
        self.map.setVisible(self._is_map_wanted and has_nodes)
        self._place()

    def _place(self) -> None:
        bottom = self.height() - MARGIN
        self.map.move(MARGIN, bottom - self.map.height())
        left = MARGIN + (self.map.width() + 8 if not self.map.isHidden() else 0)
        self.zoom.move(left, bottom - self.zoom.height())
        self.map.raise_()
        self.zoom.raise_()
