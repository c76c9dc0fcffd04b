"""Layered layout of a directed graph: columns by longest path, few crossings, short links.

Pure functions on names and numbers; :mod:`studio.editor.arrange` applies them to a document.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Size = tuple[float, float]
Place = tuple[float, float]

COLUMN_GAP = 72.0
"""Room between columns, so that links have somewhere to turn; pixels of the scene."""
ROW_GAP = 40.0
_SWEEPS = 8
_MOST_WAYPOINTS = 4_000
_GRID = 8.0  # places are snapped later; columns keep their gap then
_LANE = 8.0  # height of a place that only a link passes through


@dataclass
class Plan:
    """What is laid out: columns of names, who is linked to whom, and heights.

    A link over several columns passes waypoints, which are names too: ``(source, column)``.
    """

    columns: list[list[str]] = field(default_factory=list)
    before: dict[str, list[str]] = field(default_factory=dict)
    after: dict[str, list[str]] = field(default_factory=dict)
    size: dict[str, Size] = field(default_factory=dict)
    on_top: set[str] = field(default_factory=set)


def longest_paths(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return the column of each node: one more than that of the last node it needs.

    Links that close a circle do not count, so any document can be laid out.
    """
    targets: dict[str, list[str]] = {name: [] for name in names}
    waits: dict[str, int] = dict.fromkeys(names, 0)
    for source, target in edges:
        targets[source].append(target)
        waits[target] += 1
    column = dict.fromkeys(names, 0)
    left = dict.fromkeys(names)
    ready = [name for name in names if not waits[name]]
    while left:
        if not ready:  # a circle: begin with its first node
            ready = [next(iter(left))]
        name = ready.pop(0)
        if name not in left:
            continue
        del left[name]
        for target in targets[name]:
            if target in left:
                column[target] = max(column[target], column[name] + 1)
                waits[target] -= 1
                if waits[target] == 0:
                    ready.append(target)
    return column


def plan(
    names: Sequence[str],
    edges: Sequence[tuple[str, str]],
    size: Callable[[str], Size],
    on_top: set[str],
) -> Plan:
    """Sort nodes into columns and give long links their waypoints, one chain a source."""
    column = longest_paths(names, edges)
    made = Plan(
        columns=[[] for _ in range(max(column.values(), default=-1) + 1)],
        size={name: size(name) for name in names},
        on_top=set(on_top),
    )
    for name in sorted(names, key=lambda name: name not in on_top):
        made.columns[column[name]].append(name)
        made.before[name], made.after[name] = [], []
    forward = [(s, t) for s, t in edges if column[t] > column[s]]
    furthest: dict[str, int] = {}
    for source, target in forward:
        furthest[source] = max(furthest.get(source, 0), column[target])
    room = sum(last - column[source] - 1 for source, last in furthest.items())
    chains = _chains(made, furthest, column) if room <= _MOST_WAYPOINTS else {}
    for source, target in forward:
        chain = chains.get(source, {})
        _join(made, chain.get(column[target] - 1, source), target)
    return made


def _chains(
    made: Plan, furthest: Mapping[str, int], column: Mapping[str, int]
) -> dict[str, dict[int, str]]:
    chains: dict[str, dict[int, str]] = {}
    for source, last in furthest.items():
        previous = source
        for at in range(column[source] + 1, last):
            waypoint = f"{source} > {at}"  # no node can be called so
            chains.setdefault(source, {})[at] = waypoint
            made.columns[at].append(waypoint)
            made.before[waypoint], made.after[waypoint] = [], []
            made.size[waypoint] = (0.0, _LANE)
            if source in made.on_top:
                made.on_top.add(waypoint)
            _join(made, previous, waypoint)
            previous = waypoint
    return chains


def _join(made: Plan, source: str, target: str) -> None:
    made.after[source].append(target)
    made.before[target].append(source)


def uncross(made: Plan) -> None:
    """Order each column by the mean place of its neighbours; the order with fewest crossings wins.

    Sorting is stable: what has no reason to move stays where the document has it.
    """
    best, fewest = [list(c) for c in made.columns], crossings(made)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        order = range(1, len(made.columns)) if down else range(len(made.columns) - 2, -1, -1)
        for index in order:
            beside = made.columns[index - 1 if down else index + 1]
            place = {name: float(n) for n, name in enumerate(beside)}
            near = made.before if down else made.after
            _sort_column(made, index, near, place)
        now = crossings(made)
        if now < fewest:
            best, fewest = [list(c) for c in made.columns], now
    made.columns = best


