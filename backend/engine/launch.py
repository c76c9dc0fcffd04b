"""Starts runs: new ones, sweeps and resumed ones, one at a time in a workspace."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from backend.core import events as ev
from backend.core.catalog import Catalog
from backend.core.catalog import current as current_catalog
from backend.core.errors import DocumentError, nearest
from backend.core.graph import Graph
from backend.core.graph_paths import make_paths_absolute
from backend.core.queue import Queue
from backend.core.run import Run
from backend.core.workspace import Workspace
from backend.engine.execute import execute
from backend.engine.plan import Target, checked
from backend.engine.settings import check_settings, default_threads

# Not those inside brackets, as in zoo:resnet(depth=20, width=16).
_OUTER_COMMA = re.compile(r",(?![^(\[{]*[)\]}])")
OnEvent = Callable[[ev.Event], None]


def run(
    graph: Graph,
    *,
    target: Target = None,
    force: Iterable[str] = (),
    seed: int | None = None,
    device: str = "cpu",
    threads: int | None = None,
    on_event: OnEvent | None = None,
    workspace: Workspace | None = None,
) -> Run:
    """Run a graph from Python and return its run; ``run.state()`` tells how it ended.

    Raises:
        DocumentError: the graph has problems.
    """
    workspace = workspace or Workspace.current()
    targets = target if target is None or isinstance(target, str) else list(target)
    settings = {"target": targets, "force": list(force) or None}
    created = create(graph, workspace, seed=seed, device=device, threads=threads, settings=settings)
    with Queue(workspace).turn([created]):
        execute(created, target=target, force=force, on_event=on_event, workspace=workspace)
    return created


def create(
    graph: Graph,
    workspace: Workspace,
    *,
    catalog: Catalog | None = None,
    seed: int | None = None,
    device: str = "cpu",
    threads: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Run:
    """Check a graph and make a run directory for it.

    ``settings`` may hold ``target`` (a node or several), ``force`` (nodes), ``every`` (time between
    checkpoints), ``set`` and ``sweep`` (what a sweep calls its values and itself).

    Raises:
        DocumentError: the graph or a setting has problems; no directory was made.
    """
    settings = {key: value for key, value in (settings or {}).items() if value is not None}
    settings |= {"device": device, "threads": threads if threads is not None else default_threads()}
    copy = prepared(graph, catalog or current_catalog(workspace), settings, seed)
    return Run.create(copy, workspace, settings=settings)


def prepared(
    graph: Graph, catalog: Catalog, settings: Mapping[str, Any], seed: int | None = None
) -> Graph:
    """Return the graph as a run would keep it: checked, lifted, with its seed.

    Raises:
        DocumentError: the graph or a setting has problems.
    """
    copy = Graph.from_json(graph.to_json())
    copy.seed = copy.seed if seed is None else seed
    check_settings(settings, copy)
    copy, problems = checked(copy, catalog, settings.get("target"))
    if problems:
        details = "\n".join(f"  {problem}" for problem in problems)
        raise DocumentError(f"The graph cannot run:\n{details}")
    make_paths_absolute(copy, catalog.nodes)
    return copy


def resume(run: Run, *, on_event: OnEvent | None = None, workspace: Workspace | None = None) -> str:
    """Go on with a run that was stopped, failed or crashed; returns its status."""
    workspace = workspace or Workspace.current()
    run.refuse_if_alive()
    run.clear_stop()
    with Queue(workspace).turn([run]):
        settings = run.settings
        return execute(
            run,
            target=settings.get("target"),
            force=settings.get("force") or (),
            on_event=on_event,
            workspace=workspace,
        )


def assignments(graph: Graph, texts: Sequence[str]) -> list[tuple[str, str, list[Any]]]:
    """Parse ``node.param=value`` texts; several values with commas make a sweep.

    A value is JSON where it parses as JSON, else text; ``[1,2]`` is one list value.

    Raises:
        DocumentError: not of that form, or no such node.
    """
    parsed = []
    for text in texts:
        end, equals, value = text.partition("=")
        node, dot, param = end.strip().partition(".")
        if not (equals and dot and param):
            raise DocumentError(f'"{text}" does not set a parameter.', "Write node.param=value.")
        if node not in graph.nodes:
            raise DocumentError(f'There is no node "{node}".', nearest(node, graph.nodes))
        parsed.append((node, param, _values(value.strip())))
    return parsed


def variants(
    graph: Graph, settings: Sequence[tuple[str, str, list[Any]]]
) -> Iterator[tuple[Graph, dict[str, Any]]]:
    """Yield the graph with each combination of the given values, and that combination."""
    for chosen in itertools.product(*(values for _, _, values in settings)):
        copy = Graph.from_json(graph.to_json())
        named: dict[str, Any] = {}
        for (node, param, _), value in zip(settings, chosen, strict=True):
            copy.set(node, **{param: value})
            named[f"{node}.{param}"] = value
        yield copy, named


def _values(text: str) -> list[Any]:
    try:
        return [json.loads(text)]  # also a text with commas, in quotes
    except ValueError:
        return [_value(part.strip()) for part in _OUTER_COMMA.split(text)]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
