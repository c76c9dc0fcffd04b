"""The canvas as a widget: zoom, keys, tips, pictures, what moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest

from backend.core import events as ev
from backend.core.errors import DocumentError
from studio.editor import grid
from studio.editor.tips import tip_of
from studio.editor.view import GraphView
from studio.session import Session
from studio.theme import theme
from tests.studio.canvas_parts import at, click, head, shown, small_graph

CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def view(qtbot: Any, session: Session) -> GraphView:
    small_graph(session)
    return shown(qtbot, session)


@pytest.fixture
def acts(session: Session) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []

    def hear(name: str, details: Any) -> None:
        found.append((name, details))

    session.acted.connect(hear)
    return found


def _wheel(view: GraphView, turned: int, modifiers: Qt.KeyboardModifier, place: QPointF) -> None:
    event = QWheelEvent(
        place,
        QPointF(view.viewport().mapToGlobal(place.toPoint())),
        QPoint(),
        QPoint(0, turned),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    view.wheelEvent(event)


def test_control_wheel_zooms_at_the_pointer(view: GraphView) -> None:
    place = QPointF(200, 150)
    before = view.to_scene(place)
    told: list[float] = []
    view.zoom_changed.connect(told.append)
    _wheel(view, 120, CONTROL, place)
    assert view.zoom_level == pytest.approx(1.1)
    assert told == [pytest.approx(1.1)]
    assert (view.to_scene(place) - before).manhattanLength() < 2
    for _ in range(40):
        _wheel(view, 120, CONTROL, place)
    assert view.zoom_level == 2.0
    for _ in range(60):
        _wheel(view, -120, CONTROL, place)
    assert view.zoom_level == 0.25


def test_wheel_pans(view: GraphView) -> None:
    before = view.mapToScene(0, 0)
    _wheel(view, -120, NONE, QPointF(100, 100))
    assert view.mapToScene(0, 0) - before == QPointF(0, 60)
    _wheel(view, -120, SHIFT, QPointF(100, 100))
    assert view.mapToScene(0, 0) - before == QPointF(60, 60)


def test_fit_shows_all(view: GraphView, session: Session) -> None:
    theme().choose(reduced_motion=True)
    session.document.add("data.digits", at=(9000, 7000))
    view.zoom_to_fit()
    sight = view.mapToScene(view.viewport().rect()).boundingRect()
    assert sight.contains(view.scene().content_rect())
    assert view.zoom_level < 0.25
    view.center_on_node("train")
    assert view.zoom_level >= 0.75
    assert view.mapToScene(view.viewport().rect()).boundingRect().contains(QPointF(300, 100))


def test_fit_glides_unless_motion_is_reduced(qtbot: Any, view: GraphView) -> None:
    view.set_zoom(2.0)
    view.zoom_to_fit()
    assert view.sight.is_gliding
    assert view.zoom_level == pytest.approx(2.0, abs=0.1)
    qtbot.waitUntil(lambda: not view.sight.is_gliding)
    assert view.zoom_level == pytest.approx(1.0)


def test_text_scale_is_in_the_zoom(view: GraphView) -> None:
    theme().choose(scale=1.5)
    assert view.zoom_level == 1.0
    assert view.transform().m11() == pytest.approx(1.5)


def test_dots_thin_out() -> None:
    assert grid.spacing(1.0) == 24
    assert grid.spacing(0.4) == 96
    assert grid.spacing(0.2) == 0


# -- keys ------------------------------------------------------------------------------------------


def test_arrows_nudge_and_make_one_step(view: GraphView, session: Session) -> None:
    click(view, head(view, "train"))
    count = session.document.stack.count()
    QTest.keyClick(view, Qt.Key.Key_Right)
    QTest.keyClick(view, Qt.Key.Key_Down, SHIFT)
    assert session.document.graph.layout["train"] == {"x": 288.0, "y": 104.0}
    assert session.document.stack.count() == count + 1


def test_delete_removes_all_that_is_selected(view: GraphView, session: Session) -> None:
    note = session.document.add_note((0, 400, 160, 96), "words")
    link = session.document.graph.links[0]
    session.selection.set(["test"], [link], [note])
    count = session.document.stack.count()
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Delete)
    graph = session.document.graph
    assert "test" not in graph.nodes
    assert link not in graph.links
    assert not graph.notes
    assert session.document.stack.count() == count + 1


def test_tab_goes_through_the_nodes_and_out(view: GraphView, session: Session) -> None:
    view.setFocus()
    seen = []
    for _ in range(4):
        QTest.keyClick(view, Qt.Key.Key_Tab)
        seen.append(session.selection.current)
    assert seen == ["data", "net", "train", "test"]
    QTest.keyClick(view, Qt.Key.Key_Backtab)
    assert session.selection.current == "train"


def test_enter_menu_and_all(
    view: GraphView, session: Session, acts: list[tuple[str, dict[str, Any]]]
) -> None:
    session.selection.set(["net"])
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert acts[-1] == ("focus_properties", {"node": "net"})
    QTest.keyClick(view, Qt.Key.Key_Menu)
    assert acts[-1][0] == "context_menu"
    assert acts[-1][1]["kind"] == "node"
    QTest.keyClick(view, Qt.Key.Key_A, CONTROL)
    assert set(session.selection.nodes) == {"data", "net", "train", "test"}
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert session.selection.nodes == ()


def test_context_menu_selects_what_it_is_about(
    view: GraphView, session: Session, acts: list[tuple[str, dict[str, Any]]]
) -> None:
    view.open_context_menu(head(view, "test"))
    assert session.selection.nodes == ("test",)
    assert acts[-1][1]["kind"] == "node"
    link = session.document.graph.links[0]
    view.open_context_menu(at(view, view.scene().link_items[link].path().pointAtPercent(0.5)))
    assert session.selection.links == (link,)
    assert acts[-1][1]["kind"] == "link"
    view.open_context_menu(at(view, QPointF(600, 420)))
    assert acts[-1][1]["kind"] == "canvas"


def test_badge_goes_to_the_problem(
    view: GraphView, session: Session, acts: list[tuple[str, dict[str, Any]]]
) -> None:
    session.document.validate()
    item = view.scene().node_items["test"]
    click(view, at(view, item.pos() + item.plan.badge.center()))
    assert acts[-1][0] == "show_problem"
    assert acts[-1][1]["node"] == "test"
    assert acts[-1][1]["where"] == "model"


# -- what is said ----------------------------------------------------------------------------------


def test_tips(view: GraphView, session: Session) -> None:
    session.document.validate()
    text = tip_of(session, view.hit_at(QPointF(head(view, "test"))))
    assert "Evaluate" in text
    assert "model" in text
    port = view.scene().port_point("train.model", "input")
    assert "required" in tip_of(session, view.scene().hit(port))
    assert tip_of(session, view.scene().hit(QPointF(5000, 0))) == ""


def test_says_what_is_selected(view: GraphView, session: Session) -> None:
    assert view.accessibleDescription() == "4 nodes, none selected"
    session.selection.set(["train"])
    assert view.accessibleDescription().startswith("Train, not run")
    session.selection.set(["train", "net"])
    assert view.accessibleDescription().startswith("2 nodes selected")


# -- runs ------------------------------------------------------------------------------------------


def test_shows_a_recorded_run(
    qtbot: Any, session: Session, recorded_run: Path, view: GraphView
) -> None:
    session.document.open(recorded_run / "graph.json", as_copy=True)
    session.set_focus(recorded_run.name)
    watch = session.focus
    assert watch is not None
    qtbot.waitUntil(lambda: watch.is_caught_up, timeout=10_000)
    items = view.scene().node_items
    train = items["train"].face
    assert train.state == "done"
    figures = watch.run.result["metrics"]["train"]["val_top1"]
    assert train.left == f"top-1 {figures['last']:.1f} %"
    assert train.preview is not None
    assert train.preview.kind == "curve"
    layers = items["f8net"].face.preview
    assert layers is not None
    assert layers.kind == "bits"
    assert {sum(column) for column in layers.bits} == {8}
    picture = items["data"].face.preview
    assert picture is not None
    assert Path(picture.path).is_file()
    states = {name: node.state for name, node in watch.fold.nodes.items()}
    assert {name: item.face.state for name, item in items.items()} == states
    assert not view.viewport().grab().isNull()
    session.set_focus(None)
    assert items["train"].face.state == "idle"


def test_pulse_runs_only_while_a_node_runs_and_is_seen(
    qtbot: Any, session: Session, recorded_run: Path, view: GraphView
) -> None:
    session.set_focus(recorded_run.name)
    watch = session.focus
    assert watch is not None
    qtbot.waitUntil(lambda: watch.is_caught_up, timeout=10_000)
    assert not view._pulse.is_running
    watch.fold.set_state("running")
    watch.fold.feed([ev.NodeStarted(node="train")])
    watch.changed.emit([ev.NodeStarted(node="train")])
    assert view._pulse.is_running
    running = {link.target for link, item in view.scene().link_items.items() if item.is_running}
    assert running == {"train.data", "train.model"}
    theme().choose(reduced_motion=True)
    assert not view._pulse.is_running
    theme().choose(reduced_motion=False)
    assert view._pulse.is_running
    view.hide()
    assert not view._pulse.is_running
    view.show()
    done = ev.NodeFinished(node="train", seconds=1.0)
    watch.fold.feed([done])
    watch.changed.emit([done])
    assert not view._pulse.is_running


# -- pictures --------------------------------------------------------------------------------------


def test_picture_of_the_whole_graph(view: GraphView, session: Session) -> None:
    session.selection.set(["train"])
    image = view.grab_picture(1.0)
    rect = view.scene().content_rect()
    assert abs(image.width() - rect.width() - 64) <= 1
    bench, blank = theme().color("bench"), image.pixelColor(2, 2)
    assert blank == bench
    inside = view.scene().node_items["train"].card_rect().center() - rect.topLeft()
    x, y = round(inside.x()) + 32, round(inside.y()) + 32
    assert image.pixelColor(x, y) != bench
    assert view.scene().state.nodes == frozenset(["train"])


def test_picture_files(view: GraphView, tmp_path: Path) -> None:
    view.save_picture(tmp_path / "graph.svg")
    text = (tmp_path / "graph.svg").read_text(encoding="utf-8")
    assert text.count("<path") > 10
    assert "Train" in text
    view.save_picture(tmp_path / "graph.png")
    assert (tmp_path / "graph.png").stat().st_size > 1000
    with pytest.raises(DocumentError, match="could not be written"):
        view.save_picture(tmp_path / "missing" / "graph.png")


def test_paints_at_every_zoom_and_look(view: GraphView, session: Session) -> None:
    session.document.bypass(["train"], True)
    session.document.add_note((0, 400, 160, 96), "words")
    session.document.add_note((-24, -64, 240, 200), "", "frame")
    session.document.validate()
    grabs = []
    for mode in ("dark", "light", "contrast"):
        theme().choose(mode)
        for zoom in (2.0, 1.0, 0.4, 0.26):
            view.set_zoom(zoom)
            grabs.append(view.viewport().grab().toImage())
    assert len({bytes(image.constBits()) for image in grabs}) == len(grabs)


def test_fits_anew_until_somebody_zooms(view: GraphView) -> None:
    view.sight.fit(at_once=True)
    view.resize(400, 300)
    sight = view.mapToScene(view.viewport().rect()).boundingRect()
    assert sight.contains(view.scene().content_rect())
    view.set_zoom(1.0)
    view.resize(300, 200)
    assert view.zoom_level == 1.0


def test_closed_canvas_hears_no_more(qtbot: Any, session: Session) -> None:
    view = GraphView(session)
    view.show()
    small_graph(session)
    view.close()
    view.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    with qtbot.captureExceptions() as errors:
        session.document.add("data.digits")
        session.selection.set(["data"])
        theme().choose("light")
        session.document.new()
    assert not errors


def test_remedies_at_the_end_of_the_footer(
    session: Session,
    recorded_run: Path,
    qtbot: Any,
    view: GraphView,
    acts: list[tuple[str, dict[str, Any]]],
) -> None:
    session.set_focus(recorded_run.name)
    watch = session.focus
    assert watch is not None
    qtbot.waitUntil(lambda: watch.is_caught_up, timeout=10_000)
    watch.fold.nodes["train"].state = "cancelled"
    watch.fold.nodes["net"].state = "failed"
    watch.fold.nodes["net"].error = "The folder of the pictures is gone."
    watch.changed.emit([])
    items = view.scene().node_items
    assert items["train"].face.right == "Resume"
    failed = items["net"].face
    assert failed.preview is not None
    assert failed.preview.kind == "sentence"
    click(view, at(view, items["train"].pos() + items["train"].plan.remedy.center()))
    assert acts[-1] == ("resume", {})
    click(view, at(view, items["net"].pos() + items["net"].plan.remedy.center()))
    assert acts[-1] == ("show_problem", {"node": "net", "where": ""})


def test_run_that_waits_says_for_whom(session: Session, recorded_run: Path, qtbot: Any) -> None:
    small_graph(session)
    view = shown(qtbot, session)
    session.set_focus(recorded_run.name)
    watch = session.focus
    assert watch is not None
    qtbot.waitUntil(lambda: watch.is_caught_up, timeout=10_000)
    watch.fold.nodes["train"].state = "queued"
    watch.fold.nodes["net"].state = "running"
    watch.changed.emit([])
    face = view.scene().node_items["train"].face
    assert (face.state, face.summary) == ("queued", "waits for ResNet")
