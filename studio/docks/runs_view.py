"""The view of the runs' table: keys, clicks on star and mark, widths of columns."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QAbstractItemView, QTableView, QWidget

from studio.docks.runs_model import NAME_ROLE, RunsModel
from studio.theme import theme
from studio.widgets.painting import follow_theme
from studio.widgets.table import prepare_table

_WIDTHS = {
    "star": 30,
    "mark": 30,
    "state": 100,
    "run": 168,
    "started": 124,
    "phone": 92,
    "seconds": 92,
    "sweep": 120,
    "tags": 110,
    "note": 160,
}
_METRIC_WIDTH = {"best": 156, "last": 72}


class RunsView(QTableView):
    """Space marks, S stars, Enter shows, Del deletes; a click on a row shows it."""

    focused = Signal(object)
    """Name of the run that the docks shall show."""
    wants_mark = Signal(object)
    wants_star = Signal(object)
    wants_delete = Signal(object)

    def __init__(self, model: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs = model
        self._pressed: str | None = None
        header = prepare_table(self)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.setSectionsMovable(False)
        self.setModel(model)
        header.setSortIndicator(*model.sorted_by)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDragDropOverwriteMode(True)  # a run is dropped on a run and goes before it
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setAccessibleName("Table of runs")
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes after a theme change."""
        self.verticalHeader().setDefaultSectionSize(theme().px(26))
        self._set_widths()

    def dress_columns(self, hidden: Iterable[str]) -> None:
        """Set widths, what is right-aligned, and which columns are hidden."""
        hidden = set(hidden)
        header = self.horizontalHeader()
        numbers = {c for c, n in enumerate(self._runs.columns) if self._runs.is_number(n)}
        header.numbers = numbers  # type: ignore[attr-defined]
        header.setSortIndicator(*self._runs.sorted_by)  # the columns may have moved
        self._set_widths()
        for place, column in enumerate(self._runs.columns):
            self.setColumnHidden(place, column in hidden)

    def _set_widths(self) -> None:
        for place, column in enumerate(self._runs.columns):
            kind = column.partition(":")[0]
            width = _WIDTHS.get(column) or _METRIC_WIDTH.get(kind, 100)
            self.setColumnWidth(place, theme().px(width))

    def picked(self) -> list[str]:
        """Names of the picked runs, else the one under the keyboard."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        if not rows and self.currentIndex().isValid():
            rows = [self.currentIndex().row()]
        return [str(self._runs.index(row, 0).data(NAME_ROLE)) for row in rows]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Do what the keys stand for."""
        names = self.picked()
        deeds = {
            Qt.Key.Key_Space: self.wants_mark,
            Qt.Key.Key_S: self.wants_star,
            Qt.Key.Key_Delete: self.wants_delete,
        }
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        key = Qt.Key(event.key())
        if names and plain and key in deeds:
            deeds[key].emit(names)
        elif names and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.focused.emit(names[0])
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A press on star or mark does not change what is picked."""
        index = self.indexAt(event.position().toPoint())
        self._pressed = self._column(index)
        if event.button() == Qt.MouseButton.LeftButton and self._pressed in ("star", "mark"):
            signal = self.wants_star if self._pressed == "star" else self.wants_mark
            signal.emit([str(index.data(NAME_ROLE))])
            return
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click without modifiers shows the run."""
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        is_plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        if event.button() != Qt.MouseButton.LeftButton or not is_plain or not index.isValid():
            return
        if self._pressed not in ("star", "mark", None) and self._column(index) == self._pressed:
            self.focused.emit(str(index.data(NAME_ROLE)))

    def _column(self, index: QModelIndex) -> str | None:
        return self._runs.columns[index.column()] if index.isValid() else None
