"""Keeps a graph as a card of the welcome page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backend.core.graph import Graph
from studio.docks.cards import templates_of

if TYPE_CHECKING:
    from pathlib import Path

    from studio.main_window import MainWindow


def save(window: MainWindow) -> None:
    """Put the graph as it is now among the cards of the welcome page.

    One of the same name is replaced after a question: it may be the older state of this graph.
    """
    session = window.session
    path = templates_of(session.workspace) / f"{_file_name(session.document.name)}.json"
    if path.exists():
        window.ask(
            f'There is a template "{path.stem}" already. Replace it?',
            ("Replace", lambda: write(window, path)),
        )
    else:
        write(window, path)


def write(window: MainWindow, path: Path) -> None:
    """Write the template and tell where it is to be found."""
    session = window.session
    graph = Graph.from_json(session.document.graph.to_json())
    # What its example said of minutes and picture need not be true of it any more.
    kept = {k: v for k, v in graph.metadata.items() if k not in ("minutes", "picture")}
    title = path.stem.replace("-", " ").replace("_", " ").capitalize()
    graph.metadata = {**kept, "title": title, "text": "A template of yours.", "order": 1_000.0}
    path.parent.mkdir(parents=True, exist_ok=True)
    graph.save(path)
    show = ("Show", lambda: window.act("welcome"))
    session.tell("Template saved.", "It is a card of the welcome page.", kind="good", action=show)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w-]+", "-", name).strip("-")[:60] or "template"
