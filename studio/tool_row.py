"""The tool row: run and stop, how far the run is, undo, view, workspaces, seed and device."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QAction, QIntValidator, QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from studio.actions import WORKSPACES
from studio.theme import theme
from studio.widgets.button import plain, primary
from studio.widgets.kerf import KerfBar
from studio.widgets.segment import Segment

if TYPE_CHECKING:
    from studio.session import Session


class Rule(QWidget):
    """A short upright line between groups of tools."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(13, 20)

    def paintEvent(self, _event: object) -> None:
        """Paint the line."""
        from PySide6.QtGui import QPainter

        painter = QPainter(self)
        painter.fillRect(6, 0, 1, self.height(), theme().color("line"))
        painter.end()


class ToolRow(QWidget):
    """Buttons over actions of the table; the run bar follows the run shown."""

    left = Signal()
    """Escape was pressed."""

    def __init__(
        self,
        session: Session,
        actions: dict[str, QAction],
        set_workspace: Callable[[str], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._session = session
        self._actions = actions
        self.run = primary("Run", "play")
        # Not the action's trigger: a run that cannot start must say why when it is clicked.
        self.run.clicked.connect(lambda: session.act("run"))
        self.more = primary("", "chevron-down")
        self.run.joined, self.more.joined = "right", "left"
        for part in (self.run, self.more):
            part.large = False
            part.setProperty("kind", "plain")  # as high as the buttons beside it
        self.more.setAccessibleName("Other ways to run")
        self.more.setToolTip("Run to here, run selected, rerun failed")
        self._ways = self._run_menu()
        self.more.clicked.connect(self._show_ways)
        self.stop = plain("Stop", "stop")
        self.stop.icon_color = "bad"
        self.stop.clicked.connect(actions["stop"].trigger)
        self.kill = plain("Kill now", "close-octagon-outline")
        self.kill.setProperty("kind", "danger")
        self.kill.clicked.connect(actions["kill"].trigger)
        self.bar = KerfBar(parent=self)
        self.words = QLabel(self)
        self.workspaces = Segment([(name, name, icon) for name, icon in WORKSPACES.items()])
        self.workspaces.setAccessibleName("Workspaces")
        self.workspaces.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.workspaces.changed.connect(lambda name: set_workspace(str(name)))
        self.seed = QLineEdit(self)
        self.seed.setValidator(QIntValidator(0, 2**31 - 1, self.seed))
        self.seed.setAccessibleName("Seed")
        self.seed.setToolTip("Seed of everything random in a run: order, augmentation, weights")
        self.seed.editingFinished.connect(self._set_seed)
        self.seed_label = QLabel("Seed", self)
        self._tools: list[QToolButton] = []
        self.device = plain("", "chip")
        self.device.setToolTip("Where runs compute: device and threads (opens the settings)")
        self._fill()
        for signal in (session.document.changed, session.document.replaced):
            signal.connect(self._show_seed)
        theme().changed.connect(self._dress)
        self._dress()
        self._show_seed()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape gives up what was typed as seed and leads back to the canvas."""
        if event.key() == Qt.Key.Key_Escape:
            self.seed.setText(str(self._session.document.graph.seed))
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def show_run(self, fraction: float | None, words: str, rest: str, state: str) -> None:
        """Show how far the run is: a share from 0 to 1 (None: no run), bold words and the rest."""
        is_there = fraction is not None
        self.bar.setVisible(is_there)
        self.words.setVisible(is_there)
        if is_there:
            self.bar.set(fraction, state)
            self.words.setTextFormat(Qt.TextFormat.RichText)
            self.words.setText(f"<b style='font-weight:600'>{words}</b> {rest}".strip())

    def add_phone(self, left: QWidget, middle: QWidget, right: QWidget) -> None:
        """Take in the tools of the Phone workspace: before Run, after the run bar, at the end."""
        layout = self.layout()
        if isinstance(layout, QHBoxLayout):
            layout.insertWidget(0, left)
            layout.insertWidget(layout.indexOf(self.words) + 2, middle)
            layout.addWidget(right)

    def set_phone_tools(self, on: bool) -> None:
        """In the Phone workspace Push is what stands out, and there is no canvas to edit."""
        for button in (self.run, self.more):
            button.set_kind("plain" if on else "primary")
            button.setProperty("kind", "plain")
        for part in (*self._tools, *self._rules, self.seed, self.seed_label, self.device):
            part.setVisible(not on)

    # -- inner -----------------------------------------------------------------------------------

    def _fill(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 0, 12, 0)
        layout.setSpacing(6)
        run_group = QHBoxLayout()
        run_group.setSpacing(0)
        run_group.addWidget(self.run)
        run_group.addWidget(self.more)
        layout.addLayout(run_group)
        layout.addWidget(self.stop)
        layout.addWidget(self.kill)
        layout.addSpacing(8)
        layout.addWidget(self.bar)
        layout.addSpacing(4)
        layout.addWidget(self.words)
        self._rules = [Rule(self) for _ in range(2)]
        layout.addWidget(self._rules[0])
        for name in ("undo", "redo"):
            layout.addWidget(self._button(name))
        layout.addWidget(self._rules[1])
        for name in ("fit", "minimap", "frame"):
            layout.addWidget(self._button(name))
        layout.addStretch(1)
        layout.addWidget(self.workspaces)
        layout.addWidget(Rule(self))
        layout.addWidget(self.seed_label)
        layout.addWidget(self.seed)
        layout.addWidget(self.device)
        for button in (self.run, self.more, self.stop, self.kill, self.device):
            # A click leaves the keyboard on the canvas: Space there must not start another run.
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _button(self, name: str) -> QToolButton:
        button = QToolButton(self)
        button.setDefaultAction(self._actions[name])
        button.setAccessibleName(self._actions[name].text())
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self._tools.append(button)
        return button

    def _run_menu(self) -> QMenu:
        menu = QMenu(self)
        for name in ("run", "run_here", "run_selected", "rerun_failed", "run_anew"):
            menu.addAction(self._actions[name])
        return menu

    def _show_ways(self) -> None:
        self._ways.popup(self.run.mapToGlobal(QPoint(0, self.run.height() + 4)))

    def _set_seed(self) -> None:
        text = self.seed.text()
        if text and int(text) != self._session.document.graph.seed:
            self._session.document.set_seed(int(text))

    def _show_seed(self, _change: object = None) -> None:
        text = str(self._session.document.graph.seed)
        if self.seed.text() != text and not self.seed.hasFocus():
            self.seed.setText(text)

    def _dress(self) -> None:
        look = theme()
        self.setFixedHeight(look.px(44))
        self.bar.setFixedWidth(look.px(132))
        self.seed.setFixedWidth(look.px(64))
        self.seed.setFont(look.mono("body"))
        self.seed_label.setFont(look.font("body"))
        self.seed_label.setProperty("tone", "muted")
        self.more.setFixedWidth(look.px(32))
        for button in self._tools:
            button.setIconSize(QSize(look.px(16), look.px(16)))
            button.setFixedSize(look.px(28), look.px(28))
