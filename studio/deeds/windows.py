"""Pages and windows beside the canvas: settings, palette, welcome, inspector, about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.main_window import MainWindow


def settings(window: MainWindow, page: str = "") -> None:
    """Open the settings at a page."""
    window.open_settings(page)


def storage(window: MainWindow) -> None:
    """Show what takes room on the disk, and free it."""
    window.open_settings("Storage")


def shortcuts(window: MainWindow) -> None:
    """Show and change the shortcuts."""
    window.open_settings("Shortcuts")


def about(window: MainWindow) -> None:
    """Show versions and licences."""
    window.open_settings("About")


def history(window: MainWindow) -> None:
    """List the edits; a click goes back to one."""
    window.open_history()


def welcome(window: MainWindow) -> None:
    """Go to the welcome page; the graph stays as it is."""
    window.show_welcome()


def palette(window: MainWindow, text: str = "") -> None:
    """Search actions, nodes, settings and runs."""
    window.open_palette(text)


def diagnostics(window: MainWindow) -> None:
    """Collect what helps to find a fault, without paths and names of the user."""
    from studio.diagnostics_window import DiagnosticsWindow

    window.open_tool_window("diagnostics", DiagnosticsWindow)


def rebuild_catalog(window: MainWindow) -> None:
    """Read all node files again."""
    window.session.catalog.refresh()
    window.session.tell("Looking for nodes.", "The palette follows in a few seconds.")


def inspect(window: MainWindow, path: str | Path = "", run: str = "", node: str = "") -> None:
    """Show what is in a model file, or in what a node of a run gave."""
    if path:
        window.inspect(Path(path))
    else:
        window.inspect_output(run, node)
