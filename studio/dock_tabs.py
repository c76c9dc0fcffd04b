"""Puts the tools of the dock in front at the right end of its group's tabs.

QMainWindow offers no place for them there, so they lie over the tab bar's empty end.
"""

from __future__ import annotations

from collections.abc import Iterable

import shiboken6
from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer
from PySide6.QtWidgets import QMainWindow, QTabBar, QWidget

from studio.dock_frame import DockFrame

GAP = 8


class DockTabs(QObject):
    """Watches the tab bars of a main window and keeps strips and tools in order."""

    def __init__(self, window: QMainWindow, frames: Iterable[DockFrame]) -> None:
        super().__init__(window)
        self._window = window
        self._frames = list(frames)
        self._bars: list[QTabBar] = []
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self.settle)
        for frame in self._frames:
            frame.visibilityChanged.connect(self._later.start)
            frame.dockLocationChanged.connect(self._later.start)
            frame.topLevelChanged.connect(self._later.start)
            frame.filled.connect(self._later.start)
        window.installEventFilter(self)

    def schedule(self) -> None:
        """Put things in order in the next turn of the event loop."""
        self._later.start()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow size and place of the tab bars."""
        kinds = (
            QEvent.Type.Resize,
            QEvent.Type.Move,
            QEvent.Type.Show,
            QEvent.Type.Hide,
            QEvent.Type.LayoutRequest,
        )
        if event.type() in kinds:
            self._later.start()
        return super().eventFilter(watched, event)

    def settle(self) -> None:
        """Give tabbed docks no strip of their own, and show the tools of those in front."""
        tabbed: dict[DockFrame, QTabBar] = {}
        for bar in self._tab_bars():
            for frame in self._frames_of(bar):
                tabbed[frame] = bar
        for frame in self._frames:
            group = tabbed.get(frame)
            frame.show_strip(group is None)
            if frame.tools is None:
                continue
            if group is None:
                frame.return_tools()
            else:
                self._lay_over(frame, group, frame.tools)

    def _lay_over(self, frame: DockFrame, bar: QTabBar, tools: QWidget) -> None:
        if tools.parent() is not self._window:
            tools.setParent(self._window)
            tools.raise_()  # once: what covers the whole window later covers it too
        is_front = not frame.visibleRegion().isEmpty() and self._front(bar) is frame
        used = bar.tabRect(bar.count() - 1).right() if bar.count() else 0
        size = tools.sizeHint()
        corner = bar.mapTo(self._window, QPoint(bar.width() - size.width() - GAP, 0))
        fits = bar.width() - used > size.width() + 2 * GAP
        tools.setGeometry(corner.x(), corner.y(), size.width(), bar.height())
        tools.setVisible(is_front and fits)

    def _tab_bars(self) -> list[QTabBar]:
        bars = [
            bar
            for bar in self._window.findChildren(QTabBar)
            if bar.parent() is self._window and bar.isVisible()
        ]
        for bar in bars:
            if bar not in self._bars:
                bar.installEventFilter(self)
                bar.currentChanged.connect(self._later.start)
                bar.setElideMode(Qt.TextElideMode.ElideNone)
                bar.setUsesScrollButtons(True)
                bar.setAccessibleName("Docks of this group")
                self._bars.append(bar)
        self._bars = [bar for bar in self._bars if shiboken6.isValid(bar)]
        return bars

    def _frames_of(self, bar: QTabBar) -> list[DockFrame]:
        pointers = {bar.tabData(i) for i in range(bar.count())}
        return [f for f in self._frames if shiboken6.getCppPointer(f)[0] in pointers]

    def _front(self, bar: QTabBar) -> DockFrame | None:
        pointer = bar.tabData(bar.currentIndex())
        same = (f for f in self._frames if shiboken6.getCppPointer(f)[0] == pointer)
        return next(same, None)
