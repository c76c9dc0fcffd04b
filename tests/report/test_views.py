from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from backend.core import views as v
from backend.report import views
from backend.report.digest import Shown, read
from backend.report.layers import said, word
from backend.report.tables import columns
from backend.report.tables import markdown as table_markdown
from tests.report import payloads, sample
from tests.report.markup import Page

NAN, INF = math.nan, math.inf
FAILED = "cannot be drawn"


def drawn(payload: v.Payload, **more: Any) -> str:
    kind = getattr(payload, "kind", "")
    return views.draw(Shown("node", "name", kind, None, payload, "", 1, **more))


def parsed(html: str) -> Page:
    page = Page(html)
    assert page.faults == []
    return page


def test_every_kind_is_drawn(tmp_path: Path) -> None:
    found = [*payloads.every_view(), ("layers", payloads.layer_rows(3))]
    assert {payload.kind for _, payload in found} == set(v.KINDS)
    for _, payload in found:
        html = drawn(payload)
        assert FAILED not in html
        assert payload.title in parsed(html).words


@pytest.mark.parametrize(
    "payload",
    [
        v.Lines(series=[]),
        v.Lines(log_x=True, log_y=True, series=[v.Series(name="a", x=[-1, 0], y=[-1, NAN])]),
        v.Lines(log_y=True, series=[v.Series(name="a", x=[1, 2, 3, NAN], y=[0, 1e-320, INF, 2])]),
        v.Lines(series=[v.Series(name="a", x=[1], y=[2, 3])]),
        v.Bars(labels=[], groups={}),
        v.Bars(labels=["a", "b"], groups={"x": [NAN], "y": [-INF, -3]}),
        v.Bars(labels=[str(i) for i in range(500)], groups={"x": [-1.0, INF, 2]}),
        v.Strip(low=0, high=0, labels=["a", "b"], values=[NAN, 3]),
        v.Strip(low=0, high=1, labels=[], values=[]),
        v.Histogram(edges=[], counts=[]),
        v.Histogram(edges=[0, 0, NAN, 2], counts=[1, INF, 3], marks={"m": INF, "n": 0.5}),
        v.Histogram(edges=[i / 9 for i in range(5001)], counts=[1.0] * 5000),
        v.Heatmap(rows=[], columns=[], values=[]),
        v.Heatmap(rows=["a"], columns=["b"], values=[[NAN]]),
        v.Heatmap(rows=["a"], columns=[], values=[[1, 2], [3], []]),
        v.Heatmap(rows=[], columns=[], values=[[INF, 1.0] * 300] * 400),
        v.Table(columns=[], rows=[]),
        v.Table(
            columns=[v.Column(name="a", better="lower")], rows=[[], [1, 2, 3], [None], [NAN], ["x"]]
        ),
        v.Table(columns=[v.Column(name="a", unit="B")], rows=[[10**400], [-(10**20)], [1e-300]]),
        v.Table(columns=[v.Column(name="a")], rows=[[i] for i in range(1000)]),
        v.Masks(masks=[]),
        v.Masks(
            masks=[v.Mask(layer="a", shape=[], density=NAN, cells=["", "0" * 4000, "1" * 4000])]
        ),
        v.Tiles(tiles=[]),
        v.Tiles(tiles=[v.Tile(name="a", x=NAN, y=0, width=1, height=1)]),
        v.Tiles(tiles=[v.Tile(name="a", x=0, y=0, width=1, height=1, value=INF)]),
        v.Trace(signals=[]),
        v.Trace(signals=[v.Series(name="a", x=[0], y=[1]), v.Series(name="b", x=[NAN], y=[1])]),
        v.Plan(rows=[]),
        v.Plan(
            rows=[
                v.PlanRow(
                    layer="a", before=0, after=0, cost_before=0, cost_after=NAN, scores=[NAN, -2]
                )
            ]
        ),
        v.Verdict(claim="", holds=None),
        v.Verdict(claim="x", holds=True, evidence={"a": NAN}),
        v.Layers(rows=[]),
        v.Layers(
            rows=[
                v.LayerRow(
                    layer="a", weight_clipped=NAN, headroom_bits=-INF, edges=[0, 1], counts=[]
                )
            ]
        ),
        v.Layers(
            rows=[
                v.LayerRow(
                    layer=str(n),
                    weight=v.NumberFormat(bits=bits, signed=True, fraction=fraction),
                    edges=[-1, 0, 1],
                    counts=[NAN, 5],
                )
                for n, (bits, fraction) in enumerate(
                    [(8, 12), (8, -3), (0, 0), (10**9, 10**9), (8, -(10**9))]
                )
            ]
        ),
    ],
)
def test_odd_payloads_are_drawn_or_named(payload: v.Payload) -> None:
    html = drawn(payload)
    parsed(html)
    assert FAILED not in html
    assert "nan%" not in html
    assert "inf%" not in html


