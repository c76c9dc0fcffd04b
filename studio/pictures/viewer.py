"""One payload with its title, its caption and what can be done with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from backend.core.files import slug
from studio.pictures import kinds, words
from studio.pictures.canvas import Canvas
from studio.pictures.sheets import TableModel, TableSorter, in_words
from studio.session import Session
from studio.theme import theme
from studio.widgets.button import tool
from studio.widgets.elided import ElidedLabel
from studio.widgets.painting import text_width
from studio.widgets.table import BEST_ROLE, NUMBER_ROLE, TableDelegate, prepare_table

_FILTER = "PNG picture (*.png);;SVG drawing (*.svg);;CSV table (*.csv);;Markdown table (*.md)"


class ViewTable(QTableView):
    """A table payload: sorts by a click, copies the picked rows."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sorter = _Sorter(self)
        self._sorter.setDynamicSortFilter(False)
        self._source: TableModel | None = None
        self.head = prepare_table(self, monos=(0,))
        self.setModel(self._sorter)

    def set_payload(self, payload: Any) -> None:
        """Show another table; the sorted column stays if the columns are the same."""
        old = self._source.payload.columns if self._source is not None else None
        order, section = self.head.sortIndicatorOrder(), self.head.sortIndicatorSection()
        self._source, before = TableModel(payload, self), self._source
        self.head.numbers = {
            c
            for c in range(len(payload.columns))
            if any(
                isinstance(self._source.value(r, c), (int, float)) for r in range(len(payload.rows))
            )
        }
        delegate = self.itemDelegate()
        assert isinstance(delegate, TableDelegate)
        delegate.monos = set() if in_words(payload) else {0}
        self._sorter.setSourceModel(self._source)
        if before is not None:
            before.deleteLater()
        if old == payload.columns:
            self._sorter.sort(section, order)
        else:
            self.head.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
            self._sorter.sort(-1)
            for column in range(len(payload.columns)):
                self.setColumnWidth(column, self._wanted_width(column))

    def _wanted_width(self, column: int) -> int:
        """Room for the cells and for the name above with its arrow, within bounds."""
        look = theme()
        name = str(self._sorter.headerData(column, Qt.Orientation.Horizontal) or "")
        head = int(text_width(look.font("micro"), name)) + look.px(30)
        cells = self.sizeHintForColumn(column) + look.px(4)
        return min(max(cells, head, look.px(56)), look.px(280))


