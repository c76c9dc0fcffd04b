"""The Files tab: recent graphs, those of the workspace, and the examples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.docks.graph_list import GraphFile, GraphFilesModel, GraphFilesView, graph_file
from studio.editor.nodes_panel import SearchField
from studio.recent import RecentFiles
from studio.theme import theme
from studio.tokens import ASSETS
from studio.widgets.empty_state import EmptyState

if TYPE_CHECKING:
    from studio.session import Session

_MOST = 200


class FilesWidget(QWidget):
    """A click opens a graph; an example opens as a new, unsaved one."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.field = SearchField(self, "Find a graph", "")
        self.model = GraphFilesModel(self)
        self.list = GraphFilesView(self.model, "Graphs", self)
        self.empty = EmptyState(
            "file-document-outline", "No graph matches.", "Show all", self._clear
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.setSpacing(4)
        head = QVBoxLayout()
        head.setContentsMargins(8, 0, 8, 0)
        head.addWidget(self.field)
        layout.addLayout(head)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.empty, 1)
        self.setFocusProxy(self.field)
        self.field.textChanged.connect(self.refresh)
        self.list.opened.connect(self._open)
        session.document.titled.connect(self._titled)
        theme().changed.connect(self.list.doItemsLayout)
        self.refresh()

    def refresh(self, _text: str = "") -> None:
        """Read the lists anew."""
        text = self.field.text().strip().lower()
        rows: list[GraphFile] = []
        for title, members in self._groups().items():
            found = [row for row in members if text in row.title.lower()]
            if found:
                rows += [GraphFile(title), *found]
        self.model.show(rows)
        self.list.setVisible(bool(rows))
        self.empty.setVisible(not rows)

    def showEvent(self, event: QShowEvent) -> None:
        """Files come and go while the tab is away."""
        super().showEvent(event)
        self.refresh()

    def _groups(self) -> dict[str, list[GraphFile]]:
        workspace = self._session.workspace
        recent = [entry.path for entry in RecentFiles(workspace).files]
        known = set(recent)
        own = [path for path in _newest(workspace.root) if path not in known]
        examples = sorted((ASSETS / "pipelines").glob("*.json"))
        return {
            "Recent": [graph_file(path) for path in recent],
            "In the workspace": [graph_file(path) for path in own],
            "Examples": [
                GraphFile(path.stem.replace("_", " ").capitalize(), path, "opens as a copy",
                          "school-outline", is_example=True)
                for path in examples
            ],
        }  # fmt: skip

    def _open(self, row: GraphFile) -> None:
        self._session.act("open_pipeline" if row.is_example else "open_file", path=str(row.path))

    def _titled(self) -> None:
        if self.isVisible():
            self.refresh()

    def _clear(self) -> None:
        self.field.clear()


def _newest(root: Path) -> list[Path]:
    """Return the graph files of the workspace, the newest first; runs and stores are no graphs."""
    found = []
    for folder in (root, root / "graphs"):
        for path in folder.glob("*.json"):
            try:
                found.append((path.stat().st_mtime, path))
            except OSError:
                continue
    return [path for _, path in sorted(found, reverse=True)[:_MOST]]
