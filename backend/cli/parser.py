"""The words of the command line."""

from __future__ import annotations

import argparse
from argparse import SUPPRESS
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; each command's code is imported only when it is called."""
    parser = argparse.ArgumentParser(
        prog="python -m backend",
        description="Runs, inspects and compares pipelines that make neural networks small.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _running(commands)
    _following(commands)
    _looking(commands)
    _upkeep(commands)
    return parser


def _command(
    commands: Any, name: str, code: str, help: str, *, json: bool = True
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help, description=help, allow_abbrev=False
    )
    parser.set_defaults(command=_later(code))
    if json:
        parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    return parser


def _later(code: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = code.partition(":")

    def call(arguments: argparse.Namespace) -> int:
        found: Callable[[argparse.Namespace], int] = getattr(import_module(module), function)
        return found(arguments)

    return call


def _run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NODE.PARAM=VALUE",
        help="change a parameter; several values with commas make one run each",
    )
    parser.add_argument("--preset", help="a set of parameters that the graph offers, e.g. tiny")
    parser.add_argument("--seed", help="random seed; several with commas make one run each")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or mps")
    parser.add_argument("--threads", type=int, help="default: all cores but one")
    parser.add_argument(
        "--target",
        action="append",
        metavar="NODE",
        help="compute only what this node needs; may be given several times",
    )
    parser.add_argument(
        "--force",
        action="append",
        default=[],
        metavar="NODE",
        help="compute this node although its result is stored",
    )
    parser.add_argument(
        "--every", metavar="TIME", help="time between checkpoints, e.g. 30s or 5min"
    )
    parser.add_argument("--now", action="store_true", help="do not wait for another run to finish")
    parser.add_argument("--name", help="name of the run; default: that of the graph")
    parser.add_argument("--quiet", action="store_true", help="print only the result")


def _running(commands: Any) -> None:
    run = _command(commands, "run", "backend.cli.running:run", "Run a graph, or a prepared run.")
    run.add_argument("graph", nargs="+", help="a pipeline file (.json), or run directories")
    run.add_argument("--dry-run", action="store_true", help="check, and say what would be done")
    _run_options(run)
    run.add_argument("--keep-stop", action="store_true", help=SUPPRESS)  # see Launcher
    resume = _command(commands, "resume", "backend.cli.running:resume", "Go on with a run.")
    resume.add_argument("run", nargs="?", default="last", help="name, part of it, or: last")
    resume.add_argument("--quiet", action="store_true", help="print only the result")
    stop = _command(commands, "stop", "backend.cli.running:stop", "Ask a run to stop.", json=False)
    stop.add_argument("run", nargs="?", default="last", help="name, part of it, or: last")
    check = _command(
        commands, "check", "backend.cli.running:check", "Say what is wrong with a graph."
    )
    check.add_argument("graph", help="a pipeline file (.json)")
    check.add_argument("--set", action="append", default=[], metavar="NODE.PARAM=VALUE")
    check.add_argument("--preset")
    demo = _command(
        commands, "demo", "backend.cli.running:demo", "Run the first pipeline on real data."
    )
    _run_options(demo)


def _following(commands: Any) -> None:
    follow = _command(
        commands,
        "follow",
        "backend.cli.follow:follow",
        "Export a generator again and again while it is trained, a line of JSON each time.",
        json=False,
    )
    follow.add_argument("run", help="name, part of it, or: last")
    follow.add_argument("node", help="the node that trains it")
    follow.add_argument("--out", type=Path, metavar="DIR", help="default: a folder in the run")


def _looking(commands: Any) -> None:
    catalog = _command(commands, "catalog", "backend.cli.looking:catalog", "List kinds of node.")
    catalog.add_argument("id", nargs="?", help="show one kind: ports, parameters, help")
    ls = _command(commands, "ls", "backend.cli.looking:ls", "List runs.")
    ls.add_argument("-n", type=int, default=30, help="how many of the newest; 0 = all")
    show = _command(commands, "show", "backend.cli.looking:show", "Show one run.")
    show.add_argument("run", nargs="?", default="last", help="name, part of it, or: last")
    show.add_argument("--events", action="store_true", help="print its events as JSON lines")
    report = _command(
        commands, "report", "backend.cli.looking:report", "Write one HTML page about a run."
    )
    report.add_argument("run", nargs="?", default="last", help="name, part of it, or: last")
    report.add_argument("-o", "--output", type=Path, help="default: report.html in the run")
    report.add_argument("--markdown", action="store_true", help="print Markdown instead")
    report.add_argument(
        "--strip", action="store_true", help="without pipeline, log and folders, for sharing"
    )
    inspect = _command(
        commands, "inspect", "backend.cli.looking:inspect", "Look into a model file."
    )
    inspect.add_argument("file", type=Path, help=".onnx, .safetensors, .pt or .pth")
    inspect.add_argument(
        "--lines",
        action="store_true",
        help="print a line of JSON with what is in it at once, then one with figures a tensor",
    )


def _upkeep(commands: Any) -> None:
    bench = _command(commands, "bench", "backend.cli.upkeep:bench", "Run a benchmark.", json=False)
    bench.add_argument("name", nargs="?", help="which; without it, the list")
    bench.add_argument("--full", action="store_true", help="the whole grid instead of a small one")
    bench.add_argument("--fresh", action="store_true", help="take nothing from the store")
    bench.add_argument("--write", action="store_true", help="keep the figures in BENCHMARKS.md")
    gc = _command(
        commands, "gc", "backend.cli.upkeep:gc", "Free stored results that no run refers to."
    )
    gc.add_argument("--dry-run", action="store_true", help="only say how much")
    _command(commands, "doctor", "backend.cli.upkeep:doctor", "Check this installation.")
    trust = _command(
        commands,
        "trust",
        "backend.cli.upkeep:trust",
        "Allow a Python model file to run.",
        json=False,
    )
    trust.add_argument("file", help="the .py file, whose present content is allowed, or a SHA-256")
