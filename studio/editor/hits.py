"""What is under a point of the canvas."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtWidgets import QGraphicsScene

from studio.editor.link_item import LinkItem
from studio.editor.node_item import HEAD_ONLY, PORT_HIT, NodeItem
from studio.editor.note_item import NoteItem
from studio.editor.ports import PortSpot
from studio.selection import Selection
from studio.tokens import token

LINK_HIT = float(token("link.hit")) / 2


@dataclass(frozen=True)
class Hit:
    """What is at a point of the scene: the uppermost thing only."""

    node: NodeItem | None = None
    port: PortSpot | None = None
    link: LinkItem | None = None
    note: NoteItem | None = None
    part: str = ""
    """Of a note: ``corner`` or ``body``; of a node: ``badge``, ``remedy`` or nothing."""

    @property
    def end(self) -> str:
        """The port as ``node.port``."""
        return f"{self.node.name}.{self.port.face.name}" if self.node and self.port else ""


def find_hit(scene: QGraphicsScene, point: QPointF, zoom: float) -> Hit:
    """Return what a point touches. Ports reach further from afar, up to 18 pixels of the scene."""
    reach = min(PORT_HIT / min(zoom, 1.0), 18.0)
    near = scene.items(QRectF(point.x() - reach, point.y() - reach, 2 * reach, 2 * reach))
    nodes = [item for item in near if isinstance(item, NodeItem)]
    for item in nodes:
        spot = item.port_at(point, reach) if zoom >= HEAD_ONLY else None
        if spot is not None:
            return Hit(node=item, port=spot)
    for item in nodes:
        local = point - item.pos()
        if item.face.problems and item.plan.badge.contains(local):
            return Hit(node=item, part="badge")
        if item.plan.rect.contains(local):
            has_remedy = zoom >= HEAD_ONLY and bool(remedy_of(item))
            on_it = has_remedy and item.plan.remedy.contains(local)
            return Hit(node=item, part="remedy" if on_it else "")
    for link in (item for item in near if isinstance(item, LinkItem)):
        if link.is_near(point, LINK_HIT / min(zoom, 1.0)):
            return Hit(link=link)
    notes = [item for item in near if isinstance(item, NoteItem) and item.part_at(point)]
    return Hit(note=notes[0], part=notes[0].part_at(point)) if notes else Hit()


def remedy_of(item: NodeItem) -> str:
    """Name of the action behind the right end of a card's footer; empty without one."""
    face = item.face
    if face.masked_only:
        return "make_real"
    if face.right == "Resume":
        return "resume"
    if face.right.endswith((" fix", " fixes")):
        return "fix"
    if face.right == "show":
        return "show_problem"
    return ""


def choose(chosen: Selection, hit: Hit) -> str:
    """Select what was hit, unless it is one of several selected; returns its kind."""
    if hit.node is not None:
        if hit.node.name not in chosen.nodes:
            chosen.set([hit.node.name])
        return "node"
    if hit.link is not None:
        if hit.link.link not in chosen.links:
            chosen.set(links=[hit.link.link])
        return "link"
    if hit.note is not None:
        if hit.note.id not in chosen.notes:
            chosen.set(notes=[hit.note.id])
        return "note"
    return "canvas"
