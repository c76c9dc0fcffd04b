"""The menus of the canvas: what can be done with a node, a link, or the empty ground."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QMenu

from studio.phone.targets import is_exporter

if TYPE_CHECKING:
    from studio.main_window import MainWindow

NODE = (
    ("run_here", "run_selected"),
    ("rename", "bypass", "collapse", "duplicate"),
    ("cut", "copy", "delete"),
    ("frame", "arrange"),
)
LINK = (("delete",),)
GROUND = (("quick_add", "paste", "add_note"), ("select_all", "arrange", "fit"), ("run",))
NOTE = (("delete",),)
KINDS = {"node": NODE, "link": LINK, "note": NOTE, "canvas": GROUND}


def context_menu(window: MainWindow, details: dict[str, Any]) -> QMenu:
    """Return the menu for ``details["kind"]``: node, link, note or canvas."""
    kind = str(details.get("kind") or ("node" if window.session.selection.nodes else "canvas"))
    window.refresh()
    menu = QMenu(window)
    menu.aboutToHide.connect(menu.deleteLater)
    for group in KINDS.get(kind, GROUND):
        if not menu.isEmpty():
            menu.addSeparator()
        for name in group:
            menu.addAction(window.actions_by_id[name])
    focus, node = window.session.focus, window.session.selection.current
    if kind == "node" and node and focus is not None and node in focus.fold.nodes:
        menu.addSeparator()
        inspect = menu.addAction("Inspect what it gave")
        run = focus.name
        inspect.triggered.connect(lambda: window.act("inspect", run=run, node=node))
        if is_exporter(window.session, node):
            push = menu.addAction("Push to the phone")
            push.triggered.connect(lambda: window.act("phone_push", run=run, node=node))
    return menu
