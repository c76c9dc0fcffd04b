"""The ground of the canvas: dots where cards snap, fewer of them from afar."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from studio.editor.node_item import BLOCK_ONLY, HEAD_ONLY
from studio.theme import theme
from studio.tokens import token

SPACING = float(token("space.canvas_dots"))
FAR = 4 * SPACING


def spacing(zoom: float) -> float:
    """Distance of dots at a zoom, in pixels of the scene; 0 for none."""
    if zoom < BLOCK_ONLY:
        return 0.0
    return FAR if zoom < HEAD_ONLY else SPACING


def paint(painter: QPainter, rect: QRectF, zoom: float) -> None:
    """Fill a rectangle of the scene with the ground and its dots."""
    painter.fillRect(rect, theme().color("bench"))
    step = spacing(zoom)
    if not step:
        return
    pen = QPen(theme().color("grid_dot"), 2.0, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
    pen.setCosmetic(True)
    painter.setPen(pen)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    columns = range(math.floor(rect.left() / step), math.ceil(rect.right() / step) + 1)
    rows = range(math.floor(rect.top() / step), math.ceil(rect.bottom() / step) + 1)
    painter.drawPoints([QPointF(x * step, y * step) for y in rows for x in columns])
