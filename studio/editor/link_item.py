"""A link on the canvas: a cubic in the colour of what goes through it."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QLineF, QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QGraphicsPathItem, QStyleOptionGraphicsItem, QWidget

from backend.core.graph import Link
from studio.editor.canvas_state import CanvasState
from studio.theme import theme
from studio.tokens import token

_WIDE, _LIT, _HALO = float(token("link.width")), float(token("link.width_lit")), 7.0
_PULSE, _GAP = float(token("link.pulse_px")), float(token("link.pulse_gap_px"))
SAMPLES = 24
HAIRLINE = 0.66
"""Zoom below which links at rest are one pixel wide."""


def link_path(start: QPointF, end: QPointF) -> QPainterPath:
    """Return the cubic from an output to an input."""
    reach = max(
        float(token("link.handle_min")), abs(end.x() - start.x()) * token("link.handle_ratio")
    )
    path = QPainterPath(start)
    path.cubicTo(start + QPointF(reach, 0), end - QPointF(reach, 0), end)
    return path


class LinkItem(QGraphicsPathItem):
    """One link between two ports; mirrors the document."""

    def __init__(self, link: Link, state: CanvasState) -> None:
        super().__init__()
        self.link = link
        self.hue = "muted"
        self.is_running = False
        self._state = state
        self._points: list[QPointF] = []
        self.setPen(QPen(Qt.GlobalColor.black, _HALO + 2))  # only for the room that it takes
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        self.setZValue(0)

    def place(self, start: QPointF, end: QPointF) -> None:
        """Put the ends where their ports are."""
        half = QPointF(0.5, 0)
        self._points = []
        self.setPath(link_path(start + half, end + half))

    def is_near(self, point: QPointF, reach: float) -> bool:
        """Whether a point of the scene is on the link, give or take ``reach``."""
        if not self.boundingRect().adjusted(-reach, -reach, reach, reach).contains(point):
            return False
        points = self._sampled()
        return any(_gap(point, a, b) <= reach for a, b in pairwise(points))

    def _sampled(self) -> list[QPointF]:
        if not self._points:
            path = self.path()
            start, one, two, end = (
                QPointF(path.elementAt(i).x, path.elementAt(i).y) for i in range(4)
            )
            for index in range(SAMPLES + 1):
                t = index / SAMPLES
                u = 1 - t
                a, b, c, d = u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t
                self._points.append(start * a + one * b + two * c + end * d)
        return self._points

    def paint(
        self,
        painter: QPainter,
        _option: QStyleOptionGraphicsItem,
        _widget: QWidget | None = None,
    ) -> None:
        """Paint at rest, lit, faint while another link is in hand, or with pulses."""
        state, look = self._state, theme()
        if state.lifted == self.link:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        path = self.path()
        is_lit = state.hovered_link == self.link or self.link in state.links
        if state.hand is not None:
            painter.strokePath(path, _pen(look.color("link_dim", self.hue), _WIDE))
            return
        if is_lit:
            halo = look.color("link_dim", self.hue)
            halo.setAlphaF(0.55)
            painter.strokePath(path, _pen(halo, _HALO))
            painter.strokePath(path, _pen(look.color(self.hue), _LIT))
            return
        rest = _pen(look.color("link_idle", self.hue), _WIDE)
        if painter.worldTransform().m11() <= HAIRLINE:  # a hairline costs a quarter of a 2 px line
            rest.setWidth(1)
            rest.setCosmetic(True)
        painter.strokePath(path, rest)
        if self.is_running:
            pen = _pen(look.color(self.hue), _LIT)
            pen.setDashPattern([_PULSE / _LIT, _GAP / _LIT])
            pen.setDashOffset(-(state.pulse or 0.0) * (_PULSE + _GAP) / _LIT)
            painter.strokePath(path, pen)


class DraggedLink(QGraphicsPathItem):
    """The link in hand: full colour while it may end anywhere, dashed ``bad`` when refused."""

    def __init__(self, hue: str) -> None:
        super().__init__()
        self.hue = hue
        self.is_refused = False
        self.setPen(QPen(Qt.GlobalColor.black, _HALO + 2))
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        self.setZValue(3)

    def paint(
        self,
        painter: QPainter,
        _option: QStyleOptionGraphicsItem,
        _widget: QWidget | None = None,
    ) -> None:
        """Paint the link in hand."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.is_refused:
            pen = _pen(theme().color("bad"), _WIDE)
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            pen.setDashPattern([2.5, 2.5])
            painter.strokePath(self.path(), pen)
            return
        halo = theme().color("link_dim", self.hue)
        halo.setAlphaF(0.55)
        painter.strokePath(self.path(), _pen(halo, _HALO))
        painter.strokePath(self.path(), _pen(theme().color(self.hue), _LIT))


def _pen(color: QColor, width: float) -> QPen:
    return QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)


def _gap(point: QPointF, a: QPointF, b: QPointF) -> float:
    """Distance from a point to the stretch between two others."""
    along = b - a
    squared = along.x() ** 2 + along.y() ** 2
    if squared == 0:
        return QLineF(point, a).length()
    share = QPointF.dotProduct(point - a, along) / squared
    return QLineF(point, a + along * min(max(share, 0.0), 1.0)).length()
