"""The mouse on the canvas: real events on the viewport, the document as witness."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSizeF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtTest import QTest

from studio.editor.drop_gesture import MIME
from studio.editor.gestures import Guides, MoveDrag
from studio.editor.view import GraphView
from studio.session import Session
from tests.studio.canvas_parts import (
    at,
    click,
    drag,
    head,
    input_,
    links,
    output,
    shown,
    small_graph,
)

SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def view(qtbot: Any, session: Session) -> GraphView:
    small_graph(session)
    return shown(qtbot, session)


def test_click_selects_and_empty_ground_deselects(view: GraphView, session: Session) -> None:
    click(view, head(view, "train"))
    assert session.selection.nodes == ("train",)
    click(view, head(view, "net"), SHIFT)
    assert session.selection.nodes == ("train", "net")
    click(view, head(view, "net"), SHIFT)
    assert session.selection.nodes == ("train",)
    click(view, at(view, QPointF(300, -60)))
    assert session.selection.nodes == ()


def test_move_snaps_and_is_one_step(view: GraphView, session: Session) -> None:
    session.selection.set(["train", "net"])
    count = session.document.stack.count()
    start = head(view, "train")
    drag(view, start, start + QPoint(43, 21))
    layout = session.document.graph.layout
    assert layout["train"] == {"x": 320.0, "y": 104.0}
    assert layout["net"] == {"x": 40.0, "y": 264.0}
    assert session.document.stack.count() == count + 1
    session.document.stack.undo()
    assert session.document.graph.layout["train"] == {"x": 280.0, "y": 80.0}
    assert view.scene().node_items["train"].pos() == QPointF(280, 80)


def test_without_the_grid_things_land_on_pixels(view: GraphView, session: Session) -> None:
    session.settings.set(grid_snap=False)
    start = head(view, "train")
    drag(view, start, start + QPoint(43, 21))
    assert session.document.graph.layout["train"] == {"x": 323.0, "y": 101.0}
    _drop(view, "evaluate.classifier", at(view, QPointF(503, 401)))
    (name,) = session.selection.nodes
    placed = session.document.graph.layout[name]
    assert placed["x"] % 8
    assert placed["x"] % 1 == 0
    session.settings.set(grid_snap=True)
    drag(view, head(view, "train"), head(view, "train") + QPoint(43, 21))
    assert session.document.graph.layout["train"] == {"x": 368.0, "y": 120.0}


def test_move_shows_before_it_edits(view: GraphView, session: Session) -> None:
    start = head(view, "test")
    drag(view, start, start + QPoint(80, 40), drop=False)
    assert isinstance(view.gesture, MoveDrag)
    assert view.scene().node_items["test"].pos() == QPointF(640, 120)
    assert session.document.graph.layout["test"] == {"x": 560.0, "y": 80.0}
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert view.gesture is None
    assert view.scene().node_items["test"].pos() == QPointF(560, 80)
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=start)
    assert session.document.graph.layout["test"] == {"x": 560.0, "y": 80.0}


def test_guides_where_edges_meet(view: GraphView) -> None:
    guides = Guides()
    rect = view.scene().bounds_of(["test"])
    guides.show_for(({560.0}, {999.0}), rect)
    assert guides.count == 1
    guides.show_for(({1.0}, {2.0}), rect)
    assert guides.count == 0


def test_rubber_band(view: GraphView, session: Session) -> None:
    drag(view, at(view, QPointF(-60, -40)), at(view, QPointF(250, 200)))
    assert session.selection.nodes == ("data",)
    drag(view, at(view, QPointF(540, 60)), at(view, QPointF(700, 300)), modifiers=SHIFT)
    assert session.selection.nodes == ("data", "test")


def test_rubber_band_cancelled(view: GraphView, session: Session) -> None:
    session.selection.set(["net"])
    count = len(view.scene().items())
    drag(view, at(view, QPointF(-60, -40)), at(view, QPointF(250, 200)), drop=False)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert session.selection.nodes == ()
    assert len(view.scene().items()) == count


def test_pan_with_the_middle_button(view: GraphView) -> None:
    before = view.mapToScene(0, 0)
    start = at(view, QPointF(450, 400))
    drag(view, start, start + QPoint(60, 30), button=Qt.MouseButton.MiddleButton)
    after = view.mapToScene(0, 0)
    assert (before - after) == QPointF(60, 30)


def test_pan_with_space(view: GraphView, session: Session) -> None:
    before = view.mapToScene(0, 0)
    QTest.keyPress(view, Qt.Key.Key_Space)
    start = head(view, "train")
    drag(view, start, start + QPoint(50, 0))
    QTest.keyRelease(view, Qt.Key.Key_Space)
    assert before - view.mapToScene(0, 0) == QPointF(50, 0)
    assert session.document.graph.layout["train"] == {"x": 280.0, "y": 80.0}
    assert not view.is_space_down


# -- links -----------------------------------------------------------------------------------------


def test_link_from_output(view: GraphView, session: Session) -> None:
    drag(view, output(view, "train.classifier"), input_(view, "test.model"))
    assert ("train.classifier", "test.model") in links(session)
    assert view.scene().state.hand is None
    session.document.stack.undo()
    assert ("train.classifier", "test.model") not in links(session)


def test_link_from_input(view: GraphView, session: Session) -> None:
    drag(view, input_(view, "test.data"), output(view, "data.data"))
    assert ("data.data", "test.data") in links(session)


def test_link_near_a_port_snaps(view: GraphView, session: Session) -> None:
    drag(view, output(view, "data.data"), input_(view, "test.data") + QPoint(-15, 10))
    assert ("data.data", "test.data") in links(session)


def test_link_on_a_card_takes_the_port_that_fits(view: GraphView, session: Session) -> None:
    drag(view, output(view, "data.data"), head(view, "test"))
    assert ("data.data", "test.data") in links(session)


def test_refused_link_says_why(view: GraphView, session: Session) -> None:
    told: list[Any] = []
    session.told.connect(told.append)
    before = links(session)
    drag(view, output(view, "data.data"), input_(view, "test.model"), drop=False)
    gesture: Any = view.gesture
    # The port for data lies within reach as well and fits; who aims at this one means this one.
    assert gesture.goal == "test.model"
    QTest.mouseMove(view.viewport(), input_(view, "test.model") + QPoint(-4, 12))
    assert gesture.goal == "test.data", "between the two, what fits catches the link"
    QTest.mouseMove(view.viewport(), input_(view, "test.model") + QPoint(-6, -4))
    assert gesture.goal == "test.model"
    assert gesture._line.is_refused
    assert "Data" in gesture._bubble.text
    QTest.mouseRelease(
        view.viewport(), Qt.MouseButton.LeftButton, pos=input_(view, "test.model") + QPoint(-6, -4)
    )
    assert links(session) == before
    assert told[0].text.startswith("Does not fit.")


def test_link_in_hand_dims_what_does_not_fit(view: GraphView) -> None:
    drag(view, output(view, "train.classifier"), at(view, QPointF(500, 400)), drop=False)
    hand = view.scene().state.hand
    assert hand is not None
    assert hand.why_not("test.model") is None
    assert hand.why_not("test.data")
    assert hand.why_not("train.model") == "A node cannot feed itself."
    assert not view.scene().node_items["data"]._has_fit()
    assert view.scene().node_items["test"]._has_fit()
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert view.scene().state.hand is None


def test_replaces_the_link_of_an_input(view: GraphView, session: Session) -> None:
    other = session.document.add("model.vgg", name="vgg", at=(0, 420))
    view.centerOn(380, 260)
    drag(view, output(view, f"{other}.classifier"), input_(view, "train.model"))
    assert ("vgg.classifier", "train.model") in links(session)
    assert ("net.classifier", "train.model") not in links(session)
    session.document.stack.undo()
    assert ("net.classifier", "train.model") in links(session)


def test_picked_up_link_moves_to_another_input(view: GraphView, session: Session) -> None:
    count = session.document.stack.count()
    drag(view, input_(view, "train.model"), input_(view, "test.model"))
    assert ("net.classifier", "test.model") in links(session)
    assert ("net.classifier", "train.model") not in links(session)
    assert session.document.stack.count() == count + 1


def test_picked_up_link_dropped_beside_goes(view: GraphView, session: Session) -> None:
    wishes: list[Any] = []
    view.scene().wants_node.connect(wishes.append)
    drag(view, input_(view, "train.model"), at(view, QPointF(240, 380)))
    assert ("net.classifier", "train.model") not in links(session)
    assert not wishes


def test_picked_up_link_put_back_changes_nothing(view: GraphView, session: Session) -> None:
    count = session.document.stack.count()
    place = input_(view, "train.model")
    drag(view, place, place + QPoint(-60, 30), drop=False)
    assert view.scene().state.lifted is not None
    QTest.mouseMove(view.viewport(), place)
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert session.document.stack.count() == count
    assert view.scene().state.lifted is None


def test_link_dropped_on_the_ground_asks_for_a_node(view: GraphView, session: Session) -> None:
    wishes: list[Any] = []
    view.scene().wants_node.connect(wishes.append)
    place = at(view, QPointF(600, 400))
    drag(view, output(view, "train.classifier"), place)
    assert len(wishes) == 1
    assert (wishes[0].source, wishes[0].side) == ("train.classifier", "output")
    assert (wishes[0].scene_pos - QPointF(600, 400)).manhattanLength() < 2
    assert len(session.document.graph.links) == 2


def test_click_on_a_link_selects_it(view: GraphView, session: Session) -> None:
    link = session.document.graph.links[0]
    middle = view.scene().link_items[link].path().pointAtPercent(0.5)
    click(view, at(view, middle))
    assert session.selection.links == (link,)
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert link not in session.document.graph.links


# -- drops -----------------------------------------------------------------------------------------


def _mime(type_id: str) -> QMimeData:
    data = QMimeData()
    data.setData(MIME, type_id.encode())
    return data


def _drop(view: GraphView, type_id: str, place: QPoint) -> None:
    data, copy = _mime(type_id), Qt.DropAction.CopyAction
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    entered = QDragEnterEvent(place, copy, data, left, none)
    view.dragEnterEvent(entered)
    assert entered.isAccepted()
    view.dragMoveEvent(QDragMoveEvent(place, copy, data, left, none))
    view.dropEvent(QDropEvent(QPointF(place), copy, data, left, none))


def test_drop_from_palette(view: GraphView, session: Session) -> None:
    _drop(view, "quantize.f8net", at(view, QPointF(600, 360)))
    name = session.selection.current
    assert name is not None
    assert session.document.graph.nodes[name].type == "quantize.f8net"
    place = session.document.graph.layout[name]
    assert place["x"] % 8 == 0
    assert abs(place["x"] + 96 - 600) <= 8


def test_drop_on_a_link_goes_into_it(view: GraphView, session: Session) -> None:
    session.document.connect("train.classifier", "test.model")
    link = session.document.graph.links[-1]
    count = session.document.stack.count()
    middle = view.scene().link_items[link].path().pointAtPercent(0.5)
    _drop(view, "quantize.f8net", at(view, middle))
    name = session.selection.current
    assert ("train.classifier", f"{name}.model") in links(session)
    assert (f"{name}.classifier", "test.model") in links(session)
    assert ("train.classifier", "test.model") not in links(session)
    assert session.document.stack.count() == count + 1
    session.document.stack.undo()
    assert ("train.classifier", "test.model") in links(session)
    assert len(session.document.graph.nodes) == 4


def test_drop_on_a_link_that_it_does_not_fit_is_only_put_there(
    view: GraphView, session: Session
) -> None:
    link = session.document.graph.links[0]  # data
    middle = view.scene().link_items[link].path().pointAtPercent(0.5)
    before = links(session)
    _drop(view, "quantize.f8net", at(view, middle))
    assert links(session) == before


def test_lone_node_moved_on_a_link_goes_into_it(view: GraphView, session: Session) -> None:
    session.document.connect("train.classifier", "test.model")
    session.document.add("quantize.f8net", name="q", at=(560, 320))
    middle = view.scene().link_items[session.document.graph.links[-1]].path().pointAtPercent(0.5)
    drag(view, head(view, "q"), at(view, middle))
    assert ("train.classifier", "q.model") in links(session)
    session.document.stack.undo()
    assert session.document.graph.layout["q"] == {"x": 560.0, "y": 320.0}
    assert ("train.classifier", "test.model") in links(session)


def test_other_drops_are_left_to_the_window(view: GraphView) -> None:
    data = QMimeData()
    data.setText("words")
    place = QPoint(10, 10)
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    event = QDragEnterEvent(place, copy, data, left, Qt.KeyboardModifier.NoModifier)
    view.dragEnterEvent(event)
    assert not event.isAccepted()


# -- notes and frames ------------------------------------------------------------------------------


def test_frame_takes_its_nodes_along(view: GraphView, session: Session) -> None:
    frame = session.document.add_note((-24, -64, 240, 200), "Sources", "frame")
    count = session.document.stack.count()
    start = at(view, QPointF(80, -50))
    drag(view, start, start + QPoint(40, 24))
    assert session.document.graph.layout["data"] == {"x": 40.0, "y": 24.0}
    assert session.document.graph.layout["net"] == {"x": 0.0, "y": 240.0}
    assert view.scene().note_items[frame].card_rect().topLeft() == QPointF(16, -40)
    assert session.document.stack.count() == count + 1
    session.document.stack.undo()
    assert session.document.graph.layout["data"] == {"x": 0.0, "y": 0.0}
    assert view.scene().note_items[frame].card_rect().topLeft() == QPointF(-24, -64)


def test_note_is_resized_by_its_corner(view: GraphView, session: Session) -> None:
    note = session.document.add_note((560, 320, 160, 96), "Look here")
    corner = at(view, QPointF(716, 412))
    drag(view, corner, corner + QPoint(40, 24))
    rect = view.scene().note_items[note].card_rect()
    assert (rect.width(), rect.height()) == (200, 120)
    session.document.stack.undo()
    assert view.scene().note_items[note].card_rect().width() == 160


def test_note_is_written_in_place(view: GraphView, session: Session) -> None:
    note = session.document.add_note((560, 320, 160, 96), "old")
    place = at(view, QPointF(620, 350))
    QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    field = view.note_edit.field
    assert field is not None
    assert field.parent() is view.viewport()
    QTest.keyClicks(field, "new words")
    QTest.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert view.note_edit.field is None
    assert session.document.graph.notes[0]["text"] == "new words"
    view.edit_note(note)
    field = view.note_edit.field
    assert field is not None
    QTest.keyClicks(field, "dropped")
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert session.document.graph.notes[0]["text"] == "new words"


def test_double_click_on_the_ground_asks_for_a_node(view: GraphView) -> None:
    wishes: list[Any] = []
    view.scene().wants_node.connect(wishes.append)
    place = at(view, QPointF(600, 400))
    QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert wishes[0].source is None


def test_sight_follows_what_is_dragged_out_of_it(view: GraphView, session: Session) -> None:
    start = head(view, "test")
    right = QPoint(view.viewport().width() + 40, start.y())
    before = view.mapToScene(0, 0)
    drag(view, start, right, drop=False)
    assert view.mapToScene(0, 0).x() > before.x()
    moved = view.scene().node_items["test"].pos() + QPointF(80, 20)
    assert (view.to_scene(QPointF(right)) - moved).manhattanLength() <= 12
    QTest.keyClick(view, Qt.Key.Key_Escape)


def test_undo_during_a_drag_is_no_harm(view: GraphView, session: Session) -> None:
    note = session.document.add_note((560, 320, 160, 96), "words")
    start = at(view, QPointF(600, 350))
    drag(view, start, start + QPoint(40, 0), drop=False)
    session.document.stack.undo()
    QTest.mouseMove(view.viewport(), start + QPoint(60, 0))
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=start + QPoint(60, 0))
    assert note not in view.scene().note_items
    assert view.gesture is None


def test_new_document_ends_a_link_in_hand(view: GraphView, session: Session) -> None:
    drag(view, output(view, "train.classifier"), at(view, QPointF(500, 400)), drop=False)
    session.document.new()
    assert view.gesture is None
    assert not view.scene().items()
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert not session.document.graph.nodes


def test_bubble_stays_in_sight(view: GraphView, session: Session) -> None:
    drag(view, output(view, "data.data"), input_(view, "test.model") + QPoint(-8, -16), drop=False)
    gesture: Any = view.gesture
    assert gesture._bubble.isVisible()
    gesture._bubble.stay_in(QPointF(950, 590), QSizeF(960, 600))
    assert gesture._bubble._rect.right() <= 0
    assert gesture._bubble._rect.bottom() <= 0
    gesture._bubble.stay_in(QPointF(10, 10), QSizeF(960, 600))
    assert gesture._bubble._rect.left() > 0
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert gesture._bubble.scene() is None
