"""Workspaces: arrangements of the docks, each kept as the user left it."""

from __future__ import annotations

import base64
import itertools
import json
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QObject, Qt, Signal

from backend.core.files import parse_json, write_atomic
from studio.theme import theme

if TYPE_CHECKING:
    from studio.main_window import MainWindow

VERSION = 1
AREAS = {
    "left": Qt.DockWidgetArea.LeftDockWidgetArea,
    "right": Qt.DockWidgetArea.RightDockWidgetArea,
    "bottom": Qt.DockWidgetArea.BottomDockWidgetArea,
}
# Workspace -> area -> groups of tabs from left to right; the first of a group is in front.
WORKSPACES: dict[str, dict[str, list[list[str]]]] = {
    "Graph": {
        "left": [["nodes", "files"]],
        "right": [["properties", "help", "outputs"]],
        "bottom": [
            ["curves", "runs", "log", "images"],
            ["layers", "channel_plan", "views", "inspector"],
        ],
    },
    "Compare": {
        "right": [["properties", "layers", "views"]],
        "bottom": [["compare", "images", "log", "inspector"], ["runs", "curves"]],
    },
    "Phone": {
        "left": [["edits", "outputs"]],
        "right": [["phone", "properties"]],
        "bottom": [["concepts", "images", "curves", "log"]],
    },
}
SIZES = {"left": 230, "right": 304, "bottom": 288}
COMPARE_BOTTOM = 520
PHONE_RIGHT = 580
WITHOUT_CANVAS = ("Phone",)
"""Workspaces whose docks take the room of the canvas too."""
TEXT_SHARE = 0.6
"""How much of a larger text the docks take from the canvas."""


