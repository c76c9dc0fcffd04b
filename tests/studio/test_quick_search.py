"""The quick search: what fits, in which order, and one undo step for node and link."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from backend.core.graph import Graph, Link
from studio.editor import node_search
from studio.editor.node_search import Fit
from studio.editor.quick_search import QuickSearch, place_for
from studio.editor.requests import QuickRequest
from studio.editor.view import GraphView


@pytest.fixture
def search(session, qtbot):
    view = GraphView(session)
    qtbot.addWidget(view)
    view.resize(800, 500)
    view.show()
    made = QuickSearch(session, view)
    made.setWindowFlags(Qt.WindowType.Widget)  # a popup would grab keys that offscreen has not
    yield made
    made.hide()


def ids(search):
    return [fit.spec.id for fit in search.model.fits]


def press(search, *keys):
    for key in keys:
        QTest.keyClick(search.field, key)


def with_train(session):
    return session.document.add("train.classifier", at=(0.0, 0.0))


def test_only_nodes_that_take_the_output_are_listed(search, session):
    name = with_train(session)
    search.open(QuickRequest(QPointF(300, 40), f"{name}.classifier", "output"))
    assert search.field.placeholderText() == "Nodes that take a Classifier"
    assert "evaluate.classifier" in ids(search)
    assert "data.digits" not in ids(search)
    assert "evaluate.artifact" not in ids(search)


def test_only_nodes_that_give_the_input_are_listed(search, session):
    name = with_train(session)
    search.open(QuickRequest(QPointF(-300, 40), f"{name}.data", "input"))
    assert search.field.placeholderText() == "Nodes that give Data"
    assert {"data.digits", "data.cifar"} <= set(ids(search))
    assert all(kind.startswith("data.") for kind in ids(search))


def test_what_fits_is_what_why_not_allows(session):
    graph, specs = Graph(), session.catalog.specs
    graph.add("train.classifier")
    fits = {
        f.spec.id: f for f in node_search.fitting(graph, "classifier.classifier", "output", specs)
    }
    for spec in specs.values():
        trial = Graph.from_json(graph.to_json())
        trial.add(spec.id, "other")
        reasons = [
            trial.why_not("classifier.classifier", f"other.{port.name}", specs)
            for port in spec.inputs
        ]
        assert (spec.id in fits) == (None in reasons), spec.id


def test_enter_adds_and_links_in_one_step(search, session):
    name = with_train(session)
    before = session.document.graph.to_json()
    steps = session.document.stack.index()
    search.open(QuickRequest(QPointF(300, 40), f"{name}.classifier", "output"))
    QTest.keyClicks(search.field, "eval")
    press(search, Qt.Key.Key_Return)
    graph = session.document.graph
    new = session.selection.current
    assert graph.nodes[new].type == "evaluate.classifier"
    assert graph.links == [Link(f"{name}.classifier", f"{new}.model")]
    assert session.document.stack.index() == steps + 1
    assert not search.isVisible()
    session.document.stack.undo()
    assert graph.to_json() == before


def test_a_link_pulled_from_an_input_goes_backwards_in_one_step(search, session):
    name = with_train(session)
    old = session.document.add("data.cifar", at=(-300.0, 0.0))
    session.document.connect(f"{old}.data", f"{name}.data")
    before = session.document.graph.to_json()
    search.open(QuickRequest(QPointF(-250, 62), f"{name}.data", "input"))
    QTest.keyClicks(search.field, "digits")
    press(search, Qt.Key.Key_Return)
    assert session.document.graph.links == [Link("digits.data", f"{name}.data")]
    session.document.stack.undo()
    assert session.document.graph.to_json() == before


def test_escape_leaves_nothing_behind(search, session):
    name = with_train(session)
    before, steps = session.document.graph.to_json(), session.document.stack.index()
    closed = []
    search.closed.connect(lambda: closed.append(True))
    search.open(QuickRequest(QPointF(300, 40), f"{name}.classifier", "output"))
    press(search, Qt.Key.Key_Down)
    QTest.keyClick(search, Qt.Key.Key_Escape)
    assert closed == [True]
    assert (session.document.graph.to_json(), session.document.stack.index()) == (before, steps)


def test_on_empty_canvas_every_kind_is_offered(search, session):
    search.open(QuickRequest(QPointF(8, 8)))
    assert len(ids(search)) == len(session.catalog.specs)
    QTest.keyClicks(search.field, "vgg")
    press(search, Qt.Key.Key_Return)
    assert list(session.document.graph.nodes) == ["vgg"]


def test_up_and_down_go_round(search, session):
    search.open(QuickRequest(QPointF(0, 0)))
    press(search, Qt.Key.Key_Up)
    assert search.list.currentIndex().row() == len(ids(search)) - 1
    press(search, Qt.Key.Key_Down)
    assert search.list.currentIndex().row() == 0


def test_nothing_fits_is_said(search, session):
    search.open(QuickRequest(QPointF(0, 0)))
    QTest.keyClicks(search.field, "xqzv")
    assert ids(search) == []
    assert search._none.text() == 'No node matches "xqzv".'
    press(search, Qt.Key.Key_Return)
    assert not session.document.graph.nodes


def test_use_and_favourites_come_first(session):
    fits = [Fit(spec) for spec in session.catalog.specs.values()]
    order = [fit.spec.id for fit in node_search.ranked(fits, {"profile": 3}, ["model.vgg"])]
    assert order[:2] == ["model.vgg", "profile"]


def test_the_port_lands_where_the_link_was_dropped(search, session, qtbot):
    name = with_train(session)
    point = QPointF(400, 200)
    search.open(QuickRequest(point, f"{name}.classifier", "output"))
    QTest.keyClicks(search.field, "eval")
    press(search, Qt.Key.Key_Return)
    new = session.selection.current
    spot = search._view.scene().port_point(f"{new}.model", "input")
    assert abs(spot.x() - point.x()) <= 8
    assert abs(spot.y() - point.y()) <= 8


def test_places_are_on_the_grid(session):
    fit = Fit(session.catalog.specs["data.digits"])
    x, y = place_for(QuickRequest(QPointF(13, 29)), fit)
    assert (x % 8, y % 8) == (0, 0)
