"""The scene of the canvas: mirrors the document, never changes itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QPointF, QRectF, Signal
from PySide6.QtWidgets import QGraphicsItem, QGraphicsScene

from backend.core.graph import Change, Graph, Link
from studio.editor.canvas_state import CanvasState, LinkInHand
from studio.editor.faces import is_collapsed
from studio.editor.hits import Hit, find_hit
from studio.editor.link_item import LinkItem
from studio.editor.node_card import WIDTH
from studio.editor.node_item import NodeItem
from studio.editor.note_item import NoteItem
from studio.editor.placing import places_for
from studio.editor.ports import Side
from studio.run_watch import RunWatch
from studio.session import Session
from studio.theme import theme

REACH = 100_000.0
"""Half the side of the ground; the canvas has no edge that anyone meets."""

_RUNNING = ("running", "cancelling")


class GraphScene(QGraphicsScene):
    """Items for the nodes, links and notes of the document, kept in step with it.

    Gestures call the document; what it tells comes back here. What is only for the moment (hover,
    a link in hand, nodes being moved) is in ``state`` and :meth:`show_places`.
    """

    wants_node = Signal(object)
    """A :class:`~studio.editor.requests.QuickRequest`."""
    running_changed = Signal()
    """Whether anything moves is another answer now."""

    def __init__(self, session: Session) -> None:
        super().__init__(-REACH, -REACH, 2 * REACH, 2 * REACH)
        self.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.session = session
        self.state = CanvasState()
        self.node_items: dict[str, NodeItem] = {}
        self.link_items: dict[Link, LinkItem] = {}
        self.note_items: dict[str, NoteItem] = {}
        self.running: tuple[str, ...] = ()
        self._links_of: dict[str, set[Link]] = {}
        self._watch: RunWatch | None = None
        document = session.document
        document.changed.connect(self._changed)
        document.replaced.connect(self.rebuild)
        document.validated.connect(self._validated)
        session.catalog.changed.connect(self._specs_changed)
        session.selection.changed.connect(self._selected)
        session.focus_changed.connect(self._focused)
        session.changes.changed.connect(self._refresh_all)
        theme().changed.connect(self._restyle)
        self._problems: dict[str, tuple[str, ...]] = {}
        self._specs = session.catalog.specs
        self._focused()
        self.rebuild()

    @property
    def graph(self) -> Graph:
        """The graph of the document."""
        return self.session.document.graph

    # -- mirroring -------------------------------------------------------------------------------

    def rebuild(self) -> None:
        """Make every item anew."""
        self.state.hand = self.state.lifted = None
        self.state.hovered_node = self.state.hovered_link = self.state.hovered_port = None
        for items in (self.node_items, self.link_items, self.note_items):
            for item in items.values():
                self.removeItem(item)
            items.clear()
        self._links_of.clear()
        for name in self.graph.nodes:
            self._add_node(name)
        for name, (x, y) in places_for(self.graph, self.sizes()).items():
            self.node_items[name].setPos(x, y)
        for link in self.graph.links:
            self._add_link(link)
        self._sync_notes()
        self._selected()
        self._find_running()

    def _specs_changed(self) -> None:
        # The catalogue also tells of itself being built, which changes no card.
        if self.session.catalog.specs is not self._specs:
            self._specs = self.session.catalog.specs
            self.rebuild()

    def _changed(self, change: Change) -> None:
        name, link = change.node, change.link
        if change.kind == "added" and name in self.graph.nodes and name not in self.node_items:
            self._add_node(name)
            self._refresh_alike(name)
        elif change.kind == "removed":
            self._remove_node(name)
        elif change.kind == "renamed":
            self._rename_node(change.was, name)
        elif change.kind == "connected" and link is not None:
            self._add_link(link)
        elif change.kind == "disconnected" and link is not None:
            self._remove_link(link)
        elif change.kind == "moved" and name in self.node_items:
            if self.node_items[name].plan.collapsed != is_collapsed(self.graph, name):
                self._refresh(name)
            self._place_node(name)
        elif change.kind == "notes":
            self._sync_notes()
        elif change.kind == "set" and name in self.node_items:
            self._refresh(name)

    def _add_node(self, name: str) -> None:
        item = NodeItem(self.session, self.state, name)
        self.node_items[name] = item
        self._links_of.setdefault(name, set())
        self._place_node(name)
        self.addItem(item)

    def _remove_node(self, name: str) -> None:
        for link in list(self._links_of.pop(name, ())):
            self._remove_link(link)
        item = self.node_items.pop(name, None)
        if item is not None:
            self.removeItem(item)
        if self.state.hovered_node == name:
            self.state.hovered_node = None
        self._refresh_alike(name)

    def _rename_node(self, old: str, new: str) -> None:
        """Links and place have the new name already, and are told by this change only."""
        self._remove_node(old)
        self._add_node(new)
        for link in self.graph.links_of([new]):
            self._add_link(link)
        self._find_running()

    def _refresh_alike(self, name: str) -> None:
        """Show or hide the names of nodes that are of one kind with another now."""
        node = self.graph.nodes.get(name)
        alike = [n for n, other in self.graph.nodes.items() if node and other.type == node.type]
        if node is None or len(alike) == 2:
            for other in alike if node else self.node_items:
                self._refresh(other)

    def _add_link(self, link: Link) -> None:
        if link in self.link_items:
            return
        item = LinkItem(link, self.state)
        self.link_items[link] = item
        for name in (link.source_node, link.target_node):
            self._links_of.setdefault(name, set()).add(link)
        self._dress(item)
        self.place_link(link)
        item.is_running = link.target_node in self.running
        self.addItem(item)
        self._refresh_ends(link)

    def _remove_link(self, link: Link) -> None:
        item = self.link_items.pop(link, None)
        if item is None:
            return
        self.removeItem(item)
        if self.state.hovered_link == link:
            self.state.hovered_link = None
        for name in (link.source_node, link.target_node):
            self._links_of.get(name, set()).discard(link)
        self._refresh_ends(link)

    def _refresh_all(self, names: Iterable[str]) -> None:
        for name in names:
            self._refresh(name)

    def _refresh_ends(self, link: Link) -> None:
        self._refresh_all((link.source_node, link.target_node))

    def _refresh(self, name: str) -> None:
        item = self.node_items.get(name)
        if item is None or name not in self.graph.nodes:
            return
        if item.refresh():
            for link in self._links_of.get(name, ()):
                self.place_link(link)

    def _dress(self, item: LinkItem) -> None:
        source, _, port = item.link.source.partition(".")
        node = self.node_items.get(source)
        face = node.port(port, "output") if node else None
        item.hue = theme().type_name(face.type) if face else "muted"

    def _sync_notes(self) -> None:
        wanted = {str(data.get("id", index)): data for index, data in enumerate(self.graph.notes)}
        for key in [key for key in self.note_items if key not in wanted]:
            self.removeItem(self.note_items.pop(key))
        for key, data in wanted.items():
            if key in self.note_items:
                self.note_items[key].show_data(data)
            else:
                self.note_items[key] = item = NoteItem(self.state, data)
                self.addItem(item)

    # -- places ----------------------------------------------------------------------------------

    def _place_node(self, name: str) -> None:
        place = self.graph.layout.get(name)
        if place is not None:
            self.node_items[name].setPos(place["x"], place["y"])
            for link in self._links_of.get(name, ()):
                self.place_link(link)

    def place_link(self, link: Link) -> None:
        """Lay a link between its ports, wherever these are now."""
        item = self.link_items.get(link)
        if item is not None:
            item.place(
                self.port_point(link.source, "output"), self.port_point(link.target, "input")
            )

    def port_point(self, end: str, side: Side) -> QPointF:
        """Where a port (``node.port``) is in the scene."""
        name, _, port = end.partition(".")
        item = self.node_items.get(name)
        return item.port_point(port, side) if item else QPointF()

    def show_places(self, places: Mapping[str, QPointF]) -> None:
        """Show nodes elsewhere for the moment; the document does not know."""
        for name, place in places.items():
            if name in self.node_items:
                self.node_items[name].setPos(place)
        for link in {link for name in places for link in self._links_of.get(name, ())}:
            self.place_link(link)

    def show_document_places(self) -> None:
        """Put nodes and notes back to where the document has them."""
        for name in self.node_items:
            self._place_node(name)
        self._sync_notes()

    def sizes(self) -> dict[str, tuple[float, float]]:
        """Return ``{node: (width, height)}`` of the cards."""
        return {name: (WIDTH, item.plan.height) for name, item in self.node_items.items()}

    def bounds_of(self, names: Iterable[str]) -> QRectF:
        """Return the rectangle of the cards of these nodes."""
        rect = QRectF()
        for name in names:
            if name in self.node_items:
                rect = rect.united(self.node_items[name].card_rect())
        return rect

    def content_rect(self) -> QRectF:
        """Return the rectangle of all that is on the canvas; empty without anything."""
        rect = self.bounds_of(self.node_items)
        for note in self.note_items.values():
            rect = rect.united(note.card_rect())
        for link in self.link_items.values():
            rect = rect.united(link.path().boundingRect())
        return rect

    def inside(self, frame: NoteItem) -> list[str]:
        """Names of the nodes whose middle lies inside a frame."""
        rect, items = frame.card_rect(), self.node_items.items()
        return [name for name, item in items if rect.contains(item.card_rect().center())]

    # -- questions -------------------------------------------------------------------------------

    def hit(self, point: QPointF, zoom: float = 1.0) -> Hit:
        """Return what a point of the scene touches: ports first, then cards, links, notes."""
        return find_hit(self, point, zoom)

    # -- the moment ------------------------------------------------------------------------------

    def take_in_hand(self, hand: LinkInHand | None, lifted: Link | None = None) -> None:
        """Begin or end to show which ports a link in hand fits."""
        self.state.hand, self.state.lifted = hand, lifted
        self.repaint_all()

    def grow(self, share: float) -> None:
        """Let the ports that fit be larger by a share of 1."""
        if self.state.hand is not None:
            self.state.hand.growth = share
            for item in self._seen():
                item.update()

    def hover(self, hit: Hit) -> None:
        """Show what the pointer is over."""
        state = self.state
        node = hit.node.name if hit.node else None
        port = f"{hit.port.face.side} {hit.end}" if hit.port else None
        link = hit.link.link if hit.link else None
        if (node, port, link) == (state.hovered_node, state.hovered_port, state.hovered_link):
            return
        old = (state.hovered_node, state.hovered_link)
        state.hovered_node, state.hovered_port, state.hovered_link = node, port, link
        for name in {old[0], node} - {None}:
            self._update_item(self.node_items.get(str(name)))
        for known in (old[1], link):
            if known is not None:
                self._update_item(self.link_items.get(known))

    def tick(self, phase: float | None, pulse: float | None) -> None:
        """Paint again what moves: rings of running nodes, pulses on the links into them."""
        self.state.phase, self.state.pulse = phase, pulse
        for name in self.running:
            item = self.node_items.get(name)
            if item is not None:
                item.tick()
            for link in self._links_of.get(name, ()):
                if link.target_node == name:
                    self.link_items[link].update()

    def repaint_all(self) -> None:
        """Paint every item again; those out of sight when they come into it."""
        for item in (*self.node_items.values(), *self.link_items.values()):
            item.update()

    def _seen(self) -> list[NodeItem]:
        views = self.views()
        if not views:
            return list(self.node_items.values())
        rect = views[0].mapToScene(views[0].viewport().rect()).boundingRect()
        return [item for item in self.items(rect) if isinstance(item, NodeItem)]

    @staticmethod
    def _update_item(item: QGraphicsItem | None) -> None:
        if item is not None:
            item.update()

    def _restyle(self) -> None:
        self._refresh_all(self.node_items)
        for link in self.link_items.values():
            self._dress(link)
        self.invalidate()
        self.update()

    # -- selection, problems, runs ---------------------------------------------------------------

    def _selected(self) -> None:
        chosen, state = self.session.selection, self.state
        old = (state.nodes, state.links, state.notes)
        state.nodes, state.links = frozenset(chosen.nodes), frozenset(chosen.links)
        state.notes = frozenset(chosen.notes)
        for name in old[0] ^ state.nodes:
            self._update_item(self.node_items.get(name))
        for link in old[1] ^ state.links:
            self._update_item(self.link_items.get(link))
        for note in old[2] ^ state.notes:
            self._update_item(self.note_items.get(note))

    def _validated(self) -> None:
        found: dict[str, tuple[str, ...]] = {}
        for problem in self.session.document.problems:
            found[problem.node] = (*found.get(problem.node, ()), str(problem))
        names = found.keys() | self._problems.keys()
        stale = [name for name in names if found.get(name) != self._problems.get(name)]
        self._problems = found
        self._refresh_all(stale)

    def _focused(self) -> None:
        if self._watch is not None:
            self._watch.changed.disconnect(self._heard)
            self._watch.restarted.disconnect(self._heard_anew)
        self._watch = self.session.focus
        if self._watch is not None:
            self._watch.changed.connect(self._heard)
            self._watch.restarted.connect(self._heard_anew)
        for name in self.node_items:
            self._refresh(name)
        self._find_running()

    def _heard(self, events: object) -> None:
        told = list(events) if isinstance(events, list | tuple) else []
        names = {getattr(event, "node", "") for event in told}
        is_all = not told or any(not getattr(event, "node", "") for event in told)
        for name in list(self.node_items) if is_all else names:
            self._refresh(str(name))
        self._find_running()

    def _heard_anew(self) -> None:
        self._heard([])

    def _find_running(self) -> None:
        fold = self._watch.fold if self._watch is not None else None
        runs = fold.nodes if fold is not None else {}
        running = tuple(n for n in self.node_items if n in runs and runs[n].state in _RUNNING)
        if running == self.running:
            return
        self.running = running
        for link, item in self.link_items.items():
            item.is_running = link.target_node in running
            item.update()
        self.running_changed.emit()
