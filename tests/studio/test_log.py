"""The Log dock: lines, filter, following, details, copying."""

from __future__ import annotations

import shutil

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtTest import QTest

from backend.core import events as ev
from backend.core.graph import Graph
from backend.core.run import Run
from studio.docks.log import LogDock, LogWidget, lines_of
from studio.docks.log_lines import LinesModel, LogLine, line_of
from studio.run_fold import RunFold


def lines(count, level="info", node="train"):
    return [LogLine(1_764_000_000.0 + n, level, node, f"line {n}", seq=n + 1) for n in range(count)]


@pytest.fixture
def log(session, qtbot):
    made = LogWidget(session)
    tools = made.tools()
    qtbot.addWidget(tools)
    qtbot.addWidget(made)
    made.resize(700, 240)
    made.show()
    return made


def filled(log, *more):
    log.model.append([*lines(40), *more])
    log._choose_page()
    QTest.qWait(0)
    return log


def at(log, row, part):
    index = log.model.index(row, 0)
    log.view.scrollTo(index)
    rect = log.view.itemDelegate().parts(log.view.visualRect(index))[part]
    return QPoint(round(rect.left()) + 4, round(rect.center().y()))


def test_without_a_run_it_says_so_and_opens_the_folder(log, session, monkeypatch):
    opened = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or True
    )
    assert log.stack.currentWidget() is log.empty
    assert log.empty.label.text() == "Nothing to report."
    told = []
    session.told.connect(told.append)
    QTest.mouseClick(log.empty.button, Qt.MouseButton.LeftButton)
    assert told[0].text == "There are no runs yet."
    session.workspace.runs.mkdir(parents=True)
    QTest.mouseClick(log.empty.button, Qt.MouseButton.LeftButton)
    assert opened == [str(session.workspace.runs)]


def test_events_become_lines():
    assert line_of(ev.Log(t=5, node="a", level="warning", text="b", seq=3)) == LogLine(
        5, "warning", "a", "b", "", 3
    )
    many = line_of(ev.Log(t=5, text="first\nsecond"))
    assert (many.text, many.details, many.node) == ("first", "first\nsecond", "")
    failed = line_of(ev.NodeFailed(t=6, node="a", error="no room", details="Traceback"))
    assert (failed.level, failed.text, failed.details) == ("error", "no room", "Traceback")
    assert line_of(ev.Progress(node="a", done=1, total=2)) is None


def test_a_fold_gives_its_logs_and_its_failure():
    fold = RunFold()
    fold.feed(
        [
            ev.RunStarted(t=1, seed=0, device="cpu", threads=1, nodes=["a"]),
            ev.NodeStarted(t=2, node="a"),
            ev.Log(t=3, node="a", text="hello"),
            ev.NodeFailed(t=4, node="a", error="no room", details="why"),
        ]
    )
    assert [(x.t, x.text) for x in lines_of(fold)] == [(3, "hello"), (4, "no room")]


def test_filter_by_level_and_text(log):
    filled(log, *lines(2, "warning", "f8net"), LogLine(1.0, "error", "onnx", "differs"))
    tools = log.tools()
    tools.levels.parts()[1].click()
    assert {x.level for x in log.model.lines} == {"warning", "error"}
    tools.field.setText("F8N")
    assert [x.node for x in log.model.lines] == ["f8net", "f8net"]
    tools.field.setText("xqzv")
    assert log.stack.currentWidget() is log.unmatched
    QTest.mouseClick(log.unmatched.button, Qt.MouseButton.LeftButton)
    assert len(log.model.lines) == 43
    assert tools.levels.value == "info"


def test_it_follows_until_scrolled_up(log):
    filled(log)
    bar = log.view.verticalScrollBar()
    assert log.view.follows
    assert bar.value() == bar.maximum() > 0
    bar.setValue(3)
    assert not log.view.follows
    assert not log.tools().follow.isChecked()
    log.model.append(lines(10))
    QTest.qWait(0)
    assert bar.value() == 3
    log.tools().follow.click()
    assert bar.value() == bar.maximum()
    log.model.append(lines(10))
    QTest.qWait(0)
    assert bar.value() == bar.maximum()