class _Sorter(TableSorter):
    """Numbers and winners as our table delegate wants them told."""

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Add the roles of the delegate."""
        if role in (NUMBER_ROLE, BEST_ROLE):
            where = self.mapToSource(index)
            source: Any = self.sourceModel()
            if role == BEST_ROLE:
                return source.is_best(where.row(), where.column())
            return isinstance(source.value(where.row(), where.column()), (int, float))
        return super().data(index, role)


class Viewer(QWidget):
    """Title row, picture or table or a sentence, caption."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.payload: Any = None
        self.canvas = Canvas()
        self.table = ViewTable()
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.message.setProperty("tone", "muted")
        self.message.setContentsMargins(12, 12, 12, 12)
        self._stack = QStackedWidget()
        for part in (self.canvas, self.table, self.message):
            self._stack.addWidget(part)
        self.title = ElidedLabel("", "strong")
        self.unit = ElidedLabel("", "small", "muted")
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        self.caption.setTextFormat(Qt.TextFormat.PlainText)
        self.caption.setProperty("tone", "muted")
        self.caption.setContentsMargins(12, 4, 12, 8)
        self.more = tool("export-variant", "Save or copy this view", small=True)
        self._menu = QMenu(self)
        self._actions = self._make_actions()
        self.more.setMenu(self._menu)
        self.more.setPopupMode(self.more.ToolButtonPopupMode.InstantPopup)
        self.row = QHBoxLayout()
        self.row.setContentsMargins(12, 4, 8, 0)
        self.row.setSpacing(8)
        self.row.addWidget(self.title)
        self.row.addWidget(self.unit, 1)
        self.row.addWidget(self.more)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self.row)
        column.addWidget(self._stack, 1)
        column.addWidget(self.caption)
        theme().changed.connect(self._restyle)
        self._restyle()
        self.show_words("")

    def _make_actions(self) -> dict[str, QAction]:
        found = {}
        for key, text, deed in (
            ("save", "Save as ...", self.save),
            ("picture", "Copy the picture", self.copy_picture),
            ("markdown", "Copy as Markdown", self.copy_markdown),
            ("csv", "Copy as CSV", self.copy_csv),
        ):
            action = QAction(text, self)
            action.triggered.connect(deed)
            self._menu.addAction(action)
            found[key] = action
        found["markdown"].setShortcut(QKeySequence.StandardKey.Copy)
        found["markdown"].setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.addAction(found["markdown"])
        return found

    def _restyle(self) -> None:
        self.caption.setFont(theme().font("small"))
        self.message.setFont(theme().font("small"))

    # -- showing ---------------------------------------------------------------------------------

    def show_payload(self, payload: Any) -> None:
        """Draw a payload."""
        if payload is self.payload:
            return
        self.payload = payload
        self.title.setText(payload.title or payload.kind.capitalize())
        self.unit.setText(words.unit_of(payload))
        self.caption.setText(payload.caption)
        self.caption.setVisible(bool(payload.caption))
        self.more.setEnabled(True)
        for action in self._actions.values():
            action.setEnabled(True)
        nothing = kinds.empty_words(payload)
        name = f"{payload.title or payload.kind}. {payload.caption}"
        if nothing:
            self.message.setText(nothing)
            self._stack.setCurrentWidget(self.message)
        elif payload.kind == "table":
            self.table.setAccessibleName(name)
            self.table.set_payload(payload)
            self._stack.setCurrentWidget(self.table)
        else:
            self.canvas.set_drawing(kinds.drawing_of(payload), name)
            self._stack.setCurrentWidget(self.canvas)

    def show_words(self, sentence: str, title: str = "") -> None:
        """Show a sentence in the place of a picture."""
        self.payload = None
        self.title.setText(title)
        self.unit.setText("")
        self.caption.hide()
        self.more.setEnabled(False)
        for action in self._actions.values():
            action.setEnabled(False)
        self.message.setText(sentence)
        self._stack.setCurrentWidget(self.message)

    @property
    def words(self) -> str:
        """The sentence that stands in the place of a picture; empty while there is one."""
        return self.message.text() if self._stack.currentWidget() is self.message else ""

    # -- taking along ----------------------------------------------------------------------------

    def save(self) -> None:
        """Ask where to and write PNG, SVG, CSV or Markdown."""
        if self.payload is None:
            return
        start = str(Path.home() / f"{slug(self.payload.title or self.payload.kind)}.png")
        name, _ = QFileDialog.getSaveFileName(self, "Save this view", start, _FILTER)
        if name:
            self.save_to(Path(name))

    def save_to(self, path: Path) -> bool:
        """Write this view as the ending says; what goes wrong is told."""
        if self.payload is None:
            return False
        try:
            kinds.save_picture(path, self.payload, max(480, self.canvas.width()))
        except (OSError, ValueError) as error:
            self._session.tell(f"{path.name} was not written.", str(error), kind="bad")
            return False
        self._session.tell(f"Saved {path.name}", str(path.parent), kind="good")
        return True

    def copy_picture(self) -> None:
        """Put the picture on the clipboard."""
        if self.payload is not None:
            QGuiApplication.clipboard().setImage(kinds.as_image(self.payload))

    def copy_markdown(self) -> None:
        """Put the figures on the clipboard as a Markdown table."""
        if self.payload is not None:
            QGuiApplication.clipboard().setText(words.as_markdown(self.payload))

    def copy_csv(self) -> None:
        """Put the figures on the clipboard as CSV."""
        if self.payload is not None:
            data = QMimeData()
            text = words.as_csv(self.payload)
            data.setText(text)
            data.setData("text/csv", text.encode())
            QGuiApplication.clipboard().setMimeData(data)
