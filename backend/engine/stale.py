"""Says of each node of a document whether its result is stored, and if not, why not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from backend.core.catalog import Catalog
from backend.core.files import parse_json, slug
from backend.core.graph import Graph, Problem
from backend.core.graph_paths import make_paths_absolute
from backend.core.node import REGISTRY
from backend.core.run import Run, all_runs
from backend.core.workspace import Workspace
from backend.engine.fingerprint import digest, facts
from backend.engine.plan import Plan, checked, make_plan
from backend.engine.store import Store

_MOST_RUNS = 200
_MOST_REASONS = 3


@dataclass(frozen=True)
class Standing:
    """Of one node: its result is stored, is out of date, or was never computed; and why."""

    state: Literal["cached", "stale", "new"]
    why: str = ""

    def to_json(self) -> dict[str, str]:
        """Return it as JSON data."""
        return asdict(self)


def standings(
    graph: Graph, catalog: Catalog, workspace: Workspace, *, device: str = "cpu"
) -> tuple[dict[str, Standing], list[Problem]]:
    """Return how each node stands that can be computed, and what is wrong with the others.

    A node is compared with what it was in the last run of a document of this name.
    """
    graph, problems = checked(graph, catalog)
    if graph.circle():
        return {}, problems
    make_paths_absolute(graph, catalog.nodes)
    if any(not problem.node for problem in problems):
        return {}, problems  # it is the whole document that is wrong
    bad = {problem.node for problem in problems}
    for name in graph.order():  # what needs a bad node is as bad
        if any(link.source_node in bad for link in graph.into(name)):
            bad.add(name)
    fine = [name for name in graph.nodes if name not in bad]
    plan = make_plan(graph, catalog, fine if bad else None)
    return _Comparison(plan, graph.name, workspace, device).all_nodes(), problems


class _Comparison:
    """What the nodes of a plan depend on, beside what their last results depended on."""

    def __init__(self, plan: Plan, name: str, workspace: Workspace, device: str) -> None:
        self.plan, self.device = plan, device
        self.store = Store(workspace.store)
        self.before = _last_fingerprints(plan.order, slug(name), workspace)
        self.fingerprints: dict[str, str] = {}

    def all_nodes(self) -> dict[str, Standing]:
        return {name: self._one(name) for name in self.plan.order}

    def _one(self, name: str) -> Standing:
        definition = REGISTRY[self.plan.types[name]]
        sources = {
            port: [f"{self.fingerprints[node]}/{output}" for node, output in ends]
            for port, ends in self.plan.sources[name].items()
        }
        now = facts(definition, self.plan.params[name], self.plan.seed, sources, device=self.device)
        key = self.fingerprints[name] = digest(now)
        if not definition.spec.cached:
            return Standing("new", "It measures something, so it is computed in every run.")
        if self.store.state(key) == "whole":
            return Standing("cached")
        before = self.before.get(name)
        if before is None:
            return Standing("new", "It was never computed.")
        if before == key:
            return Standing("stale", "Its stored result was removed.")
        return Standing("stale", self._why(name, now, before))

    def _why(self, name: str, now: Mapping[str, Any], before: str) -> str:
        try:
            then = self.store.record(before)["facts"]
        except (OSError, ValueError, KeyError, TypeError):
            return "It changed since its last result, which was removed."
        # As JSON has it, where there are no tuples.
        reasons = list(self._reasons(name, json.loads(json.dumps(now)), then))
        more = f" There are {len(reasons) - _MOST_REASONS} more changes."
        text = " ".join(reasons[:_MOST_REASONS])
        return text + more * (len(reasons) > _MOST_REASONS) or "It changed since its last result."

    def _reasons(self, name: str, now: dict[str, Any], then: dict[str, Any]) -> Iterable[str]:
        if now["type"] != then.get("type"):
            yield f"It was of the kind {then.get('type')}."
            return
        if now["version"] != then.get("version"):
            yield f"The kind is of version {now['version']} now; it was {then.get('version')}."
        yield from _changed_params(now["params"], then.get("params", {}))
        for key, what in (("seed", "The seed"), ("device", "The device"), ("torch", "PyTorch")):
            if now[key] != then.get(key):
                yield f"{what} is {now[key]} now; it was {then.get(key)}."
        if now["files"] != then.get("files"):
            yield "A file or folder that it reads changed."
        if now["code"] != then.get("code"):
            yield "Its code changed."
        if now["sources"] != then.get("sources"):
            yield self._upstream(name, now["sources"], then.get("sources", {}))

    def _upstream(self, name: str, now: dict[str, Any], then: dict[str, Any]) -> str:
        moved = [
            node
            for port, ends in self.plan.sources[name].items()
            for (node, _), end in zip(ends, now[port], strict=True)
            if end not in then.get(port, [])
        ]
        named = ", ".join(dict.fromkeys(moved))
        return f"What comes in changed: {named}." if named else "Its links changed."


def _changed_params(now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterable[str]:
    for param in dict.fromkeys([*now, *then]):
        if now.get(param) != then.get(param):
            yield f"{param} is {_short(now.get(param))} now; it was {_short(then.get(param))}."


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _last_fingerprints(names: Sequence[str], stem: str, workspace: Workspace) -> dict[str, str]:
    """Return for each node the fingerprint of its result in the last run that computed it.

    By the names of the run directories: reading thousands of documents would take too long.
    """
    pattern = re.compile(rf"[\d-]+_[\d-]+_{re.escape(stem)}(-\d+)?")
    runs = [run for run in all_runs(workspace) if pattern.fullmatch(run.name)]
    runs.sort(key=_made, reverse=True)
    found: dict[str, str] = {}
    for run in runs[:_MOST_RUNS]:
        for name in [name for name in names if name not in found]:
            path = run.node_folder(name) / "outputs.json"
            try:
                found[name] = str(parse_json(path.read_bytes())["fingerprint"])
            except (OSError, ValueError, KeyError, TypeError):
                continue  # not computed in that run
        if len(found) == len(names):
            break
    return found


def _made(run: Run) -> int:
    try:
        return (run.path / "graph.json").stat().st_mtime_ns
    except OSError:
        return 0
