"""What the workspace takes on the disk, and how to free what no run refers to."""

from __future__ import annotations

import threading
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from backend.core.files import parse_json
from studio.backend_call import BackendCall
from studio.background import Background
from studio.disk import PARTS, Sizes, measure
from studio.session import Session
from studio.theme import theme
from studio.widgets.button import plain, quiet
from studio.words import size

_SCALE = 1000


class StoragePage(QWidget):
    """Sizes are counted in a thread while the page is seen; leaving it stops the count."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.sizes: Sizes | None = None
        self._stop = threading.Event()
        self._background = Background("storage", self)
        self._look = BackendCall(session.workspace, self)
        self._look.finished.connect(self._looked)
        self._free = BackendCall(session.workspace, self, must_finish=True)
        self._free.finished.connect(self._freed)
        self._rows: dict[str, tuple[QProgressBar, QLabel]] = {}
        self._build()
        theme().changed.connect(self._dress)
        self._dress()
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close_down)

    # -- counting --------------------------------------------------------------------------------

    def measure(self) -> None:
        """Count anew, and ask what could be freed."""
        self._stop.set()  # of an earlier count
        stop = self._stop = threading.Event()
        workspace = self.session.workspace
        self.said.setText("Counting...")
        self.count.setText("Stop counting")

        def count() -> Sizes:
            return measure(workspace, stop.is_set)

        self._background.do(count, self._measured)
        if not self._free.is_running:
            self.free.setEnabled(False)
            self._look.start("gc", "--dry-run", "--json")

    def stop(self) -> None:
        """Stop counting; what was counted stays."""
        self._stop.set()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody waits for figures that are not seen."""
        self.stop()
        self._look.abort()
        super().hideEvent(event)

    def close_down(self) -> None:
        """End thread and processes; a deletion that has begun is waited for."""
        self.stop()
        self._background.close()
        self._look.close()
        self._free.close()

    def _measured(self, found: Sizes | Exception) -> None:
        self.count.setText("Count again")
        if isinstance(found, Exception):
            self.said.setText("The folder could not be read.")
            return
        self.sizes = found
        most = max([*found.bytes.values(), 1])
        for part, (bar, label) in self._rows.items():
            if part not in found.bytes:
                continue
            count, files = found.bytes[part], found.files[part]
            bar.setValue(round(_SCALE * count / most))
            label.setText(f"{size(count)}, {files:,} files")
            bar.setAccessibleDescription(label.text())
        free = f"{size(found.free)} of {size(found.total)} are free on this disk."
        self.said.setText(free if found.is_whole else f"The count was stopped. {free}")

    def _count_clicked(self) -> None:
        if self.count.text() == "Stop counting":
            self.stop()
        else:
            self.measure()

    # -- freeing ---------------------------------------------------------------------------------

    def _looked(self, code: int, said: str, told: str) -> None:
        answer = _answer(said)
        if code != 0 or answer is None:
            self.outcome.setText(_last_line(told) or "It could not be found out what is unused.")
            return
        count, results = answer["bytes"], answer["results"]
        self.free.setEnabled(results > 0)
        if results:
            text = f"{_count(results)} that no run refers to take {size(count)}."
        else:
            kept = f"{_count(answer['kept'])} in use by runs"
            text = f"Nothing to free: {kept}. What was used in the last ten minutes is kept too."
        self.outcome.setText(text)

    def free_unused(self) -> None:
        """Delete what no run refers to."""
        self.free.setEnabled(False)
        self.outcome.setText("Freeing...")
        self.progress.show()
        self._free.start("gc", "--json")

    def _freed(self, code: int, said: str, told: str) -> None:
        self.progress.hide()
        answer = _answer(said)
        if code != 0 or answer is None:
            self.outcome.setText(_last_line(told) or "Nothing was freed.")
            self.free.setEnabled(True)
            return
        self.measure()
        self.session.tell(f"{size(answer['bytes'])} freed.", _count(answer["results"]), kind="good")

    def _open_folder(self) -> None:
        self.session.act("open_folder", path=self.session.workspace.root)

    # -- building --------------------------------------------------------------------------------

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 0, 12, 0)
        column.setSpacing(12)
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        for row, (part, (title, text)) in enumerate(PARTS.items()):
            name, bar, label = QLabel(title), QProgressBar(), QLabel("")
            bar.setRange(0, _SCALE)
            bar.setTextVisible(False)
            bar.setAccessibleName(title)
            for widget in (name, bar, label):
                widget.setToolTip(f"{text}: {self.session.workspace.root / part}")
            label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(name, row, 0)
            grid.addWidget(bar, row, 1)
            grid.addWidget(label, row, 2)
            self._rows[part] = (bar, label)
        column.addLayout(grid)
        self.said, self.outcome = QLabel(""), QLabel("")
        for label in (self.said, self.outcome):
            label.setWordWrap(True)
        self.said.setProperty("tone", "muted")
        self.count = quiet("Count again")
        self.count.clicked.connect(self._count_clicked)
        folder = quiet("Open folder", "folder-open-outline")
        folder.clicked.connect(self._open_folder)
        self.free = plain("Free what no run refers to")
        self.free.setEnabled(False)
        self.free.clicked.connect(self.free_unused)
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Freeing")
        self.progress.setFixedHeight(4)
        self.progress.hide()
        self.hint = QLabel("Runs are deleted in the Runs dock; their results can be freed then.")
        self.hint.setProperty("tone", "muted")
        self.hint.setWordWrap(True)
        for parts in ((self.count, folder), (self.free,)):
            line = QHBoxLayout()
            for button in parts:
                line.addWidget(button)
            line.addStretch(1)
            column.addWidget(self.said if parts[0] is self.count else self.outcome)
            column.addLayout(line)
        column.addWidget(self.progress)
        column.addWidget(self.hint)

    def _dress(self) -> None:
        look = theme()
        chunk = f"QProgressBar::chunk {{ background: {look.color('muted').name()}; }}"
        for bar, label in self._rows.values():
            bar.setFixedHeight(look.px(4))
            bar.setStyleSheet(chunk)  # blade is for what happens now
            label.setFont(look.mono())
            label.setMinimumWidth(look.px(150))
        for label in (self.said, self.hint):
            label.setFont(look.font("small"))


def _answer(said: str) -> dict[str, Any] | None:
    lines = said.strip().splitlines()
    try:
        data = parse_json(lines[-1])
    except (ValueError, IndexError):
        return None
    wanted = ("results", "bytes", "kept")
    if not isinstance(data, dict) or not all(isinstance(data.get(k), int) for k in wanted):
        return None
    return data


def _count(results: int) -> str:
    return "1 stored result" if results == 1 else f"{results:,} stored results"


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else ""
