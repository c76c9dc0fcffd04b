"""``run --dry-run``: check, and say what would be done, without doing it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from backend.core.catalog import Catalog
from backend.core.graph import Graph
from backend.core.workspace import Workspace
from backend.engine.plan import Target, checked, wanted


def show(variants: Sequence[Graph], catalog: Catalog, target: Target, seeds: int) -> int:
    """Print the order of the nodes and how many runs it would be; 2 if there are problems."""
    problems = [p for graph in variants for p in checked(graph, catalog, target)[1]]
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        order = wanted(variants[0], target)
        print(f"{len(variants) * seeds} run(s) of: {' -> '.join(order)}")
    return 2 if problems else 0


def show_json(graph: Graph, catalog: Catalog, workspace: Workspace, device: str) -> int:
    """Print of each node whether its result is stored, and if not, why; and all problems."""
    from backend.engine.stale import standings

    nodes, problems = standings(graph, catalog, workspace, device=device)
    found = {
        "nodes": {name: standing.to_json() for name, standing in nodes.items()},
        "problems": [vars(problem) for problem in problems],
    }
    print(json.dumps(found))
    return 2 if problems else 0
