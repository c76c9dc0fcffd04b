"""The text field of a form: a hint at its right end, and the keys that a value wants."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from studio.theme import theme

_PAD = 9


class FieldEdit(QLineEdit):
    """One line of a value. Painted at its right end: the unit, or while focused the bounds."""

    stepped = Signal(int)
    reverted = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.hint = ""
        self.hint_focused = ""
        self.is_draft = False
        self._is_error = False
        self.setFont(theme().mono())

    def set_hints(self, hint: str, focused: str = "") -> None:
        """Say what stands at the right end, idle and focused."""
        if (hint, focused) != (self.hint, self.hint_focused):
            self.hint, self.hint_focused = hint, focused
            self.update()

    def set_error(self, on: bool) -> None:
        """Give the field the border of an error, or take it away."""
        if on != self._is_error:
            self._is_error = on
            self.setProperty("state", "error" if on else "")
            self.style().unpolish(self)
            self.style().polish(self)

    def event(self, event: QEvent) -> bool:
        """Leave undo to the document unless something half typed is here."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            keys = (QKeySequence.StandardKey.Undo, QKeySequence.StandardKey.Redo)
            if not self.is_draft and any(event.matches(key) for key in keys):
                event.ignore()
                return False
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and down step, Escape brings the last value back."""
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            step = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            self.stepped.emit(step if event.key() == Qt.Key.Key_Up else -step)
            return
        if event.key() == Qt.Key.Key_Escape and self.is_draft:
            self.reverted.emit()
            return
        super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Tell that the user went elsewhere."""
        super().focusOutEvent(event)
        self.left.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Let the form scroll."""
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the hint where the text leaves room for it, and a 2 px border on focus."""
        super().paintEvent(event)
        look = theme()
        painter = QPainter(self)
        if self.hasFocus() and not self._is_error:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(look.color("blade"))
            painter.drawRoundedRect(self.rect().toRectF().adjusted(1.5, 1.5, -1.5, -1.5), 3, 3)
        hint = (self.hint_focused or self.hint) if self.hasFocus() else self.hint
        if not hint:
            return
        font = look.font("micro")
        font.setWeight(font.Weight.Normal)
        painter.setFont(font)
        text = self.displayText() or self.placeholderText()
        taken = self.fontMetrics().horizontalAdvance(text) + look.px(_PAD) + look.px(8)
        room = self.width() - taken - look.px(_PAD)
        width = painter.fontMetrics().horizontalAdvance(hint)
        if width <= room:
            painter.setPen(look.color("muted"))
            place = QRect(self.width() - look.px(_PAD) - width - 2, 0, width + 2, self.height())
            painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter), hint)
