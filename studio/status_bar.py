"""The status bar: what runs, hints, meters, when the graph was saved."""

from __future__ import annotations

import shutil
from datetime import datetime

import psutil
from PySide6.QtCore import QProcess, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from studio.theme import theme
from studio.widgets.empty_state import Glyph
from studio.widgets.meter import Meter
from studio.widgets.ring import Ring

METER_MS = 2000
GPU_QUERY = ("--query-gpu=memory.used,memory.total", "--format=csv,noheader,nounits")


class StatusBar(QWidget):
    """One row of 26 px; ``hint_clicked`` asks to go to the next problem."""

    hint_clicked = Signal()
    run_clicked = Signal()
    phone_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Status")
        self._ring = Ring(parent=self)
        self._ring.setFixedSize(14, 14)
        self._state = QPushButton(self)
        self._state.setProperty("kind", "status")
        self._state.setToolTip("Show this run")
        self._state.clicked.connect(self.run_clicked)
        self._run = QLabel(self)
        self._hint = QPushButton(self)
        self._hint.setProperty("kind", "status")
        self._hint.setToolTip("Go to the next problem")
        self._hint.clicked.connect(self.hint_clicked)
        self._phone_glyph = Glyph("cellphone-check", 14, "good")
        self._phone = QPushButton(self)
        self._phone.setProperty("kind", "status")
        self._phone.setToolTip("Show the phone")
        self._phone.clicked.connect(self.phone_clicked)
        self._cpu, self._ram, self._vram = Meter("CPU"), Meter("RAM"), Meter("VRAM")
        self._no_gpu = QLabel("no GPU", self)
        self._saved = QLabel(self)
        self._fill()
        self._gpu = shutil.which("nvidia-smi")
        self._vram.setVisible(bool(self._gpu))
        if self._gpu:
            self._no_gpu.hide()
        self._query: QProcess | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(METER_MS)
        self._timer.timeout.connect(self.measure)
        self.set_problems(0, 0)
        self.set_phone("", "")
        self.set_saved(None)
        theme().changed.connect(self._dress)
        self._dress()

    # -- what it says ----------------------------------------------------------------------------

    def set_run(self, state: str, words: str, name: str, fraction: float | None = None) -> None:
        """Show the run's state as ring and words, and its name; no words: nothing was run."""
        self._ring.set(state, fraction)
        self._state.setText(words)
        self._run.setText(f"Run {name}" if name else "")

    def set_problems(self, errors: int, warnings: int) -> None:
        """Show how many problems keep the graph from running, and how many hints there are."""
        parts = [
            f"{n} {word}{'s' if n > 1 else ''}"
            for n, word in ((errors, "problem"), (warnings, "hint"))
            if n
        ]
        self._hint.setText(", ".join(parts))
        self._hint.setVisible(bool(parts))
        self._hint.setProperty("tone", "bad" if errors else "warn")
        self._hint.style().unpolish(self._hint)
        self._hint.style().polish(self._hint)

    def set_phone(self, icon: str, words: str) -> None:
        """Show how the phone stands; no words: the bridge is off."""
        well = icon in ("cellphone-check", "qrcode")
        self._phone_glyph.set(icon or "cellphone-check", "good" if well else "warn")
        self._phone.setText(words)
        self._phone.setVisible(bool(words))
        self._phone_glyph.setVisible(bool(words))

    def set_saved(self, when: float | None, *, is_modified: bool = False) -> None:
        """Show when the graph was saved last, in seconds since 1970; nothing to save, no words."""
        never = "not saved yet" if is_modified else ""
        self._saved.setText(f"saved {datetime.fromtimestamp(when):%H:%M}" if when else never)

    # -- meters ----------------------------------------------------------------------------------

    def measure(self) -> None:
        """Read the meters once."""
        cores = psutil.cpu_count() or 1
        share = psutil.cpu_percent() / 100
        self._cpu.set(share, f"{share * 100 * cores:.0f} %")
        memory = psutil.virtual_memory()
        used = memory.total - memory.available
        self._ram.set(used / memory.total, f"{used / 2**30:.1f} / {memory.total / 2**30:.1f} GB")
        if self._gpu and self._query is None:
            self._query = QProcess(self)
            self._query.finished.connect(self._gpu_answered)
            self._query.start(self._gpu, list(GPU_QUERY))

    def showEvent(self, event: object) -> None:
        """Measure while anybody can see it."""
        super().showEvent(event)  # type: ignore[arg-type]
        psutil.cpu_percent()
        self._timer.start()

    def hideEvent(self, event: object) -> None:
        """Rest while nobody can."""
        self._timer.stop()
        super().hideEvent(event)  # type: ignore[arg-type]

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the ground; the rule above is the bar's own."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color("panel"))
        painter.end()

    # -- inner -----------------------------------------------------------------------------------

    def _fill(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 0, 12, 0)
        layout.setSpacing(16)
        state = QHBoxLayout()
        state.setSpacing(4)
        state.addWidget(self._ring)
        state.addWidget(self._state)
        layout.addLayout(state)
        layout.addWidget(self._run)
        layout.addWidget(self._hint)
        phone = QHBoxLayout()
        phone.setSpacing(4)
        phone.addWidget(self._phone_glyph)
        phone.addWidget(self._phone)
        layout.addLayout(phone)
        layout.addStretch(1)
        for widget in (self._cpu, self._ram, self._vram, self._no_gpu, self._saved):
            layout.addWidget(widget)
        for label in (self._run, self._no_gpu, self._saved):
            label.setProperty("tone", "muted")

    def _gpu_answered(self) -> None:
        process, self._query = self._query, None
        if process is None:
            return
        lines = bytes(process.readAllStandardOutput().data()).decode(errors="replace").split("\n")
        process.deleteLater()
        try:
            used, total = (float(part) for part in lines[0].split(","))
        except ValueError:
            return
        self._vram.set(used / total, f"{used / 1024:.1f} / {total / 1024:.1f} GB")

    def _dress(self) -> None:
        self.setFixedHeight(theme().px(26))
        labels = (self._run, self._no_gpu, self._saved, self._state, self._hint, self._phone)
        for widget in labels:
            widget.setFont(theme().font("small"))
