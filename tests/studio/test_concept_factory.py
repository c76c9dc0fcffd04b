"""From the card "Concept factory" to the gallery: a real run, and a phone that is scripted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.core.catalog import Catalog, kept
from backend.core.views import Table
from backend.core.workspace import Workspace
from device_bridge import protocol as say
from device_bridge import wire
from device_bridge.edits import Edits
from studio.docks.example_card import ExampleCard
from tests.fakes import ROOT
from tests.requirements import require
from tests.studio.canvas_parts import LEFT
from tests.studio.concept_making import make
from tests.studio.test_concepts_dock import looked
from tests.studio.test_end_to_end import click_node, click_run, wait_for

pytestmark = pytest.mark.timeout(180)
CARD = "Concept factory"


@pytest.fixture(scope="session")
def recorded_catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The nodes as they are now, in the place of the recorded ones."""
    home = tmp_path_factory.mktemp("catalog")
    # Another process reads the node files: they import torch.
    environment = {**os.environ, "FRETSAW_HOME": str(home)}
    command = [sys.executable, "-m", "backend", "catalog"]
    subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, timeout=120)
    catalog = kept(Workspace(home))
    assert catalog is not None
    return catalog


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base of a few weights for pictures of 32 px, so that the run takes seconds."""
    make("base", tmp_path / "base")
    return tmp_path / "base"


def open_card(window, qtbot) -> None:
    """Click the card and choose the tiny preset."""
    card = next(c for c in window.findChildren(ExampleCard) if CARD in c.accessibleName())
    qtbot.mouseClick(card, LEFT)
    window.menus.fill_presets()
    next(a for a in window.menus.presets.actions() if a.text() == "Tiny").trigger()


def test_the_card_says_what_it_is_and_opens_a_graph_without_problems(window, qtbot) -> None:
    open_card(window, qtbot)
    document = window.session.document
    assert document.graph.name == "concept-factory"
    assert document.problems == []
    assert document.graph.nodes["scratch"].bypass
    notes = " ".join(note["text"] for note in document.graph.notes)
    for words in ("Diffusion editor", "May download", "press B"):
        assert words in notes
    window.session.selection.set(["scratch"])
    window.act("bypass")
    assert not document.graph.nodes["scratch"].bypass
    assert document.problems == [], "the branch can be switched on as it is"


def test_from_the_card_to_a_concept_on_the_phone(bridges, window, qtbot, base) -> None:
    require("minilm")
    session = window.session
    open_card(window, qtbot)
    session.document.set("base", preset="folder", folder=str(base))
    session.selection.set(["scratch"])
    window.act("bypass")
    run = click_run(window, qtbot)
    wait_for(qtbot, window, run, "finished")

    # The meter is a table of the training, and the dock follows the card that is clicked.
    click_node(window, qtbot, "adapt")
    window.show_dock("views")
    views = window.dock_widget("views")
    qtbot.waitUntil(lambda: isinstance(views.viewer.payload, Table), timeout=10_000)
    meter = views.viewer.payload
    assert [column.name for column in meter.columns][1:3] == ["This adapter", "From scratch"]
    trained = next(row for row in meter.rows if row[0] == "Numbers trained")
    assert 0 < trained[1] < trained[2]
    assert any(str(row[0]).startswith("Seconds taken") for row in meter.rows)
    measured = session.focus.fold.series  # the other branch was told the adapter's goal
    assert {("scratch", "train_seconds"), ("scratch", "reached")} <= set(measured)

    # The gallery shows what was exported, and a click lets the phone show it.
    window.set_workspace("Phone")
    gallery = window.dock_widget("concepts")
    qtbot.waitUntil(lambda: looked(gallery) == 2, timeout=10_000)
    assert [concept.name for concept in gallery.grid.source.rows] == ["Style 19", "wave"]
    assert all(Path(concept.after).is_file() for concept in gallery.chosen.concepts)
    bridges.last.connects()
    gallery.grid.pick("wave")
    gallery.grid.activated.emit(gallery.grid.currentIndex())
    (push,) = bridges.last.of(wire.Push)
    (wish,) = bridges.last.told(say.ShowConcept)
    assert (wish.id, wish.first) == (push.id, "wave")
    offer = Edits().push(push).offer
    assert [concept.id for concept in offer.concepts.concepts] == ["style-19", "wave"]
