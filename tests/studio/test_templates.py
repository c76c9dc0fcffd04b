"""A graph of the user's own as a card of the welcome page."""

from __future__ import annotations

from PySide6.QtCore import Qt

from studio.docks.cards import templates_of
from studio.docks.example_card import ExampleCard
from tests.studio.canvas_parts import small_graph


def cards(window) -> dict[str, ExampleCard]:
    found = window.findChildren(ExampleCard)
    return {card.example.title: card for card in found if card.isVisibleTo(window)}


def test_a_graph_becomes_a_card_that_opens_a_copy(window, qtbot, workspace) -> None:
    session = window.session
    window.act("new")
    small_graph(session)
    session.document.set_name("small test")
    told = []
    session.told.connect(told.append)
    window.act("save_template")
    path = templates_of(workspace) / "small-test.json"
    assert path.is_file()
    assert told[-1].kind == "good"
    told[-1].action[1]()
    assert not window.shows_graph
    qtbot.waitUntil(lambda: "Small test" in cards(window))
    content = path.read_bytes()
    session.document.save_as(workspace.root / "elsewhere.json")
    qtbot.mouseClick(cards(window)["Small test"], Qt.MouseButton.LeftButton)
    assert window.shows_graph
    assert session.document.path is None, "the template itself is not what is edited"
    assert set(session.document.graph.nodes) == {"data", "net", "train", "test"}
    session.document.set("train", epochs=3)
    assert path.read_bytes() == content


def test_one_of_the_same_name_is_replaced_only_after_a_question(window, workspace) -> None:
    window.act("new")
    small_graph(window.session)
    window.session.document.set_name("mine")
    window.act("save_template")
    path = templates_of(workspace) / "mine.json"
    before = path.read_bytes()
    window.session.document.set("train", epochs=3)
    window.act("save_template")
    assert path.read_bytes() == before
    window.questions.buttons()["Replace"].click()
    assert path.read_bytes() != before


def test_a_template_is_removed_and_put_back(window, qtbot, workspace) -> None:
    window.act("new")
    small_graph(window.session)
    window.session.document.set_name("mine")
    window.act("save_template")
    window.act("welcome")
    qtbot.waitUntil(lambda: "Mine" in cards(window))
    told = []
    window.session.told.connect(told.append)
    (remove,) = cards(window)["Mine"].actions()
    remove.trigger()
    qtbot.waitUntil(lambda: "Mine" not in cards(window))
    assert not (templates_of(workspace) / "mine.json").exists()
    told[-1].action[1]()
    qtbot.waitUntil(lambda: "Mine" in cards(window))
    assert len(window.findChildren(ExampleCard)) >= 2
