"""The layers of a network as a table: formats in bits, codes, what is clipped, headroom."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSize,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QPainter, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QStyleOptionViewItem, QTableView, QWidget

from backend.core.views import LayerRow
from studio.icons import paint_icon
from studio.pictures.axes import RIGHT
from studio.pictures.bits import paint_bits, paint_codes, row_words
from studio.pictures.words import format_words
from studio.theme import theme
from studio.widgets.table import TableDelegate, prepare_table

Index = QModelIndex | QPersistentModelIndex
HEAD = ("Layer", "Weights", "Activations", "Weight histogram", "Clipped", "Headroom")
LAYER, WEIGHTS, ACTIVATIONS, CODES, CLIPPED, HEADROOM = range(6)
ROW_ROLE = int(Qt.ItemDataRole.UserRole) + 1
SORT_ROLE = int(Qt.ItemDataRole.UserRole) + 2
WARN_SHARE = 0.01
"""A layer with more than this share of values at the ends of its grid needs a look."""
_ROOT = QModelIndex()
_WIDTHS = (132, 106, 106, 116, 92, 92)


def clipped(row: LayerRow) -> float | None:
    """The larger of the shares of weights and activations at the ends of their grids."""
    shares = [row.weight_clipped] if row.weight is not None else []
    shares += [row.input_clipped] if row.input is not None else []
    return max(shares, default=None)


def share_words(share: float | None) -> str:
    """Say a share in percent; a dash where there is none."""
    return "-" if share is None else f"{share:.2%}".replace("%", " %")


class LayersModel(QAbstractTableModel):
    """Rows of one step."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[LayerRow] = []

    def set_rows(self, rows: list[LayerRow]) -> None:
        """Show another step; rows of the same layers change in place, so the picked one stays."""
        if [r.layer for r in rows] == [r.layer for r in self.rows]:
            self.rows = rows
            if rows:
                last = self.index(len(rows) - 1, len(HEAD) - 1)
                self.dataChanged.emit(self.index(0, 0), last)
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Layers."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Six."""
        return 0 if parent.isValid() else len(HEAD)

    def headerData(
        self, section: int, way: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name of a column, and what it means."""
        if way != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEAD[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return (
                "Layer of the network",
                "Number format of the weights, one cell a bit",
                "Number format of the activations that come in, one cell a bit",
                "Weights by code; yellow: at the ends of the grid",
                "Share of weights or activations at the ends of the grid, the larger one",
                "Bits between the largest value seen and the end of the grid",
            )[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Words, tooltip, sort key or the row itself."""
        row, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(self._tip(row, column)).replace("\t", ": ")
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{HEAD[column]} {self._text(row, column)}"
        if role == SORT_ROLE:
            return self._key(row, column)
        return row if role == ROW_ROLE else None

    def _text(self, row: LayerRow, column: int) -> str:
        if column == LAYER:
            return row.layer
        if column in (WEIGHTS, ACTIVATIONS):
            return format_words(row.weight if column == WEIGHTS else row.input)
        if column == CLIPPED:
            return share_words(clipped(row))
        if column == HEADROOM:
            return "-" if row.headroom_bits is None else f"{row.headroom_bits:.1f} bit"
        return f"{int(sum(row.counts)):,} weights" if row.counts else "not recorded"

    def _tip(self, row: LayerRow, column: int) -> list[str]:
        if column in (WEIGHTS, ACTIVATIONS):
            return [format_words(row.weight if column == WEIGHTS else row.input)]
        if column == CLIPPED and clipped(row) is not None:
            lines = []
            if row.weight is not None:
                lines.append(f"Weights: {share_words(row.weight_clipped)}")
            if row.input is not None:
                lines.append(f"Activations: {share_words(row.input_clipped)}")
            if (clipped(row) or 0) > WARN_SHARE:
                lines.append("More than 1 % stands at the ends of the grid.")
            return lines
        return row_words(row)

    def _key(self, row: LayerRow, column: int) -> Any:
        if column in (WEIGHTS, ACTIVATIONS):
            form = row.weight if column == WEIGHTS else row.input
            return -1e9 if form is None else float(form.fraction)
        if column == CLIPPED:
            return -1.0 if clipped(row) is None else clipped(row)
        if column == HEADROOM:
            return -1e9 if row.headroom_bits is None else row.headroom_bits
        if column == CODES:
            return sum(row.counts)
        return row.layer.casefold()


class LayersSorter(QSortFilterProxyModel):
    """Sorts by what a column means; unsorted rows stand in the order of the network."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSortRole(SORT_ROLE)
        self.setFilterKeyColumn(LAYER)
        self.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)


class LayersDelegate(TableDelegate):
    """Paints bits, codes and warnings; the rest as in every table."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, numbers=(CLIPPED, HEADROOM), monos=(LAYER,))

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Fixed widths."""
        return QSize(theme().px(_WIDTHS[index.column()]), theme().px(26))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One cell."""
        column = index.column()
        row: LayerRow | None = index.data(ROW_ROLE)
        if row is None or column in (LAYER, HEADROOM):
            super().paint(painter, option, index)
            return
        look = theme()
        rect, state = QRectF(option.rect), option.state
        inner = rect.adjusted(look.px(8), 0, -look.px(8), -1)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.paint_ground(painter, rect, state)
        if column in (WEIGHTS, ACTIVATIONS):
            paint_bits(painter, inner, row.weight if column == WEIGHTS else row.input)
        elif column == CODES:
            area = inner.adjusted(0, look.px(5), 0, -look.px(4))
            paint_codes(painter, area, row.edges, row.counts, row.weight)
        else:
            self._paint_share(painter, inner, row)
        painter.restore()

    def _paint_share(self, painter: QPainter, inner: QRectF, row: LayerRow) -> None:
        look, share = theme(), clipped(row)
        is_high = share is not None and share > WARN_SHARE
        painter.setFont(look.mono("body"))
        tone = "warn" if is_high else "muted" if share is None else "ink"
        painter.setPen(look.text_color(tone, "panel", "hover", "selected"))
        text = share_words(share)
        painter.drawText(inner, RIGHT, text)
        if is_high:
            side = look.px(14)
            x = inner.right() - painter.fontMetrics().horizontalAdvance(text) - side - look.px(4)
            place = QRectF(x, inner.center().y() - side / 2, side, side)
            paint_icon(painter, "alert", place, look.color("warn"))


class LayersTable(QTableView):
    """The table with its model; what is picked stays picked from step to step."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.source = LayersModel(self)
        self.sorter = LayersSorter(self)
        self.sorter.setSourceModel(self.source)
        self.head = prepare_table(self, numbers=(CLIPPED, HEADROOM), monos=(LAYER,))
        self.setModel(self.sorter)
        self.head.setStretchLastSection(False)
        self.head.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.head.setSortIndicatorClearable(True)
        self.sorter.sort(-1)
        self.setItemDelegate(LayersDelegate(self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setAccessibleName("Layers of the network")
        self._size()
        theme().changed.connect(self._size)

    def _size(self) -> None:
        for column, width in enumerate(_WIDTHS):
            self.setColumnWidth(column, theme().px(width))
        self._stretch()
        self.verticalHeader().setDefaultSectionSize(theme().px(26))

    def _stretch(self) -> None:
        """Names get the room that is left over."""
        rest = sum(self.columnWidth(column) for column in range(1, len(_WIDTHS)))
        wide = max(theme().px(_WIDTHS[LAYER]), self.viewport().width() - rest)
        self.setColumnWidth(LAYER, wide)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Names grow and shrink."""
        super().resizeEvent(event)
        self._stretch()

    @property
    def layer(self) -> str:
        """Name of the picked layer."""
        # Not the current row: Qt makes the first one current when the table gets the focus.
        picked = self.selectionModel().selectedRows()
        row = picked[0].data(ROW_ROLE) if picked else None
        return row.layer if row is not None else ""

    def pick(self, layer: str) -> None:
        """Pick a layer by its name."""
        for n, row in enumerate(self.source.rows):
            if row.layer == layer:
                self.setCurrentIndex(self.sorter.mapFromSource(self.source.index(n, 0)))
                return
