"""Notes and frames: text beside the nodes, and a rectangle that holds some of them."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QPainter, QPen
from PySide6.QtWidgets import QGraphicsRectItem, QStyleOptionGraphicsItem, QWidget

from studio.editor.canvas_state import CanvasState
from studio.editor.node_card import card_font, draw_text
from studio.theme import theme
from studio.tokens import tokens

HEAD = 32.0
"""Height of the title of a frame; it is what a frame is moved by."""
CORNER = 18.0
"""Size of the corner by which a note is resized."""
SMALLEST = 64.0


class NoteItem(QGraphicsRectItem):
    """A note or frame; mirrors an entry of the document's notes."""

    def __init__(self, state: CanvasState, data: dict[str, Any]) -> None:
        super().__init__()
        self.id = ""
        self.text = ""
        self.is_frame = False
        self.is_edited = False
        self._hue = "muted"
        self._state = state
        self.setPen(QPen(Qt.PenStyle.NoPen))
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        self.show_data(data)

    def show_data(self, data: dict[str, Any]) -> None:
        """Take over what the document says."""
        self.id = str(data.get("id", ""))
        self.text = str(data.get("text", ""))
        self.is_frame = data.get("kind") == "frame"
        color = str(data.get("color") or "")
        self._hue = color if color in tokens()["colors"] else "muted"
        self.setZValue(-2 if self.is_frame else -1)
        self.place(note_rect(data))
        self.update()

    def place(self, rect: QRectF) -> None:
        """Show it at a rectangle of the scene."""
        self.setPos(rect.topLeft())
        self.setRect(QRectF(-4, -4, rect.width() + 8, rect.height() + 8))

    def card_rect(self) -> QRectF:
        """Its rectangle in the scene."""
        return self.rect().adjusted(4, 4, -4, -4).translated(self.pos())

    def part_at(self, point: QPointF) -> str:
        """``corner``, ``body`` or nothing: what of it a point of the scene grabs."""
        rect = self.card_rect()
        if not rect.contains(point):
            return ""
        if QRectF(rect.right() - CORNER, rect.bottom() - CORNER, CORNER, CORNER).contains(point):
            return "corner"
        if self.is_frame and point.y() > rect.top() + HEAD:
            return ""
        return "body"

    def text_rect(self) -> QRectF:
        """Where its text is, in scene coordinates."""
        rect = self.card_rect()
        if self.is_frame:
            rect.setHeight(HEAD)
            return rect.adjusted(8, 3, -8, -3)
        return rect.adjusted(8, 6, -8, -6)

    def paint(
        self,
        painter: QPainter,
        _option: QStyleOptionGraphicsItem,
        _widget: QWidget | None = None,
    ) -> None:
        """Paint the ground, the text and the corner to pull."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        look = theme()
        rect = self.rect().adjusted(4, 4, -4, -4)
        is_picked = self.id in self._state.notes
        edge = look.color("ink") if is_picked else look.mix("line", look.color(self._hue), 0.35)
        painter.setPen(QPen(edge, 2 if is_picked else look.border))
        ground = look.mix("bench", look.color(self._hue), 0.06 if self.is_frame else 0.12)
        painter.setBrush(ground)
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 10, 10)
        if not self.is_edited:
            self._paint_text(painter, rect)
        painter.setPen(QPen(look.mix("line", look.color(self._hue), 0.6), 1.4))
        for inset in (5, 9):
            corner = rect.bottomRight() - QPointF(3.5, 3.5)
            painter.drawLine(corner - QPointF(inset, 0), corner - QPointF(0, inset))

    def _paint_text(self, painter: QPainter, rect: QRectF) -> None:
        look = theme()
        painter.setPen(look.color("ink" if self.text else "muted"))
        if self.is_frame:
            title = QRectF(rect.left() + 12, rect.top() + 4, rect.width() - 24, HEAD - 6)
            font = card_font(15, QFont.Weight.DemiBold)
            draw_text(painter, title, self.text or "Frame", font)
            return
        painter.setFont(card_font(13))
        wrap = int(Qt.TextFlag.TextWordWrap) | int(Qt.AlignmentFlag.AlignTop)
        room = rect.adjusted(12, 10, -12, -10)
        painter.drawText(room, wrap, self.text or "Double-click to write")


def note_rect(data: dict[str, Any]) -> QRectF:
    """Rectangle of an entry of the document's notes; one without numbers gets a usual size."""
    values = []
    for key, usual in (("x", 0.0), ("y", 0.0), ("width", 200.0), ("height", 96.0)):
        try:
            values.append(float(data.get(key, usual)))
        except (TypeError, ValueError):
            values.append(usual)
    x, y, width, height = values
    return QRectF(x, y, max(width, SMALLEST), max(height, HEAD))
