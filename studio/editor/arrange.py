"""Putting nodes in order: automatic layout, alignment, even spacing, snapping to the grid.

The functions that compute are pure and return ``{node: (x, y)}``; those that take a session make
one undo step of it. Distances are pixels of the scene.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from backend.core.graph import Graph
from studio.editor import layers
from studio.editor.layers import COLUMN_GAP, ROW_GAP, Place, Size

if TYPE_CHECKING:
    from studio.session import Session

SIDES = ("left", "right", "top", "bottom", "columns", "rows")
GRID = 8.0
_UNKNOWN: Size = (192.0, 120.0)


def layered(graph: Graph, sizes: Mapping[str, Size]) -> dict[str, Place]:
    """Return a place for every node: columns from left to right, sources of data on top.

    The parts of a graph that are not linked to each other lie one below the other, nodes without
    any link in rows at the end. The same graph gives the same places; the order of nodes in the
    document decides where nothing else does.
    """
    edges = _edges(graph)
    places: dict[str, Place] = {}
    y = 0.0
    single = []
    for part in _parts(list(graph.nodes), edges):
        if len(part) == 1:
            single += part
            continue
        members = set(part)
        made = layers.plan(
            part,
            [edge for edge in edges if edge[0] in members],
            lambda name: sizes.get(name, _UNKNOWN),
            {name for name in part if graph.nodes[name].type.startswith("data.")},
        )
        found = layers.place(made)
        places.update({name: (x, y + dy) for name, (x, dy) in found.items()})
        y += max(dy + sizes.get(name, _UNKNOWN)[1] for name, (_, dy) in found.items())
        y += COLUMN_GAP
    width = max((x + sizes.get(n, _UNKNOWN)[0] for n, (x, _) in places.items()), default=0.0)
    places.update(_rows(single, sizes, y, max(width, 4 * (_UNKNOWN[0] + COLUMN_GAP))))
    return {name: snapped(places[name]) for name in graph.nodes}


def arranged(
    graph: Graph, sizes: Mapping[str, Size], names: Iterable[str] = ()
) -> dict[str, Place]:
    """Return the places of :func:`layered` for ``names`` (all without any), not moved as a whole.

    The upper left corner of what is arranged stays where it is.
    """
    chosen = [name for name in graph.nodes if name in set(names)] or list(graph.nodes)
    part = Graph()
    part.nodes = {name: graph.nodes[name] for name in chosen}
    part.links = [x for x in graph.links if {x.source_node, x.target_node} <= set(chosen)]
    places = layered(part, sizes)
    known = [graph.layout[name] for name in chosen if name in graph.layout]
    dx = min((place["x"] for place in known), default=0.0)
    dy = min((place["y"] for place in known), default=0.0)
    return {name: snapped((x + dx, y + dy)) for name, (x, y) in places.items()}


def aligned(places: Mapping[str, Place], sizes: Mapping[str, Size], side: str) -> dict[str, Place]:
    """Return places where all nodes share a side, or their centres in a column or a row."""
    if not places:
        return {}
    size = {name: sizes.get(name, _UNKNOWN) for name in places}
    left = min(x for x, _ in places.values())
    top = min(y for _, y in places.values())
    right = max(x + size[name][0] for name, (x, _) in places.items())
    bottom = max(y + size[name][1] for name, (_, y) in places.items())
    moved: dict[str, Place] = {}
    for name, (x, y) in places.items():
        width, height = size[name]
        moved[name] = {
            "left": (left, y),
            "right": (right - width, y),
            "columns": ((left + right - width) / 2, y),
            "top": (x, top),
            "bottom": (x, bottom - height),
            "rows": (x, (top + bottom - height) / 2),
        }[side]
    return moved


def distributed(
    places: Mapping[str, Place], sizes: Mapping[str, Size], axis: str
) -> dict[str, Place]:
    """Return places with the same gap between neighbours; the outermost two stay.

    ``axis`` is ``x`` (across) or ``y`` (down).
    """
    if len(places) < 3:
        return dict(places)
    k = 0 if axis == "x" else 1
    order = sorted(places, key=lambda name: places[name][k])
    extent = {name: sizes.get(name, _UNKNOWN)[k] for name in order}
    span = places[order[-1]][k] + extent[order[-1]] - places[order[0]][k]
    gap = (span - sum(extent.values())) / (len(order) - 1)
    moved: dict[str, Place] = {}
    at = places[order[0]][k]
    for name in order:
        x, y = places[name]
        moved[name] = (at, y) if k == 0 else (x, at)
        at += extent[name] + gap
    return moved


def snapped(place: Place) -> Place:
    """Return the nearest point of the grid."""
    return round(place[0] / GRID) * GRID, round(place[1] / GRID) * GRID


def places_of(graph: Graph, names: Iterable[str]) -> dict[str, Place]:
    """Return where the named nodes are; those that were never placed are left out."""
    return {
        name: (graph.layout[name]["x"], graph.layout[name]["y"])
        for name in names
        if name in graph.layout
    }


def arrange(session: Session, sizes: Mapping[str, Size]) -> bool:
    """Put all nodes into columns, or the selected ones if there are several; one undo step."""
    chosen = session.selection.nodes
    names = chosen if len(chosen) > 1 else ()
    return _apply(session, arranged(session.document.graph, sizes, names), "Arrange")


def align(session: Session, sizes: Mapping[str, Size], side: str) -> bool:
    """Align the selected nodes: one of :data:`SIDES`; one undo step."""
    places = places_of(session.document.graph, session.selection.nodes)
    return _apply(session, aligned(places, sizes, side), "Align")


def distribute(session: Session, sizes: Mapping[str, Size], axis: str) -> bool:
    """Give the selected nodes equal gaps along ``x`` or ``y``; one undo step."""
    places = places_of(session.document.graph, session.selection.nodes)
    return _apply(session, distributed(places, sizes, axis), "Distribute")


def snap(session: Session) -> bool:
    """Move the selected nodes, or all without a selection, to the grid; one undo step."""
    graph = session.document.graph
    places = places_of(graph, session.selection.nodes or graph.nodes)
    moved = {name: snapped(place) for name, place in places.items()}
    return _apply(session, moved, "Snap to the grid")


def _apply(session: Session, places: Mapping[str, Place], text: str) -> bool:
    """Move nodes to ``places`` as one undo step called ``text``; False when nothing moves."""
    now = places_of(session.document.graph, places)
    moved = {name: place for name, place in places.items() if now.get(name) != place}
    if not moved:
        return False
    with session.document.macro(text):
        session.document.move(moved)
    return True


def _edges(graph: Graph) -> list[tuple[str, str]]:
    pairs = ((x.source_node, x.target_node) for x in graph.links)
    known = [(s, t) for s, t in pairs if s in graph.nodes and t in graph.nodes and s != t]
    return list(dict.fromkeys(known))


def _parts(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the connected parts, each in document order, ordered by their first node."""
    near: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        near[source].append(target)
        near[target].append(source)
    part_of: dict[str, int] = {}
    parts = 0
    for name in names:
        if name in part_of:
            continue
        waiting = [name]
        while waiting:
            found = waiting.pop()
            if found not in part_of:
                part_of[found] = parts
                waiting += near[found]
        parts += 1
    sorted_out: list[list[str]] = [[] for _ in range(parts)]
    for name in names:
        sorted_out[part_of[name]].append(name)
    return sorted_out


def _rows(
    names: Sequence[str], sizes: Mapping[str, Size], y: float, width: float
) -> dict[str, Place]:
    places: dict[str, Place] = {}
    x = lowest = 0.0
    for name in names:
        w, h = sizes.get(name, _UNKNOWN)
        if x and x + w > width:
            x, y = 0.0, y + lowest + ROW_GAP
            lowest = 0.0
        places[name] = (x, y)
        x += w + COLUMN_GAP
        lowest = max(lowest, h)
    return places
