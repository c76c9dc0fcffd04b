"""Zoom, themes, layouts: what the View menu does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog, QWidget

from backend.core.errors import DocumentError
from studio.dock_frame import DockFrame

if TYPE_CHECKING:
    from studio.main_window import MainWindow


def zoom_in(window: MainWindow) -> None:
    """Show the canvas larger."""
    window.view.zoom(1.25)


def zoom_out(window: MainWindow) -> None:
    """Show the canvas smaller."""
    window.view.zoom(0.8)


def zoom_100(window: MainWindow) -> None:
    """Show the canvas at its own size."""
    window.view.set_zoom(1.0)


def fit(window: MainWindow) -> None:
    """Show the whole graph."""
    window.view.zoom_to_fit()


def minimap(window: MainWindow) -> None:
    """Show or hide the map."""
    window.canvas.show_map(not window.canvas.is_map_shown())


def theme(window: MainWindow, mode: str) -> None:
    """Choose dark, light, the system's, or high contrast."""
    window.session.settings.set(theme=mode)


def text_size(window: MainWindow, percent: int) -> None:
    """Choose the size of all text."""
    window.session.settings.set(text_scale=percent)


def workspace(window: MainWindow, name: str) -> None:
    """Choose another layout of the docks."""
    window.set_workspace(name)


def reset_layout(window: MainWindow) -> None:
    """Put the docks where they were at first."""
    window.reset_layout()


def show_dock(window: MainWindow, name: str, at: str = "") -> None:
    """Bring a dock to the front, and the place in it that is called ``at`` into sight."""
    window.show_dock(name)
    content = window.dock_widget(name)
    if at and hasattr(content, "reveal"):
        content.reveal(at)


def export_dock(window: MainWindow, name: str = "") -> None:
    """Write a dock as PNG: the one that was used last, or the one that is named."""
    frame = window.frames.get(name) or _dock_in_use(window)
    start = str(Path.home() / f"{frame.name}.png")
    path, _ = QFileDialog.getSaveFileName(
        window, f"Export {frame.windowTitle()}", start, "Pictures (*.png)"
    )
    if not path:
        return
    if not frame.grab().save(path):
        raise DocumentError(f'"{path}" could not be written.', "Choose a name that ends in .png.")
    window.session.tell(f"{frame.windowTitle()} exported.", path, kind="good")


def news(window: MainWindow) -> None:
    """Give the keyboard to the newest message."""
    window.toasts.focus_newest()


def full_screen(window: MainWindow) -> None:
    """Fill the screen, or stop it."""
    window.setWindowState(window.windowState() ^ window.full_screen_state)


def _dock_in_use(window: MainWindow) -> DockFrame:
    widget: QWidget | None = window.focusWidget()
    while widget is not None and not isinstance(widget, DockFrame):
        widget = widget.parentWidget()
    return widget if isinstance(widget, DockFrame) else window.frames["curves"]
