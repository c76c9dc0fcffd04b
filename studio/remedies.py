"""What can be done at a click about an error: read from the sentence that tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backend.core.graph import Graph, Specs
from backend.core.schema import defaults

MOST = 3
_SET = re.compile(r"\bset (\w+) to (\d+)\b")
_DOWNLOAD = "allow the download"
_SMALLER = ("batch", "batch_size", "size", "image_size", "width", "samples", "limit")
"""Parameters that take less memory when they are halved, the ones that cost least first."""


@dataclass(frozen=True)
class Remedy:
    """A change of one parameter; ``text`` is the button's."""

    text: str
    node: str
    param: str
    value: Any


def remedy_for(graph: Graph, specs: Specs, node: str, error: str) -> Remedy | None:
    """Return the change that an error proposes, if the document still has what it is about."""
    if node not in graph.nodes:
        return None
    return next(_named(graph, specs, node, error), None)


def remedies_for(graph: Graph, specs: Specs, node: str, error: str) -> list[Remedy]:
    """Return up to three changes: those that the error names, then what else takes less memory.

    For want of memory, the nodes that feed the failed one count, too: a smaller network or picture
    is set where it is made.
    """
    if node not in graph.nodes:
        return []
    found = list(_named(graph, specs, node, error))
    if "out of memory" in error.lower() and not graph.circle():
        taken = {(remedy.node, remedy.param) for remedy in found}
        found += [r for r in _smaller(graph, specs, node) if (r.node, r.param) not in taken]
    return found[:MOST]


def _named(graph: Graph, specs: Specs, node: str, error: str) -> Iterator[Remedy]:
    params = graph.nodes[node].params
    for param, value in _SET.findall(error):
        if params.get(param) != int(value):
            yield Remedy(f"Set {param} to {value}", node, param, int(value))
    if _DOWNLOAD in error.lower() and not params.get("download"):
        spec = specs.get(graph.nodes[node].type)
        if spec is not None and "download" in spec.params.get("properties", {}):
            yield Remedy("Allow the download", node, "download", True)


def _smaller(graph: Graph, specs: Specs, node: str) -> Iterator[Remedy]:
    names = [node, *(name for name in reversed(graph.order(node)) if name != node)]
    for param in _SMALLER:
        for name in names:
            spec = specs.get(graph.nodes[name].type)
            field = spec.params.get("properties", {}).get(param) if spec is not None else None
            if spec is None or field is None or (param.startswith("batch") and name != node):
                continue
            value = {**defaults(spec.params), **graph.nodes[name].params}.get(param)
            least = max(1, int(field.get("minimum", 1)))
            if isinstance(value, int) and not isinstance(value, bool) and value // 2 >= least:
                where = "" if name == node else f" of {spec.title}"
                yield Remedy(f"Set {param}{where} to {value // 2}", name, param, value // 2)
