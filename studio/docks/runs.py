"""The Runs dock: every run there is, to find, star, mark, resume, compare and delete."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import QMenu, QStackedLayout, QVBoxLayout, QWidget

from studio.docks import tables
from studio.docks.memory import Memory
from studio.docks.run_list import (
    UNFINISHED,
    index_of,
    known_metrics,
    live_row,
    metric_title,
    state_look,
)
from studio.docks.runs_bar import Choice, RunsBar
from studio.docks.runs_deeds import RunDeeds
from studio.docks.runs_diff import DiffPanel
from studio.docks.runs_filter import Filter
from studio.docks.runs_model import NAME_ROLE, RunsModel
from studio.docks.runs_tools import RunsTools
from studio.docks.runs_view import RunsView
from studio.theme import theme
from studio.widgets.empty_state import EmptyState

if TYPE_CHECKING:
    from studio.run_row import RunRow
    from studio.session import Session

_LIVE_MS = 1000


class RunsWidget(QWidget):
    """Table, and below it what can be done with the picked runs."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.deeds = RunDeeds(session)
        self.filter = Filter()
        self._memory = Memory(session.workspace, "runs")
        self._tools: RunsTools | None = None
        self._is_stale = True
        self.model = RunsModel()
        self.model.setParent(self)
        chosen = self._memory.get("metrics", [])
        if chosen:
            self.model.set_metrics([key for key in chosen if isinstance(key, str)])
        self._build()
        self._second = QTimer(self, interval=_LIVE_MS)
        self._second.timeout.connect(self._look)
        index_of(session).changed.connect(self._index_changed)
        session.runner.changed.connect(self._index_changed)
        session.marks_changed.connect(self._marks_changed)
        session.focus_changed.connect(self._marks_changed)
        self.setAccessibleName("Runs")

    def tools(self) -> QWidget:
        """Return what stands at the right end of the dock's strip."""
        if self._tools is None:
            self._tools = RunsTools(self)
        return self._tools

    # -- contents --------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Read the index when the dock is first seen, and what changed meanwhile."""
        super().showEvent(event)
        index = index_of(self.session)
        if not index.is_loaded:
            index.refresh()
        if self._is_stale:
            self.fill()

    def hideEvent(self, event: QHideEvent) -> None:
        """Look at nothing while hidden."""
        self._second.stop()
        super().hideEvent(event)

    def fill(self) -> None:
        """Show the runs as the index knows them now."""
        self._is_stale = False
        self.model.set_queue(list(self.session.runner.queued))
        index = index_of(self.session)
        self.model.set_rows(index.rows)
        self.model.update_rows(self._live(index.row))
        self._show_marks()
        is_empty = not self.model.total
        self._stack.setCurrentWidget(self._empty if is_empty else self._full)
        self._offer()

    def set_filter(self, wanted: Filter) -> None:
        """Show the runs that pass."""
        self.filter = wanted
        self.model.set_filter(wanted)
        self._offer()

    def choose_metric(self, key: str, on: bool) -> None:
        """Show or hide the columns of a metric (``node.metric``)."""
        chosen = [name for name in self.model.metrics if name != key]
        self.model.set_metrics([*chosen, key] if on else chosen)
        self._memory.set(metrics=self.model.metrics)
        self.view.dress_columns(self._hidden_columns())

    def hide_column(self, column: str, on: bool) -> None:
        """Hide or show one of the fixed columns."""
        hidden = set(self._hidden_columns()) - {column}
        self._memory.set(hidden=sorted(hidden | {column} if on else hidden))
        self.view.dress_columns(self._hidden_columns())

    def picked(self) -> list[str]:
        """Names of the picked runs, top to bottom."""
        rows = sorted(index.row() for index in self.view.selectionModel().selectedRows())
        return [str(self.model.index(row, 0).data(NAME_ROLE)) for row in rows]

    # -- keys and clicks -------------------------------------------------------------------------

    @Slot(object)
    def focus_run(self, name: str) -> None:
        """Let the docks show a run."""
        self.session.set_focus(name)

    @Slot(object)
    def toggle_mark(self, names: list[str]) -> None:
        """Mark runs for comparing; when all are marked, unmark them."""
        on = not all(name in self.session.marked for name in names)
        for name in names:
            self.session.mark(name, on)

    @Slot(object)
    def toggle_star(self, names: list[str]) -> None:
        """Star runs; when all are starred, take the stars away."""
        rows = [index_of(self.session).row(name) for name in names]
        self.deeds.star(names, not all(row is not None and row.star for row in rows))

    @Slot(object)
    def ask_delete(self, names: list[str]) -> None:
        """Ask whether runs shall be deleted; those that go on are refused."""
        alive = [name for name in names if self.session.runner.state(name) in UNFINISHED]
        if alive:
            self.session.tell(f"{alive[0]} is going on.", "Stop it before deleting it.", kind="bad")
            return
        if not names:
            return
        if not self.session.settings.values.confirm_delete_runs:
            self.deeds.delete(names)
            return
        what = f"the run {names[0]}" if len(names) == 1 else f"{len(names)} runs"
        verb = "Delete run" if len(names) == 1 else f"Delete {len(names)} runs"
        question = f"Delete {what}? Curves, pictures and checkpoints go with it."
        self.bar.ask(question, verb, partial(self.deeds.delete, names))

    def ask_text(self, what: str, names: list[str]) -> None:
        """Ask for the tags, the note or the name of runs."""
        row = index_of(self.session).row(names[0]) if names else None
        if row is None:
            return
        if what == "tags":
            self.bar.enter(
                "Tags, parted by commas", ", ".join(row.tags), partial(self.deeds.set_tags, names)
            )
        elif what == "note":
            self.bar.enter("Note", row.note, partial(self.deeds.set_note, names))
        else:
            self.bar.enter("Name", row.label, partial(self.deeds.set_label, names))

    def show_diff(self) -> None:
        """Show the settings in which the marked runs, or else the picked ones, differ."""
        names = list(self.session.marked) if len(self.session.marked) > 1 else self.picked()
        if len(names) < 2:
            self.session.tell("One run has nothing to differ from.", "Mark or pick two or more.")
            return
        self.diff.show_runs(names)

    def copy_table(self, kind: str) -> None:
        """Put the table as shown on the clipboard: ``markdown`` or ``csv``."""
        head, rows, numbers = self.model.as_text()
        is_csv = kind == "csv"
        text = tables.to_csv(head, rows) if is_csv else tables.to_markdown(head, rows, numbers)
        QGuiApplication.clipboard().setText(text)
        self.session.tell(
            "Table copied.", f"{len(rows):,} runs as {'CSV' if is_csv else 'Markdown'}"
        )

    # -- menus -----------------------------------------------------------------------------------

    @Slot(QPoint)
    def _open_menu(self, at: QPoint) -> None:
        names = self.picked()
        if not names:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.fill_menu(menu, names)
        menu.popup(self.view.viewport().mapToGlobal(at))

    def fill_menu(self, menu: QMenu, names: list[str]) -> None:
        """Put everything that can be done with these runs into a menu."""
        one = names[0]
        deeds, state = self.deeds, self.session.runner.state
        states = {state(name) for name in names}

        def add(text: str, deed: Callable[[], object], enabled: bool = True) -> None:
            # PySide calls a partial without the `checked` argument only through this wrapper.
            menu.addAction(text, lambda: deed()).setEnabled(enabled)

        add("Show in the docks", partial(self.focus_run, one))
        add("Open as pipeline", partial(deeds.open_pipeline, one))
        menu.addSeparator()
        add("Resume", partial(deeds.resume, names), all(map(deeds.can_resume, names)))
        add("Run again", partial(deeds.rerun, names))
        add("Stop", partial(deeds.stop, names), bool(states & {"running"}))
        add("Kill now", partial(deeds.kill, names), any(map(self.session.runner.can_kill, names)))
        is_waiting = states == {"queued"}
        add("Cancel", partial(deeds.stop, names), is_waiting)
        add("Sooner in the queue", partial(deeds.shift, one, -1), is_waiting and len(names) == 1)
        add("Later in the queue", partial(deeds.shift, one, 1), is_waiting and len(names) == 1)
        menu.addSeparator()
        add("Mark for comparing", partial(self.toggle_mark, names))
        add("Star", partial(self.toggle_star, names))
        add("Name...", partial(self.ask_text, "label", names))
        add("Tags...", partial(self.ask_text, "tags", names))
        add("Note...", partial(self.ask_text, "note", names))
        add("Settings that differ", self.show_diff, max(len(names), len(self.session.marked)) > 1)
        menu.addSeparator()
        add("Open folder", partial(deeds.open_folder, one))
        add("Copy as command", partial(deeds.copy_command, one))
        add("Copy as Python", partial(deeds.copy_python, one))
        menu.addSeparator()
        text = "Delete run" if len(names) == 1 else f"Delete {len(names)} runs"
        add(text, partial(self.ask_delete, names), not states & set(UNFINISHED))

    @Slot(QPoint)
    def _open_columns(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.fill_columns(menu)
        menu.popup(self.view.horizontalHeader().mapToGlobal(at))

    def fill_columns(self, menu: QMenu) -> None:
        """Put a switch for each metric and each column that can go into a menu."""
        for key in known_metrics(index_of(self.session).rows):
            entry = menu.addAction(metric_title(key))
            entry.setCheckable(True)
            entry.setChecked(key in self.model.metrics)
            entry.toggled.connect(partial(self.choose_metric, key))
        menu.addSeparator()
        for column in ("started", "seconds", "sweep", "tags", "note"):
            place = self.model.columns.index(column)
            title = self.model.headerData(place, Qt.Orientation.Horizontal)
            entry = menu.addAction(str(title))
            entry.setCheckable(True)
            entry.setChecked(column not in self._hidden_columns())
            entry.toggled.connect(lambda on, column=column: self.hide_column(column, not on))

    # -- following -------------------------------------------------------------------------------

    @Slot()
    def _index_changed(self) -> None:
        if self.isVisible():
            self.fill()
        else:
            self._is_stale = True

    @Slot()
    def _marks_changed(self) -> None:
        self._show_marks()
        self._offer()

    @Slot()
    def _look(self) -> None:
        """Show how far the live runs are."""
        self.model.update_rows(self._live(index_of(self.session).row))
        self._offer()

    def _live(self, row_of: Callable[[str], RunRow | None]) -> list[RunRow]:
        rows = [row_of(name) for name in self.session.runner.active]
        return [live_row(self.session, row) for row in rows if row is not None]

    def _show_marks(self) -> None:
        from studio.plotting.pens import pen_index

        pens = {name: pen_index(self.session, name) for name in self.session.marked}
        colors = {n: theme().pen_name(pen) for n, pen in pens.items() if pen is not None}
        self.model.set_marked(colors)

    def _hidden_columns(self) -> list[str]:
        return [str(name) for name in self._memory.get("hidden", [])]

    @Slot()
    def _offer(self) -> None:
        """Say below the table what is picked and what can be done with it."""
        names = self.picked()
        choices: list[Choice] = []
        sentence = ""
        states = [self.session.runner.state(name) for name in names]
        if len(names) == 1:
            sentence, choices = self._offer_one(names[0], states[0])
        elif names:
            sentence = f"{len(names)} runs picked."
            choices = [
                ("Settings that differ", self.show_diff),
                ("Mark", partial(self.toggle_mark, names)),
            ]
        elif len(self.model.rows) < self.model.total:
            sentence = f"{len(self.model.rows):,} of {self.model.total:,} runs pass the filter."
            choices = [("Show all", self._show_all)]
        self.bar.offer(sentence, choices)
        # Figures of live runs grow, and after five seconds the kill is offered; no signal tells.
        if self.isVisible() and (self.session.runner.active or "cancelling" in states):
            self._second.start()
        else:
            self._second.stop()

    def _offer_one(self, name: str, state: str) -> tuple[str, list[Choice]]:
        deeds = self.deeds
        row = index_of(self.session).row(name)
        if state == "queued":
            shift = [
                ("Sooner", partial(deeds.shift, name, -1)),
                ("Later", partial(deeds.shift, name, 1)),
            ]
            return "Waits for the run before it.", [*shift, ("Cancel", partial(deeds.stop, [name]))]
        if state == "running":
            return "Is computing.", [("Stop", partial(deeds.stop, [name]))]
        if state == "cancelling":
            if self.session.runner.can_kill(name):
                return "Does not stop.", [("Kill now", partial(deeds.kill, [name]))]
            return "Stops and saves where it is.", []
        if deeds.can_resume(name):
            reason = row.error if row is not None else ""
            word = state_look(state)[2].capitalize()
            said = " ".join(filter(None, (reason or f"{word}.", deeds.resume_point(name))))
            return said, [
                ("Resume", partial(deeds.resume, [name])),
                ("Run again", partial(deeds.rerun, [name])),
            ]
        return "", []

    def _show_all(self) -> None:
        self.set_filter(Filter())
        if self._tools is not None:
            self._tools.show_filter()

    # -- look ------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.view = RunsView(self.model)
        self.bar, self.diff = RunsBar(), DiffPanel(self.session)
        self._empty = EmptyState("history", "Every run is kept here.", "Run all", self._run)
        self._full = QWidget()
        column = QVBoxLayout(self._full)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for part, stretch in ((self.view, 1), (self.diff, 0), (self.bar, 0)):
            column.addWidget(part, stretch)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._full)
        self.view.dress_columns(self._hidden_columns())
        self.view.focused.connect(self.focus_run)
        self.view.wants_mark.connect(self.toggle_mark)
        self.view.wants_star.connect(self.toggle_star)
        self.view.wants_delete.connect(self.ask_delete)
        self.view.customContextMenuRequested.connect(self._open_menu)
        self.view.horizontalHeader().customContextMenuRequested.connect(self._open_columns)
        self.view.selectionModel().selectionChanged.connect(self._picked)
        self.model.reordered.connect(self.deeds.reorder)
        self.model.modelReset.connect(self._columns_reset)

    @Slot()
    def _picked(self, *_: object) -> None:
        self._offer()

    @Slot()
    def _columns_reset(self) -> None:
        self.view.dress_columns(self._hidden_columns())

    def _run(self) -> None:
        self.session.act("run")


class RunsDock:
    """Every run of the workspace."""

    NAME = "runs"
    TITLE = "Runs"
    ICON = "history"
    AREA = "bottom"
    KINDS: tuple[str, ...] = ()
    WIDGET = RunsWidget
