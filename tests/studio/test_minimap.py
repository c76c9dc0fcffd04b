"""The map and the zoom pill."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtTest import QTest

from studio.canvas import CanvasPage
from studio.editor import minimap
from studio.theme import theme


@pytest.fixture
def page(session, qtbot):
    for n in range(4):
        session.document.add("train.classifier", at=(400.0 * n, 300.0 * (n % 2)))
    made = CanvasPage(session)
    qtbot.addWidget(made)
    made.resize(700, 500)
    made.show()
    qtbot.waitExposed(made)
    return made


def middle(page):
    return page.view.mapToScene(page.view.viewport().rect().center())


def test_every_node_is_a_block_within_the_map(page):
    blocks = page.map.blocks()
    assert set(blocks) == set(page.view.session.document.graph.nodes)
    bounds = minimap._united(blocks, page.map.shown())
    factor, origin = page.map.scale(bounds)
    area = QRectF(page.map.rect())
    assert all(area.contains(minimap._mapped(r, factor, origin)) for r, _ in blocks.values())


def test_a_click_moves_the_canvas_there(page):
    page.view.set_zoom(1.0)
    rect, _ = page.map.blocks()["classifier4"]
    bounds = minimap._united(page.map.blocks(), page.map.shown())
    factor, origin = page.map.scale(bounds)
    point = (rect.center() * factor + origin).toPoint()
    was_inside = page.map.shown().contains(rect.center())
    QTest.mouseClick(page.map, Qt.MouseButton.LeftButton, pos=point)
    assert not was_inside
    assert page.map.shown().contains(rect.center())


def test_a_drag_of_the_frame_moves_the_canvas_along(page):
    page.view.set_zoom(1.0)
    page.view.centerOn(600, 150)
    before = middle(page)
    factor, origin = page.map.scale(minimap._united(page.map.blocks(), page.map.shown()))
    start = (before * factor + origin).toPoint()
    QTest.mousePress(page.map, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(page.map, start + QPoint(10, 0))
    QTest.mouseRelease(page.map, Qt.MouseButton.LeftButton, pos=start + QPoint(10, 0))
    moved = middle(page) - before
    assert moved.x() == pytest.approx(10 / factor, abs=3 / factor)
    assert abs(moved.y()) < 3 / factor


def test_refresh_waits_and_only_while_it_is_seen(page, session):
    page.map._timer.stop()
    session.document.move({"classifier": (8.0, 8.0)})
    assert page.map._timer.isActive()
    assert page.map._timer.interval() >= 100
    page.map.hide()
    assert not page.map._timer.isActive()
    session.document.move({"classifier": (16.0, 8.0)})
    assert not page.map._timer.isActive()


def test_states_have_their_colours():
    look = theme()
    assert minimap.tint("running") == look.color("blade")
    assert minimap.tint("failed") == look.color("link_idle", "bad")
    assert minimap.tint("done") == minimap.tint("cached") == look.color("link_idle", "good")
    assert minimap.tint("idle") == minimap.tint("queued") == look.color("faint_raw", "muted")


def test_the_pill_zooms_and_goes_back(page):
    page.view.set_zoom(1.0)
    QTest.mouseClick(page.zoom.less, Qt.MouseButton.LeftButton)
    assert page.view.zoom_level < 1
    assert page.zoom.number.text() == f"{round(page.view.zoom_level * 100)} %"
    QTest.mouseClick(page.zoom.number, Qt.MouseButton.LeftButton)
    assert page.zoom.number.text() == "100 %"
    QTest.mouseClick(page.zoom.more, Qt.MouseButton.LeftButton)
    assert page.view.zoom_level == pytest.approx(1.25)


def test_an_empty_graph_has_a_map_without_blocks(session, qtbot):
    page = CanvasPage(session)
    qtbot.addWidget(page)
    page.resize(400, 300)
    page.show()
    assert page.map.blocks() == {}
    page.map.setVisible(True)
    assert not page.map.grab().isNull()
    assert page.map.scale(QRectF())[1] == QPointF(80, 48)
