"""What the tests of bad input share: windows on a prepared workspace, and what they said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QPushButton

from backend.core.catalog import Catalog
from backend.core.workspace import Workspace
from studio.main_window import MainWindow
from studio.session import Message, Session

DATA = Path(__file__).parent.parent / "data"
PIPELINE = Path(__file__).parents[2] / "assets" / "pipelines" / "quantize_classifier.json"
RUN = "2026-11-24_09-00_quantize-classifier"


class Told:
    """What a window told its user, one message after the other."""

    def __init__(self, session: Session) -> None:
        self.messages: list[Message] = []
        session.told.connect(self.messages.append)

    def one(self, kind: str, *words: str) -> str:
        """Judge the only message since the last look: its kind, its words, no inside of ours."""
        assert len(self.messages) == 1, [m.text for m in self.messages]
        message = self.messages.pop()
        text = f"{message.text} {message.detail}".strip()
        assert message.kind == kind, (message.kind, text)
        for word in words:
            assert word in text, text
        assert "Traceback" not in text
        assert "\n" not in text
        assert text.endswith((".", "?")), text
        return text

    def nothing(self) -> None:
        """Judge that there was nothing to tell."""
        assert [m.text for m in self.messages] == []


@contextmanager
def opened(workspace: Workspace, catalog: Catalog) -> Iterator[MainWindow]:
    """Show a window on a workspace as it is; what it told is in its ``heard``."""
    session = Session(workspace, catalog)
    told = Told(session)
    window = MainWindow(session)
    window.heard = told  # type: ignore[attr-defined]
    window.resize(1600, 1000)
    window.show()
    QCoreApplication.processEvents()
    try:
        yield window
    finally:
        window.close_without_asking()
        window.deleteLater()
        session.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def copied_run(workspace: Workspace, name: str = RUN) -> Path:
    """Put the recorded run among the runs of the workspace."""
    return Path(shutil.copytree(DATA / "run", workspace.runs / name))


def document(folder: Path, **change: Any) -> Path:
    """Write the first example with parts of it replaced."""
    data = json.loads(PIPELINE.read_text(encoding="utf-8"))
    path = folder / "doc.json"
    path.write_text(json.dumps({**data, **change}), encoding="utf-8")
    return path


def press(window: MainWindow, text: str) -> None:
    """Give this answer to the question that the window asks."""
    buttons = window.questions.findChildren(QPushButton)
    next(button for button in buttons if button.text() == text).click()


def settled(qtbot: Any, window: MainWindow, name: str = RUN) -> None:
    """Show a run and wait until all it wrote was read."""
    window.session.set_focus(name)
    watch = window.session.focus
    if watch is not None:
        qtbot.waitUntil(lambda: watch.is_caught_up, timeout=20_000)


def see_all_docks(window: MainWindow) -> None:
    """Bring every dock to the front and paint it."""
    for name in window.frames:
        window.show_dock(name)
        QCoreApplication.processEvents()
        window.grab()
