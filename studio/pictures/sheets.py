"""A table payload as rows that sort, and the same rows painted for a file."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QFontMetricsF, QPainter

from backend.core.views import Table
from studio.pictures import axes
from studio.pictures.drawing import Drawing
from studio.pictures.words import exact
from studio.theme import theme

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
SORT_ROLE = Qt.ItemDataRole.UserRole + 1


def cell_text(value: Any) -> str:
    """Text of a cell; a number with its digits, nothing where there is no value."""
    if value is None:
        return ""
    if isinstance(value, float) and math.isfinite(value) and not value.is_integer():
        return f"{value:,.6g}" if abs(value) >= 1e-4 else f"{value:.4g}"
    return exact(value) if isinstance(value, (int, float)) else str(value)


def best_cells(payload: Table) -> set[tuple[int, int]]:
    """Rows and columns of the winning figures, where a column says which direction wins."""
    best: set[tuple[int, int]] = set()
    for column, head in enumerate(payload.columns):
        if not head.better or len(payload.rows) < 2:
            continue
        values = {
            r: float(row[column])  # type: ignore[arg-type]
            for r, row in enumerate(payload.rows)
            if column < len(row) and isinstance(row[column], (int, float))
        }
        values = {r: v for r, v in values.items() if not math.isnan(v)}
        if values:
            top = (max if head.better == "higher" else min)(values.values())
            best |= {(r, column) for r, v in values.items() if v == top}
    return best


def in_words(payload: Table) -> bool:
    """Whether the first column holds words, not names of layers: those are in mono."""
    return any(" " in str(row[0]) for row in payload.rows if row)


class TableModel(QAbstractTableModel):
    """Rows of a :class:`Table`; missing cells are empty, cells too many are left out."""

    def __init__(self, payload: Table, parent: Any = None) -> None:
        super().__init__(parent)
        self.payload = payload
        self._best = best_cells(payload)
        self._is_in_words = in_words(payload)

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Rows."""
        return 0 if parent.isValid() else len(self.payload.rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Columns."""
        return 0 if parent.isValid() else len(self.payload.columns)

    def is_best(self, row: int, column: int) -> bool:
        """Whether this figure wins its column."""
        return (row, column) in self._best

    def value(self, row: int, column: int) -> Any:
        """Raw value of a cell."""
        cells = self.payload.rows[row]
        return cells[column] if column < len(cells) else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, alignment, font of a cell."""
        value = self.value(index.row(), index.column())
        is_number = isinstance(value, (int, float))
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(value)
        if role == SORT_ROLE:
            return value
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(index.row(), index.column(), value)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return axes.RIGHT if is_number else axes.LEFT
        if role == Qt.ItemDataRole.FontRole:
            is_best = (index.row(), index.column()) in self._best
            is_name = index.column() == 0 and not self._is_in_words
            if is_number or is_name:
                return theme().mono("body", 600 if is_best else 400)
            return theme().font("small")
        if role == Qt.ItemDataRole.ForegroundRole:
            return theme().color("ink")
        return None

    def _tip(self, row: int, column: int, value: Any) -> str:
        head = self.payload.columns[column]
        text = exact(value) if isinstance(value, (int, float)) or value is None else str(value)
        tip = f"{head.name}: {text} {head.unit}".rstrip()
        return f"{tip}, the best of this column" if (row, column) in self._best else tip

    def headerData(
        self, section: int, way: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name and unit of a column."""
        if way != Qt.Orientation.Horizontal or section >= len(self.payload.columns):
            return None
        head = self.payload.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{head.name} {head.unit}".rstrip()
        if role == Qt.ItemDataRole.TextAlignmentRole:
            rows = range(min(20, len(self.payload.rows)))
            is_number = any(isinstance(self.value(r, section), (int, float)) for r in rows)
            return axes.RIGHT if is_number else axes.LEFT
        if role == Qt.ItemDataRole.ToolTipRole and head.better:
            return f"{head.name}: {head.better} is better"
        return None


class TableSorter(QSortFilterProxyModel):
    """Sorts numbers as numbers; what is missing or no number comes last either way."""

    def lessThan(self, left: Index, right: Index) -> bool:
        """Compare two cells of mixed kinds."""
        a, b = left.data(SORT_ROLE), right.data(SORT_ROLE)
        if _rank(a) != _rank(b):
            before = _rank(a) < _rank(b)
            return before if self.sortOrder() == Qt.SortOrder.AscendingOrder else not before
        if _rank(a) == 0:
            return bool(a < b)
        return str(a).casefold() < str(b).casefold()


def _rank(value: Any) -> int:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return 2
    return 0 if isinstance(value, (int, float)) else 1


class TableDrawing(Drawing):
    """All rows of a table, for PNG and SVG."""

    payload: Table

    def __init__(self, payload: Table) -> None:
        super().__init__(payload)
        self._model = TableModel(payload)

    @property
    def count(self) -> int:
        """Rows."""
        return len(self.payload.rows)

    def _widths(self) -> list[float]:
        look = theme()
        head, mono = QFontMetricsF(look.font("micro")), QFontMetricsF(look.mono("body"))
        widths = []
        for column in range(len(self.payload.columns)):
            title = self._model.headerData(column, Qt.Orientation.Horizontal)
            texts = (cell_text(self._model.value(r, column)) for r in range(self.count))
            wide = max((mono.horizontalAdvance(t) for t in texts), default=0.0)
            widths.append(min(max(wide, head.horizontalAdvance(title)), look.px(280)) + look.px(18))
        return widths

    def least(self, width: float) -> tuple[float, float]:
        """26 px a row."""
        return max(sum(self._widths()), 40.0), theme().px(26) * (self.count + 1)

    def rect(self, index: int) -> QRectF:
        """A row."""
        row = theme().px(26)
        return QRectF(0, row * (index + 1), self.width, row)

    def at(self, place: QPointF) -> int | None:
        """Row under a place."""
        index = int(place.y() // theme().px(26)) - 1
        return index if 0 <= index < self.count else None

    def words(self, index: int) -> str:
        """The row's cells."""
        cells = [cell_text(self._model.value(index, c)) for c in range(len(self.payload.columns))]
        names = (column.name for column in self.payload.columns)
        return "\n".join(f"{n}\t{c}" for n, c in zip(names, cells, strict=True))

    def paint(self, painter: QPainter, clip: QRectF) -> None:
        """Head in micro, rows with rules."""
        look, widths = theme(), self._widths()
        high = look.px(26)
        for row in range(-1, self.count):
            y = high * (row + 1)
            if y > clip.bottom() or y + high < clip.top():
                continue
            x = 0.0
            for column, wide in enumerate(widths):
                area = QRectF(x + 8, y, wide - 16, high)
                self._paint_cell(painter, area, row, column)
                x += wide
            painter.fillRect(QRectF(0, y + high - 1, sum(widths), 1), look.color("plot_grid"))

    def _paint_cell(self, painter: QPainter, area: QRectF, row: int, column: int) -> None:
        look, model = theme(), self._model
        if row < 0:
            painter.setFont(look.font("micro"))
            painter.setPen(look.color("muted"))
            way = Qt.Orientation.Horizontal
            flags = model.headerData(column, way, Qt.ItemDataRole.TextAlignmentRole)
            axes.elided(painter, area, flags, model.headerData(column, way))
            return
        index = model.index(row, column)
        painter.setFont(model.data(index, Qt.ItemDataRole.FontRole))
        painter.setPen(look.color("ink"))
        flags = model.data(index, Qt.ItemDataRole.TextAlignmentRole)
        axes.elided(painter, area, flags, model.data(index))
