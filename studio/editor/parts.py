"""The parts of a card that do something when clicked: the badge and the end of the footer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF

from studio.editor.hits import Hit, remedy_of
from studio.editor.node_item import NodeItem
from studio.editor.requests import QuickRequest

if TYPE_CHECKING:
    from studio.editor.view import GraphView

GAP = 72.0


def press_part(view: GraphView, hit: Hit) -> bool:
    """Do what the part stands for; False if the point is on none."""
    if hit.node is None or hit.part not in ("badge", "remedy"):
        return False
    session, name = view.session, hit.node.name
    action = "show_problem" if hit.part == "badge" else remedy_of(hit.node)
    session.selection.set([name])
    if action == "make_real":
        _ask_what_makes_real(view, hit.node)
        return True
    if action == "resume":
        session.act(action)  # it is the run that goes on, not one node of it
        return True
    problems = session.document.problems_of(name)
    session.act(action, node=name, where=problems[0].where if problems else "")
    return True


def _ask_what_makes_real(view: GraphView, item: NodeItem) -> None:
    """Search for a node that takes what a masked one gives."""
    spot = next((s for s in item.plan.spots if s.face.side == "output"), None)
    if spot is not None:
        place = item.card_rect().topRight() + QPointF(GAP, 0)
        end = f"{item.name}.{spot.face.name}"
        view.scene().wants_node.emit(QuickRequest(place, end, "output"))
