"""Adding, arranging, notes: what the Graph menu does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QMenu

from backend.core.errors import DocumentError, short
from backend.core.graph import Graph, Specs
from studio.editor import arrange as arranging
from studio.remedies import Remedy, remedies_for

if TYPE_CHECKING:
    from studio.main_window import MainWindow


def quick_add(window: MainWindow) -> None:
    """Open the quick search in the middle of the canvas."""
    window.canvas.open_quick_search()


def add_node(window: MainWindow, kind: str) -> None:
    """Put a node of this kind in the middle of the canvas."""
    document = window.session.document
    name = document.add(kind, window.view.place_for_paste())
    window.session.reveal(name)


def preset(window: MainWindow, name: str) -> None:
    """Set what a preset of the graph sets, as one step."""
    document, specs = window.session.document, window.session.catalog.specs
    presets = document.graph.metadata.get("presets")
    values = presets.get(name) if isinstance(presets, dict) else None
    if not isinstance(values, dict):
        raise DocumentError(f'This graph has no preset "{name}".', "Set the parameters by hand.")
    fits = {end: value for end, value in values.items() if _is_there(document.graph, specs, end)}
    if not fits:
        raise DocumentError(
            f'The preset "{name}" fits no node of this graph.', "Set the parameters by hand."
        )
    with document.macro(f'Apply the preset "{name}"'):
        for end, value in fits.items():
            node, _, param = end.partition(".")
            document.set(node, **{param: value})
    left = [end for end in values if end not in fits]
    said = f"{len(fits)} parameters are set." if len(fits) != 1 else "1 parameter is set."
    more = f" Not there any more: {', '.join(map(short, left[:3]))}." if left else ""
    kind = "warn" if left else "info"
    window.session.tell(f'Preset "{name}" applied.', said + more, kind=kind)


def _is_there(graph: Graph, specs: Specs, end: str) -> bool:
    """Whether ``node.param`` is a parameter of the graph; of an unknown kind, anything is."""
    name, _, param = end.partition(".")
    node = graph.nodes.get(name)
    spec = specs.get(node.type) if node is not None else None
    known = param in spec.params.get("properties", {}) if spec is not None else bool(param)
    return node is not None and known


def add_note(window: MainWindow) -> None:
    """Put an empty note in the middle of the canvas."""
    x, y = window.view.place_for_paste()
    made = window.session.document.add_note((x, y, 200, 96), "", "note")
    window.session.selection.set(notes=[made])
    window.view.edit_note(made)


def frame(window: MainWindow) -> None:
    """Draw a frame round the selected nodes."""
    names = window.session.selection.nodes
    rect = window.view.bounds_of(names).adjusted(-24, -48, 24, 24)
    size = (rect.x(), rect.y(), rect.width(), rect.height())
    made = window.session.document.add_note(size, "", "frame")
    window.session.selection.set(notes=[made])
    window.view.edit_note(made)


def arrange(window: MainWindow) -> None:
    """Put all nodes, or the selected ones if there are several, into columns."""
    arranging.arrange(window.session, window.view.sizes())
    window.view.zoom_to_fit()


def align(window: MainWindow, side: str) -> None:
    """Align the selected nodes."""
    arranging.align(window.session, window.view.sizes(), side)


def distribute(window: MainWindow, axis: str) -> None:
    """Give the selected nodes equal distances."""
    arranging.distribute(window.session, window.view.sizes(), axis)


def bypass(window: MainWindow) -> None:
    """Let the selected nodes hand on what they get, or work again."""
    document, names = window.session.document, window.session.selection.nodes
    document.bypass(names, not all(document.graph.nodes[name].bypass for name in names))


def collapse(window: MainWindow) -> None:
    """Show the heads of the selected nodes alone, or all of them again."""
    document, names = window.session.document, window.session.selection.nodes
    items = window.view.scene().node_items
    places = {name: (items[name].pos().x(), items[name].pos().y()) for name in names}
    document.collapse(places, not all(items[name].face.collapsed for name in names))


def next_problem(window: MainWindow) -> None:
    """Go to the node of the next problem."""
    problems = [p for p in window.session.document.problems if p.node]
    if not problems:
        window.session.tell(str(window.session.document.problems[0]), kind="warn")
        return
    current = window.session.selection.current
    places = [i for i, p in enumerate(problems) if p.node == current]
    following = [p for p in problems[places[-1] + 1 :] if p.node != current] if places else problems
    problem = (following or problems)[0]
    show_problem(window, node=problem.node, where=problem.where)


def show_problem(window: MainWindow, node: str, where: str = "", **_: Any) -> None:
    """Select a node and go to the parameter that is wrong."""
    window.session.reveal(node)
    window.show_dock("properties")
    properties = window.dock_widget("properties")
    if properties is not None and where and "." not in where:
        properties.focus_field(where)


def fix(window: MainWindow, node: str, remedy: Remedy | None = None, **_: Any) -> None:
    """Do what helps against the error of a failed node; without a remedy, let the user pick."""
    session = window.session
    if remedy is None:
        offer_fixes(window, node)
        return
    session.document.set(remedy.node, **{remedy.param: remedy.value})
    again = ("Run again", lambda: window.act("run"))
    words = remedy.param.replace("_", " ").capitalize()
    session.tell(f"{words} is {remedy.value} now.", "Undo brings the old one back.", action=again)


def offer_fixes(window: MainWindow, node: str) -> None:
    """Open a menu of remedies at the card of a failed node."""
    session = window.session
    run = session.focus.fold.nodes.get(node) if session.focus is not None else None
    graph, specs = session.document.graph, session.catalog.specs
    menu = QMenu(window)
    menu.aboutToHide.connect(menu.deleteLater)
    for remedy in remedies_for(graph, specs, node, run.error if run is not None else ""):
        entry = menu.addAction(remedy.text)
        entry.triggered.connect(partial(window.act, "fix", None, node=node, remedy=remedy))
    menu.addSeparator()
    menu.addAction("Show the settings").triggered.connect(
        partial(window.act, "show_problem", None, node=node)
    )
    item = window.view.scene().node_items[node]
    corner = window.view.mapFromScene(item.card_rect().bottomLeft())
    menu.popup(window.view.viewport().mapToGlobal(corner))


def focus_properties(window: MainWindow, **_: Any) -> None:
    """Go to the first field of the selected node."""
    window.show_dock("properties")
    properties = window.dock_widget("properties")
    if properties is not None:
        properties.setFocus()


def context_menu(window: MainWindow, **details: Any) -> None:
    """Open the menu of what is under the pointer."""
    window.open_context_menu(**details)
