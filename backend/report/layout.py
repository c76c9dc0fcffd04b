"""Places the nodes of a graph in columns and leads long links through gaps between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, GAP_X, GAP_Y, EDGE = 176, 70, 44, 20, 16
LANE = 10
"""Height kept free for a link that passes a column."""

_MOST_SORTED = 600

Place = tuple[float, float]


@dataclass(frozen=True)
class Wire:
    """A link with the places that it passes, from the source's right edge to the target's left."""

    source: str
    target: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Plan:
    """Upper left corners of all nodes, the links, and the size of the drawing."""

    nodes: dict[str, Place]
    wires: tuple[Wire, ...]
    width: float
    height: float


@dataclass(frozen=True)
class _Lane:
    """The place of a link from ``source`` in a column that it only passes."""

    source: str
    column: int


_Item = str | _Lane


def arrange(names: Sequence[str], links: Sequence[tuple[str, str]], first: Sequence[str]) -> Plan:
    """Arrange a graph; nodes named in ``first`` start on top of their columns.

    Each node stands one column after the last node that feeds it. A link over several columns has
    a lane of its own in those between, shared by all links from the same node.
    """
    known = set(names)
    links = [x for x in dict.fromkeys(links) if x[0] in known and x[1] in known and x[0] != x[1]]
    depth = _depths(names, links)
    links = [(a, b) for a, b in links if depth[a] < depth[b]]  # a circle keeps its forward links
    edges, lanes = _edges(links, depth)
    layers: list[list[_Item]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for lane in lanes:
        layers[lane.column].append(lane)
    for name in sorted(names, key=lambda n: n not in first):
        layers[depth[name]].append(name)
    if len(edges) <= _MOST_SORTED:
        _untangle(layers, edges)
    return _placed(layers, links)


def _depths(names: Sequence[str], links: Sequence[tuple[str, str]]) -> dict[str, int]:
    depth = dict.fromkeys(names, 0)
    for _ in names:  # as many rounds as the longest chain; a circle in a foreign file ends too
        changed = False
        for source, target in links:
            if depth[target] <= depth[source] < len(names) - 1:
                depth[target], changed = depth[source] + 1, True
        if not changed:
            break
    fed = {target for _, target in links}
    for name in names:
        readers = [depth[b] for a, b in links if a == name]
        if name not in fed and readers:
            depth[name] = max(0, min(readers) - 1)
    used = sorted(set(depth.values()))
    return {name: used.index(column) for name, column in depth.items()}


def _edges(
    links: Sequence[tuple[str, str]], depth: Mapping[str, int]
) -> tuple[list[tuple[_Item, _Item]], list[_Lane]]:
    edges: dict[tuple[_Item, _Item], None] = {}
    lanes: dict[_Lane, None] = {}
    for source, target in links:
        last: _Item = source
        for column in range(depth[source] + 1, depth[target]):
            lane = _Lane(source, column)
            lanes.setdefault(lane)
            edges.setdefault((last, lane))
            last = lane
        edges.setdefault((last, target))
    return list(edges), list(lanes)


def _untangle(layers: list[list[_Item]], edges: Sequence[tuple[_Item, _Item]]) -> None:
    """Sort each column by where its neighbours stand, to and fro; the start breaks ties."""
    before: dict[_Item, list[_Item]] = {}
    after: dict[_Item, list[_Item]] = {}
    for a, b in edges:
        after.setdefault(a, []).append(b)
        before.setdefault(b, []).append(a)
    best, fewest = [list(layer) for layer in layers], _crossings(layers, edges)
    for sweep in range(6):
        near, order = (before, layers) if sweep % 2 == 0 else (after, layers[::-1])
        for layer in order:
            place = {x: i - (len(other) - 1) / 2 for other in layers for i, x in enumerate(other)}
            means = {x: _mean([place[n] for n in near.get(x, [])], place[x]) for x in layer}
            layer.sort(key=means.__getitem__)
        crossings = _crossings(layers, edges)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, good in zip(layers, best, strict=True):
        layer[:] = good


def _crossings(layers: Sequence[Sequence[_Item]], edges: Sequence[tuple[_Item, _Item]]) -> int:
    place = {item: (c, i) for c, layer in enumerate(layers) for i, item in enumerate(layer)}
    ends = [(*place[a], place[b][1]) for a, b in edges]
    return sum(
        1
        for i, (column, a, b) in enumerate(ends)
        for other, c, d in ends[i + 1 :]
        if other == column and (a - c) * (b - d) < 0
    )


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _placed(layers: Sequence[Sequence[_Item]], links: Sequence[tuple[str, str]]) -> Plan:
    tall = [sum(_height(x) + GAP_Y for x in layer) - GAP_Y for layer in layers]
    height = 2 * EDGE + max(tall, default=0.0)
    places: dict[_Item, Place] = {}
    for column, layer in enumerate(layers):
        y = (height - tall[column]) / 2
        for item in layer:
            places[item] = (EDGE + column * (WIDTH + GAP_X), y)
            y += _height(item) + GAP_Y
    width = 2 * EDGE + len(layers) * WIDTH + max(0, len(layers) - 1) * GAP_X
    nodes = {item: place for item, place in places.items() if isinstance(item, str)}
    return Plan(nodes, _wires(places, nodes, links), float(width), height)


def _wires(
    places: Mapping[_Item, Place], nodes: Mapping[str, Place], links: Sequence[tuple[str, str]]
) -> tuple[Wire, ...]:
    columns = {x: round((place[0] - EDGE) / (WIDTH + GAP_X)) for x, place in nodes.items()}
    paths: dict[tuple[str, str], list[Place]] = {}
    for source, target in links:
        path = [(nodes[source][0] + WIDTH, nodes[source][1] + HEIGHT / 2 - 14)]
        for column in range(columns[source] + 1, columns[target]):
            x, y = places[_Lane(source, column)]
            path += [(x, y + LANE / 2), (x + WIDTH, y + LANE / 2)]
        paths[source, target] = path
    out = []
    for target in nodes:
        into = sorted((p for p in paths if p[1] == target), key=lambda p: paths[p][-1][1])
        x, y = nodes[target]
        for index, key in enumerate(into):
            spread = (index - (len(into) - 1) / 2) * min(14.0, 40 / len(into))
            end = (x, y + HEIGHT / 2 - 14 + spread)
            out.append(Wire(*key, (*paths[key], end)))
    return tuple(out)


def _height(item: _Item) -> float:
    return HEIGHT if isinstance(item, str) else LANE
