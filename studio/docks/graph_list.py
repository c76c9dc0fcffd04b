"""A list of graph files: name, when, how the last run stands; for welcome page and Files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from backend.core.files import parse_json
from studio.docks.while_away import moment
from studio.icons import node_icon, paint_icon
from studio.theme import theme
from studio.widgets.painting import line, text_width

ROW = Qt.ItemDataRole.UserRole + 1
Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()
_ICON = "file-document-outline"
_METHODS = (
    *("pim", "quantize", "prune", "cat", "e2gan", "distill"),
    *("diffusion", "train", "export", "evaluate"),
)
_LARGEST = 2**20


@dataclass(frozen=True)
class GraphFile:
    """A row: a file, or the heading of those below it when ``path`` is None."""

    title: str
    path: Path | None = None
    when: str = ""
    icon: str = _ICON
    state: str = ""
    color: str = "muted"
    exists: bool = True
    is_example: bool = False


def graph_file(path: Path, **more: Any) -> GraphFile:
    """Describe a file by what the file system says of it."""
    try:
        when = moment(datetime.fromtimestamp(path.stat().st_mtime), with_time=False)
    except (OSError, ValueError):  # also a name that no file can have
        return GraphFile(path.stem, path, "file is no longer there", exists=False)
    more.setdefault("icon", _icon_of(path))
    return GraphFile(path.stem, path, when, **more)


def _icon_of(path: Path) -> str:
    """The icon of the method that a graph file is about: its first node that makes smaller."""
    try:
        if path.stat().st_size > _LARGEST:
            return _ICON
        nodes = parse_json(path.read_text(encoding="utf-8"))["nodes"]
        types = [str(node["type"]) for node in nodes.values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _ICON
    for family in _METHODS:
        for name in types:
            if name.startswith(f"{family}."):
                return node_icon(name)
    return _ICON


class GraphFilesModel(QAbstractListModel):
    """Lists files and headings."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[GraphFile] = []

    @property
    def rows(self) -> Sequence[GraphFile]:
        """What is listed."""
        return self._rows

    def show(self, rows: Sequence[GraphFile]) -> None:
        """List these."""
        if list(rows) != self._rows:
            self.beginResetModel()
            self._rows = list(rows)
            self.endResetModel()

    def rowCount(self, parent: Index = _NO_INDEX) -> int:
        """Count the rows."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give the row, its title, its path or its words."""
        if not 0 <= index.row() < len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == ROW:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(row.path) if row.path else None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(part for part in (row.title, row.when, row.state) if part)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Let only files be picked."""
        row = self.data(index, ROW)
        if row is None or row.path is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class GraphFilesView(QListView):
    """``opened(row)`` by click or Enter; a file that is gone stays and is grey."""

    opened = Signal(object)

    def __init__(
        self,
        model: GraphFilesModel,
        name: str,
        parent: QWidget | None = None,
        ground: str = "panel",
    ) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setItemDelegate(GraphFileDelegate(self))
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.clicked.connect(self._open)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open by Enter."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _open(self, index: QModelIndex) -> None:
        row = index.data(ROW)
        if isinstance(row, GraphFile) and row.path is not None and row.exists:
            self.opened.emit(row)


class GraphFileDelegate(QStyledItemDelegate):
    """Rows of 44 px: icon, name over time, state at the right; headings of 28 px."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Depend on the kind of row."""
        row = index.data(ROW)
        is_file = isinstance(row, GraphFile) and row.path is not None
        return QSize(120, theme().px(44 if is_file else 32))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint the row."""
        row = index.data(ROW)
        if not isinstance(row, GraphFile):
            return
        look = theme()
        rect = QRectF(option.rect)
        state = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.path is None:
            font = look.font("micro")
            font.setWeight(font.Weight.DemiBold)
            line(painter, rect.adjusted(12, 6, -12, 0), row.title, font, look.color("muted"))
        else:
            is_over = bool(state & QStyle.StateFlag.State_MouseOver)
            is_current = bool(state & QStyle.StateFlag.State_Selected)
            is_focused = is_current and bool(state & QStyle.StateFlag.State_HasFocus)
            if row.exists and (is_over or is_current):
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(look.color("selected" if is_focused else "hover"))
                painter.drawRoundedRect(rect.adjusted(8, 0, -8, 0), 6, 6)
            self._paint_file(painter, rect.adjusted(18, 0, -18, 0), row)
        painter.restore()

    def _paint_file(self, painter: QPainter, rect: QRectF, row: GraphFile) -> None:
        look = theme()
        side, middle = look.px(18), rect.center().y()
        faint = look.color("disabled_ink")
        icon = QRectF(rect.left(), middle - side / 2, side, side)
        paint_icon(painter, row.icon, icon, look.color("muted") if row.exists else faint)
        right, font = rect.right(), look.number("small")
        if row.state:
            width = text_width(font, row.state) + 1
            spot = QRectF(right - width, rect.top(), width, rect.height())
            line(painter, spot, row.state, font, look.color(row.color))
            right = spot.left() - 8
        left = icon.right() + 10
        half = look.px(18)
        top = middle - (half + look.px(16)) / 2
        title = QRectF(left, top, right - left, half)
        line(
            painter, title, row.title, look.font("body"), look.color("ink") if row.exists else faint
        )
        below = QRectF(left, title.bottom(), right - left, look.px(16))
        micro = look.font("micro")
        micro.setWeight(micro.Weight.Normal)
        line(painter, below, row.when, micro, look.color("muted"))
