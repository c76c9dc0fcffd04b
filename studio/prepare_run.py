"""From the document on the canvas to a run directory that the command line can compute."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from backend.core.errors import DocumentError, nearest
from backend.core.graph import Graph, Problem, Specs
from backend.core.graph_paths import make_paths_absolute
from backend.core.run import Run
from backend.core.workspace import Workspace

MOST_RUNS = 1_000
Sweep = Mapping[str, Sequence[Any]]


def make_runs(
    graph: Graph,
    specs: Specs,
    workspace: Workspace,
    *,
    target: str | None = None,
    only: Iterable[str] | None = None,
    force: Iterable[str] = (),
    seed: int | None = None,
    device: str = "cpu",
    threads: int | None = None,
    sweep: Sweep | None = None,
) -> list[Run]:
    """Check a document and write a run directory; with ``sweep``, one for each combination.

    Args:
        target: compute what this node needs, and it.
        only: compute what these nodes need, and them.
        sweep: values by ``node.param``.

    Raises:
        DocumentError: the document cannot run; no directory was made.
    """
    wanted = list(dict.fromkeys([*([target] if target else []), *(only or ())]))
    made = []
    for variant, named in _variants(graph, sweep or {}):
        copy = Graph.from_json(variant.to_json())
        copy.seed = copy.seed if seed is None else seed
        _check(copy, specs, [*wanted, *force], wanted)
        make_paths_absolute(copy, specs)
        made.append((copy, named))
    settings = {
        "device": device,
        "threads": threads if threads is not None else max(1, (os.cpu_count() or 2) - 1),
        "target": None if not wanted else wanted[0] if len(wanted) == 1 else wanted,
        "force": list(force) or None,
        "sweep": f"{graph.name} {datetime.now():%Y-%m-%d %H:%M:%S}" if len(made) > 1 else None,
    }
    kept = {key: value for key, value in settings.items() if value is not None}
    return [
        Run.create(copy, workspace, settings=kept | ({"set": named} if named else {}))
        for copy, named in made
    ]


def needed(graph: Graph, wanted: Sequence[str]) -> set[str]:
    """Names of the nodes that are computed for ``wanted``; all of them when it is empty.

    Raises:
        DocumentError: the links go round in a circle, or there is no such node.
    """
    if not wanted:
        return set(graph.order())
    return {name for one in wanted for name in graph.order(one)}


def _variants(graph: Graph, sweep: Sweep) -> list[tuple[Graph, dict[str, Any]]]:
    count = 1
    for values in sweep.values():
        count *= len(values)
    if not 0 < count <= MOST_RUNS:
        raise DocumentError(
            f"This sweep would be {count:,} runs.", f"Choose values for 1 to {MOST_RUNS:,} runs."
        )
    found = []
    for chosen in itertools.product(*sweep.values()):
        named = dict(zip(sweep, chosen, strict=True))
        copy = Graph.from_json(graph.to_json())
        for end, value in named.items():
            node, _, param = end.partition(".")
            copy.set(node, **{param: value})
        found.append((copy, named))
    return found


def _check(graph: Graph, specs: Specs, named: Sequence[str], wanted: Sequence[str]) -> None:
    for name in named:
        if name not in graph.nodes:
            raise DocumentError(f'There is no node "{name}".', nearest(name, graph.nodes))
    if not graph.nodes:
        raise DocumentError("There is nothing to run yet.", "Put a node on the canvas first.")
    among = set(graph.nodes) if graph.circle() else needed(graph, wanted)
    problems = [
        problem
        for problem in _renewed(graph, specs).problems(specs)
        if problem.severity == "error" and (not problem.node or problem.node in among)
        if not _is_liftable(problem, graph, specs)
    ]
    if problems:
        first = problems[0]
        more = f" There are {len(problems) - 1} more problems." if len(problems) > 1 else ""
        raise DocumentError(f"This cannot run yet. {first}{more}", details=_listed(problems))


def _renewed(graph: Graph, specs: Specs) -> Graph:
    """Return a copy in which kinds that were renamed have their present names."""
    renamed = {old: spec.id for spec in specs.values() for old in spec.replaces}
    if not any(node.type in renamed for node in graph.nodes.values()):
        return graph
    copy = Graph.from_json(graph.to_json())
    for name, node in copy.nodes.items():
        copy.nodes[name] = replace(node, type=renamed.get(node.type, node.type))
    return copy


def _is_liftable(problem: Problem, graph: Graph, specs: Specs) -> bool:
    """Whether it is about parameters of an older version: the command line lifts them first."""
    node = graph.nodes.get(problem.node)
    spec = specs.get(node.type) if node else None
    if node is None or spec is None or node.version is None or node.version >= spec.version:
        return False
    is_param = problem.where in {*spec.params.get("properties", {}), *node.params}
    return is_param and problem.where not in {port.name for port in spec.inputs}


def _listed(problems: Sequence[Problem]) -> str:
    return "\n".join(str(problem) for problem in problems)
