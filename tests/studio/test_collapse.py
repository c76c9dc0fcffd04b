"""A node that shows its head alone: kept with its place, undone, meaning nothing."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from backend.core.graph import Graph
from tests.studio.canvas_parts import small_graph


@pytest.fixture
def graph(window):
    """A window on a small graph whose training is selected, with the keyboard on the canvas."""
    window.act("new")
    small_graph(window.session)
    window.session.selection.set(["train"])
    window.refresh()
    return window.session.document


def test_head_alone_and_whole_again(window, graph) -> None:
    item = window.view.scene().node_items["train"]
    tall = item.plan.height
    window.act("collapse")
    assert item.plan.height < tall / 2
    assert item.face.collapsed
    assert "collapsed" in item.face.words
    window.refresh()
    assert window.actions_by_id["collapse"].isChecked()
    graph.stack.undo()
    assert item.plan.height == tall
    graph.stack.redo()
    window.act("collapse")
    assert item.plan.height == tall
    assert "collapsed" not in graph.graph.layout["train"]


def test_links_end_at_the_head(window, graph) -> None:
    window.act("collapse")
    scene = window.view.scene()
    rect = scene.node_items["train"].card_rect()
    for end, side in (("train.model", "input"), ("train.classifier", "output")):
        assert rect.top() < scene.port_point(end, side).y() < rect.bottom()
    path = next(i for link, i in scene.link_items.items() if link.target == "train.data").path()
    assert rect.top() < path.currentPosition().y() < rect.bottom()


def test_it_is_saved_moved_and_copied_but_modifies_nothing(window, graph, tmp_path) -> None:
    graph.save_as(tmp_path / "small.json")
    window.act("collapse")
    assert not graph.is_modified
    assert not graph.is_saved
    graph.move({"train": (400, 96)})
    graph.save()
    again = Graph.load(tmp_path / "small.json")
    assert again.layout["train"] == {"x": 400.0, "y": 96.0, "collapsed": 1.0}
    window.act("duplicate")
    (copy,) = window.session.selection.nodes
    assert window.view.scene().node_items[copy].face.collapsed


def test_by_key_on_the_canvas_and_not_while_typing(window, graph, qtbot) -> None:
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)
    window.view.setFocus()
    QTest.keyClick(window.view, Qt.Key.Key_C)
    assert window.view.scene().node_items["train"].face.collapsed
    window.tool_row.seed.setFocus()
    QTest.keyClick(window.tool_row.seed, Qt.Key.Key_C)
    assert window.view.scene().node_items["train"].face.collapsed
