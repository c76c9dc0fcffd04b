"""What is wrong with a document, and why two ports do not fit. Linear in nodes and links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from backend.core.errors import nearest, short
from backend.core.links import Link
from backend.core.node import NodeSpec, Port
from backend.core.schema import faults

if TYPE_CHECKING:
    from backend.core.graph import Graph, GraphNode

Specs = Mapping[str, NodeSpec]
Side = Literal["input", "output"]
MOST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Problem:
    """Something that keeps a graph from running, or that its author should know."""

    node: str
    text: str
    where: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.node}: {self.text}" if self.node else self.text


def why_not(
    graph: Graph, source: str, target: str, specs: Specs, *, replace: bool = False
) -> str | None:
    """Say why ``source`` cannot be linked to ``target``; None when it can.

    With ``replace``, a link that the port has already is no reason: it would make way.
    """
    link = Link(source, target)
    if link.source_node == link.target_node:
        return "A node cannot feed itself."
    if graph.has_link(link):
        return "These two are linked already."
    misfit = _misfit(graph, link, specs, {})
    if misfit:
        return misfit
    if graph.reaches(link.target_node, link.source_node):
        return "This would close a circle: a node cannot wait for its own result."
    port = _port(graph, target, specs, "input")
    if port and not port.many and not replace and graph.into(target):
        return f'"{port.name}" takes one link and has it. Remove that link first.'
    return None


def problems(graph: Graph, specs: Specs) -> list[Problem]:
    """Return everything that keeps the graph from running, most basic first."""
    found: list[Problem] = []
    circle = graph.circle()
    if circle:
        text = f"The links go round in a circle: {' -> '.join(circle)}. Remove one of them."
        found.append(Problem(circle[0], text))
    if not 0 <= graph.seed <= MOST_SEED:
        found.append(Problem("", f"The seed {short(graph.seed)} is not between 0 and 2^63 - 1."))
    for name, node in graph.nodes.items():
        found += _node_problems(graph, name, node, specs)
    known: dict[str, tuple[str, ...]] = {}
    for link in graph.links:
        ends = (link.source_node, link.target_node)
        lost = next((name for name in ends if name not in graph.nodes), None)
        if lost is not None:
            text = f'A link goes from {link.source} to {link.target}, but there is no "{lost}".'
            found.append(Problem("", f"{text} {nearest(lost, graph.nodes)}", where=link.target))
        elif all(graph.nodes[name].type in specs for name in ends):
            misfit = _misfit(graph, link, specs, known)
            if misfit:
                found.append(Problem(link.target_node, misfit, where=link.target))
    return found


def types_at(
    graph: Graph, source: str, specs: Specs, known: dict[str, tuple[str, ...]] | None = None
) -> tuple[str, ...]:
    """Names of the classes at an output; an output that follows an input takes its type.

    ``known`` keeps answers for the next question about the same, unchanged graph.
    """
    known = {} if known is None else known
    path: list[tuple[str, Port]] = []
    opened: set[str] = set()
    here: str | None = source
    names: tuple[str, ...] = ()
    while here is not None:
        if here in known:
            names = known[here]
            break
        port = _port(graph, here, specs, "output")
        if port is None or here in opened:
            break
        opened.add(here)
        path.append((here, port))
        node = here.partition(".")[0]
        feeding = graph.into(f"{node}.{port.follows}") if port.follows else []
        here = feeding[0].source if feeding else None
    for end, port in reversed(path):
        names = known[end] = (names if port.follows else ()) or port.accepts
    return names


def _port(graph: Graph, end: str, specs: Specs, side: Side) -> Port | None:
    name, _, port = end.partition(".")
    spec = specs.get(graph.nodes[name].type) if name in graph.nodes else None
    if spec is None:
        return None
    return spec.input(port) if side == "input" else spec.output(port)


def _misfit(
    graph: Graph, link: Link, specs: Specs, known: dict[str, tuple[str, ...]]
) -> str | None:
    ends: tuple[tuple[str, Side], ...] = ((link.source, "output"), (link.target, "input"))
    for end, side in ends:
        name, _, port = end.partition(".")
        if name not in graph.nodes:
            return f'There is no node "{name}".'
        spec = specs.get(graph.nodes[name].type)
        if spec is None:
            return f'"{name}" is of a kind that is not installed ({graph.nodes[name].type}).'
        names = [p.name for p in (spec.outputs if side == "output" else spec.inputs)]
        if port not in names:
            return f'"{name}" has no {side} "{port}". {nearest(port, names)}'
    target = _port(graph, link.target, specs, "input")
    source = _port(graph, link.source, specs, "output")
    assert target is not None
    assert source is not None
    if not set(target.accepts) & set(types_at(graph, link.source, specs, known)):
        return (
            f"{link.source} gives {_article(source.type)}, "
            f"but {link.target} needs {_article(target.type)}."
        )
    return None


def _node_problems(graph: Graph, name: str, node: GraphNode, specs: Specs) -> list[Problem]:
    spec = specs.get(node.type)
    if spec is None:
        kind = node.type if len(node.type) <= 80 else f"{node.type[:77]}..."
        hint = nearest(node.type, specs)
        if not hint.startswith("Did you mean"):
            hint = "Install the package that brings it, or remove the node."
        return [Problem(name, f'The kind "{kind}" is not installed. {hint}')]
    found = [Problem(name, text, where=param) for param, text in faults(spec.params, node.params)]
    links = graph.into(name)
    for port in spec.inputs:
        end = f"{name}.{port.name}"
        count = sum(link.target == end for link in links)
        if not count and not port.optional:
            text = f'Input "{port.name}" needs {_article(port.type)}. Link one to it.'
            found.append(Problem(name, text, where=port.name))
        elif count > 1 and not port.many:
            text = f'Input "{port.name}" takes one link and has {count}.'
            found.append(Problem(name, text, where=port.name))
    if node.version is not None and node.version > spec.version:
        text = (
            f"Its parameters were written for version {short(node.version)} of {node.type}; "
            f"version {spec.version} is installed. Update Fretsaw or the package it is from."
        )
        found.append(Problem(name, text))
    return found


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'AEIOU' else 'a'} {word}" if word != "Data" else "Data"
