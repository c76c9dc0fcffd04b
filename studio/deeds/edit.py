"""Undo, clipboard, selection: what the Edit menu does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.editor import clipboard

if TYPE_CHECKING:
    from studio.main_window import MainWindow


def undo(window: MainWindow) -> None:
    """Take the last edit back."""
    window.session.document.stack.undo()


def redo(window: MainWindow) -> None:
    """Do the last undone edit again."""
    window.session.document.stack.redo()


def copy(window: MainWindow) -> None:
    """Put the selected nodes, with their links, on the clipboard."""
    chosen = window.session.selection
    clipboard.copy(window.session.document, chosen.nodes, chosen.notes)


def cut(window: MainWindow) -> None:
    """Copy the selected nodes and remove them."""
    chosen = window.session.selection
    clipboard.cut(window.session.document, chosen.nodes, chosen.notes)


def paste(window: MainWindow) -> None:
    """Put what is on the clipboard where the pointer is, or in the middle."""
    names = clipboard.paste(window.session.document, window.view.place_for_paste())
    window.session.selection.set(names)


def duplicate(window: MainWindow) -> None:
    """Put a copy of the selected nodes beside them, fed by the same links."""
    chosen = window.session.selection
    made = clipboard.duplicate(window.session.document, chosen.nodes, chosen.notes)
    window.session.selection.set(made)


def delete(window: MainWindow) -> None:
    """Remove what is selected: nodes, links, notes and frames, as one step."""
    chosen = window.session.selection
    window.session.document.remove(chosen.nodes, chosen.links, chosen.notes, verb="Delete")


def select_all(window: MainWindow) -> None:
    """Select every node."""
    window.session.selection.set(window.session.document.graph.nodes)


def rename(window: MainWindow) -> None:
    """Go to the name of the selected node."""
    window.show_dock("properties")
    properties = window.dock_widget("properties")
    if properties is not None:
        properties.edit_name()


def find(window: MainWindow) -> None:
    """Go to the search field of the palette."""
    window.show_dock("nodes")
    nodes = window.dock_widget("nodes")
    if nodes is not None:
        nodes.focus_search()


def find_node(window: MainWindow) -> None:
    """Search among the nodes of the graph; the one that is picked comes into sight."""
    window.open_palette("@")
