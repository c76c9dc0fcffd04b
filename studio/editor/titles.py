"""What the history calls an edit: a verb and the thing, as a person would say it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from backend.core.graph import Graph
from backend.core.node import NodeSpec
from studio.differences import shown
from studio.fields import words as fields


def words(param: str, spec: NodeSpec | None = None) -> str:
    """Name a setting as the form does, within a sentence."""
    known = (spec.params.get("properties") or {}).get(param, {}) if spec else {}
    label = fields.label(param, str(known.get("title", ""))).strip() or param
    return label if label[:2].isupper() else label[:1].lower() + label[1:]


def kind(specs: Mapping[str, NodeSpec], type: str) -> str:
    """Name a kind of node as the palette shows it."""
    return specs[type].title if type in specs else type


def nodes(graph: Graph, specs: Mapping[str, NodeSpec], names: Sequence[str]) -> str:
    """Call one node by its kind, or by its name where several are of that kind; count several.

    Raises:
        DocumentError: there is no such node.
    """
    types = [graph.node(name).type for name in names]
    if len(names) != 1:
        return f"{len(names)} nodes"
    type = types[0]
    is_alone = sum(node.type == type for node in graph.nodes.values()) == 1
    return kind(specs, type) if is_alone else names[0]


def things(*parts: str, links: int = 0, notes: int = 0) -> str:
    """Name what an edit touches: nodes in words already, links and notes counted."""
    found = [part for part in parts if part]
    for count, word in ((links, "link"), (notes, "note")):
        if count:
            found.append(f"a {word}" if count == 1 else f"{count} {word}s")
    return " and ".join(found) or "nothing"


def removal(verb: str, what: str, links: Collection[object], notes: Collection[object]) -> str:
    """Name a removal; links that go with their node are not worth a word."""
    return f"{verb} {things(what, links=0 if what else len(links), notes=len(notes))}"


def setting(node: str, params: Mapping[str, Any], spec: NodeSpec | None = None) -> str:
    """Name a change of settings: the value of one, the names of several."""
    if len(params) == 1:
        ((param, value),) = params.items()
        return f"Set {node} {words(param, spec)} to {shown(value)}"
    return f"Set {node} {', '.join(words(param, spec) for param in params)}"


def naming(name: str) -> str:
    """Name the naming of a document."""
    return f"Name it {shown(name)}"
