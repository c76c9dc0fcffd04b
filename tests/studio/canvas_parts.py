"""A canvas with a small graph, and the mouse on it: shared by the tests of the canvas."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.editor.view import GraphView
from studio.session import Session

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


def small_graph(session: Session) -> None:
    """Data and a network, a training that both feed, and an evaluation that is not linked."""
    document = session.document
    document.add("data.fashion_mnist", name="data", at=(0, 0))
    document.add("model.resnet", name="net", at=(0, 240))
    document.add("train.classifier", name="train", at=(280, 80))
    document.add("evaluate.classifier", name="test", at=(560, 80))
    document.connect("data.data", "train.data")
    document.connect("net.classifier", "train.model")


def shown(qtbot: Any, session: Session) -> GraphView:
    """Show a canvas at 100 % with the corner of the scene near its own."""
    view = GraphView(session)
    qtbot.addWidget(view)
    view.resize(960, 600)
    view.show()
    view.set_zoom(1.0)
    view.centerOn(380, 200)
    QApplication.processEvents()
    return view


def at(view: GraphView, point: QPointF) -> QPoint:
    """Map a point of the scene to the viewport."""
    return view.viewportTransform().map(point).toPoint()


def output(view: GraphView, end: str) -> QPoint:
    """Where an output is on the viewport."""
    return at(view, view.scene().port_point(end, "output"))


def input_(view: GraphView, end: str) -> QPoint:
    """Where an input is on the viewport."""
    return at(view, view.scene().port_point(end, "input"))


def head(view: GraphView, name: str) -> QPoint:
    """The header of a card on the viewport, away from ports and rings."""
    return at(view, view.scene().node_items[name].pos() + QPointF(80, 20))


def drag(
    view: GraphView,
    start: QPoint,
    end: QPoint,
    *,
    button: Qt.MouseButton = LEFT,
    modifiers: Qt.KeyboardModifier = NONE,
    drop: bool = True,
) -> None:
    """Press, move in three steps, and release unless ``drop`` is false."""
    port = view.viewport()
    QTest.mousePress(port, button, modifiers, start)
    for share in (0.3, 0.7, 1.0):
        QTest.mouseMove(port, start + (end - start) * share)
    if drop:
        QTest.mouseRelease(port, button, modifiers, end)


def click(view: GraphView, place: QPoint, modifiers: Qt.KeyboardModifier = NONE) -> None:
    """Click with the left button."""
    QTest.mouseClick(view.viewport(), LEFT, modifiers, place)


def links(session: Session) -> set[tuple[str, str]]:
    """All links of the document."""
    return {(link.source, link.target) for link in session.document.graph.links}
