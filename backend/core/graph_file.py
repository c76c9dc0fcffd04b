"""The file format of a document: ``schema_version``, meaning first, layout apart from it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.core.errors import DocumentError
from backend.core.files import write_atomic

if TYPE_CHECKING:
    from backend.core.graph import Graph

FORMAT = "fretsaw.graph"
SCHEMA_VERSION = 1
_FARTHEST = 1e9
_DEEPEST = 64
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""``MIGRATIONS[n]`` lifts the JSON of schema version n to n + 1."""


def encode(graph: Graph) -> dict[str, Any]:
    """Return the document as JSON data."""
    nodes: dict[str, Any] = {}
    for name, node in graph.nodes.items():
        entry: dict[str, Any] = {"type": node.type, "params": node.params}
        if node.version is not None:
            entry["version"] = node.version
        if node.bypass:
            entry["bypass"] = True
        nodes[name] = entry
    document = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "name": graph.name,
        "seed": graph.seed,
        "nodes": nodes,
        "links": [[link.source, link.target] for link in graph.links],
        "metadata": graph.metadata,
        "layout": {
            # In the order of the nodes, so that taking an edit back gives the same file.
            "nodes": {name: graph.layout[name] for name in graph.nodes if name in graph.layout},
            "notes": graph.notes,
        },
    }
    # A snapshot: later edits of the graph must not reach into it, nor the other way round.
    return copy.deepcopy(document)


def decode(graph: Graph, data: dict[str, Any], where: str) -> None:
    """Fill an empty graph from JSON data.

    Raises:
        DocumentError: the data is no graph, is damaged, or is from a newer version.
    """
    from backend.core.graph import GraphNode
    from backend.core.links import Link

    if _depth_above(data, _DEEPEST):
        raise DocumentError(
            f"{where} is damaged: a part of it is nested too deep.", "Open an older copy of it."
        )
    data = copy.deepcopy(_migrated(data, where))
    part = "its head"
    try:
        graph.name = str(data.get("name", "untitled"))
        graph.seed = int(data.get("seed", 0))
        part = "its list of nodes"
        for name, entry in data["nodes"].items():
            graph.check_new(name)
            part = f'its node "{name}"'
            graph.nodes[name] = GraphNode(
                str(entry["type"]),
                dict(entry.get("params", {})),
                int(entry["version"]) if "version" in entry else None,
                bool(entry.get("bypass", False)),
            )
        part = "its list of links"
        graph.links = [Link(str(source), str(target)) for source, target in data["links"]]
        part = "its layout"
        layout = data.get("layout", {})
        graph.layout = {k: v for k, v in layout.get("nodes", {}).items() if k in graph.nodes}
        _check_places(graph.layout.values())
        part = "one of its notes"
        graph.notes = list(layout.get("notes", []))
        _check_places(graph.notes)
        part = "its metadata"
        graph.metadata = dict(data.get("metadata", {}))
    except DocumentError as error:
        raise DocumentError(f"{where} cannot be opened: {error.message}", error.remedy) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DocumentError(
            f"{where} is damaged: {_what(error, part)}.", "Open an older copy of it.", repr(error)
        ) from error


def read(path: Path) -> dict[str, Any]:
    """Read the JSON of a document.

    Raises:
        DocumentError: missing, unreadable, no JSON, truncated.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows editors write a mark first
    except FileNotFoundError as error:
        raise DocumentError(f'There is no file "{path}".', "Check the path.") from error
    except UnicodeDecodeError as error:
        raise DocumentError(
            f'"{path}" is no pipeline: it is not a text file.',
            "Pipelines are .json files; to look into a model file use: python -m backend inspect.",
        ) from error
    except OSError as error:
        raise DocumentError(f'"{path}" cannot be read: {error.strerror}.') from error
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        hint = "Open an older copy of it."
        what = "is empty" if not text.strip() else "is truncated or is no JSON"
        raise DocumentError(f'"{path}" {what}.', hint, str(error)) from error
    if not isinstance(data, dict):
        raise DocumentError(f'"{path}" is no pipeline.', f'It should say "format": "{FORMAT}".')
    return data


def write(path: Path, data: dict[str, Any]) -> None:
    """Write a document's JSON; the previous file stays whole if this fails."""
    write_atomic(path, as_text(data, indent=2) + "\n")


def as_text(data: Any, indent: int | None = None) -> str:
    """Return ``data`` as JSON text that any file can hold, in plain letters where it can be."""
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, such as a damaged file may hold
        return json.dumps(data, indent=indent)
    return text


def _migrated(data: dict[str, Any], where: str) -> dict[str, Any]:
    if data.get("format") != FORMAT:
        raise DocumentError(f"{where} is no pipeline.", f'It should say "format": "{FORMAT}".')
    version = data.get("schema_version")
    if not isinstance(version, int) or version < 1:
        raise DocumentError(f"{where} does not say which schema version it has.")
    if version > SCHEMA_VERSION:
        raise DocumentError(
            f"{where} was made by a newer Fretsaw (schema {version}; this one reads up to "
            f"{SCHEMA_VERSION}).",
            "Update Fretsaw; the file was not changed.",
        )
    while version < SCHEMA_VERSION:
        data = MIGRATIONS[version](data)
        version += 1
    return data


def _check_places(places: Iterable[dict[str, Any]]) -> None:
    """Refuse places that no canvas can show; one is a mapping whose x and y are finite."""
    for place in places:
        for value in (place["x"], place["y"], place.get("width", 0), place.get("height", 0)):
            if not isinstance(value, int | float) or not abs(value) < _FARTHEST:
                raise ValueError(f"{value!r} is no place on a canvas")


def _depth_above(data: Any, most: int) -> bool:
    """Whether lists and mappings lie in each other more than ``most`` times."""
    level = [data]
    for _ in range(most):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _what(error: Exception, part: str) -> str:
    if isinstance(error, KeyError):
        lacking = "it" if part in ("its head", "its list of nodes", "its list of links") else part
        return f"{lacking} has no {error.args[0]!r}"
    return f"{part} has the wrong form"
