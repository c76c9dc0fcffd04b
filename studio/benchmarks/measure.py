"""One measurement of the window, in a process of its own: ``python -m studio.benchmarks.measure``.

Prints one JSON object as its last line.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil
from PySide6.QtCore import QEvent, QEventLoop, QObject, QTimer
from PySide6.QtWidgets import QApplication, QWidget

FRAMES = 40
NODES = 500


def main() -> None:
    """Do the measurement that the command line names."""
    name, *arguments = sys.argv[1:]
    print(json.dumps(MEASUREMENTS[name](*arguments)))


def catalog() -> dict[str, Any]:
    """Make the catalogue, as the first start of all does in the background."""
    subprocess.run([sys.executable, "-m", "backend", "catalog"], check=True, capture_output=True)
    return {}


class FirstPaint(QObject):
    """Ends the program when the canvas of the window has been painted."""

    def __init__(self, window: QWidget, began: float) -> None:
        super().__init__(window)
        self.seconds = 0.0
        self._began = began
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Look for the first time that the window is brought up to date."""
        if event.type() == QEvent.Type.UpdateRequest and not self.seconds:
            watched.event(event)
            self.seconds = time.time() - self._began
            QApplication.exit()
            return True
        return super().eventFilter(watched, event)


def first_paint(began: str) -> dict[str, Any]:
    """Measure from before the interpreter started to the first painted window."""
    from backend.core.workspace import Workspace
    from studio.app import make_application, open_window
    from studio.session import Session

    app = make_application()
    window = open_window(Session(Workspace.current()))
    paint = FirstPaint(window, float(began))
    app.exec()
    window.close()
    return {"first_paint_s": paint.seconds}


def add_nodes() -> dict[str, Any]:
    """Add 500 linked nodes to an empty graph and paint them."""
    window = _window()
    document, view = window.session.document, window.view
    window.show_graph()
    settle(0.5)
    view.scene().setSceneRect(-200, -200, 26 * 240, 22 * 240)
    began = time.perf_counter()
    names: list[str] = []
    with document.macro(f"Add {NODES} nodes"):
        for number in range(NODES):
            at = (number % 25 * 240.0, number // 25 * 240.0)
            if number == 0:
                names.append(document.add("data.fashion_mnist", at))
            elif number == 1:
                names.append(document.add("model.resnet", at))
                document.connect(f"{names[0]}.data", f"{names[1]}.data")
            else:
                names.append(document.add("train.classifier", at))
                source = "classifier"
                document.connect(f"{names[-2]}.{source}", f"{names[-1]}.model")
    view.zoom_to_fit()
    QApplication.processEvents()
    view.viewport().repaint()
    seconds = time.perf_counter() - began
    window.close_without_asking()
    return {"add_500_nodes_s": seconds}


def curves() -> dict[str, Any]:
    """Paint the curves dock with 8 curves of 20,000 points, new points in every frame."""
    from backend.core.events import Metric, NodeStarted, RunStarted

    window = _window()
    run = _make_run(window, "curves")
    window.session.set_focus(run.name)
    nodes = [f"arm{n}" for n in range(8)]
    watch = window.session.focus
    chance = random.Random(0)
    started = RunStarted(seed=0, device="cpu", threads=1, nodes=nodes)
    events: list[Any] = [started, *(NodeStarted(node=node) for node in nodes)]
    for node in nodes:
        level = chance.random()
        for step in range(20_000):
            level += 0.01 * (chance.random() - 0.5)
            events.append(Metric(node=node, step=step, values={"loss": level + chance.random()}))
    watch.fold.feed(events)
    window.show_graph()
    window.show_dock("curves")
    dock = window.dock_widget("curves")
    watch.changed.emit(events[-8:])
    settle(1.0)
    times = []
    for frame in range(FRAMES):
        more = [
            Metric(node=node, step=20_000 + frame, values={"loss": chance.random()})
            for node in nodes
        ]
        began = time.perf_counter()
        watch.fold.feed(more)
        dock.tick()
        for widget in (dock, *dock.findChildren(QWidget)):
            if widget.isVisible():
                widget.repaint()
        times.append((time.perf_counter() - began) * 1000)
    window.close()
    return {"frame_ms_8x20k": statistics.median(times), "frames": FRAMES}


def memory() -> dict[str, Any]:
    """Open the first pipeline, fill every dock of the workspace and read the resident memory."""
    window = _window()
    window.act("open_pipeline", path="quantize_classifier.json")
    for name in window.frames:
        window.show_dock(name)
        settle(0.2)
    settle(1.0)
    used = psutil.Process().memory_info().rss / 1e6
    window.close()
    return {"gui_rss_mb": used}


def live_runs(grid: str) -> dict[str, Any]:
    """Tail 20 runs that write 20 events a second each; see :mod:`studio.benchmarks.live`."""
    from studio.benchmarks.live import measure

    return measure(is_full=grid == "full")


def settle(seconds: float) -> None:
    """Let the event loop turn for a while."""
    loop = QEventLoop()  # not the application's own, which closes the windows when it quits
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def _window() -> Any:
    from backend.core.workspace import Workspace
    from studio.app import make_application, open_window
    from studio.session import Session

    make_application()
    window = open_window(Session(Workspace.current()))
    settle(0.5)
    return window


def _make_run(window: Any, name: str) -> Any:
    from backend.core.graph import Graph
    from backend.core.run import Run

    return Run.create(Graph(name=name), window.session.workspace)


def phone_preview() -> dict[str, Any]:
    """Measure the window's timer while a phone sends previews."""
    from studio.benchmarks.phone_preview import measure

    return measure()


MEASUREMENTS: dict[str, Callable[..., dict[str, Any]]] = {
    "phone_preview": phone_preview,
    "catalog": catalog,
    "first_paint": first_paint,
    "add_nodes": add_nodes,
    "curves": curves,
    "memory": memory,
    "live_runs": live_runs,
}

if __name__ == "__main__":
    main()
