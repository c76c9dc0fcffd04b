"""While you were away: the runs that ended since the studio was last open."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from backend.core.files import parse_json, write_atomic
from studio.theme import theme
from studio.widgets.button import plain, quiet
from studio.widgets.empty_state import Glyph
from studio.widgets.painting import box, follow_theme, smooth
from studio.words import is_moment

_MOST = 3


@dataclass(frozen=True)
class Ended:
    """A run that ended: its name and label, the figure or word to show, what stands beside it."""

    name: str
    label: str
    figure: str
    beside: str = ""
    is_bad: bool = False
    at: float = 0.0


class LastSeen:
    """When the studio was last open in a workspace; kept in ``studio/last_seen.json`` of it."""

    def __init__(self, root: Path) -> None:
        self._path = root / "studio" / "last_seen.json"
        try:
            at = parse_json(self._path.read_text(encoding="utf-8"))["at"]
            self.at: float | None = float(at) if is_moment(at) else None
        except (OSError, ValueError, KeyError, TypeError):
            self.at = None

    def note(self, now: float) -> None:
        """Write down that it is open at this time, in seconds since 1970."""
        try:
            write_atomic(self._path, json.dumps({"at": now}))
        except OSError:
            return  # then the next start shows more runs than it had to


class AwayCard(QWidget):
    """Up to three runs side by side; ``compare(names)`` and ``dismissed`` by the buttons."""

    compare = Signal(object)
    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ended: list[Ended] = []
        self._since = 0.0
        self._glyph = Glyph("check-circle", 18, "good")
        self._title = QLabel("While you were away")
        self._count = QLabel()
        self._count.setProperty("tone", "muted")
        self.compare_button = plain("Compare them")
        self.dismiss_button = quiet("Dismiss")
        head = QHBoxLayout()
        head.setSpacing(8)
        for part in (self._glyph, self._title, self._count):
            head.addWidget(part)
        head.addStretch(1)
        head.addWidget(self.compare_button)
        head.addWidget(self.dismiss_button)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(24)
        self._grid.setVerticalSpacing(0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 14, 20, 16)
        layout.setSpacing(12)
        layout.addLayout(head)
        layout.addLayout(self._grid)
        self.compare_button.clicked.connect(self._compare)
        self.dismiss_button.clicked.connect(self.dismissed)
        follow_theme(self.restyle)
        self.hide()

    @property
    def ended(self) -> Sequence[Ended]:
        """The runs it tells of."""
        return self._ended

    def show_runs(self, ended: Sequence[Ended], since: float) -> None:
        """Tell of these runs; nothing is shown without any."""
        self._ended = sorted(ended, key=lambda run: -run.at)
        self._since = since
        self.restyle()
        self.setVisible(bool(ended))

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        look = theme()
        self._title.setFont(look.font("title"))
        self._count.setFont(look.font("body"))
        count = len(self._ended)
        since = datetime.fromtimestamp(self._since)
        self._count.setText(f"{count} run{'s' * (count != 1)} ended since {moment(since)}")
        self.compare_button.setVisible(count > 1)
        bad = count > 0 and all(run.is_bad for run in self._ended)
        self._glyph.set("alert-circle" if bad else "check-circle", "bad" if bad else "good")
        while (item := self._grid.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        for n, run in enumerate(self._ended[:_MOST]):
            self._grid.addWidget(_RunFigure(run), 0, n)
            self._grid.setColumnStretch(n, 1)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the card."""
        look = theme()
        with smooth(self) as painter:
            box(painter, QRectF(self.rect()), 10, look.color("card"), look.color("line"))

    def _compare(self) -> None:
        self.compare.emit([run.name for run in self._ended])


class _RunFigure(QWidget):
    def __init__(self, run: Ended) -> None:
        super().__init__()
        look = theme()
        label, figure, beside = QLabel(run.label), QLabel(run.figure), QLabel(run.beside)
        for part in (label, figure, beside):
            part.setTextFormat(Qt.TextFormat.PlainText)
        label.setFont(look.font("small"))
        label.setProperty("tone", "muted")
        figure.setFont(look.big_number(20))
        if run.is_bad:
            figure.setProperty("tone", "bad")
        beside.setFont(look.font("small"))
        beside.setProperty("tone", "muted")
        beside.setWordWrap(True)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(figure)
        row.addWidget(beside, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(label)
        column.addLayout(row)
        self.setAccessibleName(f"{run.label}: {run.figure} {run.beside}")


def moment(when: datetime, now: datetime | None = None, *, with_time: bool = True) -> str:
    """Say when: today, yesterday, a weekday, a date; with the time where it still matters."""
    now = now or datetime.now()
    days = (now.date() - when.date()).days
    clock = f" {when:%H:%M}" if with_time or days == 0 else ""
    if days == 0:
        return f"today{clock}"
    if days == 1:
        return f"yesterday{clock}"
    if 1 < days < 7:
        return f"{when:%A}{clock}"
    year = f" {when:%Y}" if now - when > timedelta(days=300) else ""
    return f"{when.day} {when:%b}{year}"
