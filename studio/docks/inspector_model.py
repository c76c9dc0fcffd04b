"""The tables of the inspector: layers and tensors of a model file as Qt models."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)

from studio.widgets.table import COLOR_ROLE

Index = QModelIndex | QPersistentModelIndex
Record = dict[str, Any]


def count_text(count: float | None) -> str:
    """A count in full with thousands set apart; empty when it is not known."""
    return "" if count is None else f"{count:,.0f}"


def short_count(count: float) -> str:
    """A count as a read-out: 950, 12.3 k, 0.27 M, 1.20 G."""
    for least, scale, unit in ((1e9, 1e9, "G"), (1e5, 1e6, "M"), (1e4, 1e3, "k")):
        if count >= least:
            return f"{count / scale:.3g} {unit}"
    return f"{count:,.0f}"


def bytes_text(size: float | None) -> str:
    """Bytes in decimal units, as file browsers give them."""
    if size is None:
        return ""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def shape_text(shape: Sequence[Any] | None) -> str:
    """Sizes with a times sign between; a single number has no shape."""
    if shape is None:
        return ""
    return " × ".join(str(size) for size in shape) or "scalar"


def figure_text(value: float | None) -> str:
    """Four digits."""
    return "" if value is None else f"{value:.4g}"


def share_text(value: float | None) -> str:
    """A share in percent; never 0 or 100 for what is not quite that."""
    if value is None:
        return ""
    if 0 < value < 0.001:
        return "< 0.1 %"
    return f"{100 * value:.3g} %" if value < 0.999 or value == 1 else "> 99.9 %"


@dataclass(frozen=True)
class Column:
    """A column: its title, the text of a record, what it sorts by, whether it is a number."""

    title: str
    text: Callable[[Record], str]
    value: Callable[[Record], Any]
    is_number: bool = True
    is_mono: bool = False
    tip: str = ""


def natural(name: str) -> list[tuple[int, str]]:
    """A key that puts block2 before block10."""
    parts = re.split(r"(\d+)", name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _size(record: Record) -> int:
    return math.prod(record["shape"])


TENSOR_COLUMNS = (
    Column("Tensor", lambda r: r["name"], lambda r: natural(r["name"]), False, True),
    Column("Shape", lambda r: shape_text(r["shape"]), _size, False, True),
    Column("Type", lambda r: r["dtype"], lambda r: r["dtype"], False),
    Column("Bits", lambda r: count_text(r.get("bits")), lambda r: r.get("bits"), True),
    Column("Entries", lambda r: count_text(_size(r)), _size),
    Column("Size", lambda r: bytes_text(r.get("bytes")), lambda r: r.get("bytes")),
    Column("Min", lambda r: figure_text(r.get("min")), lambda r: r.get("min")),
    Column("Max", lambda r: figure_text(r.get("max")), lambda r: r.get("max")),
    Column("Mean", lambda r: figure_text(r.get("mean")), lambda r: r.get("mean")),
    Column("Zeros", lambda r: share_text(r.get("zeros")), lambda r: r.get("zeros")),
)
LAYER_COLUMNS = (
    Column(
        "Layer", lambda r: r["name"], lambda r: r["place"], False, True, "Sorts by the file's order"
    ),
    Column("Kind", lambda r: r["kind"], lambda r: r["kind"], False),
    Column("Shape", lambda r: shape_text(r["shape"]), lambda r: str(r["shape"]), False, True),
    Column("Parameters", lambda r: count_text(r["params"] or None), lambda r: r["params"]),
    Column("MACs", lambda r: count_text(r["macs"] or None), lambda r: r["macs"]),
    Column("Size", lambda r: bytes_text(r["bytes"] or None), lambda r: r["bytes"]),
)
FIRST_FIGURE = 6
"""The first column of tensors that is filled later."""


def layers_of(facts: Record) -> list[Record]:
    """Layers of a file: the nodes of an ONNX graph, else tensors grouped by the name before the
    last dot. Each has name, place, kind, shape, params, macs, bytes and the places of its tensors,
    the largest first.
    """
    tensors = facts["tensors"]
    by_name = {tensor["name"]: place for place, tensor in enumerate(tensors)}
    if "layers" in facts:
        return [
            _layer(i, node, [by_name[name] for name in node["inputs"] if name in by_name], tensors)
            for i, node in enumerate(facts["layers"])
        ]
    groups: dict[str, list[int]] = {}
    for place, tensor in enumerate(tensors):
        owner = tensor["name"].rpartition(".")[0] or tensor["name"]
        groups.setdefault(owner, []).append(place)
    found = []
    for i, (name, places) in enumerate(sorted(groups.items(), key=lambda one: natural(one[0]))):
        parts = [tensors[place]["name"].rpartition(".")[2] for place in places]
        node = {"name": name, "operator": ", ".join(parts)}
        found.append(_layer(i, node, places, tensors))
    return found


def _layer(place: int, node: Record, owned: list[int], tensors: list[Record]) -> Record:
    owned = sorted(owned, key=lambda i: -_size(tensors[i]))
    is_node = "inputs" in node
    shape = node.get("shape") if is_node else tensors[owned[0]]["shape"]
    return {
        "name": node["name"],
        "place": place,
        "kind": node["operator"],
        "shape": shape,
        "params": sum(_size(tensors[i]) for i in owned),
        "macs": node.get("macs"),
        "bytes": sum(tensors[i].get("bytes") or 0 for i in owned),
        "tensors": owned,
    }


class RecordsModel(QAbstractTableModel):
    """Records under columns, filtered and sorted here: a proxy asks Qt too often for thousands."""

    def __init__(self, columns: Sequence[Column], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.columns = tuple(columns)
        self.records: list[Record] = []
        self.order: list[int] = []
        self._words: list[str] = []
        self._sorted_by = (-1, Qt.SortOrder.AscendingOrder)

    def set_records(self, records: list[Record]) -> None:
        """Show other records; filter and sort order stay."""
        self.records = records
        self._arrange()

    def set_filter(self, text: str) -> None:
        """Show the rows that hold every word, anywhere in name, shape, kind or type."""
        words = text.lower().split()
        if words != self._words:
            self._words = words
            self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; a column of -1 is the order of the file."""
        self._sorted_by = (column, order)
        self._arrange()

    def sort_again(self) -> None:
        """Put rows in order that became known after sorting."""
        if self._sorted_by[0] >= 0:
            self._arrange()

    def update_records(self, parts: Sequence[Record], first_column: int) -> None:
        """Add what became known: each part has the place of its record as `tensor`.

        Rows do not move meanwhile, even when they are sorted by a figure.
        """
        for part in parts:
            place = part.get("tensor")
            if isinstance(place, int) and 0 <= place < len(self.records):
                self.records[place].update(part)
        if self.order:
            last = self.index(len(self.order) - 1, len(self.columns) - 1)
            self.dataChanged.emit(self.index(0, first_column), last)

    def record(self, index: Index) -> Record | None:
        """The record itself; as data of a role Qt would hand out a copy of a dictionary."""
        return self.records[self.order[index.row()]] if index.isValid() else None

    def row_of(self, record: Record) -> int:
        """The row that shows a record, -1 if the filter hides it."""
        rows = (row for row, place in enumerate(self.order) if self.records[place] is record)
        return next(rows, -1)

    def _arrange(self) -> None:
        self.beginResetModel()
        words = [column for column in self.columns if not column.is_number]
        self.order = [
            place
            for place, record in enumerate(self.records)
            if not self._words or self._holds(" ".join(column.text(record) for column in words))
        ]
        column, direction = self._sorted_by
        if column >= 0:
            value = self.columns[column].value
            known = [place for place in self.order if value(self.records[place]) is not None]
            rest = [place for place in self.order if value(self.records[place]) is None]
            is_falling = direction == Qt.SortOrder.DescendingOrder
            known.sort(key=lambda place: value(self.records[place]), reverse=is_falling)
            self.order = known + rest  # what is not known stands last in both directions
        self.endResetModel()

    def _holds(self, text: str) -> bool:
        low = text.lower()
        return all(word in low for word in self._words)

    def rowCount(self, parent: Index | None = None) -> int:
        """One a record that the filter lets through."""
        return 0 if parent is not None and parent.isValid() else len(self.order)

    def columnCount(self, parent: Index | None = None) -> int:
        """As given."""
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, tooltip, colour."""
        record = self.records[self.order[index.row()]]
        column = self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(record)
        if role == Qt.ItemDataRole.ToolTipRole and index.column() == 0:
            return column.text(record)
        if role == COLOR_ROLE and index.column() > 0 and not column.is_number:
            return "muted"
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Titles."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].title
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return self.columns[section].tip or None
        return None
