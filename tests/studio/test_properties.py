"""The properties dock over a real document: edits, undo, several nodes, problems, help, outputs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from backend.core.graph import GraphNode
from studio.docks.forecast import basis
from studio.docks.help_page import HelpDock, HelpWidget, help_html
from studio.docks.measured import EarlierRuns, Measured
from studio.docks.node_header import first_paragraph, short_source
from studio.docks.outputs_page import OutputsDock, OutputsWidget
from studio.docks.properties import PropertiesDock, PropertiesWidget, common_schema, plain
from studio.theme import theme
from studio.words import duration

RUN = "2026-11-24_09-00_quantize-classifier"


@pytest.fixture
def dock(qtbot: Any, session: Any) -> PropertiesWidget:
    made = PropertiesWidget(session)
    qtbot.addWidget(made)
    made.resize(304, 900)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def nodes(session: Any) -> dict[str, str]:
    document = session.document
    return {
        "f8net": document.add("quantize.f8net"),
        "train": document.add("train.classifier"),
        "second": document.add("train.classifier"),
    }


@pytest.fixture
def shown_run(session: Any, recorded_run: Path) -> Path:
    session.document.open(recorded_run / "graph.json")
    session.set_focus(recorded_run.name)
    while not session.focus.is_caught_up:
        session.focus.read(0.1)
    return recorded_run


def recorded(node: str) -> dict[str, Any]:
    """What the result of the recorded run says of a node."""
    result = Path(__file__).parent.parent / "data" / "run" / "result.json"
    return dict(json.loads(result.read_text())["nodes"][node])


def typed(dock: PropertiesWidget, name: str, text: str) -> None:
    edit = dock.form.row(name).editor.edit
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, text)


# -- one node ------------------------------------------------------------


def test_the_docks_say_what_they_are() -> None:
    for made in (PropertiesDock, HelpDock, OutputsDock):
        assert made.NAME
        assert made.TITLE
        assert made.AREA == "right"


def test_the_selected_node_is_shown(dock: Any, session: Any, nodes: dict[str, str]) -> None:
    session.selection.set([nodes["f8net"]])
    assert dock.header.title.text() == "F8Net"
    assert dock.header.name.text() == nodes["f8net"]
    assert dock.header.source.text() == "Jin et al., ICLR 2022"
    assert dock.form.names()[:2] == ["bits", "mode"]
    session.selection.set([nodes["train"]])
    assert dock.header.title.text() == "Train"
    assert "optimizer" in dock.form.names()


def test_typing_is_one_step_of_the_document(dock: Any, session: Any, nodes: dict[str, str]) -> None:
    document = session.document
    session.selection.set([nodes["train"]])
    before = document.stack.count()
    typed(dock, "epochs", "25")
    assert document.graph.nodes[nodes["train"]].params == {"epochs": 25}
    assert document.stack.count() == before + 1
    document.stack.undo()
    assert document.graph.nodes[nodes["train"]].params == {}
    assert dock.form.row("epochs").editor.edit.text() == "10"
    document.stack.redo()
    assert dock.form.row("epochs").editor.edit.text() == "25"


def test_a_wrong_value_never_reaches_the_document(
    dock: Any, session: Any, nodes: dict[str, str]
) -> None:
    session.selection.set([nodes["train"]])
    typed(dock, "batch", "0")
    assert session.document.graph.nodes[nodes["train"]].params == {}
    assert dock.form.row("batch").error == "At least 2 images. Was 128."
    session.document.validate()
    assert dock.form.row("batch").editor.edit.text() == "0"


def test_a_wrong_value_is_there_again_when_the_node_is(
    dock: Any, session: Any, nodes: dict[str, str]
) -> None:
    session.selection.set([nodes["train"]])
    typed(dock, "batch", "0")
    session.selection.set([nodes["second"]])
    assert dock.form.row("batch").editor.edit.text() == "128"
    assert dock.form.row("batch").error == ""
    session.selection.set([nodes["train"]])
    assert dock.form.row("batch").editor.edit.text() == "0"
    assert dock.form.row("batch").error == "At least 2 images. Was 128."
    session.document.set(nodes["train"], epochs=4)
    assert dock.form.row("batch").editor.edit.text() == "0"


def test_reset_gives_the_default_again(dock: Any, session: Any, nodes: dict[str, str]) -> None:
    session.document.set(nodes["train"], epochs=3, batch=64)
    session.selection.set([nodes["train"]])
    row = dock.form.row("epochs")
    assert row.is_changed
    QTest.mouseClick(row._button, Qt.MouseButton.LeftButton)
    assert session.document.graph.nodes[nodes["train"]].params == {"batch": 64}
    assert row.editor.edit.text() == "10"


def test_an_edit_from_elsewhere_shows(dock: Any, session: Any, nodes: dict[str, str]) -> None:
    session.selection.set([nodes["train"]])
    session.document.set(nodes["train"], epochs=77)
    assert dock.form.row("epochs").editor.edit.text() == "77"


def test_renaming_in_place_keeps_the_selection(
    dock: Any, session: Any, nodes: dict[str, str]
) -> None:
    session.selection.set([nodes["train"]])
    dock.edit_name()
    dock.header.name.selectAll()
    QTest.keyClicks(dock.header.name, "teacher")
    QTest.keyClick(dock.header.name, Qt.Key.Key_Return)
    assert "teacher" in session.document.graph.nodes
    assert session.selection.nodes == ("teacher",)
    assert dock.header.name.text() == "teacher"


def test_a_name_that_is_taken_is_told_and_put_back(
    dock: Any, session: Any, nodes: dict[str, str]
) -> None:
    heard: list[Any] = []
    session.told.connect(heard.append)
    session.selection.set([nodes["train"]])
    dock.header.name.selectAll()
    QTest.keyClicks(dock.header.name, nodes["f8net"])
    QTest.keyClick(dock.header.name, Qt.Key.Key_Return)
    assert len(heard) == 1
    assert "already" in heard[0].text
    assert dock.header.name.text() == nodes["train"]


def test_bypass_is_a_switch(dock: Any, session: Any, nodes: dict[str, str]) -> None:
    session.selection.set([nodes["train"]])
    QTest.mouseClick(dock.header.bypass, Qt.MouseButton.LeftButton)
    assert session.document.graph.nodes[nodes["train"]].bypass
    session.document.stack.undo()
    assert not dock.header.bypass.isChecked()


def test_problems_stand_below_their_field_or_as_lines(
    dock: Any, session: Any, nodes: dict[str, str]
) -> None:
    session.document.set(nodes["train"], epochs=0)
    session.selection.set([nodes["train"]])
    session.document.validate()
    assert dock.form.row("epochs").told == "Must be at least 1; it is 0."
    assert dock.form.row("epochs").editor.edit.text() == "0"
    assert [line for line in dock.problems.lines if "model" in line.text]
    assert (
        plain('Parameter "bits" must be at most 16; it is 99.') == "Must be at most 16; it is 99."
    )


def test_a_kind_that_is_not_installed_is_kept(dock: Any, session: Any) -> None:
    session.document.graph.nodes["odd"] = GraphNode("third.party", {"x": 1})
    session.document.replaced.emit()
    session.selection.set(["odd"])
    assert dock.header.title.text() == "third.party"
    assert "not installed" in dock.header.text.text()
    assert dock.form is None


def test_a_form_is_used_again(dock: Any, session: Any, nodes: dict[str, str]) -> None:
    session.selection.set([nodes["f8net"]])
    first = dock.form
    session.selection.set([nodes["train"]])
    assert not first.isVisible()
    session.selection.set([nodes["f8net"]])
    assert dock.form is first
    session.catalog.changed.emit()
    assert dock.form is not first
    assert dock.form.names() == ["bits", *dock.form.names()[1:]]


# -- several nodes, none ------------------------------------------------------------


def test_several_nodes_are_edited_in_one_step(
    dock: Any, session: Any, nodes: dict[str, str]
) -> None:
    document = session.document
    document.set(nodes["train"], epochs=3)
    session.selection.set([nodes["train"], nodes["second"]])
    assert dock.header.title.text() == "2 nodes"
    assert dock.form.row("epochs").editor.edit.placeholderText() == "mixed"
    assert dock.form.row("batch").editor.edit.text() == "128"
    before = document.stack.count()
    typed(dock, "epochs", "75")
    for name in ("train", "second"):
        assert document.graph.nodes[nodes[name]].params["epochs"] == 75
    assert document.stack.count() == before + 1
    document.stack.undo()
    assert document.graph.nodes[nodes["train"]].params == {"epochs": 3}
    assert document.graph.nodes[nodes["second"]].params == {}


def test_nodes_of_two_kinds_share_what_means_the_same(
    dock: Any, session: Any, nodes: dict[str, str]
) -> None:
    session.selection.set([nodes["train"], nodes["f8net"]])
    names = dock.form.names()
    assert "batch" in names
    assert "optimizer" not in names
    assert "bits" not in names


def test_defaults_that_differ_are_no_default() -> None:
    one = {"properties": {"x": {"type": "integer", "default": 1}, "y": {"type": "integer"}}}
    other = {"properties": {"x": {"type": "integer", "default": 2}, "y": {"type": "string"}}}
    assert common_schema([one, other])["properties"] == {"x": {"type": "integer"}}


def test_without_a_selection_the_document_is_shown(dock: Any, session: Any, nodes: Any) -> None:
    session.selection.set([])
    page = dock.document_page
    assert page.isVisible()
    assert "3 nodes, 0 links, 0 notes" in page._facts.text()
    edit = page.form.row("seed").editor.edit
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, "7")
    assert session.document.graph.seed == 7
    edit.selectAll()
    QTest.keyClicks(edit, "-1")
    assert page.form.row("seed").error == "At least 0. Was 7."
    edit.selectAll()
    QTest.keyClicks(edit, "9" * 25)
    assert "2^63" in page.form.row("seed").told
    assert session.document.graph.seed < 2**63


def test_the_name_of_the_document_is_edited(dock: Any, session: Any) -> None:
    edit = dock.document_page.form.row("name").editor.edit
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, "my net")
    assert session.document.name == "my net"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["type", "undo", "redo", "reset", "select"]),
            st.sampled_from(["epochs", "batch", "lr"]),
            st.sampled_from(["1", "64", "0", "x", "4e-5", "1,5", ""]),
        ),
        max_size=12,
    )
)
def test_the_fields_agree_with_the_document_after_any_edits(
    dock: Any, session: Any, nodes: dict[str, str], steps: list[tuple[str, str, str]]
) -> None:
    document = session.document
    names = [nodes["train"], nodes["second"]]
    session.selection.set([names[0]])
    for what, field, text in steps:
        if what == "type":
            typed(dock, field, text)
        elif what == "undo":
            document.stack.undo()
        elif what == "redo":
            document.stack.redo()
        elif what == "reset":
            dock.form.row(field).reset.emit(field)
        else:
            session.selection.set(
                [names[1] if session.selection.nodes[0] == names[0] else names[0]]
            )
        current = session.selection.nodes
        if not current or current[0] not in document.graph.nodes:
            document.stack.redo()  # the node itself was undone
            session.selection.set([names[0]] if names[0] in document.graph.nodes else [])
            continue
        params = document.graph.nodes[current[0]].params
        for name in ("epochs", "batch", "lr"):
            row = dock.form.row(name)
            if not row.editor.has_draft:
                assert row.editor.value == params.get(name, row.spec.default)
    while document.stack.canRedo():
        document.stack.redo()


# -- runs ------------------------------------------------------------


def test_the_forecast_is_a_measured_time_with_its_run(
    dock: Any, session: Any, shown_run: Path
) -> None:
    session.selection.set(["f8net"])
    assert dock.forecast.isVisible()
    seconds = recorded("f8net")["seconds"]
    assert dock.forecast.figure.text() == f"about {duration(seconds)}"
    assert dock.forecast.basis.text() == "measured in the run of 2026-11-24 09:00, same settings"
    assert shown_run.name in dock.forecast.toolTip()
    session.document.set("f8net", epochs=6)
    assert dock.forecast.basis.text() == "measured in the run of 2026-11-24 09:00, there epochs 5"


def test_nothing_is_forecast_that_was_not_measured(
    dock: Any, session: Any, nodes: dict[str, str], recorded_run: Path
) -> None:
    session.selection.set([nodes["train"]])
    assert not dock.forecast.isVisible()


def test_a_time_from_the_store_is_no_measurement(session: Any, recorded_run: Path) -> None:
    runs = EarlierRuns(session.workspace)
    runs.refresh("quantize-classifier")
    assert runs.find("f8net", GraphNode("quantize.f8net", {"epochs": 5})) is not None
    assert runs.find("f8net", GraphNode("train.classifier")) is None
    assert runs.find("nobody", GraphNode("quantize.f8net")) is None
    result = recorded_run / "result.json"
    result.write_text(result.read_text().replace('"cached": false', '"cached": true'))
    again = EarlierRuns(session.workspace)
    again.refresh("quantize-classifier")
    assert again.find("f8net", GraphNode("quantize.f8net", {"epochs": 5})) is None


def test_other_settings_of_the_measured_run_are_named() -> None:
    many = Measured(1.0, "r", {"epochs": 5, "lr": None, "bits": 4})
    assert basis(many) == "measured in the run of r, there epochs 5, lr at its default and 1 more"


def test_no_run_no_note(dock: Any, session: Any, nodes: dict[str, str]) -> None:
    session.selection.set([nodes["train"]])
    assert not dock.note.isVisible()


def test_a_running_run_of_the_document_is_told(
    dock: Any, session: Any, shown_run: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(type(session.runner), "active", property(lambda _: [shown_run.name]))
    session.selection.set(["f8net"])
    assert dock.note.isVisible()
    assert dock.note.text == "Changes apply to the next run."


def test_outputs_of_a_finished_node(qtbot: Any, session: Any, shown_run: Path) -> None:
    widget = OutputsWidget(session)
    qtbot.addWidget(widget)
    widget.show()
    session.selection.set(["f8net"])
    facts = re.sub("<[^>]+>", " ", widget.facts.text())
    assert "done" in facts
    assert duration(recorded("f8net")["seconds"]) in facts
    assert recorded("f8net")["fingerprint"][:12] in facts
    metrics = re.sub("<[^>]+>", " ", widget.metrics.text()).split()
    assert metrics[:3] == ["last", "lowest", "highest"]
    assert "val_top1" in metrics
    assert "outputs.json" in widget.files.text()
    assert widget.inspect.isEnabled()
    stored = session.workspace.store / session.focus.fold.nodes["data"].fingerprint
    stored.mkdir(parents=True)
    (stored / "data.json").write_text("{}")
    session.selection.set(["data"])
    assert "store/data.json" in widget.files.text()
    assert widget._pictures.count() == 1
    acted: list[Any] = []
    session.acted.connect(lambda *words: acted.append(words))
    QTest.mouseClick(widget.inspect, Qt.MouseButton.LeftButton)
    QTest.mouseClick(widget.folder, Qt.MouseButton.LeftButton)
    assert acted[0] == ("inspect", {"run": shown_run.name, "node": "data"})
    assert acted[1] == ("open_folder", {"path": shown_run / "nodes" / "data"})


def test_outputs_say_why_there_are_none(
    qtbot: Any, session: Any, nodes: dict[str, str], shown_run: Path
) -> None:
    widget = OutputsWidget(session)
    qtbot.addWidget(widget)
    widget.show()
    session.selection.set([])
    assert widget.empty.label.text() == "Select a node to see what it gave."
    new = session.document.add("train.classifier")
    session.selection.set([new])
    assert "not part of the run" in widget.empty.label.text()
    session.set_focus(None)
    assert widget.empty.label.text() == "Outputs appear when the graph has run."


def test_help_names_ports_settings_and_sources(
    qtbot: Any, session: Any, nodes: dict[str, str]
) -> None:
    widget = HelpWidget(session)
    qtbot.addWidget(widget)
    widget.show()
    session.selection.set([nodes["f8net"]])
    text = widget.browser.toPlainText()
    for part in ("F8Net", "ICLR 2022", "Classifier", "Weight decay", "4e-5", "from the code"):
        assert part in text
    assert "in files std_source = pre_relu, raw_input" in text
    assert "https://arxiv.org/abs/2202.05239" in widget.browser.toHtml()
    session.selection.set([])
    assert "Select a node" in widget.browser.toPlainText()


def test_f1_in_a_field_opens_its_help(qtbot: Any, window: Any) -> None:
    session = window.session
    name = session.document.add("quantize.f8net")
    session.selection.set([name])
    properties = window.dock_widget("properties")
    window.show_dock("properties")
    properties.form.focus_field("rescale")
    QTest.keyClick(properties.form.row("rescale").editor.focusProxy(), Qt.Key.Key_F1)
    page = window.dock_widget("help")
    qtbot.waitUntil(page.isVisible)
    bar = page.browser.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.value() > 0)
    seen = page.browser.cursorForPosition(QPoint(20, 4)).block().text()
    assert "Classifier scale" in seen or bar.value() == bar.maximum()
    assert "".join(marked(page)) == "Classifier scale"
    session.document.set(name, bits=4)
    assert "".join(marked(page)) == "Classifier scale"
    session.selection.set([session.document.add("train.classifier")])
    assert marked(page) == []
    assert bar.value() == 0


def marked(page: Any) -> list[str]:
    """Words of the help that have the colour of links and are none."""
    found = []
    block = page.browser.document().begin()
    while block.isValid():
        for span in block.textFormats():
            if span.format.foreground().color() == theme().color("blade"):
                text = block.text()[span.start : span.start + span.length]
                found += [] if span.format.anchorHref() else [text]
        block = block.next()
    return found


def test_every_kind_of_node_has_help(session: Any) -> None:
    for spec in session.catalog.specs.values():
        assert spec.title in help_html(spec)


def test_long_sources_are_shortened() -> None:
    assert short_source("Jin et al., F8Net, ICLR 2022, sec. 3") == "Jin et al., ICLR 2022"
    assert short_source("Tan, Le, 2019") == "Tan, Le, 2019"
    assert first_paragraph("One\ntwo.\n\nThree.") == "One two."
