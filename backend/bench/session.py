"""What benchmarks share: running graphs, as many at once as there are cores, and counting arms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from backend.core import events as ev
from backend.core.errors import FretsawError
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from backend.engine import launch


class Session:
    """One call of a benchmark: its options, and how many arms came from the store."""

    def __init__(self, *, full: bool = False, fresh: bool = False) -> None:
        self.full = full
        self.fresh = fresh
        self.workspace = Workspace.current()
        self._made: set[str] = set()
        self._stored: list[str] = []

    @property
    def cached(self) -> int:
        """Arms taken from the store; what this call made itself, for several runs, is none."""
        return sum(one not in self._made for one in self._stored)

    def run(self, graphs: Sequence[Graph], arms: Sequence[str]) -> list[Run]:
        """Run graphs side by side, one thread each, and return their finished runs.

        They start in the given order, as cores become free: give the longest first. ``arms`` are
        names of nodes; each that was taken from the store counts as cached.

        Raises:
            FretsawError: a run failed; says which and why.
        """
        runs = [
            launch.create(
                graph,
                self.workspace,
                threads=1,
                settings={"force": [a for a in arms if a in graph.nodes] if self.fresh else None},
            )
            for graph in graphs
        ]
        waiting, active = list(runs), dict[Run, subprocess.Popen[bytes]]()
        try:
            while waiting or active:
                while waiting and len(active) < (os.cpu_count() or 1):
                    run = waiting.pop(0)
                    active[run] = _start(run)
                for run, process in list(active.items()):
                    if process.poll() is not None:
                        del active[run]
                        self._check(run, arms)
                time.sleep(0.1)
        finally:
            for run, process in active.items():
                run.request_stop()
                process.wait()
        return runs

    def _check(self, run: Run, arms: Sequence[str]) -> None:
        if run.state() != "finished":
            raise FretsawError(
                f"The run {run.name} of the benchmark is {run.state()}.",
                run.result.get("error", "") or f'Look into "{run.path / "log.txt"}".',
            )
        for event in run.events():
            if not isinstance(event, ev.NodeFinished):
                continue
            if not event.cached:
                self._made.add(event.fingerprint)
            elif event.node in arms:
                self._stored.append(event.fingerprint)


def figure(run: Run, node: str, name: str) -> float:
    """Return the last value of a metric of a finished run."""
    return float(run.result["metrics"][node][name]["last"])


def output_folder(run: Run, node: str, port: str) -> str:
    """Return the folder of a node's output in the store."""
    link = json.loads((run.node_folder(node) / "outputs.json").read_text())
    return str(Workspace.current().store / link["fingerprint"] / port)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows of text and numbers in aligned columns."""
    cells = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    for row in cells:
        print(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        )


def _start(run: Run) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "backend", "run", str(run.path), "--now", "--quiet"]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
