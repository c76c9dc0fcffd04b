"""With the mouse and a real run in its own process: what a user does with the first pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

from studio.docks.example_card import ExampleCard

SECONDS = 120_000
LEFT = Qt.MouseButton.LeftButton


def open_example(window, qtbot, **params) -> None:
    """Click the card, apply the tiny preset from the menu."""
    qtbot.mouseClick(window.findChildren(ExampleCard)[0], LEFT)
    window.menus.fill_presets()
    next(a for a in window.menus.presets.actions() if a.text() == "Tiny").trigger()
    for end, value in params.items():
        node, _, param = end.partition("__")
        window.session.document.set(node, **{param: value})


def click_run(window, qtbot) -> str:
    window.refresh()
    qtbot.mouseClick(window.tool_row.run, LEFT)
    return window.session.focus.name


def node_point(window, name: str) -> QPoint:
    item = window.view.scene().node_items[name]
    return window.view.mapFromScene(item.card_rect().center())


def wait_for(qtbot, window, run: str, state: str) -> None:
    qtbot.waitUntil(lambda: window.session.runner.state(run) == state, timeout=SECONDS)


@pytest.mark.slow
def test_first_pipeline_from_card_to_result(window, qtbot) -> None:
    session = window.session
    open_example(window, qtbot, train__epochs=3, f8net__epochs=2)
    seen: set[str] = set()
    percents: list[float] = []

    def watch(news) -> None:
        for name, node in news[0].fold.nodes.items():
            seen.add(node.state)
            if name == "train" and node.percent is not None:
                percents.append(node.percent)

    session.runner.batch.connect(watch)
    run = click_run(window, qtbot)
    qtbot.waitUntil(lambda: session.focus.state == "running", timeout=SECONDS)
    window.refresh()
    assert window.tool_row.stop.isVisible()
    wait_for(qtbot, window, run, "finished")
    fold = session.focus.fold
    assert {"queued", "running", "done"} <= seen
    assert percents == sorted(percents)
    assert all(node.state in ("done", "warning") for node in fold.nodes.values()), fold.nodes

    window.show_dock("curves")
    curves = window.dock_widget("curves")
    qtbot.waitUntil(lambda: {"loss", "val_top1"} <= set(curves.plots), timeout=SECONDS)
    assert len(fold.series[("train", "loss")]) >= 6
    layers = [key for key in fold.views if key[1] == "layers"]
    assert layers
    assert len(fold.views[layers[0]]) > 1, "formats are shown while they change"

    qtbot.mouseClick(window.view.viewport(), LEFT, pos=node_point(window, "f8net"))
    assert session.selection.nodes == ("f8net",)
    window.show_dock("layers")
    window.show_dock("runs")
    qtbot.waitUntil(lambda: [r.name for r in session.runner.index.rows] == [run], timeout=SECONDS)
    assert session.runner.index.rows[0].state == "finished"


@pytest.mark.slow
def test_the_run_goes_on_without_the_window(window, workspace, recorded_catalog, qtbot) -> None:
    from studio.main_window import MainWindow
    from studio.session import Session

    open_example(window, qtbot, train__epochs=400)
    run = click_run(window, qtbot)
    fold = window.session.focus.fold
    qtbot.waitUntil(lambda: len(fold.series.get(("train", "loss"), ())) > 5, timeout=SECONDS)
    window.close_without_asking()

    again = MainWindow(Session(workspace, recorded_catalog))
    try:
        again.show()
        again.session.runner.scan()
        qtbot.waitUntil(lambda: again.session.runner.active == [run], timeout=SECONDS)
        again.act("open_run_graph", run=run)
        assert again.session.focus.name == run
        fold = again.session.focus.fold
        qtbot.waitUntil(lambda: len(fold.series.get(("train", "loss"), ())) > 5, timeout=SECONDS)

        second = click_run(again, qtbot)
        qtbot.waitUntil(lambda: again.session.runner.queued == [second], timeout=SECONDS)
        again.session.runner.stop(second)
        wait_for(qtbot, again, second, "cancelled")

        again.session.set_focus(run)
        again.refresh()
        states: list[str] = []
        again.session.focus.changed.connect(lambda _e: states.append(again.session.focus.state))
        qtbot.mouseClick(again.tool_row.stop, LEFT)
        assert again.session.runner.state(run) == "cancelling"
        wait_for(qtbot, again, run, "cancelled")
        before = len(fold.series[("train", "loss")])
        again.refresh()
        assert again.actions_by_id["resume"].isEnabled()
        again.act("resume")
        qtbot.waitUntil(lambda: len(fold.series[("train", "loss")]) > before + 3, timeout=SECONDS)
        steps = list(fold.series[("train", "loss")].steps)
        assert steps == sorted(set(steps)), "what was resumed does not count twice"
        again.session.runner.stop(run)
        wait_for(qtbot, again, run, "cancelled")
    finally:
        again.close_without_asking()
        again.deleteLater()


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


def test_linking_with_the_mouse_and_the_reason_why_not(window, qtbot) -> None:
    session, view = window.session, window.view
    window.act("new")
    document = session.document
    document.add("data.fashion_mnist", (0, 0))
    document.add("model.resnet", (300, 0))
    document.add("evaluate.classifier", (600, 0))
    view.zoom_to_fit()
    qtbot.wait(300)
    scene = view.scene()

    def point(end: str, side: str) -> QPoint:
        return view.mapFromScene(scene.port_point(end, side))

    def drag(start: QPoint, end: QPoint) -> None:
        QTest.mousePress(view.viewport(), LEFT, pos=start)
        for part in (0.3, 0.7, 1.0):
            step = QPointF(start) + (QPointF(end) - QPointF(start)) * part
            QTest.mouseMove(view.viewport(), step.toPoint())
        QTest.mouseRelease(view.viewport(), LEFT, pos=end)

    drag(point("fashion_mnist.data", "output"), point("resnet.data", "input"))
    assert [link.target for link in document.graph.links] == ["resnet.data"]
    drag(point("fashion_mnist.data", "output"), point("classifier.model", "input"))
    assert len(document.graph.links) == 1, "data is no model"
    document.stack.undo()
    assert not document.graph.links
    document.stack.redo()
    assert len(document.graph.links) == 1
