"""The row below the table of runs: what is picked, what can be done with it, and questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from studio.theme import theme
from studio.widgets.button import Button, danger, plain
from studio.widgets.elided import ElidedLabel

Choice = tuple[str, Callable[[], object]]


class RunsBar(QWidget):
    """One sentence and up to four buttons; a question takes its place until it is answered."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.label = ElidedLabel("", "small", "muted")
        self.field = QLineEdit()
        self.buttons: list[Button] = []
        self.is_asking = False
        self._entered: Callable[[str], object] | None = None
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(theme().px(12), theme().px(4), theme().px(8), theme().px(4))
        self._row.setSpacing(theme().px(6))
        self._row.addWidget(self.label, 1)
        self._row.addWidget(self.field, 2)
        self.field.hide()
        self.field.returnPressed.connect(self._enter)
        self.hide()

    def offer(self, sentence: str, choices: Sequence[Choice]) -> None:
        """Show a sentence and what can be done; nothing while a question is open."""
        if self.is_asking:
            return
        self._fill(sentence, [(text, deed, "plain") for text, deed in choices])
        self.setVisible(bool(sentence or choices))

    def ask(self, question: str, verb: str, deed: Callable[[], object]) -> None:
        """Ask before something is lost; Esc or *Keep* leaves all as it is."""
        self.is_asking = True
        self._fill(question, [("Keep", self.close_question, "plain"), (verb, deed, "danger")])
        self.label.set_color("ink")
        self.show()
        self.buttons[0].setFocus()

    def enter(self, label: str, text: str, deed: Callable[[str], object]) -> None:
        """Ask for a line of text; Enter takes it, Esc leaves what was."""
        self.is_asking = True
        self._entered = deed
        self._fill(label, [("Cancel", self.close_question, "plain"), ("Set", self._enter, "plain")])
        self.field.setText(text)
        self.field.setAccessibleName(label)
        self.field.show()
        self.show()
        self.field.setFocus()
        self.field.selectAll()

    def close_question(self) -> None:
        """Forget the question."""
        self.is_asking = False
        self._entered = None
        self.field.hide()
        self.label.set_color("muted")
        self._fill("", [])
        self.hide()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc closes a question."""
        if event.key() == Qt.Key.Key_Escape and self.is_asking:
            self.close_question()
            return
        super().keyPressEvent(event)

    def _enter(self) -> None:
        deed, text = self._entered, self.field.text()
        self.close_question()
        if deed is not None:
            deed(text)

    def _fill(
        self, sentence: str, choices: Sequence[tuple[str, Callable[[], object], str]]
    ) -> None:
        self.label.setText(sentence)
        self.setAccessibleName(sentence)
        for button in self.buttons:
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = []
        for text, deed, kind in choices:
            button = danger(text) if kind == "danger" else plain(text)
            button.clicked.connect(Press(self, deed))
            self._row.addWidget(button)
            self.buttons.append(button)


class Press:
    """What a button of the bar does: closes the question and does its deed."""

    def __init__(self, bar: RunsBar, deed: Callable[[], object]) -> None:
        self._bar, self._deed = bar, deed

    def __call__(self, _checked: bool = False) -> None:
        """Do it."""
        if self._bar.is_asking and self._deed != self._bar._enter:
            self._bar.close_question()
        self._deed()
