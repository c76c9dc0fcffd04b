"""Edits as undo steps: what was, what is, and how to get from one to the other.

A step knows both directions and checks nothing: the document has checked before. An `Edit` is what
the user sees as one step back; it is made of one or more of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from PySide6.QtGui import QUndoCommand

from backend.core.graph import Graph, GraphNode, Link

Place = dict[str, float]
MERGES = 1
"""``QUndoCommand.id`` of edits that may join the one before; Qt asks only for equal ids."""


class Step(Protocol):
    """One change of a graph that can be taken back."""

    @property
    def counts(self) -> bool:
        """Whether a file that lacks this step is out of date."""

    def do(self, graph: Graph) -> None:
        """Make the change."""

    def undo(self, graph: Graph) -> None:
        """Take it back; the graph is then as it was before, order included."""


@dataclass(frozen=True)
class AddNode:
    """A node that was not there."""

    name: str
    node: GraphNode
    at: Place | None
    position: int
    counts: bool = True

    def do(self, graph: Graph) -> None:
        """Put the node in."""
        graph.restore(self.name, self.node, self.at, self.position)

    def undo(self, graph: Graph) -> None:
        """Remove it; it has no links any more."""
        graph.remove(self.name)


@dataclass(frozen=True)
class RemoveNodes:
    """Nodes that go, with all they carry; their links go in a step before."""

    gone: tuple[AddNode, ...]
    counts: bool = True

    @classmethod
    def of(cls, graph: Graph, names: Iterable[str]) -> RemoveNodes:
        """Remember nodes as they are now."""
        chosen = set(names)
        return cls(
            tuple(
                AddNode(name, node, graph.layout.get(name), position)
                for position, (name, node) in enumerate(graph.nodes.items())
                if name in chosen
            )
        )

    def do(self, graph: Graph) -> None:
        """Remove them."""
        for node in self.gone:
            graph.remove(node.name)

    def undo(self, graph: Graph) -> None:
        """Put them back, first ones first, so that each position is right again."""
        for node in self.gone:
            node.do(graph)


@dataclass(frozen=True)
class AddLinks:
    """Links with their positions in the order of all links, rising."""

    links: tuple[tuple[int, Link], ...]
    counts: bool = True

    @classmethod
    def last(cls, graph: Graph, links: Iterable[Link]) -> AddLinks:
        """Links that come after all others."""
        return cls(tuple(enumerate(links, len(graph.links))))

    def do(self, graph: Graph) -> None:
        """Link."""
        for position, link in self.links:
            graph.relink(link, position)

    def undo(self, graph: Graph) -> None:
        """Take the links out."""
        graph.unlink([link for _, link in self.links])


@dataclass(frozen=True)
class RemoveLinks:
    """Links that go; they come back where they were among the others."""

    gone: AddLinks
    counts: bool = True

    @classmethod
    def of(cls, graph: Graph, links: Iterable[Link]) -> RemoveLinks:
        """Remember where links stand now."""
        chosen = set(links)
        found = ((at, link) for at, link in enumerate(graph.links) if link in chosen)
        return cls(AddLinks(tuple(found)))

    def do(self, graph: Graph) -> None:
        """Take the links out."""
        self.gone.undo(graph)

    def undo(self, graph: Graph) -> None:
        """Link again."""
        self.gone.do(graph)


@dataclass(frozen=True)
class SetNode:
    """Other parameters, another version or bypass of a node that stays."""

    name: str
    before: GraphNode
    after: GraphNode
    counts: bool = True

    def do(self, graph: Graph) -> None:
        """Give the node its new settings."""
        graph.put(self.name, self.after)

    def undo(self, graph: Graph) -> None:
        """Give it the old ones."""
        graph.put(self.name, self.before)


@dataclass(frozen=True)
class MoveNodes:
    """Other places on the canvas: the file means the same without this step."""

    before: Mapping[str, Place | None]
    after: Mapping[str, Place | None]
    counts: bool = False

    def do(self, graph: Graph) -> None:
        """Move."""
        for name, at in self.after.items():
            graph.place(name, at)

    def undo(self, graph: Graph) -> None:
        """Move back."""
        for name, at in self.before.items():
            graph.place(name, at)


@dataclass(frozen=True)
class RenameNode:
    """Another name of a node; its links follow."""

    before: str
    after: str
    counts: bool = True

    def do(self, graph: Graph) -> None:
        """Rename."""
        graph.rename(self.before, self.after)

    def undo(self, graph: Graph) -> None:
        """Rename back."""
        graph.rename(self.after, self.before)


@dataclass(frozen=True)
class SetNotes:
    """Other notes and frames, all of them before and after: they are few and small."""

    before: list[dict[str, Any]]
    after: list[dict[str, Any]]
    counts: bool = True

    def do(self, graph: Graph) -> None:
        """Show the new ones."""
        graph.set_notes(self.after)

    def undo(self, graph: Graph) -> None:
        """Show the old ones."""
        graph.set_notes(self.before)


@dataclass(frozen=True)
class SetTitle:
    """Another name or seed of the document; only what changes is named."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    counts: bool = True

    def do(self, graph: Graph) -> None:
        """Give the document its new name or seed."""
        graph.set_title(**self.after)

    def undo(self, graph: Graph) -> None:
        """Give it the old one."""
        graph.set_title(**self.before)


