"""Undo, clipboard, selection: what the Edit menu does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.core.errors import DocumentError
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
    clipboard.copy(window.session.document, window.session.selection.nodes)


def cut(window: MainWindow) -> None:
    """Copy the selected nodes and remove them."""
    copy(window)
    delete(window)


def paste(window: MainWindow) -> None:
    """Put what is on the clipboard where the pointer is, or in the middle."""
    fragment = clipboard.read()
    if fragment is None:
        raise DocumentError("The clipboard holds no nodes.", "Copy some first.")
    names = window.session.document.insert(fragment, window.view.place_for_paste())
    window.session.selection.set(names)


def duplicate(window: MainWindow) -> None:
    """Put a copy of the selected nodes beside them, fed by the same links."""
    document, names = window.session.document, window.session.selection.nodes
    made = clipboard.duplicate(document, names)
    window.session.selection.set(made)


def delete(window: MainWindow) -> None:
    """Remove what is selected: nodes, links, notes and frames, as one step."""
    document, chosen = window.session.document, window.session.selection
    nodes, links, notes = chosen.nodes, chosen.links, chosen.notes
    with document.macro(f"Delete {_words(len(nodes), len(links), len(notes))}"):
        if nodes or links:
            document.remove(nodes, links)
        if notes:
            document.remove_notes(notes)


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


def _words(nodes: int, links: int, notes: int) -> str:
    counts = ((nodes, "node"), (links, "link"), (notes, "note"))
    parts = [f"{n} {word}{'s' if n > 1 else ''}" for n, word in counts if n]
    return ", ".join(parts) or "nothing"
