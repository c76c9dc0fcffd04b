"""The settings in which runs differ, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QTableView, QVBoxLayout, QWidget

from backend.core.errors import FretsawError
from backend.core.graph import Specs
from backend.core.run import Run
from studio.docks.run_list import short_name, text_of
from studio.docks.tables import to_markdown
from studio.theme import theme
from studio.widgets.button import tool
from studio.widgets.strip import StripHeader
from studio.widgets.table import COLOR_ROLE, prepare_table

if TYPE_CHECKING:
    from studio.session import Session

_OF_THE_RUN = ("device", "threads", "target")


def given(session: Session, name: str) -> dict[str, Any]:
    """What a run was given: ``node.param`` values with defaults, seed, device and threads.

    Raises:
        FretsawError: there is no such run, or its graph cannot be read.
    """
    run = Run(session.workspace.runs / name)
    graph = run.graph()
    found: dict[str, Any] = {"seed": graph.seed}
    found |= {key: run.settings[key] for key in _OF_THE_RUN if key in run.settings}
    specs: Specs = session.catalog.specs
    for node_name, node in graph.nodes.items():
        found[node_name] = f"{node.type} (bypassed)" if node.bypass else node.type
        spec = specs.get(node.type)
        fields = spec.params.get("properties", {}) if spec is not None else {}
        known = {param: field["default"] for param, field in fields.items() if "default" in field}
        for param, value in {**known, **node.params}.items():
            found[f"{node_name}.{param}"] = value
    return found


def differing(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Keep the settings that are not the same in all runs; a missing one is None."""
    names = dict.fromkeys(key for run in runs for key in run)
    rows = {name: [run.get(name) for run in runs] for name in names}
    return {name: values for name, values in rows.items() if any(v != values[0] for v in values)}


class DiffPanel(QWidget):
    """A table with one row a setting that differs and one column a run."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.names: list[str] = []
        self._head = StripHeader("Settings that differ")
        copy = self._head.add_tool(tool("content-copy", "Copy as Markdown", small=True))
        close = self._head.add_tool(tool("close", "Close", small=True))
        self.model = QStandardItemModel(self)
        self.view = QTableView()
        prepare_table(self.view, monos=())
        self.view.setSortingEnabled(False)
        self.view.setModel(self.model)
        self.view.setAccessibleName("Settings that differ")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._head)
        column.addWidget(self.view)
        copy.clicked.connect(self.copy)  # type: ignore[attr-defined]
        close.clicked.connect(self.hide)  # type: ignore[attr-defined]
        self.hide()

    def show_runs(self, names: Sequence[str]) -> None:
        """Compare these runs; one that cannot be read is left out with a message."""
        found: dict[str, dict[str, Any]] = {}
        for name in names:
            try:
                found[name] = given(self._session, name)
            except FretsawError as error:
                self._session.tell_error(error)
        self.names = list(found)
        rows = differing(list(found.values()))
        self.model.clear()
        self.model.setHorizontalHeaderLabels(["Setting", *map(short_name, self.names)])
        for name, values in rows.items():
            items = [QStandardItem(name), *(QStandardItem(text_of(value)) for value in values)]
            items[0].setData("muted", COLOR_ROLE)
            for item in items:
                item.setEditable(False)
            self.model.appendRow(items)
        same = "No setting differs" if self.names else "No runs to compare"
        self._head.set_title("Settings that differ" if rows else same)
        self.view.resizeColumnsToContents()
        shown = min(self.model.rowCount(), 8)
        self.setFixedHeight(theme().px(28 + 26 + 26 * shown))
        self.show()

    def copy(self) -> None:
        """Put the table on the clipboard as Markdown."""
        horizontal = Qt.Orientation.Horizontal
        columns = range(self.model.columnCount())
        head = [str(self.model.headerData(c, horizontal)) for c in columns]
        rows = [
            [self.model.item(r, c).text() for c in columns] for r in range(self.model.rowCount())
        ]
        QGuiApplication.clipboard().setText(to_markdown(head, rows))
        self._session.tell("Table copied.", "As Markdown")
