"""What earlier runs measured of a node: a time that was taken, never one that was guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend.core.errors import FretsawError
from backend.core.graph import GraphNode
from backend.core.run import Run
from backend.core.workspace import Workspace
from studio.run_names import newest_of

MOST_RUNS = 12


@dataclass(frozen=True)
class Measured:
    """How long a node took in ``run``, in seconds; ``differs`` says which settings it had there."""

    seconds: float
    run: str
    differs: dict[str, Any]


class EarlierRuns:
    """Looks a node up in the newest runs; what a finished run says is read once."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._known: dict[str, tuple[dict[str, Any], dict[str, GraphNode]] | None] = {}
        self._order: list[Run] = []

    def refresh(self, graph_name: str) -> None:
        """Look again which runs of graphs of this name there are."""
        names = newest_of(self._workspace, graph_name)[:MOST_RUNS]
        self._order = [Run(self._workspace.runs / name) for name in names]
        for name, entry in list(self._known.items()):
            if entry is None:  # it had no result yet
                del self._known[name]

    def find(self, name: str, node: GraphNode) -> Measured | None:
        """Return the newest time of this node that was not taken from the store.

        One with the same settings is preferred to a newer one with others.
        """
        other: Measured | None = None
        for run in self._order:
            entry = self._read(run)
            if entry is None:
                continue
            figures, nodes = entry
            there, told = nodes.get(name), figures.get(name)
            if there is None or there.type != node.type or not isinstance(told, dict):
                continue
            seconds = told.get("seconds")
            if told.get("cached") or not isinstance(seconds, int | float):
                continue
            differs = {
                key: there.params.get(key)
                for key in {**there.params, **node.params}
                if there.params.get(key) != node.params.get(key)
            }
            found = Measured(float(seconds), run.name, differs)
            if not differs:
                return found
            other = other or found
        return other

    def _read(self, run: Run) -> tuple[dict[str, Any], dict[str, GraphNode]] | None:
        if run.name not in self._known:
            result = run.result
            nodes = result.get("nodes")
            try:
                graph = run.graph() if isinstance(nodes, dict) else None
            except (FretsawError, OSError):
                graph = None
            self._known[run.name] = (dict(nodes or {}), dict(graph.nodes)) if graph else None
        return self._known[run.name]
