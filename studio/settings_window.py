"""The settings: pages at left, each a form made from the settings' schema; all applies at once."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from backend.core.errors import DocumentError
from studio.about_page import AboutPage
from studio.docks.problem_lines import NoteLine
from studio.form import Form
from studio.icons import icon
from studio.session import Session
from studio.settings import Settings
from studio.shortcuts_page import ShortcutsPage
from studio.storage_page import StoragePage
from studio.theme import theme

PAGES = {
    "appearance": ("Appearance", "palette-outline"),
    "running": ("Running", "play-outline"),
    "files": ("Files", "file-outline"),
    "shortcuts": ("Shortcuts", "keyboard-outline"),
    "storage": ("Storage", "harddisk"),
    "about": ("About", "information-outline"),
}
LABEL_WIDTH = 150
_PAGE_WIDTH = 480


class SettingsWindow(QWidget):
    """A window beside the main one; it blocks nothing."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.session = session
        self.setObjectName("page")
        self.setWindowTitle("Settings")
        self.forms: dict[str, Form] = {}
        self.list = QListWidget(self)
        self.list.setAccessibleName("Pages of the settings")
        self.list.setFrameShape(QListWidget.Shape.NoFrame)
        self.stack = QStackedWidget(self)
        self.trouble = NoteLine("alert", "", "warn", self)
        self._titles: list[QLabel] = []
        for key, (title, glyph) in PAGES.items():
            item = QListWidgetItem(icon(glyph), title)
            item.setData(Qt.ItemDataRole.UserRole, key)
            self.list.addItem(item)
            self.stack.addWidget(self._page(key, title))
        self.list.currentRowChanged.connect(self._turn)
        self._lay_out()
        session.settings.changed.connect(self.refresh)
        session.settings.troubled.connect(self._show_trouble)
        theme().changed.connect(self._dress)
        self._dress()
        self.refresh()
        self._show_trouble(session.settings.problem)
        self.list.setCurrentRow(0)

    def show_page(self, name: str) -> None:
        """Turn to a page by its key or title; an unknown one changes nothing."""
        for row, (key, (title, _)) in enumerate(PAGES.items()):
            if name.lower() in (key, title.lower()):
                self.list.setCurrentRow(row)
                return

    def focus_field(self, name: str) -> None:
        """Turn to the page of a setting and put the cursor into it."""
        field = Settings.model_fields.get(name)
        if field is None or not isinstance(field.json_schema_extra, dict):
            return
        page = str(field.json_schema_extra.get("page", ""))
        self.show_page(page)
        if page in self.forms:
            self.forms[page].focus_field(name)

    def refresh(self) -> None:
        """Show the settings as they are now."""
        values = self.session.settings.values.model_dump()
        for form in self.forms.values():
            names = {spec.name for spec in form.fields}
            form.set_values({name: value for name, value in values.items() if name in names})

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes the window."""
        if event.key() == Qt.Key.Key_Escape:
            self.close()
            return
        super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop what a page computes."""
        self.storage.stop()
        super().closeEvent(event)

    # -- inner -----------------------------------------------------------------------------------

    def _page(self, key: str, title: str) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(12, 16, 12, 16)
        column.setSpacing(8)
        head = QLabel(title)
        head.setContentsMargins(12, 0, 12, 0)
        self._titles.append(head)
        column.addWidget(head)
        column.addWidget(self._content(key))
        if key != "shortcuts":
            column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(page)
        return area

    def _content(self, key: str) -> QWidget:
        if key == "shortcuts":
            return ShortcutsPage(self.session)
        if key == "storage":
            self.storage = StoragePage(self.session)
            return self.storage
        if key == "about":
            return AboutPage()
        form = Form(page_schema(key), label_width=LABEL_WIDTH, has_notes=True)
        form.changed.connect(self._edited)
        form.reset.connect(self.session.settings.reset)
        self.forms[key] = form
        return form

    def _edited(self, name: str, value: Any) -> None:
        try:
            self.session.settings.set(**{name: value})
        except DocumentError as error:
            for form in self.forms.values():
                form.show_faults([(name, str(error))])

    def _show_trouble(self, text: str) -> None:
        self.trouble.set_text(text)
        self.trouble.setVisible(bool(text))

    def _turn(self, row: int) -> None:
        self.stack.setCurrentIndex(row)
        if list(PAGES)[row] == "storage":
            self.storage.measure()
        else:
            self.storage.stop()

    def _lay_out(self) -> None:
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(0)
        right.addWidget(self.trouble)
        right.addWidget(self.stack, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.list)
        row.addLayout(right, 1)

    def _dress(self) -> None:
        look = theme()
        for head in self._titles:
            head.setFont(look.font("heading"))
        self.list.setFixedWidth(look.px(180))
        self.list.setIconSize(QSize(look.px(16), look.px(16)))
        self.list.setStyleSheet(
            f"QListWidget {{ border: none; border-right: 1px solid {look.color('line').name()};"
            f" padding: {look.px(8)}px; }}"
            f" QListWidget::item {{ border-radius: {look.px(4)}px; padding-left: {look.px(8)}px; }}"
        )
        for row in range(self.list.count()):
            self.list.item(row).setSizeHint(QSize(look.px(120), look.px(32)))
        self.setMinimumSize(look.px(560), look.px(360))
        self.resize(look.px(180 + _PAGE_WIDTH), look.px(560))


def page_schema(page: str) -> dict[str, Any]:
    """Return the schema of the settings of one page."""
    schema = Settings.model_json_schema()
    fields = {
        name: entry for name, entry in schema["properties"].items() if entry.get("page") == page
    }
    return {**schema, "properties": fields}
