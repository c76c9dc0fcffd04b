"""The inspector: reading in a process of its own, tables, histogram, refusals, node outputs."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtWidgets import QApplication

from backend.core.errors import DocumentError
from studio.docks import inspection
from studio.docks.histogram import Histogram
from studio.docks.inspector import InspectorWidget
from studio.docks.inspector_detail import kind_text, span_text
from studio.docks.inspector_facts import figures_of, zeros_of
from studio.docks.inspector_model import (
    TENSOR_COLUMNS,
    RecordsModel,
    bytes_text,
    layers_of,
    natural,
    share_text,
    short_count,
)
from studio.docks.stored_output import network_file
from studio.widgets.button import ToolButton


def tensor(name: str, *shape: int, dtype: str = "float32") -> dict:
    size = 1
    for one in shape:
        size *= one
    return {"name": name, "shape": list(shape), "dtype": dtype, "bytes": 4 * size, "bits": 32}


FACTS = {
    "file": "net.safetensors",
    "format": "safetensors",
    "bytes": 2000,
    "params": 400,
    "metadata": {},
    "tensors": [
        tensor("block2.conv.weight", 4, 4, 3, 3),
        tensor("block2.conv.bias", 4),
        tensor("block10.fc.weight", 10, 4),
        tensor("scale"),
    ],
}
FIGURES = [
    {"tensor": 0, "min": -1.0, "max": 1.0, "mean": 0.1, "zeros": 0.5, "nonfinite": 0},
    {"tensor": 1, "min": 3.0, "max": 3.0, "mean": 3.0, "zeros": 0.0, "nonfinite": 0},
    {"tensor": 2, "min": -5.0, "max": 2.0, "mean": 0.0, "zeros": 0.25, "nonfinite": 3},
    {"tensor": 3, "min": None, "max": None, "mean": None, "zeros": 0.0, "nonfinite": 1},
]
for _part in FIGURES[:3]:
    _part["histogram"] = {"low": _part["min"] - 1, "high": _part["max"] + 1, "counts": [1, 2, 7]}


@pytest.fixture
def backend(monkeypatch):
    """Let a few lines of Python stand in for the command line."""

    def speak(body: str) -> None:
        code = "import json, sys, time\n" + textwrap.dedent(body)
        monkeypatch.setattr(inspection, "backend_command", lambda *_: [sys.executable, "-c", code])

    return speak


@pytest.fixture
def widget(qtbot, session):
    made = InspectorWidget(session)
    qtbot.addWidget(made)
    made.resize(900, 400)
    with qtbot.waitActive(made):
        made.show()
        made.activateWindow()
    yield made
    made.hide()


def whole() -> str:
    return "\n".join(f"print({json.dumps(part)!r})" for part in (FACTS, *FIGURES))


@pytest.fixture
def filled(qtbot, widget, backend):
    backend(whole())
    widget.inspect("/models/net.safetensors")
    qtbot.waitUntil(lambda: not widget.is_reading)
    return widget


def names(model: RecordsModel) -> list[str]:
    return [model.index(row, 0).data() for row in range(model.rowCount())]


# -- reading ---------------------------------------------------------------------------------------


def test_a_file_fills_both_tables(filled):
    assert filled.message == ""
    assert names(filled.tensors) == [one["name"] for one in FACTS["tensors"]]
    assert names(filled.layers) == ["block2.conv", "block10.fc", "scale"]
    assert filled.tensors.index(2, 6).data() == "-5"
    assert filled.facts.facts["Parameters"].figure.text() == "400"
    assert filled.facts.facts["Size"].rival.text() == "1.6 kB float32"
    assert filled.facts.facts["Zeros"].figure.text() != ""
    assert filled._cancel.isHidden()


def test_what_is_in_it_shows_before_the_figures(qtbot, widget, backend):
    backend(f"print({json.dumps(FACTS)!r}, flush=True); sys.stdin.read(); time.sleep(600)")
    widget.inspect("net.safetensors")
    qtbot.waitUntil(lambda: widget.tensors.rowCount() == 4)
    assert widget.is_reading
    assert widget._cancel.isVisible()
    assert widget.tensors.index(0, 6).data() == ""
    assert widget.detail.histogram.accessibleDescription() == "Not read yet."
    qtbot.mouseClick(widget._cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not widget.is_reading)
    assert widget._state.text() == "Cancelled; figures of 0 of 4 tensors"
    assert widget.tensors.rowCount() == 4
    assert widget.detail.histogram.accessibleDescription() == "Not read."


def test_cancelling_before_anything_came_leaves_the_empty_state(qtbot, widget, backend):
    backend("time.sleep(600)")
    widget.inspect("net.safetensors")
    widget.stop()
    qtbot.waitUntil(lambda: not widget.is_reading)
    assert widget.message.startswith("Select a node that holds a network")


def test_another_file_ends_the_one_being_read(qtbot, widget, backend):
    backend("time.sleep(600)")
    widget.inspect("first.onnx")
    backend(whole())
    widget.inspect("second.safetensors")
    qtbot.waitUntil(lambda: not widget.is_reading)
    assert widget._title.text() == "second.safetensors"
    assert widget.tensors.rowCount() == 4


def test_a_window_that_closes_leaves_no_process(qtbot, widget, backend):
    backend("time.sleep(600)")
    widget.inspect("net.onnx")
    process = widget._inspection._process
    qtbot.waitUntil(lambda: process.processId() > 0)
    widget.hide()
    assert not widget.is_reading


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sys.exit('fretsaw: evil.pt is refused: it would run code.')", "evil.pt is refused"),
        ("sys.exit('Traceback: very long')", "net.pt could not be read."),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "more memory than is free"),
        ("pass", "Nothing could be read from net.pt."),
        ("print('no json at all')", "Nothing could be read from net.pt."),
    ],
)
def test_a_refusal_is_one_sentence(qtbot, widget, backend, body, words):
    backend(body)
    widget.inspect("net.pt")
    qtbot.waitUntil(lambda: not widget.is_reading)
    assert words in widget.message
    assert "\n" not in widget.message


def test_damage_found_late_keeps_what_was_read(qtbot, widget, backend, session):
    told = []
    session.told.connect(told.append)
    backend(f"print({json.dumps(FACTS)!r}); sys.exit('fretsaw: net.onnx is damaged.')")
    widget.inspect("net.onnx")
    qtbot.waitUntil(lambda: not widget.is_reading)
    assert widget.message == ""
    assert widget.tensors.rowCount() == 4
    assert [(one.text, one.kind) for one in told] == [("net.onnx is damaged.", "bad")]


def test_no_python_is_told(qtbot, widget, monkeypatch):
    monkeypatch.setattr(inspection, "backend_command", lambda *_: ["/nowhere/python"])
    widget.inspect("net.onnx")
    qtbot.waitUntil(lambda: not widget.is_reading)
    assert "Python could not be started" in widget.message


def test_a_real_file_through_the_real_command(qtbot, widget, tmp_path):
    import torch

    torch.save({"fc.weight": torch.eye(3), "epoch": 2}, tmp_path / "net.pt")
    widget.inspect(tmp_path / "net.pt")
    qtbot.waitUntil(lambda: not widget.is_reading, timeout=60_000)
    assert names(widget.layers) == ["fc"]
    assert widget.facts.facts["Zeros"].figure.text() == "66.7 %"
    assert widget.detail.histogram.counts == [6, 3]


# -- tables ----------------------------------------------------------------------------------------


def test_filtering_takes_every_word_and_counts(qtbot, filled):
    qtbot.mouseClick(filled.which.parts()[1], Qt.MouseButton.LeftButton)
    qtbot.keyClicks(filled.filter, "conv 4 × 4")
    assert names(filled.tensors) == ["block2.conv.weight"]
    assert filled._count.text() == "1 of 4"
    filled.filter.setText("nothing like this")
    assert names(filled.tensors) == []
    filled.filter.clear()
    assert filled._count.text() == "4"


def test_a_click_on_the_header_sorts_and_keeps_the_picked_row(qtbot, filled):
    qtbot.mouseClick(filled.which.parts()[1], Qt.MouseButton.LeftButton)
    table = filled.tensor_table
    table.setCurrentIndex(filled.tensors.index(2, 0))
    header = table.horizontalHeader()
    table.scrollTo(filled.tensors.index(0, 6))
    spot = QPoint(header.sectionViewportPosition(6) + 12, 10)
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    first = names(filled.tensors)
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    second = names(filled.tensors)
    rising = ["block10.fc.weight", "block2.conv.weight", "block2.conv.bias", "scale"]
    falling = ["block2.conv.bias", "block2.conv.weight", "block10.fc.weight", "scale"]
    assert sorted([first, second]) == sorted([rising, falling])  # the unknown stands last in both
    assert table.currentIndex().data() == "block10.fc.weight"


@given(
    st.lists(st.one_of(st.none(), st.floats(-9, 9)), max_size=12),
    st.sampled_from(list(Qt.SortOrder)),
)
def test_sorting_is_a_permutation_with_the_unknown_last(values, order):
    model = RecordsModel(TENSOR_COLUMNS)
    model.set_records([{**tensor(f"t{i}", 2), "min": v} for i, v in enumerate(values)])
    model.sort(6, order)
    assert sorted(model.order) == list(range(len(values)))
    shown = [values[place] for place in model.order]
    known = [value for value in shown if value is not None]
    assert shown == known + [None] * (len(shown) - len(known))
    assert known == sorted(known, reverse=order == Qt.SortOrder.DescendingOrder)


def test_picking_a_layer_shows_its_largest_tensor(qtbot, filled):
    filled.layer_table.setCurrentIndex(filled.layers.index(0, 0))
    assert filled.detail.name.text() == "block2.conv.weight"
    assert filled.detail.histogram.counts == [1, 2, 7]
    qtbot.keyClick(filled.layer_table, Qt.Key.Key_Down)
    assert filled.detail.name.text() == "block10.fc.weight"
    assert filled.detail.odd.text() == "3 of 40 are not finite"
    qtbot.keyClick(filled.layer_table, Qt.Key.Key_Down)
    assert filled.detail.histogram.accessibleDescription() == "No finite numbers."


def test_copying_a_value_a_row_and_the_table(qtbot, filled):
    clipboard = QGuiApplication.clipboard()
    filled.layer_table.setCurrentIndex(filled.layers.index(0, 3))
    qtbot.keyClick(filled.layer_table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert clipboard.text() == "148"
    filled.layer_table.copy_row()
    assert clipboard.text().split("\t")[:2] == ["block2.conv", "weight, bias"]
    filled.layer_table.copy_table()
    assert len(clipboard.text().splitlines()) == 4
    filled.detail.copier.click()
    assert clipboard.text() == "block2.conv.weight"


def test_thousands_of_tensors(qtbot, widget, backend):
    backend("""
        tensors = [{"name": f"block{i // 8}.w{i % 8}", "shape": [4, 4], "dtype": "float32",
                    "bytes": 64, "bits": 32} for i in range(6000)]
        print(json.dumps({"format": "safetensors", "bytes": 9, "params": 9, "tensors": tensors}))
        for i in range(6000):
            print(json.dumps({"tensor": i, "min": -i, "max": i, "mean": 0, "zeros": 0}))
    """)
    widget.inspect("large.safetensors")
    qtbot.waitUntil(lambda: not widget.is_reading, timeout=30_000)
    widget.which.parts()[1].click()
    widget.filter.setText("block749 w7")
    assert names(widget.tensors) == ["block749.w7"]
    assert widget.tensors.index(0, 6).data() == "-5999"
    assert widget.layers.records[10]["name"] == "block10"


def test_onnx_nodes_are_layers_with_their_costs():
    facts = {
        **FACTS,
        "tensors": [tensor("w", 8, 3, 3, 3), tensor("b", 8)],
        "layers": [
            {
                "name": "a",
                "operator": "Conv",
                "inputs": ["x", "b", "w"],
                "shape": [1, 8],
                "macs": 9,
            },
            {"name": "r", "operator": "Relu", "inputs": ["y"], "shape": None, "macs": 0},
        ],
    }
    first, second = layers_of(facts)
    assert (first["params"], first["macs"], first["tensors"]) == (224, 9, [0, 1])
    assert (second["params"], second["tensors"], second["shape"]) == (0, [], None)


# -- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (950, "950"), (9999, "9,999"), (12_345, "12.3 k"), (269_722, "0.27 M"),
     (31_000_000, "31 M"), (1.8e9, "1.8 G")],
)  # fmt: skip
def test_counts(count, text):
    assert short_count(count) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (999, "999 B"),
        (1090, "1.09 kB"),
        (280_000, "280 kB"),
        (3e10, "30 GB"),
    ],
)
def test_bytes(size, text):
    assert bytes_text(size) == text


def test_shares_are_never_rounded_to_all_or_nothing():
    assert share_text(0.0) == "0 %"
    assert share_text(1e-6) == "< 0.1 %"
    assert share_text(0.9999) == "> 99.9 %"
    assert share_text(1.0) == "100 %"
    assert share_text(None) == ""


def test_names_sort_as_people_count():
    assert sorted(["b10", "b2", "a", "b2.x"], key=natural) == ["a", "b2", "b2.x", "b10"]


@given(st.lists(st.text(max_size=8), max_size=6))
def test_any_names_can_be_sorted(texts):
    assert sorted(sorted(texts, key=natural), key=natural) == sorted(texts, key=natural)


def test_facts_have_their_rivals():
    onnx = {
        **FACTS,
        "format": "onnx",
        "opset": {"ai.onnx": 17},
        "producer": "pytorch 2.11",
        "inputs": [{"name": "x", "shape": ["batch", 3, 32, 32]}],
        "macs": 31_000_000,
        "layers": [{}] * 5,
    }
    figures = figures_of(onnx)
    assert figures["Format"] == ("ONNX", "opset 17")
    assert figures["MACs"] == ("31 M", "at 3 × 32 × 32")
    assert figures["Parameters"][1] == "4 tensors"
    assert figures_of(FACTS)["MACs"][0] == ""
    assert figures_of({**onnx, "inputs": [], "macs": None})["MACs"][0] == ""
    assert zeros_of([tensor("bias", 4)]) == ("", "")


def test_a_tensor_in_words():
    codes = {**tensor("w", 6, 3, dtype="int8"), "bits": 4, "bytes": 18}
    assert kind_text(codes) == "6 × 3, int8 holding 4 bits, 18 B (72 B as float32)"
    assert kind_text(tensor("s")) == "scalar, float32, 4 B"
    assert span_text({**codes, "min": 2.0, "max": 2.0}) == "every entry is 2"
    assert span_text(codes) == ""


# -- histogram -------------------------------------------------------------------------------------


def test_the_histogram_reads_out_the_bin_under_the_pointer(qtbot):
    plot = Histogram()
    qtbot.addWidget(plot)
    plot.resize(300, 120)
    plot.show()
    plot.set({"low": -1.0, "high": 2.0, "counts": [1, 0, 3]})
    assert plot.bin_text(2) == "1 to 2: 3, 75 %"
    assert "most in 1 to 2" in plot.accessibleDescription()
    before = plot.grab().toImage()
    at = QPointF(290, 60)
    none = Qt.MouseButton.NoButton
    move = QMouseEvent(
        QMouseEvent.Type.MouseMove, at, plot.mapToGlobal(at), none, none,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(plot, move)
    assert plot.grab().toImage() != before
    plot.set(None, "Not read yet.")
    assert plot.accessibleDescription() == "Not read yet."


def test_a_log_axis_raises_the_small_bars(qtbot):
    plot = Histogram()
    qtbot.addWidget(plot)
    plot.set({"low": 0.0, "high": 1.0, "counts": [1000, 10, 0]})
    linear = plot._height(10, 1000)
    plot.set_log(True)
    assert plot._height(10, 1000) > 10 * linear
    assert plot._height(1000, 1000) == 1
    assert plot._height(0, 1000) == 0


# -- outputs of nodes ------------------------------------------------------------------------------


@pytest.fixture
def stored(workspace, recorded_run):
    """The stored output of the node net, with a file of weights in it."""
    note = json.loads((recorded_run / "nodes" / "net" / "outputs.json").read_bytes())
    folder = workspace.store / note["fingerprint"] / "classifier"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    (folder / "small.safetensors").write_bytes(b"1")
    (folder / "model.safetensors").write_bytes(b"12345")
    return folder


def test_the_largest_network_of_an_output_is_found(workspace, recorded_run, stored):
    assert network_file(workspace, recorded_run.name, "net") == stored / "model.safetensors"


def test_outputs_that_cannot_be_shown_say_why(workspace, recorded_run, stored):
    def refused(node: str) -> str:
        with pytest.raises(DocumentError) as caught:
            network_file(workspace, recorded_run.name, node)
        return str(caught.value)

    assert "has no output in this run" in refused("never")
    assert "was freed" in refused("float")
    for file in stored.glob("*.safetensors"):
        file.unlink()
    assert "holds no network; it gives Classifier" in refused("net")
    (recorded_run / "nodes" / "net" / "outputs.json").write_text('{"fingerprint": "../../.."}')
    assert "is damaged" in refused("net")
    (recorded_run / "nodes" / "net" / "outputs.json").write_text(
        '{"fingerprint": "../../..", "outputs": {}}'
    )
    assert "was freed" in refused("net")


def test_inspecting_an_output(qtbot, widget, backend, recorded_run, stored):
    backend(whole())
    widget.inspect_output(recorded_run.name, "net")
    qtbot.waitUntil(lambda: not widget.is_reading)
    assert widget._title.text().startswith("net of ")
    shutil.rmtree(stored.parent)
    widget.inspect_output(recorded_run.name, "net")
    assert "was freed" in widget.message
    assert "Run the node again." in widget.message


def test_a_selected_node_with_a_network_is_offered(
    qtbot, widget, backend, session, recorded_run, stored
):
    session.document.open(recorded_run / "graph.json", as_copy=True)
    session.set_focus(recorded_run.name)
    session.selection.set(["data"])
    assert widget.message.startswith("Select a node")
    session.selection.set(["net"])
    assert widget.message == "net holds a network."
    backend(whole())
    qtbot.mouseClick(widget._empty.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not widget.is_reading)
    assert widget.tensors.rowCount() == 4
    assert widget._look.isHidden()
    session.selection.set(["float"])
    assert widget._look.text() == "Look inside float"


def test_the_empty_state_opens_a_file(qtbot, widget, session):
    acted = []
    session.acted.connect(lambda name, _details: acted.append(name))
    qtbot.mouseClick(widget._empty.button, Qt.MouseButton.LeftButton)
    assert acted == ["load_model"]
    holder = widget.tools()
    qtbot.addWidget(holder)
    holder.findChildren(ToolButton)[0].click()
    assert acted == ["load_model", "load_model"]


def test_the_histogram_comes_when_the_picked_tensor_was_read(qtbot, widget, backend):
    backend(f"""
        print({json.dumps(FACTS)!r}, flush=True)
        time.sleep(0.3)
        print({json.dumps(FIGURES[0])!r})
    """)
    widget.inspect("net.safetensors")
    qtbot.waitUntil(lambda: widget.tensors.rowCount() == 4)
    assert widget.detail.histogram.counts == []
    qtbot.waitUntil(lambda: not widget.is_reading)
    assert widget.detail.histogram.counts == [1, 2, 7]
    assert "-1 to 1" in widget.detail.span.text()
