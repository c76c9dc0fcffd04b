"""Gestures of the mouse, one class each: press, move, release, or cancel by Esc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QApplication,
    QGraphicsItem,
    QGraphicsRectItem,
    QStyleOptionGraphicsItem,
    QWidget,
)

from backend.core.errors import DocumentError
from studio.editor.hits import Hit
from studio.theme import theme
from studio.tokens import token

if TYPE_CHECKING:
    from studio.editor.view import GraphView
    from studio.session import Session

SNAP = float(token("space.canvas_snap"))
_ADDING = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier


class Gesture:
    """What the mouse does between press and release. Nothing reaches the document before that."""

    button = Qt.MouseButton.LeftButton

    def __init__(self, view: GraphView) -> None:
        self.view = view
        self.scene = view.scene()
        self.session = view.session
        self.started = QPointF()
        self.origin = QPointF()
        """Where the press was in the scene; the sight may move meanwhile."""
        self.is_moving = False

    def press(self, event: QMouseEvent) -> None:
        """Begin."""
        self.started = event.position()
        self.origin = self.view.to_scene(self.started)

    def move(self, event: QMouseEvent) -> None:
        """Go on; a tremble of the hand is no movement yet."""
        way = QLineF(self.started, event.position()).length()
        if not self.is_moving and way < QApplication.startDragDistance() / 2:
            return
        if not self.is_moving:
            self.is_moving = True
            self.begin()
        if not isinstance(self, Pan):
            self._follow(event.position())
        self.drag(event.position(), event.modifiers())

    def release(self, event: QMouseEvent) -> None:
        """End: commit what was dragged, or take it as a click."""
        try:
            if self.is_moving:
                self.commit(event.position())
            else:
                self.click(event.modifiers())
        except DocumentError as error:
            self.session.tell(str(error), kind="bad")
        finally:
            self.clear()

    def cancel(self) -> None:
        """Give up; all is as before."""
        self.clear()

    def begin(self) -> None:
        """Prepare when the first movement comes."""

    def drag(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Follow the pointer, which is at a point of the viewport."""

    def commit(self, position: QPointF) -> None:
        """Make the edit."""

    def click(self, modifiers: Qt.KeyboardModifier) -> None:
        """Treat a press without movement."""

    def clear(self) -> None:
        """Take away what was shown meanwhile."""

    def way(self, position: QPointF) -> QPointF:
        """Return how far the pointer went, in scene coordinates."""
        return self.view.to_scene(position) - self.origin

    def _follow(self, position: QPointF) -> None:
        """Move the sight along when the pointer leaves it."""
        rect = QRectF(self.view.viewport().rect())
        x = min(position.x() - rect.left(), 0.0) + max(position.x() - rect.right(), 0.0)
        y = min(position.y() - rect.top(), 0.0) + max(position.y() - rect.bottom(), 0.0)
        if x or y:
            most = 24.0
            self.view.scroll_by(QPointF(min(max(x, -most), most), min(max(y, -most), most)))


def gesture_for(view: GraphView, hit: Hit, event: QMouseEvent) -> Gesture | None:
    """Choose the gesture that a press begins."""
    from studio.editor.link_drag import LinkDrag
    from studio.editor.note_drag import FrameDrag, NoteResize

    if event.button() == Qt.MouseButton.MiddleButton:
        return Pan(view, Qt.MouseButton.MiddleButton)
    if event.button() != Qt.MouseButton.LeftButton:
        return None
    if view.is_space_down:
        return Pan(view, Qt.MouseButton.LeftButton)
    if hit.node is not None and hit.port is not None:
        return LinkDrag(view, hit)
    if hit.node is not None:
        return MoveDrag(view, hit.node.name, event.modifiers())
    if hit.link is not None:
        return LinkClick(view, hit)
    if hit.note is not None:
        return NoteResize(view, hit.note) if hit.part == "corner" else FrameDrag(view, hit.note)
    return RubberBand(view, bool(event.modifiers() & _ADDING))


