"""A part of a form or list that folds under its header."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QVBoxLayout, QWidget

from studio.icons import paint_icon
from studio.theme import theme
from studio.widgets.painting import (
    box,
    by_keyboard,
    focus_frame,
    follow_theme,
    line,
    smooth,
    text_width,
)


class SectionHeader(QAbstractButton):
    """The row with the chevron; Space, Enter, Left and Right fold and unfold."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.note = ""
        self._framed = False
        self.setText(title)
        self.setCheckable(True)
        self.setChecked(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.toggled.connect(self._describe)
        self._describe(True)
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.updateGeometry()
        self.update()

    def set_note(self, note: str) -> None:
        """Words at the right end, such as a count."""
        self.note = note
        self.update()

    def _describe(self, is_open: bool) -> None:
        self.setAccessibleName(f"{self.text()}, {'unfolded' if is_open else 'folded'}")

    def sizeHint(self) -> QSize:
        """26 px high."""
        look = theme()
        return QSize(int(text_width(look.font("micro"), self.text())) + look.px(48), look.px(26))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Chevron, title, note."""
        look = theme()
        rect = QRectF(self.rect())
        font = QFont(look.font("micro"))
        font.setWeight(QFont.Weight.DemiBold)
        ink = look.color("ink" if self.underMouse() else "muted")
        side = look.px(14)
        with smooth(self) as painter:
            if self.isDown():
                box(painter, rect, look.px(4), look.color("hover"))
            spot = QRectF(look.px(8), (rect.height() - side) / 2, side, side)
            name = "chevron-down" if self.isChecked() else "chevron-right"
            paint_icon(painter, name, spot, ink)
            words = rect.adjusted(look.px(8) + side + look.px(6), 0, -look.px(10), 0)
            if self.note:
                room = text_width(look.font("micro"), self.note) + look.px(8)
                right = Qt.AlignmentFlag.AlignRight
                line(painter, words, self.note, look.font("micro"), look.color("muted"), right)
                words.setRight(words.right() - room)
            line(painter, words, self.text(), font, ink)
            if self.hasFocus() and self._framed:
                focus_frame(painter, rect, look.px(4), look.color("blade"))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Fold and unfold by key."""
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.toggle()
        elif key == Qt.Key.Key_Left:
            self.setChecked(False)
        elif key == Qt.Key.Key_Right:
            self.setChecked(True)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the frame only when focus came by a key."""
        self._framed = by_keyboard(event)
        super().focusInEvent(event)


class Section(QWidget):
    """`title` over `body`, a column; `toggled(bool)` tells when it was folded or unfolded."""

    toggled = Signal(bool)

    def __init__(self, title: str, is_open: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.header = SectionHeader(title, self)
        self._content = QWidget(self)
        self.body = QVBoxLayout(self._content)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self._content)
        self.header.toggled.connect(self._fold)
        self.set_open(is_open)

    @property
    def is_open(self) -> bool:
        """Whether the body shows."""
        return self.header.isChecked()

    def set_open(self, is_open: bool) -> None:
        """Fold or unfold."""
        self.header.setChecked(is_open)
        self._content.setVisible(is_open)

    def set_note(self, note: str) -> None:
        """Words at the right end of the header."""
        self.header.set_note(note)

    def _fold(self, is_open: bool) -> None:
        self._content.setVisible(is_open)
        self.toggled.emit(is_open)
