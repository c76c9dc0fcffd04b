"""Connections between ports, kept in order and found by the node that they touch."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


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


class Links:
    """All links of a document; questions about one node cost no walk over the others.

    ``all`` is the order of the file, which is also that of several links into one port.
    """

    def __init__(self, links: Iterable[Link] = ()) -> None:
        self.all: list[Link] = list(links)
        self._into: dict[str, list[Link]] | None = None
        self._from: dict[str, list[Link]] = {}
        self._counted = 0
        self._asked: tuple[str, set[str]] | None = None

    def insert(self, link: Link, position: int | None = None) -> None:
        """Put ``link`` at ``position`` of the order, by default last."""
        last = position is None or position >= len(self.all)
        into, outof = self._index()
        self.all.insert(len(self.all) if last or position is None else position, link)
        self._counted += 1
        self._asked = None
        others = into.setdefault(link.target_node, [])
        others.append(link)
        outof.setdefault(link.source_node, []).append(link)
        if len(others) > 1 and not last:
            name = link.target_node
            into[name] = [x for x in self.all if x.target_node == name]

    def remove(self, links: Collection[Link]) -> None:
        """Take ``links`` out, all in one walk over the list."""
        gone = set(links)
        into, outof = self._index()
        self.all[:] = [x for x in self.all if x not in gone]
        self._counted, self._asked = len(self.all), None
        for name in {x.target_node for x in gone}:
            into[name] = [x for x in into.get(name, ()) if x not in gone]
        for name in {x.source_node for x in gone}:
            outof[name] = [x for x in outof.get(name, ()) if x not in gone]

    def into(self, name: str) -> list[Link]:
        """Links into a node, in order."""
        return self._index()[0].get(name, [])

    def out_of(self, name: str) -> list[Link]:
        """Links out of a node, in no order that means anything."""
        return self._index()[1].get(name, [])

    def reaches(self, start: str, goal: str) -> bool:
        """Tell whether ``goal`` needs ``start``, over any number of links."""
        if start == goal:
            return True
        # Most links lead into a node that nothing hangs on yet, or out of one without inputs.
        if not self.out_of(start) or not self.into(goal):
            return False
        return start in self._needs(goal)

    def _needs(self, goal: str) -> set[str]:
        """Return everything that ``goal`` needs; kept, as a dragged link asks for each port."""
        if self._asked is None or self._asked[0] != goal:
            seen, waiting = {goal}, [goal]
            while waiting:
                for link in self.into(waiting.pop()):
                    if link.source_node not in seen:
                        seen.add(link.source_node)
                        waiting.append(link.source_node)
            self._asked = goal, seen
        return self._asked[1]

    def _index(self) -> tuple[dict[str, list[Link]], dict[str, list[Link]]]:
        # Counted, since the list is handed out and a program may have put links into it.
        if self._into is None or self._counted != len(self.all):
            self._into, self._from, self._asked = {}, {}, None
            for link in self.all:
                self._into.setdefault(link.target_node, []).append(link)
                self._from.setdefault(link.source_node, []).append(link)
            self._counted = len(self.all)
        return self._into, self._from
