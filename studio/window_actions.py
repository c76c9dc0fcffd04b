"""The actions of a window, made from the table, and where their shortcuts hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence

from studio import reasons
from studio.actions import ACTIONS, CANVAS_KEYS, NODE_KEYS
from studio.icons import icon

if TYPE_CHECKING:
    from studio.main_window import MainWindow

_BESIDE = Qt.ShortcutContext.WidgetWithChildrenShortcut


def make_actions(window: MainWindow) -> dict[str, QAction]:
    """Return one action for each entry of the table, by its id."""
    chosen = window.session.settings.values.shortcuts
    found = {}
    for entry in ACTIONS:
        made = QAction(entry.text, window)
        made.setObjectName(entry.id)
        if entry.icon:
            made.setIcon(icon(entry.icon))
            made.setIconVisibleInMenu(False)
        keys = chosen.get(entry.id, entry.shortcut)
        if keys:
            made.setShortcut(QKeySequence(keys))
        made.setCheckable(bool(entry.checked))
        made.triggered.connect(_acting(window, entry.id))
        if entry.id in CANVAS_KEYS | NODE_KEYS:
            made.setShortcutContext(_BESIDE)
        else:
            window.addAction(made)
        found[entry.id] = made
    return found


def refresh(window: MainWindow) -> None:
    """Enable what can be done now; the tip of what cannot says why."""
    for entry in ACTIONS:
        made = window.actions_by_id[entry.id]
        why = reasons.why_not(window, entry.why_not)
        made.setEnabled(not why)
        keys = made.shortcut().toString()
        tip = f"{entry.text.rstrip('.')} ({keys})" if keys else entry.text.rstrip(".")
        made.setToolTip(f"{tip}: {why}" if why else tip)
        if entry.checked:
            made.setChecked(reasons.is_checked(window, entry.checked))
    window.tool_row.run.setToolTip(window.actions_by_id["run"].toolTip())


def place_shortcuts(window: MainWindow) -> None:
    """Let keys that edit the graph work beside it: in a table of runs they mean its rows."""
    for name in CANVAS_KEYS | NODE_KEYS:
        window.canvas.addAction(window.actions_by_id[name])
        window.top.addAction(window.actions_by_id[name])
    for name in NODE_KEYS:
        window.frames["properties"].addAction(window.actions_by_id[name])


def follow_settings(window: MainWindow) -> None:
    """Take the shortcuts that the user chose."""
    chosen = window.session.settings.values.shortcuts
    for entry in ACTIONS:
        keys = chosen.get(entry.id, entry.shortcut)
        window.actions_by_id[entry.id].setShortcut(QKeySequence(keys))


def _acting(window: MainWindow, action_id: str) -> Callable[[], None]:
    return lambda: window.act(action_id)
