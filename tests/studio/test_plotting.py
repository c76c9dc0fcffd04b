"""The widgets of plots: drawing, zoom, crosshair, export."""

from __future__ import annotations

import csv
import io
import math
from array import array
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.plotting import figure
from studio.plotting.curve import Curve, Options
from studio.plotting.drawing import place, reading
from studio.plotting.plot import Plot
from studio.theme import theme

NAN = float("nan")


def points(values: list[float], steps: list[float] | None = None, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(
        steps=array("d", steps if steps is not None else range(len(values))),
        values=array("d", values),
        **more,
    )


def curve(values: list[float], steps: list[float] | None = None, **how: Any) -> Curve:
    made = Curve(key=how.pop("key", "a"), name="A", **how)
    made.series.take(points(values, steps))
    return made


# -- the plot -------------------------------------------------------------------------------------


@pytest.fixture
def plot(qtbot: Any) -> Plot:
    made = Plot("loss")
    qtbot.addWidget(made)
    made.resize(500, 260)
    made.show()
    qtbot.waitExposed(made)
    return made


def draw(plot: Plot, *curves: Curve, **how: Any) -> None:
    plot.set_options(Options(**how))
    plot.set_curves(list(curves))
    plot.redraw()
    QApplication.processEvents()


def test_reading_follows_the_drawn_line() -> None:
    x, y = np.array([0.0, 10.0, 20.0]), np.array([0.0, 10.0, NAN])
    assert reading(x, y, 2.5) == (2.5, 2.5)
    assert reading(x, y, 15) is None
    assert reading(x, y, -5) is None
    assert reading(x, y, -0.5, grace=1.0) == (0.0, 0.0)
    assert reading(np.empty(0), np.empty(0), 1) is None


@pytest.mark.parametrize("values", [[], [3.0], [NAN, NAN], [5.0, 5.0], [-1.0, 0.0]])
@pytest.mark.parametrize("log", [False, True])
def test_odd_curves_are_drawn_without_harm(plot: Plot, values: list[float], log: bool) -> None:
    draw(plot, curve(values), log_y=log, log_x=log)
    (low, high), (bottom, top) = plot.view.viewRange()
    assert high > low
    assert top > bottom
    assert not plot.grab().isNull()


def test_a_log_axis_says_what_it_leaves_out(plot: Plot) -> None:
    draw(plot, curve([1.0, 0.0, -3.0, 10.0]), log_y=True, weight=0.0)
    assert "2 values of 0 or below not drawn" in plot.note.text()
    assert "log axis" in plot.unit.text()
    assert plot.view.viewRange()[1][1] == pytest.approx(1.0, abs=0.1)


def test_no_smoothing_draws_the_raw_line_alone(plot: Plot) -> None:
    c = curve([float(k % 7) for k in range(500)])
    placed = place(c, Options(weight=0.0))
    assert placed is not None
    assert placed.smooth is None
    draw(plot, c, weight=0.0)
    items = plot._items["a"]
    assert items.smooth.isVisible()
    assert not items.raw.isVisible()
    assert not items.band.isVisible()
    draw(plot, c, weight=0.9)
    assert items.raw.isVisible()
    assert items.band.isVisible()


def test_a_diverged_run_is_marked(plot: Plot) -> None:
    draw(plot, curve([1.0, 2.0, NAN], [410, 411, 412]))
    assert plot.note.text() == "A: loss became NaN at step 412"
    line, words = plot._marks._items[0]
    assert line.value() == 412
    assert "NaN at step 412" in words.toPlainText()


def test_emphasis_lets_the_others_step_back(plot: Plot) -> None:
    a = curve([float(k) for k in range(300)], key="a", pen=0)
    b = curve([float(k) for k in range(300)], key="b", pen=1)
    plot.emphasis = "a"
    draw(plot, a, b)
    assert plot._items["a"].smooth.opts["pen"].color() == theme().pen_color(0)
    assert plot._items["b"].smooth.opts["pen"].color() != theme().pen_color(1)
    assert not plot._items["b"].band.isVisible()


def test_few_points_have_the_broad_pen_and_many_the_quick_one(plot: Plot) -> None:
    draw(plot, curve([1.0] * 100))
    assert plot._items["a"].smooth.opts["pen"].widthF() == 1.6
    draw(plot, curve([1.0] * 100), curve([1.0] * 3000, key="b"))
    assert plot._items["a"].smooth.opts["pen"].widthF() == 1.0


def centre(plot: Plot) -> QPoint:
    return plot.inner_rect().center().toPoint()


def test_wheel_zooms_and_double_click_shows_all_again(plot: Plot, qtbot: Any) -> None:
    draw(plot, curve([float(k) for k in range(200)]))
    whole = plot.view.viewRange()[0]
    told: list[Any] = []
    plot.zoomed.connect(told.append)
    at = centre(plot)
    view = plot.canvas.viewport()
    wheel = QWheelEvent(
        QPointF(at),
        QPointF(view.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 480),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, wheel)
    low, high = plot.view.viewRange()[0]
    assert high - low < 0.9 * (whole[1] - whole[0])
    assert told[-1] == (low, high)
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=at)
    assert plot.view.viewRange()[0] == pytest.approx(whole)
    assert told[-1] is None


