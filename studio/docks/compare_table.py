"""The marked runs side by side: final metrics of each node, and the settings that differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    Qt,
)
from PySide6.QtGui import QFont, QPainter, QResizeEvent
from PySide6.QtWidgets import QStyleOptionViewItem, QTableView

from studio.docks.run_list import best_of, metric_title, text_of
from studio.docks.runs_diff import differing
from studio.plotting import metrics
from studio.theme import theme
from studio.widgets.painting import line, text_width
from studio.widgets.table import BEST_ROLE, COLOR_ROLE, ICON_ROLE, TableDelegate, TableHeader

Index = QModelIndex | QPersistentModelIndex
DELTA_ROLE = int(Qt.ItemDataRole.UserRole) + 2
_DELTA_LETTERS = 7
_DELTA_WIDTH = 62


@dataclass(frozen=True)
class Cell:
    """A value, its difference to the first run, and whether it is the best of its row."""

    text: str
    delta: str = ""
    is_best: bool = False


@dataclass(frozen=True)
class Line:
    """One row: a head, a metric or a setting."""

    title: str
    cells: tuple[Cell, ...] = ()
    note: str = ""
    """Beside the title: the number of samples."""
    warning: str = ""
    is_head: bool = False


@dataclass(frozen=True)
class Table:
    """Names of the runs, and the rows."""

    names: tuple[str, ...] = ()
    lines: tuple[Line, ...] = field(default_factory=tuple)

    def as_text(self) -> tuple[list[str], list[list[str]], list[bool]]:
        """Head, rows and which columns are numbers."""
        rows = []
        for entry in self.lines:
            title = f"{entry.title} ({entry.note})" if entry.note else entry.title
            cells = [f"{c.text} ({c.delta})" if c.delta else c.text for c in entry.cells]
            rows.append([title, *(cells or [""] * len(self.names))])
        return ["", *self.names], rows, [False, *([True] * len(self.names))]


def build(
    names: Sequence[str],
    finals: Sequence[Mapping[str, float]],
    settings: Sequence[Mapping[str, Any]],
) -> Table:
    """Lay runs side by side.

    ``finals`` are last values by ``node.metric``, ``settings`` what each run was given.
    """
    lines: list[Line] = []
    keys = list(dict.fromkeys(key for run in finals for key in run))
    keys = [key for key in keys if metrics.split(key)[1] not in ("samples", "lr")]
    if keys:
        lines.append(Line("Last values", is_head=True))
        lines += [_metric_line(key, finals) for key in sorted(keys, key=_order)]
    different = differing(settings) if settings else {}
    if different:
        lines.append(Line("Settings that differ", is_head=True))
        for name, values in different.items():
            lines.append(Line(name, tuple(Cell(text_of(value)) for value in values)))
    return Table(tuple(names), tuple(lines))


def _order(key: str) -> tuple[int, str, str]:
    node, metric = metrics.split(key)
    return metrics.rank(metric)[0], metric, node


def _metric_line(key: str, finals: Sequence[Mapping[str, float]]) -> Line:
    node, metric = metrics.split(key)
    counts = [run.get(f"{node}.samples") for run in finals]
    known = {int(count) for count in counts if count is not None and math.isfinite(count)}
    is_unlike = len(known) > 1
    values = [run.get(key) for run in finals]
    best = None if is_unlike else best_of(values, metric)
    cells = []
    for place, value in enumerate(values):
        if value is None:
            cells.append(Cell(""))
            continue
        delta = "" if place == 0 or is_unlike else difference(value, values[0], metric)
        cells.append(Cell(metrics.number(value, metric), delta, value == best))
    title = f"{metric_title(key)} {metrics.unit(metric)}".strip()
    if is_unlike:
        some = " and ".join(f"{count:,}" for count in sorted(known))
        return Line(
            title, tuple(cells), "", f"Measured on {some} samples: they cannot be compared."
        )
    return Line(title, tuple(cells), f"n = {known.pop():,}" if known else "")


def difference(value: float, first: float | None, metric: str) -> str:
    """Write how far a value is from the first run's, with its sign; empty where it is not known."""
    if first is None or not math.isfinite(first) or not math.isfinite(value):
        return ""
    delta = value - first
    if delta == 0:
        return "same"
    text = metrics.number(abs(delta), metric)
    if len(text) > _DELTA_LETTERS:  # it stands beside the figure, which says the rest
        text = f"{abs(delta):.1e}" if abs(delta) < 1e-3 else f"{abs(delta):.2g}"
    return f"{'+' if delta > 0 else '−'}{text}"


