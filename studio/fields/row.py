"""One row of a form: label, field, reset, and below them what is wrong.

Label and error are painted, not widgets of their own: a form has many rows and is shown at every
change of the selection.
"""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFont,
    QFontMetrics,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.fields.editor import GAP
from studio.fields.make import make_editor
from studio.fields.reading import NOTHING
from studio.fields.spec import FieldSpec
from studio.icons import paint_icon
from studio.theme import theme
from studio.widgets.button import ToolButton

GUTTER = 14
HEIGHT = 34
PAD = 12


class FormRow(QWidget):
    """A field with its label. ``edited`` and ``reset`` carry the name of the field."""

    edited = Signal(str, object)
    reset = Signal(str)
    failed = Signal(str, str)
    tip_wanted = Signal(object, object)

    def __init__(
        self,
        spec: FieldSpec,
        label_width: int,
        parent: QWidget | None = None,
        *,
        has_note: bool = False,
    ) -> None:
        super().__init__(parent)
        self._note = spec.description if has_note else ""
        self.spec = spec
        self.is_changed = False
        self.error = ""
        self.fault = ""
        self._label_width = label_width
        self._button: ToolButton | None = None
        self.editor = make_editor(spec, self)
        self.editor.edited.connect(self._edited)
        self.editor.failed.connect(self._failed)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._name()

    def show_value(self, value: Any, *, is_changed: bool, is_mixed: bool, is_fresh: bool) -> None:
        """Show a value. ``is_fresh``: of another node, so what was typed before is dropped."""
        if is_fresh:
            self.editor.value = NOTHING
            if self.editor.has_draft:
                self.editor.forget_draft()
        self.editor.show_value(value, is_default=not is_changed, is_mixed=is_mixed)
        if is_changed != self.is_changed:
            self.is_changed = is_changed
            self._show_button()
            self.update()

    def show_fault(self, text: str) -> None:
        """Show what a check of the document says; what was typed wrongly comes first."""
        if text != self.fault:
            self.fault = text
            self._retell()

    def restyle(self) -> None:
        """Take fonts and sizes of the theme anew."""
        self.editor.restyle()
        self.updateGeometry()
        self._lay_out()
        self.update()

    # -- geometry --------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """One row, and the lines of the error below it."""
        return QSize(theme().px(240), theme().px(HEIGHT) + self._error_height())

    def minimumSizeHint(self) -> QSize:
        """As narrow as a dock may be."""
        return QSize(theme().px(180), theme().px(HEIGHT) + self._error_height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place field and reset; a narrower row may need more lines for its error."""
        super().resizeEvent(event)
        self._lay_out()
        if (self.told or self._note) and event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def _field_left(self) -> int:
        return theme().px(PAD) + theme().px(self._label_width) + GAP

    def _lay_out(self) -> None:
        look = theme()
        left = self._field_left()
        right = self.width() - look.px(PAD) - look.px(GUTTER) - GAP
        field = look.px(28)
        top = (look.px(HEIGHT) - field) // 2
        self.editor.setGeometry(left, top, max(0, right - left), field)
        if self._button is not None:
            side = look.px(24)
            middle = right + GAP + look.px(GUTTER) // 2
            self._button.setGeometry(middle - side // 2, (look.px(HEIGHT) - side) // 2, side, side)

    @property
    def told(self) -> str:
        """The sentence below the field: of what was typed, else of the document."""
        return self.error or self.fault

    def _error_rect(self) -> QRect:
        return self._text_rect(self.told, theme().px(HEIGHT), theme().px(18))

    def _error_height(self) -> int:
        """Height of all that stands below the field."""
        error = self._error_rect().height() + theme().px(6) if self.told else 0
        note = self._text_rect(self._note, 0, 0).height() + theme().px(6) if self._note else 0
        return error + note

    def _text_rect(self, text: str, top: int, indent: int) -> QRect:
        look = theme()
        left = self._field_left() + indent
        width = max(40, self.width() - left - look.px(PAD))
        metrics = QFontMetrics(look.font("small"))
        flags = int(Qt.TextFlag.TextWordWrap)
        height = metrics.boundingRect(0, 0, width, 10_000, flags, text).height()
        return QRect(left, top, width, height)

    # -- painting --------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Label, and the error with its icon."""
        look = theme()
        painter = QPainter(self)
        self._paint_label(painter)
        if self._note:
            top = look.px(HEIGHT)
            top += self._error_rect().height() + look.px(6) if self.told else 0
            painter.setFont(look.font("small"))
            painter.setPen(look.color("muted"))
            flags = int(Qt.TextFlag.TextWordWrap)
            painter.drawText(self._text_rect(self._note, top, 0), flags, self._note)
        if not self.told:
            return
        place = self._error_rect()
        size = look.px(14)
        icon = QRectF(place.left() - look.px(18), place.top() + 1, size, size)
        paint_icon(painter, "alert-circle-outline", icon, look.color("bad"))
        painter.setFont(look.font("small"))
        painter.setPen(look.color("bad"))
        painter.drawText(place, int(Qt.TextFlag.TextWordWrap), self.told)

    def _label_rect(self) -> QRect:
        look = theme()
        return QRect(look.px(PAD), 0, look.px(self._label_width), look.px(HEIGHT))

    def _paint_label(self, painter: QPainter) -> None:
        """One line; a longer label takes two smaller ones, and only then an ellipsis."""
        look = theme()
        is_strong = self.is_changed or bool(self.error)
        place = self._label_rect()
        text = self.spec.label
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        font = _label_font("body", is_strong)
        if QFontMetrics(font).horizontalAdvance(text) > place.width():
            font = _label_font("small", is_strong)
            flags |= Qt.TextFlag.TextWordWrap
            longest = max(text.split(), key=len)
            if (
                QFontMetrics(font).boundingRect(place, int(flags), text).height() > place.height()
                or QFontMetrics(font).horizontalAdvance(longest) > place.width()
            ):
                flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
                mode = Qt.TextElideMode.ElideRight
                text = QFontMetrics(font).elidedText(text, mode, place.width())
        painter.setFont(font)
        name = "ink" if is_strong else "muted"
        painter.setPen(look.color(name if self.isEnabled() else "disabled_ink"))
        painter.drawText(place, int(flags), text)

    # -- what happens ----------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Ask for the tooltip of the field instead of a plain one."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            self.tip_wanted.emit(self, self.mapToGlobal(QPoint(self._field_left(), self.height())))
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click on the label goes to the field."""
        if self._label_rect().contains(event.position().toPoint()):
            self.editor.setFocus(Qt.FocusReason.ShortcutFocusReason)
        super().mousePressEvent(event)

    def _edited(self, value: Any) -> None:
        self.edited.emit(self.spec.name, value)

    def _failed(self, text: str) -> None:
        if text == self.error:
            return
        self.error = text
        self._retell()
        self.failed.emit(self.spec.name, text)

    def _retell(self) -> None:
        edit = getattr(self.editor, "edit", None) or getattr(
            getattr(self.editor, "inner", None), "edit", None
        )
        if edit is not None:
            edit.set_error(bool(self.told))
        self._name()
        self.updateGeometry()
        self.update()

    def _name(self) -> None:
        parts = [self.told, self.spec.description, self.spec.range()]
        self.editor.name_parts(self.spec.label, " ".join(part for part in parts if part))

    def _show_button(self) -> None:
        if self.is_changed and self._button is None:
            self._button = ToolButton("restart", "", small=True, color="blade", parent=self)
            default = self.spec.show(self.spec.default) if self.spec.has_default else "nothing"
            self._button.set_tooltip(f"Reset {self.spec.label} to {default or 'nothing'}")
            self._button.clicked.connect(self._reset)
            QWidget.setTabOrder(self.editor, self._button)
            self._lay_out()
        if self._button is not None:
            self._button.setVisible(self.is_changed)

    def _reset(self) -> None:
        self.editor.forget_draft()
        self.reset.emit(self.spec.name)


def _label_font(role: str, is_strong: bool) -> QFont:
    font = theme().font(role)
    if is_strong:
        font.setWeight(QFont.Weight.Medium)
    return font
