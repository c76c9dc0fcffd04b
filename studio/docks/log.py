"""The Log dock: what the run in focus reported and where it failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from backend.core import events as ev
from studio.docks.log_lines import LinesModel, LogLine, line_of
from studio.docks.log_rows import LinesView
from studio.icons import dress_clear_button, icon
from studio.run_fold import RunFold
from studio.theme import theme
from studio.widgets.button import ToolButton, quiet
from studio.widgets.empty_state import EmptyState
from studio.widgets.painting import follow_theme
from studio.widgets.segment import Segment

if TYPE_CHECKING:
    from studio.run_watch import RunWatch
    from studio.session import Session

_LEVELS = [("info", "All"), ("warning", "Warnings"), ("error", "Errors")]
_TAIL_BYTES = 8_000


class LogWidget(QWidget):
    """Lines of the run in focus, a pane for the details of one, and the empty state."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._watch: RunWatch | None = None
        self._is_crash_told = False
        self.model = LinesModel(self)
        self.view = LinesView(self.model, self)
        self.details = _Details(self)
        self.empty = EmptyState(
            "text-box-outline", "Nothing to report.", "Open run folder", self.open_folder
        )
        self.unmatched = EmptyState("filter-variant", "No line matches.", "Show all", self.show_all)
        split = QSplitter(Qt.Orientation.Vertical, self)
        split.addWidget(self.view)
        split.addWidget(self.details)
        split.setChildrenCollapsible(False)
        split.setStretchFactor(0, 1)
        self.stack = QStackedWidget(self)
        for page in (split, self.empty, self.unmatched):
            self.stack.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.stack)
        self._tools = _Tools(self)
        self.view.wanted.connect(session.reveal)
        self.view.details.connect(self.toggle_details)
        self.view.selectionModel().currentChanged.connect(self._current_changed)
        self.details.close_button.clicked.connect(self.toggle_details)
        self.details.node_button.clicked.connect(self._reveal)
        session.focus_changed.connect(self._focus_changed)
        self._focus_changed()

    def tools(self) -> QWidget:
        """Level, search, copy, log file and folder, for the right end of the strip."""
        return self._tools

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes the details; without them it is left to the window."""
        if event.key() == Qt.Key.Key_Escape and self.details.isVisible():
            self.details.hide()
            self.view.setFocus()
        else:
            super().keyPressEvent(event)

    # -- what the tools do -----------------------------------------------------------------------

    def filter(self, level: str | None = None, text: str | None = None) -> None:
        """List only lines at least as grave as ``level`` in which ``text`` occurs."""
        self.model.filter(level, text)
        self._choose_page()

    def show_all(self) -> None:
        """End the filter."""
        self._tools.levels.set_value("info")
        self._tools.field.clear()
        self.filter("info", "")

    def toggle_details(self) -> None:
        """Show or hide the details of the current line."""
        entry = self.view.line()
        if self.details.isHidden() and entry is not None:
            self.details.show_line(entry)
            self.details.show()
            self.view.scrollTo(self.view.currentIndex())
        else:
            self.details.hide()

    def open_log(self) -> None:
        """Open ``log.txt`` of the run in the system's editor."""
        path = self._folder() / "log.txt"
        if path.is_file():
            self._open(path)
        else:
            self._session.tell("This run has no log.txt.", "Only a run that began writes one.")

    def open_folder(self) -> None:
        """Open the folder of the run, or that of all runs when none is in focus."""
        folder = self._folder()
        if folder.is_dir():
            self._open(folder)
        else:
            self._session.tell("There are no runs yet.", "Run the graph to make one.")

    # -- following the run -----------------------------------------------------------------------

    def _focus_changed(self) -> None:
        if self._watch is not None:
            self._watch.changed.disconnect(self._events)
            self._watch.restarted.disconnect(self._reload)
        self._watch = self._session.focus
        self.details.hide()
        self.view.follow()
        if self._watch is None:
            self.model.clear()
        else:
            self._reload()
            self._watch.changed.connect(self._events)
            self._watch.restarted.connect(self._reload)
        self._choose_page()

    def _events(self, events: object) -> None:
        assert isinstance(events, list)
        fresh: list[LogLine] = []
        for event in events:
            if isinstance(event, ev.Resumed):
                self.model.append(fresh)
                fresh = []
                self.model.undo(event.node, event.seq)
            elif isinstance(event, ev.RunStarted):
                self._is_crash_told = False
            elif (line := line_of(event)) is not None:
                fresh.append(line)
        self.model.append(fresh)
        self._note_crash()
        self._choose_page()

    def _reload(self) -> None:
        if self._watch is not None:
            self.model.replace(lines_of(self._watch.fold))
            self._is_crash_told = False
            self._note_crash()
            self._choose_page()

    def _note_crash(self) -> None:
        """Say once, behind everything else, that a run ended without an end."""
        watch = self._watch
        if watch is None or watch.state != "crashed" or not watch.is_caught_up:
            return
        if not self._is_crash_told:
            self._is_crash_told = True
            text = "The run stopped without saying why. The end of log.txt is in the details."
            line = LogLine(watch.fold.last_time, "error", "", text, _tail(self._folder()))
            self.model.append([line])

    def _choose_page(self) -> None:
        page = 0 if self.model.lines else 1 if self.model.is_empty else 2
        self.stack.setCurrentIndex(page)
        self._tools.refresh()

    def _current_changed(self) -> None:
        entry = self.view.line()
        if entry is not None and not self.details.isHidden():
            self.details.show_line(entry)

    def _reveal(self) -> None:
        entry = self.view.line()
        if entry is not None and entry.node:
            self._session.reveal(entry.node)

    def _folder(self) -> Path:
        return self._watch.run.path if self._watch is not None else self._session.workspace.runs

    def _open(self, path: Path) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
            self._session.tell("No program opens this.", str(path), kind="warn")


