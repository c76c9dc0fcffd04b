"""The keys of every action: search, press new keys, or go back to the usual ones."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QHBoxLayout,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from studio.action import Action
from studio.actions import ACTIONS
from studio.docks.problem_lines import NoteLine
from studio.icons import dress_clear_button
from studio.session import Session
from studio.theme import theme
from studio.widgets.button import quiet, tool


def listed() -> list[Action]:
    """Return the actions that a user can give keys to: those of the menus."""
    return [action for action in ACTIONS if action.menu]


def keys_of(action: Action, chosen: dict[str, str]) -> str:
    """Return the keys of an action as they are now."""
    return chosen.get(action.id, action.shortcut)


def conflict(action_id: str, keys: str, chosen: dict[str, str]) -> Action | None:
    """Return the other action that these keys belong to already; None when they are free."""
    wanted = QKeySequence(keys)
    if wanted.isEmpty():
        return None
    exact = QKeySequence.SequenceMatch.NoMatch
    for other in listed():
        there = QKeySequence(keys_of(other, chosen))
        if other.id == action_id or there.isEmpty():
            continue
        # Keys that begin with those of another action would never be reached.
        if wanted.matches(there) != exact or there.matches(wanted) != exact:
            return other
    return None


class KeysEdit(QKeySequenceEdit):
    """Takes one press of keys. Escape ends the edit, Backspace takes the keys away."""

    def event(self, event: QEvent) -> bool:
        """Keep the keys here, whatever action they belong to."""
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)


class ShortcutRow(QWidget):
    """One action: its name, where it is in the menus, its keys."""

    wanted = Signal(str, str)

    def __init__(self, action: Action, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.action = action
        self._title = QLabel(action.text.rstrip("."), self)
        self._title.setToolTip(action.where)
        self._menu = QLabel(action.menu.replace("/", " > "), self)
        self._menu.setProperty("tone", "muted")
        self.edit = KeysEdit(self)
        self.edit.setMaximumSequenceLength(1)
        self.edit.setAccessibleName(f"Keys of {action.text}")
        self.edit.setClearButtonEnabled(True)
        dress_clear_button(self.edit)
        self._line = self.edit.findChild(QLineEdit)
        if self._line is not None:
            self._line.setAccessibleName(f"Keys of {action.text}")
        self.edit.editingFinished.connect(self._finished)
        usual = action.shortcut or "none"
        self.reset = tool("restart", f"Back to the usual keys: {usual}", small=True)
        self.reset.clicked.connect(self._reset)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 2, 12, 2)
        row.addWidget(self._title, 1)
        row.addWidget(self._menu)
        row.addWidget(self.edit)
        row.addWidget(self.reset)

    def show_keys(self, keys: str) -> None:
        """Show the keys of the action as they are now."""
        self.edit.blockSignals(True)
        self.edit.setKeySequence(QKeySequence(keys))
        self.edit.blockSignals(False)
        if self._line is not None:
            self._line.setPlaceholderText("no keys")  # Qt puts its own words back each time
        is_changed = QKeySequence(keys) != QKeySequence(self.action.shortcut)
        policy = self.reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.reset.setSizePolicy(policy)
        self.reset.setVisible(is_changed)
        font = theme().font("body")
        if is_changed:
            font.setWeight(font.Weight.Medium)
        self._title.setFont(font)
        self._menu.setFont(theme().font("small"))
        self.edit.setFixedWidth(theme().px(140))

    def _finished(self) -> None:
        keys = self.edit.keySequence().toString(QKeySequence.SequenceFormat.PortableText)
        self.wanted.emit(self.action.id, keys)

    def _reset(self) -> None:
        self.wanted.emit(self.action.id, self.action.shortcut)


class ShortcutsPage(QWidget):
    """All actions with their keys. Keys that are taken are told, and stay with whom they are."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.search = QLineEdit(self)
        self.search.setPlaceholderText("Find an action or keys")
        self.search.setAccessibleName("Find an action or keys")
        self.search.setClearButtonEnabled(True)
        dress_clear_button(self.search)
        self.search.textChanged.connect(self._filter)
        self.trouble = NoteLine("alert-circle-outline", "", "bad", self)
        self.trouble.hide()
        self.all_usual = quiet("Reset all")
        self.all_usual.clicked.connect(self._reset_all)
        self.rows: dict[str, ShortcutRow] = {}
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for action in listed():
            row = ShortcutRow(action, page)
            row.wanted.connect(self.choose)
            self.rows[action.id] = row
            column.addWidget(row)
        column.addStretch(1)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(page)
        head = QHBoxLayout()
        head.setContentsMargins(12, 0, 12, 0)
        head.addWidget(self.search, 1)
        head.addWidget(self.all_usual)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addLayout(head)
        outer.addWidget(self.trouble)
        outer.addWidget(area, 1)
        session.settings.changed.connect(self.refresh)
        theme().changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the keys as they are now."""
        chosen = self.session.settings.values.shortcuts
        for id, row in self.rows.items():
            row.show_keys(keys_of(row.action, chosen))
            row.edit.setProperty("action", id)
        self.all_usual.setEnabled(bool(chosen))

    def choose(self, action_id: str, keys: str) -> None:
        """Give an action these keys, unless another one has them."""
        chosen = dict(self.session.settings.values.shortcuts)
        row = self.rows[action_id]
        taken = conflict(action_id, keys, chosen)
        if taken is not None:
            there = keys_of(taken, chosen)
            self._tell(
                f"{_shown(keys)} belongs to {taken.text.rstrip('.')} ({taken.where}). "
                f"Give that action other keys first."
                if QKeySequence(keys) == QKeySequence(there)
                else f"{_shown(keys)} begins like {_shown(there)} of {taken.text.rstrip('.')}."
            )
            row.show_keys(keys_of(row.action, chosen))
            return
        self._tell("")
        if QKeySequence(keys) == QKeySequence(row.action.shortcut):
            chosen.pop(action_id, None)
        else:
            chosen[action_id] = keys
        self.session.settings.set(shortcuts=chosen)

    def _reset_all(self) -> None:
        self._tell("")
        self.session.settings.reset("shortcuts")

    def _tell(self, text: str) -> None:
        self.trouble.set_text(text)
        self.trouble.setVisible(bool(text))

    def _filter(self, text: str) -> None:
        words = text.lower().split()
        chosen = self.session.settings.values.shortcuts
        for row in self.rows.values():
            action = row.action
            hay = f"{action.text} {action.menu} {action.keywords} {keys_of(action, chosen)}".lower()
            row.setVisible(all(word in hay for word in words))


def _shown(keys: str) -> str:
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
