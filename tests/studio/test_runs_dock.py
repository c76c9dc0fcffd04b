"""The Runs dock: the table of all runs and what can be done with them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from backend.core.errors import DocumentError
from backend.core.graph import Graph
from backend.core.workspace import Workspace
from studio.docks.run_list import index_of, live_row
from studio.docks.runs import RunsDock, RunsWidget
from studio.docks.runs_model import RunsModel
from studio.run_row import RunRow
from studio.widgets.table import ICON_ROLE

SHOWN = Qt.ItemDataRole.DisplayRole


def row(name: str, **fields: Any) -> RunRow:
    fields.setdefault("state", "finished")
    return RunRow(name=name, label=fields.pop("label", name), **fields)


def names(model: RunsModel) -> list[str]:
    return [entry.name for entry in model.rows]


def column(model: RunsModel, name: str) -> int:
    return model.columns.index(name)


# -- the dock -------------------------------------------------------------------------------------


@pytest.fixture
def runs(workspace: Workspace, recorded_run: Path) -> list[str]:
    """Three runs: finished, failed, cancelled, the last one with other settings."""
    found = [recorded_run.name]
    for hour, status in ((10, "failed"), (11, "cancelled")):
        target = workspace.runs / f"2026-11-24_{hour}-00_quantize-classifier"
        shutil.copytree(recorded_run, target)
        result = json.loads((target / "result.json").read_text())
        result |= {"status": status, "error": "Out of memory in Train." if hour == 10 else ""}
        (target / "result.json").write_text(json.dumps(result))
        line = json.loads((target / "events.jsonl").read_text().splitlines()[0])
        lines = (target / "events.jsonl").read_text().splitlines()[1:]
        first = json.dumps({**line, "t": line["t"] + hour * 3600})
        (target / "events.jsonl").write_text("\n".join([first, *lines, ""]))
        found.append(target.name)
    graph = Graph.load(target / "graph.json")
    graph.set("train", epochs=3)
    graph.save(target / "graph.json")
    return found


@pytest.fixture
def calls(session: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the dock asks the runner and the window for."""
    asked: list[tuple[str, Any]] = []
    for name in ("stop", "kill", "resume", "rerun", "reorder"):
        monkeypatch.setattr(
            session.runner, name, lambda what, name=name: asked.append((name, what))
        )
    session.acted.connect(lambda action, details: asked.append((action, details)))
    session.told.connect(lambda message: asked.append(("told", message.text)))
    return asked


@pytest.fixture
def dock(session: Any, calls: Any, qtbot: Any) -> Iterator[RunsWidget]:
    index = index_of(session)
    made = RunsWidget(session)
    qtbot.addWidget(made)
    made.resize(900, 300)
    made.show()
    qtbot.waitUntil(lambda: index.is_loaded, timeout=5000)
    made.fill()
    yield made
    made.hide()
    index.close()


def pick(dock: RunsWidget, name: str, extra: bool = False) -> None:
    place = dock.model.place_of(name)
    assert place is not None
    mods = Qt.KeyboardModifier.ControlModifier if extra else Qt.KeyboardModifier.NoModifier
    QTest.mouseClick(dock.view.viewport(), Qt.MouseButton.LeftButton, mods, spot(dock, name, "run"))


def spot(dock: RunsWidget, name: str, where: str) -> QPoint:
    place = dock.model.place_of(name)
    assert place is not None
    return dock.view.visualRect(dock.model.index(place, column(dock.model, where))).center()


def entries(menu: QMenu) -> dict[str, Any]:
    return {entry.text(): entry for entry in menu.actions() if entry.text()}


def test_without_runs_it_says_so(dock: RunsWidget, calls: list[Any]) -> None:
    assert dock._empty.isVisible()
    assert dock._empty.label.text() == "Every run is kept here."
    dock._empty.button.click()
    assert calls == [("run", {})]


