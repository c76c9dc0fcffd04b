"""The welcome page: begin something, go on with something, or open an example."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtGui import QAction, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from backend.core.errors import sentence
from backend.core.files import write_atomic
from studio.actions import BY_ID
from studio.docks.cards import examples, templates_of
from studio.docks.example_card import ExampleCard
from studio.docks.graph_list import GraphFile, graph_file
from studio.docks.welcome_runs import ended_since, last_of_each, standing
from studio.docks.welcome_side import WelcomeSide
from studio.docks.while_away import AwayCard, Ended, LastSeen
from studio.theme import theme
from studio.tokens import ASSETS
from studio.widgets.keycap import KeyCap
from studio.widgets.painting import follow_theme, smooth

if TYPE_CHECKING:
    from studio.recent import RecentFiles
    from studio.run_row import RunRow
    from studio.session import Session

_WIDEST = 1164
_KEYS = ("find", "palette", "run", "fit")


class WelcomeWidget(QWidget):
    """Left: begin and recents. Main: what this is, the examples, what ended meanwhile."""

    new_graph = Signal()
    open_dialog = Signal()
    open_file = Signal(str)
    open_pipeline = Signal(str)
    load_model = Signal()

    def __init__(
        self, session: Session, recent: RecentFiles, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._recent = recent
        self._seen = LastSeen(session.workspace.root)
        self._is_dismissed = False
        self.side = WelcomeSide(self)
        self.main = WelcomeMain(self)
        self.area = QScrollArea(self)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self.main)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.side)
        layout.addWidget(self.area, 1)
        self.side.new_graph.connect(self.new_graph)
        self.side.open_dialog.connect(self.open_dialog)
        self.side.load_model.connect(self.load_model)
        self.side.opened.connect(self._open)
        self.side.cleared.connect(self._clear)
        self.main.chosen.connect(self.open_pipeline)
        self.main.removed.connect(self._remove)
        self.main.away.compare.connect(self._compare)
        self.main.away.dismissed.connect(self._dismiss)
        recent.changed.connect(self.refresh)
        session.catalog.changed.connect(self._show_examples)
        session.runner.changed.connect(self._runs_changed)
        session.runner.index.changed.connect(self._runs_changed)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.note_seen)
        follow_theme(self._fit)
        self._show_examples()
        self.refresh()
        self.setFocusProxy(self.side.new_button)

    def refresh(self) -> None:
        """List the recent graphs anew."""
        rows = self._session.runner.index.rows
        newest = last_of_each(rows)
        self.side.show_recent([_row(entry.path, newest) for entry in self._recent.files])
        if self._seen.at is not None and not self._is_dismissed:
            self.main.show_away(ended_since(rows, self._seen.at), self._seen.at)

    def note_seen(self) -> None:
        """Write down that the studio is open now: what ends later is news at the next start."""
        self._seen.note(time.time())

    def showEvent(self, event: QShowEvent) -> None:
        """Files come and go while the page is away."""
        super().showEvent(event)
        self._show_examples()
        self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.side.setFixedWidth(min(theme().px(304), max(240, self.width() * 2 // 5)))

    def _open(self, row: GraphFile) -> None:
        self.open_file.emit(str(row.path))

    def _dismiss(self) -> None:
        self._is_dismissed = True
        self.main.away.hide()

    def _clear(self) -> None:
        self._recent.clear()

    def _compare(self, names: Sequence[str]) -> None:
        for name in names:
            self._session.mark(name, True)
        self._session.act("workspace_compare")

    def _runs_changed(self) -> None:
        if self.isVisible():
            self.refresh()

    def _show_examples(self) -> None:
        specs = self._session.catalog.specs
        titles = {name: spec.title for name, spec in specs.items()}
        self.main.show_examples(titles, templates_of(self._session.workspace))

    def _remove(self, path: Path) -> None:
        try:
            text = path.read_bytes()
            path.unlink()
        except OSError as error:
            self._session.tell(sentence(error), kind="bad")
            return
        self._show_examples()

        def put_back() -> None:
            write_atomic(path, text)
            self._show_examples()

        self._session.tell("Template removed.", path.stem, action=("Put back", put_back))


def _row(path: Path, newest: Mapping[str, RunRow]) -> GraphFile:
    """Describe a recent graph; a run carries the name of its graph, which is that of the file."""
    state, color = standing(newest.get(path.stem))
    return graph_file(path, state=state, color=color)


class WelcomeMain(QWidget):
    """The sentence, the cards, and the keys worth knowing."""

    chosen = Signal(str)
    removed = Signal(object)
    """Path of a template that the user wants no more."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: object = None
        self.cards: list[ExampleCard] = []
        self._display = QLabel("Cut a network down. Run it on your phone.")
        self._display.setWordWrap(True)
        self._sentence = QLabel()
        self._sentence.setWordWrap(True)
        self._sentence.setProperty("tone", "muted")
        self._start = QLabel("Start here")
        self._start.setProperty("tone", "muted")
        self._grid = QGridLayout()
        self._grid.setSpacing(24)
        self.away = AwayCard(self)
        self._keys = KeysRow(self)
        self._column = QVBoxLayout(self)
        self._column.setSpacing(0)
        self._column.addStretch(2)
        self._column.addWidget(self._display)
        self._column.addSpacing(8)
        self._column.addWidget(self._sentence)
        self._column.addSpacing(44)
        self._column.addWidget(self._start)
        self._column.addSpacing(10)
        self._column.addLayout(self._grid)
        self._column.addSpacing(32)
        self._column.addWidget(self.away)
        self._column.addSpacing(24)
        self._column.addWidget(self._keys)
        self._column.addStretch(3)
        follow_theme(self.restyle)
        self.restyle()

    def show_examples(self, titles: Mapping[str, str], templates: Path | None = None) -> None:
        """Show a card for each example that comes with the studio, and for the user's own."""
        own = sorted(templates.glob("*.json")) if templates is not None else []
        wanted = (dict(titles), [(path, _changed_at(path)) for path in own])
        if wanted == self._shown:
            return
        self._shown = wanted
        for card in self.cards:
            card.hide()
            self._grid.removeWidget(card)
            card.deleteLater()
        found = examples(ASSETS / "pipelines", wanted[0])
        mine = examples(templates, wanted[0]) if own and templates is not None else []
        self.cards = [ExampleCard(example, wanted[0], self) for example in (*found, *mine)]
        for card in self.cards:
            card.clicked.connect(self._card_clicked)
        for card in self.cards[len(found) :]:
            remove = QAction("Remove this template", card)
            remove.triggered.connect(partial(self.removed.emit, card.example.path))
            card.addAction(remove)
            card.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
            card.show()
        each = "Each example runs" if len(found) != 1 else "The example runs"
        self._sentence.setText(
            f"{each} here in minutes. Nothing leaves this computer, and nothing is fetched "
            "unless you allow it."
        )
        self._sentence.setVisible(bool(found))
        self._start.setVisible(bool(found))
        self._reflow()

    def show_away(self, ended: Sequence[Ended], since: float) -> None:
        """Tell what ended since the studio was last open."""
        self.away.show_runs(ended, since)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        look = theme()
        self._display.setFont(look.font("display"))
        font = look.font("title")
        font.setWeight(font.Weight.Normal)
        self._sentence.setFont(font)
        self._start.setFont(look.font("strong"))
        self._reflow()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay the cards out for the new width."""
        super().resizeEvent(event)
        self._reflow()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the ground."""
        with smooth(self) as painter:
            painter.fillRect(self.rect(), theme().color("bench"))

    def _card_clicked(self) -> None:
        card = self.sender()
        if isinstance(card, ExampleCard):
            self.chosen.emit(str(card.example.path))

    def _reflow(self) -> None:
        look = theme()
        edge = max(24, min(64, self.width() // 18))
        room = self.width() - 2 * edge
        edge += max(0, room - look.px(_WIDEST)) // 2
        self._column.setContentsMargins(edge, 40, edge, 32)
        room = self.width() - 2 * edge
        least = look.px(288)
        most = 2 if len(self.cards) == 4 else 3  # four make a square, not a row and a rest
        columns = max(1, min(most, len(self.cards), (room + 24) // (least + 24)))
        is_wide = len(self.cards) == 1 and room >= look.px(640)
        for n in range(4):
            self._grid.setColumnStretch(n, 1 if n < columns else 0)
        for n, card in enumerate(self.cards):
            card.set_wide(is_wide)
            self._grid.addWidget(card, n // columns, n % columns)


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


class KeysRow(QWidget):
    """A few keys worth knowing, as the actions table has them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pairs: list[tuple[KeyCap, QLabel]] = []
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        layout = QHBoxLayout(self)
        layout.setSizeConstraint(QHBoxLayout.SizeConstraint.SetNoConstraint)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for action in (BY_ID[name] for name in _KEYS if name in BY_ID):
            if not action.shortcut:
                continue
            label = QLabel(action.text)
            label.setProperty("tone", "muted")
            cap = KeyCap(action.shortcut)
            self._pairs.append((cap, label))
            layout.addWidget(cap)
            layout.addWidget(label)
            layout.addSpacing(16)
        layout.addStretch(1)
        follow_theme(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        for _, label in self._pairs:
            label.setFont(theme().font("small"))
        self._show_what_fits()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show as many as there is room for."""
        super().resizeEvent(event)
        self._show_what_fits()

    def _show_what_fits(self) -> None:
        end = 0
        for cap, label in self._pairs:
            end += cap.sizeHint().width() + label.sizeHint().width() + 8
            cap.setVisible(end <= self.width())
            label.setVisible(end <= self.width())
            end += 32
