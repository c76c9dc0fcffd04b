"""Events, catalogue, overhead of a run, and training that is killed twenty times."""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.bench.session import Session, output_folder, print_table
from backend.core import events as ev
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from backend.engine import launch

KILLS = 20
_CHAINS = ("train", "f8net")
_NO_OP = '''"""Nodes that do nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from backend.core.context import Context
from backend.core.node import node
from backend.core.value import value


@value
@dataclass
class Nothing:
    """Nothing."""

    def save(self, folder: Path) -> None:
        """Write nothing."""

    @classmethod
    def load(cls, folder: Path) -> Nothing:
        """Read nothing."""
        return cls()


@node("noop.source")
def source(ctx: Context) -> Nothing:
    """Begin."""
    return Nothing()


@node("noop.step")
def step(ctx: Context, nothing: Nothing) -> Nothing:
    """Go on."""
    return nothing
'''


def bench(session: Session) -> dict[str, Any]:
    """Measure the engine; no figure here is of a method."""
    kills, equal = _kills(session)
    figures = {
        "read_20k_events_s": _median(_read_events, 7),
        "catalog_s": _catalog_seconds(),
        "run_overhead_s": _overhead_seconds(),
        "kills": kills,
        "resumed_bit_equal": equal,
    }
    print_table(("figure", "value"), list(figures.items()))
    return figures


def _median(measure: Callable[[], float], times: int) -> float:
    return round(statistics.median(measure() for _ in range(times)), 4)


def _read_events() -> float:
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Graph("events"), Workspace(Path(folder)))
        lines = (
            ev.to_line(ev.Metric(node="n", step=i, values={"loss": 1 / (i + 1), "lr": 0.1}, seq=i))
            for i in range(20_000)
        )
        (run.path / "events.jsonl").write_text("\n".join(lines) + "\n")
        began = time.perf_counter()
        events = run.events()
        seconds = time.perf_counter() - began
    assert len(events) == 20_000
    return seconds


def _call(*arguments: str, home: Path, plugins: Path | None = None) -> float:
    """Seconds that ``python -m backend`` takes, from command to end."""
    environment = {**os.environ, "FRETSAW_HOME": str(home)}
    if plugins is not None:
        environment["PYTHONPATH"] = str(plugins)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "backend", *arguments],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def _catalog_seconds() -> float:
    """Make the catalogue anew: import every node file."""

    def once() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return _call("catalog", "--json", home=Path(folder))

    return _median(once, 3)


def _overhead_seconds() -> float:
    """A chain of ten nodes that do nothing, from command to finish."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package, info = folder / "noop_nodes", folder / "noop_nodes-1.0.dist-info"
        package.mkdir()
        info.mkdir()
        (package / "__init__.py").write_text(_NO_OP)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noop-nodes\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[fretsaw.nodes]\nnoop = noop_nodes.nodes\n")
        shutil.move(package / "__init__.py", package / "nodes.py")
        (package / "__init__.py").write_text('"""Nodes that do nothing."""\n')
        graph = Graph("noop")
        last = graph.add("noop.source", "n0")
        for i in range(1, 10):
            name = graph.add("noop.step", f"n{i}")
            graph.connect(f"{last}.nothing", f"{name}.nothing")
            last = name
        graph.save(folder / "graph.json")
        _call("catalog", home=folder, plugins=folder)

        def once() -> float:
            arguments = ("run", str(folder / "graph.json"), "--quiet")
            forced = [word for n in graph.nodes for word in ("--force", n)]
            return _call(*arguments, *forced, home=folder, plugins=folder)

        return _median(once, 5)


def _kills(session: Session) -> tuple[int, int]:
    """Kill real training at random steps; count the kills whose chain ends bit-equal."""
    dice = random.Random(20261124)
    plain = session.run([_training()], _CHAINS)[0]
    expected = {node: _weights(plain, node) for node in _CHAINS}
    kills = equal = 0
    for node in _CHAINS:
        run = launch.create(
            _training(),
            session.workspace,
            threads=1,
            settings={"force": [node], "every": 5, "target": node},
        )
        killed = sum(_kill_at_random_step(run, node, dice) for _ in range(KILLS // len(_CHAINS)))
        subprocess.run(_command(run), stdout=subprocess.DEVNULL, check=True)
        kills += killed
        equal += killed if _weights(run, node) == expected[node] else 0
    return kills, equal


def _training() -> Graph:
    """Two epochs of a small residual network on pictures, then one as fixed point."""
    graph = Graph("kills")
    graph.add("data.fashion_mnist", "data", source="sample", train_limit=4000)
    graph.add("model.resnet", "net", depth=8, width=8)
    graph.add("train.classifier", "train", epochs=4, batch=64, keep="last")
    graph.add("quantize.f8net", "f8net", epochs=2, batch=64)
    for source, target in (
        ("data.data", "net.data"),
        ("data.data", "train.data"),
        ("net.classifier", "train.model"),
        ("train.classifier", "f8net.model"),
        ("data.data", "f8net.data"),
    ):
        graph.connect(source, target)
    return graph


def _kill_at_random_step(run: Run, node: str, dice: random.Random) -> int:
    """Start the run, wait until it has gone some steps further, and kill it."""
    before = _furthest(run, node)
    goal = before + dice.randrange(1, 12)
    process = subprocess.Popen(_command(run), stdout=subprocess.DEVNULL)
    while process.poll() is None and _furthest(run, node) < goal:
        time.sleep(0.01)
    if process.poll() is not None:
        return 0
    process.kill()
    process.wait()
    return 1


def _furthest(run: Run, node: str) -> int:
    """Return the furthest step that the node has reported."""
    steps = [e.step for e in run.events() if isinstance(e, ev.Metric) and e.node == node]
    return max(steps, default=-1)


def _command(run: Run) -> list[str]:
    return [sys.executable, "-m", "backend", "run", str(run.path), "--now", "--quiet"]


def _weights(run: Run, node: str) -> bytes:
    """Return the weights now; both runs store them under the same fingerprint."""
    return Path(output_folder(run, node, "classifier"), "model.safetensors").read_bytes()
