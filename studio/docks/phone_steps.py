"""The pair doctor: every step from the network to the first frame, the failing one with its fix."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from device_bridge.client import Doctor, Step
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
_ALWAYS = ("listening", "reached", "certificate", "allowed", "camera", "backend")
"""Steps that have a line of their own; the others get one when they fail."""


def lines(doctor: Doctor) -> list[Step]:
    """Return what is shown of the steps: six at rest, and whatever failed besides."""
    return [
        step
        for step in doctor.steps()
        if step.state == "failed" or (step.name in _ALWAYS and step.state != "skipped")
    ]


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
        self.key = step.name
        icon, color = _ICONS[step.state]
        self.glyph.set(icon, color)
        words = step.text if step.text and step.state != "ok" else step.title
        self.words.setText(words)
        self.words.set_color("ink" if step.state in ("ok", "failed") else "muted")
        self.fix.setVisible(step.state == "failed" and bool(step.remedy))
        self.fix.setAccessibleName(f"Fix: {words}")
        self.setAccessibleName(f"{words}, {step.state}")

    def _dress(self) -> None:
        self.setFixedHeight(theme().px(24))
