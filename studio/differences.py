"""What changed from one document to another, in lines to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.core.graph import Graph, Link

_MISSING = object()


def is_same(one: Graph, two: Graph) -> bool:
    """Tell whether two documents mean and say the same; places on the canvas do not matter."""
    return _content(one) == _content(two)


def differences(before: Graph, after: Graph) -> list[str]:
    """Return a line for each thing that ``after`` adds to, takes from or sets in ``before``."""
    lines = []
    if before.name != after.name:
        lines.append(f'The name is "{after.name}", not "{before.name}".')
    if before.seed != after.seed:
        lines.append(f"The seed is {after.seed}, not {before.seed}.")
    for name, node in after.nodes.items():
        old = before.nodes.get(name)
        if old is None or old.type != node.type:
            lines.append(f"Added {name} ({node.type}).")
            continue
        lines += _settings(name, old.params, node.params)
        if old.bypass != node.bypass:
            lines.append(f"{name} is bypassed." if node.bypass else f"{name} runs again.")
    lines += [
        f"Removed {name} ({node.type})."
        for name, node in before.nodes.items()
        if name not in after.nodes or after.nodes[name].type != node.type
    ]
    lines += [f"Linked {_shown(link)}." for link in _without(after.links, before.links)]
    lines += [f"Unlinked {_shown(link)}." for link in _without(before.links, after.links)]
    if _notes(before) != _notes(after):
        lines.append(f"Notes and frames: {len(after.notes)}, were {len(before.notes)}.")
    return lines


def shown(value: Any) -> str:
    """Write a setting as a person would, in at most 32 signs."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        text = ", ".join(shown(entry) for entry in value)
    elif isinstance(value, float):
        text = f"{value:.6g}"
    else:
        text = " ".join(str(value).split())
    return text if 0 < len(text) <= 32 else f"{text[:31]}…" if text else "nothing"


def _settings(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    lines = []
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key, _MISSING), after.get(key, _MISSING)
        if new is _MISSING:
            lines.append(f"{name}: {key} has its default again, was {shown(old)}.")
        elif old is _MISSING:
            lines.append(f"{name}: {key} is {shown(new)}.")
        elif old != new:
            lines.append(f"{name}: {key} is {shown(new)}, was {shown(old)}.")
    return lines


def _without(links: list[Link], others: list[Link]) -> list[Link]:
    known = set(others)
    return [link for link in links if link not in known]


def _shown(link: Link) -> str:
    return f"{link.source} to {link.target}"


def _content(graph: Graph) -> tuple[Any, ...]:
    return graph.name, graph.seed, graph.nodes, graph.links, _notes(graph), graph.metadata


def _notes(graph: Graph) -> list[dict[str, Any]]:
    places = ("x", "y", "width", "height")
    return [{k: v for k, v in note.items() if k not in places} for note in graph.notes]
