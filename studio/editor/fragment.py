"""Parts of documents as JSON: what is copied, pasted, duplicated. Foreign text is checked here."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from backend.core import graph_file
from backend.core.errors import DocumentError
from backend.core.graph import Graph, GraphNode, Link
from backend.core.names import check_name
from studio.editor.commands import AddLinks, AddNode, Step
from studio.editor.notes import numbered

FORMAT = "fretsaw.fragment"
MOST_BYTES = 8_000_000
MOST_NODES = 5_000
STEP = 24.0
"""How far a duplicate lies from what it was made of, in canvas units."""

Fragment = dict[str, Any]


def taken(graph: Graph, nodes: Collection[str], notes: Collection[str] = ()) -> Fragment:
    """Return nodes with the links among them, those from outside into them, and notes."""
    chosen = set(nodes)
    part = Graph(graph.name)
    part.nodes = {name: node for name, node in graph.nodes.items() if name in chosen}
    part.layout = {name: at for name, at in graph.layout.items() if name in chosen}
    into = [link for link in graph.links if link.target_node in chosen]
    part.links = [link for link in into if link.source_node in chosen]
    part.notes = [note for note in graph.notes if note.get("id") in set(notes)]
    data = graph_file.encode(part)
    data["format"] = FORMAT
    data["outside"] = [[x.source, x.target] for x in into if x.source_node not in chosen]
    return data


def parsed(text: str) -> Fragment:
    """Read what was copied here, in another window, or a whole document.

    Raises:
        DocumentError: it is something else, too large, damaged, or of a newer version.
    """
    if len(text) > MOST_BYTES:
        raise DocumentError("The clipboard holds too much to be nodes.", "Copy fewer nodes.")
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _foreign() from error
    if not isinstance(data, dict) or data.get("format") not in (FORMAT, graph_file.FORMAT):
        raise _foreign()
    return checked(data)


def checked(given: Mapping[str, Any]) -> Fragment:
    """Return a fragment of which every part has the right form.

    Raises:
        DocumentError: it is damaged, too large, or of a newer version.
    """
    try:
        data: Fragment = copy.deepcopy(dict(given))
    except RecursionError as error:
        raise _foreign() from error
    outside = data.pop("outside", [])
    graph = Graph.from_json({**data, "format": graph_file.FORMAT}, "What was copied")
    if len(graph.nodes) > MOST_NODES:
        raise DocumentError(f"At most {MOST_NODES} nodes can be pasted at once.")
    ends = {end for x in graph.links for end in (x.source_node, x.target_node)}
    if graph.circle() or ends - graph.nodes.keys():
        raise DocumentError("What was copied is damaged: its links lead nowhere.", "Copy it again.")
    pairs = isinstance(outside, list) and all(isinstance(x, list) and len(x) == 2 for x in outside)
    if not pairs:
        raise DocumentError("What was copied is damaged: its links lead nowhere.", "Copy it again.")
    return {**graph.to_json(), "format": FORMAT, "outside": [[str(a), str(b)] for a, b in outside]}


class Placed:
    """A fragment with the names and places that it gets in a document."""

    def __init__(
        self, graph: Graph, fragment: Mapping[str, Any], at: tuple[float, float] | None
    ) -> None:
        data = checked(fragment)
        part = Graph.from_json({**data, "format": graph_file.FORMAT}, "What was copied")
        self.names = _names(graph, list(part.nodes))
        dx, dy = _shift(part, at)
        self.nodes: list[tuple[str, GraphNode, dict[str, float]]] = []
        for index, (name, node) in enumerate(part.nodes.items()):
            place = part.layout.get(name) or {"x": 0.0, "y": STEP * index}
            moved = {**place, "x": float(place["x"]) + dx, "y": float(place["y"]) + dy}
            self.nodes.append((self.names[name], node, moved))
        self.links = [Link(self._end(x.source), self._end(x.target)) for x in part.links]
        self.outside = [Link(a, self._end(b)) for a, b in data["outside"]]
        self.notes = [
            {**note, "x": float(note["x"]) + dx, "y": float(note["y"]) + dy}
            for note in numbered(part.notes)
        ]

    def steps(self, graph: Graph) -> list[Step]:
        """Plan the nodes and the links among them."""
        first = len(graph.nodes)
        steps: list[Step] = [
            AddNode(name, node, place, first + index)
            for index, (name, node, place) in enumerate(self.nodes)
        ]
        return [*steps, AddLinks.last(graph, self.links)] if self.links else steps

    def _end(self, end: str) -> str:
        name, dot, port = end.partition(".")
        return f"{self.names.get(name, name)}{dot}{port}"


def free_name(wanted: str, lowered: Collection[str]) -> str:
    """Return ``wanted``, or with the next free number; ``lowered`` are names in lower case."""
    if wanted.lower() not in lowered:
        return wanted
    stem = re.sub(r"\d+$", "", wanted).rstrip("-_") or wanted
    number = 2
    while f"{stem}{number}".lower() in lowered:
        number += 1
    name = f"{stem}{number}"
    return name if len(name) <= 64 else free_name(stem[: 60 - len(str(number))], lowered)


def _names(graph: Graph, wanted: list[str]) -> dict[str, str]:
    lowered = {name.lower() for name in graph.nodes}
    names = {}
    for name in wanted:
        names[name] = free_name(name, lowered)
        check_name(names[name])
        lowered.add(names[name].lower())
    return names


def _shift(part: Graph, at: tuple[float, float] | None) -> tuple[float, float]:
    if at is None:
        return STEP, STEP
    if not all(math.isfinite(value) for value in at):
        raise DocumentError(f"{at} is no place on the canvas.")
    places = [*part.layout.values(), *part.notes]
    left = min((float(place["x"]) for place in places), default=0.0)
    top = min((float(place["y"]) for place in places), default=0.0)
    return float(at[0]) - left, float(at[1]) - top


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _foreign() -> DocumentError:
    return DocumentError("The clipboard holds no nodes.", "Copy some nodes first.")
