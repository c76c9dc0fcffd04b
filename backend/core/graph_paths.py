"""Files and folders that the parameters of a graph name."""

from __future__ import annotations

import os

from backend.core.graph import Graph, Specs


def make_paths_absolute(graph: Graph, specs: Specs) -> None:
    """Write paths in full: a run may be resumed from another folder than it was started from."""
    for name, node in list(graph.nodes.items()):
        spec = specs.get(node.type)
        for param, value in node.params.items() if spec else ():
            field = spec.params.get("properties", {}).get(param, {}) if spec else {}
            formats = [option.get("format", "") for option in (field, *field.get("anyOf", []))]
            if isinstance(value, str) and any("path" in format for format in formats):
                graph.set(name, **{param: os.path.abspath(os.path.expanduser(value))})
