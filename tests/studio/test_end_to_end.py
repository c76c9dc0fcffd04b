"""With the mouse and real runs in their own processes: what a user does with the first example."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from studio.docks.example_card import ExampleCard
from studio.docks.runs_model import NAME_ROLE
from studio.editor.drop_gesture import MIME
from tests.studio.canvas_parts import LEFT, NONE, drag, input_, output

SECONDS = 120_000
COPY = Qt.DropAction.CopyAction


# -- what the hand does ----------------------------------------------------------------------------


def open_example(window, qtbot, **params) -> None:
    """Click the card, apply the tiny preset from the menu."""
    qtbot.mouseClick(window.findChildren(ExampleCard)[0], LEFT)
    window.menus.fill_presets()
    next(a for a in window.menus.presets.actions() if a.text() == "Tiny").trigger()
    for end, value in params.items():
        node, _, param = end.partition("__")
        window.session.document.set(node, **{param: value})


def click_run(window, qtbot) -> str:
    """Click Run and return the name of the run that this made."""
    folder = window.session.workspace.runs
    before = set(folder.glob("*"))
    window.refresh()
    qtbot.mouseClick(window.tool_row.run, LEFT)
    (made,) = set(folder.glob("*")) - before
    return made.name


def click_node(window, qtbot, name: str) -> None:
    item = window.view.scene().node_items[name]
    qtbot.mouseClick(
        window.view.viewport(), LEFT, pos=window.view.mapFromScene(item.card_rect().center())
    )


def drop_file(window, path: Path) -> str:
    """Drag a file over the window and release it; returns what was said before the release."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    place = QPoint(400, 300)
    entered = QDragEnterEvent(place, COPY, data, LEFT, NONE)
    QApplication.sendEvent(window, entered)
    assert entered.isAccepted()
    overlay = window.drop_overlay
    assert overlay.isVisible()
    said = overlay.plan.sentence
    QApplication.sendEvent(overlay, QDragMoveEvent(place, COPY, data, LEFT, NONE))
    QApplication.sendEvent(overlay, QDropEvent(QPointF(place), COPY, data, LEFT, NONE))
    assert not overlay.isVisible()
    return said


def drop_kind(view, kind: str, place: QPoint) -> None:
    """Drag a kind of node from the palette to a point of the canvas."""
    data = QMimeData()
    data.setData(MIME, kind.encode())
    view.dragEnterEvent(QDragEnterEvent(place, COPY, data, LEFT, NONE))
    view.dragMoveEvent(QDragMoveEvent(place, COPY, data, LEFT, NONE))
    view.dropEvent(QDropEvent(QPointF(place), COPY, data, LEFT, NONE))


def click_cell(window, qtbot, run: str, column: str) -> None:
    """Click a cell of the table of runs."""
    runs = window.dock_widget("runs")
    table, model = runs.view, runs.model
    row = next(n for n in range(model.rowCount()) if model.index(n, 0).data(NAME_ROLE) == run)
    cell = model.index(row, model.columns.index(column))
    table.scrollTo(cell)
    qtbot.mouseClick(table.viewport(), LEFT, pos=table.visualRect(cell).center())


def wait_for(qtbot, window, run: str, state: str) -> None:
    qtbot.waitUntil(lambda: window.session.runner.state(run) == state, timeout=SECONDS)


class Seen:
    """What the canvas and the tool row showed while a run went on."""

    def __init__(self, window) -> None:
        self.window = window
        self.states: set[str] = set()
        self.percents: list[float] = []
        self.texts: set[str] = set()
        self.points: list[int] = []
        self.views: list[int] = []
        window.session.runner.batch.connect(self.look)

    def look(self, _news) -> None:
        """Note it."""
        window, fold = self.window, self.window.session.focus.fold
        for item in window.view.scene().node_items.values():
            self.states.add(item.face.state)
            self.texts |= {item.face.left, item.face.right}
        train = fold.nodes.get("train")
        if train is not None and train.percent is not None:
            self.percents.append(train.percent)
        self.points.append(len(fold.series.get(("train", "loss"), ())))
        self.views.append(sum(len(v) for key, v in fold.views.items() if key[1] == "layers"))
        window.refresh()
        self.texts.add(window.tool_row.words.text())


# -- from the card to two runs side by side --------------------------------------------------------


