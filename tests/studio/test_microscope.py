"""The Layers dock on the recorded run: bits, shares, the picked layer, and its history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from backend.core import events as ev
from backend.core import views
from studio.docks.layers_detail import describe
from studio.docks.layers_table import (
    ACTIVATIONS,
    CLIPPED,
    HEADROOM,
    LAYER,
    WEIGHTS,
    LayersTable,
    clipped,
)
from studio.docks.microscope import LayersWidget

KEY = ("f8net", "layers", "layers")


@pytest.fixture
def dock(qtbot: Any, session: Any, recorded_run: Path) -> LayersWidget:
    session.document.open(recorded_run / "graph.json")
    session.set_focus(recorded_run.name)
    session.focus.read(10)
    widget = LayersWidget(session)
    qtbot.addWidget(widget)
    widget.resize(1000, 500)
    widget.show()
    return widget


def texts(table: LayersTable, column: int) -> list[str]:
    model = table.model()
    return [model.index(r, column).data() for r in range(model.rowCount())]


def newest(session: Any) -> views.Layers:
    payload = session.focus.fold.views[KEY][-1].data
    assert isinstance(payload, views.Layers)
    return payload


def test_the_newest_step_of_the_run_is_shown_row_by_row(dock: LayersWidget, session: Any) -> None:
    rows = newest(session).rows
    assert texts(dock.table, LAYER) == [r.layer for r in rows]
    assert texts(dock.table, WEIGHTS)[0] == "1 sign, 1 integer, 6 fraction"
    assert texts(dock.table, HEADROOM)[0] == f"{rows[0].headroom_bits:.1f} bit"
    assert dock.scrubber.index == len(session.focus.fold.views[KEY]) - 1
    assert dock.caption.text() == newest(session).caption
    assert dock.detail.isHidden()


def test_scrubbing_shows_an_earlier_step_and_keeps_the_picked_layer(
    dock: LayersWidget, session: Any
) -> None:
    dock.table.pick("layer1.0.conv1")
    assert dock.detail.isVisible()
    QTest.keyClick(dock.scrubber, Qt.Key.Key_Home)
    first = session.focus.fold.views[KEY][0].data.rows
    assert dock.table.source.rows == first
    assert dock.table.layer == "layer1.0.conv1"
    assert dock.detail.codes.row == next(r for r in first if r.layer == "layer1.0.conv1")


def test_a_click_opens_the_detail_and_escape_closes_it(dock: LayersWidget) -> None:
    table = dock.table
    place = table.visualRect(table.model().index(2, 0)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert dock.detail.isVisible()
    assert dock.detail.title.text() == table.source.rows[2].layer
    QTest.keyClick(table, Qt.Key.Key_Escape)
    assert dock.detail.isHidden()


def test_the_detail_tells_range_step_clipping_and_headroom(dock: LayersWidget) -> None:
    dock.table.pick("conv1")
    said = dock.detail.words.text()
    assert "1 sign, 1 integer, 6 fraction" in said
    assert "From -2 to 1.98438 in steps of 0.015625." in said
    assert "of the weights" in said
    assert "Headroom" in said or "No headroom" in said


def test_the_history_says_where_fractions_moved(dock: LayersWidget, session: Any) -> None:
    events = session.focus.fold.views[KEY]
    moments = dock.moments("conv1")
    assert [m.weight for m in moments] == [e.data.rows[0].weight.fraction for e in events]
    dock.table.pick("conv1")
    assert dock.detail.history.isVisible()
    assert "fraction bits at step 0" in dock.detail.history.words()


def test_columns_sort_by_what_they_mean(dock: LayersWidget, session: Any) -> None:
    rows = newest(session).rows
    dock.table.sortByColumn(HEADROOM, Qt.SortOrder.DescendingOrder)
    best = max(rows, key=lambda r: r.headroom_bits or 0)
    assert texts(dock.table, LAYER)[0] == best.layer
    dock.table.sortByColumn(CLIPPED, Qt.SortOrder.DescendingOrder)
    assert texts(dock.table, LAYER)[0] == max(rows, key=lambda r: clipped(r) or 0).layer
    dock.table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert texts(dock.table, LAYER) == [r.layer for r in rows]


def test_the_filter_keeps_matching_layers(dock: LayersWidget, qtbot: Any) -> None:
    bar = dock.tools()
    qtbot.addWidget(bar)
    find = next(b for b in bar.findChildren(type(bar.children()[2])) if b.isCheckable())
    find.setChecked(True)
    assert dock.filter.isVisible()
    QTest.keyClicks(dock.filter, "DOWN")
    assert texts(dock.table, LAYER) == ["layer2.0.downsample.0", "layer3.0.downsample.0"]
    find.setChecked(False)
    assert dock.table.model().rowCount() == 10


def test_new_steps_come_in_while_it_trains(dock: LayersWidget, session: Any, qtbot: Any) -> None:
    rows = [r.model_copy(update={"weight_clipped": 0.25}) for r in newest(session).rows]
    payload = views.Layers(title="Formats", rows=rows)
    event = ev.View(node="f8net", view="layers", name="layers", step=999, data=payload, seq=9999)
    session.focus.fold.feed([event])
    session.focus.changed.emit([event])
    qtbot.waitUntil(lambda: texts(dock.table, CLIPPED)[0] == "25.00 %")
    assert dock.scrubber.names[-1] == "999"


def test_more_than_one_percent_has_a_triangle(dock: LayersWidget, qtbot: Any) -> None:
    def pixels() -> int:
        image = dock.table.viewport().grab().toImage()
        area = dock.table.visualRect(dock.table.model().index(0, CLIPPED))
        ratio = image.devicePixelRatio()
        from studio.theme import theme

        warn = theme().color("warn").rgb()
        xs = range(int(area.left() * ratio), int(area.right() * ratio))
        ys = range(int(area.top() * ratio), int(area.bottom() * ratio))
        return sum(image.pixel(x, y) == warn for x in xs for y in ys)

    rows = dock.table.source.rows
    calm = [r.model_copy(update={"weight_clipped": 0.0, "input_clipped": 0.01}) for r in rows]
    dock.table.source.set_rows(calm)
    assert pixels() == 0
    high = [r.model_copy(update={"weight_clipped": 0.0184}) for r in rows]
    dock.table.source.set_rows(high)
    assert pixels() > 10
    tip = dock.table.model().index(0, CLIPPED).data(Qt.ItemDataRole.ToolTipRole)
    assert "1.84 %" in tip
    assert "More than 1 %" in tip


def test_only_what_the_payload_holds_is_told(qtbot: Any) -> None:
    table = LayersTable()
    qtbot.addWidget(table)
    table.resize(700, 200)
    eight = views.NumberFormat(bits=8, signed=False, fraction=10)
    table.source.set_rows(
        [
            views.LayerRow(layer="float"),
            views.LayerRow(layer="half", input=eight),
        ]
    )
    table.grab()
    assert texts(table, WEIGHTS) == ["float", "float"]
    assert texts(table, HEADROOM) == ["-", "-"]
    assert texts(table, CLIPPED) == ["-", "0.00 %"]
    tip = table.model().index(1, ACTIVATIONS).data(Qt.ItemDataRole.ToolTipRole)
    assert tip == "all 8 bits are fraction, 2 leading zeros implied"
    said = describe(views.LayerRow(layer="float"))
    assert said == ["This layer computes in float. It has no number format."]
    assert "headroom" not in " ".join(describe(table.source.rows[1])).lower()


def test_codes_are_read_out_under_the_pointer(dock: LayersWidget) -> None:
    dock.table.pick("conv1")
    plot = dock.detail.codes
    row = plot.row
    assert row is not None
    index = max(range(len(row.counts)), key=lambda n: row.counts[n])
    assert plot.words(index).splitlines()[-1] == f"weights\t{int(row.counts[index])}"
    before = plot.grab().toImage()
    bar = plot.bar(index)
    QTest.mouseMove(plot, QPoint(round(bar.center().x()), round(bar.center().y())))
    assert plot.grab().toImage() != before


def test_formats_in_files_make_history_too(
    dock: LayersWidget, session: Any, recorded_run: Path, qtbot: Any
) -> None:
    events = []
    for step, fraction in ((1, 6), (2, 5), (3, 5)):
        form = views.NumberFormat(bits=8, signed=True, fraction=fraction)
        payload = views.Layers(rows=[views.LayerRow(layer="a", weight=form)])
        path = f"nodes/float/layers-{step}.json.gz"
        views.write_payload(recorded_run / path, payload)
        events.append(
            ev.View(node="float", view="layers", name="layers", step=step, path=path, seq=step)
        )
    session.focus.fold.feed(events)
    session.selection.set(["f8net"])
    assert dock.key == KEY
    session.selection.set(["float"])
    qtbot.waitUntil(lambda: texts(dock.table, LAYER) == ["a"])
    dock.table.pick("a")
    qtbot.waitUntil(lambda: [m.weight for m in dock.moments("a")] == [6, 5, 5])
    assert dock.detail.history.words() == "Weights: 6 fraction bits at step 1, then 5 at step 2."
    assert dock.source.isVisible()


def test_a_damaged_file_is_said_in_place(dock: LayersWidget, session: Any, qtbot: Any) -> None:
    event = ev.View(node="f8net", view="layers", name="layers", step=999, path="no.gz", seq=9999)
    session.focus.fold.feed([event])
    dock.refresh()
    qtbot.waitUntil(lambda: "missing" in dock.message.label.text())
    dock.scrubber.move_to(0)
    assert dock.table.isVisible()


def test_without_layers_it_says_which_node_makes_them(
    qtbot: Any, session: Any, recorded_run: Path
) -> None:
    session.document.open(recorded_run / "graph.json")
    widget = LayersWidget(session)
    qtbot.addWidget(widget)
    widget.show()
    assert widget.message.label.text() == "Select a node that holds a network."
    assert widget.message.button.text() == "Select F8Net"
    widget.message.button.click()
    assert session.selection.current == "f8net"


def test_odd_layers_are_drawn(dock: LayersWidget) -> None:
    form = views.NumberFormat(bits=4, signed=True, fraction=9)
    odd = {"counts": [float("nan"), float("inf"), 3.0, 4.0], "edges": [-1.0, float("nan"), 1.0]}
    rows = [
        views.LayerRow(layer="odd", weight=form, headroom_bits=float("nan"), **odd),
        views.LayerRow(layer="a name that is much longer than its column " * 4),
    ]
    dock._shown = views.Layers(rows=rows)
    dock.table.source.set_rows(rows)
    for layer in (r.layer for r in rows):
        dock.table.pick(layer)
        assert dock.detail.isVisible()
        assert not dock.grab().isNull()