class CompareModel(QAbstractTableModel):
    """Shows a :class:`Table`."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        self.colors: tuple[str, ...] = ()

    def show_table(self, table: Table, colors: Sequence[str]) -> None:
        """Show another table; ``colors`` are the pens' names of its runs."""
        self.beginResetModel()
        self.table, self.colors = table, tuple(colors)
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Number of rows."""
        return 0 if parent.isValid() else len(self.table.lines)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """One for the titles and one a run."""
        return 0 if parent.isValid() else 1 + len(self.table.names)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Names of the runs."""
        shown = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole)
        if orientation == Qt.Orientation.Horizontal and role in shown and section > 0:
            return self.table.names[section - 1]
        return "" if role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Titles and values."""
        if not index.isValid():
            return None
        entry = self.table.lines[index.row()]
        if index.column() == 0:
            return self._title(entry, role)
        if not entry.cells:
            return None
        cell = entry.cells[index.column() - 1]
        return {
            int(Qt.ItemDataRole.DisplayRole): cell.text,
            int(Qt.ItemDataRole.AccessibleTextRole): f"{entry.title}: {cell.text} {cell.delta}",
            int(Qt.ItemDataRole.ToolTipRole): entry.warning or None,
            BEST_ROLE: cell.is_best,
            DELTA_ROLE: cell.delta,
        }.get(int(role))

    @staticmethod
    def _title(entry: Line, role: int) -> Any:
        return {
            int(Qt.ItemDataRole.DisplayRole): entry.title,
            int(Qt.ItemDataRole.ToolTipRole): entry.warning
            or f"{entry.title} {entry.note}".strip(),
            COLOR_ROLE: "ink" if entry.is_head else "muted",
            BEST_ROLE: entry.is_head,
            ICON_ROLE: ("alert", "warn") if entry.warning else None,
            DELTA_ROLE: entry.note,
        }.get(int(role))


class CompareView(QTableView):
    """Gives the columns the width that there is: no run is out of sight while there is room."""

    def fit(self) -> None:
        """Share the width: figures first, the names of metrics get what is left."""
        model = self.model()
        runs = model.columnCount() - 1 if model is not None else 0
        if runs < 1:
            return
        px, room = theme().px, self.viewport().width()
        each = min(max((room - px(190)) // runs, px(112)), px(170))
        first = each - px(_DELTA_WIDTH - 20)  # it has no difference to itself
        self.setColumnWidth(0, min(max(room - first - each * (runs - 1), px(150)), px(280)))
        for column in range(1, runs + 1):
            self.setColumnWidth(column, first if column == 1 else each)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the new width."""
        super().resizeEvent(event)
        self.fit()


class CompareDelegate(TableDelegate):
    """A value at the right in mono, and beside it its difference in micro size."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one cell."""
        if index.column() == 0:
            super().paint(painter, option, index)
            note = str(index.data(DELTA_ROLE) or "")
            words = text_width(theme().font("small"), str(index.data() or ""))
            if words + theme().px(_DELTA_WIDTH + 16) <= option.rect.width():
                self._paint_note(painter, QRectF(option.rect), note)
            return  # without room for it, the note is in the tip
        look = theme()
        rect = QRectF(option.rect)
        painter.save()
        self.paint_ground(painter, rect, option.state)
        inner = rect.adjusted(look.px(8), 0, -look.px(8), -1)
        room = min(look.px(_DELTA_WIDTH if index.column() > 1 else 0), inner.width() / 2)
        value = QRectF(inner.left(), inner.top(), inner.width() - room, inner.height())
        font = QFont(look.mono("body"))
        if index.data(BEST_ROLE):
            font.setWeight(QFont.Weight.DemiBold)
        right = Qt.AlignmentFlag.AlignRight
        line(painter, value, str(index.data() or ""), font, look.color("ink"), right)
        self._paint_note(painter, rect, str(index.data(DELTA_ROLE) or ""))
        painter.restore()

    @staticmethod
    def _paint_note(painter: QPainter, rect: QRectF, text: str) -> None:
        if not text:
            return
        look = theme()
        spot = rect.adjusted(rect.width() - look.px(_DELTA_WIDTH + 6), 0, -look.px(6), -1)
        font = look.number("micro")
        line(painter, spot, text, font, look.color("muted"), Qt.AlignmentFlag.AlignRight)


class CompareHeader(TableHeader):
    """Names of the runs over a stroke in the colour of each one's pen."""

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        """Paint name and stroke."""
        super().paintSection(painter, rect, section)
        model = self.model()
        if isinstance(model, CompareModel) and 0 < section <= len(model.colors):
            look = theme()
            stroke = QRectF(rect.left() + look.px(8), rect.bottom() - 1, look.px(24), 2)
            painter.fillRect(stroke, look.color(model.colors[section - 1]))