@pytest.mark.slow
def test_from_the_card_to_two_runs_side_by_side(window, qtbot, tmp_path, monkeypatch) -> None:
    session = window.session
    open_example(window, qtbot, train__epochs=12, f8net__epochs=3)
    seen = Seen(window)
    run = click_run(window, qtbot)
    assert session.focus.name == run
    qtbot.waitUntil(lambda: session.focus.state == "running", timeout=SECONDS)
    window.refresh()
    assert window.tool_row.stop.isVisible()
    wait_for(qtbot, window, run, "finished")
    check_what_was_seen(seen)
    check_docks(window, qtbot, run)

    session.document.set("f8net", epochs=4)
    again = click_run(window, qtbot)
    assert again != run
    wait_for(qtbot, window, again, "finished")
    result = json.loads((session.workspace.runs / again / "result.json").read_text())
    assert result["nodes"]["train"]["cached"], "what did not change is not computed again"
    assert not result["nodes"]["f8net"]["cached"]
    check_compare(window, qtbot, [run, again])
    check_export(window, qtbot, tmp_path, monkeypatch)
    check_dropped_models(window, qtbot, session.workspace)


def check_what_was_seen(seen: Seen) -> None:
    """Rings, percents and times on the cards; points and layers that came while it ran."""
    assert {"queued", "running", "done"} <= seen.states
    assert seen.percents == sorted(seen.percents)
    assert any(0 < percent < 100 for percent in seen.percents)
    assert any(text.endswith(" left") for text in seen.texts)
    assert any(text.endswith(" %") and text[:-2].isdigit() for text in seen.texts)
    assert any("of 13" in text and "left in" in text for text in seen.texts)
    assert len(set(seen.points)) > 2, "the curve moved"
    assert len(set(seen.views)) > 2, "the layers changed"


def check_docks(window, qtbot, run: str) -> None:
    """Curves, layers and runs show the run that ended; a click on a card shows its properties."""
    session = window.session
    window.show_dock("curves")
    curves = window.dock_widget("curves")
    qtbot.waitUntil(lambda: {"loss", "val_top1"} <= set(curves.plots), timeout=SECONDS)
    click_node(window, qtbot, "f8net")
    assert session.selection.nodes == ("f8net",)
    assert window.dock_widget("properties").header.title.text() == "F8Net"
    window.show_dock("layers")
    layers = window.dock_widget("layers")
    qtbot.waitUntil(lambda: layers.table.model().rowCount() > 4, timeout=SECONDS)
    window.show_dock("runs")
    qtbot.waitUntil(lambda: [r.name for r in session.runner.index.rows] == [run], timeout=SECONDS)
    assert session.runner.index.rows[0].state == "finished"
    qtbot.waitUntil(lambda: "f8net_test.top1" in session.runner.index.rows[0].best)


def check_compare(window, qtbot, names: list[str]) -> None:
    """Mark both in the table of runs; the table beside says what differs."""
    session = window.session
    window.show_dock("runs")
    rows = window.session.runner.index
    qtbot.waitUntil(lambda: {r.name for r in rows.rows} >= set(names), timeout=SECONDS)
    for name in names:
        click_cell(window, qtbot, name, "mark")
    assert set(session.marked) == set(names)
    window.show_dock("compare")
    compare = window.dock_widget("compare")
    qtbot.waitUntil(lambda: compare.model.columnCount() == 3, timeout=SECONDS)
    titles = [entry.title for entry in compare.model.table.lines]
    assert "Settings that differ" in titles
    assert any("f8net" in title and "epochs" in title for title in titles)


def check_export(window, qtbot, folder: Path, monkeypatch) -> None:
    """A plot as picture, drawing and numbers, by the menu of the curves."""
    window.show_dock("curves")
    curves = window.dock_widget("curves")
    tools = curves.tools()
    for kind, sign in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("csv", b"")):
        path = folder / f"plot.{kind}"
        monkeypatch.setattr(
            QFileDialog, "getSaveFileName", lambda *_a, path=path, **_k: (str(path), "")
        )
        getattr(tools.exporter, f"save_{kind}")()
        content = path.read_bytes()
        assert content.startswith(sign)
        assert len(content) > 200
    assert "val_top1" in (folder / "plot.csv").read_text()


def check_dropped_models(window, qtbot, workspace) -> None:
    """What the run exported and stored is dropped on the window: its layers and tensors show."""
    for ending in ("onnx", "safetensors"):
        path = max(workspace.root.rglob(f"*.{ending}"), key=lambda p: p.stat().st_size)
        assert path.name in drop_file(window, path)
        inspector = window.dock_widget("inspector")
        qtbot.waitUntil(lambda: not inspector.is_reading, timeout=SECONDS)  # noqa: B023
        assert inspector.message == ""
        assert inspector.isVisible()
        assert inspector.tensors.rowCount() > 3


# -- a run that outlives its window ----------------------------------------------------------------


