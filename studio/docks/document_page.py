"""What the properties show while nothing is selected: the document itself."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from backend.core.errors import DocumentError
from studio.form import Form
from studio.session import Session
from studio.theme import theme

SCHEMA: dict[str, Any] = {
    "properties": {
        "name": {
            "title": "Name",
            "type": "string",
            "description": "Name of the graph; its runs are called after it.",
        },
        "seed": {
            "title": "Seed",
            "type": "integer",
            "minimum": 0,
            "default": 0,
            "description": "Every random draw of a run follows from it: the same seed, device and "
            "thread count give the same result.",
        },
    }
}


class DocumentPage(QWidget):
    """Name and seed to edit; what the document holds to read."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._title = QLabel(self)
        self._text = QLabel(self)
        self._facts = QLabel(self)
        for label in (self._title, self._text, self._facts):
            label.setWordWrap(True)
        for label in (self._text, self._facts):
            label.setProperty("tone", "muted")
        self.form = Form(SCHEMA, self)
        self.form.changed.connect(self._edited)
        self.form.reset.connect(self._reset)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 0)
        column.setSpacing(4)
        for part in (self._title, self._text, self.form, self._facts):
            column.addWidget(part)
        theme().changed.connect(self._dress)
        self._dress()

    def name_field(self) -> QWidget:
        """The field of the name, to put the cursor into."""
        return self.form.row("name").editor

    def refresh(self, *, is_fresh: bool = False) -> None:
        """Show the document as it is now."""
        graph = self._session.document.graph
        title = str(graph.metadata.get("title", "")) or "This graph"
        text = str(graph.metadata.get("text", ""))
        self._title.setText(title)
        self._text.setText(text)
        self._text.setVisible(bool(text))
        self.form.set_values({"name": graph.name, "seed": graph.seed}, is_fresh=is_fresh)
        counts = [
            _count(len(graph.nodes), "node"),
            _count(len(graph.links), "link"),
            _count(len(graph.notes), "note"),
        ]
        path = self._session.document.path
        where = f"Saved as {path}." if path else "Not saved yet."
        self._facts.setText(f"{', '.join(counts)}. {where}")

    def _edited(self, name: str, value: Any) -> None:
        document = self._session.document
        try:
            if name == "seed":
                document.set_seed(value)
            else:
                document.set_name(value)
        except DocumentError as error:
            self.form.show_faults([(name, str(error))])

    def _reset(self, name: str) -> None:
        if name == "seed":
            self._session.document.set_seed(0)

    def _dress(self) -> None:
        look = theme()
        self._title.setFont(look.font("title"))
        for label in (self._text, self._facts):
            label.setFont(look.font("small"))
        for label in (self._title, self._text, self._facts):
            label.setContentsMargins(look.px(12), 0, look.px(12), look.px(4))


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
