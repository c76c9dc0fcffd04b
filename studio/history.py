"""The edits of the document as a list; a click goes back to one, or forward."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QUndoView,
    QVBoxLayout,
    QWidget,
)

from studio.session import Session
from studio.theme import theme
from studio.widgets.painting import box, line


class HistoryWindow(QWidget):
    """A small window with every edit since the document was opened."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Tool)
        self.setObjectName("page")
        self.setWindowTitle("History")
        self._view = QUndoView(session.document.stack, self)
        self._view.setEmptyLabel("As it was opened")
        self._view.setAccessibleName("Edits")
        self._view.setItemDelegate(_Rows(self._view))
        self._view.setMouseTracking(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 8, 4, 8)
        layout.addWidget(self._view)
        self.resize(theme().px(280), theme().px(400))


class _Rows(QStyledItemDelegate):
    """Rows of 28 px; what is undone is muted."""

    def sizeHint(
        self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """As high as every row of the studio."""
        return QSize(0, theme().px(28))

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Paint one edit."""
        look, view = theme(), self.parent()
        state: QStyle.StateFlag = option.state
        rect = QRectF(option.rect).adjusted(4, 0, -4, 0)
        now = view.currentIndex().row() if isinstance(view, QUndoView) else index.row()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & QStyle.StateFlag.State_Selected:
            box(painter, rect, 4, look.color("selected"))
        elif state & QStyle.StateFlag.State_MouseOver:
            box(painter, rect, 4, look.color("hover"))
        color = look.color("muted" if index.row() > now else "ink")
        line(painter, rect.adjusted(8, 0, -8, 0), str(index.data()), look.font("body"), color)
        painter.restore()