@pytest.mark.slow
def test_the_run_goes_on_without_the_window(window, workspace, recorded_catalog, qtbot) -> None:
    from studio.main_window import MainWindow
    from studio.session import Session

    open_example(window, qtbot, train__epochs=400)
    run = click_run(window, qtbot)
    fold = window.session.focus.fold
    qtbot.waitUntil(lambda: len(fold.series.get(("train", "loss"), ())) > 5, timeout=SECONDS)
    window.close()
    assert window.questions.question, "closing asks about what is not saved"
    qtbot.mouseClick(window.questions.buttons()["Close without saving"], LEFT)
    assert not window.isVisible()

    again = MainWindow(Session(workspace, recorded_catalog))
    try:
        again.show()
        again.session.runner.scan()
        qtbot.waitUntil(lambda: again.session.runner.active == [run], timeout=SECONDS)
        again.act("open_run_graph", run=run)
        assert again.session.focus.name == run
        fold = again.session.focus.fold
        qtbot.waitUntil(lambda: len(fold.series.get(("train", "loss"), ())) > 5, timeout=SECONDS)
        check_queue(again, qtbot, run)
        check_stop_and_resume(again, qtbot, run, fold)
    finally:
        again.close_without_asking()
        again.deleteLater()


def check_queue(window, qtbot, run: str) -> None:
    """A second run waits; what goes on stays in sight; edits are for the next run."""
    session = window.session
    told: list = []
    session.told.connect(told.append)
    second = click_run(window, qtbot)
    qtbot.waitUntil(lambda: session.runner.queued == [second], timeout=SECONDS)
    assert session.focus.name == run
    assert told[-1].text == "Queued."
    assert run in told[-1].detail
    told[-1].action[1]()
    assert session.focus.name == second
    assert {node.state for node in session.focus.fold.nodes.values()} <= {"queued", "idle"}
    session.set_focus(run)
    session.selection.set(["train"])
    window.show_dock("properties")
    assert window.dock_widget("properties").note.isVisible()
    session.runner.stop(second)
    wait_for(qtbot, window, second, "cancelled")


def check_stop_and_resume(window, qtbot, run: str, fold) -> None:
    """Stop is seen at once; the card and the message say where Resume goes on; it does."""
    session = window.session
    told: list = []
    session.told.connect(told.append)
    window.refresh()
    qtbot.mouseClick(window.tool_row.stop, LEFT)
    assert session.runner.state(run) == "cancelling"
    wait_for(qtbot, window, run, "cancelled")
    qtbot.waitUntil(lambda: any(m.text == "Run cancelled." for m in told), timeout=SECONDS)
    (news,) = (m for m in told if m.text == "Run cancelled.")
    assert news.detail.startswith("Train goes on in epoch ")
    assert " of 400 (" in news.detail
    card = window.view.scene().node_items["train"]
    qtbot.waitUntil(lambda: card.face.right == "Resume", timeout=SECONDS)
    assert card.face.left.startswith("cancelled at ")
    points = fold.series[("train", "loss")]
    before = len(points)
    window.refresh()
    assert window.actions_by_id["resume"].isEnabled()
    window.view.set_zoom(1.0)
    window.view.sight.stop()
    window.view.centerOn(card.card_rect().center())
    QApplication.processEvents()
    spot = window.view.mapFromScene(card.pos() + card.plan.remedy.center())
    qtbot.mouseClick(window.view.viewport(), LEFT, pos=spot)
    qtbot.waitUntil(lambda: len(points) > before + 3, timeout=SECONDS)
    assert told[-1].text == "Resumed."
    steps = list(points.steps)
    assert steps == sorted(set(steps)), "what was resumed does not count twice"
    session.runner.stop(run)
    wait_for(qtbot, window, run, "cancelled")


@pytest.mark.slow
def test_a_failing_node_is_told_on_its_card_and_in_words(window, qtbot, tmp_path: Path) -> None:
    session = window.session
    window.act("new")
    session.document.add("data.image_folder", (0, 0), {"folder": str(tmp_path / "nowhere")})
    told: list = []
    session.told.connect(told.append)
    run = click_run(window, qtbot)
    wait_for(qtbot, window, run, "failed")
    node = session.focus.fold.nodes["image_folder"]
    assert node.state == "failed"
    assert "nowhere" in node.error
    qtbot.waitUntil(lambda: any("nowhere" in m.text + m.detail for m in told)), told
    assert not any("Traceback" in m.text + m.detail for m in told)
    window.refresh()
    assert window.actions_by_id["rerun_failed"].isEnabled()


# -- editing with the mouse ------------------------------------------------------------------------


