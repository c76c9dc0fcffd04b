"""A table of the inspector: filter, sort, copy, one row picked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QMenu, QTableView

from studio.docks.inspector_model import RecordsModel
from studio.theme import theme
from studio.widgets.painting import text_width
from studio.widgets.table import prepare_table

Record = dict[str, Any]
_WIDEST = 280
_LOOKED_AT = 200


class RecordsTable(QTableView):
    """Rows of a `RecordsModel`; `picked(record)` when the current row is another one."""

    picked = Signal(object)

    def __init__(self, model: RecordsModel, name: str) -> None:
        super().__init__()
        self._source = model
        self._record: Record | None = None
        self._column = 0
        self.setModel(model)
        numbers = [i for i, column in enumerate(model.columns) if column.is_number]
        monos = [i for i, column in enumerate(model.columns) if column.is_mono]
        header = prepare_table(self, numbers=numbers, monos=monos)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSortIndicatorClearable(True)
        self.setAccessibleName(name)
        self.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.selectionModel().currentChanged.connect(self._moved)
        model.modelReset.connect(self._keep)
        self.installEventFilter(self)

    def fit_columns(self) -> None:
        """Give the columns the width of their words, as far as the first rows tell."""
        look = theme()
        for place, column in enumerate(self._source.columns):
            texts = [column.text(record) for record in self._source.records[:_LOOKED_AT]]
            widest = max((text for text in (*texts, column.title + "    ")), key=len)
            font = look.mono() if column.is_number or column.is_mono else look.font("small")
            wide = max(text_width(font, widest), look.px(64))
            if place >= 6:
                wide = max(wide, look.px(84))  # figures come later
            self.setColumnWidth(place, round(min(wide, look.px(_WIDEST))) + look.px(18))

    def pick_first(self, wanted: Callable[[Record], bool] = lambda _record: True) -> None:
        """Pick the first row that is `wanted`, else the first."""
        if self._source.rowCount():
            records = [self._source.records[place] for place in self._source.order]
            row = next((i for i, record in enumerate(records) if wanted(record)), 0)
            self.setCurrentIndex(self._source.index(row, 0))

    def tell_picked(self) -> None:
        """Tell the picked row again; without one, pick the first."""
        record = self._source.record(self.currentIndex())
        if record is not None:
            self.picked.emit(record)
        else:
            self.pick_first()

    def copy_cell(self) -> None:
        """Put the text of the current cell on the clipboard."""
        if self.currentIndex().isValid():
            QGuiApplication.clipboard().setText(str(self.currentIndex().data()))

    def copy_row(self) -> None:
        """Put the current row on the clipboard, cells apart by tabs."""
        if self.currentIndex().isValid():
            QGuiApplication.clipboard().setText(self._row_text(self.currentIndex().row(), "\t"))

    def copy_table(self) -> None:
        """Put what is shown on the clipboard, with titles, cells apart by tabs."""
        titles = "\t".join(column.title for column in self._source.columns)
        rows = (self._row_text(row, "\t") for row in range(self._source.rowCount()))
        QGuiApplication.clipboard().setText("\n".join((titles, *rows)))

    def _row_text(self, row: int, between: str) -> str:
        cells = (self._source.index(row, i).data() for i in range(self._source.columnCount()))
        return between.join("" if cell is None else str(cell) for cell in cells)

    def _moved(self, current: QModelIndex, _before: QModelIndex) -> None:
        record = self._source.record(current)
        self._column = max(0, current.column())
        if record is not None and record is not self._record:
            self._record = record
            self.picked.emit(record)

    def _keep(self) -> None:
        """After sorting or filtering the same record stays picked, if it is still shown."""
        row = -1 if self._record is None else self._source.row_of(self._record)
        if row >= 0:
            bar = self.horizontalScrollBar()
            across = bar.value()
            self.setCurrentIndex(self._source.index(row, self._column))
            bar.setValue(across)  # a click on a header far right must not scroll it away

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """What can be copied."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, deed in (
            ("Copy the value", self.copy_cell),
            ("Copy the row", self.copy_row),
            ("Copy the table", self.copy_table),
        ):
            menu.addAction(text, deed)
        menu.popup(event.globalPos())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ctrl+C copies the cell here, whatever the window's Copy does."""
        if isinstance(event, QKeyEvent) and event.matches(QKeySequence.StandardKey.Copy):
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress:
                self.copy_cell()
                return True
        return super().eventFilter(watched, event)
