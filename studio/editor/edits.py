"""How an edit is made of steps. Nothing is changed here: each function looks and plans."""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from backend.core.errors import DocumentError
from backend.core.graph import MOST_SEED, Graph, GraphNode, Link, Specs
from studio.editor.commands import (
    AddLinks,
    AddNode,
    MoveNodes,
    Place,
    RemoveLinks,
    RemoveNodes,
    SetNode,
    SetTitle,
    Step,
)

LONGEST_NAME = 200
COLLAPSED = "collapsed"
"""Key beside x and y of a node whose card shows its head alone."""


def node_added(
    graph: Graph, specs: Specs, type: str, name: str, params: Mapping[str, Any], at: Place
) -> AddNode:
    """Plan a new node, of the version that is installed."""
    graph.check_new(name)
    version = specs[type].version if type in specs else None
    node = GraphNode(type, copy.deepcopy(dict(params)), version)
    return AddNode(name, node, at, len(graph.nodes))


def removed(graph: Graph, nodes: Collection[str], links: Collection[Link]) -> list[Step]:
    """Plan the removal of links and of nodes with theirs."""
    for link in links:
        if not graph.has_link(link):
            raise DocumentError(f"There is no link from {link.source} to {link.target}.")
    gone = {*links, *graph.links_of(nodes)}
    steps: list[Step] = [RemoveLinks.of(graph, gone)] if gone else []
    return [*steps, RemoveNodes.of(graph, nodes)] if nodes else steps


def linked(
    graph: Graph, specs: Specs, link: Link, *, instead: bool, position: int | None
) -> list[Step]:
    """Plan a link that was found to fit; with ``instead``, it takes the place of another."""
    node = graph.nodes[link.target_node]
    port = specs[node.type].input(link.target.partition(".")[2]) if node.type in specs else None
    old = graph.into(link.target) if instead and not (port and port.many) else []
    if old and position is None:
        position = graph.links.index(old[0])
    last = len(graph.links) - len(old)
    at = last if position is None else min(position, last)
    steps: list[Step] = [RemoveLinks.of(graph, old)] if old else []
    return [*steps, AddLinks(((at, link),))]


def moved(graph: Graph, places: Mapping[str, tuple[float, float]]) -> MoveNodes:
    """Plan moves; nodes that are there already are left out."""
    for name in places:
        graph.node(name)
    after = {name: {**graph.layout.get(name, {}), **place(x, y)} for name, (x, y) in places.items()}
    changed = {name: at for name, at in after.items() if graph.layout.get(name) != at}
    return MoveNodes({name: graph.layout.get(name) for name in changed}, changed)


def collapsed(graph: Graph, places: Mapping[str, tuple[float, float]], on: bool) -> MoveNodes:
    """Plan to show nodes as their heads alone, or whole; ``places`` is where they are now."""
    after = {}
    for name, (x, y) in places.items():
        graph.node(name)
        at = {key: v for key, v in graph.layout.get(name, place(x, y)).items() if key != COLLAPSED}
        after[name] = {**at, COLLAPSED: 1.0} if on else at
    changed = {name: at for name, at in after.items() if graph.layout.get(name) != at}
    return MoveNodes({name: graph.layout.get(name) for name in changed}, changed)


def settled(graph: Graph, name: str, **fields: Any) -> list[Step]:
    """Plan other parameters or bypass of a node; nothing when it has them."""
    old = graph.node(name)
    new = replace(old, **fields)
    return [SetNode(name, old, new)] if new != old else []


def titled(graph: Graph, field: str, value: str | int) -> list[Step]:
    """Plan another name or seed; nothing when the document has it."""
    if field == "seed" and not 0 <= int(value) <= MOST_SEED:
        raise DocumentError(f"The seed {value} is not between 0 and 2^63 - 1.")
    if field == "name" and not 0 < len(str(value)) <= LONGEST_NAME:
        raise DocumentError(f"The name of a graph has 1 to {LONGEST_NAME} signs.")
    old = getattr(graph, field)
    return [SetTitle({field: old}, {field: value})] if old != value else []


def place(x: float, y: float) -> Place:
    """Return a place as documents hold it.

    Raises:
        DocumentError: it is none, such as not-a-number.
    """
    if not (math.isfinite(x) and math.isfinite(y)):
        raise DocumentError(f"({x}, {y}) is no place on the canvas.")
    return {"x": float(x), "y": float(y)}
