"""What every part of the studio shares: document, catalogue, selection, runs, settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal

from backend.core.catalog import Catalog
from backend.core.errors import FretsawError
from backend.core.graph import Change
from backend.core.workspace import Workspace
from studio.catalog import CatalogModel
from studio.changes import Changes
from studio.document import Document
from studio.estimates import Estimates
from studio.run_watch import RunWatch
from studio.runner import Runner
from studio.selection import Selection
from studio.settings import SettingsStore
from studio.theme import theme


@dataclass(frozen=True)
class Message:
    """News for the user: a sentence, what is behind it, and one thing to do about it."""

    text: str
    detail: str = ""
    kind: str = "info"
    action: tuple[str, Callable[[], None]] | None = None


class Session(QObject):
    """One window's world. Docks get this and nothing else of the window."""

    focus_changed = Signal()
    marks_changed = Signal()
    told = Signal(object)
    acted = Signal(str, object)
    revealed = Signal(str)
    phoned = Signal(object)
    """Somebody asked for the phones for the first time."""
    closed = Signal()
    """The window goes; whoever holds a process or a thread for it lets go."""

    def __init__(
        self,
        workspace: Workspace | None = None,
        catalog: Catalog | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Make a window's world; ``catalog`` takes the place of the one kept in the workspace."""
        super().__init__(parent)
        self.workspace = workspace or Workspace.current()
        self.settings = SettingsStore(self.workspace, self)
        self.catalog = CatalogModel(self.workspace, catalog, self)
        self.document = Document(self.workspace, self)
        self.selection = Selection(self)
        self.runner = Runner(self.workspace, self)
        self.marked: tuple[str, ...] = ()
        self.focus: RunWatch | None = None
        self.changes = Changes(self)
        self.estimates = Estimates(self)
        self.catalog.changed.connect(self._specs_changed)
        self.document.told.connect(self._warn)
        self.settings.changed.connect(self._settings_changed)
        self.document.replaced.connect(self.selection.set)
        self.document.changed.connect(self._keep_selection)
        self._specs_changed()
        self._settings_changed()
        self.settings.troubled.connect(self._warn)

    # -- news and deeds --------------------------------------------------------------------------

    def tell(
        self,
        text: str,
        detail: str = "",
        *,
        kind: str = "info",
        action: tuple[str, Callable[[], None]] | None = None,
    ) -> None:
        """Show a message: ``kind`` is info, good, warn or bad; ``action`` a verb and a deed."""
        self.told.emit(Message(text, detail, kind, action))

    def tell_error(self, error: FretsawError | OSError | str) -> None:
        """Show what went wrong; a message of that kind stays until it is dismissed."""
        self.tell(str(error), kind="bad")

    def act(self, action_id: str, **details: Any) -> None:
        """Do an entry of the actions table."""
        self.acted.emit(action_id, details)

    def reveal(self, node: str) -> None:
        """Select a node and bring it into sight."""
        if node in self.document.graph.nodes:
            self.selection.set([node])
            self.revealed.emit(node)

    # -- runs ------------------------------------------------------------------------------------

    def set_focus(self, name: str | None) -> None:
        """Let the docks show this run."""
        if name is None:
            watch = None
        else:
            try:
                watch = self.runner.watch(name)
            except FretsawError as error:
                self.tell_error(error)
                return
        if watch is not self.focus:
            self.focus = watch
            self.focus_changed.emit()

    def mark(self, name: str, on: bool = True) -> None:
        """Mark a run for comparing, or take the mark away."""
        rest = tuple(other for other in self.marked if other != name)
        new = (*rest, name) if on else rest
        if set(new) != set(self.marked):
            self.marked = new
            self.marks_changed.emit()

    def close(self, *, keep: bool = False) -> None:
        """Stop timers and threads; runs go on.

        With ``keep``, what is not saved is offered at the next start.
        """
        self.closed.emit()
        self.catalog.close()
        self.runner.close()
        self.document.close(keep=keep)

    # -- inner -----------------------------------------------------------------------------------

    def _warn(self, text: str) -> None:
        self.tell(text, kind="warn")

    def _specs_changed(self) -> None:
        self.document.set_specs(self.catalog.specs)
        self.runner.set_specs(self.catalog.specs)

    def _settings_changed(self) -> None:
        values = self.settings.values
        theme().choose(values.theme, values.text_scale / 100, values.reduced_motion)
        self.document.versions = values.backups

    def _keep_selection(self, change: Change) -> None:
        if change.kind == "renamed":
            chosen = self.selection
            names = [change.node if n == change.was else n for n in chosen.nodes]
            chosen.set(names, chosen.links, chosen.notes)
        graph = self.document.graph
        notes = [str(note.get("id", "")) for note in graph.notes]
        self.selection.keep(graph.nodes, graph.links, notes)