class Pan(Gesture):
    """Moves the sight: middle button, or left with Space."""

    def __init__(self, view: GraphView, button: Qt.MouseButton) -> None:
        super().__init__(view)
        self.button = button
        self._last = QPointF()

    def press(self, event: QMouseEvent) -> None:
        """Close the hand."""
        super().press(event)
        self._last = event.position()
        self.view.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)

    def drag(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Let the ground follow the pointer."""
        step = position - self._last
        self._last = position
        self.view.scroll_by(-step)

    def clear(self) -> None:
        """Open the hand."""
        if self.view.is_space_down:
            self.view.viewport().setCursor(Qt.CursorShape.OpenHandCursor)
        else:
            self.view.viewport().unsetCursor()


class LinkClick(Gesture):
    """Selects a link."""

    def __init__(self, view: GraphView, hit: Hit) -> None:
        super().__init__(view)
        assert hit.link is not None
        self._link = hit.link.link

    def click(self, modifiers: Qt.KeyboardModifier) -> None:
        """Select it; with Shift or Ctrl beside the others."""
        chosen = self.session.selection
        if not modifiers & _ADDING:
            chosen.set(links=[self._link])
        elif self._link in chosen.links:
            rest = [link for link in chosen.links if link != self._link]
            chosen.set(chosen.nodes, rest, chosen.notes)
        else:
            chosen.set(chosen.nodes, (*chosen.links, self._link), chosen.notes)


class MoveDrag(Gesture):
    """Moves the selected nodes on a grid of 8, as one undo step."""

    def __init__(self, view: GraphView, name: str, modifiers: Qt.KeyboardModifier) -> None:
        super().__init__(view)
        self.name = name
        self._is_adding = bool(modifiers & _ADDING)
        self._was_chosen = name in self.session.selection.nodes
        self._from: dict[str, QPointF] = {}
        self._notes: dict[str, QPointF] = {}
        self._to: dict[str, QPointF] = {}
        self._guides = Guides()

    def press(self, event: QMouseEvent) -> None:
        """Select the node under the pointer, unless it is one of several."""
        super().press(event)
        chosen = self.session.selection
        if not self._was_chosen:
            others = (chosen.nodes, chosen.links, chosen.notes) if self._is_adding else ((), (), ())
            chosen.set((*others[0], self.name), others[1], others[2])

    def begin(self) -> None:
        """Remember where they were."""
        chosen = self.session.selection
        names = chosen.nodes if self.name in chosen.nodes else (self.name,)
        items = self.scene.node_items
        self._from = {name: items[name].pos() for name in names if name in items}
        notes = self.scene.note_items
        self._notes = {n: notes[n].card_rect().topLeft() for n in chosen.notes if n in notes}
        self.scene.addItem(self._guides)

    def drag(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Show them where they would go."""
        lead = self._from[self.name]
        goal = lead + self.way(position)
        step = landing(self.session, goal) - lead
        self._to = {name: place + step for name, place in self._from.items()}
        self.scene.show_places(self._to)
        for note, corner in self._notes.items():
            item = self.scene.note_items.get(note)
            if item is not None:
                item.place(QRectF(corner + step, item.card_rect().size()))
        self._guides.show_for(self._edges(), self.scene.bounds_of(self._to))

    def commit(self, position: QPointF) -> None:
        """Move them in the document; a lone node dropped on a link goes into it."""
        from studio.editor.splice import splice_into, splice_target

        moved = {n: (p.x(), p.y()) for n, p in self._to.items() if p != self._from[n]}
        if not moved:
            return
        document = self.session.document
        link = None
        if len(self._to) == 1 and not self._notes:
            link = splice_target(self.scene, self.name, self.view.to_scene(position))
        with document.macro("Move" if link is None else f"Put {self.name} into a link"):
            document.move(moved)
            step = next(iter(self._to.values())) - next(iter(self._from.values()))
            for note, corner in self._notes.items():
                document.change_note(note, x=corner.x() + step.x(), y=corner.y() + step.y())
            if link is not None:
                splice_into(self.scene, self.name, link)

    def click(self, modifiers: Qt.KeyboardModifier) -> None:
        """Select only this node, or take it out with Shift or Ctrl."""
        chosen = self.session.selection
        if self._is_adding and self._was_chosen:
            rest = [name for name in chosen.nodes if name != self.name]
            chosen.set(rest, chosen.links, chosen.notes)
        elif not self._is_adding:
            chosen.set([self.name])

    def clear(self) -> None:
        """Show what the document says."""
        if self._guides.scene() is not None:
            self.scene.removeItem(self._guides)
        if self.is_moving:
            self.scene.show_document_places()

    def cancel(self) -> None:
        """Put them back where they were."""
        self.scene.show_places(self._from)
        self.clear()

    def _edges(self) -> tuple[set[float], set[float]]:
        """Left and top edges of the cards in sight that stay."""
        sight = self.view.mapToScene(self.view.viewport().rect()).boundingRect()
        rects = [x.card_rect() for n, x in self.scene.node_items.items() if n not in self._to]
        seen = [rect for rect in rects if sight.intersects(rect)]
        return {rect.left() for rect in seen}, {rect.top() for rect in seen}


class RubberBand(Gesture):
    """Selects what a rectangle touches; with Shift or Ctrl beside what is selected."""

    def __init__(self, view: GraphView, is_adding: bool) -> None:
        super().__init__(view)
        self._before = view.session.selection.nodes if is_adding else ()
        self._is_adding = is_adding
        self._band = QGraphicsRectItem()
        self._band.setZValue(20)

    def begin(self) -> None:
        """Show the band."""
        blade = theme().color("blade")
        pen = QPen(blade, 1)
        pen.setCosmetic(True)
        self._band.setPen(pen)
        blade.setAlphaF(0.1)
        self._band.setBrush(blade)
        self.scene.addItem(self._band)

    def drag(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Select what it touches now."""
        rect = QRectF(self.origin, self.view.to_scene(position)).normalized()
        self._band.setRect(rect)
        names = [n for n, x in self.scene.node_items.items() if rect.intersects(x.card_rect())]
        notes = [n for n, x in self.scene.note_items.items() if rect.contains(x.card_rect())]
        self.session.selection.set(dict.fromkeys((*self._before, *names)), notes=notes)

    def click(self, modifiers: Qt.KeyboardModifier) -> None:
        """Select nothing."""
        if not self._is_adding:
            self.session.selection.set()

    def cancel(self) -> None:
        """Select what was selected."""
        self.session.selection.set(self._before)
        self.clear()

    def clear(self) -> None:
        """Take the band away."""
        if self._band.scene() is not None:
            self.scene.removeItem(self._band)


class Guides(QGraphicsItem):
    """Thin lines where the edge of what is moved meets the edge of another card."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[QLineF] = []
        self._rect = QRectF()
        self.setZValue(15)

    def show_for(self, edges: tuple[set[float], set[float]], moved: QRectF) -> None:
        """Show the lines on which ``moved`` lies."""
        self.prepareGeometryChange()
        far = 4000.0
        self._lines = []
        if moved.left() in edges[0]:
            x = moved.left()
            self._lines.append(QLineF(x, moved.top() - far, x, moved.bottom() + far))
        if moved.top() in edges[1]:
            y = moved.top()
            self._lines.append(QLineF(moved.left() - far, y, moved.right() + far, y))
        self._rect = moved.adjusted(-far, -far, far, far) if self._lines else QRectF()

    @property
    def count(self) -> int:
        """How many lines are shown."""
        return len(self._lines)

    def boundingRect(self) -> QRectF:
        """All that the lines reach."""
        return self._rect

    def paint(
        self,
        painter: QPainter,
        _option: QStyleOptionGraphicsItem,
        _widget: QWidget | None = None,
    ) -> None:
        """Paint the lines."""
        pen = QPen(theme().color("border_strong"), 1, Qt.PenStyle.DashLine)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.drawLines(self._lines)


def landing(session: Session, goal: QPointF) -> QPointF:
    """Return where a thing dragged to ``goal`` lands: on the grid, or on a whole pixel."""
    step = SNAP if session.settings.values.grid_snap else 1.0
    return QPointF(round(goal.x() / step) * step, round(goal.y() / step) * step)
