"""What the command palette lists: actions, nodes, settings and runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from studio import reasons
from studio.actions import ACTIONS
from studio.command_palette import Entry
from studio.icons import node_icon
from studio.theme import theme

if TYPE_CHECKING:
    from studio.main_window import MainWindow

MOST_RUNS = 200


def providers(window: MainWindow) -> list[Callable[[], list[Entry]]]:
    """Return one function a group; each is asked when the palette opens."""
    return [
        lambda: _actions(window),
        lambda: _nodes(window),
        lambda: _here(window),
        lambda: _settings(window),
        lambda: _runs(window),
    ]


def _actions(window: MainWindow) -> list[Entry]:
    found = []
    for action in ACTIONS:
        if not action.menu or action.id == "palette":
            continue
        keys = window.actions_by_id[action.id].shortcut().toString()
        found.append(
            Entry(
                "Actions",
                _text(window, action.id, action.text),
                action.icon,
                _acting(window, action.id),
                shortcut=keys,
                disabled_why=reasons.why_not(window, action.why_not),
                where=action.where,
                keywords=action.keywords,
            )
        )
    return found


def _text(window: MainWindow, action_id: str, text: str) -> str:
    current = window.session.selection.current
    return f"{text}: {current}" if action_id == "run_here" and current else text


def _nodes(window: MainWindow) -> list[Entry]:
    specs = window.session.catalog.specs.values()
    why = "" if window.shows_graph else "no graph is open"
    return [
        Entry(
            "Nodes",
            spec.title,
            node_icon(spec.id, spec.category),
            _adding(window, spec.id),
            disabled_why=why,
            detail=spec.id,
            where=f"Nodes > {spec.category.capitalize()}" if spec.category else "Nodes",
            keywords=spec.doc.split("\n")[0],
        )
        for spec in specs
    ]


def _here(window: MainWindow) -> list[Entry]:
    """The nodes of the open graph, by kind and name; picking one brings it into sight."""
    specs, graph = window.session.catalog.specs, window.session.document.graph
    found = []
    for name, node in graph.nodes.items() if window.shows_graph else ():
        spec = specs.get(node.type)
        found.append(
            Entry(
                "In this graph",
                f"{spec.title if spec else node.type} {name}",
                node_icon(node.type, spec.category if spec else ""),
                _revealing(window, name),
                detail="bypassed" if node.bypass else "",
                where="Edit > Find a node here...",
                keywords=node.type,
            )
        )
    return found


def _revealing(window: MainWindow, node: str) -> Callable[[], None]:
    def reveal() -> None:
        window.session.reveal(node)
        window.view.setFocus()

    return reveal


def _settings(window: MainWindow) -> list[Entry]:
    fields = type(window.session.settings.values).model_json_schema()["properties"]
    return [
        Entry(
            "Settings",
            str(field.get("title", name)),
            "cog-outline",
            _opening_settings(window, str(field.get("page", ""))),
            where=f"Settings > {str(field.get('page', '')).capitalize()}",
            keywords=str(field.get("description", "")),
        )
        for name, field in fields.items()
        if name != "shortcuts"
    ]


def _runs(window: MainWindow) -> list[Entry]:
    rows = window.session.runner.index.rows
    found = []
    for row in sorted(rows, key=lambda row: row.name, reverse=True)[:MOST_RUNS]:
        color, _, word = theme().state(row.state)
        found.append(
            Entry(
                "Runs",
                row.name,
                "history",
                _showing(window, row.name),
                detail=word,
                detail_color=color,
                where="Runs",
            )
        )
    return found


def _acting(window: MainWindow, action_id: str) -> Callable[[], None]:
    return lambda: window.act(action_id)


def _adding(window: MainWindow, kind: str) -> Callable[[], None]:
    return lambda: window.act("add_node", kind=kind)


def _opening_settings(window: MainWindow, page: str) -> Callable[[], None]:
    return lambda: window.open_settings(page)


def _showing(window: MainWindow, run: str) -> Callable[[], None]:
    return lambda: window.act("open_run", run=run)
