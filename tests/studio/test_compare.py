"""The Compare dock: scatter with front, and the marked runs side by side."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from backend.core.graph import Graph
from backend.core.workspace import Workspace
from studio.docks.compare import CompareDock, CompareWidget
from studio.docks.compare_table import DELTA_ROLE, build, difference
from studio.docks.run_list import index_of
from studio.theme import theme
from studio.widgets.table import BEST_ROLE

SIZES = (300_000.0, 200_000.0, 100_000.0)
ACCURACIES = (90.0, 85.0, 86.0)  # the middle run is beaten by the last in both


# -- the table, without Qt ------------------------------------------------------------------------


def test_values_have_their_rival_beside_them() -> None:
    finals = [{"t.top1": 84.8, "t.samples": 2000.0}, {"t.top1": 84.95, "t.samples": 2000.0}]
    table = build(["a", "b"], finals, [{"n.bits": 8, "seed": 1}, {"n.bits": 4, "seed": 1}])
    head, line, settings_head, setting = table.lines
    assert (head.title, settings_head.title) == ("Last values", "Settings that differ")
    assert (line.title, line.note) == ("t top-1 %", "n = 2,000")
    assert [(c.text, c.delta, c.is_best) for c in line.cells] == [
        ("84.80", "", False),
        ("84.95", "+0.15", True),
    ]
    assert [c.text for c in setting.cells] == ["8", "4"]


def test_figures_of_unlike_samples_are_not_compared() -> None:
    finals = [{"t.kid": 0.1, "t.samples": 123.0}, {"t.kid": 0.2, "t.samples": 2000.0}]
    line = build(["a", "b"], finals, []).lines[1]
    assert line.warning == "Measured on 123 and 2,000 samples: they cannot be compared."
    assert not any(cell.is_best or cell.delta for cell in line.cells)


def test_what_only_one_run_has_stays_empty_for_the_other() -> None:
    line = build(["a", "b"], [{}, {"t.loss": 0.5}], []).lines[1]
    assert [(c.text, c.delta) for c in line.cells] == [("", ""), ("0.5000", "")]


def test_differences() -> None:
    assert difference(1.0, 1.0, "loss") == "same"
    assert difference(0.5, 0.75, "loss") == "−0.2500"
    assert difference(float("nan"), 1.0, "loss") == ""
    assert difference(1.0, None, "loss") == ""


def test_the_table_as_text() -> None:
    table = build(["a", "b"], [{"t.top1": 1.0}, {"t.top1": 2.0}], [])
    head, rows, numbers = table.as_text()
    assert head == ["", "a", "b"]
    assert rows == [["Last values", "", ""], ["t top-1 %", "1.00", "2.00 (+1.00)"]]
    assert numbers == [False, True, True]


# -- the dock -------------------------------------------------------------------------------------


@pytest.fixture
def runs(workspace: Workspace, recorded_run: Path) -> list[str]:
    """Three finished runs of different size and accuracy; two belong to a sweep."""
    names = []
    for place, (size, top1) in enumerate(zip(SIZES, ACCURACIES, strict=True)):
        name = f"2026-11-24_1{place}-00_quantize-classifier"
        folder = workspace.runs / name
        shutil.copytree(recorded_run, folder)
        result = json.loads((folder / "result.json").read_text())
        result["metrics"]["qdq_test"]["top1"] = {"last": top1, "min": top1, "max": top1}
        result["metrics"]["onnx"]["bytes"] = {"last": size, "min": size, "max": size}
        (folder / "result.json").write_text(json.dumps(result))
        if place:
            given = {"device": "cpu", "threads": 1, "sweep": "s1", "set": {"f8net.bits": 8 - place}}
            (folder / "run.json").write_text(json.dumps(given))
        names.append(name)
    graph = Graph.load(folder / "graph.json")
    graph.set("train", epochs=3)
    graph.save(folder / "graph.json")
    shutil.rmtree(recorded_run)
    return names


@pytest.fixture
def dock(runs: list[str], session: Any, qtbot: Any) -> Iterator[CompareWidget]:
    index = index_of(session)
    made = CompareWidget(session)
    qtbot.addWidget(made)
    made.resize(1100, 380)
    made.show()
    qtbot.waitUntil(lambda: index.is_loaded, timeout=5000)
    made.fill()
    for box, key in ((made.x_box, "onnx.bytes"), (made.y_box, "qdq_test.top1")):
        box.setCurrentIndex(box.findData(key))
    yield made
    made.hide()
    index.close()


def fronts(dock: CompareWidget) -> set[str]:
    return {dock.scatter.spots[index].name for index in dock.scatter.front}


def click(dock: CompareWidget, name: str, double: bool = False) -> None:
    QApplication.processEvents()
    index = next(i for i, s in enumerate(dock.scatter.spots) if s.name == name)
    at = dock.scatter.pixel_of(index).toPoint()
    deed = QTest.mouseDClick if double else QTest.mouseClick
    deed(dock.scatter.canvas.viewport(), Qt.MouseButton.LeftButton, pos=at)


def test_without_runs_it_says_what_to_do(session: Any, qtbot: Any) -> None:
    index = index_of(session)
    asked: list[Any] = []
    session.acted.connect(lambda action, details: asked.append(action))
    made = CompareWidget(session)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: index.is_loaded, timeout=5000)
    assert made._empty.isVisible()
    assert made._empty.label.text() == "Mark two runs to compare."
    made._empty.button.click()
    assert asked == ["mark_last_two"]
    made.hide()
    index.close()


def test_the_front_follows_the_directions(dock: CompareWidget, runs: list[str]) -> None:
    assert dock.direction("onnx.bytes") == "lower"
    assert dock.direction("qdq_test.top1") == "higher"
    assert fronts(dock) == {runs[0], runs[2]}
    assert dock.remark.text() == "3 runs, 2 that none beats"
    QTest.mouseClick(dock.y_way, Qt.MouseButton.LeftButton)
    assert dock.direction("qdq_test.top1") == "lower"
    assert fronts(dock) == {runs[1], runs[2]}
    assert "lower is better" in dock.y_way.toolTip()


def test_choices_are_remembered(dock: CompareWidget, session: Any, qtbot: Any) -> None:
    dock.switch_direction("onnx.bytes")
    again = CompareWidget(session)
    qtbot.addWidget(again)
    again.fill()
    assert again.keys == ("onnx.bytes", "qdq_test.top1")
    assert again.direction("onnx.bytes") == "higher"


def test_any_two_metrics(dock: CompareWidget) -> None:
    dock.x_box.setCurrentIndex(dock.x_box.findData("train.val_loss"))
    assert len(dock.scatter.spots) == 3
    result = json.loads((Path(__file__).parents[1] / "data" / "run" / "result.json").read_text())
    figure = result["metrics"]["train"]["val_loss"]["last"]
    assert all(spot.x == pytest.approx(figure, abs=1e-4) for spot in dock.scatter.spots)


def test_a_click_shows_a_run_and_a_double_click_opens_its_pipeline(
    dock: CompareWidget, session: Any, runs: list[str]
) -> None:
    asked: list[Any] = []
    session.acted.connect(lambda action, details: asked.append((action, details)))
    assert not dock.open_button.isVisible()
    click(dock, runs[1])
    assert session.focus.name == runs[1]
    assert dock.scatter.spots[1].pen == 0
    dock.open_button.click()
    click(dock, runs[2], double=True)
    assert asked == [("open_run_graph", {"run": runs[1]}), ("open_run_graph", {"run": runs[2]})]


def test_hovering_shows_figures_and_what_differs(
    dock: CompareWidget, session: Any, runs: list[str]
) -> None:
    session.mark(runs[2])
    QApplication.processEvents()
    index = next(i for i, s in enumerate(dock.scatter.spots) if s.name == runs[0])
    QTest.mouseMove(dock.scatter.canvas.viewport(), dock.scatter.pixel_of(index).toPoint())
    card = dock.scatter._card
    assert card.isVisible()
    assert card.rows == [("Size", "300,000 bytes"), ("Top-1", "90.00 %")]
    assert card.facts == ["train.epochs = 10"]
    assert dock.facts(runs[1]) == ["f8net.bits = 7"]
    assert not card.card_rect().contains(dock.scatter.pixel_of(index))


def test_keys_go_from_point_to_point(dock: CompareWidget, session: Any, runs: list[str]) -> None:
    canvas = dock.scatter.canvas
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    assert dock.scatter.spots[dock.scatter.hovered].name == runs[2]
    QTest.keyClick(canvas, Qt.Key.Key_Space)
    assert session.marked == (runs[2],)
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert session.focus.name == runs[1]


def test_which_runs_are_shown(dock: CompareWidget, session: Any, runs: list[str]) -> None:
    session.mark(runs[0])
    session.set_focus(runs[1])
    dock.scope.parts()[1].click()
    assert [s.name for s in dock.scatter.spots] == runs[:2]
    dock.scope.set_value("sweep")
    dock.fill()
    assert [s.name for s in dock.scatter.spots] == runs[1:]


def test_marked_runs_stand_side_by_side(dock: CompareWidget, session: Any, runs: list[str]) -> None:
    assert dock._few.isVisible()
    session.mark(runs[0])
    session.mark(runs[2])
    assert dock._side.isVisible()
    model = dock.model
    titles = [model.index(r, 0).data() for r in range(model.rowCount())]
    line = titles.index("qdq_test top-1 %")
    assert model.headerData(1, Qt.Orientation.Horizontal).startswith("10:00")
    assert [model.index(line, c).data() for c in (1, 2)] == ["90.00", "86.00"]
    assert model.index(line, 2).data(DELTA_ROLE) == "−4.00"
    assert model.index(line, 1).data(BEST_ROLE)
    assert model.index(line, 0).data(DELTA_ROLE) == "n = 2,000"
    assert [model.index(titles.index("train.epochs"), c).data() for c in (1, 2)] == ["10", "3"]
    dock.copy_markdown()
    text = QGuiApplication.clipboard().text()
    assert "| qdq_test top-1 % (n = 2,000) | 90.00 | 86.00 (−4.00) |" in text


@pytest.mark.parametrize("mode", ["light", "contrast"])
def test_it_follows_the_theme(
    dock: CompareWidget, session: Any, runs: list[str], mode: str
) -> None:
    for name in runs[:2]:
        session.mark(name)
    theme().choose(mode, 1.5)
    assert dock.scatter.canvas.backgroundBrush().color() == theme().color("panel")
    assert not dock.grab().isNull()


def test_what_the_shell_reads() -> None:
    assert (CompareDock.NAME, CompareDock.AREA) == ("compare", "bottom-right")
    assert CompareDock.WIDGET is CompareWidget
