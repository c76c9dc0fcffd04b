"""The open document: a graph, the steps back, what is wrong with it, and its file.

Every edit is one undo step. Moving nodes and notes can be undone but does not modify the document,
since it means the same without; what a note says was written by somebody, so it does.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QRectF, Signal

from backend.core import validity
from backend.core.errors import DocumentError
from backend.core.graph import Change, Graph, Link, Problem
from backend.core.node import NodeSpec
from backend.core.workspace import Workspace
from studio.document_file import VERSIONS, DocumentFile, completed
from studio.editor import commands, edits, titles
from studio.editor import notes as sheets
from studio.editor.fragment import Placed
from studio.editor.history import History
from studio.journal import Entry, Journal, Leftover
from studio.validation import Validation


class Document(QObject):
    """A graph that is edited in one window. Refusals are `DocumentError`; nothing changes then."""

    changed = Signal(object)  # a Change, after every edit, undo and redo included
    replaced = Signal()  # the graph object is another one
    titled = Signal()  # name, path or modified mark changed
    validated = Signal()  # the problems were found anew
    told = Signal(str)  # news: an older version was kept, unsaved work cannot be kept safe

    def __init__(self, workspace: Workspace | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace or Workspace.current()
        self._file: DocumentFile | None = None
        self.versions = VERSIONS  # earlier ones of a file that stay when it is saved
        self._last_title: tuple[object, ...] = ()
        self._history = History(self)
        self._history.stepped.connect(self._stepped)
        self.stack = self._history.stack
        self._validation = Validation(lambda: self.graph, self)
        self._validation.done.connect(self.validated)
        self._journal = Journal(self._workspace, self)
        self._journal.failed.connect(self.told)
        self.graph = Graph()
        self._unsubscribe: Callable[[], None] = lambda: None
        self._adopt(self.graph, None)

    # -- questions -------------------------------------------------------------------------------

    @property
    def path(self) -> Path | None:
        """The file of the document, if it has one."""
        return self._file.path if self._file else None

    @property
    def name(self) -> str:
        """Name of the document, as it stands in its file."""
        return self.graph.name

    @property
    def is_modified(self) -> bool:
        """Whether the file lacks an edit; moving alone is none."""
        return self._history.is_modified

    @property
    def is_saved(self) -> bool:
        """Whether the file has everything, places included: there is nothing to save."""
        return self.stack.isClean() and not self.is_modified

    @property
    def problems(self) -> list[Problem]:
        """What was wrong when the document was last validated."""
        return self._validation.problems

    def problems_of(self, node: str) -> list[Problem]:
        """Problems of one node; of none with ``""``."""
        return self._validation.of(node)

    def why_not(self, source: str, target: str, *, replace: bool = False) -> str | None:
        """Say why two ports cannot be linked; None when they can. See `validity.why_not`."""
        return validity.why_not(self.graph, source, target, self._specs, replace=replace)

    def validate(self) -> None:
        """Find the problems now instead of in the next idle turn."""
        self._validation.run()

    def set_specs(self, specs: Mapping[str, NodeSpec]) -> None:
        """Take another catalogue of node kinds and validate with it."""
        self._validation.specs = specs
        self._validation.soon()

    # -- nodes -----------------------------------------------------------------------------------

    def add(
        self,
        type: str,
        at: tuple[float, float] = (0.0, 0.0),
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        link: tuple[str, str] | None = None,
    ) -> str:
        """Add a node and return its name; ``link`` is an output and the new node's input port."""
        name = name or self.graph.free_name(type)
        step = edits.node_added(self.graph, self._specs, type, name, params or {}, edits.place(*at))
        with self.macro(f"Add {titles.kind(self._specs, type)}"):
            self._history.do("", [step])
            if link is not None:
                self.connect(link[0], f"{name}.{link[1]}")
        return name

    def remove(
        self,
        nodes: Collection[str] = (),
        links: Collection[Link] = (),
        notes: Collection[str] = (),
        *,
        verb: str = "Remove",
    ) -> None:
        """Remove nodes with their links, links and notes, in one step."""
        nodes = [nodes] if isinstance(nodes, str) else list(nodes)
        what = self._title(*nodes) if nodes else ""
        with self.macro(titles.removal(verb, what, links, notes)):
            self._history.do("", edits.removed(self.graph, nodes, links))
            if notes:
                self.remove_notes(notes)

    def set(self, node: str, /, **params: Any) -> None:
        """Change settings of a node; repeated within a second, they are one step."""
        old = self.graph.node(node)
        new = {**old.params, **copy.deepcopy(params)}
        text = titles.setting(self._title(node), params, self._specs.get(old.type))
        steps = edits.settled(self.graph, node, params=new)
        self._history.do(text, steps, ("set", node, frozenset(params)))

    def reset(self, node: str, param: str) -> None:
        """Give one setting its default again."""
        old = self.graph.node(node)
        params = {k: v for k, v in old.params.items() if k != param}
        text = f"Reset {self._title(node)} {titles.words(param, self._specs.get(old.type))}"
        self._history.do(text, edits.settled(self.graph, node, params=params))

    def bypass(self, nodes: str | Collection[str], on: bool) -> None:
        """Let nodes hand on what they get instead of running."""
        names = [nodes] if isinstance(nodes, str) else nodes
        text = f"Bypass {self._title(*names)}" if on else f"Let {self._title(*names)} run again"
        self._history.do(text, [s for n in names for s in edits.settled(self.graph, n, bypass=on)])

    def rename(self, node: str, new: str) -> None:
        """Give a node another name; its links follow."""
        if new != node:
            self.graph.check_rename(node, new)
            self._history.do(f"Rename {node} to {new}", [commands.RenameNode(node, new)])

    def move(self, places: Mapping[str, tuple[float, float]], *, burst: bool = False) -> None:
        """Put nodes at places; with ``burst`` (arrow keys), repeated moves are one step."""
        step = edits.moved(self.graph, places)
        if step.after:
            key = ("move", frozenset(places)) if burst else None
            self._history.do(f"Move {self._title(*places)}", [step], key)

    def collapse(self, places: Mapping[str, tuple[float, float]], on: bool) -> None:
        """Show nodes as their heads alone, or whole; ``places`` is where they are now."""
        step = edits.collapsed(self.graph, places, on)
        if step.after:
            self._history.do(f"{'Collapse' if on else 'Expand'} {self._title(*step.after)}", [step])

    def insert(
        self,
        fragment: Mapping[str, Any],
        at: tuple[float, float] | None = None,
        *,
        outside: bool = False,
        verb: str = "Paste",
    ) -> list[str]:
        """Add a fragment with its upper left corner at ``at`` and return the names of its nodes.

        With ``outside``, links from nodes that were not copied are kept where they still fit.
        """
        placed = Placed(self.graph, fragment, at)
        kinds = [titles.kind(self._specs, node.type) for _, node, _ in placed.nodes]
        what = kinds[0] if len(kinds) == 1 else f"{len(kinds)} nodes" if kinds else ""
        with self.macro(f"{verb} {titles.things(what, notes=len(placed.notes))}"):
            self._history.do("", placed.steps(self.graph))
            for link in placed.outside if outside else ():
                if self.why_not(link.source, link.target) is None:
                    self._history.do("", [commands.AddLinks.last(self.graph, [link])])
            for note in placed.notes:
                self._history.do("", [sheets.added(self.graph.notes, note)])
        return [name for name, _, _ in placed.nodes]

    # -- links -----------------------------------------------------------------------------------

    def connect(  # type: ignore[override]
        self, source: str, target: str, *, replace: bool = False, position: int | None = None
    ) -> Link:
        """Link two ports; with ``replace``, a link that the input has already makes way."""
        link = Link(source, target)
        if self._specs:
            if reason := self.why_not(source, target, replace=replace):
                raise DocumentError(reason)
        else:
            self.graph.copy().connect(source, target)  # without a catalogue: what core refuses
        steps = edits.linked(self.graph, self._specs, link, instead=replace, position=position)
        self._history.do(f"Link {link.source_node} to {link.target_node}", steps)
        return link

    def disconnect(self, source: str, target: str) -> None:  # type: ignore[override]
        """Remove a link."""
        self.remove(links=[Link(source, target)])

    # -- notes, frames, the document itself ------------------------------------------------------

    def add_note(
        self, rect: QRectF | Sequence[float], text: str = "", kind: str = "note", **fields: Any
    ) -> str:
        """Add a note or frame at (x, y, width, height) and return its id."""
        note = {"kind": kind, **sheets.place(rect), "text": text, **fields}
        step = sheets.added(self.graph.notes, note)
        self._history.do(f"Add a {kind}", [step])
        return str(step.after[-1]["id"])

    def change_note(self, id: str, **fields: Any) -> None:
        """Change text, colour, place or size of a note; typing is one step."""
        step = sheets.changed(self.graph.notes, id, fields)
        if step.before != step.after:
            text = "Edit a note" if step.counts else "Move a note"
            self._history.do(text, [step], ("note", id, frozenset(fields)))

    def remove_notes(self, ids: Collection[str]) -> None:
        """Remove notes and frames; what lies on a frame stays."""
        step = sheets.removed(self.graph.notes, [ids] if isinstance(ids, str) else ids)
        if count := len(step.before) - len(step.after):
            self._history.do(f"Remove {titles.things(notes=count)}", [step])

    def set_seed(self, seed: int) -> None:
        """Change the seed that every random draw of a run follows from."""
        self._history.do(f"Set the seed to {seed}", edits.titled(self.graph, "seed", seed), "seed")

    def set_name(self, text: str) -> None:
        """Name the document; the name of its file stays."""
        name = " ".join(text.split())
        self._history.do(titles.naming(name), edits.titled(self.graph, "name", name), "name")

    def macro(self, text: str, key: Hashable = None) -> AbstractContextManager[None]:
        """Make several edits one step; if one is refused, none of them happens.

        With a ``key`` it joins one of the same key that was made within a second.
        """
        return self._history.macro(text, key)

    # -- files -----------------------------------------------------------------------------------

    def new(self) -> None:
        """Begin an empty document; what was open is given up."""
        self._adopt(Graph(), None)

    def open(self, path: Path | str, *, as_copy: bool = False) -> None:
        """Open a file; ``as_copy`` leaves it to others: saving asks for another one.

        Raises:
            InUse: another window edits it.
            DocumentError: it cannot be read. In both cases the open document stays.
        """
        path, ours = Path(path), self._file
        if as_copy:
            self._adopt(Graph.load(path), None)
        elif ours and ours.is_at(path):
            self._adopt(ours.read(), ours)
        else:
            file, graph = DocumentFile.opened(path, self._workspace)
            self._adopt(graph, file)

    def save(self, *, force: bool = False) -> None:
        """Write the file; the one it replaces is kept among the earlier versions.

        Raises:
            ChangedOnDisk: something else wrote it meanwhile; ``force`` overwrites.
            DocumentError: there is no file yet, or it cannot be written.
        """
        if self._file is None:
            raise DocumentError("This graph has no file yet.", "Save it under a name.")
        self._write(self._file, force)

    def save_as(self, path: Path | str) -> None:
        """Write another file and go on with that one; it may exist, the user was asked.

        Raises:
            InUse: another window edits that file.
            DocumentError: it cannot be written; the document keeps the file it had.
        """
        path = completed(Path(path))
        old, name = self._file, self.graph.name
        file = old if old and old.is_at(path) else DocumentFile(path, self._workspace)
        self.graph.name = path.stem if name == "untitled" else name
        self._file = file  # before writing, so that what is told then is of the new one
        try:
            self._write(file, force=True)
        except BaseException:
            self.graph.name, self._file = name, old
            if file is not old:
                file.release()
            raise
        if old and old is not file:
            old.release()

    def revert(self) -> None:
        """Read the file again; unsaved edits are put among its earlier versions."""
        if self._file is None:
            raise DocumentError("This graph has no file to go back to.", "Save it first.")
        graph = self._file.read()
        if self.is_modified:
            self._file.keep_unsaved(self.graph)
        self._adopt(graph, self._file)

    def restore(self, leftover: Leftover, *, as_copy: bool = False) -> None:
        """Go on with what a window left behind when it ended without being asked to save.

        Raises:
            InUse: another window edits its file meanwhile; ``as_copy`` restores without the file.
        """
        entry, file = leftover.entry, None
        if entry.path is not None and not as_copy:
            is_ours = self._file is not None and self._file.is_at(entry.path)
            file = self._file if is_ours else DocumentFile(entry.path, self._workspace)
            assert file is not None
            file.digest = entry.digest
        self._adopt(entry.graph.copy(), file, is_modified=True)
        if self._journal.flush():  # before the other goes: at no moment is there no copy
            leftover.discard()

    def close(self, *, keep: bool = False) -> None:
        """Stop timers and let other windows have the file.

        What is unsaved is given up, or, with ``keep``, offered at the next start: for when nobody
        could be asked, such as at the end of a desktop session.
        """
        self._validation.stop()
        if keep:
            self._journal.leave()
        else:
            self._journal.discard()
        if self._file is not None:
            self._file.release()

    # -- inner -----------------------------------------------------------------------------------

    @property
    def _specs(self) -> Mapping[str, NodeSpec]:
        return self._validation.specs

    def _title(self, *nodes: str) -> str:
        return titles.nodes(self.graph, self._specs, nodes)

    def _adopt(self, graph: Graph, file: DocumentFile | None, *, is_modified: bool = False) -> None:
        graph.notes = sheets.numbered(graph.notes)
        self._journal.discard()
        if self._file is not None and self._file is not file:
            self._file.release()
        self._unsubscribe()
        self.graph, self._file = graph, file
        self._unsubscribe = graph.subscribe(self._heard)
        self._history.begin(graph, is_modified=is_modified)
        self._validation.soon()
        self.replaced.emit()
        self._tell_title()

    def _write(self, file: DocumentFile, force: bool) -> None:
        kept = file.write(self.graph, force=force, versions=self.versions)
        self._history.saved()
        if kept:
            self.told.emit(kept)
        self._tell_title()

    def _heard(self, change: Change) -> None:
        if change.kind not in ("moved", "notes"):
            self._validation.soon()
        self.changed.emit(change)

    def _stepped(self) -> None:
        if self.is_modified:
            digest = self._file.digest if self._file else None
            self._journal.keep(lambda: Entry(self.graph.copy(), self.path, digest))
        else:
            self._journal.discard()
        self._tell_title()

    def _tell_title(self) -> None:
        now = (self.name, self.path, self.is_modified)
        if now != self._last_title:
            self._last_title = now
            self.titled.emit()
