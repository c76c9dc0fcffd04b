"""Where nodes are shown that have no place: those of a graph that a program wrote."""

from __future__ import annotations

from collections.abc import Mapping

from backend.core.graph import Graph

GAP = 72.0
Size = tuple[float, float]


def places_for(graph: Graph, sizes: Mapping[str, Size]) -> dict[str, tuple[float, float]]:
    """Return places for the nodes without one; the document learns of them when they move.

    A graph without any place is laid out as a whole, else the nodes go in a row below the others.
    """
    bare = [name for name in graph.nodes if name not in graph.layout]
    if not bare:
        return {}
    if len(bare) == len(graph.nodes):
        from studio.editor.arrange import layered

        return layered(graph, sizes)
    placed = [(name, at) for name, at in graph.layout.items() if name in sizes]
    below = max(at["y"] + sizes[name][1] for name, at in placed) + GAP
    left = min(at["x"] for _, at in placed)
    places, x = {}, left
    for name in bare:
        places[name] = (x, below)
        x += sizes[name][0] + GAP
    return places
