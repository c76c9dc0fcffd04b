"""The window: first paint, 500 nodes, 8 curves of 20,000 points, 20 live runs, memory.

Each figure is measured in a process of its own, since what one of them loads or allocates would
show in the next. With a virtual display (Xvfb) the windows are real ones; without, they are
painted off screen, and the table says so.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

STARTS = 5


class Options(Protocol):
    """What of the benchmark's session this file needs."""

    full: bool


def bench(session: Options) -> dict[str, Any]:
    """Return the figures of the window, worst of the spread where one number is asked for."""
    with _display() as environment, tempfile.TemporaryDirectory() as home:
        environment["FRETSAW_HOME"] = home
        _child("catalog", environment)  # made once, as on any start but the first
        starts = [_child("first_paint", environment, str(time.time())) for _ in range(STARTS)]
        paint = [start["first_paint_s"] for start in starts]
        nodes = _child("add_nodes", environment)
        frame = _child("curves", environment)
        memory = _child("memory", environment)
        live = _child("live_runs", environment, "full" if session.full else "default")
    platform = environment["QT_QPA_PLATFORM"]
    print(f"{'figure':<24}{'value':>10}  limit  how")
    rows = (
        ("first_paint_s", statistics.median(paint), 1.5, f"median of {STARTS}, {_spread(paint)}"),
        ("add_500_nodes_s", nodes["add_500_nodes_s"], 0.5, "with 499 links, to the painted canvas"),
        ("frame_ms_8x20k", frame["frame_ms_8x20k"], 60, f"median of {frame['frames']}, whole dock"),
        (
            "tick_p99_ms",
            live["tick_p99_ms"],
            16,
            f"{live['ticks']} ticks, 20 runs, worst {live['tick_worst_ms']:.1f} ms",
        ),
        ("gui_rss_mb", memory["gui_rss_mb"], 220, "first pipeline open, docks filled"),
        (
            "leak_mb_10min",
            live["leak_mb_10min"],
            10,
            f"{live['events']:,} events in "
            f"{live['seconds']:.0f} s, what ten minutes bring, one of 20 runs shown",
        ),
    )
    for name, value, limit, how in rows:
        print(f"{name:<24}{value:>10.2f}  {limit:<5}  {how} ({platform})")
    return {
        **{name: round(value, 3) for name, value, _, _ in rows},
        "first_paint_worst_s": round(max(paint), 3),
        "tick_worst_ms": round(live["tick_worst_ms"], 2),
        "ticks": live["ticks"],
        "events": live["events"],
        "starts": STARTS,
        "real_display": int(platform == "xcb"),
    }


def _child(name: str, environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "studio.benchmarks.measure", name, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"The measurement {name} failed: {done.stderr.strip()[-600:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _spread(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


@contextmanager
def _display() -> Iterator[dict[str, str]]:
    """Give a display of our own, so that what else is on a screen does not count."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    server = shutil.which("Xvfb")
    if server is None:
        yield {**environment, "QT_QPA_PLATFORM": "offscreen"}
        return
    read, write = os.pipe()
    command = [server, "-displayfd", str(write), "-screen", "0", "1920x1200x24", "-nolisten", "tcp"]
    process = subprocess.Popen(
        command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(write)
    try:
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        yield {**environment, "DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
    finally:
        process.terminate()
        process.wait()


def workspace_folder() -> Path:
    """Folder of the measurement's workspace."""
    return Path(os.environ["FRETSAW_HOME"])