def test_a_node_is_dragged_in_linked_refused_undone_and_saved(
    window, qtbot, tmp_path, monkeypatch
) -> None:
    session, view = window.session, window.view
    window.act("new")
    document = session.document
    document.add("data.fashion_mnist", (0, 0))
    document.add("model.resnet", (300, 0))
    view.set_zoom(1.0)
    view.centerOn(380, 120)
    qtbot.wait(50)
    drop_kind(view, "evaluate.classifier", view.mapFromScene(QPointF(680, 120)))
    assert session.selection.nodes == ("classifier",)
    drag(view, output(view, "fashion_mnist.data"), input_(view, "resnet.data"))
    assert [link.target for link in document.graph.links] == ["resnet.data"]

    drag(view, output(view, "fashion_mnist.data"), input_(view, "classifier.model"), drop=False)
    bubble = view.gesture._bubble
    assert bubble.isVisible()
    assert "Data" in bubble.text
    QTest.mouseRelease(view.viewport(), LEFT, NONE, input_(view, "classifier.model"))
    assert len(document.graph.links) == 1, "data is no model"

    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)
    view.setFocus()
    window.refresh()
    keys = Qt.KeyboardModifier.ControlModifier
    QTest.keyClick(view, Qt.Key.Key_Z, keys)
    assert not document.graph.links
    window.refresh()
    QTest.keyClick(view, Qt.Key.Key_Z, keys | Qt.KeyboardModifier.ShiftModifier)
    assert len(document.graph.links) == 1

    path = tmp_path / "mine.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_a, **_k: (str(path), ""))
    QTest.keyClick(view, Qt.Key.Key_S, keys)
    saved = json.loads(path.read_text())
    assert saved["links"] == [["fashion_mnist.data", "resnet.data"]]
    assert set(saved["nodes"]) == {"fashion_mnist", "resnet", "classifier"}
    assert not document.is_modified
    window.refresh()
    assert "mine" in window.windowTitle()


# -- keys ------------------------------------------------------------------------------------------


@pytest.fixture
def active(window, recorded_run, qtbot):
    """An active window on the graph of a recorded run, with two nodes selected."""
    window.act("open_pipeline", path=str(recorded_run / "graph.json"))
    window.session.set_focus(recorded_run.name)
    window.session.selection.set(["train", "net"])
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)
    window.refresh()
    return window


def test_keys_while_typing_reach_the_text_and_not_the_graph(active) -> None:
    graph = active.session.document.graph.to_json()
    field = active.dock_widget("nodes").field
    active.show_dock("nodes")
    field.setFocus()
    QTest.keyClicks(field, "bnc/A")
    assert field.text() == "bnc/A"
    for key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
        QTest.keyClick(field, key)
    for key in (Qt.Key.Key_A, Qt.Key.Key_X, Qt.Key.Key_V, Qt.Key.Key_D, Qt.Key.Key_G):
        QTest.keyClick(field, key, Qt.KeyboardModifier.ControlModifier)
    assert active.session.document.graph.to_json() == graph
    assert field.text() == "bnc/"


def test_delete_in_the_table_of_runs_means_the_run_and_on_the_canvas_the_nodes(
    active, qtbot
) -> None:
    active.show_dock("runs")
    runs = active.dock_widget("runs")
    qtbot.waitUntil(lambda: runs.isVisible() and runs.model.rowCount() == 1)
    runs.view.setFocus()
    runs.view.selectRow(0)
    count = len(active.session.document.graph.nodes)
    QTest.keyClick(runs.view, Qt.Key.Key_Delete)
    assert len(active.session.document.graph.nodes) == count
    assert runs.bar.is_asking
    runs.bar.close_question()
    active.view.setFocus()
    QTest.keyClick(active.view, Qt.Key.Key_Delete)
    assert len(active.session.document.graph.nodes) == count - 2


@pytest.mark.parametrize("dock", ["runs", "log", "nodes", "curves", "layers", "properties"])
def test_escape_leads_back_to_the_canvas(active, qtbot, dock) -> None:
    active.show_dock(dock)
    qtbot.waitUntil(lambda: active.frames[dock].isAncestorOf(active.focusWidget()))
    QTest.keyClick(active.focusWidget(), Qt.Key.Key_Escape)
    assert active.focusWidget() is active.view
    assert active.session.selection.nodes == ("train", "net"), "and does nothing else"


def test_a_node_is_found_by_name(active) -> None:
    QTest.keyClick(active.view, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(QApplication.focusWidget(), "float_cost")
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    assert active.session.selection.nodes == ("float_cost",)
    assert active.focusWidget() is active.view


def test_run_leaves_the_keyboard_on_the_canvas(active, qtbot, monkeypatch) -> None:
    started = []
    run = active.session.focus.name
    monkeypatch.setattr(active.session.runner, "start", lambda *_a, **_k: started.append(1) or run)
    active.view.setFocus()
    qtbot.mouseClick(active.tool_row.run, LEFT)
    assert started == [1]
    assert active.focusWidget() is active.view
    QTest.keyClick(active.view, Qt.Key.Key_Space)
    assert started == [1]
