"""Paints a row of the palette or of the quick search: icon, title, star, what it gives."""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QHelpEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
)

from studio.editor.nodes_model import ROW, GroupRow, NodeRow
from studio.editor.ports import paint_port, port_face
from studio.icons import node_icon, paint_icon
from studio.theme import theme

Index = QModelIndex | QPersistentModelIndex
_STAR = 24  # the least size to hit


class NodeDelegate(QStyledItemDelegate):
    """``starred(type id)`` when a star is clicked, ``folded(key)`` when a heading is."""

    starred = Signal(str)
    folded = Signal(str)

    def __init__(self, view: QAbstractItemView, *, stars: bool = True) -> None:
        super().__init__(view)
        self._view = view
        self._stars = stars

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Depend on the kind of row."""
        row = index.data(ROW)
        height = 30 if isinstance(row, GroupRow) and index.row() else 26
        return QSize(120, theme().px(28 if isinstance(row, NodeRow) else height))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a heading or a kind of node."""
        row = index.data(ROW)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRect(option.rect)
        state = option.state
        is_current = bool(state & QStyle.StateFlag.State_Selected)
        is_hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        if is_current or is_hovered:
            look = theme()
            here = self._view.hasFocus() or not self._stars
            name = "selected" if is_current and here else "hover"
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color(name))
            painter.drawRoundedRect(rect.adjusted(4, 0, -4, 0), 4, 4)
        if isinstance(row, GroupRow):
            self._paint_group(painter, rect, row)
        elif isinstance(row, NodeRow):
            self._paint_node(painter, rect, row, is_current, is_hovered)
        painter.restore()

    def _paint_group(self, painter: QPainter, rect: QRect, row: GroupRow) -> None:
        look = theme()
        line = QRect(rect.left(), rect.bottom() + 1 - look.px(26), rect.width(), look.px(26))
        size = look.px(14)
        place = QRect(line.left() + 10, line.center().y() - size // 2 + 1, size, size)
        arrow = "chevron-right" if row.is_folded else "chevron-down"
        paint_icon(painter, arrow, place, look.color("muted"))
        font = look.font("micro")
        font.setWeight(font.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(look.color("muted"))
        text = line.adjusted(10 + size + 6, 0, -8, 0)
        painter.drawText(text, int(Qt.AlignmentFlag.AlignVCenter), row.title)

    def _paint_node(
        self, painter: QPainter, rect: QRect, row: NodeRow, is_current: bool, is_hovered: bool
    ) -> None:
        look = theme()
        size, middle = look.px(16), rect.center().y() + 1
        place = QRect(rect.left() + 18, middle - size // 2, size, size)
        ink = look.color("ink" if is_current or is_hovered else "muted")
        paint_icon(painter, node_icon(row.spec.id, row.spec.category), place, ink)
        right = rect.right() - 14
        glyph = look.px(9)
        if row.spec.outputs:
            kind = port_face(row.spec.outputs[0], "output").type
            paint_port(painter, kind, QPointF(right - glyph / 2, middle), glyph)
        end = right - glyph - 8
        if self._stars:
            star = self.star_rect(rect)
            end = star.left() if row.is_favourite or is_hovered or is_current else end
            if row.is_favourite or is_hovered:
                inner = look.px(13)
                at = QRect(0, 0, inner, inner)
                at.moveCenter(star.center() + QPoint(0, 1))
                paint_icon(painter, "star" if row.is_favourite else "star-outline", at, ink)
        painter.setFont(look.font("body"))
        painter.setPen(look.color("ink"))
        left = place.right() + 10
        text = QFontMetrics(painter.font()).elidedText(
            row.spec.title, Qt.TextElideMode.ElideRight, end - left
        )
        area = QRect(left, rect.top(), end - left, rect.height())
        painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter), text)

    def star_rect(self, rect: QRect) -> QRect:
        """Where the star of a row is, in the view's coordinates."""
        look = theme()
        right = rect.right() - 14 - look.px(10) - 2
        return QRect(right - _STAR, rect.top(), _STAR, rect.height())

    def editorEvent(
        self,
        event: QEvent,
        model: object,
        option: QStyleOptionViewItem,
        index: Index,
    ) -> bool:
        """Tell of a click on a heading or on a star."""
        is_left = isinstance(event, QMouseEvent) and event.button() == Qt.MouseButton.LeftButton
        if not is_left or event.type() != QEvent.Type.MouseButtonRelease:
            return False
        assert isinstance(event, QMouseEvent)
        row = index.data(ROW)
        if isinstance(row, GroupRow):
            self.folded.emit(row.key)
            return True
        rect = option.rect
        on_star = self._stars and self.star_rect(rect).contains(event.position().toPoint())
        if isinstance(row, NodeRow) and on_star:
            self.starred.emit(row.spec.id)
            return True
        return False

    def helpEvent(
        self,
        event: QHelpEvent,
        view: QAbstractItemView,
        option: QStyleOptionViewItem,
        index: Index,
    ) -> bool:
        """Explain the star; else the kind of node."""
        row = index.data(ROW)
        rect = option.rect
        if self._stars and isinstance(row, NodeRow) and self.star_rect(rect).contains(event.pos()):
            text = "Favourite. Click to unmark it." if row.is_favourite else "Mark as favourite (F)"
            QToolTip.showText(event.globalPos(), text, view)
            return True
        return super().helpEvent(event, view, option, index)
