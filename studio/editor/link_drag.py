"""Drawing a link: from an output, from an input, or by picking up one at its input end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QSizeF, Qt
from PySide6.QtGui import QMouseEvent

from backend.core import validity
from backend.core.graph import Link
from studio.editor.canvas_state import LinkInHand
from studio.editor.gestures import Gesture
from studio.editor.hits import Hit
from studio.editor.link_bubble import LinkBubble
from studio.editor.link_item import DraggedLink, link_path
from studio.editor.motion import Eased
from studio.editor.node_item import NodeItem
from studio.editor.ports import PortSpot, Side, distance
from studio.editor.requests import QuickRequest
from studio.theme import theme

if TYPE_CHECKING:
    from studio.editor.view import GraphView

CATCH = 26.0
"""Pixels of the screen within which a port that fits catches the link."""
AIM = 8.0
"""Within these the port itself is meant, whether it fits or not."""


class LinkDrag(Gesture):
    """Shows what fits while it moves; on release connects, takes off, or asks for a node."""

    def __init__(self, view: GraphView, hit: Hit) -> None:
        super().__init__(view)
        assert hit.port is not None
        self.end = hit.end
        self.side: Side = hit.port.face.side
        self.lifted: Link | None = None
        self.goal = ""
        """The end (``node.port``) that has caught the link."""
        self._graph = self.scene.graph
        """What refusals are about: the graph without the link that was picked up."""
        self._line: DraggedLink | None = None
        self._bubble = LinkBubble()
        self._loose = QPointF()
        self._snap_from = QPointF()
        self._growth = Eased(view, "port_grow", self.scene.grow)
        self._snap = Eased(view, "link_snap", self._show_snap)

    def begin(self) -> None:
        """Take the link in hand: a new one, or the one that ends here."""
        if self.side == "input":
            ending = self.scene.graph.into(self.end)
            if ending:
                self.lifted = ending[-1]
                self._graph = self.scene.graph.copy()
                self._graph.unlink([self.lifted])
                self.end, self.side = self.lifted.source, "output"
        hand = LinkInHand(self.end, self.side, self._refusal)
        self.scene.take_in_hand(hand, self.lifted)
        self._line = DraggedLink(self._hue())
        self.scene.addItem(self._line)
        self.scene.addItem(self._bubble)
        self._growth.start()

    def drag(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Follow the pointer, or snap to the port that catches."""
        point = self.view.to_scene(position)
        self._loose = point
        goal, refusal = self._find(point)
        if goal != self.goal:
            self._snap_from = point
            self.goal = goal
            if goal and not refusal:
                self._snap.start()
        assert self._line is not None
        self._line.is_refused = bool(refusal)
        self._bubble.setPos(point)
        self._bubble.say(refusal)
        self._bubble.stay_in(position, QSizeF(self.view.viewport().size()))
        if not self._snap.is_moving:
            self._show_snap(1.0)

    def commit(self, position: QPointF) -> None:
        """Connect, take the link off, or ask for a node to put at its end."""
        document, goal = self.session.document, self.goal
        point = self.view.to_scene(position)
        refusal = self._refusal(goal) if goal else None
        if goal and refusal is None:
            source, target = (self.end, goal) if self.side == "output" else (goal, self.end)
            if self.lifted is not None and self.lifted.target == target:
                return
            if self.lifted is None:
                document.connect(source, target, replace=True)
            else:
                with document.macro("Move a link"):
                    document.disconnect(self.lifted.source, self.lifted.target)
                    document.connect(source, target, replace=True)
        elif goal:
            self.session.tell(f"Does not fit. {refusal}", kind="warn")
        elif self.lifted is not None:
            document.disconnect(self.lifted.source, self.lifted.target)
        elif self.scene.hit(point, self.view.zoom_level).node is None:
            self.scene.wants_node.emit(QuickRequest(point, self.end, self.side))

    def click(self, modifiers: Qt.KeyboardModifier) -> None:
        """Select the node whose port it is."""
        self.session.selection.set([self.end.partition(".")[0]])

    def release(self, event: QMouseEvent) -> None:
        """Let go; what was shown goes first: a search that opens finds the canvas at rest."""
        self._tidy()
        super().release(event)

    def clear(self) -> None:
        """Take away line and bubble; ports are as before."""
        self._tidy()
        self._growth.deleteLater()
        self._snap.deleteLater()

    def _tidy(self) -> None:
        self._growth.stop()
        self._snap.stop()
        if self.scene.state.hand is not None:
            self.scene.take_in_hand(None)
        for item in (self._line, self._bubble):
            if item is not None and item.scene() is not None:
                self.scene.removeItem(item)

    # -- what is near ----------------------------------------------------------------------------

    def _find(self, point: QPointF) -> tuple[str, str]:
        """Return the end that the link would go to, and why it cannot, if so."""
        reach = CATCH / max(self.view.zoom_level, 0.4)
        near: list[tuple[float, str]] = []
        under: NodeItem | None = None
        own = self.end.partition(".")[0]
        for item in self.scene.node_items.values():
            rect = item.card_rect()
            if not rect.adjusted(-reach, -reach, reach, reach).contains(point):
                continue
            if rect.contains(point):
                under = item
            for spot in self._spots(item):
                gap = distance(item.pos() + spot.center, point)
                if gap <= reach:
                    near.append((gap, f"{item.name}.{spot.face.name}"))
        nearest = min(near, default=(reach, ""))
        is_aimed = nearest[0] <= AIM / max(self.view.zoom_level, 0.4)
        fitting = [pair for pair in near if self._refusal(pair[1]) is None]
        # What somebody aims at is meant, also where it is refused: the next port is another matter.
        if fitting and (not is_aimed or nearest in fitting or nearest[1].startswith(f"{own}.")):
            return min(fitting)[1], ""
        if near and min(near)[1].partition(".")[0] != own:
            return min(near)[1], self._refusal(min(near)[1]) or ""
        if under is None or under.name == own:
            return "", ""
        return self._best_on(under, point)

    def _best_on(self, item: NodeItem, point: QPointF) -> tuple[str, str]:
        """On a card, away from its ports: the first that fits and is free, or why none does."""
        ends = [f"{item.name}.{spot.face.name}" for spot in self._spots(item)]
        fitting = [end for end in ends if self._refusal(end) is None]
        if fitting:
            free = [end for end in fitting if not self.scene.graph.into(end)]
            return (free or fitting)[0], ""
        if ends:
            return ends[0], self._refusal(ends[0]) or ""
        word = "takes nothing" if self.side == "output" else "gives nothing"
        return f"{item.name}.", f"{item.face.title} {word}."

    def _spots(self, item: NodeItem) -> list[PortSpot]:
        return [spot for spot in item.plan.spots if spot.face.side != self.side]

    def _refusal(self, end: str) -> str | None:
        source, target = (self.end, end) if self.side == "output" else (end, self.end)
        if end.endswith("."):
            return "There is no port on that side."
        specs = self.session.catalog.specs
        return validity.why_not(self._graph, source, target, specs, replace=True)

    def _hue(self) -> str:
        name, _, port = self.end.partition(".")
        item = self.scene.node_items.get(name)
        face = item.port(port, self.side) if item else None
        return theme().type_name(face.type) if face else "muted"

    def _show_snap(self, share: float) -> None:
        if self._line is None:
            return
        start = self.scene.port_point(self.end, self.side)
        loose = self._loose
        if self.goal and not self._line.is_refused:
            other: Side = "input" if self.side == "output" else "output"
            port = self.scene.port_point(self.goal, other)
            loose = self._snap_from + (port - self._snap_from) * share
        ends = (start, loose) if self.side == "output" else (loose, start)
        self._line.setPath(link_path(*ends))
        self._line.update()