def _sort_column(
    made: Plan, index: int, near: Mapping[str, list[str]], place: Mapping[str, float]
) -> None:
    column = made.columns[index]

    def wish(entry: tuple[int, str]) -> tuple[bool, float]:
        at, name = entry
        found = [place[x] for x in near[name] if x in place and x not in made.on_top]
        return name not in made.on_top, sum(found) / len(found) if found else float(at)

    made.columns[index] = [name for _, name in sorted(enumerate(column), key=wish)]


def crossings(made: Plan) -> int:
    """Count pairs of links between neighbouring columns that cross.

    Links from what lies on top do not count: they pass over the heads of the cards.
    """
    total = 0
    for left, right in zip(made.columns, made.columns[1:], strict=False):
        place = {name: n for n, name in enumerate(right)}
        seen: list[int] = []
        for name in left:
            if name in made.on_top:
                continue
            ends = sorted(place[t] for t in made.after[name] if t in place)
            total += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def heights(made: Plan) -> dict[str, float]:
    """Return the upper edge of each name: near the middle of its neighbours, in column order."""
    top: dict[str, float] = {}
    for column in made.columns:
        y = 0.0
        for name in column:
            top[name] = y
            y += made.size[name][1] + ROW_GAP
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        order = range(len(made.columns)) if down else range(len(made.columns) - 1, -1, -1)
        near = made.before if down else made.after
        for index in order:
            _settle(made, made.columns[index], near, top)
    _lower(made, top)
    return top


def _lower(made: Plan, top: dict[str, float]) -> None:
    """Bring what lies on top down to the rest, as far as every column has room."""
    rooms = []
    for column in made.columns:
        lying = [name for name in column if name in made.on_top]
        rest = [name for name in column if name not in made.on_top]
        if lying and rest:
            lowest = max(top[name] + made.size[name][1] for name in lying)
            rooms.append(min(top[name] for name in rest) - lowest - ROW_GAP)
    for name in made.on_top:
        top[name] += max(0.0, min(rooms, default=0.0))


def _settle(
    made: Plan, column: Sequence[str], near: Mapping[str, list[str]], top: dict[str, float]
) -> None:
    """Put a column's names as near to their wishes as order and gaps let them."""
    offset, wishes, offsets = 0.0, [], []
    for name in column:
        height = made.size[name][1]
        others = [x for x in near[name] if (x in made.on_top) == (name in made.on_top)]
        middles = [top[other] + made.size[other][1] / 2 for other in others]
        wish = sum(middles) / len(middles) - height / 2 if middles else top[name]
        wishes.append(wish - offset)
        offsets.append(offset)
        offset += height + ROW_GAP
    for name, y, gap in zip(column, isotonic(wishes), offsets, strict=True):
        top[name] = y + gap


def isotonic(wishes: Sequence[float]) -> list[float]:
    """Return the rising sequence nearest to ``wishes`` in least squares (pool adjacent)."""
    pools: list[tuple[float, int]] = []  # mean, count
    for wish in wishes:
        mean, count = wish, 1
        while pools and pools[-1][0] > mean:
            other, more = pools.pop()
            mean = (mean * count + other * more) / (count + more)
            count += more
        pools.append((mean, count))
    return [mean for mean, count in pools for _ in range(count)]


def place(made: Plan) -> dict[str, Place]:
    """Return the upper left corner of each real node, from (0, 0) to the right and down."""
    uncross(made)
    top = heights(made)
    places: dict[str, Place] = {}
    x = 0.0
    for column in made.columns:
        width = max((made.size[name][0] for name in column), default=0.0)
        for name in column:
            if made.size[name][0] > 0:
                places[name] = (x, top[name])
        x += math.ceil(width / _GRID) * _GRID + COLUMN_GAP
    highest = min((y for _, y in places.values()), default=0.0)
    return {name: (x, y - highest) for name, (x, y) in places.items()}
