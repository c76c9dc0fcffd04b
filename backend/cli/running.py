"""Commands that run graphs."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.cli.progress import Printer, make_printer
from backend.core import catalog as catalogs
from backend.core import events as ev
from backend.core.errors import DocumentError, nearest, sentence
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from backend.engine import launch
from backend.engine.execute import execute
from backend.engine.plan import checked

EXIT = {"finished": 0, "failed": 3, "cancelled": 5}
DEMO = "quantize_classifier.json"


def run(arguments: argparse.Namespace) -> int:
    """Run a graph file (once, or once for each variant), or a prepared run directory."""
    path = Path(arguments.graph)
    if path.is_dir():
        return _compute([Run.open(path)], arguments)
    graph = _preset(Graph.load(path), arguments.preset)
    if arguments.dry_run:
        return _dry_run(graph, arguments)
    return _compute(_created(graph, arguments), arguments)


def demo(arguments: argparse.Namespace) -> int:
    """Run the first pipeline and write its report."""
    from importlib.resources import files

    text = files("assets").joinpath("pipelines", DEMO).read_text(encoding="utf-8")
    graph = _preset(Graph.from_json(json.loads(text), DEMO), arguments.preset)
    runs = _created(graph, arguments)
    if not arguments.quiet and not arguments.json:
        minutes = graph.metadata.get("minutes", "a few")
        print(f"{graph.metadata.get('title', graph.name)}: about {minutes} minutes on two cores.")
    return _compute(runs, arguments)


def resume(arguments: argparse.Namespace) -> int:
    """Go on with a run that was stopped, failed or crashed."""
    found = Run.open(arguments.run)
    if found.state() == "finished":
        print(f"{found.name} is finished; there is nothing left to do.")
        return 0
    return _compute([found], arguments)


def stop(arguments: argparse.Namespace) -> int:
    """Ask a run to stop."""
    found = Run.open(arguments.run)
    if found.state() not in ("running", "cancelling", "queued"):
        print(f"{found.name} is not running; it is {found.state()}.")
        return 0
    found.request_stop()
    print(f"Asked {found.name} to stop. Go on later with: python -m backend resume {found.name}")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Say what is wrong with a graph, or that nothing is."""
    graph = _preset(Graph.load(arguments.graph), arguments.preset)
    problems = []
    for variant, _ in launch.variants(graph, launch.assignments(graph, arguments.set)):
        problems += checked(variant, catalogs.current())[1]
    if arguments.json:
        print(json.dumps([vars(problem) for problem in problems]))
    elif problems:
        print("\n".join(map(str, problems)))
    else:
        print(f"{arguments.graph}: {len(graph.nodes)} nodes, no problems.")
    return 2 if problems else 0


def _preset(graph: Graph, name: str | None) -> Graph:
    if not name:
        return graph
    presets = graph.metadata.get("presets", {})
    if not isinstance(presets, dict) or name not in presets:
        known = presets if isinstance(presets, dict) else ()
        raise DocumentError(f'The graph has no preset "{name}".', nearest(name, known))
    if not isinstance(presets[name], dict):
        raise DocumentError(
            f'The preset "{name}" of the graph is damaged.', "It should say node.param: value."
        )
    for end, value in presets[name].items():
        node, _, param = end.partition(".")
        graph.set(node, **{param: value})
    return graph


def _created(graph: Graph, arguments: argparse.Namespace) -> list[Run]:
    workspace = Workspace.current()
    catalog = catalogs.current(workspace)
    if arguments.name:
        graph.name = arguments.name
    variants = [
        (variant, named, seed)
        for variant, named in launch.variants(graph, launch.assignments(graph, arguments.set))
        for seed in _seeds(arguments.seed, graph.seed)
    ]
    common: dict[str, Any] = {
        "target": arguments.target,
        "force": arguments.force or None,
        "every": arguments.every,
        "sweep": f"{graph.name} {datetime.now():%Y-%m-%d %H:%M:%S}" if len(variants) > 1 else None,
    }
    for variant, _, seed in variants:
        # All of them first: a sweep with a bad value starts none of its runs.
        launch.prepared(variant, catalog, common, seed)
    return [
        launch.create(
            variant,
            workspace,
            catalog=catalog,
            seed=seed,
            device=arguments.device,
            threads=arguments.threads,
            settings={**common, "set": named or None},
        )
        for variant, named, seed in variants
    ]


def _seeds(text: str | None, default: int) -> list[int]:
    if text is None:
        return [default]
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise DocumentError(
            f'"{text}" is no seed.', "Write a whole number, or several: 0,1,2"
        ) from None


def _compute(runs: list[Run], arguments: argparse.Namespace) -> int:
    code = 0
    for found in runs:
        with make_printer(found, as_json=arguments.json, quiet=arguments.quiet) as printer:
            status = _one(found, printer, now=getattr(arguments, "now", False))
            code = code or _exit_code(found, status)
        if status == "cancelled":
            break
    return code


def _exit_code(found: Run, status: str) -> int:
    if status != "failed":
        return EXIT[status]
    failures = [event.code for event in found.events() if isinstance(event, ev.NodeFailed)]
    return failures[-1] if failures else EXIT[status]


def _one(found: Run, printer: Printer, *, now: bool = False) -> str:
    workspace = Workspace.current()
    settings = found.settings
    found.refuse_if_alive()
    # Before queueing: a stop that arrives while this run waits its turn must count.
    found.clear_stop()
    turn = nullcontext() if now else launch.queue(workspace, found, printer.waiting)
    with _signals(found), turn:
        status = execute(
            found,
            target=settings.get("target"),
            force=settings.get("force", ()),
            on_event=printer.show,
            workspace=workspace,
        )
    printer.done(status, _report(found))
    return status


def _report(found: Run) -> Path | None:
    """Write the page about a run; a page that cannot be written does not undo the run."""
    from backend import report

    try:
        return report.write(found)
    except Exception as error:
        print(f"The report could not be written: {sentence(error)}", file=sys.stderr)
        return None


def _dry_run(graph: Graph, arguments: argparse.Namespace) -> int:
    problems = []
    count = 0
    for variant, _ in launch.variants(graph, launch.assignments(graph, arguments.set)):
        problems += checked(variant, catalogs.current(), arguments.target)[1]
        count += 1
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        order = graph.order(arguments.target)
        print(f"{count * len(_seeds(arguments.seed, 0))} run(s) of: {' -> '.join(order)}")
    return 2 if problems else 0


@contextmanager
def _signals(found: Run) -> Iterator[None]:
    """Turn Ctrl-C and a termination request into a stop with checkpoint; a second one is hard."""

    def ask(number: int, frame: Any) -> None:
        if found.stop_requested():
            raise KeyboardInterrupt
        found.request_stop()
        os.write(2, b"Stopping after this step; once more to stop at once.\n")

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    # SIGHUP: the terminal was closed; there is none on Windows.
    named = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    numbers = [getattr(signal, name) for name in named if hasattr(signal, name)]
    # What is ignored stays ignored: that is what nohup is for.
    numbers = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
