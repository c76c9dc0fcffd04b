"""A dock's frame: the content is made when it is first seen, its tools stand in its strip."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QDockWidget, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.session import Session
from studio.theme import theme
from studio.widgets.empty_state import EmptyState

GROUP = "fretsaw.docks"
log = logging.getLogger(__name__)


def dock_points() -> dict[str, EntryPoint]:
    """Return the docks that are installed, by name; imports none of them."""
    return {point.name: point for point in entry_points(group=GROUP)}


class DockFrame(QDockWidget):
    """Holds one dock. ``content`` is None until the dock was seen for the first time."""

    filled = Signal(str)

    def __init__(self, point: EntryPoint, session: Session, parent: QWidget) -> None:
        super().__init__(point.name.replace("_", " ").capitalize(), parent)
        self.setObjectName(f"dock:{point.name}")
        self.setAccessibleName(f"{self.windowTitle()} dock")
        self.name = point.name
        self.content: QWidget | None = None
        self.tools: QWidget | None = None
        self.kinds: tuple[str, ...] = ()
        self._point = point
        self._session = session
        self._is_ready = False
        self._strip = TitleStrip(self.windowTitle(), self)
        self.setTitleBarWidget(self._strip)
        self._ground = QWidget(self)
        self._ground.setObjectName("page")
        self._layout = QVBoxLayout(self._ground)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self.setWidget(self._ground)
        self.visibilityChanged.connect(self._seen)

    def allow_filling(self) -> None:
        """From now on the content may be made; before the first paint it may not."""
        self._is_ready = True
        if self.isVisible() and not self.visibleRegion().isEmpty():
            self.fill()

    def fill(self) -> QWidget | None:
        """Make the content, if it is not there yet, and return it."""
        if self.content is None and self._is_ready:
            try:
                dock = self._point.load()
                self.content = dock.WIDGET(self._session)
            except Exception as error:  # a dock of a third party must not take the window down
                log.exception("The dock %s could not be made", self.name)
                self._session.tell(
                    f"The dock {self.windowTitle()} could not be opened.", str(error), kind="bad"
                )
                self.content = EmptyState("alert", "This dock could not be opened.")
                self._layout.addWidget(self.content)
                return self.content
            self.kinds = tuple(getattr(dock, "KINDS", ()))
            self.setWindowTitle(dock.TITLE)
            self._strip.set_title(dock.TITLE)
            make_tools: Callable[[], QWidget | None] | None = getattr(self.content, "tools", None)
            self.tools = make_tools() if make_tools is not None else None
            if self.tools is not None:
                self._strip.set_tools(self.tools)
            attention = getattr(self.content, "attention", None)
            if attention is not None:
                attention.connect(self.raise_)
            self._layout.addWidget(self.content)
            self.filled.emit(self.name)
        return self.content

    def show_strip(self, on: bool) -> None:
        """Show title and tools; in a group of tabs both stand in the tab bar."""
        self._strip.show_title(on)

    def return_tools(self) -> None:
        """Take the tools back into the strip from where they lay over tabs."""
        if self.tools is not None and self.tools.parent() is not self._strip:
            self._strip.set_tools(self.tools)
            self.tools.show()

    def _seen(self, is_visible: bool) -> None:
        if is_visible:
            self.fill()


class TitleStrip(QWidget):
    """The strip over a dock: its title in the look of a tab, its tools at the right end."""

    def __init__(self, title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._label = QLabel(title, self)
        self._label.setContentsMargins(10, 0, 10, 0)
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(4, 0, 8, 0)
        self._layout.addWidget(self._label)
        self._layout.addStretch(1)
        self._tools: QWidget | None = None
        self._has_title = True
        theme().changed.connect(self._dress)
        self._dress()

    def set_title(self, title: str) -> None:
        """Name the dock."""
        self._label.setText(title)

    def set_tools(self, tools: QWidget) -> None:
        """Put the dock's tools at the right end."""
        self._tools = tools
        self._layout.addWidget(tools)
        self._dress()

    def show_title(self, on: bool) -> None:
        """With tabs above, the title is there already."""
        self._has_title = on
        self._label.setVisible(on)
        self._dress()

    def sizeHint(self) -> QSize:
        """As tall as a tab bar; nothing where tabs show the title."""
        return QSize(super().sizeHint().width(), theme().px(32) if self._has_title else 0)

    def minimumSizeHint(self) -> QSize:
        """No smaller than that."""
        return QSize(0, self.sizeHint().height())

    def _dress(self) -> None:
        font = theme().font("small")
        font.setWeight(font.Weight.DemiBold)
        self._label.setFont(font)
        self.setFixedHeight(theme().px(32) if self._has_title else 0)
