"""The menus, made from the actions table; recent files and docks are added where they belong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QHelpEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QMenu, QMenuBar, QToolTip

from studio.actions import ACTIONS, MENUS

if TYPE_CHECKING:
    from studio.main_window import MainWindow


class Menus(QObject):
    """The menus of a window."""

    def __init__(self, window: MainWindow, bar: QMenuBar) -> None:
        super().__init__(window)
        self._window = window
        self._menus: dict[str, QMenu] = {}
        for title in MENUS:
            self._menus[title] = bar.addMenu(title)
            self._menus[title].installEventFilter(self)
            # Not by "&": the underlines would always show.
            keys = QShortcut(QKeySequence(f"Alt+{title[0]}"), window)
            keys.activated.connect(self._opener(bar, self._menus[title]))
            self._menus[title].aboutToShow.connect(window.refresh)
        groups: dict[str, int] = {}
        for entry in (entry for entry in ACTIONS if entry.menu):
            parent = entry.menu.partition("/")[0]
            if groups.setdefault(parent, entry.group) != entry.group:
                self._menus[parent].addSeparator()
                groups[parent] = entry.group
            self._menu(entry.menu).addAction(window.actions_by_id[entry.id])
            if entry.id == "open":
                self.recent = self._menu("File/Open recent")
                self.recent.aboutToShow.connect(self.fill_recent)
                self.fill_recent()
            if entry.id == "bypass":
                self.presets = self._menu("Graph/Presets")
                self._menus["Graph"].aboutToShow.connect(self.fill_presets)
            if entry.id == "reset_layout":
                docks = self._menu("View/Docks")
                for frame in window.frames.values():
                    docks.addAction(frame.toggleViewAction())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Say why an entry cannot be picked, when the pointer rests on it."""
        if isinstance(watched, QMenu) and isinstance(event, QHelpEvent):
            entry = watched.actionAt(event.pos())
            if entry is not None and not entry.isEnabled():
                QToolTip.showText(event.globalPos(), entry.toolTip(), watched)
                return True
        return super().eventFilter(watched, event)

    def fill_recent(self) -> None:
        """List the recent files; those that are gone stay, but cannot be picked."""
        menu = self.recent
        menu.clear()
        for entry in self._window.recent.files:
            action = menu.addAction(f"&{entry.number % 10}  {entry.path.name}")
            action.setToolTip(str(entry.path))
            action.setEnabled(not entry.is_missing)
            if entry.is_missing:
                action.setText(f"{action.text()} (no longer there)")
            action.triggered.connect(self._opening(entry.path))
        if menu.isEmpty():
            menu.addAction("No recent graphs").setEnabled(False)
            return
        menu.addSeparator()
        menu.addAction("Clear").triggered.connect(self._window.recent.clear)

    def fill_presets(self) -> None:
        """List the sets of parameters that the graph brings along."""
        self.presets.clear()
        presets = self._window.session.document.graph.metadata.get("presets")
        names = presets if isinstance(presets, dict) else {}
        self.presets.menuAction().setVisible(bool(names) and self._window.shows_graph)
        for name in names:
            action = self.presets.addAction(str(name).capitalize())
            action.triggered.connect(self._applying(str(name)))

    def _applying(self, name: str) -> Callable[[], None]:
        return lambda: self._window.act("preset", name=name)

    def _menu(self, path: str) -> QMenu:
        if path not in self._menus:
            parent, _, child = path.partition("/")
            self._menus[path] = self._menus[parent].addMenu(child)
        return self._menus[path]

    @staticmethod
    def _opener(bar: QMenuBar, menu: QMenu) -> Callable[[], None]:
        return lambda: bar.setActiveAction(menu.menuAction())

    def _opening(self, path: Path) -> Callable[[], None]:
        return lambda: self._window.act("open_file", path=path)