class TestWithRuns:
    @pytest.fixture(autouse=True)
    def _before(self, runs: list[str]) -> None:
        self.finished, self.failed, self.cancelled = runs

    @pytest.fixture
    def dock(self, _before: None, session: Any, calls: Any, qtbot: Any) -> Iterator[RunsWidget]:
        index = index_of(session)
        made = RunsWidget(session)
        qtbot.addWidget(made)
        made.resize(900, 300)
        made.show()
        qtbot.waitUntil(lambda: index.is_loaded, timeout=5000)
        made.fill()
        yield made
        made.hide()
        index.close()

    def test_a_click_shows_the_run(self, dock: RunsWidget, session: Any) -> None:
        assert names(dock.model) == [self.cancelled, self.failed, self.finished]
        pick(dock, self.finished)
        assert session.focus.name == self.finished
        assert dock.picked() == [self.finished]

    def test_keys(self, dock: RunsWidget, session: Any, qtbot: Any) -> None:
        dock.view.selectRow(0)
        dock.view.setFocus()
        QTest.keyClick(dock.view, Qt.Key.Key_Space)
        assert session.marked == (self.cancelled,)
        QTest.keyClick(dock.view, Qt.Key.Key_Space)
        assert session.marked == ()
        QTest.keyClick(dock.view, Qt.Key.Key_S)
        qtbot.waitUntil(lambda: index_of(session).row(self.cancelled).star)
        QTest.keyClick(dock.view, Qt.Key.Key_Down)
        QTest.keyClick(dock.view, Qt.Key.Key_Return)
        assert session.focus.name == self.failed

    def test_star_and_mark_by_mouse(self, dock: RunsWidget, session: Any) -> None:
        view = dock.view.viewport()
        left = Qt.MouseButton.LeftButton
        QTest.mouseClick(view, left, pos=spot(dock, self.finished, "mark"))
        QTest.mouseClick(view, left, pos=spot(dock, self.failed, "star"))
        assert session.marked == (self.finished,)
        assert index_of(session).row(self.failed).star
        assert session.focus is None
        mark = dock.model.index(2, column(dock.model, "mark"))
        assert mark.data(ICON_ROLE) == ("checkbox-marked", "model")
        session.set_focus(self.finished)
        assert mark.data(ICON_ROLE) == ("checkbox-marked", "blade")

    def test_a_stopped_run_says_why_and_offers_resume(
        self, dock: RunsWidget, calls: list[Any], workspace: Workspace
    ) -> None:
        pick(dock, self.failed)
        assert dock.bar.label.text().startswith("Out of memory in Train.")
        assert [b.text() for b in dock.bar.buttons] == ["Resume", "Run again"]
        dock.bar.buttons[0].click()
        assert calls[-1] == ("resume", self.failed)

    def test_resume_says_epoch_and_metric(
        self, dock: RunsWidget, session: Any, workspace: Workspace, qtbot: Any
    ) -> None:
        folder = workspace.runs / self.cancelled
        events = (folder / "events.jsonl").read_text().splitlines(keepends=True)
        ends = next(k for k, e in enumerate(events) if '"node_finished","node":"train"' in e)
        (folder / "events.jsonl").write_text("".join(events[:ends]))
        saved = folder / "nodes" / "train" / "checkpoints" / "once"
        saved.mkdir(parents=True)
        (saved / "loop-000.json").write_text(json.dumps({"head": {"done": 280, "seq": 300}}))
        watch = session.runner.watch(self.cancelled)
        qtbot.waitUntil(lambda: watch.is_caught_up)
        said = dock.deeds.resume_point(self.cancelled)
        assert said.startswith("Train goes on in epoch 2 of 3 (50 %), top-1 ")

    def test_the_menu_offers_what_is_possible(
        self, dock: RunsWidget, calls: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        menu = QMenu(dock)
        dock.fill_menu(menu, [self.finished])
        found = entries(menu)
        enabled = {text for text, entry in found.items() if entry.isEnabled()}
        assert {"Run again", "Open as pipeline", "Delete run", "Open folder"} <= enabled
        assert not {"Resume", "Stop", "Kill now", "Cancel", "Sooner in the queue"} & enabled
        found["Open as pipeline"].trigger()
        found["Run again"].trigger()
        assert calls == [("open_run_graph", {"run": self.finished}), ("rerun", self.finished)]
        found["Copy as command"].trigger()
        assert self.finished in QGuiApplication.clipboard().text()
        found["Copy as Python"].trigger()
        assert "train" in QGuiApplication.clipboard().text()

    def test_live_runs(
        self, dock: RunsWidget, session: Any, calls: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        states = {self.finished: "running", self.failed: "cancelling"}
        monkeypatch.setattr(session.runner, "state", lambda name: states.get(name, "queued"))
        monkeypatch.setattr(session.runner, "can_kill", lambda name: name == self.failed)
        pick(dock, self.finished)
        assert [b.text() for b in dock.bar.buttons] == ["Stop"]
        dock.bar.buttons[0].click()
        pick(dock, self.failed)
        assert [b.text() for b in dock.bar.buttons] == ["Kill now"]
        assert dock._second.isActive()
        dock.bar.buttons[0].click()
        assert calls[-2:] == [("stop", self.finished), ("kill", self.failed)]
        pick(dock, self.cancelled)
        assert [b.text() for b in dock.bar.buttons] == ["Sooner", "Later", "Cancel"]
        dock.ask_delete([self.finished])
        assert calls[-1] == ("told", f"{self.finished} is going on.")
        assert not dock.bar.is_asking

    def test_a_live_run_shows_its_figures_so_far(
        self, dock: RunsWidget, session: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dock.choose_metric("train.val_top1", True)
        watch = session.runner.watch(self.finished)
        qtbot.waitUntil(lambda: watch.is_caught_up)
        live = replace(index_of(session).row(self.finished), state="running", best={}, last={})
        dock.model.update_rows([live])
        cell = dock.model.index(2, column(dock.model, "best:train.val_top1"))
        assert cell.data() == ""
        dock.model.update_rows([live_row(session, live)])
        figures = watch.run.result["metrics"]["train"]["val_top1"]
        assert cell.data() == f"{figures['max']:.2f}"
        last = dock.model.index(2, column(dock.model, "last:train.val_top1")).data()
        assert last == f"{figures['last']:.2f}"

    def test_the_queue_moves_up_and_down(
        self, dock: RunsWidget, session: Any, calls: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(type(session.runner), "queued", property(lambda _: ["a", "b", "c"]))
        dock.deeds.shift("c", -1)
        dock.deeds.shift("a", 1)
        dock.deeds.shift("a", -1)
        assert [what for _, what in calls] == [["a", "c", "b"], ["b", "a", "c"], ["a", "b", "c"]]

    def test_delete_asks_first_and_esc_keeps(
        self, dock: RunsWidget, session: Any, workspace: Workspace, qtbot: Any
    ) -> None:
        session.mark(self.failed)
        pick(dock, self.failed)
        dock.view.setFocus()
        QTest.keyClick(dock.view, Qt.Key.Key_Delete)
        assert self.failed in dock.bar.label.text()
        QTest.keyClick(dock.bar, Qt.Key.Key_Escape)
        assert not dock.bar.is_asking
        assert (workspace.runs / self.failed).is_dir()
        QTest.keyClick(dock.view, Qt.Key.Key_Delete)
        next(b for b in dock.bar.buttons if b.text() == "Delete run").click()
        qtbot.waitUntil(lambda: not (workspace.runs / self.failed).exists())
        assert names(dock.model) == [self.cancelled, self.finished]
        assert session.marked == ()
        assert session.focus is None

    def test_tags_notes_and_names(self, dock: RunsWidget, session: Any) -> None:
        dock.ask_text("tags", [self.finished, self.failed])
        dock.bar.field.setText("paper, good")
        QTest.keyClick(dock.bar.field, Qt.Key.Key_Return)
        index = index_of(session)
        assert index.row(self.finished).tags == index.row(self.failed).tags == ("paper", "good")
        dock.ask_text("label", [self.finished])
        dock.bar.field.setText("eight bit")
        dock.bar.buttons[-1].click()
        assert index.row(self.finished).label == "eight bit"
        dock.ask_text("note", [self.finished])
        QTest.keyClick(dock.bar.field, Qt.Key.Key_Escape)
        assert index.row(self.finished).note == ""

    def test_settings_that_differ(self, dock: RunsWidget, session: Any, calls: list[Any]) -> None:
        session.mark(self.finished)
        session.mark(self.cancelled)
        dock.show_diff()
        assert dock.diff.isVisible()
        table = dock.diff.model
        assert [table.item(0, c).text() for c in range(3)] == ["train.epochs", "10", "3"]
        assert table.rowCount() == 1
        dock.diff.copy()
        assert "| train.epochs | 10 | 3 |" in QGuiApplication.clipboard().text()

    def test_filter_field_and_columns(self, dock: RunsWidget, session: Any, qtbot: Any) -> None:
        tools = dock.tools()
        tools.field.setText("10-00")
        assert names(dock.model) == [self.failed]
        tools.field.clear()
        menu = QMenu(dock)
        tools.fill_states(menu)
        entries(menu)["cancelled"].trigger()
        assert names(dock.model) == [self.cancelled]
        assert tools.states.color == "blade"
        dock.view.clearSelection()
        dock._offer()
        assert dock.bar.label.text() == "1 of 3 runs pass the filter."
        dock.bar.buttons[0].click()
        assert len(names(dock.model)) == 3
        menu.clear()
        dock.fill_columns(menu)
        entries(menu)["train loss"].trigger()
        assert "best:train.loss" in dock.model.columns
        entries(menu)["Note"].trigger()
        again = RunsWidget(session)
        qtbot.addWidget(again)
        assert again.model.metrics == dock.model.metrics
        assert again.view.isColumnHidden(column(again.model, "note"))

    def test_the_table_is_copied(self, dock: RunsWidget) -> None:
        dock.copy_table("markdown")
        text = QGuiApplication.clipboard().text()
        assert text.startswith("| State | Run |")
        assert text.count("\n") == 5
        dock.copy_table("csv")
        assert QGuiApplication.clipboard().text().startswith("State,Run,")

    def test_a_refusal_becomes_a_message(
        self, dock: RunsWidget, session: Any, calls: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(name: str) -> None:
            raise DocumentError(f'The run "{name}" is finished.')

        monkeypatch.setattr(session.runner, "resume", refuse)
        dock.deeds.resume([self.finished])
        assert calls[-1] == ("told", f'The run "{self.finished}" is finished.')

    def test_a_header_click_sorts(self, dock: RunsWidget) -> None:
        header = dock.view.horizontalHeader()
        where = column(dock.model, "state")
        at = QPoint(header.sectionViewportPosition(where) + 20, header.height() // 2)
        QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=at)
        first = [dock.model.index(r, where).data(SHOWN) for r in range(3)]
        QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=at)
        second = [dock.model.index(r, where).data(SHOWN) for r in range(3)]
        assert sorted([first, second]) == [sorted(first), sorted(first, reverse=True)]
        dock.choose_metric("train.loss", True)
        assert header.sortIndicatorSection() == column(dock.model, "state")
        assert [dock.model.index(r, where).data(SHOWN) for r in range(3)] == second


def test_what_the_shell_reads() -> None:
    assert ("runs", RunsWidget) == (RunsDock.NAME, RunsDock.WIDGET)


def test_the_table_needs_no_plot_library() -> None:
    code = "import sys, studio.docks.runs; print('pyqtgraph' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
