"""A node on the canvas: places and paints its card, and knows where its ports are."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QGraphicsRectItem, QStyleOptionGraphicsItem, QWidget

from studio.editor.canvas_state import CanvasState
from studio.editor.faces import face_of, plan_for
from studio.editor.node_card import EDGE, RADIUS, WIDTH, CardPlan, NodeFace, paint_card
from studio.editor.ports import PortFace, PortSpot, PortState, Side, distance, paint_port
from studio.session import Session
from studio.theme import theme
from studio.tokens import token

HEAD_ONLY, BLOCK_ONLY = 0.495, 0.245
"""Zooms below which a card shows title and state only, or a block: what reads 50 % is not below."""

PORT_HIT = float(token("node.port_hit")) / 2
_RING = QRectF(159, 9, 24, 24)
_KERF = QRectF(0, 40, WIDTH, 4)


class NodeItem(QGraphicsRectItem):
    """One node. Mirrors the document; nothing here edits it."""

    def __init__(self, session: Session, state: CanvasState, name: str) -> None:
        super().__init__()
        self.name = name
        self.plan: CardPlan = plan_for(session, name)
        self._session = session
        self._state = state
        self._face: NodeFace | None = None
        self._linked: frozenset[str] | None = None
        self.setPen(QPen(Qt.PenStyle.NoPen))
        self.setRect(self.plan.rect.adjusted(-EDGE, -EDGE, EDGE, EDGE))
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        self.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        self.setZValue(1)

    # -- what it shows ---------------------------------------------------------------------------

    @property
    def face(self) -> NodeFace:
        """What the card shows; made when it is first asked for."""
        if self._face is None:
            self._face = face_of(self._session, self.name)
        return self._face

    def refresh(self) -> bool:
        """Forget the face and paint anew; True if the card has other measures now."""
        self._face = None
        self._linked = None
        plan = plan_for(self._session, self.name)
        is_other = plan is not self.plan
        if is_other:
            self.plan = plan
            self.setRect(plan.rect.adjusted(-EDGE, -EDGE, EDGE, EDGE))
        self.update()
        return is_other

    def tick(self) -> None:
        """Paint again what moves while the node runs."""
        self.update(_RING)

    def card_rect(self) -> QRectF:
        """The card in scene coordinates, without the room around it."""
        return self.plan.rect.translated(self.pos())

    # -- ports -----------------------------------------------------------------------------------

    def port_at(self, point: QPointF, reach: float = PORT_HIT) -> PortSpot | None:
        """Return the port under a point of the scene."""
        place = point - self.pos()
        near = [(distance(spot.center, place), spot) for spot in self.plan.spots]
        found = min(near, key=lambda pair: pair[0], default=None)
        return found[1] if found is not None and found[0] <= reach else None

    def port_point(self, port: str, side: Side) -> QPointF:
        """Return where links end at a port, in scene coordinates; a port not known: the side."""
        for spot in self.plan.spots:
            if spot.face.name == port and spot.face.side == side:
                return self.pos() + spot.center
        x = 0.0 if side == "input" else WIDTH
        return self.pos() + QPointF(x, 20)

    def port(self, port: str, side: Side) -> PortFace | None:
        """Return a port by its name."""
        faces = (spot.face for spot in self.plan.spots if spot.face.side == side)
        return next((face for face in faces if face.name == port), None)

    # -- painting --------------------------------------------------------------------------------

    def paint(
        self,
        painter: QPainter,
        _option: QStyleOptionGraphicsItem,
        _widget: QWidget | None = None,
    ) -> None:
        """Paint the card, its ports and the outline of a picked one, as far as the zoom allows."""
        zoom = painter.worldTransform().m11() / theme().scale
        detail = 0 if zoom < BLOCK_ONLY else 1 if zoom < HEAD_ONLY else 2
        state = self._state
        if state.hand is not None and not self._has_fit():
            painter.setOpacity(painter.opacity() * 0.5)
        if self.name in state.nodes:
            self._paint_outline(painter)
        paint_card(
            painter,
            self.face,
            self.plan,
            hovered=state.hovered_node == self.name,
            phase=state.phase,
            detail=detail,
        )
        if detail == 2:
            for spot in self.plan.spots:
                self._paint_spot(painter, spot)

    def _paint_outline(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().color("ink"), token("node.select_outline")))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(self.plan.rect.adjusted(-3, -3, 3, 3), RADIUS + 3, RADIUS + 3)

    def _paint_spot(self, painter: QPainter, spot: PortSpot) -> None:
        size, state = float(token("node.port")), self._port_state(spot.face)
        hand = self._state.hand
        grown = float(token("node.port_grow")) - size
        end = f"{self.name}.{spot.face.name}"
        if hand is not None and (state != "dim" or hand.end == end):
            size += grown * hand.growth
        elif hand is None and self._state.hovered_port == f"{spot.face.side} {end}":
            size += grown
        paint_port(painter, spot.face.type, spot.center, size, state)

    def _port_state(self, face: PortFace) -> PortState:
        hand, end = self._state.hand, f"{self.name}.{face.name}"
        is_linked = f"{face.side} {end}" in self.linked
        at_rest: PortState = "on" if is_linked else "open"
        if hand is None:
            return at_rest
        if hand.end == end and hand.side == face.side:
            return "on"
        if hand.side == face.side or hand.why_not(end) is not None:
            return "dim"
        return "on"

    @property
    def linked(self) -> frozenset[str]:
        """Ports that have a link, as ``side node.port``."""
        if self._linked is None:
            links = self._session.document.graph.links_of([self.name])
            ends = [f"input {x.target}" for x in links if x.target_node == self.name]
            ends += [f"output {x.source}" for x in links if x.source_node == self.name]
            self._linked = frozenset(ends)
        return self._linked

    def _has_fit(self) -> bool:
        hand = self._state.hand
        if hand is None or hand.end.partition(".")[0] == self.name:
            return True
        return any(
            spot.face.side != hand.side and hand.why_not(f"{self.name}.{spot.face.name}") is None
            for spot in self.plan.spots
        )
