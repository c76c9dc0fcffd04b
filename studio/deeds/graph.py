"""Adding, arranging, notes: what the Graph menu does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.editor import arrange as arranging

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
    document = window.session.document
    values = document.graph.metadata.get("presets", {}).get(name, {})
    with document.macro(f'Apply the preset "{name}"'):
        for end, value in values.items():
            node, _, param = end.partition(".")
            if node in document.graph.nodes:
                document.set(node, **{param: value})
    window.session.tell(f'Preset "{name}" applied.', f"{len(values)} parameters are set.")


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


def focus_properties(window: MainWindow, **_: Any) -> None:
    """Go to the first field of the selected node."""
    window.show_dock("properties")
    properties = window.dock_widget("properties")
    if properties is not None:
        properties.setFocus()


def context_menu(window: MainWindow, **details: Any) -> None:
    """Open the menu of what is under the pointer."""
    window.open_context_menu(**details)
