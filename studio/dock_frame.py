"""A dock's frame: the content is made when it is first seen, its tools stand in its strip."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
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
    left = Signal()
    """Escape was pressed, and nothing in the dock had a use for it."""

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
        self._ground.setObjectName("dock_page")
        self._layout = QVBoxLayout(self._ground)
        self._layout.setContentsMargins(0, 1, 0, 0)  # the rule under the strip
        self._layout.setSpacing(0)
        self.setWidget(self._ground)
        self.visibilityChanged.connect(self._seen)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape that nothing in the dock wants leads back to the canvas."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
            event.accept()
        else:
            super().keyPressEvent(event)

    def allow_filling(self) -> None:
        """From now on the content may be made; before the first paint it may not."""
        self._is_ready = True
        if self.isVisible() and not self.visibleRegion().isEmpty():
            self.fill()

    def fill(self) -> QWidget | None:
        """Make the content, if it is not there yet, and return it."""
        if self.content is None and self._is_ready:
            try:
                self._make()
            except (Exception, SystemExit) as error:  # a third party must not take the window down
                log.exception("The dock %s could not be made", self.name)
                self._give_up(error)
                return self.content
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

    def _make(self) -> None:
        dock = self._point.load()
        title, self.kinds = str(dock.TITLE), tuple(getattr(dock, "KINDS", ()))
        content = dock.WIDGET(self._session)
        if not isinstance(content, QWidget):
            raise TypeError("its WIDGET makes no QWidget")
        self.content = content
        make_tools: Callable[[], QWidget | None] | None = getattr(content, "tools", None)
        tools = make_tools() if make_tools is not None else None
        if tools is not None:
            self._strip.set_tools(tools)
        self.tools = tools
        attention = getattr(content, "attention", None)
        if attention is not None:
            attention.connect(self.raise_)
        self.setWindowTitle(title)
        self._strip.set_title(title)
        self._layout.addWidget(content)

    def _give_up(self, error: BaseException) -> None:
        """Say in the dock's place, and in a message, which line is to blame."""
        if self.content is not None:
            self.content.deleteLater()
        name, why = self.windowTitle(), f"{blame(error)} Mend or uninstall what brings it."
        self._session.tell(f'The dock "{name}" could not be opened.', why, kind="bad")
        text = f'The dock "{name}" could not be opened.\n{why}'
        self.content = EmptyState("alert", text, "Try again", self._try_again)
        self._layout.addWidget(self.content)

    def _try_again(self) -> None:
        if self.content is not None:
            self.content.deleteLater()
        self.content = None
        self.fill()


def blame(error: BaseException) -> str:
    """Say what went wrong in which line of which file."""
    file, line = "", 0
    if isinstance(error, SyntaxError):
        file, line = str(error.filename), error.lineno or 0
    elif frames := traceback.extract_tb(error.__traceback__):
        file, line = frames[-1].filename, frames[-1].lineno or 0
    said = (str(error).strip().splitlines() or [""])[0][:200]
    where = f" ({Path(file).name}, line {line})" if file and line else ""
    return f"{type(error).__name__}: {said or 'no message'}{where}."


class TitleStrip(QWidget):
    """The strip over a dock: its title in the look of a tab, its tools at the right end."""

    def __init__(self, title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._label = QLabel(title, self)
        self._label.setContentsMargins(8, 0, 10, 0)
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