def test_a_click_on_the_node_reveals_it(log, session):
    name = session.document.add("train.classifier", at=(0.0, 0.0))
    log.model.append([LogLine(1.0, "info", name, "epoch 1")])
    log._choose_page()
    QTest.mouseClick(log.view.viewport(), Qt.MouseButton.LeftButton, pos=at(log, 0, "text"))
    assert session.selection.nodes != (name,)
    QTest.mouseClick(log.view.viewport(), Qt.MouseButton.LeftButton, pos=at(log, 0, "node"))
    assert session.selection.nodes == (name,)


def test_details_open_by_key_and_click_and_close(log):
    filled(log, LogLine(9e9, "error", "onnx", "It differs.", "Traceback\nValueError"))
    last = len(log.model.lines) - 1
    QTest.mouseClick(log.view.viewport(), Qt.MouseButton.LeftButton, pos=at(log, last, "more"))
    assert log.details.isVisible()
    assert log.details.title.text() == "It differs."
    assert "ValueError" in log.details.text.toPlainText()
    log.view.setFocus()
    QTest.keyClick(log.view, Qt.Key.Key_Return)
    assert not log.details.isVisible()
    QTest.keyClick(log.view, Qt.Key.Key_Return)
    assert log.details.isVisible()
    log.view.setCurrentIndex(log.model.index(0, 0))
    assert log.details.text.toPlainText() == "There are no details."


def test_copy_takes_the_selection_or_everything(log):
    filled(log, LogLine(9e9, "error", "onnx", "It differs.", "Traceback"))
    log.tools().copy.click()
    assert len(QGuiApplication.clipboard().text().splitlines()) == 42
    log.view.setFocus()
    log.view.setCurrentIndex(log.model.index(1, 0))
    QTest.keyClick(log.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text().endswith("info    train: line 1")


def test_old_lines_go_when_there_are_too_many():
    model = LinesModel(most=100)
    for _ in range(30):
        model.append(lines(100))
    assert 100 <= model.rowCount() <= 2_100
    assert model.dropped > 0
    assert model.lines[-1].text == "line 99"


def test_a_hundred_thousand_lines_are_held_and_filtered(log):
    log.model.append(lines(100_000))
    log._choose_page()
    assert log.model.rowCount() == 100_000
    assert log.view.uniformItemSizes()  # else every row would be measured
    log.filter(text="line 99999")
    assert log.model.rowCount() == 1


def test_a_resume_takes_lines_back():
    model = LinesModel()
    model.append([*lines(5), *lines(2, node="other")])
    model.undo("train", 2)
    assert [(x.node, x.seq) for x in model.lines] == [
        ("train", 1), ("train", 2), ("other", 1), ("other", 2),
    ]  # fmt: skip


def test_a_run_in_focus_is_read_and_followed(log, session, workspace, qtbot):
    graph = Graph("mine")
    graph.add("data.digits")
    run = Run.create(graph, workspace)
    run.append(ev.RunStarted(seed=0, device="cpu", threads=1, nodes=["digits"]))
    run.append(ev.Log(node="digits", text="first"))
    session.set_focus(run.name)
    session.focus.read(1.0)
    assert [x.text for x in log.model.lines][:1] == ["first"]
    run.append(ev.Log(node="digits", level="warning", text="second"))
    session.focus.read(1.0)
    assert "second" in [x.text for x in log.model.lines]
    run.append(ev.Resumed(node="digits", step=0, seq=-1))
    session.focus.read(1.0)
    run.close()
    text = "The run stopped without saying why. The end of log.txt is in the details."
    assert session.focus.state == "crashed"
    assert [x.text for x in log.model.lines].count(text) == 1
    assert "second" not in [x.text for x in log.model.lines]
    session.set_focus(None)
    assert log.model.is_empty


def test_a_run_without_log_file_is_told(log, session, recorded_run, monkeypatch):
    opened, told = [], []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or True
    )
    session.told.connect(told.append)
    session.set_focus(recorded_run.name)
    log.tools().file.click()
    assert opened == [str(recorded_run / "log.txt")]
    shutil.move(recorded_run / "log.txt", recorded_run / "gone")
    log.tools().file.click()
    assert told[-1].text == "This run has no log.txt."
    log.tools().folder.click()
    assert opened[-1] == str(recorded_run)


def test_the_dock_says_where_it_belongs(log):
    assert ("log", "bottom", LogWidget) == (LogDock.NAME, LogDock.AREA, LogDock.WIDGET)
    assert log.view.accessibleName() == "Log"
