"""A field for a file or folder: typed, dropped on, or chosen in a dialog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QWidget

from studio.fields.editor import GAP
from studio.fields.spec import FieldSpec
from studio.fields.text import TextEditor
from studio.theme import theme
from studio.widgets.button import tool


class PathEditor(TextEditor):
    """A path; the button opens a dialog at the place that the field names now."""

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(spec, parent)
        what = "folder" if spec.wants_folder else "file"
        self.button = tool("folder-open-outline", f"Choose a {what}")
        self.button.setParent(self)
        self.button.clicked.connect(self.browse)
        self.edit.setAcceptDrops(False)  # a file is a path here, not text to insert
        self.setAcceptDrops(True)
        self.dialog: QFileDialog | None = None

    def lay_out(self) -> None:
        """The button stands at the right."""
        side = theme().px(28)
        self.edit.setGeometry(0, 0, self.width() - side - GAP // 2, self.height())
        self.button.setGeometry(self.width() - side, 0, side, self.height())

    def show_value(self, value: Any, *, is_default: bool = False, is_mixed: bool = False) -> None:
        """Show a path; the tooltip has all of it, since fields are narrow."""
        super().show_value(value, is_default=is_default, is_mixed=is_mixed)
        if isinstance(value, str):
            self.edit.setToolTip(value)

    def browse(self) -> None:
        """Open a dialog that does not hold up the rest of the window."""
        if self.dialog is not None:
            self.dialog.raise_()
            return
        dialog = QFileDialog(self.window(), f"Choose for {self.spec.label}")
        mode = QFileDialog.FileMode
        dialog.setFileMode(mode.Directory if self.spec.wants_folder else mode.ExistingFile)
        start = _nearest_folder(self.edit.text())
        if start:
            dialog.setDirectory(start)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.take)
        dialog.finished.connect(self._closed)
        self.dialog = dialog
        dialog.open()

    def take(self, path: str) -> None:
        """Use this path as if it had been typed."""
        self.type_text(path)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """One file or folder of this computer may be dropped."""
        urls = event.mimeData().urls()
        if len(urls) == 1 and urls[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take the path of what was dropped."""
        self.take(event.mimeData().urls()[0].toLocalFile())
        event.acceptProposedAction()

    def _closed(self) -> None:
        self.dialog = None


def _nearest_folder(text: str) -> str:
    if not text.strip():
        return ""
    path = Path(text).expanduser()
    for place in (path, *path.parents):
        if place.is_dir():
            return str(place)
    return ""
