"""New, open, save, export: what the File menu does."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QProcess, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QFileDialog

from backend.core.errors import DocumentError
from studio.document_file import ChangedOnDisk, InUse
from studio.tokens import ASSETS

if TYPE_CHECKING:
    from studio.drop_plan import DropPlan
    from studio.main_window import MainWindow

GRAPHS = "Graphs (*.json);;All files (*)"
MODELS = "Models (*.onnx *.safetensors *.pt *.pth);;All files (*)"


def new(window: MainWindow) -> None:
    """Start an empty graph."""

    def begin() -> None:
        window.session.document.new()
        window.session.set_focus(None)
        window.show_graph()

    _after_asking(window, begin)


def new_window(window: MainWindow) -> None:
    """Open a second window: a process of its own, so that neither can take the other down."""
    if not QProcess.startDetached(sys.executable, ["-P", "-m", "studio"])[0]:
        raise DocumentError(
            f'Python could not be started with "{sys.executable}".', "Check that it is there."
        )


def open_dialog(window: MainWindow) -> None:
    """Ask for a graph file and open it."""
    start = window.session.document.path or Path.home()
    name, _ = QFileDialog.getOpenFileName(window, "Open a graph", str(start.parent), GRAPHS)
    if name:
        open_path(window, path=name)


def open_path(window: MainWindow, path: str | Path) -> None:
    """Open a graph file in this window."""

    def load(as_copy: bool = False) -> None:
        try:
            window.session.document.open(Path(path), as_copy=as_copy)
        except InUse as error:
            window.session.tell(str(error), kind="warn", action=("Open a copy", lambda: load(True)))
            return
        window.recent.add(Path(path))
        _loaded(window)

    _after_asking(window, load)


def open_pipeline(window: MainWindow, path: str | Path) -> None:
    """Open an example as a new graph: it is saved where the user says, never over the example."""
    source = Path(path) if Path(path).is_absolute() else ASSETS / "pipelines" / str(path)

    def load() -> None:
        window.session.document.open(source, as_copy=True)
        _loaded(window)

    _after_asking(window, load)


def save(window: MainWindow) -> None:
    """Save the graph where it was opened; a new one asks where."""
    document = window.session.document
    if document.path is None:
        save_as(window)
        return
    try:
        document.save()
    except ChangedOnDisk as error:
        window.session.tell(
            str(error), kind="warn", action=("Overwrite it", lambda: _save_over(window))
        )
        return
    window.recent.add(document.path)
    window.note_saved()


def save_as(window: MainWindow) -> None:
    """Ask where to and save the graph there."""
    document = window.session.document
    folder = document.path.parent if document.path else Path.home()
    start = str(folder / f"{file_stem(document.name, 'untitled')}.json")
    name, _ = QFileDialog.getSaveFileName(window, "Save the graph", start, GRAPHS)
    if name:
        path = Path(name) if Path(name).suffix else Path(f"{name}.json")
        document.save_as(path)
        window.recent.add(path)
        window.note_saved()


def revert(window: MainWindow) -> None:
    """Read the file again; what was changed since stays in the journal's history."""
    document = window.session.document
    window.ask(
        f'Revert "{document.name}" to the saved file? The changes since then are lost.',
        ("Revert", document.revert),
    )


def load_model(window: MainWindow) -> None:
    """Ask for a model file and show what is in it."""
    name, _ = QFileDialog.getOpenFileName(window, "Inspect a model", str(Path.home()), MODELS)
    if name:
        window.inspect(Path(name))


def drop(window: MainWindow, plan: DropPlan) -> None:
    """Do what the drop overlay said would happen."""
    from studio.deeds.dropping import carry_out

    carry_out(window, plan)


def export_canvas(window: MainWindow) -> None:
    """Write the canvas as PNG or SVG."""
    start = str(Path.home() / f"{file_stem(window.session.document.name, 'graph')}.png")
    name, _ = QFileDialog.getSaveFileName(
        window, "Export the canvas", start, "Pictures (*.png *.svg)"
    )
    if not name:
        return
    window.view.save_picture(Path(name))
    window.session.tell("Canvas exported.", name, kind="good")


def open_folder(window: MainWindow, path: str | Path) -> None:
    """Show a folder in the system's file browser."""
    if not Path(path).exists():
        raise DocumentError(f'The folder "{path}" is no longer there.')
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


def close(window: MainWindow) -> None:
    """Close this window; runs go on."""
    window.close()


def quit_all(window: MainWindow) -> None:
    """Close every window of this process; runs go on."""
    QApplication.closeAllWindows()


def file_stem(name: str, instead: str) -> str:
    """Return a name that a file can have: signs with a meaning in paths become dashes."""
    return re.sub(r'[\\/:*?"<>|\x00-\x1f\ud800-\udfff]+', "-", name)[:80].strip(" .-") or instead


def _loaded(window: MainWindow) -> None:
    window.show_graph()
    window.view.zoom_to_fit()
    window.focus_run_of_document()


def _save_over(window: MainWindow) -> None:
    window.session.document.save(force=True)
    window.note_saved()


def _after_asking(window: MainWindow, then: Callable[[], None]) -> None:
    """Do ``then``; with unsaved changes only after the user said what becomes of them."""
    document = window.session.document
    if not document.is_modified:
        _guarded(window, then)
        return

    def save_first() -> None:
        save(window)
        if not document.is_modified:
            _guarded(window, then)

    choices: Sequence[tuple[str, Callable[[], None]]] = (
        ("Save", save_first),
        ("Discard", lambda: _guarded(window, then)),
    )
    window.ask(f'Save the changes to "{document.name}" first?', *choices)


def _guarded(window: MainWindow, then: Callable[[], None]) -> None:
    from studio.deeds import sentence

    try:
        then()
    except (DocumentError, OSError) as error:
        window.session.tell(sentence(error), kind="bad")
