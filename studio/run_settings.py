"""What two runs were given differently."""

from __future__ import annotations

from typing import Any

from backend.core.graph import Graph, Specs
from backend.core.run import Run

Difference = tuple[str, Any, Any]
_OF_THE_RUN = ("device", "threads", "target", "force", "every")


def difference(a: Run, b: Run, specs: Specs) -> list[Difference]:
    """Return ``(node.param, value in a, value in b)`` for all that differs; defaults count.

    Raises:
        DocumentError: one of the documents cannot be read.
    """
    mine, others = _given(a.graph(), specs), _given(b.graph(), specs)
    settings = (a.settings, b.settings)
    for name in _OF_THE_RUN:
        mine[name], others[name] = (given.get(name) for given in settings)
    names = dict.fromkeys([*mine, *others])
    return [
        (name, mine.get(name), others.get(name))
        for name in names
        if mine.get(name) != others.get(name)
    ]


def _given(graph: Graph, specs: Specs) -> dict[str, Any]:
    given: dict[str, Any] = {"seed": graph.seed}
    for name, node in graph.nodes.items():
        given[name] = f"{node.type} (bypassed)" if node.bypass else node.type
        spec = specs.get(node.type)
        fields = spec.params.get("properties", {}) if spec is not None else {}
        for param, field in fields.items():
            if "default" in field:
                given[f"{name}.{param}"] = field["default"]
        for param, value in node.params.items():
            given[f"{name}.{param}"] = value
    return given
