"""The Curves dock: which curves it shows, how they are chosen, exported and kept current."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from backend.core import events as ev
from backend.core.catalog import Catalog
from backend.core.workspace import Workspace
from studio.docks.curves import CurvesDock, CurvesWidget
from studio.theme import theme
from tests.studio.dock_world import World, make_run, write


@pytest.fixture
def world(workspace: Workspace, recorded_catalog: Catalog) -> Iterator[World]:
    made = World(workspace, recorded_catalog)
    yield made
    made.deleteLater()


@pytest.fixture
def dock(world: World, qtbot: Any) -> CurvesWidget:
    made = CurvesWidget(world)
    qtbot.addWidget(made)
    made.resize(760, 300)
    made.show()
    qtbot.waitExposed(made)
    return made


def names(dock: CurvesWidget) -> list[tuple[str, str]]:
    return [(e.curve.name, e.curve.about) for e in dock.legend.entries]


def values(dock: CurvesWidget, metric: str, which: int = 0) -> list[float]:
    return list(dock.plots[metric].curves[which].series.values)


def test_without_a_run_it_says_what_to_do(dock: CurvesWidget, world: World) -> None:
    dock.tick()
    assert dock._empty.isVisible()
    assert dock._empty.label.text() == "Curves appear when a node trains."
    QTest.mouseClick(dock._empty.button, Qt.MouseButton.LeftButton)
    assert world.calls == [("act", "run", {})]
    world.selection.current = "train"
    dock._empty.button.click()
    assert world.calls[-1] == ("act", "run_here", {})


def test_a_run_shows_one_plot_a_metric_and_one_line_a_node(
    dock: CurvesWidget, world: World, recorded_run: Path
) -> None:
    world.set_focus(recorded_run.name)
    dock.tick()
    assert list(dock.plots) == ["val_top1", "loss", "val_loss"]
    assert names(dock) == [("F8Net", "done"), ("Train", "float, done"), ("Train", "done")]
    assert [c.pen for c in dock.plots["loss"].curves] == [0, 1, 2]
    assert len(values(dock, "loss", 2)) == 560
    assert dock.plots["loss"].title.text() == "Loss"


def test_marked_runs_join_with_a_pen_each(
    dock: CurvesWidget, world: World, workspace: Workspace
) -> None:
    for name, start in (("first", 1.0), ("second", 2.0)):
        write(make_run(workspace, name), "loss", [start, start / 2, start / 4])
    world.set_focus("first")
    world.mark("second")
    dock.tick()
    curves = dock.plots["loss"].curves
    assert [(c.key, c.pen, c.turn) for c in curves] == [
        (("first", "train"), 0, 0),
        (("second", "train"), 1, 0),
    ]
    assert [c.short for c in curves] == ["first", "second"]
    assert dock.figure().legend[1].color == theme().pen_color(1)
    world.mark("second", False)
    dock.tick()
    assert len(dock.plots["loss"].curves) == 1


def test_live_points_appear_and_a_resume_takes_points_back(
    dock: CurvesWidget, world: World, workspace: Workspace
) -> None:
    run = make_run(workspace, "live")
    write(run, "loss", [5.0, 4.0, 3.0])
    world.set_focus("live")
    dock.tick()
    assert values(dock, "loss") == [5, 4, 3]
    write(run, "loss", [2.0], start=3)
    world.runner.watch("live").read(1.0)
    assert dock._timer.isActive()
    dock.tick()
    assert values(dock, "loss") == [5, 4, 3, 2]
    run.append(ev.Resumed(node="train", step=1, seq=2))
    write(run, "loss", [9.0, 8.0], start=2)
    world.runner.watch("live").read(1.0)
    dock.tick()
    assert values(dock, "loss") == [5, 4, 9, 8]
    assert list(dock.plots["loss"].curves[0].series.steps) == [0, 1, 2, 3]


def test_only_plots_with_news_are_drawn_again(
    dock: CurvesWidget, world: World, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(workspace, "live")
    write(run, "loss", [5.0, 4.0])
    write(run, "val_loss", [5.0, 4.0])
    world.set_focus("live")
    dock.tick()
    dock.tick()
    drawn = []
    for plot in dock.plots.values():
        monkeypatch.setattr(plot, "_place_all", lambda p=plot: drawn.append(p.measure) or {})
    write(run, "loss", [3.0], start=2)
    world.runner.watch("live").read(1.0)
    dock.tick()
    assert drawn == ["loss"]


def test_plots_take_turns_when_time_is_short(
    dock: CurvesWidget, world: World, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(workspace, "live")
    for metric in ("loss", "val_loss"):
        write(run, metric, [5.0, 4.0])
    world.set_focus("live")
    dock.tick()
    for metric in ("loss", "val_loss"):
        write(run, metric, [3.0], start=2)
    world.runner.watch("live").read(1.0)
    dock.tick(0.0)
    assert [plot.is_stale for plot in dock.plots.values()] == [False, True]
    assert dock._timer.isActive()
    dock.tick(0.0)
    assert [plot.is_stale for plot in dock.plots.values()] == [False, False]
    assert not dock._left


def test_a_hidden_dock_does_not_work_and_catches_up(
    dock: CurvesWidget, world: World, workspace: Workspace, qtbot: Any
) -> None:
    run = make_run(workspace, "live")
    write(run, "loss", [5.0, 4.0])
    world.set_focus("live")
    dock.tick()
    dock.hide()
    write(run, "loss", [3.0], start=2)
    world.runner.watch("live").read(1.0)
    assert not dock._timer.isActive()
    dock.tick()
    assert values(dock, "loss") == [5, 4]
    dock.show()
    qtbot.waitUntil(lambda: values(dock, "loss") == [5, 4, 3])


def test_a_run_that_became_nan_is_marked(
    dock: CurvesWidget, world: World, workspace: Workspace
) -> None:
    write(make_run(workspace, "burst"), "loss", [1.0, 2.0, math.nan, math.inf])
    world.set_focus("burst")
    dock.tick()
    assert dock.plots["loss"].note.text() == "train: loss became NaN at step 2"


def test_a_click_in_the_legend_hides_and_a_double_click_shows_alone(
    dock: CurvesWidget, world: World, recorded_run: Path
) -> None:
    world.set_focus(recorded_run.name)
    dock.tick()
    first, second, third = dock.legend.entries
    QTest.mouseClick(second, Qt.MouseButton.LeftButton)
    assert [c.is_hidden for c in dock.plots["loss"].curves] == [False, True, False]
    assert "hidden" in second.accessibleName()
    QTest.mouseClick(second, Qt.MouseButton.LeftButton)
    QTest.mouseDClick(third, Qt.MouseButton.LeftButton)
    assert [c.is_hidden for c in dock.plots["loss"].curves] == [True, True, False]
    third.setFocus()
    QTest.keyClick(third, Qt.Key.Key_Return)
    assert not any(c.is_hidden for c in dock.plots["loss"].curves)
    QTest.keyClick(first, Qt.Key.Key_Space)
    assert dock.plots["loss"].curves[0].is_hidden


def test_hovering_the_legend_emphasises(
    dock: CurvesWidget, world: World, recorded_run: Path
) -> None:
    world.set_focus(recorded_run.name)
    dock.tick()
    dock.legend.entries[0].hovered.emit(dock.legend.entries[0].curve.key)
    assert {plot.emphasis for plot in dock.plots.values()} == {(recorded_run.name, "f8net")}
    dock.tick()
    loss = dock.plots["loss"]
    other = loss._items[recorded_run.name, "train"].smooth.opts["pen"].color()
    assert other != theme().pen_color(2)


def test_layers_share_a_logarithmic_plot_with_a_curve_and_an_entry_each(
    dock: CurvesWidget, world: World, workspace: Workspace, qtbot: Any
) -> None:
    run = make_run(workspace, "align")
    layers = ("down.1", "blocks.0", "blocks.2")
    for step in range(6):
        distances = {f"1-KA {layer}": 10.0 ** -(step / 2 + n) for n, layer in enumerate(layers)}
        run.append(
            ev.Metric(node="train", step=step, values={"loss": 1.0, **distances}, seq=step + 1)
        )
    run.close()
    world.set_focus("align")
    dock.tick()
    assert list(dock.plots) == ["1-KA", "loss"], "the alignment is in front"
    plot = dock.plots["1-KA"]
    assert [curve.label for curve in plot.curves] == list(layers)
    assert len({curve.color.name() for curve in plot.curves}) == 3
    assert (plot.title.text(), plot.unit.text()) == ("1 - KA", "log axis")
    assert dock.plots["loss"].unit.text() == ""
    low, high = plot.view.viewRange()[1]
    assert low < -4.5, "1e-4.5 is the least of the third layer"
    assert high < 0.5
    assert [e.curve.name for e in dock.legend.entries] == ["train", *layers]
    dock.change(log_y=True)
    dock.change(log_y=False)
    assert plot.options.log_y, "this axis stays logarithmic"
    assert not dock.plots["loss"].options.log_y
    entry = dock.legend.entries[2]
    entry.hovered.emit(entry.curve.key)
    assert (plot.emphasis, dock.plots["loss"].emphasis) == (entry.curve.key, None)
    qtbot.mouseClick(entry, Qt.MouseButton.LeftButton)
    assert [curve.is_hidden for curve in dock.plots["1-KA"].curves] == [False, True, False]


def test_smoothing_is_said_and_remembered(
    dock: CurvesWidget, world: World, recorded_run: Path
) -> None:
    world.set_focus(recorded_run.name)
    dock.tick()
    tools = dock.tools()
    assert "smoothed over about 7 points" in dock.legend.sample.text
    tools.slider.setFocus()
    QTest.keyClick(tools.slider, Qt.Key.Key_Right)
    assert dock.options.weight == pytest.approx(0.87)
    assert world.settings.values.smoothing == 0.87
    tools.slider.changed.emit(0.0)
    assert dock.legend.sample.text == "raw line, not smoothed"


def test_the_crosshair_stands_on_every_plot_and_has_one_card(
    dock: CurvesWidget, world: World, recorded_run: Path
) -> None:
    world.set_focus(recorded_run.name)
    dock.tick()
    dock.plots["loss"].pointed.emit(150.0)
    assert all(plot.crosshair.readings for plot in dock.plots.values())
    assert [p._has_card for p in (pl.crosshair for pl in dock.plots.values())] == [
        False,
        True,
        False,
    ]
    assert dock.place.text() == "step 150"
    dock.plots["loss"].pointed.emit(None)
    assert not any(plot.crosshair.isVisible() for plot in dock.plots.values())


def test_a_zoom_is_shared(dock: CurvesWidget, world: World, recorded_run: Path) -> None:
    world.set_focus(recorded_run.name)
    dock.tick()
    loss = dock.plots["loss"]
    loss.view.setXRange(100, 200, padding=0)
    loss.view.sigRangeChangedManually.emit([True, False])
    assert dock.plots["val_loss"].view.viewRange()[0] == pytest.approx([100, 200])
    dock.show_whole_range()
    assert loss.view.viewRange()[0][1] > 500


def test_epochs_are_known_from_the_parameters(
    dock: CurvesWidget, world: World, recorded_run: Path
) -> None:
    world.set_focus(recorded_run.name)
    dock.tick()
    assert "epoch" in dock.known_x_modes()
    dock.change(x_mode="epoch")
    last = dock.plots["loss"].curves[2].x(dock.options)
    epochs = world.runner.watch(recorded_run.name).run.graph().nodes["train"].params["epochs"]
    assert last is not None
    assert last[-1] == pytest.approx(epochs, abs=0.05)
    dock.plots["loss"].pointed.emit(1.5)
    assert dock.place.text() == "epoch 1.50"


def test_time_since_the_node_began(dock: CurvesWidget, world: World, recorded_run: Path) -> None:
    world.set_focus(recorded_run.name)
    dock.change(x_mode="time")
    dock.tick()
    seconds = dock.plots["loss"].curves[2].x(dock.options)
    assert seconds is not None
    assert seconds[0] == 0.0
    assert 30 < seconds[-1] < 200
    dock.plots["loss"].pointed.emit(12.34)
    assert dock.place.text() == "12.3 s"


def test_choices_are_remembered(
    dock: CurvesWidget, world: World, recorded_run: Path, qtbot: Any
) -> None:
    world.set_focus(recorded_run.name)
    dock.tick()
    dock.choose_metric("lr", True)
    dock.choose_metric("val_top1", False)
    dock.change(log_y=True, has_band=False)
    again = CurvesWidget(world)
    qtbot.addWidget(again)
    again.resize(700, 300)
    again.show()
    again.tick()
    assert list(again.plots) == ["loss", "val_loss", "lr"]
    assert again.options.log_y
    assert not again.options.has_band


def test_the_last_plot_stays(dock: CurvesWidget, world: World, workspace: Workspace) -> None:
    write(make_run(workspace, "a"), "loss", [1.0, 2.0])
    world.set_focus("a")
    dock.tick()
    dock.choose_metric("loss", False)
    assert list(dock.plots) == ["loss"]


def test_menus_offer_what_there_is(dock: CurvesWidget, world: World, recorded_run: Path) -> None:
    world.set_focus(recorded_run.name)
    dock.tick()
    tools, menu = dock.tools(), QMenu(dock)
    tools._fill_more(menu)
    texts = {entry.text(): entry for entry in menu.actions()}
    assert texts["Loss"].isChecked()
    assert not texts["Learning rate"].isChecked()
    assert texts["x axis: Time since the node began"].isEnabled()
    texts["Hide outliers"].trigger()
    assert dock.options.hide_outliers
    texts["Learning rate"].trigger()
    assert "lr" in dock.plots


@pytest.mark.parametrize("ending", ["png", "svg", "csv"])
def test_export(
    dock: CurvesWidget, world: World, recorded_run: Path, tmp_path: Path, ending: str
) -> None:
    world.set_focus(recorded_run.name)
    dock.tick()
    dock.tools().exporter.save_to(tmp_path / f"a.{ending}")
    assert (tmp_path / f"a.{ending}").stat().st_size > 1000
    assert world.calls[-1][:2] == ("tell", "Saved.")
    (tmp_path / "file").write_text("")
    dock.tools().exporter.save_to(tmp_path / "file" / f"a.{ending}")
    assert world.calls[-1][:2] == ("tell", "The file was not written.")


def test_copies_go_to_the_clipboard(dock: CurvesWidget, world: World, recorded_run: Path) -> None:
    world.set_focus(recorded_run.name)
    dock.tick()
    dock.tools().exporter.copy_csv()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0] == "metric,curve,step,value,smoothed"
    losses = [line for line in lines if line.startswith("loss,train,")]
    assert len(losses) == 560
    assert np.isfinite(float(losses[0].split(",")[3]))
    dock.tools().exporter.copy_picture()
    assert QGuiApplication.clipboard().image().size() == dock.figure().size() * 2


@pytest.mark.parametrize("mode", ["light", "contrast"])
def test_it_follows_the_theme(
    dock: CurvesWidget, world: World, recorded_run: Path, mode: str
) -> None:
    world.set_focus(recorded_run.name)
    dock.tick()
    theme().choose(mode, 1.5)
    dock.tick()
    plot = dock.plots["loss"]
    assert plot.canvas.backgroundBrush().color() == theme().color("panel")
    assert plot._items[recorded_run.name, "f8net"].smooth.opts["pen"].color() == theme().pen_color(
        0
    )


def test_a_marked_run_whose_folder_is_gone_is_left_out(
    dock: CurvesWidget, world: World, workspace: Workspace
) -> None:
    write(make_run(workspace, "a"), "loss", [1.0, 2.0])
    world.mark("a")
    world.mark("gone")
    dock.tick()
    assert [c.key for c in dock.plots["loss"].curves] == [("a", "train")]


def test_what_the_shell_reads() -> None:
    assert CurvesDock.WIDGET is CurvesWidget
    assert (CurvesDock.NAME, CurvesDock.AREA) == ("curves", "bottom")
