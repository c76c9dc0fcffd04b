"""The pair doctor: every step from the network to the first frame, the failing one with its fix."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.phone.state import PhoneState
from studio.phone.words import STEPS
from studio.theme import theme
from studio.widgets.button import Button, link
from studio.widgets.elided import ElidedLabel
from studio.widgets.empty_state import Glyph

_ICONS = {
    "ok": ("check", "good"),
    "failed": ("alert", "warn"),
    "waiting": ("clock-outline", "muted"),
    "skipped": ("minus", "muted"),
}
_ONLY_FAILED = ("code", "memory", "model", "golden")
"""Steps that are worth a line when they fail; else another line says it all."""


@dataclass(frozen=True)
class Step:
    """One line of the doctor: key, state (ok, failed, waiting, skipped), words, what to do."""

    key: str
    state: str
    words: str
    fix: str = ""


def steps(state: PhoneState) -> list[Step]:
    """Return the lines as things stand: what the server knows first, then what the phone says."""
    listening = state.listening
    found = [_listens(listening.tls if listening is not None else None)]
    is_reached = bool(state.reached or state.asks or state.devices)
    known = {key: (check.state, check.text) for key, check in state.checks.items()}
    known.setdefault("page", ("ok" if is_reached else "waiting", ""))
    if state.asks:
        known.setdefault("allowed", ("waiting", f"{state.asks[0].name} waits for your answer"))
    elif state.devices:
        known.setdefault("allowed", ("ok", ""))
    for key, (done, waits, failed, fix) in STEPS.items():
        how, text = known.get(key, ("waiting", ""))
        if key in _ONLY_FAILED and how != "failed":
            continue
        words = {"ok": done, "failed": failed}.get(how, waits)
        if text and how != "ok":
            words = text
        found.append(Step(key, how, words, fix if how == "failed" else ""))
    return found


def _listens(tls: bool | None) -> Step:
    if tls is None:
        return Step("listen", "waiting", "The studio is not listening yet")
    words = "The studio listens on this network only" if tls else "The studio listens to the cable"
    return Step("listen", "ok", words)


class StepList(QWidget):
    """The lines, one below the other; ``fix_asked`` names the step whose fix is wanted."""

    fix_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Steps of pairing")
        self.shown: list[Step] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._rows: list[_Row] = []

    def set_steps(self, found: list[Step]) -> None:
        """Show these steps."""
        if found == self.shown:
            return
        self.shown = found
        while len(self._rows) < len(found):
            row = _Row()
            row.fix.clicked.connect(self._asker(row))
            self._rows.append(row)
            self._column.addWidget(row)
        for n, row in enumerate(self._rows):
            row.setVisible(n < len(found))
            if n < len(found):
                row.set_step(found[n])

    def _asker(self, row: _Row) -> object:
        return lambda: self.fix_asked.emit(row.key)


class _Row(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.key = ""
        self.glyph = Glyph("clock-outline", 14)
        self.words = ElidedLabel("", "body")
        self.fix: Button = link("Fix")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.glyph)
        row.addWidget(self.words, 1)
        row.addWidget(self.fix)
        theme().changed.connect(self._dress)
        self._dress()

    def set_step(self, step: Step) -> None:
        self.key = step.key
        icon, color = _ICONS[step.state]
        self.glyph.set(icon, color)
        self.words.setText(step.words)
        self.words.set_color("ink" if step.state in ("ok", "failed") else "muted")
        self.fix.setVisible(bool(step.fix))
        self.fix.setAccessibleName(f"Fix: {step.words}")
        self.setAccessibleName(f"{step.words}, {step.state}")

    def _dress(self) -> None:
        self.setFixedHeight(theme().px(24))
