"""A scrolling surface for one drawing: hover, keyboard, read-out."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from studio.pictures import axes
from studio.pictures.drawing import Drawing
from studio.theme import theme

_PAD = 12
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
    Qt.Key.Key_PageUp: (0, -10),
    Qt.Key.Key_PageDown: (0, 10),
}


class Canvas(QAbstractScrollArea):
    """Shows a drawing; the spot under the pointer or the arrow keys is read out exactly."""

    picked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.drawing: Drawing | None = None
        self.current: int | None = None
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.verticalScrollBar().setSingleStep(26)
        self.horizontalScrollBar().setSingleStep(26)
        theme().changed.connect(self.relay)

    def set_drawing(self, drawing: Drawing | None, name: str = "") -> None:
        """Show another drawing; scroll position and spot stay where they still mean something."""
        same = drawing is not None and type(drawing) is type(self.drawing)
        self.drawing = drawing
        self.setAccessibleName(name)
        if not same or self.current is None or drawing is None or self.current >= drawing.count:
            self.current = None
        self.relay()

    def relay(self) -> None:
        """Lay the drawing out anew after it, the room or the theme changed."""
        if self.drawing is not None:
            room = self.viewport().size()
            wide = max(60.0, room.width() - 2 * _PAD)
            least_width, least_height = self.drawing.least(wide)
            high = max(least_height, room.height() - 2 * _PAD)
            self.drawing.lay(max(wide, least_width), high)
            whole = QSize(int(max(wide, least_width)), int(least_height)) + QSize(
                2 * _PAD, 2 * _PAD
            )
            self._set_range(self.horizontalScrollBar(), whole.width(), room.width())
            self._set_range(self.verticalScrollBar(), whole.height(), room.height())
        self.viewport().update()

    def _set_range(self, bar, whole: int, room: int) -> None:  # type: ignore[no-untyped-def]
        bar.setRange(0, max(0, whole - room))
        bar.setPageStep(room)

    def _offset(self) -> QPointF:
        x, y = self.horizontalScrollBar().value(), self.verticalScrollBar().value()
        return QPointF(x - _PAD, y - _PAD)

    def pick(self, index: int | None) -> None:
        """Read a spot out."""
        if index != self.current:
            self.current = index
            words = "" if index is None or self.drawing is None else self.drawing.words(index)
            self.setAccessibleDescription(words.replace("\t", ": "))
            self.picked.emit(index)
            self.viewport().update()

    # -- events ----------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay out for the new room."""
        super().resizeEvent(event)
        self.relay()

    def viewportEvent(self, event: QEvent) -> bool:
        """Drop the read-out when the pointer leaves."""
        if event.type() == QEvent.Type.Leave and not self.hasFocus():
            self.pick(None)
        return super().viewportEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Read out what is under the pointer."""
        if self.drawing is not None:
            self.pick(self.drawing.at(event.position() + self._offset()))

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The read-out of the keyboard ends with the focus."""
        self.pick(None)
        super().focusOutEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows walk over the spots, Home and End to the ends, Escape away."""
        drawing, key = self.drawing, Qt.Key(event.key())
        if drawing is None or not drawing.count:
            super().keyPressEvent(event)
            return
        if key in _ARROWS:
            dx, dy = _ARROWS[key]
            fast = 10 if event.modifiers() & Qt.KeyboardModifier.ControlModifier else 1
            start = 0 if self.current is None else self.current
            moved = start if self.current is None else drawing.step(start, dx * fast, dy * fast)
            self._walk(moved)
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._walk(0 if key == Qt.Key.Key_Home else drawing.count - 1)
        elif key == Qt.Key.Key_Escape and self.current is not None:
            self.pick(None)
        else:
            super().keyPressEvent(event)

    def _walk(self, index: int) -> None:
        if self.drawing is None:
            return
        self.pick(index)
        cell = self.drawing.rect(index).translated(-self._offset())
        room = self.viewport().rect()
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        if cell.width() < room.width() and cell.right() > room.width():
            across.setValue(int(across.value() + cell.right() - room.width() + _PAD))
        elif cell.left() < 0 and cell.width() < room.width():
            across.setValue(int(across.value() + cell.left() - _PAD))
        if cell.bottom() > room.height() and cell.height() < room.height():
            down.setValue(int(down.value() + cell.bottom() - room.height() + _PAD))
        elif cell.top() < 0 and cell.height() < room.height():
            down.setValue(int(down.value() + cell.top() - _PAD))

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """Paint again: the read-out card stands still while the rest moves."""
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The drawing, the picked spot, the read-out."""
        painter = QPainter(self.viewport())
        try:
            self._paint(painter, QRectF(event.rect()))
        finally:
            painter.end()

    def _paint(self, painter: QPainter, area: QRectF) -> None:
        look = theme()
        painter.fillRect(area, look.color("panel"))
        if self.drawing is None:
            return
        painter.setRenderHints(
            QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing
        )
        offset = self._offset()
        painter.translate(-offset)
        self.drawing.paint(painter, area.translated(offset))
        if self.current is None or self.current >= self.drawing.count:
            return
        self.drawing.mark(painter, self.current)
        painter.translate(offset)
        spot = self.drawing.rect(self.current).translated(-offset)
        paint_card(painter, QRectF(self.viewport().rect()), spot, self.drawing.words(self.current))

    def minimumSizeHint(self) -> QSize:
        """Small: it scrolls."""
        return QSize(80, 80)

    def spot_place(self, index: int) -> QPoint:
        """Middle of a spot in the viewport, for tests and menus."""
        if self.drawing is None:
            return QPoint()
        return (self.drawing.rect(index).center() - self._offset()).toPoint()


