"""What can be done at a click about an error: read from the sentence that tells it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from backend.core.graph import Graph

_SET = re.compile(r"\bset (\w+) to (\d+)\b")


@dataclass(frozen=True)
class Remedy:
    """A change of one parameter; ``text`` is the button's."""

    text: str
    node: str
    param: str
    value: Any


def remedy_for(graph: Graph, node: str, error: str) -> Remedy | None:
    """Return the change that an error proposes, if the document still has what it is about."""
    match = _SET.search(error)
    if match is None or node not in graph.nodes:
        return None
    param, value = match[1], int(match[2])
    if graph.nodes[node].params.get(param) == value:
        return None
    return Remedy(f"Set {param} to {value}", node, param, value)
