"""While files hover over the window: what will happen when they are released."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFont,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import (
    QGraphicsView,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)
from shiboken6 import isValid

from studio.drop_plan import DropPlan, what_happens
from studio.icons import paint_icon
from studio.theme import theme
from studio.widgets.painting import box, elevation, follow_theme, line, smooth, text_width

__all__ = ["DropOverlay", "DropPlan", "paths_in", "what_happens"]

_ICONS = {
    "graph": "file-outline",
    "run": "history",
    "model": "layers-triple-outline",
    "weights": "alert",
    "images": "image-multiple-outline",
    "report": "file-chart-outline",
    "several": "file-multiple-outline",
    "refused": "cancel",
    "field": "form-textbox",
}
_HINTS = {
    "open_file": "Release to open it. Unsaved changes are asked about first.",
    "open_run": "Release to show it.",
    "inspect": "Release to look inside. The graph stays as it is.",
    "add_image_folder": "Release to add the node. Nothing is copied.",
    "open_receipt": "Release to open it.",
    "open_in_browser": "Release to open it.",
    "set_field": "Release to set it.",
    "": "Nothing happens when you release.",
}


def paths_in(data: QMimeData) -> list[Path]:
    """Local files in what is dragged."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


class DropOverlay(QWidget):
    """Lies over `window` while files are dragged in; `dropped(DropPlan)` when one was released.

    A plan that is refused is not told: its reason was on the screen.
    """

    dropped = Signal(object)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.plan: DropPlan | None = None
        self._is_entered = False
        self._fields: list[QWidget] = []
        self._field: QWidget | None = None
        self.setAcceptDrops(True)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.hide()
        window.setAcceptDrops(True)
        window.installEventFilter(self)
        follow_theme(self.update)

    def show_plan(self, paths: list[Path]) -> DropPlan:
        """Cover the window and say what will happen to `paths`."""
        self.plan = what_happens(paths)
        self._fields = [widget for widget in self._window.findChildren(QWidget) if _takes(widget)]
        self.setGeometry(self._window.rect())
        self.raise_()
        self.show()
        self.setAccessibleName(self.plan.sentence)
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, self.plan.sentence))
        self.update()
        return self.plan

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A drag that nobody below wanted comes to the window: show the overlay."""
        if isinstance(event, QDragEnterEvent) and event.type() == QEvent.Type.DragEnter:
            paths = paths_in(event.mimeData())
            if paths:
                self.show_plan(paths)
                event.setDropAction(Qt.DropAction.CopyAction)
                event.accept()
                return True
        if event.type() in (QEvent.Type.DragMove, QEvent.Type.Drop) and self.plan is not None:
            # The drag entered through the window before the overlay was there.
            if isinstance(event, QDragMoveEvent) and event.type() == QEvent.Type.DragMove:
                self.dragMoveEvent(event)
            elif isinstance(event, QDropEvent):
                self.dropEvent(event)
            return True
        if event.type() == QEvent.Type.DragLeave and self.plan is not None:
            # Qt leaves the window to enter the overlay that now lies under the pointer: look
            # once that would have happened whether the drag is still here.
            QTimer.singleShot(0, self, self._end_unless_entered)
            return True
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self.setGeometry(self._window.rect())
        return super().eventFilter(watched, event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """The drag goes on over the overlay."""
        if self.plan is None and not self.show_plan(paths_in(event.mimeData())):
            return
        self._is_entered = True
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """The pointer tells whether a release does anything."""
        field = self._field_below(event)
        if field is not self._field:
            self._field = field
            self.update()
        if field is not None or (self.plan is not None and self.plan.is_possible):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
        else:
            event.ignore()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Gone elsewhere."""
        self._end()
        event.accept()

    def dropEvent(self, event: QDropEvent) -> None:
        """Released: tell the plan that was shown."""
        plan, field = self.plan, self._field_below(event)
        self._end()
        if field is not None:
            field.dropEvent(_moved_to(field, self, event))
            event.acceptProposedAction()
        elif plan is not None and plan.is_possible:
            event.acceptProposedAction()
            self.dropped.emit(plan)
        else:
            event.ignore()

    def _field_below(self, event: QDropEvent) -> QWidget | None:
        """The field under the pointer that takes this file as its value; the overlay hides it."""
        spot = self.mapToGlobal(event.position())
        for field in self._fields:
            if isValid(field) and QRectF(field.rect()).contains(field.mapFromGlobal(spot)):
                asked = QDragEnterEvent(
                    field.mapFromGlobal(spot).toPoint(),
                    event.possibleActions(),
                    event.mimeData(),
                    event.buttons(),
                    event.modifiers(),
                )
                asked.ignore()
                # Not sent: what it refuses would go on to the window, which takes everything.
                field.dragEnterEvent(asked)
                if asked.isAccepted():
                    return field
        return None

    def _end_unless_entered(self) -> None:
        if not self._is_entered:
            self._end()

    def _end(self) -> None:
        self.plan = None
        self._is_entered = False
        self._field = None
        self._fields = []
        self.hide()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Scrim, dashed frame, and a card with the sentence."""
        look = theme()
        if self.plan is None:
            return
        plan = self.plan if self._field is None else _into(self._field)
        possible = plan.is_possible
        with smooth(self) as painter:
            painter.fillRect(self.rect(), look.color("scrim"))
            edge = look.color("blade" if possible else "bad")
            painter.setPen(QPen(edge, 2, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            inset = look.px(12)
            frame = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
            painter.drawRoundedRect(frame, look.px(10), look.px(10))
            if self._field is not None:
                corner = self.mapFromGlobal(self._field.mapToGlobal(QPointF(0, 0)))
                around = QRectF(corner, self._field.size()).adjusted(-2, -2, 2, 2)
                box(painter, around, look.px(4), None, look.color("blade"), 2)
            self._card(painter, plan)

    def _card(self, painter: QPainter, plan: DropPlan) -> None:
        look = theme()
        font, small = look.font("title"), look.font("small")
        side, pad, gap = look.px(24), look.px(16), look.px(12)
        hint = _HINTS.get(plan.action, _HINTS[""])
        room = self.width() - 2 * look.px(32) - 2 * pad - side - gap
        parts = _wrapped(plan.sentence, room, font)
        words = max([*(text_width(font, part) for part in parts), text_width(small, hint)])
        wide, row = min(words, room) + 2, look.line_height("title")
        high = 2 * pad + row * len(parts) + look.px(4) + look.line_height("small")
        card = QRectF(0, 0, wide + 2 * pad + side + gap, high)
        card.moveCenter(QRectF(self.rect()).center())
        elevation(painter, card, look.px(10))
        color = "bad" if not plan.is_possible else "warn" if plan.kind == "weights" else "blade"
        spot = QRectF(card.left() + pad, card.top() + pad, side, side)
        paint_icon(painter, _ICONS[plan.kind], spot, look.color(color))
        left, top = card.left() + pad + side + gap, card.top() + pad
        for part in parts:
            line(painter, QRectF(left, top, wide, row), part, font, look.color("ink"))
            top += row
        top += look.px(4)
        low = QRectF(left, top, wide, look.line_height("small"))
        line(painter, low, hint, small, look.color("muted"))


def _takes(widget: QWidget) -> bool:
    """Whether a widget may take a file itself; text fields would take it as text."""
    words = (QLineEdit, QTextEdit, QPlainTextEdit, QGraphicsView, DropOverlay)
    return widget.acceptDrops() and widget.isVisible() and not isinstance(widget, words)


def _into(field: QWidget) -> DropPlan:
    name = field.accessibleName() or "this field"
    return DropPlan("field", f"The path goes into {name}.", "set_field")


def _moved_to(field: QWidget, overlay: QWidget, event: QDropEvent) -> QDropEvent:
    spot = field.mapFromGlobal(overlay.mapToGlobal(event.position()))
    return QDropEvent(
        spot, event.possibleActions(), event.mimeData(), event.buttons(), event.modifiers()
    )


def _wrapped(text: str, room: float, font: QFont) -> list[str]:
    """Lines of `text` that fit `room`."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(font, longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines or [""]
