"""Moving and resizing notes and frames; a frame takes the nodes inside it along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QMouseEvent

from studio.editor.gestures import Gesture, landing
from studio.editor.note_item import HEAD, SMALLEST, NoteItem

if TYPE_CHECKING:
    from studio.editor.view import GraphView

_ADDING = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier


class FrameDrag(Gesture):
    """Moves a note, or a frame with what is in it, as one undo step."""

    def __init__(self, view: GraphView, item: NoteItem) -> None:
        super().__init__(view)
        self.item = item
        self._rect = item.card_rect()
        self._from: dict[str, QPointF] = {}
        self._notes: dict[str, QRectF] = {}
        self._step = QPointF()

    def press(self, event: QMouseEvent) -> None:
        """Select it."""
        super().press(event)
        chosen = self.session.selection
        if event.modifiers() & _ADDING:
            chosen.set(chosen.nodes, chosen.links, dict.fromkeys((*chosen.notes, self.item.id)))
        elif self.item.id not in chosen.notes:
            chosen.set(notes=[self.item.id])

    def begin(self) -> None:
        """Find what goes along."""
        items = self.scene.node_items
        names = self.scene.inside(self.item) if self.item.is_frame else []
        self._from = {name: items[name].pos() for name in names}
        self._notes = {self.item.id: self._rect}
        if self.item.is_frame:
            others = self.scene.note_items.items()
            inner = {n: x.card_rect() for n, x in others if self._rect.contains(x.card_rect())}
            self._notes.update(inner)

    def drag(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Show it where it would go."""
        goal = self._rect.topLeft() + self.way(position)
        self._step = landing(self.session, goal) - self._rect.topLeft()
        self.scene.show_places({name: place + self._step for name, place in self._from.items()})
        for note, rect in self._notes.items():
            item = self.scene.note_items.get(note)
            if item is not None:  # an undo may come in between
                item.place(rect.translated(self._step))

    def commit(self, position: QPointF) -> None:
        """Move them in the document."""
        if self._step.isNull():
            return
        document = self.session.document
        with document.macro("Move a frame" if self.item.is_frame else "Move a note"):
            for note, rect in self._notes.items():
                moved = rect.translated(self._step)
                document.change_note(note, x=moved.x(), y=moved.y())
            places = {n: (p + self._step).toTuple() for n, p in self._from.items()}
            if places:
                document.move(places)

    def click(self, modifiers: Qt.KeyboardModifier) -> None:
        """Select only this one."""
        if not modifiers & _ADDING:
            self.session.selection.set(notes=[self.item.id])

    def cancel(self) -> None:
        """Put all back."""
        self.scene.show_places(self._from)
        self.clear()

    def clear(self) -> None:
        """Show what the document says."""
        if self.is_moving:
            self.scene.show_document_places()


class NoteResize(Gesture):
    """Pulls the lower right corner of a note or frame."""

    def __init__(self, view: GraphView, item: NoteItem) -> None:
        super().__init__(view)
        self.item = item
        self._rect = item.card_rect()
        self._new = QRectF(self._rect)

    def drag(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Show the size it would have."""
        corner = landing(self.session, self._rect.bottomRight() + self.way(position))
        self._new = QRectF(self._rect)
        self._new.setWidth(max(corner.x() - self._rect.left(), SMALLEST))
        self._new.setHeight(max(corner.y() - self._rect.top(), HEAD + 8))
        self.item.place(self._new)

    def commit(self, position: QPointF) -> None:
        """Give it that size in the document."""
        if self._new != self._rect:
            self.session.document.change_note(
                self.item.id, width=self._new.width(), height=self._new.height()
            )

    def click(self, modifiers: Qt.KeyboardModifier) -> None:
        """Select it."""
        self.session.selection.set(notes=[self.item.id])

    def clear(self) -> None:
        """Show what the document says."""
        if self.is_moving:
            self.scene.show_document_places()
