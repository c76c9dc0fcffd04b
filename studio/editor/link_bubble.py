"""The bubble beside the pointer that says why a link does not fit."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from studio.icons import paint_icon
from studio.theme import theme
from studio.widgets.painting import SHADOW_DEPTH, elevation

_WIDTH = 216
_WRAP = int(Qt.TextFlag.TextWordWrap) | int(Qt.AlignmentFlag.AlignTop)


class LinkBubble(QGraphicsItem):
    """One sentence under the heading "Does not fit"; keeps its size at every zoom."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self._rect = QRectF()
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemIgnoresTransformations)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        self.setZValue(10)
        self.hide()

    @property
    def text(self) -> str:
        """The sentence."""
        return self._text

    def stay_in(self, place: QPointF, room: QSizeF) -> None:
        """Go to the other side of the pointer, at ``place`` of a viewport, where room ends."""
        size = self._rect.size()
        left = 14.0 if place.x() + 14 + size.width() < room.width() else -14.0 - size.width()
        top = 14.0 if place.y() + 14 + size.height() < room.height() else -14.0 - size.height()
        if (left, top) != (self._rect.left(), self._rect.top()):
            self.prepareGeometryChange()
            self._rect.moveTo(left, top)

    def say(self, text: str) -> None:
        """Show a sentence; an empty one hides the bubble."""
        self.setVisible(bool(text))
        if text == self._text:
            return
        self.prepareGeometryChange()
        self._text = text
        width = theme().px(_WIDTH)
        room = QRectF(0, 0, width - 24, 1000)
        metrics = QFontMetricsF(theme().font("small"))
        height = metrics.boundingRect(room, _WRAP, text).height()
        line = theme().line_height("small")
        self._rect = QRectF(14, 14, width, 8 + line + 2 + max(height, line) + 10)

    def boundingRect(self) -> QRectF:
        """The bubble with its elevation."""
        return self._rect.adjusted(-SHADOW_DEPTH, -SHADOW_DEPTH, SHADOW_DEPTH, 2 * SHADOW_DEPTH)

    def paint(
        self,
        painter: QPainter,
        _option: QStyleOptionGraphicsItem,
        _widget: QWidget | None = None,
    ) -> None:
        """Paint the card, the heading and the sentence."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        elevation(painter, self._rect)
        line = theme().line_height("small")
        top = self._rect.top() + 8
        left = self._rect.left() + 12
        glyph = QRectF(left, top + (line - 14) / 2, 14, 14)
        paint_icon(painter, "cancel", glyph, theme().color("bad"))
        heading = theme().font("small")
        heading.setWeight(theme().font("strong").weight())
        painter.setFont(heading)
        painter.setPen(theme().color("ink"))
        wide = self._rect.width() - 24
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRectF(left + 20, top, wide - 20, line), middle, "Does not fit")
        painter.setFont(theme().font("small"))
        painter.setPen(theme().color("muted"))
        painter.drawText(QRectF(left, top + line + 2, wide, 1000), _WRAP, self._text)
