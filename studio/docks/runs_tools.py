"""The tools of the runs: filter by words, states, tags and stars; columns; copies."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QSizePolicy, QWidget

from studio.docks.run_list import index_of, state_look
from studio.docks.tool_menu import attach_menu
from studio.icons import dress_clear_button
from studio.theme import theme
from studio.widgets.button import tool

if TYPE_CHECKING:
    from studio.docks.runs import RunsWidget


class RunsTools(QWidget):
    """What stands at the right end of the dock's strip."""

    def __init__(self, runs: RunsWidget) -> None:
        super().__init__(runs)
        self._runs = runs
        self.field = QLineEdit()
        self.field.setPlaceholderText("Find a run")
        self.field.setAccessibleName("Find a run by name, tag, note or setting")
        self.field.setClearButtonEnabled(True)
        dress_clear_button(self.field)
        self.field.setFixedWidth(theme().px(150))
        self.states = tool("filter-variant", "Filter by state, tag or star", small=True)
        self.diff = tool("compare", "Settings that differ between the marked runs", small=True)
        self.columns = tool("table-column", "Columns", small=True)
        self.more = tool("content-copy", "Copy the table", small=True)
        attach_menu(self.states, self.fill_states)
        attach_menu(self.columns, runs.fill_columns)
        attach_menu(self.more, self._fill_copy)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme().px(6))
        for part in (self.field, self.states, self.diff, self.columns, self.more):
            row.addWidget(part)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self.field.textChanged.connect(self._typed)
        self.diff.clicked.connect(runs.show_diff)

    def show_filter(self) -> None:
        """Show the filter as it is."""
        if self.field.text() != self._runs.filter.text:
            self.field.setText(self._runs.filter.text)
        wanted = self._runs.filter
        is_set = bool(wanted.states or wanted.tag or wanted.starred)
        self.states.set_icon_name("filter-variant", "blade" if is_set else "muted")

    def _typed(self, text: str) -> None:
        self._change(text=text)

    def _change(self, **fields: object) -> None:
        self._runs.set_filter(replace(self._runs.filter, **fields))  # type: ignore[arg-type]
        self.show_filter()

    def fill_states(self, menu: QMenu) -> None:
        """Put a switch for each state and tag that occurs into a menu."""
        rows = index_of(self._runs.session).rows
        wanted = self._runs.filter
        self._switch(menu, "Starred", wanted.starred, partial(self._set_starred))
        menu.addSeparator()
        for state in sorted({row.state for row in rows}):
            on = state in wanted.states
            self._switch(menu, state_look(state)[2], on, partial(self._set_state, state))
        menu.addSeparator()
        for tag in sorted({tag for row in rows for tag in row.tags}):
            self._switch(menu, f"Tag: {tag}", tag == wanted.tag, partial(self._set_tag, tag))

    def _fill_copy(self, menu: QMenu) -> None:
        menu.addAction("Copy as Markdown", lambda: self._runs.copy_table("markdown"))
        menu.addAction("Copy as CSV", lambda: self._runs.copy_table("csv"))

    def _set_starred(self, on: bool) -> None:
        self._change(starred=on)

    def _set_state(self, state: str, on: bool) -> None:
        rest = self._runs.filter.states - {state}
        self._change(states=rest | {state} if on else rest)

    def _set_tag(self, tag: str, on: bool) -> None:
        self._change(tag=tag if on else "")

    @staticmethod
    def _switch(menu: QMenu, text: str, on: bool, deed: object) -> None:
        entry = menu.addAction(text)
        entry.setCheckable(True)
        entry.setChecked(on)
        entry.toggled.connect(deed)
