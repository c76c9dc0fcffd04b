"""What the selected node gave in the run shown: state, figures, pictures, files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QHideEvent, QImageReader, QPixmap, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from backend.core.files import inside
from studio.docks.output_facts import facts_html, files_html, files_of, metrics_html
from studio.phone.artefacts import artefact_folders
from studio.run_watch import RunWatch
from studio.session import Session
from studio.theme import theme
from studio.widgets.button import plain, quiet
from studio.widgets.empty_state import EmptyState

MOST_IMAGES = 3
REFRESH_MS = 500


class OutputsWidget(QWidget):
    """Follows the selection and the run in focus; at most two refreshes a second, none hidden."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._watch: RunWatch | None = None
        self._images: list[tuple[str, int]] = []
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(REFRESH_MS)
        self._later.timeout.connect(self.refresh)
        self._build()
        session.selection.changed.connect(self.refresh)
        session.focus_changed.connect(self._follow)
        session.document.replaced.connect(self.refresh)
        theme().changed.connect(self.refresh)
        self._follow()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what happened while hidden."""
        super().showEvent(event)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing ticks while hidden."""
        self._later.stop()
        super().hideEvent(event)

    def refresh(self) -> None:
        """Show what there is of the selected node now."""
        if not self.isVisible():
            return
        name, watch = self.session.selection.current, self.session.focus
        why = self._why_nothing(name, watch)
        self.empty.setVisible(bool(why))
        self.area.setVisible(not why)
        if why or name is None or watch is None:
            button = "Run to here" if name is not None else ""
            self.empty.set(why, button, self._run_here)
            return
        self.title.setText(name)
        self.run.setText(f"in run {watch.name}")
        self.facts.setText(facts_html(watch.fold.nodes[name]))
        metrics = metrics_html(watch.fold.metrics_of(name))
        self.metrics.setText(metrics)
        self.metrics.setVisible(bool(metrics))
        self._show_images(watch, name)
        found = files_of(watch.run.node_folder(name))
        found += self._stored(watch.fold.nodes[name].fingerprint)
        self.files.setText(files_html(found))
        self.files.setVisible(bool(found))
        self.inspect.setEnabled((watch.run.node_folder(name) / "outputs.json").is_file())
        folders = artefact_folders(self.session.workspace, watch.name, name)
        self.push.setVisible(bool(folders))
        self._dress()

    # -- inner -----------------------------------------------------------------------------------

    def _why_nothing(self, name: str | None, watch: RunWatch | None) -> str:
        if name is None:
            return "Select a node to see what it gave."
        if watch is None:
            return "Outputs appear when the graph has run."
        return "" if name in watch.fold.nodes else "This node was not part of the run shown."

    def _stored(self, fingerprint: str) -> list[tuple[str, int]]:
        """Files of the result in the store that all runs share."""
        try:
            folder = inside(self.session.workspace.store, fingerprint)
        except ValueError:
            return []
        return [(f"store/{name}", count) for name, count in files_of(folder)]

    def _run_here(self) -> None:
        self.session.act("run_here")

    def _follow(self) -> None:
        if self._watch is not None:
            self._watch.changed.disconnect(self._heard)
        self._watch = self.session.focus
        if self._watch is not None:
            self._watch.changed.connect(self._heard)
        self.refresh()

    def _heard(self, events: Iterable[object]) -> None:
        name = self.session.selection.current
        events = list(events)
        is_ours = not events or any(getattr(event, "node", None) == name for event in events)
        if is_ours and self.isVisible() and not self._later.isActive():
            self._later.start()

    def _show_images(self, watch: RunWatch, name: str) -> None:
        newest = [image for image in watch.fold.images if image.node == name][-MOST_IMAGES:]
        width = max(theme().px(160), self.area.viewport().width() - theme().px(24))
        key = [(image.path, width) for image in newest]
        if key == self._images:
            return
        self._images = key
        while (item := self._pictures.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for image in newest:
            picture = _picture(watch.run.path, image.path, width)
            if picture is None:
                continue
            label = QLabel()
            label.setPixmap(picture)
            label.setAccessibleName(f"Picture {image.name}")
            label.setToolTip(f"{image.name}: {image.path}")
            self._pictures.addWidget(label)

    def _open_folder(self) -> None:
        name, watch = self.session.selection.current, self.session.focus
        if name is not None and watch is not None:
            self.session.act("open_folder", path=watch.run.node_folder(name))

    def _push(self) -> None:
        name, watch = self.session.selection.current, self.session.focus
        if name is not None and watch is not None:
            self.session.act("phone_push", run=watch.name, node=name)

    def _inspect(self) -> None:
        name, watch = self.session.selection.current, self.session.focus
        if name is not None and watch is not None:
            self.session.act("inspect", run=watch.name, node=name)

    def _dress(self) -> None:
        look = theme()
        self.title.setFont(look.font("title"))
        for label in (self.run, self.facts, self.metrics, self.files):
            label.setFont(look.font("small"))

    def _build(self) -> None:
        self.empty = EmptyState("package-variant-closed", "Select a node to see what it gave.")
        page = QWidget()
        self.title, self.run = QLabel(page), QLabel(page)
        self.facts, self.metrics, self.files = QLabel(page), QLabel(page), QLabel(page)
        self.run.setProperty("tone", "muted")
        self.run.setWordWrap(True)
        for label in (self.facts, self.metrics, self.files):
            label.setTextFormat(Qt.TextFormat.RichText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        for label, name in (
            (self.facts, "State"),
            (self.metrics, "Figures"),
            (self.files, "Files"),
        ):
            label.setAccessibleName(f"{name} of the node in this run")
        self._pictures = QVBoxLayout()
        self._pictures.setSpacing(8)
        self.inspect = plain("Inspect", "magnify")
        self.inspect.setToolTip("Show layers, shapes and values of what the node gave")
        self.inspect.clicked.connect(self._inspect)
        self.push = plain("Push", "cellphone-link")
        self.push.setToolTip("Send this export to the phone")
        self.push.clicked.connect(self._push)
        self.folder = quiet("Open folder", "folder-open-outline")
        self.folder.clicked.connect(self._open_folder)
        buttons = QHBoxLayout()
        buttons.addWidget(self.inspect)
        buttons.addWidget(self.push)
        buttons.addWidget(self.folder)
        buttons.addStretch(1)
        column = QVBoxLayout(page)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(6)
        for part in (self.title, self.run, self.facts):
            column.addWidget(part)
        column.addLayout(buttons)
        column.addWidget(self.metrics)
        column.addLayout(self._pictures)
        column.addWidget(self.files)
        column.addStretch(1)
        self.area = QScrollArea(self)
        self.area.setWidgetResizable(True)
        self.area.setWidget(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.area)
        outer.addWidget(self.empty)
        self._dress()


class OutputsDock:
    """What the selected node gave."""

    NAME = "outputs"
    TITLE = "Outputs"
    ICON = "package-variant-closed"
    AREA = "right"
    KINDS: tuple[str, ...] = ()
    WIDGET = OutputsWidget


def _picture(folder: Path, name: str, width: int) -> QPixmap | None:
    """Read a picture of a run no larger than needed; None when it is gone or no picture."""
    try:
        path = inside(folder, name)
    except ValueError:
        return None
    if not os.path.isfile(path):
        return None
    reader = QImageReader(str(path))
    size = reader.size()
    if size.isValid() and size.width() > width:
        reader.setScaledSize(QSize(width, max(1, size.height() * width // size.width())))
    image = reader.read()
    return None if image.isNull() else QPixmap.fromImage(image)
