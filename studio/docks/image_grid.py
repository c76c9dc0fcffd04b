"""Thumbnails: every picture of the run in focus, or every step of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QImage, QPainter, QPen, QWheelEvent
from PySide6.QtWidgets import (
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from studio.docks.image_store import Pictures, Place
from studio.pictures import axes
from studio.theme import theme

Index = QModelIndex | QPersistentModelIndex
ENTRY_ROLE = int(Qt.ItemDataRole.UserRole) + 1
_ROOT = QModelIndex()


@dataclass(frozen=True)
class Entry:
    """A picture of the grid: what it is, where it lies, and what to go to when it is opened."""

    title: str
    place: Place
    target: Any


class GridModel(QAbstractListModel):
    """Entries of the grid."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: list[Entry] = []

    def set_entries(self, entries: list[Entry]) -> None:
        """Show others; what only grew is appended, so the view does not jump."""
        old = self.entries
        if entries == old:
            return
        if entries[: len(old)] == old:
            self.beginInsertRows(QModelIndex(), len(old), len(entries) - 1)
            self.entries = entries
            self.endInsertRows()
            return
        self.beginResetModel()
        self.entries = entries
        self.endResetModel()

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Pictures."""
        return 0 if parent.isValid() else len(self.entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Title, tooltip, the entry itself."""
        entry = self.entries[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return entry.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{entry.title}\n{entry.place.path}"
        return entry if role == ENTRY_ROLE else None


class _Thumbnail(QStyledItemDelegate):
    """Picture above its title; what is not decoded yet is asked for while it is painted."""

    def __init__(self, pictures: Pictures, view: PictureGrid) -> None:
        super().__init__(view)
        self._pictures = pictures
        self._grid = view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Thumbnail, title and room."""
        return QSize(self._grid.side + 12, self._grid.side * 3 // 4 + theme().px(34))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One thumbnail."""
        look = theme()
        entry: Entry = index.data(ENTRY_ROLE)
        rect, state = QRectF(option.rect).adjusted(4, 4, -4, -4), option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        well = QRectF(rect.left(), rect.top(), rect.width(), rect.height() - look.px(22))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.color("field"))
        painter.drawRoundedRect(well, 4, 4)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        found = self._pictures.get(entry.place)
        if isinstance(found, QImage):
            self._paint_picture(painter, well, found)
        elif found is not None:
            painter.setFont(look.font("micro"))
            painter.setPen(look.color("muted"))
            wrap = int(Qt.TextFlag.TextWordWrap)
            painter.drawText(well.adjusted(6, 4, -6, -4), axes.LEFT | wrap, found)
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(QPen(look.color("blade"), 2))
            painter.drawRoundedRect(well, 4, 4)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(QPen(look.color("border_strong"), 1))
            painter.drawRoundedRect(well, 4, 4)
        painter.setFont(look.font("micro"))
        painter.setPen(look.color("muted"))
        name = QRectF(rect.left(), well.bottom() + 2, rect.width(), look.px(18))
        axes.elided(painter, name, axes.LEFT, entry.title)
        painter.restore()

    def _paint_picture(self, painter: QPainter, well: QRectF, image: QImage) -> None:
        scale = min(well.width() / image.width(), well.height() / image.height())
        area = QRectF(0, 0, image.width() * scale, image.height() * scale)
        area.moveCenter(well.center())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 1)
        painter.drawImage(area, image)


class PictureGrid(QListView):
    """Thumbnails that wrap; Ctrl and the wheel, or + and -, change their size."""

    opened = Signal(object)

    def __init__(self, pictures: Pictures, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.side = theme().px(168)
        self.source = GridModel(self)
        self.setModel(self.source)
        self.setItemDelegate(_Thumbnail(pictures, self))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setFrameShape(self.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setAccessibleName("Pictures")
        self.activated.connect(self._open)
        self.clicked.connect(self._open)
        pictures.ready.connect(self._came)

    def _open(self, index: QModelIndex) -> None:
        entry: Entry | None = index.data(ENTRY_ROLE)
        if entry is not None:
            self.opened.emit(entry.target)

    def _came(self, _place: object) -> None:
        self.viewport().update()

    def set_side(self, side: float) -> None:
        """Change the size of the thumbnails."""
        self.side = int(min(max(side, theme().px(64)), theme().px(640)))
        self.scheduleDelayedItemsLayout()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom with Ctrl, scroll without."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.set_side(self.side * 1.2 ** (event.angleDelta().y() / 120))
            event.accept()
        else:
            super().wheelEvent(event)

    def keyPressEvent(self, event: Any) -> None:
        """Plus and minus zoom."""
        if event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.set_side(self.side * 1.2)
        elif event.key() == Qt.Key.Key_Minus:
            self.set_side(self.side / 1.2)
        else:
            super().keyPressEvent(event)
