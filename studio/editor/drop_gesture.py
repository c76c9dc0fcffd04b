"""A node dragged from the palette: its outline follows, and a link that it fits into lights up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QPen
from PySide6.QtWidgets import QGraphicsRectItem

from backend.core.errors import DocumentError
from backend.core.graph import Link
from studio.editor.gestures import landing
from studio.editor.node_card import HEADER, WIDTH
from studio.editor.splice import fitting_ports, link_near, splice_into
from studio.theme import theme

if TYPE_CHECKING:
    from studio.editor.view import GraphView

MIME = "application/x-fretsaw-node"


class DropFromPalette:
    """Takes a kind of node from a drag and puts one where it is dropped."""

    def __init__(self, view: GraphView) -> None:
        self.view = view
        self.link: Link | None = None
        """The link that the node would go into."""
        self._ghost: QGraphicsRectItem | None = None

    def enter(self, event: QDragEnterEvent) -> None:
        """Take nodes only; files are for the window."""
        if self._type(event.mimeData()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
        else:
            event.ignore()

    def move(self, event: QDragMoveEvent) -> None:
        """Show where it would go."""
        type_id = self._type(event.mimeData())
        if not type_id:
            event.ignore()
            return
        point = self.view.to_scene(event.position())
        self._show_ghost(point)
        link = link_near(self.view.scene(), point)
        self._light(link if link and fitting_ports(self.view.scene(), type_id, link) else None)
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def release(self, event: QDropEvent) -> None:
        """Add the node, as one undo step with the links when it goes into one."""
        type_id = self._type(event.mimeData())
        self.cancel()
        if not type_id:
            event.ignore()
            return
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        point = self.view.to_scene(event.position())
        try:
            name = self.drop(type_id, point)
        except DocumentError as error:
            self.view.session.tell(str(error), kind="bad")
            return
        self.view.session.selection.set([name])
        self.view.setFocus(Qt.FocusReason.MouseFocusReason)

    def drop(self, type_id: str, point: QPointF) -> str:
        """Add a node of a kind at a point of the scene; returns its name.

        Raises:
            DocumentError: the document refuses it.
        """
        scene, document = self.view.scene(), self.view.session.document
        at = self._corner(point).toTuple()
        link = link_near(scene, point)
        if link is None or not fitting_ports(scene, type_id, link):
            return document.add(type_id, at=at)
        with document.macro("Put a node into a link"):
            name = document.add(type_id, at=at)
            splice_into(scene, name, link)
        return name

    def cancel(self) -> None:
        """Take the outline away."""
        self._light(None)
        if self._ghost is not None:
            self.view.scene().removeItem(self._ghost)
            self._ghost = None

    @staticmethod
    def _type(data: QMimeData) -> str:
        return (
            bytes(data.data(MIME).data()).decode(errors="replace") if data.hasFormat(MIME) else ""
        )

    def _show_ghost(self, point: QPointF) -> None:
        if self._ghost is None:
            self._ghost = QGraphicsRectItem()
            pen = QPen(theme().color("ink"), 1, Qt.PenStyle.DashLine)
            pen.setCosmetic(True)
            self._ghost.setPen(pen)
            self._ghost.setZValue(20)
            self.view.scene().addItem(self._ghost)
        self._ghost.setRect(QRectF(self._corner(point), QSizeF(WIDTH, 120)))

    def _corner(self, point: QPointF) -> QPointF:
        """Where the card begins whose head is held in the middle."""
        return landing(self.view.session, point - QPointF(WIDTH / 2, HEADER / 2))

    def _light(self, link: Link | None) -> None:
        scene = self.view.scene()
        for known in {self.link, link} - {None}:
            if known in scene.link_items:
                scene.link_items[known].update()
        self.link = link
        scene.state.hovered_link = link