class Layouts(QObject):
    """Arranges the docks of a window and remembers how the user wants them."""

    arranged = Signal(str)
    """The docks stand as this workspace has them."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.name = "Graph"
        self._path = window.session.workspace.root / "studio" / "layouts.json"
        self._kept = self._read()

    @property
    def has_geometry(self) -> bool:
        """Whether size and place of the window were kept."""
        return "geometry" in self._kept

    def arrange(self, name: str) -> None:
        """Put the docks as this workspace has them at first, or as they were left."""
        self.name = name
        self._show_canvas(name not in WITHOUT_CANVAS)
        self._place(name)
        kept = self._kept.get(name)
        if kept:
            self._window.restoreState(_bytes(kept), VERSION)
            hidden = self._kept.get(f"{name}:hidden", "").split()
            for dock in hidden:  # Qt brings docks back that had no place in the state
                if dock in self._window.frames:
                    self._window.frames[dock].hide()
        geometry = self._kept.get("geometry")
        if geometry and not self._window.isVisible():
            self._window.restoreGeometry(_bytes(geometry))
        self.arranged.emit(name)

    def choose(self, name: str) -> None:
        """Keep the present arrangement under its name and change to another one."""
        if name == self.name or name not in WORKSPACES:
            return
        self._remember()
        self.arrange(name)

    def reset(self) -> None:
        """Forget how this workspace was left."""
        self._kept.pop(self.name, None)
        self._kept.pop(f"{self.name}:hidden", None)
        self._place(self.name)
        self.arranged.emit(self.name)

    def show_docks(self, on: bool) -> None:
        """Hide all docks behind the welcome page, or bring back those that were shown."""
        if not on:
            self._remember()
            self._show_canvas(True)
            for frame in self._window.frames.values():
                frame.hide()
        else:
            self.arrange(self.name)

    def save(self) -> None:
        """Write how the docks and the window are."""
        self._remember()
        geometry = self._window.saveGeometry()
        self._kept["geometry"] = base64.b64encode(geometry.data()).decode()
        try:
            write_atomic(self._path, json.dumps(self._kept))
        except OSError:
            return  # a layout is not worth a word to somebody who is leaving

    # -- inner -----------------------------------------------------------------------------------

    def _show_canvas(self, on: bool) -> None:
        """Show canvas or welcome page; without them the docks have their room, and the news."""
        window = self._window
        if (pages := window.centralWidget()) is not None:
            pages.setVisible(on)
        foot = 0 if on else window.status.height()
        window.toasts.set_ground(window.canvas if on else window, foot)

    def _remember(self) -> None:
        if self._window.shows_graph:
            state = self._window.saveState(VERSION)
            self._kept[self.name] = base64.b64encode(state.data()).decode()
            hidden = (name for name, frame in self._window.frames.items() if frame.isHidden())
            self._kept[f"{self.name}:hidden"] = " ".join(hidden)

    def _place(self, name: str) -> None:
        window, frames = self._window, self._window.frames
        wanted = WORKSPACES[name]
        named = {dock for groups in wanted.values() for group in groups for dock in group}
        rest = [dock for dock in frames if not any(dock in _all(w) for w in WORKSPACES.values())]
        for dock in frames.values():
            window.removeDockWidget(dock)
        corner = Qt.DockWidgetArea
        window.setCorner(Qt.Corner.BottomLeftCorner, corner.LeftDockWidgetArea)
        is_high = name in WITHOUT_CANVAS  # then the right docks reach down to the status bar
        right = corner.RightDockWidgetArea if is_high else corner.BottomDockWidgetArea
        window.setCorner(Qt.Corner.BottomRightCorner, right)
        for area, groups in wanted.items():
            self._place_area(area, [list(group) for group in groups], rest)
        for dock_name, frame in frames.items():
            if dock_name not in named and dock_name not in rest:
                frame.hide()
        self._size(name)

    def _place_area(self, area: str, groups: list[list[str]], rest: list[str]) -> None:
        window, frames = self._window, self._window.frames
        if area == "bottom":
            groups[-1] += rest  # docks of third parties join the last group
        docks = [[frames[name] for name in group if name in frames] for group in groups]
        firsts = [group[0] for group in docks if group]
        # Side by side first: a dock that has tabs cannot be split any more.
        for number, dock in enumerate(firsts):
            if number:
                window.splitDockWidget(firsts[number - 1], dock, Qt.Orientation.Horizontal)
            else:
                window.addDockWidget(AREAS[area], dock)
        for group in docks:
            for left, right in itertools.pairwise(group):
                window.tabifyDockWidget(left, right)
            for dock in group:
                dock.show()
        for dock in firsts:
            dock.raise_()

    def _size(self, name: str) -> None:
        window, frames = self._window, self._window.frames
        for area, groups in WORKSPACES[name].items():
            firsts = [frames[group[0]] for group in groups if group[0] in frames]
            size = COMPARE_BOTTOM if (name, area) == ("Compare", "bottom") else SIZES[area]
            size = PHONE_RIGHT if (name, area) == ("Phone", "right") else size
            size = round(size * (1 + (theme().scale - 1) * TEXT_SHARE))
            way = Qt.Orientation.Vertical if area == "bottom" else Qt.Orientation.Horizontal
            window.resizeDocks(firsts, [size] * len(firsts), way)
            if len(firsts) > 1:
                window.resizeDocks(firsts, [640, 600], Qt.Orientation.Horizontal)
        if name in WITHOUT_CANVAS:
            self._share_width(name)

    def _share_width(self, name: str) -> None:
        """Left, middle and right in one row: Qt shares it only when all three are named."""
        window, grow = self._window, 1 + (theme().scale - 1) * TEXT_SHARE
        parts = {area: groups[0][0] for area, groups in WORKSPACES[name].items()}
        if not all(dock in window.frames for dock in parts.values()):
            return
        left, right = round(SIZES["left"] * grow), round(PHONE_RIGHT * grow)
        middle = max(200, window.width() - left - right)
        docks = [window.frames[parts[area]] for area in ("left", "bottom", "right")]
        window.resizeDocks(docks, [left, middle, right], Qt.Orientation.Horizontal)

    def _read(self) -> dict[str, str]:
        try:
            data = parse_json(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        pairs = data.items() if isinstance(data, dict) else ()
        return {key: value for key, value in pairs if isinstance(value, str)}


def _bytes(text: str) -> QByteArray:
    """What is kept as text; nothing, which restores nothing, when it is damaged."""
    try:
        return QByteArray(base64.b64decode(text))
    except ValueError:
        return QByteArray()


def _all(workspace: dict[str, list[list[str]]]) -> set[str]:
    return {dock for groups in workspace.values() for group in groups for dock in group}