def test_a_view_that_raises_does_not_cost_the_page() -> None:
    broken = v.Strip.model_construct(labels=None, values=None, low=0, high=1, title="t", caption="")
    assert FAILED in drawn(broken)


def test_a_word_of_bits_stands_at_its_point() -> None:
    html = word(v.NumberFormat(bits=8, signed=True, fraction=6), (2, -7))
    page = parsed(html)
    kinds = [found["class"] for found in page.all("rect")]
    assert kinds == ["c-muted", "c-model"] + ["c-data"] * 6
    # The first fraction bit stands right of the point: three cells (2, 1, 0) lie left of it.
    assert page.all("rect")[2]["x"] == "31"
    assert "M30 0" in html
    assert "8 bit: sign + 1 integer + 6 fraction" in html


def test_bits_all_right_of_the_point_are_fraction_bits() -> None:
    format = v.NumberFormat(bits=8, signed=False, fraction=10)
    page = parsed(word(format, (0, -10)))
    assert [f["class"] for f in page.all("rect")] == ["c-data"] * 8
    assert page.all("rect")[0]["x"] == "31"
    assert said(format) == "8 bit: -2 integer + 10 fraction"


def test_clipped_layers_are_marked_and_outer_bars_too() -> None:
    row = v.LayerRow(
        layer="a",
        weight=v.NumberFormat(bits=4, signed=True, fraction=3),
        weight_clipped=0.05,
        edges=[-2, -1, 0, 1, 2],
        counts=[1, 4, 4, 1],
    )
    html = drawn(v.Layers(rows=[row]))
    assert html.count("more than 1 % clipped") == 1
    cut = next(f["d"] for f in parsed(html).all("path", class_="cut"))
    assert cut.count("M") == 2


def test_how_layers_moved_counts_the_changes(tmp_path: Path) -> None:
    view = next(s for s in read(sample.full_run(tmp_path)).views if s.kind == "layers")
    assert view.looks == 12
    assert view.step == 1100
    html = views.draw(view)
    assert "7 of 20 layers changed" in html
    assert "1 of 20 layers changed" in html


def test_best_cells_need_a_difference_and_finite_numbers() -> None:
    table = v.Table(
        columns=[
            v.Column(name="same", better="lower"),
            v.Column(name="low", better="lower"),
            v.Column(name="high", better="higher"),
        ],
        rows=[[1, 2.0, NAN], [1, None, 5], [1, 1.0, 7], [1, "x", INF]],
    )
    assert [sorted(column.best) for column in columns(table)] == [[], [2], [2]]
    assert "**1**" in table_markdown(table)


def test_markdown_cells_break_no_table() -> None:
    table = v.Table(columns=[v.Column(name="a|b")], rows=[["x|y\nz ![p](http://q) <b>"]])
    lines = table_markdown(table).split("\n")
    assert len(lines) == 3
    assert lines[2] == "| x\\|y z !\\[p\\](http://q) &lt;b> |"


def test_columns_that_no_layer_fills_are_left_out() -> None:
    row = v.LayerRow(layer="a", weight=v.NumberFormat(bits=8, signed=True, fraction=6))
    html = drawn(v.Layers(rows=[row]))
    assert "Histogram" not in html
    assert "Clip level" not in html
    full = row.model_copy(update={"edges": [0.0, 1.0], "counts": [2.0], "clip_level": 1.0})
    html = drawn(v.Layers(rows=[row, full]))
    assert "Histogram" in html
    assert "Clip level" in html


def test_formats_that_never_moved_are_said_not_drawn() -> None:
    rows = v.Layers(
        rows=[v.LayerRow(layer="a", weight=v.NumberFormat(bits=8, signed=True, fraction=6))]
    )
    html = drawn(rows, earlier=((0, rows), (10, rows)))
    assert "Weights: no layer changed its format." in html
    assert 'class="matrix"' not in html
