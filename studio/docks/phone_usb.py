"""The cable's page: which phones there are, what each needs, and a button to open the page."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.phone.phone import Phone
from studio.phone.usb import UsbPhone
from studio.theme import theme
from studio.widgets.button import plain
from studio.widgets.elided import ElidedLabel
from studio.widgets.empty_state import Glyph


class UsbPage(QWidget):
    """One row a phone; below them what to do when there is none."""

    def __init__(self, phone: Phone, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._phone = phone
        self.rows: list[UsbRow] = []
        self._shown: list[UsbPhone] = []
        self._column = QVBoxLayout()
        self._column.setSpacing(4)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setProperty("tone", "muted")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addLayout(self._column)
        outer.addWidget(self.words)
        outer.addStretch(1)

    def refresh(self) -> None:
        """Show the phones at the cable as adb sees them."""
        usb = self._phone.usb
        self.words.setFont(theme().font("small"))
        self.words.setText(self._advice())
        if usb.phones == self._shown:
            return
        self._shown = list(usb.phones)
        for row in self.rows:
            row.hide()
            row.deleteLater()
        self.rows = [UsbRow(one, self._phone) for one in self._shown]
        for row in self.rows:
            self._column.addWidget(row)

    def _advice(self) -> str:
        usb = self._phone.usb
        if not usb.is_known:
            return "Looking for phones on the cable ..."
        if usb.advice:
            return usb.advice
        if any(not one.instruction for one in usb.phones):
            return "Connect opens the page in the phone's browser. No code, no certificate."
        return "The list follows by itself."


class UsbRow(QWidget):
    """A phone at the cable."""

    def __init__(self, one: UsbPhone, phone: Phone) -> None:
        super().__init__()
        is_ready = not one.instruction
        glyph = Glyph("cellphone-link" if is_ready else "alert", 18, "good" if is_ready else "warn")
        name = ElidedLabel(one.model or one.serial, "strong")
        state = QLabel(one.instruction or "ready")
        state.setWordWrap(True)
        state.setTextFormat(Qt.TextFormat.PlainText)
        state.setProperty("tone", "muted")
        state.setFont(theme().font("small"))
        self.button = plain("Connect")
        self.button.setHidden(not is_ready)
        self.button.clicked.connect(lambda: phone.pair_usb(one.serial))
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(name)
        words.addWidget(state)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 4, 0, 4)
        row.setSpacing(10)
        row.addWidget(glyph, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self.button)
        self.setAccessibleName(f"{one.model or one.serial}: {one.instruction or 'ready'}")
