"""Windows and documents that are closed leave nothing behind: widgets, timers, threads, files."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QThread, QTimer
from PySide6.QtWidgets import QApplication

MB = 1_000_000


def settled() -> None:
    """Let what was told to go be gone."""
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QCoreApplication.processEvents()
        gc.collect()


def counted() -> dict[str, int]:
    """What there is now: of the process and of Qt."""
    settled()
    process = psutil.Process()
    alive = [o for o in gc.get_objects() if isinstance(o, QTimer | QThread)]
    return {
        "widgets": len(QApplication.allWidgets()),
        "timers": sum(isinstance(o, QTimer) for o in alive),
        "threads": threading.active_count() + sum(isinstance(o, QThread) for o in alive),
        "system threads": process.num_threads(),
        "files": process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
        "bytes": process.memory_info().rss,
    }


def repeated(deed: Callable[[], None], times: int) -> tuple[dict[str, int], dict[str, int]]:
    """Do something thrice so that all is loaded, then ``times`` more; counts before and after."""
    for _ in range(3):
        deed()
    before = counted()
    for _ in range(times):
        deed()
    return before, counted()


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {key: after[key] - before[key] for key in before if after[key] > before[key]}


def test_ten_windows_leave_nothing(workspace, recorded_catalog, recorded_run: Path, qtbot) -> None:
    from studio.main_window import MainWindow
    from studio.session import Session

    def deed() -> None:
        window = MainWindow(Session(workspace, recorded_catalog))
        window.resize(1200, 800)
        window.show()
        window.act("open_pipeline", path=str(recorded_run / "graph.json"))
        window.session.set_focus(recorded_run.name)
        for name in ("curves", "runs", "layers", "log", "views", "properties"):
            window.show_dock(name)
            QCoreApplication.processEvents()
        session = window.session
        window.close_without_asking()
        window.deleteLater()
        session.deleteLater()
        settled()

    before, after = repeated(deed, 10)
    more = grown(before, after)
    # A window takes some 20 MB while it is there: ten that stayed would be 200.
    assert more.pop("bytes", 0) < 8 * MB
    assert more.pop("files", 0) <= 2
    assert more.pop("system threads", 0) <= 2  # Qt's own pool comes and goes
    assert more == {}


@pytest.mark.usefixtures("recorded_run")
def test_twenty_documents_leave_nothing(window, recorded_run: Path, qtbot) -> None:
    for name in window.frames:  # each makes its content when it is first seen
        window.show_dock(name)
        qtbot.waitUntil(lambda name=name: window.frames[name].isVisible())
        assert window.dock_widget(name) is not None

    def deed() -> None:
        window.act("open_pipeline", path=str(recorded_run / "graph.json"))
        window.session.set_focus(recorded_run.name)
        window.session.selection.set(["train"])
        QCoreApplication.processEvents()
        window.session.document.add("train.classifier", (0, 900))
        window.session.document.stack.undo()
        QCoreApplication.processEvents()
        window.session.document.new()
        window.session.set_focus(None)
        settled()

    before, after = repeated(deed, 20)
    more = grown(before, after)
    assert more.pop("bytes", 0) < 5 * MB
    assert more.pop("files", 0) <= 2
    assert more.pop("system threads", 0) <= 2
    assert more == {}
