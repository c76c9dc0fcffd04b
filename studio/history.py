"""The edits of the document as a list; a click goes back to one, or forward."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QUndoView, QVBoxLayout, QWidget

from studio.session import Session
from studio.theme import theme


class HistoryWindow(QWidget):
    """A small window with every edit since the document was opened."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Tool)
        self.setObjectName("page")
        self.setWindowTitle("History")
        self._view = QUndoView(session.document.stack, self)
        self._view.setEmptyLabel("As it was opened")
        self._view.setAccessibleName("Edits")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self._view)
        self.resize(theme().px(280), theme().px(400))
