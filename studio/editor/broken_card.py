"""The card that says which files of nodes did not load, at which line, and why."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from backend.core.catalog import Broken
from backend.core.errors import ended
from studio.catalog import CatalogModel
from studio.icons import paint_icon
from studio.theme import theme


class BrokenCard(QWidget):
    """Hidden while every file loads; shows one file at a time, details on request."""

    def __init__(self, catalog: CatalogModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._catalog = catalog
        self._at = 0
        self.setAccessibleName("Node files that did not load")
        self.title = _text("strong")
        self.reason = _text("small")
        self.reason.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.details = QPlainTextEdit(self)
        self.details.setReadOnly(True)
        self.details.setAccessibleName("Details of the error")
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.details.hide()
        self.show_button = _link("Show")
        self.copy_button = _link("Copy")
        self.next_button = _link("Next")
        self.again_button = _link("Reload")
        layout = self._column = QVBoxLayout(self)
        layout.setSpacing(2)
        layout.addWidget(self.title)
        layout.addWidget(self.reason)
        layout.addWidget(self.details)
        row = QHBoxLayout()
        row.setSpacing(6)
        self._links = (self.show_button, self.copy_button, self.next_button, self.again_button)
        for button in self._links:
            row.addWidget(button)
        row.addStretch()
        layout.addLayout(row)
        self.show_button.clicked.connect(self._toggle)
        self.copy_button.clicked.connect(self._copy)
        self.next_button.clicked.connect(self._next)
        self.again_button.clicked.connect(catalog.refresh)
        catalog.changed.connect(self.refresh)
        theme().changed.connect(self._restyle)
        self._restyle()
        self.refresh()

    @property
    def shown(self) -> Broken | None:
        """The file that the card speaks of."""
        broken = list(self._catalog.broken)
        return broken[min(self._at, len(broken) - 1)] if broken else None

    def refresh(self) -> None:
        """Read the catalogue again."""
        broken = self.shown
        self.setVisible(broken is not None)
        if broken is None:
            return
        count = len(list(self._catalog.broken))
        self.title.setText(f"{Path(broken.file).name} did not load")
        where = f"Line {broken.line}: " if broken.line else ""
        self.reason.setText(ended(where + broken.error))
        self.details.setPlainText(broken.details or broken.error)
        self.next_button.setVisible(count > 1)
        self.next_button.setText(f"Next of {count}")
        self.setAccessibleDescription(f"{self.title.text()}. {self.reason.text()}")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the card."""
        look = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.color("tint", "bad"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(8, 8, -8, -8), 6, 6)
        size = look.px(15)
        line = self.title.geometry()
        top = line.top() + (min(line.height(), look.line_height("strong")) - size) / 2
        box = QRectF(18, top, size, size)
        paint_icon(painter, "alert-circle-outline", box, look.color("bad"))
        painter.end()

    def _toggle(self) -> None:
        is_shown = self.details.isHidden()
        self.details.setVisible(is_shown)
        self.show_button.setText("Hide" if is_shown else "Show")

    def _copy(self) -> None:
        broken = self.shown
        if broken is not None:
            text = f"{broken.file}, line {broken.line}\n{broken.error}\n\n{broken.details}"
            QGuiApplication.clipboard().setText(text)

    def _next(self) -> None:
        self._at = (self._at + 1) % max(1, len(list(self._catalog.broken)))
        self.refresh()

    def _restyle(self) -> None:
        look = theme()
        self._column.setContentsMargins(18 + look.px(15) + 6, 16, 18, 12)
        self.title.setFont(look.font("strong"))
        self.reason.setFont(look.font("small"))
        self.details.setFont(look.mono("small"))
        self.details.setFixedHeight(look.px(160))
        color, size = look.color("bad").name(), look.px(22)
        edge = look.color("border_strong").name()
        rest = f"min-height: {size}px; max-height: {size}px; background: transparent"
        for button in self._links:
            button.setFont(look.font("small"))
            button.setStyleSheet(
                f"QPushButton {{ color: {color}; border: 1px solid transparent; padding: 0 2px; "
                f"font-weight: 600; min-width: 0; {rest} }}"
                f"QPushButton:hover, QPushButton:focus {{ border-color: {edge} }}"
            )


def _text(role: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role == "small":
        label.setProperty("tone", "muted")
    return label


def _link(text: str) -> QPushButton:
    button = QPushButton(text)
    button.setFlat(True)
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    button.setAccessibleName(text)
    return button
