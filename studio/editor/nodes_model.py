"""The rows of the palette: groups that fold, and the kinds of node in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)

from backend.core.node import NodeSpec, Port
from studio.catalog import CatalogModel
from studio.editor import node_search
from studio.editor.palette_memory import PaletteMemory

NODE_MIME = "application/x-fretsaw-node"
ROW = Qt.ItemDataRole.UserRole + 1
Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()


@dataclass(frozen=True)
class GroupRow:
    """A heading; ``key`` is what is remembered when it is folded."""

    title: str
    key: str
    is_folded: bool


@dataclass(frozen=True)
class NodeRow:
    """A kind of node in a group."""

    spec: NodeSpec
    is_favourite: bool
    group: str = ""


class NodesModel(QAbstractListModel):
    """Lists a catalogue in groups, or what matches :meth:`search` without groups."""

    def __init__(
        self, catalog: CatalogModel, memory: PaletteMemory, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._catalog = catalog
        self._memory = memory
        self._text = ""
        self._rows: list[GroupRow | NodeRow] = []
        catalog.changed.connect(self.rebuild)
        memory.changed.connect(self.rebuild)
        self.rebuild()

    @property
    def rows(self) -> Sequence[GroupRow | NodeRow]:
        """What is listed now."""
        return self._rows

    @property
    def text(self) -> str:
        """What is searched for; empty without a search."""
        return self._text

    def search(self, text: str) -> None:
        """List only what matches ``text``; everything when it is empty."""
        if text.strip() != self._text:
            self._text = text.strip()
            self.rebuild()

    def rebuild(self) -> None:
        """Make the rows anew."""
        rows = self._found() if self._text else self._grouped()
        if rows != self._rows:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()

    def _found(self) -> list[GroupRow | NodeRow]:
        return [self._row(s) for s in node_search.found(self._text, self._catalog.specs.values())]

    def _grouped(self) -> list[GroupRow | NodeRow]:
        specs = self._catalog.specs
        groups: dict[str, list[NodeSpec]] = {}
        known = [specs[x] for x in self._memory.recent if x in specs]
        if known:
            groups["Recently used"] = known
        liked = [specs[x] for x in self._memory.favourites if x in specs]
        if liked:
            groups["Favourites"] = sorted(liked, key=lambda spec: spec.title.lower())
        rows: list[GroupRow | NodeRow] = []
        for title, members in {**groups, **node_search.grouped(specs.values())}.items():
            is_folded = title in self._memory.folded
            rows.append(GroupRow(title, title, is_folded))
            if not is_folded:
                rows += [self._row(spec, title) for spec in members]
        return rows

    def _row(self, spec: NodeSpec, group: str = "") -> NodeRow:
        return NodeRow(spec, spec.id in self._memory.favourites, group)

    # -- what Qt asks ----------------------------------------------------------------------------

    def rowCount(self, parent: Index = _NO_INDEX) -> int:
        """Count the rows."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give the row, its title, help or words."""
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == ROW:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title if isinstance(row, GroupRow) else row.spec.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip(row.spec) if isinstance(row, NodeRow) else None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return _spoken(row)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Let kinds of node be dragged."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        row = self.data(index, ROW)
        return flags | Qt.ItemFlag.ItemIsDragEnabled if isinstance(row, NodeRow) else flags

    def mimeTypes(self) -> list[str]:
        """Name what a drag carries."""
        return [NODE_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """Carry the id of a kind of node."""
        mime = QMimeData()
        row = self.data(indexes[0], ROW) if indexes else None
        if isinstance(row, NodeRow):
            mime.setData(NODE_MIME, row.spec.id.encode())
            mime.setText(row.spec.id)
        return mime


def tooltip(spec: NodeSpec) -> str:
    """Say what a kind of node does, where it is from, what it takes and gives."""
    first = spec.doc.split("\n\n")[0].replace("\n", " ")
    lines = [f"<b>{escape(spec.title)}</b>", escape(first)]
    if spec.inputs:
        lines.append("Takes " + ", ".join(_port(port) for port in spec.inputs))
    if spec.outputs:
        lines.append("Gives " + ", ".join(_port(port) for port in spec.outputs))
    if spec.source:
        lines.append(f"<i>{escape(spec.source)}</i>")
    return "<qt>" + "<br>".join(lines) + "</qt>"


def _port(port: Port) -> str:
    notes = [note for note, on in (("any number", port.many), ("optional", port.optional)) if on]
    extra = f" ({', '.join(notes)})" if notes else ""
    name = "" if port.name.lower() == port.type.lower() else f"{escape(port.name)}: "
    return f"{name}{escape(port.type)}{extra}"


def _spoken(row: GroupRow | NodeRow) -> str:
    if isinstance(row, GroupRow):
        return f"{row.title}, {'folded' if row.is_folded else 'unfolded'}"
    gives = ", ".join(port.type for port in row.spec.outputs) or "nothing"
    liked = ", favourite" if row.is_favourite else ""
    return f"{row.spec.title}, gives {gives}{liked}"
