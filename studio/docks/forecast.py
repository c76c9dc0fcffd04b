"""The card that says how long the node took before: measured figures with their run, or nothing."""

from __future__ import annotations

import re

from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.docks.measured import EarlierRuns, Measured
from studio.fields import words
from studio.session import Session
from studio.theme import theme
from studio.widgets.button import tool
from studio.widgets.painting import box, smooth
from studio.words import duration

_MOST_DIFFERENCES = 2


class Forecast(QWidget):
    """A card for one node. Hidden when no earlier run of it was measured."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._runs = EarlierRuns(session.workspace)
        self._is_stale = True
        self.measured: Measured | None = None
        self._title = QLabel("Forecast", self)
        self._what = QLabel("Time", self)
        self.figure = QLabel(self)
        self.basis = QLabel(self)
        self.basis.setWordWrap(True)
        self._open = tool("history", "Show that run", small=True)
        self._open.clicked.connect(self._show_run)
        for label in (self._what, self.basis):
            label.setProperty("tone", "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 15, 20, 20)
        column.setSpacing(0)
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        head.addWidget(self._open)
        column.addLayout(head)
        for part in (self._what, self.figure, self.basis):
            column.addWidget(part)
        theme().changed.connect(self._dress)
        self._dress()
        self.hide()

    def forget(self) -> None:
        """Runs came or went; the next node looks again."""
        self._is_stale = True

    def show_node(self, name: str) -> None:
        """Show what earlier runs measured of this node; nothing for several or none."""
        if self._is_stale:
            self._runs.refresh(self._session.document.name)
            self._is_stale = False
        node = self._session.document.graph.nodes.get(name)
        self.measured = self._runs.find(name, node) if node is not None else None
        self.setVisible(self.measured is not None)
        if self.measured is None:
            return
        self.figure.setText(f"about {duration(self.measured.seconds)}")
        self.basis.setText(basis(self.measured))
        self.setToolTip(f"Measured in run {self.measured.run}")
        self.setAccessibleName(f"Forecast: {self.figure.text()}, {self.basis.text()}")

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the card."""
        look = theme()
        with smooth(self) as painter:
            place = self.rect().toRectF().adjusted(12, 8, -12, -12)
            box(painter, place, look.px(10), look.color("card"), look.color("line"))

    def _dress(self) -> None:
        look = theme()
        self._title.setFont(look.font("strong"))
        self._what.setFont(look.font("micro"))
        self.figure.setFont(look.big_number(15))
        self.basis.setFont(look.font("small"))

    def _show_run(self) -> None:
        if self.measured is not None:
            self._session.act("open_run", run=self.measured.run)


def basis(measured: Measured) -> str:
    """Say in which run the time was taken, and how its settings differed."""
    text = f"measured in the run of {when(measured.run)}"
    if not measured.differs:
        return f"{text}, same settings"
    told = [
        f"{words.label(name).lower()} {words.show(value) or 'at its default'}"
        for name, value in list(measured.differs.items())[:_MOST_DIFFERENCES]
    ]
    more = len(measured.differs) - len(told)
    return f"{text}, there {', '.join(told)}" + (f" and {more} more" if more > 0 else "")


def when(run: str) -> str:
    """Say when a run was made, from the name of its folder; another name stays as it is."""
    made = re.match(r"(\d{4}-\d\d-\d\d)_(\d\d)-(\d\d)_", run)
    return f"{made[1]} {made[2]}:{made[3]}" if made else run