def paint_card(painter: QPainter, room: QRectF, spot: QRectF, text: str) -> None:
    """Paint a read-out beside ``spot``, never over it, and within ``room``."""
    look = theme()
    lines = [line.split("\t") if "\t" in line else [line, ""] for line in text.split("\n")]
    left_font, right_font = look.font("small"), look.mono("small")
    left, right = QFontMetricsF(left_font), QFontMetricsF(right_font)
    names = max(left.horizontalAdvance(a) for a, _ in lines)
    values = max(right.horizontalAdvance(b) for _, b in lines)
    wide = max(names, max((left.horizontalAdvance(a) for a, b in lines if not b), default=0.0))
    paired = max((left.horizontalAdvance(a) for a, b in lines if b), default=0.0)
    width = max(wide, paired + 14 + values if values else 0.0) + look.px(20)
    width = min(width, room.width() - 8)
    high = look.px(18)
    height = high * len(lines) + look.px(12)
    x = spot.right() + 10
    if x + width > room.right() - 2:
        x = spot.left() - 10 - width
    y = spot.center().y() - height / 2
    if x < room.left() + 2:  # neither side has room: below or above
        x = min(max(spot.center().x() - width / 2, room.left() + 4), room.right() - width - 4)
        y = (
            spot.bottom() + 8
            if spot.bottom() + 8 + height < room.bottom()
            else spot.top() - 8 - height
        )
    y = min(max(y, room.top() + 4), max(room.top() + 4, room.bottom() - height - 4))
    card = QRectF(x, y, width, height)
    painter.setPen(look.color("border_strong"))
    painter.setBrush(look.color("card"))
    painter.drawRoundedRect(card, look.px(6), look.px(6))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for n, (name, value) in enumerate(lines):
        row = QRectF(x + look.px(10), y + look.px(6) + n * high, width - look.px(20), high)
        painter.setFont(left_font)
        painter.setPen(look.color("ink" if n == 0 or not value else "muted"))
        room_for = QRectF(row)
        if value:
            room_for.setWidth(row.width() - right.horizontalAdvance(value) - 10)
        axes.elided(painter, room_for, axes.LEFT, name)
        if value:
            painter.setFont(right_font)
            painter.setPen(look.color("ink"))
            painter.drawText(row, axes.RIGHT, value)