@dataclass
class Marks:
    """Names of states. A document is unmodified when its mark is that of the saved state.

    Two states that differ in places alone share a mark, so that moving nodes modifies nothing.
    """

    now: object
    saved: object


class Edit(QUndoCommand):
    """One entry of the history: steps that were done, and how the history calls them.

    ``joins`` says that it continues the edit before it, as the letters of a word do.
    """

    def __init__(
        self, text: str, steps: list[Step], graph: Graph, marks: Marks, before: object, joins: bool
    ) -> None:
        super().__init__(text)
        self.steps = steps
        self.joins = joins
        self.before = before
        self.after = marks.now
        self._graph = graph
        self._marks = marks
        self._is_done = True  # pushing calls redo, but the steps are checked by doing them first

    def id(self) -> int:
        """Tell Qt which edits may join."""
        return MERGES

    def redo(self) -> None:
        """Do the steps, but not a second time when they are pushed."""
        if not self._is_done:
            for step in self.steps:
                step.do(self._graph)
        self._is_done = True
        self._marks.now = self.after

    def undo(self) -> None:
        """Take the steps back, last one first."""
        for step in reversed(self.steps):
            step.undo(self._graph)
        self._is_done = False
        self._marks.now = self.before

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take in the edit that continues this one; None remains when it led back."""
        if not isinstance(other, Edit) or not other.joins:
            return False
        joined = _joined(self.steps, other.steps)
        if joined is None:
            return False
        self.steps = joined
        self.after = other.after
        self.setText(other.text())
        if all(_leads_nowhere(step) for step in joined):
            self.setObsolete(True)
            self._marks.now = self.before
        return True


def done(graph: Graph, steps: Iterable[Step]) -> list[Step]:
    """Do steps and return them; if one fails, those before it are taken back."""
    finished: list[Step] = []
    try:
        for step in steps:
            step.do(graph)
            finished.append(step)
    except BaseException:
        for step in reversed(finished):
            step.undo(graph)
        raise
    return finished


def _joined(first: list[Step], second: list[Step]) -> list[Step] | None:
    """Return one step for each two of the same kind, of the same thing; None when any differ."""
    if len(first) != len(second):
        return None
    found = [_joined_two(one, two) for one, two in zip(first, second, strict=True)]
    joined = [step for step in found if step is not None]
    return joined if len(joined) == len(found) else None


def _joined_two(one: Step, two: Step) -> Step | None:
    if isinstance(one, SetNode) and isinstance(two, SetNode) and one.name == two.name:
        return SetNode(one.name, one.before, two.after)
    if isinstance(one, MoveNodes) and isinstance(two, MoveNodes):
        return MoveNodes(one.before, two.after) if one.before.keys() == two.before.keys() else None
    if isinstance(one, SetNotes) and isinstance(two, SetNotes):
        return SetNotes(one.before, two.after, one.counts or two.counts)
    if isinstance(one, SetTitle) and isinstance(two, SetTitle):
        return SetTitle(one.before, two.after) if one.before.keys() == two.before.keys() else None
    return None


def _leads_nowhere(step: Step) -> bool:
    return isinstance(step, SetNode | MoveNodes | SetNotes | SetTitle) and step.before == step.after
