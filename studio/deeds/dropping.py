"""Does what the drop overlay said before the release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from backend.core.errors import DocumentError
from backend.core.files import write_atomic
from studio.deeds import files, running
from studio.drop_plan import DropPlan, graph_in_page

if TYPE_CHECKING:
    from studio.main_window import MainWindow


def carry_out(window: MainWindow, plan: DropPlan) -> None:
    """Do what ``plan`` says with its paths."""
    path = plan.paths[0] if plan.paths else Path()
    if plan.action == "open_file":
        files.open_path(window, path)
    elif plan.action == "open_run":
        open_run(window, path)
    elif plan.action == "inspect":
        window.inspect(path)
    elif plan.action == "add_image_folder":
        add_folder(window, path)
    elif plan.action == "open_receipt":
        open_receipt(window, path)
    elif plan.action == "open_in_browser":
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
    else:
        raise DocumentError(plan.sentence)


def open_run(window: MainWindow, folder: Path) -> None:
    """Show a run of this workspace; of another one, open its graph."""
    if folder.resolve().parent == window.session.workspace.runs.resolve():
        running.show(window, folder.name)
    else:
        files.open_pipeline(window, folder / "graph.json")


def add_folder(window: MainWindow, folder: Path) -> None:
    """Put an Image folder node for these pictures on the canvas."""
    window.show_graph()
    document = window.session.document
    name = document.add("data.image_folder", window.view.place_for_paste(), {"folder": str(folder)})
    window.session.reveal(name)


def open_receipt(window: MainWindow, page: Path) -> None:
    """Open the graph that a report brings along, as a new document."""
    graph = graph_in_page(page.read_text(encoding="utf-8", errors="replace"))
    if graph is None:
        raise DocumentError(f"{page.name} brings no graph along.")
    kept = window.session.workspace.cache / "receipts" / f"{page.stem}.json"
    write_atomic(kept, json.dumps(graph))
    files.open_pipeline(window, kept)
