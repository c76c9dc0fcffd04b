"""A window's world for the tests of the studio, and a watch on what they leave behind."""

from __future__ import annotations

import gc
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QThread,
    QTimer,
    QtMsgType,
    qInstallMessageHandler,
)

from backend.core.catalog import Catalog
from backend.core.workspace import Workspace

DATA = Path(__file__).parent.parent / "data"
# What Qt says offscreen of things that are not there, and that no user sees.
EXPECTED = (
    "This plugin does not support",
    "propagateSizeHints",
    "QFont::setPointSize",
)


@pytest.fixture(scope="session", autouse=True)
def _old_objects_rest() -> None:
    """Leave what the imports made out of every later collection: a test then ends in no time."""
    import studio.main_window  # noqa: F401

    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _clean_qt(qapp: QCoreApplication) -> Iterator[None]:
    """Fail a test that makes Qt warn, or that leaves a thread or a running timer behind."""
    said: list[str] = []

    def hear(kind: QtMsgType, _context: object, text: str) -> None:
        is_bad = kind in (QtMsgType.QtWarningMsg, QtMsgType.QtCriticalMsg)
        if is_bad and not any(part in text for part in EXPECTED):
            said.append(text)

    before = set(threading.enumerate())
    old = qInstallMessageHandler(hear)
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QCoreApplication.processEvents()
    gc.collect()
    qInstallMessageHandler(old)
    assert not said, f"Qt warned: {said}"
    left = [t for t in threading.enumerate() if t not in before and not t.daemon]
    assert not left, f"threads left behind: {left}"
    live = [o for o in gc.get_objects() if issubclass(type(o), QThread) and _runs(o)]
    assert not live, f"QThreads left behind: {live}"
    timers = [o for o in gc.get_objects() if issubclass(type(o), QTimer) and _ticks(o)]
    assert not timers, f"timers left running: {[t.objectName() or t for t in timers]}"


def _runs(thread: QThread) -> bool:
    try:
        return thread.isRunning()
    except RuntimeError:  # its C++ half is gone
        return False


def _ticks(timer: QTimer) -> bool:
    try:
        return timer.isActive() and not timer.isSingleShot()
    except RuntimeError:
        return False


@pytest.fixture(autouse=True)
def _dark(qapp: QCoreApplication) -> Iterator[None]:
    """Start every test with the dark theme at 100 %."""
    from studio.theme import theme

    theme().choose("dark", 1.0, False)
    yield
    theme().choose("dark", 1.0, False)


@pytest.fixture
def workspace() -> Workspace:
    """The test's own workspace."""
    found = Workspace.current()
    found.root.mkdir(parents=True, exist_ok=True)
    return found


@pytest.fixture(scope="session")
def recorded_catalog() -> Catalog:
    """The kinds of node as they were written down once."""
    return Catalog.model_validate_json((DATA / "catalog.json").read_bytes())


@pytest.fixture
def session(workspace: Workspace, recorded_catalog: Catalog) -> Iterator[object]:
    """A session on that workspace with the recorded catalogue; closed afterwards."""
    from studio.session import Session

    made = Session(workspace, recorded_catalog)
    made.settings.set(theme="dark")
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def recorded_run(workspace: Workspace) -> Path:
    """A real run, recorded once, among the runs of the workspace."""
    target = workspace.runs / "2026-11-24_09-00_quantize-classifier"
    shutil.copytree(DATA / "run", target)
    return target


@pytest.fixture
def window(session, qtbot) -> Iterator[object]:
    """A main window that is shown, with its docks filled."""
    from PySide6.QtWidgets import QApplication

    from studio import style
    from studio.main_window import MainWindow
    from studio.theme import theme

    app = QApplication.instance()
    assert isinstance(app, QApplication)
    style.apply(app, theme())
    made = MainWindow(session)
    made.resize(1600, 1000)
    made.show()
    qtbot.waitExposed(made)
    QCoreApplication.processEvents()
    yield made
    made.close_without_asking()
    made.deleteLater()
    app.setStyleSheet("")


@pytest.fixture
def bridges(session, monkeypatch) -> object:
    """Scripted bridges for the session's phones, on a computer with two networks."""
    from studio.phone import phone as phones
    from studio.phone.networks import Network
    from tests.studio.phone_parts import HOST, Maker

    found = [Network(HOST, "Wi-Fi"), Network("172.17.0.1", "docker0 (virtual)")]
    monkeypatch.setattr(phones, "networks", lambda: found)
    made = Maker()
    phones.phone_of(session, made)
    return made


@pytest.fixture
def phone_panel(bridges, window, qtbot) -> object:
    """The Phone panel in its workspace."""
    window.set_workspace("Phone")
    qtbot.waitUntil(lambda: window.dock_widget("phone") is not None)
    panel = window.dock_widget("phone")
    qtbot.waitUntil(panel.isVisible)
    return panel


@pytest.fixture
def live_phone(phone_panel, bridges) -> object:
    """A panel with a phone that shows the edit "Starry"."""
    from tests.studio.phone_parts import edit, ready, telemetry

    phone_panel.phone.push(edit(epoch=12))
    bridges.last.connects()
    bridges.last.says(ready())
    bridges.last.says(telemetry())
    return phone_panel
