"""What is selected: one truth for canvas and docks, outside the document's history."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, Signal

from backend.core.graph import Link


class Selection(QObject):
    """Names of the selected nodes, the selected links and notes."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.nodes: tuple[str, ...] = ()
        self.links: tuple[Link, ...] = ()
        self.notes: tuple[str, ...] = ()

    @property
    def current(self) -> str | None:
        """The node that the docks speak of: the first selected one."""
        return self.nodes[0] if self.nodes else None

    def set(
        self,
        nodes: Iterable[str] = (),
        links: Iterable[Link] = (),
        notes: Iterable[str] = (),
    ) -> None:
        """Select these and nothing else; tells ``changed`` if that is another selection."""
        new = (tuple(nodes), tuple(links), tuple(notes))
        if new != (self.nodes, self.links, self.notes):
            self.nodes, self.links, self.notes = new
            self.changed.emit()

    def keep(self, nodes: Iterable[str], links: Iterable[Link], notes: Iterable[str]) -> None:
        """Drop what no longer exists."""
        known, linked, noted = set(nodes), set(links), set(notes)
        self.set(
            [name for name in self.nodes if name in known],
            [link for link in self.links if link in linked],
            [note for note in self.notes if note in noted],
        )
