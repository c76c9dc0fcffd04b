"""The Compare dock: runs over two metrics with their Pareto front, and side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from backend.core.errors import FretsawError
from studio.docks import tables
from studio.docks.compare_scatter import Scatter, Spot
from studio.docks.compare_table import (
    CompareDelegate,
    CompareHeader,
    CompareModel,
    CompareView,
    build,
)
from studio.docks.memory import Memory
from studio.docks.run_list import (
    index_of,
    known_metrics,
    labels_of,
    likely_metrics,
    metric_title,
    text_of,
)
from studio.docks.runs_diff import given
from studio.plotting import metrics
from studio.plotting.pareto import Direction
from studio.plotting.pens import pen_index, shown_runs
from studio.theme import theme
from studio.widgets.button import ToolButton, quiet, tool
from studio.widgets.combo import Combo
from studio.widgets.elided import ElidedLabel
from studio.widgets.empty_state import EmptyState
from studio.widgets.segment import Segment
from studio.widgets.strip import StripHeader
from studio.widgets.table import prepare_table

if TYPE_CHECKING:
    from studio.run_row import RunRow
    from studio.session import Session

_MOST_FACTS = 5
_COSTS = ("bytes", "ms", "macs", "params", "seconds")


class CompareWidget(QWidget):
    """Scatter at the left, table of the marked runs at the right."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._memory = Memory(session.workspace, "compare")
        self._given: dict[str, dict[str, Any]] = {}
        self._is_stale = True
        self._build()
        index_of(session).changed.connect(self._changed)
        session.marks_changed.connect(self._changed)
        session.focus_changed.connect(self._changed)
        theme().changed.connect(self._dress)
        self.setAccessibleName("Compare")

    # -- contents --------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Read the index when the dock is first seen, and what changed meanwhile."""
        super().showEvent(event)
        index = index_of(self.session)
        if not index.is_loaded:
            index.refresh()
        if self._is_stale:
            self.fill()

    def fill(self) -> None:
        """Show the runs as they are now."""
        self._is_stale = False
        rows = index_of(self.session).rows
        self._fill_pickers(rows)
        self._fill_scatter()
        self._fill_table()
        has_points = any(row.last for row in rows)
        self._stack.setCurrentWidget(self._full if has_points else self._empty)

    def direction(self, key: str) -> Direction:
        """Which direction of a metric wins: as switched, else by its name, else lower."""
        switched = self._memory.get("directions", {}).get(key)
        found = switched or metrics.better(metrics.split(key)[1])
        return "higher" if found == "higher" else "lower"

    def switch_direction(self, key: str) -> None:
        """Let the other direction of a metric win."""
        other = "lower" if self.direction(key) == "higher" else "higher"
        self._memory.set(directions={**self._memory.get("directions", {}), key: other})
        self._fill_scatter()

    @property
    def keys(self) -> tuple[str, str]:
        """The metrics of both axes (``node.metric``)."""
        return str(self.x_box.currentData() or ""), str(self.y_box.currentData() or "")

    def rows(self) -> list[RunRow]:
        """The runs that the scatter shows."""
        every = index_of(self.session).rows
        scope = self.scope.value
        if scope == "marked":
            names = set(shown_runs(self.session))
            return [row for row in every if row.name in names]
        if scope == "sweep":
            focus = self.session.focus
            mine = next(
                (row for row in every if focus is not None and row.name == focus.name), None
            )
            sweep = mine.sweep if mine is not None else ""
            return [row for row in every if row.sweep and (row.sweep == sweep or not sweep)]
        return every

    def facts(self, name: str) -> list[str]:
        """What makes a run differ: its sweep values, else its settings against the focus."""
        row = index_of(self.session).row(name)
        if row is not None and row.set:
            found = [f"{key} = {text_of(value)}" for key, value in row.set.items()]
            return found[:_MOST_FACTS]
        shown = shown_runs(self.session)
        first = next((other for other in shown if other != name), None)
        if first is None:
            return []
        mine, others = self._settings(name), self._settings(first)
        found = [f"{k} = {text_of(v)}" for k, v in mine.items() if others.get(k) != v]
        more = len(found) - _MOST_FACTS
        return found[:_MOST_FACTS] + ([f"and {more} more"] if more > 0 else [])

    def copy_markdown(self) -> None:
        """Put the table of the marked runs on the clipboard as Markdown."""
        head, rows, numbers = self.model.table.as_text()
        QGuiApplication.clipboard().setText(tables.to_markdown(head, rows, numbers))
        self.session.tell("Table copied.", f"{len(head) - 1} runs as Markdown")

    # -- filling ---------------------------------------------------------------------------------

    def _fill_pickers(self, rows: list[RunRow]) -> None:
        keys = known_metrics(rows)
        if [self.x_box.itemData(i) for i in range(self.x_box.count())] == keys:
            return
        likely = likely_metrics(rows, 2)
        cost = next((k for k in likely if metrics.words(k)[-1] in _COSTS), None)
        cost = cost or next((k for k in keys if metrics.words(k)[-1] in _COSTS), None)
        quality = next((k for k in [*likely, *keys] if k != cost), None)
        defaults = {"x": cost or quality or "", "y": quality or ""}
        for box, name in ((self.x_box, "x"), (self.y_box, "y")):
            kept = str(box.currentData() or self._memory.get(name, ""))
            box.blockSignals(True)
            box.clear()
            for key in keys:
                unit = metrics.unit(metrics.split(key)[1])
                box.addItem(f"{metric_title(key)} {unit}".strip(), key)
            box.setCurrentIndex(
                keys.index(kept if kept in keys else defaults[name]) if keys else -1
            )
            box.blockSignals(False)

    def _fill_scatter(self) -> None:
        x_key, y_key = self.keys
        session = self.session
        rows = [row for row in self.rows() if x_key in row.last and y_key in row.last]
        spots = [
            Spot(
                row.name,
                label,
                row.last[x_key],
                row.last[y_key],
                pen_index(session, row.name),
            )
            for row, label in zip(rows, labels_of(rows), strict=True)
        ]
        better = (self.direction(x_key), self.direction(y_key))
        self.scatter.show_spots(spots, x_key, y_key, better)
        for button, key, way in ((self.x_way, x_key, better[0]), (self.y_way, y_key, better[1])):
            button.set_icon_name("arrow-up" if way == "higher" else "arrow-down")
            button.set_tooltip(f"{metric_title(key)}: {way} is better. Click to switch")
        count = len(self.scatter.front)
        front = "none beats" if count == 1 else "that none beats"
        self.remark.setText(f"{len(spots)} runs, {count} {front}" if spots else "No run has both.")
        self._say_picked()

    def _fill_table(self) -> None:
        index = index_of(self.session)
        rows = [row for name in self.session.marked if (row := index.row(name)) is not None]
        has_two = len(rows) > 1
        self._pages.setCurrentWidget(self._side if has_two else self._few)
        if not has_two:
            return
        names = [row.name for row in rows]
        labels = labels_of(rows)
        finals = [row.last for row in rows]
        table = build(labels, finals, [self._settings(name) for name in names])
        pens = [pen_index(self.session, name) or 0 for name in names]
        self.model.show_table(table, [theme().pen_name(pen) for pen in pens])
        self.table.fit()

    def _settings(self, name: str) -> dict[str, Any]:
        if name not in self._given:  # a run's graph does not change
            try:
                self._given[name] = given(self.session, name)
            except FretsawError:
                self._given[name] = {}
        return self._given[name]

    # -- following -------------------------------------------------------------------------------

    @Slot()
    def _changed(self) -> None:
        if self.isVisible():
            self.fill()
        else:
            self._is_stale = True

    @Slot()
    def _axes_changed(self, *_: object) -> None:
        x_key, y_key = self.keys
        self._memory.set(x=x_key, y=y_key)
        self._fill_scatter()

    @Slot(object)
    def _scope_changed(self, scope: object) -> None:
        self._memory.set(scope=str(scope))
        self._fill_scatter()

    @Slot(object)
    def _picked(self, name: str) -> None:
        self.session.set_focus(name)

    @Slot(object)
    def _opened(self, name: str) -> None:
        self.session.act("open_run_graph", run=name)

    @Slot(object)
    def _mark(self, name: str) -> None:
        self.session.mark(name, name not in self.session.marked)

    @Slot()
    def _open_focus(self) -> None:
        if self.session.focus is not None:
            self._opened(self.session.focus.name)

    @Slot()
    def _mark_focus(self) -> None:
        if self.session.focus is not None:
            self._mark(self.session.focus.name)

    def _say_picked(self) -> None:
        focus = self.session.focus
        for button in (self.open_button, self.mark_button):
            button.setVisible(focus is not None)
        if focus is not None:
            is_marked = focus.name in self.session.marked
            self.mark_button.setText("Unmark" if is_marked else "Mark")
            self.open_button.setToolTip(f"Open the graph of {focus.name}")

    def _mark_last_two(self) -> None:
        self.session.act("mark_last_two")

    @Slot()
    def _dress(self) -> None:
        self.scatter.dress()
        self.fill()

    # -- look ------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._empty = EmptyState(
            "compare", "Mark two runs to compare.", "Mark the last two", self._mark_last_two
        )
        self._full = QSplitter(Qt.Orientation.Horizontal)
        self._full.setChildrenCollapsible(False)
        self._full.addWidget(self._build_left())
        self._full.addWidget(self._build_right())
        self._full.setStretchFactor(0, 1)
        self._full.setStretchFactor(1, 1)
        self._full.setSizes([8_500, 11_500])
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._full)

    def _build_left(self) -> QWidget:
        left = QWidget()
        self.y_box, self.x_box = Combo(), Combo()
        self.y_way, self.x_way = (
            ToolButton("arrow-up", "", small=True),
            ToolButton("arrow-down", "", small=True),
        )
        self.scope = Segment([("all", "All"), ("marked", "Marked"), ("sweep", "Sweep")])
        self.scope.set_value(self._memory.get("scope", "all"))
        self.scatter = Scatter(self.facts)
        self.remark = ElidedLabel("", "small", "muted")
        self.open_button, self.mark_button = quiet("Open as graph"), quiet("Mark")
        top = self._bar(
            left, [self._box(self.y_box, "y axis"), self.y_way, self.remark, None, self.scope]
        )
        bottom = self._bar(
            left,
            [
                None,
                self.mark_button,
                self.open_button,
                self._box(self.x_box, "x axis"),
                self.x_way,
            ],
        )
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.scatter, 1)
        column.addLayout(bottom)
        self.x_box.currentIndexChanged.connect(self._axes_changed)
        self.y_box.currentIndexChanged.connect(self._axes_changed)
        self.x_way.clicked.connect(lambda: self.switch_direction(self.keys[0]))
        self.y_way.clicked.connect(lambda: self.switch_direction(self.keys[1]))
        self.scope.changed.connect(self._scope_changed)
        self.scatter.picked.connect(self._picked)
        self.scatter.opened.connect(self._opened)
        self.scatter.wants_mark.connect(self._mark)
        self.open_button.clicked.connect(self._open_focus)
        self.mark_button.clicked.connect(self._mark_focus)
        return left

    def _build_right(self) -> QWidget:
        right = QWidget()
        self._few = EmptyState(
            "compare", "Mark two runs to compare.", "Mark the last two", self._mark_last_two
        )
        self._side = QWidget()
        self.model = CompareModel()
        self.model.setParent(self)
        self.table = CompareView()
        prepare_table(self.table)
        self.table.setHorizontalHeader(CompareHeader(self.table))
        self.table.setSortingEnabled(False)
        self.table.setItemDelegate(CompareDelegate(self.table))
        self.table.setModel(self.model)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setAccessibleName("Marked runs side by side")
        head = StripHeader("Marked runs, differences to the first one")
        copy = tool("content-copy", "Copy as Markdown", small=True)
        head.add_tool(copy)
        copy.clicked.connect(self.copy_markdown)
        column = QVBoxLayout(self._side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(self.table, 1)
        self._pages = QStackedLayout(right)
        self._pages.addWidget(self._few)
        self._pages.addWidget(self._side)
        return right

    @staticmethod
    def _box(box: QComboBox, name: str) -> QComboBox:
        box.setAccessibleName(f"Metric of the {name}")
        box.setToolTip(f"Metric of the {name}")
        box.setMinimumContentsLength(13)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        return box

    @staticmethod
    def _bar(parent: QWidget, parts: list[QWidget | None]) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(theme().px(12), theme().px(4), theme().px(12), theme().px(4))
        row.setSpacing(theme().px(6))
        for part in parts:
            if part is None:
                row.addStretch(1)
            else:
                row.addWidget(part)
        return row


class CompareDock:
    """Runs against each other."""

    NAME = "compare"
    TITLE = "Compare"
    ICON = "compare"
    AREA = "bottom-right"
    KINDS: tuple[str, ...] = ()
    WIDGET = CompareWidget
