"""A card says when its figure is of other settings, and why; and how long it took before."""

from __future__ import annotations

import pytest

from studio.changes import outdated


@pytest.fixture
def shown(window, recorded_run, qtbot):
    """A window on a run and its own graph, unchanged."""
    session = window.session
    window.act("open_pipeline", path=str(recorded_run / "graph.json"))
    session.set_focus(recorded_run.name)
    qtbot.waitUntil(lambda: session.focus.is_caught_up, timeout=10_000)
    return session


def faces(window):
    return {name: item.face for name, item in window.view.scene().node_items.items()}


def test_nothing_is_outdated_at_first(window, shown) -> None:
    assert not any(shown.changes.of(name) for name in shown.document.graph.nodes)
    assert faces(window)["f8net"].state == "done"


def test_a_changed_setting_is_told_on_the_card_and_on_those_that_need_it(
    window, shown, qtbot
) -> None:
    before = faces(window)
    shown.document.set("f8net", epochs=7)
    qtbot.waitUntil(lambda: "F8Net" in faces(window)["f8net_test"].left)
    now = faces(window)
    assert now["f8net"].left == "epochs changed"
    assert now["f8net"].right.startswith("about ")
    assert now["f8net"].state == "idle"
    assert now["f8net_test"].left == "will run: F8Net changed"
    assert now["train"] == before["train"], "what does not need it stays as it is"
    assert "was" in shown.changes.of("f8net").long
    shown.document.stack.undo()
    qtbot.waitUntil(lambda: faces(window) == before)


def test_seed_bypass_and_links_count_and_moving_does_not(shown) -> None:
    document, specs = shown.document, shown.catalog.specs
    then = document.graph.copy()
    document.move({"train": (999, 999)})
    assert outdated(then, document.graph, specs) == {}
    document.bypass(["train"], True)
    assert outdated(then, document.graph, specs)["train"].short == "bypassed now"
    document.stack.undo()
    link = document.graph.into("train")[0]
    document.disconnect(link.source, link.target)
    assert outdated(then, document.graph, specs)["train"].short == "links changed"
    document.stack.undo()
    document.set_seed(9)
    assert {o.short for o in outdated(then, document.graph, specs).values()} == {"seed changed"}


def test_a_default_written_out_is_no_change(shown) -> None:
    document, specs = shown.document, shown.catalog.specs
    then = document.graph.copy()
    node = document.graph.nodes["train"]
    fields = specs[node.type].params["properties"]
    name = next(n for n in fields if n not in node.params and "default" in fields[n])
    document.set("train", **{name: fields[name]["default"]})
    assert outdated(then, document.graph, specs) == {}


def test_a_card_that_was_not_run_says_how_long_it_took_before(window, shown) -> None:
    shown.set_focus(None)
    card = faces(window)["f8net"]
    assert card.left == "not run"
    assert card.right.startswith("about ")
    new = shown.document.add("train.classifier", (0, 900))
    assert faces(window)[new].right == ""
