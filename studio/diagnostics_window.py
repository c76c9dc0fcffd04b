"""Shows what the diagnostics hold before anything is written."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QSize, Qt
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from backend.core.errors import DocumentError
from studio.backend_call import BackendCall
from studio.diagnostics import Entry, collect, write
from studio.session import Session
from studio.theme import theme
from studio.widgets.button import primary, quiet
from studio.words import size

WHAT = (
    "These texts help to find a fault. Your name, your home folder and the name of this computer "
    "are taken out. No pictures and no networks go in, and nothing is sent anywhere."
)
NAME = "fretsaw-diagnostics.zip"


class DiagnosticsWindow(QWidget):
    """Collects while it opens, lists what there is, writes when asked."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.session = session
        self.entries: list[Entry] = []
        self._folder: Path | None = None
        self._dialog: QFileDialog | None = None
        self._doctor = BackendCall(session.workspace, self)
        self._doctor.finished.connect(self._collected)
        self.setObjectName("page")
        self.setWindowTitle("Collect diagnostics")
        self._build()
        theme().changed.connect(self._dress)
        self._dress()
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self._doctor.abort)
        self.collect()

    def collect(self) -> None:
        """Look at the installation, which takes a few seconds, then at the last runs."""
        self.save.setEnabled(False)
        self.state.setText("Looking at this installation...")
        self._doctor.start("doctor")

    def save_to(self, path: str) -> None:
        """Write what is listed."""
        try:
            write(Path(path), self.entries)
        except DocumentError as error:
            self.state.setText(str(error))
            return
        self.state.setText(f"Written: {path}")
        self._folder = Path(path).parent
        action = ("Open folder", self._open_folder)
        self.session.tell("Diagnostics written.", Path(path).name, kind="good", action=action)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes the window."""
        if event.key() == Qt.Key.Key_Escape:
            self.close()
            return
        super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Give up looking."""
        self._doctor.abort()
        super().closeEvent(event)

    # -- inner -----------------------------------------------------------------------------------

    def _collected(self, code: int, said: str, told: str) -> None:
        doctor = said if said.strip() else f"The check of the installation failed ({code}).\n{told}"
        session = self.session
        self.entries = collect(session.workspace, session.settings, session.catalog.broken, doctor)
        self.list.clear()
        for entry in self.entries:
            count = size(len(entry.text.encode()))
            item = QTreeWidgetItem([entry.name, entry.what, count])
            item.setSizeHint(0, QSize(0, theme().px(26)))
            item.setTextAlignment(2, Qt.AlignmentFlag.AlignRight)
            self.list.addTopLevelItem(item)
        first = self.list.topLevelItem(0)
        if first is not None:
            self.list.setCurrentItem(first)
        total = size(sum(len(entry.text.encode()) for entry in self.entries))
        self.state.setText(f"{len(self.entries)} texts, {total} before they are packed.")
        self.save.setEnabled(True)

    def _open_folder(self) -> None:
        if self._folder is not None:
            self.session.act("open_folder", path=self._folder)

    def _show_text(self) -> None:
        item = self.list.currentItem()
        row = self.list.indexOfTopLevelItem(item) if item is not None else -1
        self.text.setPlainText(self.entries[row].text if 0 <= row < len(self.entries) else "")

    def _ask(self) -> None:
        dialog = QFileDialog(self, "Save diagnostics", str(Path.home() / NAME), "Zip (*.zip)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("zip")
        dialog.selectFile(NAME)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.save_to)
        self._dialog = dialog
        dialog.open()

    def _build(self) -> None:
        self.what, self.state = QLabel(WHAT, self), QLabel(self)
        self.what.setWordWrap(True)
        self.state.setWordWrap(True)
        self.state.setProperty("tone", "muted")
        self.list = QTreeWidget(self)
        self.list.setHeaderLabels(["File", "What it is", "Size"])
        self.list.setRootIsDecorated(False)
        self.list.setAccessibleName("Texts that go in")
        self.list.header().setStretchLastSection(False)
        self.list.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.list.currentItemChanged.connect(self._show_text)
        self.text = QPlainTextEdit(self)
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setAccessibleName("The selected text")
        split = QSplitter(Qt.Orientation.Vertical, self)
        split.addWidget(self.list)
        split.addWidget(self.text)
        self.save = primary("Save as...")
        self.save.clicked.connect(self._ask)
        again = quiet("Look again")
        again.clicked.connect(self.collect)
        buttons = QHBoxLayout()
        buttons.addWidget(self.state, 1)
        buttons.addWidget(again)
        buttons.addWidget(self.save)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(self.what)
        column.addWidget(split, 1)
        column.addLayout(buttons)

    def _dress(self) -> None:
        look = theme()
        self.what.setFont(look.font("body"))
        self.state.setFont(look.font("small"))
        self.text.setFont(look.mono("small"))
        self.list.header().resizeSection(0, look.px(180))
        self.resize(look.px(640), look.px(560))
