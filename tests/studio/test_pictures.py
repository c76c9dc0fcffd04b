"""Every view kind: drawn, read out exactly, walked by keys, exported; and odd payloads of each."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtTest import QTest

from backend.core import views
from studio.pictures import axes, kinds, words
from studio.pictures.bits import bit_parts, row_words
from studio.pictures.canvas import Canvas
from studio.pictures.floor import TilesDrawing
from studio.pictures.heatmap import HeatmapDrawing
from studio.pictures.scrubber import Scrubber
from studio.pictures.sheets import TableModel, TableSorter, best_cells
from studio.pictures.viewer import Viewer, ViewTable
from studio.theme import theme
from studio.widgets.table import TableDelegate

NAN, INF = math.nan, math.inf
LONG = "a name that goes on and on " * 12


def row(**fields: Any) -> views.LayerRow:
    return views.LayerRow(layer="conv1", **fields)


def form(bits: int, fraction: int, signed: bool = True) -> views.NumberFormat:
    return views.NumberFormat(bits=bits, signed=signed, fraction=fraction)


PAYLOADS: dict[str, Any] = {
    "lines": views.Lines(
        title="Loss",
        caption="How it fell.",
        x_label="epoch",
        y_label="nat",
        series=[
            views.Series(name="train", x=[0, 1, 2, 3], y=[2.0, NAN, -1.25, INF]),
            views.Series(name=LONG, x=[0, 2], y=[1.0, 0.5]),
        ],
    ),
    "bars": views.Bars(
        title="Work",
        unit="MAC",
        labels=["conv1", LONG, "fc"],
        groups={"before": [3.0, -2.0, NAN], "after": [1.5, 1.0]},
    ),
    "strip": views.Strip(
        title="Kept", unit="%", low=0, high=100, labels=["a", "b", LONG], values=[0, NAN, 250]
    ),
    "histogram": views.Histogram(
        title="Codes", unit="code", edges=[0, 1, 2, 4], counts=[5, 0, NAN], marks={"clip": 3.5}
    ),
    "heatmap": views.Heatmap(
        title="Confusion",
        unit="pictures",
        row_label="true",
        column_label="predicted",
        rows=["cat", LONG],
        columns=["cat", "dog"],
        values=[[12.5, NAN], [-3.0, 4.0]],
    ),
    "table": views.Table(
        title="Costs",
        columns=[
            views.Column(name="layer"),
            views.Column(name="bytes", unit="B", better="lower"),
            views.Column(name="top-1", unit="%", better="higher"),
        ],
        rows=[["conv1", 100, 90.5], ["a|b", 20, None], [LONG, NAN, 91.25], ["short"]],
    ),
    "masks": views.Masks(
        title="Masks",
        masks=[
            views.Mask(
                layer="conv1", shape=[2, 3], density=0.5, grown=1, overlap=0.75, cells=["101", "01"]
            ),
            views.Mask(layer=LONG, shape=[64, 64, 3, 3], density=NAN),
        ],
    ),
    "tiles": views.Tiles(
        title="Slot 0",
        unit="bit",
        tiles=[
            views.Tile(name="conv2 a", x=0, y=0, width=64, height=96, text="64x96"),
            views.Tile(name="fc a", x=64, y=0, width=32, height=48),
            views.Tile(name="bad", x=NAN, y=0, width=1, height=1),
        ],
    ),
    "trace": views.Trace(
        title="Column",
        time_unit="ns",
        signals=[
            views.Series(name="DAC", x=[0, 10, 10, 20], y=[1, 1, 3, 3]),
            views.Series(name=LONG, x=[0, 20], y=[NAN, 2]),
        ],
    ),
    "plan": views.Plan(
        title="Plan",
        target=2e6,
        rows=[
            views.PlanRow(
                layer="conv1", before=64, after=40, cost_before=2e6, cost_after=1e6, scores=[0.5, 1]
            ),
            views.PlanRow(layer=LONG, before=8, after=8, cost_before=NAN, cost_after=1),
        ],
    ),
    "verdict": views.Verdict(
        title="Parity",
        claim="The file computes what the network computes. " + LONG,
        holds=False,
        evidence={"largest error": 1.2e-5, "nothing": NAN},
        samples=256,
    ),
    "layers": views.Layers(
        title="Formats",
        rows=[
            row(weight=form(8, 6), input=form(8, 10, False), edges=[-1, 0, 1], counts=[3, 4]),
            row(),
        ],
    ),
}
EMPTY: dict[str, Any] = {
    "lines": views.Lines(series=[]),
    "bars": views.Bars(labels=[], groups={}),
    "strip": views.Strip(low=0, high=1, labels=[], values=[]),
    "histogram": views.Histogram(edges=[], counts=[]),
    "heatmap": views.Heatmap(rows=[], columns=[], values=[]),
    "table": views.Table(columns=[], rows=[]),
    "masks": views.Masks(masks=[]),
    "tiles": views.Tiles(tiles=[]),
    "trace": views.Trace(signals=[]),
    "plan": views.Plan(rows=[]),
    "verdict": views.Verdict(claim=""),
    "layers": views.Layers(rows=[]),
}


def colors(image: QImage) -> int:
    small = image.scaled(160, 160)
    return len({small.pixel(x, y) for x in range(small.width()) for y in range(small.height())})


def shown(qtbot: Any, payload: Any, width: int = 480, height: int = 320) -> Canvas:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(width, height)
    canvas.set_drawing(kinds.drawing_of(payload), payload.title)
    canvas.show()
    return canvas


def test_every_kind_of_the_core_has_a_drawing_and_a_case_here() -> None:
    assert set(kinds.DRAWINGS) == set(views.KINDS) == set(PAYLOADS) == set(EMPTY)


@pytest.mark.parametrize("kind", views.KINDS)
def test_a_kind_is_drawn_and_its_spots_are_read_out(qtbot: Any, kind: str) -> None:
    canvas = shown(qtbot, PAYLOADS[kind])
    pictures = []
    for mode in ("dark", "light", "contrast"):
        theme().choose(mode)
        pictures.append(canvas.grab().toImage())
        assert colors(pictures[-1]) > 3
    assert pictures[0] != pictures[1] != pictures[2]
    assert canvas.drawing is not None
    for index in range(canvas.drawing.count):
        assert canvas.drawing.words(index).strip()
        canvas.pick(index)
        canvas.grab()


def test_a_spot_is_found_where_it_is_painted(qtbot: Any) -> None:
    for payload in PAYLOADS.values():
        drawing = kinds.drawing_of(payload)
        drawing.lay(600, 400)
        areas = [drawing.rect(index) for index in range(drawing.count)]
        found = {n: drawing.at(a.center()) for n, a in enumerate(areas) if a.height() > 0}
        assert found
        assert all(n == at for n, at in found.items()), payload.kind


@pytest.mark.parametrize("kind", views.KINDS)
def test_nothing_to_draw_is_said_and_draws_nothing_wrong(
    qtbot: Any, session: Any, kind: str
) -> None:
    viewer = Viewer(session)
    qtbot.addWidget(viewer)
    viewer.show()
    viewer.show_payload(EMPTY[kind])
    assert bool(viewer.words) == (kind != "verdict")
    assert not kinds.as_image(EMPTY[kind]).isNull()  # the drawing itself stands it too


@pytest.mark.parametrize("kind", views.KINDS)
def test_the_keyboard_reaches_every_spot(qtbot: Any, kind: str) -> None:
    canvas = shown(qtbot, PAYLOADS[kind])
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_Home)
    assert canvas.current == 0
    assert canvas.accessibleDescription()
    seen = {canvas.current}
    for _ in range(canvas.drawing.count):  # type: ignore[union-attr]
        QTest.keyClick(canvas, Qt.Key.Key_Right)
        seen.add(canvas.current)
    assert seen == set(range(canvas.drawing.count))  # type: ignore[union-attr]
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.current is None


def test_the_pointer_reads_a_cell_out_exactly(qtbot: Any) -> None:
    canvas = shown(qtbot, PAYLOADS["heatmap"])
    QTest.mouseMove(canvas.viewport(), canvas.spot_place(0))
    assert canvas.current == 0
    assert canvas.drawing.words(0) == "true cat\npredicted cat\n12.5 pictures"  # type: ignore[union-attr]
    QTest.mouseMove(canvas.viewport(), QPoint(2, 2))
    assert canvas.current is None


def test_no_number_is_called_so() -> None:
    drawing = kinds.drawing_of(PAYLOADS["heatmap"])
    drawing.lay(400, 300)
    assert drawing.words(1).endswith("not a number")
    assert words.exact(INF) == "infinite"
    assert words.exact(-INF) == "minus infinite"
    assert words.exact(1234567.0) == "1,234,567"
    assert words.exact(0.1) == "0.1"


@pytest.mark.parametrize("kind", ["png", "svg", "csv", "md"])
def test_a_view_is_saved_in_four_ways(session: Any, qtbot: Any, tmp_path: Any, kind: str) -> None:
    viewer = Viewer(session)
    qtbot.addWidget(viewer)
    viewer.show_payload(PAYLOADS["bars"])
    path = tmp_path / f"view.{kind}"
    assert viewer.save_to(path)
    data = path.read_bytes()
    start = {"png": b"\x89PNG", "svg": b"<?xml", "csv": b"label,", "md": b"| label"}[kind]
    assert data.startswith(start)


@pytest.mark.parametrize("kind", views.KINDS)
def test_every_kind_exports(kind: str) -> None:
    payload = PAYLOADS[kind]
    assert colors(kinds.as_image(payload)) > 3
    assert b"<svg" in kinds.as_svg(payload)
    head, rows = words.sheet(payload)
    parsed = list(csv.reader(io.StringIO(words.as_csv(payload))))
    assert parsed[0] == head
    assert len(parsed) == len(rows) + 1 > 1
    assert len(words.as_markdown(payload).splitlines()) == len(rows) + 2


def test_a_save_that_fails_is_told(session: Any, qtbot: Any, tmp_path: Any) -> None:
    said: list[Any] = []
    session.told.connect(said.append)
    viewer = Viewer(session)
    qtbot.addWidget(viewer)
    viewer.show_payload(PAYLOADS["bars"])
    assert not viewer.save_to(tmp_path / "view.docx")
    (tmp_path / "file").write_text("")
    assert not viewer.save_to(tmp_path / "file" / "view.png")
    assert [m.kind for m in said] == ["bad", "bad"]


def test_markdown_goes_to_the_clipboard_with_pipes_escaped(session: Any, qtbot: Any) -> None:
    viewer = Viewer(session)
    qtbot.addWidget(viewer)
    viewer.show_payload(PAYLOADS["table"])
    viewer.copy_markdown()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[:2] == ["| layer | bytes (B) | top-1 (%) |", "| --- | ---: | ---: |"]
    assert lines[3].startswith("| a\\|b | 20 |")


def test_a_table_sorts_numbers_as_numbers_and_the_missing_last(qtbot: Any) -> None:
    payload = PAYLOADS["table"]
    source = TableModel(payload)
    sorter = TableSorter()
    sorter.setSourceModel(source)
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        sorter.sort(1, order)
        found = [sorter.index(r, 1).data() for r in range(4)]
        assert set(found[2:]) == {"", "not a number"}
        assert found[:2] == (
            ["20", "100"] if order == Qt.SortOrder.AscendingOrder else ["100", "20"]
        )
    assert best_cells(payload) == {(1, 1), (2, 2)}


def cost(taken: float) -> views.Table:
    columns = [views.Column(name=name) for name in ("Cost", "This adapter", "From scratch")]
    rows: list[Any] = [
        ["Numbers trained", 4_710, 266_883],
        ["Bytes stored, text included", 46_472, 1_080_456],
        ["Seconds taken by 120 steps", taken, None],
    ]
    return views.Table(title="Cost of this concept", columns=columns, rows=rows)


def test_a_table_in_words_is_read_as_words_and_fits_its_columns(qtbot: Any) -> None:
    table = ViewTable()
    qtbot.addWidget(table)
    table.resize(440, 200)
    table.show()
    table.set_payload(cost(41.2))
    delegate = table.itemDelegate()
    assert isinstance(delegate, TableDelegate)
    assert delegate.monos == set()
    index = table.model().index(0, 0)
    assert index.data(Qt.ItemDataRole.FontRole).family() == theme().font("small").family()
    assert table.horizontalScrollBar().maximum() == 0, "no column is wider than it needs to be"
    table.horizontalHeader().resizeSection(0, 111)
    table.set_payload(cost(43.9))
    assert table.model().index(2, 1).data() == "43.9"
    assert table.columnWidth(0) == 111, "the next figures do not move the columns"
    layers = views.Table(columns=[views.Column(name="layer")], rows=[["conv1"], ["layer1.0"]])
    table.set_payload(layers)
    assert delegate.monos == {0}


def test_a_thousand_rows_and_columns_scroll(qtbot: Any) -> None:
    names = [f"layer{n}" for n in range(1000)]
    big = views.Heatmap(
        rows=names, columns=names, values=[[float(r * c) for c in range(1000)] for r in range(1000)]
    )
    canvas = shown(qtbot, big)
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_End)
    assert canvas.current == 999_999
    assert canvas.verticalScrollBar().value() > 3000
    assert canvas.horizontalScrollBar().value() > 3000
    assert canvas.drawing.words(999_999).endswith("998,001")  # type: ignore[union-attr]
    assert colors(canvas.grab().toImage()) > 3
    bars = shown(qtbot, views.Bars(labels=names, groups={"n": [float(n) for n in range(1000)]}))
    assert bars.verticalScrollBar().maximum() > 10_000


def test_many_points_keep_their_extremes(qtbot: Any) -> None:
    from studio.pictures.lines import polylines

    ys = [0.0] * 50_000
    ys[31_234] = 1.0
    series = views.Series(name="spike", x=[float(n) for n in range(50_000)], y=ys)
    x, y = axes.Scale(0, 49_999, 0, 500), axes.Scale(0, 1, 100, 0)
    (curve,) = polylines(series, x, y)
    assert curve.size() < 1_100
    assert min(curve.at(n).y() for n in range(curve.size())) == 0


def test_a_hole_breaks_a_curve() -> None:
    from studio.pictures.lines import polylines

    series = views.Series(name="s", x=[0, 1, 2, 3, 4], y=[0, 1, NAN, 1, 0])
    curves = polylines(series, axes.Scale(0, 4, 0, 100), axes.Scale(0, 1, 100, 0))
    assert [c.size() for c in curves] == [2, 2]


def test_signed_maps_have_nothing_in_the_middle_of_the_ramp() -> None:
    drawing = kinds.drawing_of(PAYLOADS["heatmap"])
    assert isinstance(drawing, HeatmapDrawing)
    assert drawing.span == (-12.5, 12.5)
    assert drawing.color(0.0) == theme().difference(0.5)


def test_a_colour_bar_prints_its_ends(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    real = axes.elided
    monkeypatch.setattr(axes, "elided", lambda p, r, f, t: (said.append(t), real(p, r, f, t)))
    kinds.as_image(PAYLOADS["strip"])
    assert "100 %" in said


def test_tiles_that_have_no_place_are_left_out_and_counted() -> None:
    drawing = kinds.drawing_of(PAYLOADS["tiles"])
    assert isinstance(drawing, TilesDrawing)
    assert (drawing.count, drawing.left_out) == (2, 1)


@given(low=st.floats(-1e9, 1e9), span=st.floats(1e-6, 1e9), count=st.integers(2, 10))
@settings(max_examples=80, deadline=None)
def test_ticks_lie_within_and_are_few(low: float, span: float, count: int) -> None:
    high = low + span
    found = axes.ticks(low, high, count)
    pad = (high - low) * 1e-6 + abs(low) * 1e-9
    assert len(found) <= 2 * count + 2
    assert all(low - pad <= t <= high + pad for t in found)
    assert len(axes.tick_words(found)) == len(found)


@given(bits=st.integers(1, 16), fraction=st.integers(-6, 24), signed=st.booleans())
@settings(max_examples=120, deadline=None)
def test_a_format_shows_exactly_its_bits(bits: int, fraction: int, signed: bool) -> None:
    parts = bit_parts(form(bits, fraction, signed))
    assert len([p for p in parts if p != "zero"]) == bits
    assert parts.count("sign") == int(signed)
    assert words.format_words(form(bits, fraction, signed))
    low, high, step = words.format_range(form(bits, fraction, signed))
    assert round((high - low) / step) == 2**bits - 1


numbers = st.one_of(
    st.floats(-100, 100), st.sampled_from([NAN, INF, -INF, 1e308, -1e308, 5e-324, 0.0])
)
lists = st.lists(numbers, max_size=8)


@given(a=lists, b=lists, low=numbers, high=numbers, is_log=st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_figures_break_a_picture(
    qapp: Any, a: list[float], b: list[float], low: float, high: float, is_log: bool
) -> None:
    names = [f"n{i}" for i in range(len(a))]
    series = [views.Series(name="s", x=a, y=b)]
    payloads = (
        views.Lines(series=series, log_x=is_log, log_y=is_log),
        views.Trace(signals=series),
        views.Bars(labels=names, groups={"g": b}),
        views.Strip(low=low, high=high, labels=names, values=b),
        views.Histogram(edges=a, counts=b, marks={"m": low}),
        views.Heatmap(rows=names, columns=["x", "y"], values=[[v, low] for v in b]),
        views.Tiles(tiles=[views.Tile(name="t", x=0, y=0, width=1, height=1, value=v) for v in b]),
    )
    for payload in payloads:
        drawing = kinds.drawing_of(payload)
        drawing.lay(200, 120)
        for index in range(drawing.count):
            assert drawing.words(index)
            drawing.at(drawing.rect(index).center())
        assert not kinds.as_image(payload, 200, 1).isNull()


def test_absurd_formats_are_drawn_too() -> None:
    odd = [form(10**9, 3), form(8, 10**6), form(8, -(10**6)), form(0, 0), form(-3, 2)]
    rows = [row(weight=f, input=f, edges=[-1, 1], counts=[1]) for f in odd]
    assert not kinds.as_image(views.Layers(rows=rows), 400, 1).isNull()
    assert words.format_range(form(8, -2000))[1] == INF


def test_formats_beyond_their_bits_are_explained() -> None:
    assert words.format_words(form(8, 5)) == "1 sign, 2 integer, 5 fraction"
    said = words.format_words(form(8, 10, False))
    assert said == "all 8 bits are fraction, 2 leading zeros implied"
    assert "1 trailing zero implied" in words.format_words(form(8, -1, False))
    assert words.format_words(None) == "float"
    assert "float" in " ".join(row_words(row()))


def test_bit_kinds_differ_without_colour(qtbot: Any) -> None:
    from studio.pictures.bits import paint_cell

    shapes = set()
    for part in ("sign", "integer", "fraction", "zero"):
        image = QImage(60, 60, QImage.Format.Format_RGB32)
        image.fill(theme().color("panel"))
        painter = QPainter(image)
        paint_cell(painter, QRectF(2, 2, 56, 56), part)
        painter.end()
        ground = theme().color("panel").rgb()
        shapes.add(tuple(image.pixel(x, y) == ground for x in range(60) for y in range(60)))
    assert len(shapes) == 4


def test_the_scrubber_follows_until_it_is_moved(qtbot: Any) -> None:
    bar = Scrubber("Step")
    qtbot.addWidget(bar)
    bar.resize(400, 32)
    bar.show()
    moved: list[int] = []
    bar.moved.connect(moved.append)
    bar.set_steps(["0", "40"])
    bar.set_steps(["0", "40", "80"])
    assert bar.index == 2
    place = QPoint(round(bar.tick_x(0)), 16)
    QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=place)
    bar.set_steps(["0", "40", "80", "120"])
    assert (bar.index, bar.follows, moved) == (0, False, [0])
    QTest.keyClick(bar, Qt.Key.Key_End)
    bar.set_steps(["0", "40", "80", "120", "160"])
    assert (bar.index, bar.follows) == (4, True)
    QTest.keyClick(bar, Qt.Key.Key_Space)
    assert bar.is_playing
    bar.hide()
    assert not bar.is_playing
