"""The scene mirrors the document, whatever happens to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPointF

from backend.core.errors import DocumentError
from backend.core.graph import Graph
from studio.editor.link_item import LinkItem
from studio.editor.node_item import NodeItem
from studio.editor.note_item import NoteItem
from studio.editor.scene import GraphScene
from studio.session import Session
from tests.studio.canvas_parts import shown, small_graph


def assert_mirrors(scene: GraphScene) -> None:
    """Items are those of the document, at its places, and no others are left behind."""
    graph = scene.graph
    assert set(scene.node_items) == set(graph.nodes)
    assert set(scene.link_items) == set(graph.links)
    assert set(scene.note_items) == {str(note["id"]) for note in graph.notes}
    for name, place in graph.layout.items():
        assert scene.node_items[name].pos() == QPointF(place["x"], place["y"])
    for link, item in scene.link_items.items():
        start = item.path().pointAtPercent(0)
        assert (start - scene.port_point(link.source, "output")).manhattanLength() < 1
    kinds = (NodeItem, LinkItem, NoteItem)
    held = [item for item in scene.items() if isinstance(item, kinds)]
    assert len(held) == len(graph.nodes) + len(graph.links) + len(graph.notes)
    for name, item in scene.node_items.items():
        assert item.name == name
        ends = graph.links_of([name])
        assert len(item.linked) == len(
            {f"i{x.target}" for x in ends if x.target_node == name}
        ) + len({x.source for x in ends if x.source_node == name})


def test_follows_edits_and_undo(session: Session) -> None:
    scene = GraphScene(session)
    small_graph(session)
    assert_mirrors(scene)
    session.document.add_note((0, 0, 200, 96), "words")
    session.document.remove(["train"])
    assert_mirrors(scene)
    while session.document.stack.canUndo():
        session.document.stack.undo()
        assert_mirrors(scene)
    assert not scene.node_items
    while session.document.stack.canRedo():
        session.document.stack.redo()
        assert_mirrors(scene)


def test_rename_keeps_links(session: Session) -> None:
    scene = GraphScene(session)
    small_graph(session)
    session.document.rename("train", "float")
    assert_mirrors(scene)
    session.document.stack.undo()
    assert_mirrors(scene)


def test_replaced_document_leaves_nothing(session: Session) -> None:
    scene = GraphScene(session)
    small_graph(session)
    session.document.add_note((0, 0, 200, 96), "words")
    session.document.new()
    assert not scene.items()
    assert not scene.node_items
    assert not scene._links_of


EDITS: tuple[Callable[[Session, int], Any], ...] = (
    lambda s, n: s.document.add(
        ("train.classifier", "data.digits", "evaluate.classifier", "nowhere.known")[n % 4],
        at=(n * 8.0, n * 4.0),
    ),
    lambda s, n: s.document.remove([_name(s, n)]),
    lambda s, n: s.document.connect(f"{_name(s, n)}.classifier", f"{_name(s, n // 3)}.model"),
    lambda s, n: s.document.connect(
        f"{_name(s, n)}.data", f"{_name(s, n // 3)}.data", replace=True
    ),
    lambda s, n: s.document.move({_name(s, n): (n * 3.0, 8.0)}),
    lambda s, n: s.document.rename(_name(s, n), f"other{n}"),
    lambda s, n: s.document.bypass([_name(s, n)], bool(n % 2)),
    lambda s, n: s.document.add_note((n, n, 200, 96), "words", ("note", "frame")[n % 2]),
    lambda s, n: s.document.stack.undo(),
    lambda s, n: s.document.stack.redo(),
)


def _name(session: Session, n: int) -> str:
    names = list(session.document.graph.nodes) or ["nothing"]
    return names[n % len(names)]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, len(EDITS) - 1), st.integers(0, 60)), max_size=25))
def test_mirrors_after_any_edits(session: Session, steps: list[tuple[int, int]]) -> None:
    session.document.new()
    scene = GraphScene(session)
    for edit, n in steps:
        try:
            EDITS[edit](session, n)
        except DocumentError:
            continue
        assert_mirrors(scene)
    while session.document.stack.canUndo():
        session.document.stack.undo()
    assert_mirrors(scene)
    assert not scene.node_items
    scene.deleteLater()


def test_selection_goes_both_ways(qtbot: Any, session: Session) -> None:
    small_graph(session)
    view = shown(qtbot, session)
    session.selection.set(["train"])
    assert view.scene().state.nodes == frozenset(["train"])
    assert "Train" in view.accessibleDescription()
    session.document.remove(["train"])
    assert view.scene().state.nodes == frozenset()


def test_graph_without_places_is_laid_out_but_not_changed(session: Session, tmp_path: Path) -> None:
    graph = Graph("bare")
    graph.add("data.digits", name="a")
    graph.add("train.classifier", name="b")
    graph.connect("a.data", "b.data")
    graph.save(tmp_path / "bare.json")
    scene = GraphScene(session)
    session.document.open(tmp_path / "bare.json")
    a, b = scene.node_items["a"].card_rect(), scene.node_items["b"].card_rect()
    assert not a.intersects(b)
    assert session.document.graph.layout == {}
    assert not session.document.is_modified


def test_unknown_node_keeps_title_version_and_links(session: Session, tmp_path: Path) -> None:
    graph = Graph("old")
    graph.add("data.digits", name="a", at=(0, 0))
    graph.add("magic.node", name="b", at=(300, 0), version=3)
    graph.connect("a.data", "b.anything")
    graph.save(tmp_path / "old.json")
    scene = GraphScene(session)
    session.document.open(tmp_path / "old.json")
    face = scene.node_items["b"].face
    assert face.unknown
    assert face.title == "magic.node"
    assert face.summary == "version 3"
    assert [port.name for port in face.inputs] == ["anything"]
    assert_mirrors(scene)


def test_hits(session: Session) -> None:
    scene = GraphScene(session)
    small_graph(session)
    port = scene.port_point("train.model", "input")
    assert scene.hit(port + QPointF(-6, 2)).end == "train.model"
    assert scene.hit(QPointF(360, 100)).node is scene.node_items["train"]
    link = session.document.graph.links[0]
    middle = scene.link_items[link].path().pointAtPercent(0.5)
    found = scene.hit(middle).link
    assert found is not None
    assert found.link == link
    nothing = scene.hit(QPointF(5000, 5000))
    assert (nothing.node, nothing.link, nothing.note) == (None, None, None)


def test_problems_show_on_the_card(session: Session) -> None:
    scene = GraphScene(session)
    small_graph(session)
    session.document.validate()
    face = scene.node_items["test"].face
    assert face.state == "warning"
    assert face.problems == 2
    assert face.missing == {"model", "data"}
    assert scene.node_items["train"].face.state == "idle"
    badge = scene.node_items["test"].plan.badge.center() + scene.node_items["test"].pos()
    assert scene.hit(badge).part == "badge"
    session.document.connect("train.classifier", "test.model")
    session.document.connect("data.data", "test.data")
    session.document.validate()
    assert scene.node_items["test"].face.problems == 0


@pytest.mark.parametrize("count", [60])
def test_faces_are_made_only_for_what_is_seen(qtbot: Any, session: Session, count: int) -> None:
    view = shown(qtbot, session)
    with session.document.macro("Many"):
        for index in range(count):
            session.document.add("train.classifier", at=(index * 4000.0, 0.0))
    view.viewport().grab()
    made = [item for item in view.scene().node_items.values() if item._face is not None]
    assert len(made) < 5