class LogDock:
    """The dock."""

    NAME = "log"
    TITLE = "Log"
    ICON = "text-box-outline"
    AREA = "bottom"
    KINDS: tuple[str, ...] = ()
    WIDGET = LogWidget


class _Details(QWidget):
    """The whole text of one line, to be read and copied."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.title = QLabel(self)
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setWordWrap(True)
        self.title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.node_button = quiet("Show node", "crosshairs-gps")
        self.close_button = ToolButton("close", "Hide the details", small=True)
        self.text = QPlainTextEdit(self)
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setAccessibleName("Details")
        row = QHBoxLayout()
        row.addWidget(self.title, 1)
        row.addWidget(self.node_button)
        row.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 6, 8, 8)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.text, 1)
        follow_theme(self.restyle)
        self.restyle()
        self.hide()

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.title.setFont(theme().font("strong"))
        self.text.setFont(theme().mono("small"))
        self.setMinimumHeight(theme().px(88))

    def show_line(self, entry: LogLine) -> None:
        """Show this line."""
        self.title.setText(entry.text)
        self.text.setPlainText(entry.details or "There are no details.")
        self.node_button.setVisible(bool(entry.node))
        if entry.level == "error":  # of a traceback the end says most
            bar = self.text.verticalScrollBar()
            bar.setValue(bar.maximum())


class _Tools(QWidget):
    """What stands at the right end of the strip."""

    def __init__(self, log: LogWidget) -> None:
        super().__init__()  # without a parent: it is shown where the dock's strip puts it
        self._log = log
        self.levels = Segment(_LEVELS)
        self.levels.setAccessibleName("Level")
        self.field = QLineEdit(self)
        self.field.setPlaceholderText("Filter")
        self.field.setAccessibleName("Filter the log")
        self.field.setClearButtonEnabled(True)
        dress_clear_button(self.field)
        self.field.addAction(icon("magnify"), QLineEdit.ActionPosition.LeadingPosition)
        self.follow = ToolButton("arrow-collapse-down", "Follow the newest line", small=True)
        self.follow.setCheckable(True)
        self.copy = ToolButton("content-copy", "Copy the selected lines, or all", small=True)
        self.file = ToolButton("text-box-outline", "Open log.txt", small=True)
        self.folder = ToolButton("folder-open-outline", "Open run folder", small=True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.levels)
        layout.addWidget(self.field)
        for button in (self.follow, self.copy, self.file, self.folder):
            layout.addWidget(button)
        self.levels.changed.connect(self._level)
        self.field.textChanged.connect(self._text)
        self.follow.clicked.connect(log.view.follow)
        log.view.followed.connect(self.follow.setChecked)
        self.copy.clicked.connect(log.view.copy)
        self.file.clicked.connect(log.open_log)
        self.folder.clicked.connect(log.open_folder)
        follow_theme(self.restyle)
        self.restyle()
        self.follow.setChecked(log.view.follows)

    def restyle(self) -> None:
        """Take new sizes after a theme change."""
        self.field.setFixedWidth(theme().px(150))

    def refresh(self) -> None:
        """Offer only what there is something for."""
        self.copy.setEnabled(bool(self._log.model.lines))
        self.follow.setEnabled(bool(self._log.model.lines))

    def _level(self, level: object) -> None:
        self._log.filter(level=str(level))

    def _text(self, text: str) -> None:
        self._log.filter(text=text)


def lines_of(fold: RunFold) -> list[LogLine]:
    """Return the lines of a run as it stands: what was logged, and the failures, by time."""
    lines = [line for line in map(line_of, fold.logs) if line is not None]
    for name, node in fold.nodes.items():
        if node.state == "failed":
            lines.append(LogLine(fold.last_time, "error", name, node.error, node.details))
    return sorted(lines, key=lambda line: line.t)


def _tail(folder: Path) -> str:
    try:
        with open(folder / "log.txt", "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
