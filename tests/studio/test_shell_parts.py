"""Small parts of the shell: saving by itself, staying awake, recovery, names, words, pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import QProcess, Qt
from PySide6.QtWidgets import QFileDialog

from backend.core.graph import Graph
from studio import awake, notify, run_names, words
from studio.autosave import Autosave
from studio.awake import Awake
from studio.context_menu import context_menu
from studio.journal import Journal


def saved(tmp_path: Path) -> Path:
    graph = Graph(name="small")
    graph.add("model.resnet", at=(0, 0))
    graph.save(tmp_path / "small.json")
    return tmp_path / "small.json"


# -- saving by itself ------------------------------------------------------------------------------


def test_a_graph_saves_itself_only_where_that_is_switched_on(session, tmp_path, qtbot) -> None:
    parts = Autosave(session)
    path = saved(tmp_path)
    session.document.open(path)
    session.document.set("resnet", depth=20)
    assert not parts._timer.isActive()
    assert session.document.is_modified, "off by default"
    session.settings.set(autosave=True)
    session.document.set("resnet", depth=32)
    qtbot.waitUntil(lambda: not session.document.is_modified, timeout=10_000)
    assert Graph.load(path).nodes["resnet"].params["depth"] == 32


def test_autosave_does_not_overwrite_what_something_else_wrote(session, tmp_path, qtbot) -> None:
    parts = Autosave(session)
    path = saved(tmp_path)
    session.document.open(path)
    session.settings.set(autosave=True)
    other = Graph.load(path)
    other.set("resnet", depth=44)
    other.save(path)
    told: list = []
    session.told.connect(told.append)
    session.document.set("resnet", depth=56)
    parts._save()
    parts.stop()
    assert told
    assert told[-1].kind == "warn"
    assert Graph.load(path).nodes["resnet"].params["depth"] == 44
    assert session.document.is_modified


# -- staying awake ---------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("sleep"), reason="stands in for the system's own program")
def test_sleep_is_held_off_while_a_run_computes(session, monkeypatch, qtbot) -> None:
    monkeypatch.setattr(awake, "inhibitor", lambda with_screen: ["sleep", "600"])
    active: list[str] = ["a run"]
    monkeypatch.setattr(type(session.runner), "active", property(lambda self: active))
    parts = Awake(session)
    parts.follow()
    assert parts.is_held
    process = parts._process
    assert isinstance(process, QProcess)
    qtbot.waitUntil(lambda: process.state() == QProcess.ProcessState.Running, timeout=10_000)
    parts.follow()
    assert parts._process is process, "it is not started again and again"
    active.clear()
    session.runner.changed.emit()
    assert not parts.is_held
    active.append("a run")
    session.settings.set(keep_awake=False)
    parts.follow()
    assert not parts.is_held
    parts.release()


def test_commands_of_the_systems(monkeypatch) -> None:
    monkeypatch.setattr(awake.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(awake.sys, "platform", "darwin")
    assert awake.inhibitor(False)[:3] == ["caffeinate", "-i", "-w"]
    title, text = 'a "title"', "$(reboot)"
    assert notify._command(title, text)[-2:] == [title, text], "words are never part of a script"
    monkeypatch.setattr(awake.sys, "platform", "linux")
    assert "--what=sleep" in awake.inhibitor(False)
    assert notify._command(title, "--text")[-3:] == ["--", title, "--text"]
    monkeypatch.setattr(awake.shutil, "which", lambda name: None)
    assert awake.inhibitor(True) is None
    assert notify._command(title, text) is None


# -- recovery --------------------------------------------------------------------------------------


def leave_something(session, tmp_path) -> Path:
    path = saved(tmp_path)
    session.document.open(path)
    session.document.set("resnet", depth=110)
    session.document.close(keep=True)
    return path


@pytest.mark.parametrize("answer", ["Restore", "Discard", "Show"])
def test_what_was_not_saved_is_offered(
    workspace, recorded_catalog, tmp_path, qtbot, answer
) -> None:
    from studio.main_window import MainWindow
    from studio.session import Session

    first = Session(workspace, recorded_catalog)
    path = leave_something(first, tmp_path)
    first.close(keep=True)
    window = MainWindow(Session(workspace, recorded_catalog))
    window.show()
    window.offer_recovery()
    buttons = window.questions.buttons()
    assert set(buttons) == {"Restore", "Discard", "Show", "Cancel"}
    qtbot.mouseClick(buttons[answer], Qt.MouseButton.LeftButton)
    if answer == "Show":
        assert "depth" in window.questions.question
        qtbot.mouseClick(window.questions.buttons()["Restore"], Qt.MouseButton.LeftButton)
    if answer == "Discard":
        assert not Journal.leftovers(workspace)
    else:
        assert window.session.document.graph.nodes["resnet"].params["depth"] == 110
        assert window.session.document.is_modified
        assert window.session.document.path == path
    assert "depth" not in Graph.load(path).nodes["resnet"].params, "the file is as it was"
    window.close_without_asking()
    window.deleteLater()


def test_nothing_is_offered_when_nothing_was_lost(window) -> None:
    window.offer_recovery()
    assert not window.questions.isVisible()


# -- names and words -------------------------------------------------------------------------------


def test_runs_of_a_graph_are_found_by_name_newest_first(workspace) -> None:
    names = (
        "2026-11-24_09-00_small",
        "2026-11-24_09-00_small-2",
        "2026-11-24_09-00_small-10",
        "2026-11-25_08-00_small",
        "2026-11-25_08-00_smaller",
        "2026-11-25_08-00_small-net",
        "no run at all",
    )
    for name in names:
        (workspace.runs / name).mkdir(parents=True)
    assert run_names.newest_of(workspace, "Small") == [names[3], names[2], names[1], names[0]]
    assert run_names.newest(workspace, 1)[0] in names[3:6]
    assert run_names.newest_of(workspace, "other") == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9, "9 s"), (59.6, "1 min"), (130, "2 min 10 s"), (3840, "1 h 4 min")],
)
def test_times_in_words(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (812, "812 B"),
        (4_096, "4.1 kB"),
        (280_000, "0.28 MB"),
        (1_090_000, "1.1 MB"),
        (4.1e9, "4.1 GB"),
    ],
)
def test_sizes_in_words(count: float, text: str) -> None:
    assert words.size(count) == text


# -- menus and pictures ----------------------------------------------------------------------------


def test_context_menus_hold_what_fits(window) -> None:
    window.act("new")
    window.session.document.add("model.resnet", (0, 0))
    window.session.selection.set(["resnet"])
    held = {action.objectName() for action in context_menu(window, {"kind": "node"}).actions()}
    assert {"run_here", "rename", "bypass", "delete"} <= held
    held = {action.objectName() for action in context_menu(window, {"kind": "canvas"}).actions()}
    assert {"quick_add", "paste", "add_note"} <= held


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_canvas_is_exported(window, tmp_path, monkeypatch, ending) -> None:
    window.act("open_pipeline", path="quantize_classifier.json")
    target = tmp_path / f"canvas.{ending}"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(target), ""))
    window.act("export_canvas")
    assert target.stat().st_size > 4000
    dock = tmp_path / "dock.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(dock), ""))
    window.act("export_dock", name="nodes")
    assert dock.read_bytes().startswith(b"\x89PNG")


def test_history_lists_the_edits(window) -> None:
    window.act("new")
    window.session.document.add("model.resnet", (0, 0))
    window.session.document.set("resnet", depth=20)
    window.act("history")
    stack = window.session.document.stack
    assert stack.count() == 2
    assert "20" in stack.text(1)
