"""The document: nodes, links, and what is wrong with them. Knows no window and no node code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from backend.core import graph_file
from backend.core.errors import DocumentError, nearest
from backend.core.names import check_name
from backend.core.node import NodeSpec, Port
from backend.core.order import circle, postorder
from backend.core.schema import faults

Specs = Mapping[str, NodeSpec]
MOST_SEED = 2**63 - 1


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
class Link:
    """A connection from ``node.port`` to ``node.port``."""

    source: str
    target: str

    @property
    def source_node(self) -> str:
        """Name of the node that gives."""
        return self.source.partition(".")[0]

    @property
    def target_node(self) -> str:
        """Name of the node that takes."""
        return self.target.partition(".")[0]


@dataclass(frozen=True)
class Problem:
    """Something that keeps a graph from running, or that its author should know."""

    node: str
    text: str
    where: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.node}: {self.text}" if self.node else self.text


@dataclass(frozen=True)
class Change:
    """What a listener is told: ``kind`` of edit and the node or link that it touched."""

    kind: Literal["added", "removed", "connected", "disconnected", "set", "moved", "notes"]
    node: str = ""
    link: Link | None = None


Listener = Callable[[Change], None]


class Graph:
    """A document. Every edit goes through a method here and is told to the listeners."""

    def __init__(self, name: str = "untitled", seed: int = 0) -> None:
        self.name = name
        self.seed = seed
        self.nodes: dict[str, GraphNode] = {}
        self.links: list[Link] = []
        self.layout: dict[str, dict[str, float]] = {}
        self.notes: list[dict[str, Any]] = []
        self.metadata: dict[str, Any] = {}
        self._listeners: list[Listener] = []

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
        name = name or self._free_name(type)
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

    def remove(self, name: str) -> None:
        """Remove a node and its links."""
        self._node(name)
        for link in [x for x in self.links if name in (x.source_node, x.target_node)]:
            self.disconnect(link.source, link.target)
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
            self._node(name)
            if not end.partition(".")[2]:
                raise DocumentError(f'"{end}" names no port.', "Write node.port.")
        if link in self.links:
            raise DocumentError(f"{source} is already linked to {target}.")
        if self._reaches(link.target_node, link.source_node):
            raise DocumentError(
                f"Linking {source} to {target} would close a circle.",
                "A node cannot wait for its own result.",
            )
        self.links.insert(len(self.links) if position is None else position, link)
        self._tell(Change("connected", link=link))
        return link

    def disconnect(self, source: str, target: str) -> None:
        """Remove a link.

        Raises:
            DocumentError: there is no such link.
        """
        link = Link(source, target)
        if link not in self.links:
            raise DocumentError(f"There is no link from {source} to {target}.")
        self.links.remove(link)
        self._tell(Change("disconnected", link=link))

    def set(self, name: str, **params: Any) -> None:
        """Change parameters of a node; the others stay."""
        old = self._node(name)
        self.nodes[name] = replace(old, params={**old.params, **params})
        self._tell(Change("set", name))

    def reset(self, name: str, param: str) -> None:
        """Give one parameter its default again."""
        old = self._node(name)
        self.nodes[name] = replace(
            old, params={key: value for key, value in old.params.items() if key != param}
        )
        self._tell(Change("set", name))

    def bypass(self, name: str, on: bool = True) -> None:
        """Let a node hand on what it gets instead of running."""
        self.nodes[name] = replace(self._node(name), bypass=on)
        self._tell(Change("set", name))

    def move(self, name: str, x: float, y: float) -> None:
        """Put a node at a place on the canvas; the meaning of the document does not change."""
        self._node(name)
        self.layout[name] = {"x": float(x), "y": float(y)}
        self._tell(Change("moved", name))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` after every edit; returns a function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # -- questions -------------------------------------------------------------------------------

    def into(self, target: str) -> list[Link]:
        """Links into a node, or into ``node.port``, in order."""
        return [x for x in self.links if target in (x.target, x.target_node)]

    def why_not(self, source: str, target: str, specs: Specs) -> str | None:
        """Say why ``source`` cannot be linked to ``target``; None when it can."""
        link = Link(source, target)
        if link.source_node == link.target_node:
            return "A node cannot feed itself."
        if link in self.links:
            return "These two are linked already."
        misfit = self._misfit(link, specs)
        if misfit:
            return misfit
        if self._reaches(link.target_node, link.source_node):
            return "This would close a circle: a node cannot wait for its own result."
        port = self._port(target, specs, "input")
        if port and not port.many and self.into(target):
            return f'"{port.name}" takes one link and has it. Remove that link first.'
        return None

    def problems(self, specs: Specs) -> list[Problem]:
        """Return everything that keeps the graph from running, most basic first."""
        found: list[Problem] = []
        circle = self.circle()
        if circle:
            found.append(
                Problem(
                    circle[0],
                    f"The links go round in a circle: {' -> '.join(circle)}. Remove one of them.",
                )
            )
        if not 0 <= self.seed <= MOST_SEED:
            found.append(Problem("", f"The seed {self.seed} is not between 0 and 2^63 - 1."))
        for name, node in self.nodes.items():
            found += self._node_problems(name, node, specs)
        for link in self.links:
            ends = (link.source_node, link.target_node)
            lost = next((name for name in ends if name not in self.nodes), None)
            if lost is not None:
                text = f'A link goes from {link.source} to {link.target}, but there is no "{lost}".'
                found.append(Problem("", f"{text} {nearest(lost, self.nodes)}", where=link.target))
            elif all(self.nodes[name].type in specs for name in ends):
                misfit = self._misfit(link, specs)
                if misfit:
                    found.append(Problem(link.target_node, misfit, where=link.target))
        return found

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
            self._node(target)
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

    def _node(self, name: str) -> GraphNode:
        if name not in self.nodes:
            raise DocumentError(f'There is no node "{name}".', nearest(name, self.nodes))
        return self.nodes[name]

    def _free_name(self, type: str) -> str:
        stem = type.rpartition(".")[2]
        names = (f"{stem}{n or ''}" for n in [0, *range(2, len(self.nodes) + 3)])
        return next(name for name in names if name not in self.nodes)

    def _sources(self, name: str) -> list[str]:
        return [x.source_node for x in self.links if x.target_node == name]

    def _known_sources(self, name: str) -> list[str]:
        return [source for source in self._sources(name) if source in self.nodes]

    def _reaches(self, start: str, goal: str) -> bool:
        return start in postorder(goal, self._known_sources)

    def _port(self, end: str, specs: Specs, side: Literal["input", "output"]) -> Port | None:
        name, _, port = end.partition(".")
        spec = specs.get(self.nodes[name].type) if name in self.nodes else None
        if spec is None:
            return None
        return spec.input(port) if side == "input" else spec.output(port)

    def _source_names(self, source: str, specs: Specs, depth: int = 0) -> tuple[str, ...]:
        """Names of the classes at an output; an output that follows an input takes its type."""
        port = self._port(source, specs, "output")
        if port is None:
            return ()
        feeding = self.into(f"{source.partition('.')[0]}.{port.follows}") if port.follows else []
        if feeding and depth <= len(self.nodes):
            return self._source_names(feeding[0].source, specs, depth + 1) or port.accepts
        return port.accepts

    def _misfit(self, link: Link, specs: Specs) -> str | None:
        for end, side in ((link.source, "output"), (link.target, "input")):
            name, _, port = end.partition(".")
            if name not in self.nodes:
                return f'There is no node "{name}".'
            spec = specs.get(self.nodes[name].type)
            if spec is None:
                return f'"{name}" is of a kind that is not installed ({self.nodes[name].type}).'
            ports = spec.outputs if side == "output" else spec.inputs
            if port not in [p.name for p in ports]:
                hint = nearest(port, [p.name for p in ports])
                return f'"{name}" has no {side} "{port}". {hint}'
        target = self._port(link.target, specs, "input")
        source = self._port(link.source, specs, "output")
        assert target is not None
        assert source is not None
        if not set(target.accepts) & set(self._source_names(link.source, specs)):
            return (
                f"{link.source} gives {_article(source.type)}, "
                f"but {link.target} needs {_article(target.type)}."
            )
        return None

    def _node_problems(self, name: str, node: GraphNode, specs: Specs) -> list[Problem]:
        spec = specs.get(node.type)
        if spec is None:
            hint = nearest(node.type, specs)
            return [Problem(name, f'The kind "{node.type}" is not installed. {hint}')]
        found = [
            Problem(name, text, where=param) for param, text in faults(spec.params, node.params)
        ]
        for port in spec.inputs:
            links = self.into(f"{name}.{port.name}")
            if not links and not port.optional:
                text = f'Input "{port.name}" needs {_article(port.type)}. Link one to it.'
                found.append(Problem(name, text, where=port.name))
            elif len(links) > 1 and not port.many:
                text = f'Input "{port.name}" takes one link and has {len(links)}.'
                found.append(Problem(name, text, where=port.name))
        if node.version is not None and node.version > spec.version:
            text = (
                f"Its parameters were written for version {node.version} of {node.type}; "
                f"version {spec.version} is installed. Update Fretsaw or the package it is from."
            )
            found.append(Problem(name, text))
        return found


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'AEIOU' else 'a'} {word}" if word != "Data" else "Data"
