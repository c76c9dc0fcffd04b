"""Bad disks, kills and plugins, through the window."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from backend.core.catalog import Broken
from backend.core.errors import DocumentError
from studio import app as studio_app
from studio import dock_frame
from studio.journal import Journal
from studio.session import Session
from tests.bad_input.told import mounted
from tests.studio.bad_world import PIPELINE, Told, document, opened, press, see_all_docks


@pytest.fixture
def told(session: Session) -> Told:
    return Told(session)


# -- disks -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="cannot mount")
def test_a_disk_that_fills_up_loses_nothing(window, told, tmp_path, qtbot) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        ready = mounted(disk, "200k")
        ready.__enter__()
    except subprocess.CalledProcessError:
        pytest.skip("cannot mount")
    try:
        path = disk / "mine.json"
        window.act("open_pipeline", path=PIPELINE.name)
        document = window.session.document
        document.save_as(path)
        before = path.read_bytes()
        _fill(disk / "fill")
        document.set("train", epochs=3)
        window.act("save")
        told.one("bad", str(path), "no space left", "another name", "changes are kept")
        assert path.read_bytes() == before
        assert document.is_modified
        with pytest.raises(DocumentError, match="could not be written"):
            window.view.save_picture(disk / "half.svg")
        assert not (disk / "half.svg").exists()
        (disk / "fill").unlink()
        window.act("save")
        told.nothing()
        assert json.loads(path.read_text())["nodes"]["train"]["params"]["epochs"] == 3
        document.new()
    finally:
        ready.__exit__(None, None, None)


def _fill(path: Path) -> None:
    handle = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(handle, b"x" * 4096)
    except OSError:
        os.close(handle)


def test_a_journal_that_cannot_be_written_is_told_at_once(window, told, workspace, qtbot) -> None:
    (workspace.root / "journal").write_text("in the way")
    window.act("open_pipeline", path=PIPELINE.name)
    window.session.document.set("train", epochs=3)
    qtbot.waitUntil(lambda: bool(told.messages), timeout=5_000)
    told.one("warn", "Unsaved work cannot be kept safe", "Save often")


def test_a_workspace_that_goes_away_while_the_window_is_open(window, told, workspace, tmp_path):
    path = document(tmp_path)
    window.act("open_file", path=path)
    shutil.rmtree(workspace.root)
    window.session.document.set("train", epochs=3)
    window.act("save")
    window.show_dock("runs")
    told.nothing()
    assert json.loads(path.read_text())["nodes"]["train"]["params"]["epochs"] == 3


def test_a_read_only_file_is_told_and_nothing_is_lost(window, told, tmp_path, monkeypatch) -> None:
    path = document(tmp_path)
    window.act("open_file", path=path)
    before = path.read_bytes()
    window.session.document.set("train", epochs=3)
    monkeypatch.setattr(os, "access", lambda *_: False)
    window.act("save")
    told.one("bad", str(path), "the file is read-only", "another name", "changes are kept")
    assert path.read_bytes() == before
    assert window.session.document.is_modified


KILLED = """
import os, signal, sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
import backend.core.files as files
from backend.core.workspace import Workspace
from studio.document import Document
app = QCoreApplication([])
document = Document(Workspace.current())
document.open(Path(sys.argv[1]))
document.set("train", epochs=9)
document._journal.flush()
files.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
document.save()
"""


def test_killed_during_save_the_file_is_intact_and_the_rest_is_offered(
    window, told, workspace, tmp_path
) -> None:
    path = document(tmp_path)
    before = path.read_bytes()
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert path.read_bytes() == before
    (left,) = Journal.leftovers(workspace)
    assert any("epochs is 9" in line for line in left.differences())
    window.offer_recovery()
    press(window, "Restore")
    told.one("good", '"doc.json" is as you left it.', "not saved yet")
    assert window.session.document.graph.nodes["train"].params["epochs"] == 9
    assert window.session.document.path == path
    window.act("save")
    assert json.loads(path.read_text())["nodes"]["train"]["params"]["epochs"] == 9
    told.nothing()


# -- plugins ---------------------------------------------------------------------------------------


def test_a_node_file_that_fails_is_a_red_row_with_its_line(window, session, recorded_catalog):
    broken = Broken(module="acme", file="/x/acme.py", line=7, error="SyntaxError: invalid syntax")
    session.catalog._catalog = recorded_catalog.model_copy(update={"broken": [broken]})
    session.catalog.changed.emit()
    window.act("new")
    window.show_dock("nodes")
    QCoreApplication.processEvents()
    card = window.dock_widget("nodes").broken
    assert card.isVisible()
    assert card.title.text() == "acme.py did not load"
    assert card.reason.text() == "Line 7: SyntaxError: invalid syntax."
    assert session.catalog.specs


class _Bad(QWidget):
    def __init__(self, session: Session) -> None:
        super().__init__()
        raise RuntimeError("no <b>luck</b>\nsecond line")


class _Tools(QWidget):
    def __init__(self, session: Session) -> None:
        super().__init__()

    def tools(self) -> int:
        return 5


BAD_DOCKS = {
    "init": {"TITLE": "Mine", "WIDGET": _Bad},
    "tools": {"TITLE": "Mine", "WIDGET": _Tools},
    "title": {"WIDGET": _Tools},
    "widget": {"TITLE": "Mine", "WIDGET": lambda session: 5},
    "kinds": {"TITLE": "Mine", "WIDGET": _Tools, "KINDS": 5},
}


@pytest.mark.parametrize("how", [*BAD_DOCKS, "import", "exit"])
def test_a_dock_of_others_that_fails(workspace, recorded_catalog, monkeypatch, how, caplog) -> None:
    def load(self: EntryPoint) -> object:
        if self.name != "theirs":
            return real(self)
        if how == "import":
            return __import__("nothing_of_the_kind")
        return sys.exit(3) if how == "exit" else type("Dock", (), BAD_DOCKS[how])

    real = EntryPoint.load
    points = dock_frame.dock_points()
    theirs = EntryPoint("theirs", "acme.dock:Dock", dock_frame.GROUP)
    monkeypatch.setattr("studio.main_window.dock_points", lambda: {**points, "theirs": theirs})
    monkeypatch.setattr(EntryPoint, "load", load)
    with opened(workspace, recorded_catalog) as window:
        window.act("new")
        window.heard.nothing()
        window.show_dock("theirs")
        window.heard.one("bad", 'dock "Theirs" could not be opened', "line ", "uninstall")
        window.grab()
        see_all_docks(window)
        window.heard.nothing()


def test_an_error_while_painting_does_not_end_the_studio(window, told, monkeypatch) -> None:
    """Qt hands some errors to nobody; they fall out of the event loop, which goes on."""

    class App:
        calls = 0

        def exec(self) -> int:
            self.calls += 1
            if self.calls < 4:
                raise ValueError("while painting")
            return 0

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr("threading.excepthook", sys.excepthook)
    studio_app._catch(window)
    assert studio_app._run(App()) == 0
    told.one("bad", "Something went wrong in the window.", "while painting", "graph is kept")
