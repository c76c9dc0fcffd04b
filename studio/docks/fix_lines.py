"""Why the selected node failed in the run shown, with buttons for what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.docks.problem_lines import NoteLine
from studio.remedies import Remedy, remedies_for
from studio.session import Session
from studio.theme import theme
from studio.widgets.button import Button, plain


class FixLines(QWidget):
    """The sentence of the error, one button a remedy; hidden unless the node failed."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.line = NoteLine("alert-circle-outline", "", "bad", self)
        self.buttons: list[Button] = []
        self._shown: tuple[str, str, tuple[Remedy, ...]] | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 6, 0, 2)
        self._column.setSpacing(4)
        self._column.addWidget(self.line)
        self.hide()

    def show_node(self, name: str) -> None:
        """Show what went wrong with a node; nothing for one that did not fail."""
        session = self._session
        run = session.focus.fold.nodes.get(name) if session.focus is not None else None
        error = run.error if run is not None and run.state == "failed" else ""
        graph, specs = session.document.graph, session.catalog.specs
        remedies = tuple(remedies_for(graph, specs, name, error)) if error else ()
        if (name, error, remedies) == self._shown:
            return
        self._shown = (name, error, remedies)
        for button in self.buttons:
            button.hide()
            button.deleteLater()
        while self._column.count() > 1:  # the rows that held them
            self._column.takeAt(1)
        self.buttons = [self._button(remedy) for remedy in remedies]
        self.line.set_text(error)
        self.setVisible(bool(error))

    def _button(self, remedy: Remedy) -> Button:
        button = plain(remedy.text, "wrench-outline")
        button.clicked.connect(self._applying(remedy))
        row = QHBoxLayout()
        row.setContentsMargins(theme().px(32), 0, theme().px(12), 0)
        row.addWidget(button)
        row.addStretch(1)
        self._column.addLayout(row)
        return button

    def _applying(self, remedy: Remedy) -> Callable[[], None]:
        return partial(self._session.act, "fix", node=remedy.node, remedy=remedy)
