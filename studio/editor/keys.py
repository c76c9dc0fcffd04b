"""The canvas by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QKeyEvent

from backend.core.errors import DocumentError
from studio.editor.gestures import SNAP

if TYPE_CHECKING:
    from studio.editor.view import GraphView

_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


def press_key(view: GraphView, event: QKeyEvent) -> bool:
    """Do what a key means on the canvas; False for one that means nothing here."""
    key, modifiers = event.key(), event.modifiers()
    if key == Qt.Key.Key_Escape:
        return _escape(view)
    if key == Qt.Key.Key_Space and not modifiers:
        if not event.isAutoRepeat():
            view.is_space_down = True
            view.viewport().setCursor(Qt.CursorShape.OpenHandCursor)
        return True
    if key in _ARROWS:
        far = 3 if modifiers & Qt.KeyboardModifier.ShiftModifier else 1
        x, y = _ARROWS[Qt.Key(key)]
        return _nudge(view, x * SNAP * far, y * SNAP * far)
    if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
        return delete(view)
    if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
        return _enter(view)
    if key == Qt.Key.Key_A and modifiers == Qt.KeyboardModifier.ControlModifier:
        view.session.selection.set(view.scene().graph.nodes)
        return True
    if key == Qt.Key.Key_Menu:
        view.open_context_menu()
        return True
    return False


def cycle(view: GraphView, step: int) -> bool:
    """Select the next node from left to right; False beyond the last, so that focus can leave."""
    scene = view.scene()
    places = {name: item.pos() for name, item in scene.node_items.items()}
    names = sorted(places, key=lambda name: (places[name].x(), places[name].y()))
    if not names:
        return False
    current = view.session.selection.current
    index = names.index(current) + step if current in names else (0 if step > 0 else len(names) - 1)
    if not 0 <= index < len(names):
        return False
    view.session.selection.set([names[index]])
    bring_into_sight(view, names[index])
    return True


def bring_into_sight(view: GraphView, name: str) -> None:
    """Scroll no further than needed to see a node."""
    item = view.scene().node_items.get(name)
    if item is None:
        return
    rect = QRectF(view.viewportTransform().mapRect(item.card_rect()))
    room = QRectF(view.viewport().rect()).adjusted(24, 24, -24, -24)
    if not room.contains(rect):
        view.scroll_by(rect.center() - room.center())


def delete(view: GraphView) -> bool:
    """Remove what is selected, as one undo step; False without a selection."""
    chosen, document = view.session.selection, view.session.document
    nodes, links, notes = chosen.nodes, chosen.links, chosen.notes
    if not (nodes or links or notes):
        return False
    try:
        with document.macro("Delete"):
            if nodes or links:
                document.remove(nodes, links)
            if notes:
                document.remove_notes(notes)
    except DocumentError as error:
        view.session.tell(str(error), kind="bad")
    return True


def _escape(view: GraphView) -> bool:
    if view.cancel_gesture():
        return True
    chosen = view.session.selection
    if chosen.nodes or chosen.links or chosen.notes:
        chosen.set()
        return True
    return False


def _nudge(view: GraphView, x: float, y: float) -> bool:
    scene, chosen = view.scene(), view.session.selection
    items = [scene.node_items[name] for name in chosen.nodes if name in scene.node_items]
    notes = [scene.note_items[note] for note in chosen.notes if note in scene.note_items]
    if not items and not notes:
        return False
    document = view.session.document
    try:
        if items:
            places = {i.name: (i.pos().x() + x, i.pos().y() + y) for i in items}
            document.move(places, burst=True)
        for note in notes:
            corner = note.card_rect().topLeft()
            document.change_note(note.id, x=corner.x() + x, y=corner.y() + y)
    except DocumentError as error:
        view.session.tell(str(error), kind="bad")
    return True


def _enter(view: GraphView) -> bool:
    chosen = view.session.selection
    if chosen.current is not None:
        view.session.act("focus_properties", node=chosen.current)
        return True
    if chosen.notes:
        view.edit_note(chosen.notes[0])
        return True
    return False
