"""The document: nodes, links, and what is wrong with them. Knows no window and no node code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from backend.core import graph_file, validity
from backend.core.errors import DocumentError, nearest
from backend.core.links import Link, Links
from backend.core.names import check_name
from backend.core.order import circle, postorder
from backend.core.validity import MOST_SEED, Problem, Specs

__all__ = ["MOST_SEED", "Change", "Graph", "GraphNode", "Link", "Problem", "Specs"]


@dataclass(frozen=True)
class GraphNode:
    """One node of a document: its kind, its settings, and the version they were written for.

    No version means that of whatever is installed: a graph made by a program just now.
    """

    type: str
    params: dict[str, Any] = field(default_factory=dict)
    version: int | None = None
    bypass: bool = False


@dataclass(frozen=True)
class Change:
    """What a listener is told: ``kind`` of edit and the node or link that it touched.

    ``renamed`` tells the new name in ``node`` and the old one in ``was``; the links and the place
    have followed already and are not told one by one. ``titled`` is a new name or seed.
    """

    kind: Literal[
        "added",
        "removed",
        "renamed",
        "connected",
        "disconnected",
        "set",
        "moved",
        "notes",
        "titled",
    ]
    node: str = ""
    link: Link | None = None
    was: str = ""


Listener = Callable[[Change], None]


class Graph:
    """A document. Every edit goes through a method here and is told to the listeners."""

    def __init__(self, name: str = "untitled", seed: int = 0) -> None:
        self.name = name
        self.seed = seed
        self.nodes: dict[str, GraphNode] = {}
        self._links = Links()
        self.layout: dict[str, dict[str, float]] = {}
        self.notes: list[dict[str, Any]] = []
        self.metadata: dict[str, Any] = {}
        self._listeners: list[Listener] = []

    @property
    def links(self) -> list[Link]:
        """All links in order; several into one port are taken in this order."""
        return self._links.all

    @links.setter
    def links(self, links: Collection[Link]) -> None:
        self._links = Links(links)

    # -- edits -----------------------------------------------------------------------------------

    def add(
        self,
        type: str,
        name: str | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        at: tuple[float, float] | None = None,
        version: int | None = None,
        **settings: Any,
    ) -> str:
        """Add a node of kind ``type`` and return its name.

        Raises:
            DocumentError: the name is taken or not made of letters, digits, ``_`` and ``-``.
        """
        name = name or self.free_name(type)
        self.check_new(name)
        self.nodes[name] = GraphNode(type, {**(params or {}), **settings}, version)
        if at is not None:
            self.layout[name] = {"x": float(at[0]), "y": float(at[1])}
        self._tell(Change("added", name))
        return name

    def check_new(self, name: str) -> None:
        """Refuse a name that cannot be that of another node.

        Raises:
            DocumentError: it is taken (folders of some systems tell no case), or no name.
        """
        check_name(name)
        taken = next((known for known in self.nodes if known.lower() == name.lower()), None)
        if taken is not None:
            raise DocumentError(f'There is already a node "{taken}".', "Choose another name.")

    def check_rename(self, name: str, new: str) -> None:
        """Refuse what :meth:`rename` would; see there."""
        self.node(name)
        if new.lower() == name.lower():
            check_name(new)  # capitals alone change: it is not in its own way
        else:
            self.check_new(new)

    def remove(self, name: str) -> None:
        """Remove a node and its links."""
        self.node(name)
        self.unlink(self.links_of([name]))
        del self.nodes[name]
        self.layout.pop(name, None)
        self._tell(Change("removed", name))

    def connect(self, source: str, target: str, *, position: int | None = None) -> Link:
        """Link ``node.port`` to ``node.port``; ``position`` orders links into one port.

        Raises:
            DocumentError: a node is missing, the link exists, or it would close a circle.
        """
        link = Link(source, target)
        for end, name in ((source, link.source_node), (target, link.target_node)):
            self.node(name)
            if not end.partition(".")[2]:
                raise DocumentError(f'"{end}" names no port.', "Write node.port.")
        if self.has_link(link):
            raise DocumentError(f"{source} is already linked to {target}.")
        if self.reaches(link.target_node, link.source_node):
            raise DocumentError(
                f"Linking {source} to {target} would close a circle.",
                "A node cannot wait for its own result.",
            )
        self.relink(link, position)
        return link

    def disconnect(self, source: str, target: str) -> None:
        """Remove a link.

        Raises:
            DocumentError: there is no such link.
        """
        link = Link(source, target)
        if not self.has_link(link):
            raise DocumentError(f"There is no link from {source} to {target}.")
        self.unlink([link])

    def set(self, name: str, **params: Any) -> None:
        """Change parameters of a node; the others stay."""
        old = self.node(name)
        self.nodes[name] = replace(old, params={**old.params, **params})
        self._tell(Change("set", name))

    def reset(self, name: str, param: str) -> None:
        """Give one parameter its default again."""
        old = self.node(name)
        self.nodes[name] = replace(
            old, params={key: value for key, value in old.params.items() if key != param}
        )
        self._tell(Change("set", name))

    def bypass(self, name: str, on: bool = True) -> None:
        """Let a node hand on what it gets instead of running."""
        self.nodes[name] = replace(self.node(name), bypass=on)
        self._tell(Change("set", name))

    def move(self, name: str, x: float, y: float) -> None:
        """Put a node at a place on the canvas; the meaning of the document does not change."""
        self.node(name)
        # How its card is shown (collapsed) is kept with its place.
        self.layout[name] = {**self.layout.get(name, {}), "x": float(x), "y": float(y)}
        self._tell(Change("moved", name))

    def rename(self, name: str, new: str) -> None:
        """Give a node another name; its links, its place and the order of nodes stay.

        Raises:
            DocumentError: there is no such node, or the name is taken or no name.
        """
        self.check_rename(name, new)
        self.nodes = {new if key == name else key: node for key, node in self.nodes.items()}
        self.layout = {new if key == name else key: at for key, at in self.layout.items()}
        self.links = [
            Link(_renamed(link.source, name, new), _renamed(link.target, name, new))
            for link in self.links
        ]
        self._tell(Change("renamed", new, was=name))

    def set_title(self, name: str | None = None, seed: int | None = None) -> None:
        """Change the name of the document, its seed, or both."""
        self.name = self.name if name is None else name
        self.seed = self.seed if seed is None else seed
        self._tell(Change("titled"))

    def set_notes(self, notes: list[dict[str, Any]]) -> None:
        """Replace the notes and frames; the meaning of the document does not change."""
        self.notes = notes
        self._tell(Change("notes"))

    # -- edits put back as they were: what undo is made of, nothing is checked --------------------

    def restore(
        self, name: str, node: GraphNode, at: dict[str, float] | None, position: int
    ) -> None:
        """Put a node at its ``position`` among the others, with all that it carries."""
        if position >= len(self.nodes):
            self.nodes[name] = node
        else:
            items = list(self.nodes.items())
            items.insert(position, (name, node))
            self.nodes = dict(items)
        if at is not None:
            self.layout[name] = at
        self._tell(Change("added", name))

    def put(self, name: str, node: GraphNode) -> None:
        """Replace what a node carries: parameters, version, bypass."""
        self.nodes[name] = node
        self._tell(Change("set", name))

    def place(self, name: str, at: dict[str, float] | None) -> None:
        """Put a node at a place, or at none."""
        if at is None:
            self.layout.pop(name, None)
        else:
            self.layout[name] = at
        self._tell(Change("moved", name))

    def relink(self, link: Link, position: int | None = None) -> None:
        """Put a link at its ``position`` among the others."""
        self._links.insert(link, position)
        self._tell(Change("connected", link=link))

    def unlink(self, links: Collection[Link]) -> None:
        """Take links out at once."""
        self._links.remove(links)
        for link in links:
            self._tell(Change("disconnected", link=link))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` after every edit; returns a function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # -- questions -------------------------------------------------------------------------------

    def node(self, name: str) -> GraphNode:
        """Return a node.

        Raises:
            DocumentError: there is none of this name.
        """
        if name not in self.nodes:
            raise DocumentError(f'There is no node "{name}".', nearest(name, self.nodes))
        return self.nodes[name]

    def into(self, target: str) -> list[Link]:
        """Links into a node, or into ``node.port``, in order."""
        name, _, port = target.partition(".")
        return [x for x in self._links.into(name) if not port or x.target == target]

    def out_of(self, source: str) -> list[Link]:
        """Links out of a node, or out of ``node.port``."""
        name, _, port = source.partition(".")
        return [x for x in self._links.out_of(name) if not port or x.source == source]

    def links_of(self, names: Collection[str]) -> list[Link]:
        """Links that touch one of the nodes, in order."""
        chosen = set(names)
        touched = {x for n in chosen for x in (*self._links.into(n), *self._links.out_of(n))}
        if len(touched) < 2:
            return list(touched)
        return [x for x in self.links if x in touched]

    def has_link(self, link: Link) -> bool:
        """Tell whether two ports are linked."""
        return link in self._links.into(link.target_node)

    def reaches(self, start: str, goal: str) -> bool:
        """Tell whether node ``goal`` needs node ``start``, directly or over others."""
        return self._links.reaches(start, goal)

    def why_not(self, source: str, target: str, specs: Specs) -> str | None:
        """Say why ``source`` cannot be linked to ``target``; None when it can."""
        return validity.why_not(self, source, target, specs)

    def problems(self, specs: Specs) -> list[Problem]:
        """Return everything that keeps the graph from running, most basic first."""
        return validity.problems(self, specs)

    def order(self, target: str | None = None) -> list[str]:
        """Names of the nodes so that each comes after what it needs; only those ``target`` needs.

        Raises:
            DocumentError: the links go round in a circle, or there is no node ``target``.
        """
        circle = self.circle()
        if circle:
            raise DocumentError(
                f"The links go round in a circle: {' -> '.join(circle)}.", "Remove one of them."
            )
        if target is not None:
            self.node(target)
        done: dict[str, None] = {}
        for name in self.nodes if target is None else [target]:
            for needed in postorder(name, self._known_sources):
                done.setdefault(needed)
        return list(done)

    def circle(self) -> list[str]:
        """Return the nodes of one circle, the first repeated at the end; empty without one."""
        return circle({name: self._sources(name) for name in self.nodes})

    # -- files -----------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return the document as JSON data; layout apart from meaning."""
        return graph_file.encode(self)

    def copy(self) -> Graph:
        """Return a copy without listeners that shares what edits replace and never change."""
        copy = Graph(self.name, self.seed)
        copy.nodes, copy.links = dict(self.nodes), list(self.links)
        copy.layout, copy.notes = dict(self.layout), list(self.notes)
        copy.metadata = dict(self.metadata)
        return copy

    @classmethod
    def from_json(cls, data: dict[str, Any], where: str = "The document") -> Graph:
        """Build a graph from JSON data; see :meth:`load`."""
        graph = cls()
        graph_file.decode(graph, data, where)
        return graph

    def save(self, path: Path | str) -> None:
        """Write the document; the previous file stays whole if this fails."""
        graph_file.write(Path(path), self.to_json())

    @classmethod
    def load(cls, path: Path | str) -> Graph:
        """Read a document. Nodes of a kind that is not installed are kept as they are.

        Raises:
            DocumentError: no such file, not a graph, truncated, or from a newer version.
        """
        return cls.from_json(graph_file.read(Path(path)), f'"{path}"')

    # -- inner -----------------------------------------------------------------------------------

    def _tell(self, change: Change) -> None:
        for listener in list(self._listeners):
            listener(change)

    def free_name(self, type: str) -> str:
        """Return a name that a new node of this kind can have."""
        stem = type.rpartition(".")[2]
        names = (f"{stem}{n or ''}" for n in [0, *range(2, len(self.nodes) + 3)])
        taken = {name.lower() for name in self.nodes}
        return next(name for name in names if name.lower() not in taken)

    def _sources(self, name: str) -> list[str]:
        return [link.source_node for link in self._links.into(name)]

    def _known_sources(self, name: str) -> list[str]:
        return [source for source in self._sources(name) if source in self.nodes]


def _renamed(end: str, old: str, new: str) -> str:
    name, dot, port = end.partition(".")
    return f"{new}{dot}{port}" if name == old else end
