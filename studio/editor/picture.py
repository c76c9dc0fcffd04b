"""Pictures of the whole graph: pixels or vectors."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QBuffer, QRectF, QSize
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QGraphicsItem

from backend.core.errors import DocumentError
from backend.core.files import write_atomic
from studio.editor.scene import GraphScene
from studio.theme import theme

MARGIN = 32.0
MOST_PIXELS = 16_000
"""Longest side of a picture; a larger graph is drawn smaller."""


def raster(scene: GraphScene, scale: float) -> QImage:
    """Return a picture at ``scale`` pixels to one of the scene."""
    rect = _rect(scene)
    scale = min(scale, MOST_PIXELS / max(rect.width(), rect.height()))
    size = QSize(max(1, round(rect.width() * scale)), max(1, round(rect.height() * scale)))
    image = QImage(size, QImage.Format.Format_RGB32)
    image.fill(theme().color("bench"))
    painter = QPainter(image)
    paint(scene, painter, QRectF(0, 0, size.width(), size.height()), rect)
    painter.end()
    return image


def save(scene: GraphScene, path: Path) -> None:
    """Write a picture; the ending of the name says PNG or SVG.

    Raises:
        DocumentError: it cannot be written there.
    """
    if not path.parent.is_dir():
        raise _not_written(path)
    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    if path.suffix.lower() == ".svg":
        _draw_vectors(scene, buffer)
    else:
        kind = path.suffix.lower().lstrip(".") or "png"
        if not raster(scene, 2.0).save(buffer, kind):  # type: ignore[call-overload]
            raise _not_written(path)
    try:  # whole or not at all: a disk that fills up must not leave half a picture
        write_atomic(path, bytes(buffer.data().data()))
    except OSError as error:
        raise _not_written(path) from error


def _draw_vectors(scene: GraphScene, buffer: QBuffer) -> None:
    from PySide6.QtSvg import QSvgGenerator

    rect = _rect(scene)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(rect.size().toSize())
    generator.setViewBox(QRectF(0, 0, rect.width(), rect.height()))
    generator.setTitle(scene.graph.name)
    painter = QPainter(generator)
    room = QRectF(0, 0, rect.width(), rect.height())
    painter.fillRect(room, theme().color("bench"))
    paint(scene, painter, room, rect)
    painter.end()


def paint(scene: GraphScene, painter: QPainter, target: QRectF, source: QRectF) -> None:
    """Paint a part of the scene without hover and selection, and as shapes, not cached pixels."""
    state = scene.state
    kept = (state.nodes, state.links, state.notes, state.hovered_node, state.hovered_link)
    state.nodes, state.links, state.notes = frozenset(), frozenset(), frozenset()
    state.hovered_node = state.hovered_link = None
    items = [*scene.note_items.values(), *scene.link_items.values(), *scene.node_items.values()]
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(target.topLeft())
    painter.scale(target.width() / source.width(), target.height() / source.height())
    painter.translate(-source.topLeft())
    try:
        for item in sorted(items, key=QGraphicsItem.zValue):
            painter.save()
            painter.translate(item.pos())
            item.paint(painter, None)  # type: ignore[arg-type]
            painter.restore()
    finally:
        painter.restore()
        (
            state.nodes,
            state.links,
            state.notes,
            state.hovered_node,
            state.hovered_link,
        ) = kept


def _rect(scene: GraphScene) -> QRectF:
    rect = scene.content_rect()
    rect = rect if not rect.isEmpty() else QRectF(0, 0, 192, 96)
    return rect.adjusted(-MARGIN, -MARGIN, MARGIN, MARGIN)


def _not_written(path: Path) -> DocumentError:
    return DocumentError(f'The picture could not be written to "{path}".', "Choose another folder.")
