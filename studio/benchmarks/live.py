"""Twenty live runs under one window: how long its ticks take, and what it keeps."""

from __future__ import annotations

import multiprocessing
import random
import sys
import time
from typing import Any

import psutil
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication

RUNS = 20
RATE = 20
SECONDS = 20.0
TEN_MINUTES = 600
FAST = 5


class TimedApplication(QApplication):
    """Measures how long each event of the event loop takes, those inside others not counted."""

    def __init__(self, arguments: list[str]) -> None:
        super().__init__(arguments)
        self.ticks: list[float] = []
        self.is_measuring = False
        self._depth = 0

    def notify(self, receiver: QObject, event: QEvent) -> bool:
        """Deliver an event and note the time that the outermost one took."""
        if not self.is_measuring or self._depth:
            return bool(super().notify(receiver, event))
        self._depth += 1
        began = time.perf_counter()
        try:
            return bool(super().notify(receiver, event))
        finally:
            self._depth -= 1
            self.ticks.append((time.perf_counter() - began) * 1000)


def write(paths: list[str], rate: float, seconds: float) -> None:
    """Be the process that computes: hold the runs' locks and append events."""
    from backend.core import events as ev
    from backend.core.run import Run

    runs = [Run(path) for path in paths]
    locks = [run.lock() for run in runs]
    chance = random.Random(0)
    for run in runs:
        run.append(ev.RunStarted(seed=0, device="cpu", threads=1, nodes=["train"]))
        run.append(ev.NodeStarted(node="train"))
    total = round(rate * seconds)
    began = time.monotonic()
    for step in range(total):
        for run in runs:
            values = {"loss": 2.0 / (1 + step / 50) + 0.1 * chance.random()}
            run.append(ev.Metric(seq=step + 1, node="train", step=step, values=values))
            if step % 4 == 0:
                left = (total - step) / rate
                run.append(ev.Progress(node="train", done=step, total=total, eta=left))
        time.sleep(max(0.0, began + (step + 1) / rate - time.monotonic()))
    for lock in locks:
        lock.release()


def measure(is_full: bool) -> dict[str, Any]:
    """Tail the runs at the real rate for the ticks, then ten minutes' worth for the memory.

    The default grid writes those ten minutes' events five times as fast; the full one takes ten
    minutes.
    """
    app = TimedApplication(sys.argv[:1])
    from studio.benchmarks.measure import _make_run, _window, settle

    window = _window()
    window.show_graph()
    window.show_dock("curves")
    ticks = _tail(window, _make_run, settle, 1.0, SECONDS, app)
    speed = 1 if is_full else FAST
    seconds = TEN_MINUTES / speed
    grown = _grown(window, _make_run, settle, speed, seconds)
    ticks.sort()
    window.close()
    return {
        "tick_p99_ms": ticks[int(len(ticks) * 0.99)],
        "tick_worst_ms": ticks[-1],
        "ticks": len(ticks),
        "leak_mb_10min": grown,
        "events": int(RUNS * RATE * speed * seconds),
        "seconds": seconds,
    }


def _start(
    window: Any, make_run: Any, speed: float, seconds: float, *, is_marked: bool = True
) -> Any:
    runs = [make_run(window, f"live{n}") for n in range(RUNS)]
    paths = [str(run.path) for run in runs]
    # spawned: a forked child would hold this window's connection to the display
    process = multiprocessing.get_context("spawn").Process(
        target=write, args=(paths, RATE * speed / 1.25, seconds)
    )
    process.start()
    while not all(run.is_alive() for run in runs):
        time.sleep(0.1)
    window.session.runner.scan()
    for run in runs:
        window.session.runner.watch(run.name)
        window.session.mark(run.name, is_marked)
    window.session.set_focus(runs[0].name)
    return process


def _tail(
    window: Any, make_run: Any, settle: Any, speed: float, seconds: float, app: TimedApplication
) -> list[float]:
    process = _start(window, make_run, speed, seconds + 5)
    settle(2.0)
    app.is_measuring = True
    settle(seconds)
    app.is_measuring = False
    process.join()
    # What took no time was no tick: moves of nothing, timers that found nothing to do.
    return [tick for tick in app.ticks if tick > 0.05]


def _grown(window: Any, make_run: Any, settle: Any, speed: float, seconds: float) -> float:
    """Return by how many MB the window grew from a warm start to the end of the events.

    All twenty runs are followed and one is shown: what the curves of marked runs hold besides is
    data that somebody asked to see, not growth of the tailing.
    """
    for name in window.session.marked:
        window.session.mark(name, False)
    process = _start(window, make_run, speed, seconds, is_marked=False)
    settle(seconds * 0.05 + 3)
    before = psutil.Process().memory_info().rss
    settle(seconds * 0.95)
    grown = (psutil.Process().memory_info().rss - before) / 1e6
    process.join()
    return max(0.0, grown)
