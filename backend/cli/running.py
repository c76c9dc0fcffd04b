"""Commands that run graphs."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.cli.process import sign
from backend.cli.progress import make_printer
from backend.core import catalog as catalogs
from backend.core import events as ev
from backend.core.errors import BusyError, DocumentError, Stopped, nearest, sentence
from backend.core.files import write_atomic
from backend.core.graph import Graph
from backend.core.queue import Queue
from backend.core.run import Run
from backend.core.workspace import Workspace
from backend.engine import launch
from backend.engine.execute import execute
from backend.engine.plan import Target, checked

EXIT = {"finished": 0, "failed": 3, "cancelled": 5}
DEMO = "quantize_classifier.json"


def run(arguments: argparse.Namespace) -> int:
    """Run a graph file (once, or once for each variant), or prepared run directories."""
    paths = [Path(text) for text in arguments.graph]
    if all(path.is_dir() for path in paths):
        return _compute([Run.open(path) for path in paths], arguments)
    if len(paths) > 1:
        raise DocumentError(
            "Several things to run at once must all be run directories.",
            "Give one pipeline file, or directories only.",
        )
    graph = _preset(Graph.load(paths[0]), arguments.preset)
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
    Queue(Workspace.current()).cancel(found)
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
        "target": _target(arguments),
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


def _target(arguments: argparse.Namespace) -> Target:
    """One name as such, so that run.json reads as it was asked."""
    named: list[str] = arguments.target or []
    return named if len(named) > 1 else named[0] if named else None


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
    """Compute each of ``runs`` when its turn comes; the code of the first that did not finish."""
    code = 0
    for found in runs:
        found.refuse_if_alive()
        # Before queueing: a stop that arrives while this run waits its turn must count.
        if not getattr(arguments, "keep_stop", False):
            found.clear_stop()
        sign(found)
    pending = list(runs)
    with _signals(runs):
        while pending:
            try:
                with _turn(pending, arguments) as found:
                    pending.remove(found)
                    ended = _one(found, arguments, is_last=not pending)
                    code = code or ended
            except Stopped:
                code = code or EXIT["cancelled"]
                print("Cancelled.", file=sys.stderr)
                break
    return code


@contextmanager
def _turn(pending: list[Run], arguments: argparse.Namespace) -> Iterator[Run]:
    """Wait for the turn of one of ``pending`` and give it."""

    def say() -> None:
        with make_printer(pending[0], as_json=arguments.json, quiet=arguments.quiet) as printer:
            printer.waiting()

    if getattr(arguments, "now", False):
        yield pending[0]
        return
    with Queue(Workspace.current()).turn(pending, say) as found:
        yield found


def _exit_code(found: Run, status: str) -> int:
    if status != "failed":
        return EXIT[status]
    failures = [event.code for event in found.events() if isinstance(event, ev.NodeFailed)]
    return failures[-1] if failures else EXIT[status]


def _one(found: Run, arguments: argparse.Namespace, *, is_last: bool) -> int:
    """Compute one run; if it cannot even begin, that must not keep the rest from their turn."""
    settings = found.settings
    with make_printer(found, as_json=arguments.json, quiet=arguments.quiet) as printer:
        try:
            status = execute(
                found,
                target=settings.get("target"),
                force=settings.get("force") or (),
                on_event=printer.show,
                workspace=Workspace.current(),
            )
        except BusyError:
            raise
        except Exception as error:
            _note_failure(found, error)
            if is_last:
                raise
            print(f"fretsaw: {sentence(error)}", file=sys.stderr)
            return int(getattr(error, "exit_code", EXIT["failed"]))
        printer.done(status, _report(found))
    return _exit_code(found, status)


def _note_failure(found: Run, error: Exception) -> None:
    """Let a run that could not even begin say so: whoever started it may not see our output."""
    result = {"seconds": 0.0, **found.result, "status": "failed", "error": sentence(error)}
    with suppress(OSError):
        write_atomic(found.path / "result.json", json.dumps(result, indent=1))


def _report(found: Run) -> Path | None:
    """Write the page about a run; a page that cannot be written does not undo the run."""
    from backend import report

    try:
        return report.write(found)
    except Exception as error:
        print(f"The report could not be written: {sentence(error)}", file=sys.stderr)
        return None


def _dry_run(graph: Graph, arguments: argparse.Namespace) -> int:
    from backend.cli import dry_run

    workspace = Workspace.current()
    catalog = catalogs.current(workspace)
    named = launch.variants(graph, launch.assignments(graph, arguments.set))
    variants = [variant for variant, _ in named]
    seeds = _seeds(arguments.seed, graph.seed)
    if arguments.json:
        variants[0].seed = seeds[0]
        return dry_run.show_json(variants[0], catalog, workspace, arguments.device)
    return dry_run.show(variants, catalog, _target(arguments), len(seeds))


@contextmanager
def _signals(runs: list[Run]) -> Iterator[None]:
    """Turn Ctrl-C and a termination request into a stop with checkpoint; a second one is hard."""
    is_asked = False

    def ask(number: int, frame: Any) -> None:
        nonlocal is_asked
        if is_asked or all(run.stop_requested() for run in runs):
            raise KeyboardInterrupt
        is_asked = True
        for run in runs:
            run.request_stop()
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
