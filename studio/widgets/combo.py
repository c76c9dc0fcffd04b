"""A combo box in the look: the chosen words, cut at the right if need be, and a chevron."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox

from studio.icons import paint_icon
from studio.theme import theme


class Combo(QComboBox):
    """Many choices in a field; the wheel scrolls what is around it, never the choice."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the form: scrolling must not change what is under the pointer."""
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Field, words and chevron."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        painter = QPainter(self)
        style = self.style()
        style.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option, painter, self)
        look = theme()
        size = look.px(15)
        arrow = QRectF(self.width() - size - look.px(8), (self.height() - size) / 2, size, size)
        is_on = self.isEnabled()
        text = self.currentText() or self.placeholderText()
        dim = not self.currentText() or not is_on
        paint_icon(painter, "chevron-down", arrow, look.color("muted" if is_on else "disabled_ink"))
        painter.setPen(look.color("disabled_ink" if not is_on else "muted" if dim else "ink"))
        room = QRect(look.px(9), 0, int(arrow.left()) - look.px(13), self.height())
        text = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), text)
        painter.end()
