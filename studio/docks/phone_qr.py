"""The code that a phone scans: whole device pixels, a quiet zone, white in both themes."""

from __future__ import annotations

import segno
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.theme import theme

QUIET = 4
"""Modules of white on each side. Source: ISO/IEC 18004, 5.3.8."""


def modules(text: str) -> list[bytearray]:
    """Return the rows of a QR code: 1 is dark. Error correction M, as small as it gets."""
    return [bytearray(row) for row in segno.make_qr(text, error="m").matrix]


class QrCode(QWidget):
    """Paints a code; ``is_stale`` covers one that has ended."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = ""
        self.is_stale = False
        self._rows: list[bytearray] = []
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Code to scan with the phone")
        theme().changed.connect(self.updateGeometry)

    def set_text(self, text: str) -> None:
        """Show the code of an address; an empty one shows none."""
        if text != self.text:
            self.text = text
            self._rows = modules(text) if text else []
            self.update()

    def set_stale(self, on: bool) -> None:
        """Cover the code, or uncover it."""
        if on != self.is_stale:
            self.is_stale = on
            self.update()

    def sizeHint(self) -> QSize:
        """Large enough to be scanned from an arm's length."""
        return QSize(theme().px(172), theme().px(172))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """White ground, then each dark module as whole device pixels."""
        ratio = self.devicePixelRatioF()
        side = int(min(self.width(), self.height()) * ratio)
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(QColor(Qt.GlobalColor.white))
        painter.drawRoundedRect(self.rect(), 6, 6)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        count = len(self._rows)
        if count:
            unit = max(1, side // (count + 2 * QUIET))
            start = (side - unit * count) // 2
            painter.scale(1 / ratio, 1 / ratio)
            ink = QColor(Qt.GlobalColor.black)
            if self.is_stale:
                ink.setAlphaF(0.12)
            for y, row in enumerate(self._rows):
                x = 0
                while x < count:  # neighbours in one stroke
                    end = x
                    while end < count and row[end]:
                        end += 1
                    if end > x:
                        spot = QRect(start + x * unit, start + y * unit, (end - x) * unit, unit)
                        painter.fillRect(spot, ink)
                    x = max(end, x + 1)
        painter.end()