def test_drag_pans_and_live_points_do_not_move_the_view_back(plot: Plot) -> None:
    c = curve([float(k) for k in range(200)])
    draw(plot, c)
    before = plot.view.viewRange()[0]
    view, at = plot.canvas.viewport(), centre(plot)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=at)
    for dx in (10, 30, 60):
        QTest.mouseMove(view, at - QPoint(dx, 0))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=at - QPoint(60, 0))
    panned = plot.view.viewRange()[0]
    assert panned[0] > before[0] + 5
    c.series.take(points([float(k) for k in range(400)]))
    plot.is_stale = True
    plot.redraw()
    assert plot.view.viewRange()[0] == panned


def test_the_crosshair_reads_every_curve_and_the_card_stands_beside_it(plot: Plot) -> None:
    a = curve([float(k) for k in range(101)], key="a", pen=0, short="one")
    b = curve([200.0 - k for k in range(101)], key="b", pen=1, short="two")
    draw(plot, a, b, weight=0.0)
    told: list[Any] = []
    plot.pointed.connect(told.append)
    QTest.mouseMove(plot.canvas.viewport(), centre(plot))
    assert told[-1] == pytest.approx(50, abs=1)
    plot.point_at(40.0, has_card=True)
    assert [(r.name, float(r.text)) for r in plot.crosshair.readings] == [
        ("one", 40.0),
        ("two", 160.0),
    ]
    card, line = plot.crosshair.card_rect(), plot.crosshair.readings[0].x
    assert not card.left() <= line <= card.right()
    plot.point_at(99.0, has_card=True)
    assert plot.crosshair.card_rect().right() < plot.crosshair.readings[0].x
    plot.point_at(None, has_card=True)
    assert plot.crosshair.readings == []


def test_a_redraw_without_news_does_nothing(plot: Plot, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(plot, curve([1.0, 2.0]))
    monkeypatch.setattr(plot, "_place_all", lambda: pytest.fail("drew again"))
    plot.redraw()


# -- export ---------------------------------------------------------------------------------------


def test_a_figure_is_saved_as_png_and_svg(plot: Plot, tmp_path: Path) -> None:
    c = curve([math.sin(k / 9) for k in range(300)], pen=1)
    draw(plot, c)
    fig = figure.Figure([plot], [c], "raw line", 1)
    fig.save_png(tmp_path / "a.png")
    fig.save_svg(tmp_path / "a.svg")
    image = QImage(str(tmp_path / "a.png"))
    assert image.size() == fig.size() * 2
    pen = theme().pen_color(1).rgb()
    lower = range(image.height() // 2, image.height())
    assert any(image.pixel(x, y) == pen for y in lower for x in range(100, image.width() - 40))
    text = (tmp_path / "a.svg").read_text()
    assert "<polyline" in text or "<path" in text
    assert theme().pen_color(1).name() in text.lower()


def test_csv_has_every_visible_value(plot: Plot) -> None:
    shown = curve([1.0, 2.5], key="a")
    hidden = curve([9.0], key="b", is_hidden=True)
    draw(plot, shown, hidden)
    rows = list(csv.DictReader(io.StringIO(figure.to_csv([plot], 0.0))))
    assert [(r["metric"], r["curve"], r["step"], r["value"]) for r in rows] == [
        ("loss", "A", "0", "1.0"),
        ("loss", "A", "1", "2.5"),
    ]


def test_a_file_that_cannot_be_written_is_an_error(plot: Plot, tmp_path: Path) -> None:
    draw(plot, curve([1.0]))
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        figure.Figure([plot], [], "", 1).save_png(tmp_path / "file" / "a.png")


def test_in_a_crowd_only_the_first_curve_keeps_raw_line_and_band(plot: Plot) -> None:
    names = [f"curve{n}" for n in range(9)]
    curves = [curve([float(k % 7) for k in range(500)], key=name) for name in names]
    plot.set_options(Options(weight=0.9))
    plot.set_curves(curves[:8])
    plot.redraw()
    assert all(plot._items[name].raw.isVisible() for name in names[:8])
    plot.set_curves(curves)
    plot.redraw()
    assert plot._items[names[0]].raw.isVisible()
    assert plot._items[names[0]].band.isVisible()
    for name in names[1:]:
        assert plot._items[name].smooth.isVisible()
        assert not plot._items[name].raw.isVisible()
        assert not plot._items[name].band.isVisible()
