"""Ports: the hue says the family, the shape says the type."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QPainter, QPainterPath, QPen

from backend.core.node import Port
from studio.theme import theme
from studio.tokens import token, tokens

Side = Literal["input", "output"]
PortState = Literal["on", "open", "dim"]


@dataclass(frozen=True)
class PortFace:
    """One port of a card: what it is called, what goes through it, whether it must be linked."""

    name: str
    type: str
    side: Side
    optional: bool = False
    many: bool = False


@dataclass(frozen=True)
class PortSpot:
    """Where a port sits on its card, in the card's own coordinates."""

    face: PortFace
    center: QPointF


def port_face(port: Port, side: Side) -> PortFace:
    """Describe a port of a specification; a union shows the first type that has a shape."""
    known = tokens()["types"]
    kinds = port.type.split(" | ") if side == "input" else list(port.accepts)
    kind = next((name for name in kinds if name in known), kinds[0] if kinds else port.type)
    return PortFace(port.name, kind, side, port.optional, port.many)


def paint_port(
    painter: QPainter,
    type_name: str,
    center: QPointF,
    size: float | None = None,
    state: PortState = "on",
) -> None:
    """Paint the glyph of a type centred on a point; ``open`` is hollow, ``dim`` does not fit."""
    size = float(token("node.port")) if size is None else size
    name = theme().type_name(type_name)
    color = theme().color("link_dim", name) if state == "dim" else theme().color(name)
    ground = theme().color("card")
    shape, inner = theme().type_shape(type_name)
    pen = QPen(color, 1.6)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(pen)
    painter.setBrush(ground if state == "open" else color)
    painter.drawPath(_outline(shape, center, size / 2))
    if inner:
        _paint_inner(painter, inner, center, size / 2, QBrush(color if state == "open" else ground))


def _outline(shape: str, center: QPointF, r: float) -> QPainterPath:
    path = QPainterPath()
    if shape == "square":
        path.addRoundedRect(
            QRectF(center.x() - r + 0.5, center.y() - r + 0.5, 2 * r - 1, 2 * r - 1), 1.5, 1.5
        )
        return path
    corners = {
        "triangle": ((-1, 0.85), (0, -1.05), (1, 0.85)),
        "diamond": ((0, -1.15), (1.15, 0), (0, 1.15), (-1.15, 0)),
        "hexagon": ((-1.1, 0), (-0.55, -1), (0.55, -1), (1.1, 0), (0.55, 1), (-0.55, 1)),
    }.get(shape)
    if corners is None:
        path.addEllipse(center, r, r)
        return path
    for index, (x, y) in enumerate(corners):
        point = QPointF(center.x() + x * r, center.y() + y * r)
        if index:
            path.lineTo(point)
        else:
            path.moveTo(point)
    path.closeSubpath()
    return path


def _paint_inner(painter: QPainter, inner: str, center: QPointF, r: float, brush: QBrush) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(brush)
    x, y = center.x(), center.y()
    if inner == "dot":
        painter.drawEllipse(center, r * 0.36, r * 0.36)
    elif inner == "bar":
        painter.drawRect(QRectF(x - r * 0.55, y - 0.9, r * 1.1, 1.8))
    elif inner == "split":
        painter.drawRect(QRectF(x - 0.8, y - r + 1, 1.6, 2 * r - 2))
    elif inner == "ring":
        painter.setPen(QPen(brush, 1.4))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(center, r * 0.45, r * 0.45)


def distance(a: QPointF, b: QPointF) -> float:
    """Distance of two points."""
    return math.hypot(a.x() - b.x(), a.y() - b.y())
