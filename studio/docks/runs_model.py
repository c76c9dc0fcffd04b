"""The table of runs: rows of the index, filtered and sorted here, thousands of them at once."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from backend.core.files import parse_json
from studio.docks.run_list import best_of, likely_metrics, metric_title, phone_text, state_look
from studio.docks.run_list import when as when_text
from studio.docks.runs_filter import Filter
from studio.plotting import metrics
from studio.run_row import RunRow
from studio.widgets.table import BEST_ROLE, COLOR_ROLE, ICON_ROLE, NUMBER_ROLE
from studio.words import duration

Index = QModelIndex | QPersistentModelIndex
NAME_ROLE = int(Qt.ItemDataRole.UserRole) + 1
MIME = "application/x-fretsaw-runs"
FIXED = ("star", "mark", "state", "run", "started")  # the time tells runs of one name apart
PHONE = "phone"
"""Milliseconds for a frame on phones; a column once any run was measured there."""
TAIL = ("seconds", "sweep", "tags", "note")
_TITLES = {
    "star": "",
    "mark": "",
    "state": "State",
    "run": "Run",
    "started": "Started",
    "phone": "Phone ms",
    "seconds": "Duration",
    "sweep": "Sweep",
    "tags": "Tags",
    "note": "Note",
}


class RunsModel(QAbstractTableModel):
    """Columns: star, mark, state, run, start, two for each metric, duration, sweep, tags, note."""

    reordered = Signal(object)
    """The waiting runs in the order that the user dragged them into."""

    def __init__(self) -> None:
        super().__init__()
        self._all: list[RunRow] = []
        self._shown: list[RunRow] = []
        self._places: dict[str, int] = {}
        self._best: dict[str, float] = {}
        self._filter = Filter()
        self._sort: tuple[str, bool] = ("started", True)
        self._chosen: list[str] | None = None
        self.metrics: list[str] = []
        self.columns: list[str] = [*FIXED, *TAIL]
        self.marked: dict[str, str] = {}
        """Pen colour names of marked runs by run name."""
        self.queue: list[str] = []
        """The waiting runs, the next first."""

    # -- contents --------------------------------------------------------------------------------

    @property
    def rows(self) -> list[RunRow]:
        """The runs that are shown, in their order."""
        return self._shown

    @property
    def total(self) -> int:
        """Number of runs, shown or not."""
        return len(self._all)

    def set_rows(self, rows: Sequence[RunRow]) -> None:
        """Show these runs; a picked row stays picked."""
        self._all = list(rows)
        self._choose(likely_metrics(self._all, 2) if self._chosen is None else self._chosen)
        self._refresh()

    def update_rows(self, rows: Sequence[RunRow]) -> None:
        """Show other figures of a few runs in place, without sorting anew."""
        for row in rows:
            place = self._places.get(row.name)
            if place is not None:
                self._shown[place] = row
                last = len(self.columns) - 1
                self.dataChanged.emit(self.index(place, 0), self.index(place, last))

    def set_filter(self, wanted: Filter) -> None:
        """Show the runs that pass."""
        if wanted != self._filter:
            self._filter = wanted
            self._refresh()

    def set_metrics(self, keys: Sequence[str]) -> None:
        """Show best and last value of these metrics (``node.metric``)."""
        self._chosen = list(keys)
        self._choose(self._chosen)
        self._refresh()

    def set_marked(self, marked: dict[str, str]) -> None:
        """Show these runs as marked, in the colours of their pens."""
        if marked != self.marked:
            self.marked = marked
            self._tell(self.columns.index("mark"))

    def set_queue(self, queue: list[str]) -> None:
        """Note the order of the waiting runs."""
        if queue != self.queue:
            self.queue = queue
            self._refresh()

    @property
    def sorted_by(self) -> tuple[int, Qt.SortOrder]:
        """Column and order of the rows."""
        column, descending = self._sort
        if column not in self.columns:
            column = "started"
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        return self.columns.index(column), order

    def row_at(self, index: Index) -> RunRow | None:
        """The run of an index."""
        return self._shown[index.row()] if index.isValid() else None

    def place_of(self, name: str) -> int | None:
        """Row number of a run; None when it is not shown."""
        return self._places.get(name)

    def as_text(self) -> tuple[list[str], list[list[str]], list[bool]]:
        """Head, rows and which columns are numbers: what a copy of the table holds."""
        columns = [c for c in range(len(self.columns)) if self.columns[c] not in ("star", "mark")]
        head = [str(self.headerData(c, Qt.Orientation.Horizontal)) for c in columns]
        cells = [[self._text(row, self.columns[c]) for c in columns] for row in self._shown]
        return head, cells, [self.is_number(self.columns[c]) for c in columns]

    # -- what Qt asks ----------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Number of runs that are shown."""
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Number of columns."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Titles, and what they mean as tooltips."""
        if orientation != Qt.Orientation.Horizontal or section >= len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._title(column)
        if role == Qt.ItemDataRole.ToolTipRole:
            hints = {"star": "Star", "mark": "Mark for comparing"}
            return hints.get(column, self._title(column))
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Words, icons and emphasis of a cell."""
        if not index.isValid() or index.row() >= len(self._shown):
            return None
        row, column = self._shown[index.row()], self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == NAME_ROLE:
            return row.name
        if role == ICON_ROLE:
            return self._icon(row, column)
        if role == COLOR_ROLE:
            return self._color(row, column)
        if role == BEST_ROLE:
            return column in self._best and self._value(row, column) == self._best[column]
        if role == NUMBER_ROLE:
            return self.is_number(column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tooltip(row, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._spoken(row, column)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Waiting runs can be dragged, and dropped on."""
        found = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        row = self.row_at(index)
        if row is not None and row.state == "queued":
            found |= Qt.ItemFlag.ItemIsDragEnabled | Qt.ItemFlag.ItemIsDropEnabled
        return found

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; what has no value stays at the end either way."""
        if 0 <= column < len(self.columns):
            self._sort = (self.columns[column], order == Qt.SortOrder.DescendingOrder)
            self._refresh()

    def supportedDropActions(self) -> Qt.DropAction:
        """Rows move."""
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        """Only rows of this table."""
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """Names of the waiting runs among the dragged rows."""
        rows = sorted({index.row() for index in indexes})
        names = [self._shown[row].name for row in rows if self._shown[row].state == "queued"]
        data = QMimeData()
        data.setData(MIME, json.dumps(names).encode())
        return data

    def dropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index
    ) -> bool:
        """Put the dragged runs before the one that they were dropped on."""
        if not data.hasFormat(MIME):
            return False
        names = parse_json(bytes(data.data(MIME).data()))
        place = parent.row() if parent.isValid() else row
        target = self._shown[place].name if 0 <= place < len(self._shown) else None
        rest = [name for name in self.queue if name not in names]
        at = rest.index(target) if target in rest else len(rest)
        self.reordered.emit([*rest[:at], *names, *rest[at:]])
        return False  # the queue itself says what the order is now

    # -- cells -----------------------------------------------------------------------------------

    def _title(self, column: str) -> str:
        if column in _TITLES:
            return _TITLES[column]
        kind, key = column.split(":", 1)
        unit = metrics.unit(metrics.split(key)[1])
        words = f"{metric_title(key)} {unit}".strip()
        return f"{words}, best" if kind == "best" else "last"

    def is_number(self, column: str) -> bool:
        """Whether a column holds figures."""
        return ":" in column or column == PHONE

    def _value(self, row: RunRow, column: str) -> float | None:
        if column == PHONE:
            return min(row.phone.values(), default=None)
        kind, key = column.split(":", 1)
        return (row.best if kind == "best" else row.last).get(key)

    def _text(self, row: RunRow, column: str) -> str:
        if ":" in column:
            value = self._value(row, column)
            metric = metrics.split(column)[1]
            return "" if value is None else metrics.number(value, metric)
        if column == PHONE:
            return phone_text(row.phone)
        if column == "state":
            place = self.queue.index(row.name) + 1 if row.name in self.queue else 0
            word = state_look(row.state)[2]
            return f"{word}, {_ordinal(place)}" if place else word
        if column == "run":
            return row.label or row.name
        if column == "started":
            return when_text(row.started)
        if column == "seconds":
            return duration(row.seconds) if row.seconds else ""
        texts = {"tags": ", ".join(row.tags), "note": row.note, "sweep": _sweep_text(row)}
        return texts.get(column, "")

    def _icon(self, row: RunRow, column: str) -> tuple[str, str] | None:
        if column == "star":
            return ("star", "warn") if row.star else ("star-outline", "line")
        if column == "mark":
            if row.name in self.marked:
                return "checkbox-marked", self.marked[row.name]
            return "checkbox-blank-outline", "line"
        if column == "state":
            icon, color, _ = state_look(row.state)
            return icon, color
        return None

    def _color(self, row: RunRow, column: str) -> str | None:
        if column == "state":
            return "bad" if row.state in ("failed", "crashed") else "muted"
        is_quiet = column in ("started", *TAIL) or column.startswith("last:")
        return "muted" if is_quiet else None

    def _tooltip(self, row: RunRow, column: str) -> str:
        if column == "star":
            return "Starred" if row.star else "Star this run"
        if column == "mark":
            return "Marked for comparing" if row.name in self.marked else "Mark for comparing"
        if column == PHONE:
            return ", ".join(f"{name} {ms:.1f} ms" for name, ms in row.phone.items())
        if column == "state" and row.error:
            return row.error
        return row.name if column == "run" else self._text(row, column)

    def _spoken(self, row: RunRow, column: str) -> str:
        if column in ("star", "mark"):
            return self._tooltip(row, column)
        return f"{self._title(column)}: {self._text(row, column)}"

    # -- order -----------------------------------------------------------------------------------

    def _choose(self, keys: Sequence[str]) -> None:
        figures = [f"{kind}:{key}" for key in keys for kind in ("best", "last")]
        phone = [PHONE] if any(row.phone for row in self._all) else []
        wanted = [*FIXED, *figures, *phone, *TAIL]
        self.metrics = list(keys)
        if wanted != self.columns:
            self.beginResetModel()
            self.columns = wanted
            self.endResetModel()

    def _refresh(self) -> None:
        shown = [row for row in self._all if self._filter.holds(row)]
        shown = self._sorted(shown)
        places = {row.name: place for place, row in enumerate(shown)}
        is_same = [row.name for row in shown] == [row.name for row in self._shown]
        if is_same:
            self._shown, self._places = shown, places
            self._find_best()
            if shown:
                last = self.index(len(shown) - 1, len(self.columns) - 1)
                self.dataChanged.emit(self.index(0, 0), last)
            return
        self.layoutAboutToBeChanged.emit()
        old = self.persistentIndexList()
        names = [self._shown[index.row()].name for index in old]
        self._shown, self._places = shown, places
        self._find_best()
        self.changePersistentIndexList(
            old,
            [
                self.index(places[name], index.column()) if name in places else QModelIndex()
                for name, index in zip(names, old, strict=True)
            ],
        )
        self.layoutChanged.emit()

    def _sorted(self, rows: list[RunRow]) -> list[RunRow]:
        column, descending = self._sort
        keyed = [(self._key(row, column), row) for row in rows]
        known = [pair for pair in keyed if pair[0] is not None]
        known.sort(key=lambda pair: pair[0], reverse=descending)
        return [row for _, row in known] + [row for key, row in keyed if key is None]

    def _key(self, row: RunRow, column: str) -> Any:
        if self.is_number(column):
            value = self._value(row, column)
            return None if value is None or math.isnan(value) else value
        if column == "started":
            # Waiting runs have not begun: they stand with the newest, in the order of the queue.
            if row.name in self.queue:
                return (1, -self.queue.index(row.name), row.name)
            return (0, row.started, row.name)
        if column == "seconds":
            return row.seconds or None
        if column == "star":
            return row.star
        if column == "mark":
            return row.name in self.marked
        return self._text(row, column).lower() or None

    def _find_best(self) -> None:
        self._best = {}
        for column in self.columns:
            if self.is_number(column):
                values = [self._value(row, column) for row in self._shown]
                metric = "ms" if column == PHONE else metrics.split(column)[1]
                best = best_of(values, metric)
                if best is not None:
                    self._best[column] = best

    def _tell(self, column: int) -> None:
        if self._shown:
            self.dataChanged.emit(self.index(0, column), self.index(len(self._shown) - 1, column))


def _ordinal(place: int) -> str:
    return "next" if place == 1 else f"number {place}"


def _sweep_text(row: RunRow) -> str:
    given = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in row.set.items())
    return given or row.sweep
