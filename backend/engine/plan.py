"""From a document to what must be computed: order, sources and checked parameters."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from backend.core.catalog import Catalog
from backend.core.errors import DocumentError, ended
from backend.core.graph import Graph, GraphNode, Problem
from backend.core.node import REGISTRY, NodeSpec
from backend.engine.fingerprint import source_hash

Target = str | Sequence[str] | None
"""What to compute: one node, several, or all; always with what they need."""


@dataclass(frozen=True)
class Plan:
    """What a graph asks for, with everything looked up and checked."""

    seed: int
    order: list[str]
    types: dict[str, str]
    params: dict[str, Any]
    sources: dict[str, dict[str, list[tuple[str, str]]]]
    """For each node and input port: ``(node, output)`` of what is linked to it, in order."""


def make_plan(graph: Graph, catalog: Catalog, target: Target = None) -> Plan:
    """Check a graph and look up what it needs; imports only the modules that it names.

    Raises:
        DocumentError: lists every problem.
    """
    graph, problems = checked(graph, catalog, target)
    if problems:
        details = "\n".join(f"  {problem}" for problem in problems)
        count = f"{len(problems)} problem{'s' * (len(problems) > 1)}"
        raise DocumentError(f"The graph cannot run; it has {count}:\n{details}")
    order = [name for name in wanted(graph, target) if not graph.nodes[name].bypass]
    for name in order:
        source_hash(catalog.nodes[graph.nodes[name].type].module)
    return Plan(
        seed=graph.seed,
        order=order,
        types={name: graph.nodes[name].type for name in order},
        params={name: _validated(graph.nodes[name]) for name in order},
        sources={name: _sources(graph, name, catalog) for name in order},
    )


def wanted(graph: Graph, target: Target = None) -> list[str]:
    """Names of the nodes that ``target`` needs, in an order in which they can be computed.

    Raises:
        DocumentError: the links go round in a circle, or there is no node of that name.
    """
    if target is None or isinstance(target, str):
        return graph.order(target)
    order = graph.order()
    needed = set(target)
    for unknown in needed - set(graph.nodes):
        graph.order(unknown)  # says so
    for name in reversed(order):
        if name in needed:
            needed |= {link.source_node for link in graph.into(name)}
    return [name for name in order if name in needed]


def checked(graph: Graph, catalog: Catalog, target: Target = None) -> tuple[Graph, list[Problem]]:
    """Lift a graph to the installed versions and return it with everything that is wrong.

    With ``target``, problems of nodes that it does not need are left out.
    """
    graph = lifted(graph, catalog)
    specs = catalog.nodes
    problems = graph.problems(specs)
    if graph.circle():
        return graph, problems
    needed = set(wanted(graph, target))
    problems = [p for p in problems if not p.node or p.node in needed]
    named = {p.node for p in problems}
    broken = {b.module: b for b in catalog.broken}
    for name in sorted(needed - named):
        node = graph.nodes[name]
        importlib.import_module(specs[node.type].module)
        if node.bypass:
            problems += _bypass_problems(graph, name, specs[node.type])
            continue
        try:
            _validated(node)
        except DocumentError as error:
            problems.append(Problem(name, str(error)))
    if broken and any("is not installed" in p.text for p in problems):
        problems += [
            Problem("", f'The node file "{b.file}" failed at line {b.line}: {b.error}')
            for b in broken.values()
        ]
    return graph, problems


def lifted(graph: Graph, catalog: Catalog) -> Graph:
    """Return a copy with renamed kinds replaced and parameters of older versions migrated."""
    copy = Graph.from_json(graph.to_json())
    renamed = catalog.renamed()
    for name, node in copy.nodes.items():
        type = renamed.get(node.type, node.type)
        spec = catalog.nodes.get(type)
        params = node.params
        version = node.version
        if spec is not None and version is not None and version < spec.version:
            importlib.import_module(spec.module)
            migrate = REGISTRY[type].migrate
            params = migrate(dict(params), version) if migrate else params
        if spec is not None and (version is None or version < spec.version):
            version = spec.version
        copy.nodes[name] = GraphNode(type, params, version, node.bypass)
    return copy


def _validated(node: GraphNode) -> Any:
    definition = REGISTRY[node.type]
    try:
        return definition.params.model_validate(node.params)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        text = ended(first["msg"].removeprefix("Value error, "))
        raise DocumentError(f'Parameter "{name}": {text}' if name else text) from error


def _sources(graph: Graph, name: str, catalog: Catalog) -> dict[str, list[tuple[str, str]]]:
    sources: dict[str, list[tuple[str, str]]] = {}
    for link in graph.into(name):
        port = link.target.partition(".")[2]
        end = _behind_bypass(graph, link.source, catalog)
        sources.setdefault(port, []).append(end)
    return sources


def _behind_bypass(graph: Graph, source: str, catalog: Catalog) -> tuple[str, str]:
    """Follow an output of bypassed nodes back to the output that stands in for it."""
    node, _, port = source.partition(".")
    while graph.nodes[node].bypass:
        link = _stand_in(graph, node, port, catalog.nodes[graph.nodes[node].type])
        assert link is not None  # a bypass without a stand-in is a problem, told before
        node, _, port = link.partition(".")
    return node, port


def _stand_in(graph: Graph, node: str, output: str, spec: NodeSpec) -> str | None:
    given = spec.output(output)
    for port in spec.inputs:
        links = graph.into(f"{node}.{port.name}")
        if given is not None and links and set(port.accepts) & set(given.accepts):
            return links[0].source
    return None


def _bypass_problems(graph: Graph, name: str, spec: NodeSpec) -> list[Problem]:
    used = {x.source.partition(".")[2] for x in graph.links if x.source_node == name}
    return [
        Problem(name, f'It is bypassed, but no input can stand in for its output "{port}".')
        for port in sorted(used)
        if _stand_in(graph, name, port, spec) is None
    ]
