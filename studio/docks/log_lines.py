"""The lines of a run: what nodes reported and where they failed, filtered and capped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from backend.core import events as ev

LINE = Qt.ItemDataRole.UserRole + 1
MOST_LINES = 100_000
_SLACK = 2_000  # how far beyond the cap the list grows before old lines go, all at once
LEVELS = ("info", "warning", "error")
Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: seconds since 1970, how grave, which node (none: the run), what."""

    t: float
    level: str
    node: str
    text: str
    details: str = ""
    seq: int = 0
    """Number of its event within the node; 0 for a failure, which no resume takes back."""

    @property
    def clock(self) -> str:
        """Time of day."""
        return datetime.fromtimestamp(self.t).strftime("%H:%M:%S")

    def __str__(self) -> str:
        stamp = datetime.fromtimestamp(self.t).strftime("%Y-%m-%d %H:%M:%S")
        who = f"{self.node}: " if self.node else ""
        more = f"\n{self.details.rstrip()}" if self.details else ""
        return f"{stamp} {self.level:<7} {who}{self.text}{more}"


def line_of(event: object) -> LogLine | None:
    """Return the line that an event makes; None for one that is no news of the log."""
    if isinstance(event, ev.Log):
        first, _, rest = event.text.partition("\n")
        return LogLine(
            event.t, event.level, event.node, first, event.text if rest else "", event.seq
        )
    if isinstance(event, ev.NodeFailed):
        return LogLine(event.t, "error", event.node, event.error, event.details)
    return None


class LinesModel(QAbstractListModel):
    """Lists lines that are grave enough and hold the text that is looked for."""

    def __init__(self, parent: QObject | None = None, most: int = MOST_LINES) -> None:
        super().__init__(parent)
        self._most = most
        self._all: list[LogLine] = []
        self._shown: list[LogLine] = []
        self._level = "info"
        self._text = ""
        self.dropped = 0
        """How many lines were too old to be kept."""

    @property
    def lines(self) -> Sequence[LogLine]:
        """What is listed."""
        return self._shown

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all, filtered or not."""
        return not self._all

    def count(self, level: str) -> int:
        """Count the lines of one level, shown or not."""
        return sum(line.level == level for line in self._all)

    def clear(self) -> None:
        """Forget all lines."""
        self.dropped = 0
        self._reset([])

    def replace(self, lines: Iterable[LogLine]) -> None:
        """List other lines."""
        self.dropped = 0
        self._reset(list(lines))

    def append(self, lines: Sequence[LogLine]) -> None:
        """Add lines at the end; the oldest go when there are too many."""
        if len(self._all) + len(lines) > self._most + _SLACK:
            self._reset([*self._all, *lines])
            return
        self._all += lines
        new = [line for line in lines if self._passes(line)]
        if new:
            end = len(self._shown)
            self.beginInsertRows(QModelIndex(), end, end + len(new) - 1)
            self._shown += new
            self.endInsertRows()

    def undo(self, node: str, seq: int) -> None:
        """Take back what a node said beyond ``seq``: it goes on from a checkpoint."""
        self._reset([line for line in self._all if line.node != node or line.seq <= seq])

    def filter(self, level: str | None = None, text: str | None = None) -> None:
        """List only lines at least as grave as ``level`` in which ``text`` occurs."""
        self._level = self._level if level is None else level
        self._text = self._text if text is None else text.strip().lower()
        self._reset(self._all)

    def _reset(self, lines: list[LogLine]) -> None:
        self.beginResetModel()
        self.dropped += max(0, len(lines) - self._most)
        self._all = lines[-self._most :]
        everything = self._level == "info" and not self._text
        self._shown = list(self._all) if everything else [x for x in self._all if self._passes(x)]
        self.endResetModel()

    def _passes(self, line: LogLine) -> bool:
        if LEVELS.index(line.level) < LEVELS.index(self._level):
            return False
        text = self._text
        return not text or text in line.text.lower() or text in line.node.lower()

    # -- what Qt asks ----------------------------------------------------------------------------

    def rowCount(self, parent: Index = _NO_INDEX) -> int:
        """Count what is listed."""
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give the line, or its words."""
        if not 0 <= index.row() < len(self._shown):
            return None
        line = self._shown[index.row()]
        if role == LINE:
            return line
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            who = f"{line.node}: " if line.node else ""
            return f"{line.clock} {line.level} {who}{line.text}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return line.text if len(line.text) > 60 else None
        return None
