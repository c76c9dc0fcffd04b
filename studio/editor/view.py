"""The canvas as a widget: what is seen of the scene, and which gesture the mouse is making."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QContextMenuEvent,
    QCursor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QHelpEvent,
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPixmapCache,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QGraphicsView, QToolTip

from studio.editor import grid, picture
from studio.editor.drop_gesture import DropFromPalette
from studio.editor.gestures import Gesture, Pan, gesture_for
from studio.editor.hits import Hit, choose
from studio.editor.keys import press_key
from studio.editor.motion import Pulse
from studio.editor.note_edit import NoteEdit
from studio.editor.parts import press_part
from studio.editor.pinch import pinched
from studio.editor.requests import QuickRequest
from studio.editor.scene import GraphScene
from studio.editor.sight import Sight
from studio.editor.tips import tip_of
from studio.session import Session
from studio.theme import theme

CACHE_KB = 96 * 1024
"""Room for the pixmaps of cards; Qt's own limit holds about twenty at 200 %."""
_STEP = 1.1


class GraphView(QGraphicsView):
    """Shows the graph of the document and turns mouse, keys and drops into edits of it."""

    zoom_changed = Signal(float)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._scene = GraphScene(session)
        self._scene.setParent(self)
        self.setScene(self._scene)
        QPixmapCache.setCacheLimit(max(QPixmapCache.cacheLimit(), CACHE_KB))
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.SmartViewportUpdate)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontAdjustForAntialiasing)
        self.setCacheMode(QGraphicsView.CacheModeFlag.CacheBackground)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        for bars in (self.setHorizontalScrollBarPolicy, self.setVerticalScrollBarPolicy):
            bars(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QGraphicsView.Shape.NoFrame)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(160, 120)
        self.grabGesture(Qt.GestureType.PinchGesture)
        self.sight = Sight(self)
        self.is_space_down = False
        self.gesture: Gesture | None = None
        self.drop = DropFromPalette(self)
        self.note_edit = NoteEdit(self)
        self._pulse = Pulse(self)
        self.sight.fit(at_once=True)
        self.setAccessibleName("Canvas")
        session.selection.changed.connect(self.describe)
        session.document.replaced.connect(self._replaced)
        self._scene.running_changed.connect(self._pulse.wind)
        self._scene.running_changed.connect(self.describe)
        theme().changed.connect(self._restyle)
        self._restyle()
        self.describe()

    def scene(self) -> GraphScene:
        """The scene; there is only this one."""
        return self._scene

    # -- zoom and place --------------------------------------------------------------------------

    @property
    def zoom_level(self) -> float:
        """The zoom, 1 for 100 %. The user's text scale multiplies it on the screen."""
        return self.sight.zoom

    def zoom(self, factor: float) -> None:
        """Zoom in or out about the middle."""
        self.sight.set_zoom(self.sight.zoom * factor)

    def set_zoom(self, zoom: float, about: QPointF | None = None) -> None:
        """Zoom to ``zoom`` (clamped) and keep the point ``about`` of the viewport where it is."""
        self.sight.set_zoom(zoom, about)

    def scroll_by(self, delta: QPointF) -> None:
        """Move the sight by pixels of the viewport."""
        self.sight.scroll_by(delta)

    def zoom_to_fit(self) -> None:
        """Show all that is on the canvas, at most at 100 %."""
        self.sight.fit()

    def center_on_node(self, name: str) -> None:
        """Bring a node into the middle; zooms in where its card could not be read."""
        item = self._scene.node_items.get(name)
        if item is not None:
            self.sight.glide(max(self.sight.zoom, 0.75), item.card_rect().center())

    def sizes(self) -> dict[str, tuple[float, float]]:
        """Return ``{node: (width, height)}`` of the cards."""
        return self._scene.sizes()

    def bounds_of(self, names: Iterable[str]) -> QRectF:
        """Return the rectangle of the cards of these nodes."""
        return self._scene.bounds_of(names)

    def place_for_paste(self) -> tuple[float, float]:
        """Return where new things go: under the pointer if it is here, else in the middle."""
        place = self.viewport().mapFromGlobal(QCursor.pos())
        rect = self.viewport().rect()
        is_here = self.viewport().underMouse() and rect.contains(place)
        point = self.mapToScene(place if is_here else rect.center())
        return round(point.x() / 8) * 8.0, round(point.y() / 8) * 8.0

    def edit_note(self, note: str) -> None:
        """Write in a note or in the title of a frame."""
        self.note_edit.begin(note)

    def grab_picture(self, scale: float = 2.0) -> QImage:
        """Return a picture of the whole graph at ``scale`` pixels to one of the canvas."""
        return picture.raster(self._scene, scale)

    def save_picture(self, path: Path) -> None:
        """Write a picture of the whole graph; the ending says PNG or SVG.

        Raises:
            DocumentError: it cannot be written there.
        """
        picture.save(self._scene, path)

    def _replaced(self) -> None:
        self.cancel_gesture()
        self.note_edit.end(keep=False)
        self.sight.fit(at_once=True)
        self.describe()

    # -- gestures --------------------------------------------------------------------------------

    def hit_at(self, position: QPointF) -> Hit:
        """Return what is at a point of the viewport."""
        return self._scene.hit(self.to_scene(position), self.sight.zoom)

    def to_scene(self, position: QPointF) -> QPointF:
        """Map a point of the viewport, fractions kept."""
        return self.viewportTransform().inverted()[0].map(position)

    def cancel_gesture(self) -> bool:
        """Give up what the mouse is doing; True if it was doing anything."""
        gesture, self.gesture = self.gesture, None
        if gesture is not None:
            gesture.cancel()
        return gesture is not None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin the gesture that fits what is under the pointer."""
        self.note_edit.end(keep=True)
        self.sight.stop()
        if self.gesture is not None:
            event.accept()
            return
        hit = self.hit_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and press_part(self, hit):
            event.accept()
            return
        self.gesture = gesture_for(self, hit, event)
        if self.gesture is not None:
            self.gesture.press(event)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with the gesture, or show what the pointer is over."""
        if self.gesture is not None:
            self.gesture.move(event)
        else:
            hit = self.hit_at(event.position())
            self._scene.hover(hit)
            self._show_cursor(hit)
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the gesture."""
        gesture = self.gesture
        if gesture is not None and event.button() == gesture.button:
            self.gesture = None
            gesture.release(event)
            self._scene.hover(self.hit_at(event.position()))
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Write in a note, go to a node's settings, or search for a node to put here."""
        hit = self.hit_at(event.position())
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if hit.note is not None:
            self.edit_note(hit.note.id)
        elif hit.node is not None:
            self.session.act("focus_properties", node=hit.node.name)
        elif hit.link is None:
            self._scene.wants_node.emit(QuickRequest(self.to_scene(event.position())))
        event.accept()

    def _show_cursor(self, hit: Hit) -> None:
        shape = Qt.CursorShape.ArrowCursor
        if self.is_space_down:
            shape = Qt.CursorShape.OpenHandCursor
        elif hit.port is not None:
            shape = Qt.CursorShape.CrossCursor
        elif hit.part == "corner":
            shape = Qt.CursorShape.SizeFDiagCursor
        elif hit.part in ("badge", "remedy"):
            shape = Qt.CursorShape.PointingHandCursor
        self.viewport().setCursor(shape)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Pan; zoom at the pointer with Ctrl."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            steps = event.angleDelta().y() / 120
            self.set_zoom(self.sight.zoom * _STEP**steps, event.position())
        else:
            delta = QPointF(event.pixelDelta())
            if delta.isNull():
                delta = QPointF(event.angleDelta()) / 2
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and not delta.x():
                delta = QPointF(delta.y(), 0)
            self.scroll_by(-delta)
        event.accept()

    # -- drops -----------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a node from the palette."""
        self.drop.enter(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """Show where it would go."""
        self.drop.move(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Forget it."""
        self.drop.cancel()
        event.accept()

    def dropEvent(self, event: QDropEvent) -> None:
        """Put it there."""
        self.drop.release(event)

    # -- keys, tips, menus -----------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Edit, move and go about by keyboard."""
        if not press_key(self, event):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Let go of the hand."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.is_space_down = False
            if not isinstance(self.gesture, Pan):
                self.viewport().unsetCursor()
        super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Open the hand: the release of Space goes elsewhere."""
        self.is_space_down = False
        super().focusOutEvent(event)

    def focusNextPrevChild(self, is_next: bool) -> bool:
        """Go to the next node; after the last one, leave the canvas."""
        from studio.editor.keys import cycle

        return cycle(self, 1 if is_next else -1) or super().focusNextPrevChild(is_next)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Open the menu of what is under the pointer, or of what is selected."""
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            self.open_context_menu()
        else:
            self.open_context_menu(event.pos())
        event.accept()

    def open_context_menu(self, position: QPoint | None = None) -> None:
        """Ask for the menu at a point of the viewport, or at the selected node.

        What is there is selected first, so that the entries speak of it.
        """
        item = self._scene.node_items.get(self.session.selection.current or "")
        if position is None and item is not None:
            position = self.mapFromScene(item.card_rect().center())
        place = position or self.viewport().rect().center()
        kind = choose(self.session.selection, self.hit_at(QPointF(place)))
        at = self.viewport().mapToGlobal(place)
        self.session.act("context_menu", kind=kind, position=at, place=self.mapToScene(place))

    def viewportEvent(self, event: QEvent) -> bool:
        """Tips, pinches, and the pointer that leaves."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            text = tip_of(self.session, self.hit_at(QPointF(event.pos())))
            QToolTip.showText(event.globalPos(), text, self.viewport())
            return True
        if pinched(self, event):
            return True
        if event.type() == QEvent.Type.Leave and self.gesture is None:
            self._scene.hover(Hit())
        return super().viewportEvent(event)

    def event(self, event: QEvent) -> bool:
        """Zoom by pinching a touch screen."""
        return pinched(self, event) or super().event(event)

    def describe(self) -> None:
        """Tell those who cannot see the canvas which node is selected and how it is."""
        chosen = self.session.selection
        item = self._scene.node_items.get(chosen.current or "")
        if item is None:
            count = len(self._scene.node_items)
            text = f"{count} node{'' if count == 1 else 's'}, none selected"
        elif len(chosen.nodes) > 1:
            text = f"{len(chosen.nodes)} nodes selected, first {item.face.words}"
        else:
            text = item.face.words
        if text != self.accessibleDescription():
            self.setAccessibleDescription(text)
            if QAccessible.isActive():
                changed = QAccessibleEvent(self, QAccessible.Event.DescriptionChanged)
                QAccessible.updateAccessibility(changed)

    # -- painting --------------------------------------------------------------------------------

    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """Paint the ground with its dots."""
        grid.paint(painter, QRectF(rect), self.sight.zoom)

    def showEvent(self, event: QShowEvent) -> None:
        """Let what runs move."""
        super().showEvent(event)
        self._pulse.wind()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop what moves."""
        super().hideEvent(event)
        self.cancel_gesture()
        self._pulse.stop()
        self.sight.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit anew as long as nobody zoomed or moved."""
        super().resizeEvent(event)
        if self.sight.is_fitted:
            self.sight.fit(at_once=True)

    def _restyle(self) -> None:
        self.setBackgroundBrush(theme().color("bench"))
        self.sight.refresh()
        self._pulse.wind()
        self.resetCachedContent()
        self.viewport().update()
