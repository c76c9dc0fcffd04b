"""The Edits dock: what can be pushed, what is on the phone, and what the phone's user said."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QHideEvent, QImage, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListView,
    QMenu,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from studio.background import Background
from studio.docks.phone_live import paint_thumb, read_thumb
from studio.icons import paint_icon
from studio.phone.artefacts import all_edits
from studio.phone.edit import Edit
from studio.phone.phone import Phone, phone_of
from studio.phone.state import OnPhone
from studio.phone.words import size
from studio.session import Session
from studio.theme import theme
from studio.widgets.button import tool
from studio.widgets.elided import ElidedLabel
from studio.widgets.empty_state import EmptyState, Glyph
from studio.widgets.painting import box, line, smooth

Index = QModelIndex | QPersistentModelIndex
EDIT_ROLE = int(Qt.ItemDataRole.UserRole) + 1
_ROW = 60


class EditsModel(QAbstractListModel):
    """Pushed edits first, the newest on top; then what runs exported."""

    def __init__(self, phone: Phone) -> None:
        super().__init__()
        self._phone = phone
        self._known: list[Edit] = []
        self.rows: list[Edit] = []

    def set_known(self, edits: list[Edit]) -> None:
        """Note what runs exported."""
        self._known = edits
        self.refresh()

    def refresh(self) -> None:
        """Put both together; where the rows are the same, they are only drawn anew."""
        state = self._phone.state
        pushed = list(reversed(state.edits.values()))
        rows = [*pushed, *(edit for edit in self._known if edit.id not in state.edits)]
        if [row.id for row in rows] == [row.id for row in self.rows]:
            self.rows = rows
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, 0))
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Number of edits."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = 0) -> object:
        """Name, words and the edit itself."""
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        edit = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return edit.name
        if role == EDIT_ROLE:
            return edit
        words = self.words(edit)[0]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{edit.name}: {words}"
        return f"{edit.name}, {words}" if role == Qt.ItemDataRole.AccessibleTextRole else None

    def standing(self, edit: Edit) -> OnPhone | None:
        """How an edit stands on the phone; None without a phone or a push."""
        device = self._phone.device
        return device.edits.get(edit.id) if device is not None else None

    def words(self, edit: Edit) -> tuple[str, str]:
        """What is said of an edit below its name, and in which colour."""
        how = self.standing(edit)
        kind = f"{edit.kind}, " if edit.kind else ""
        what = f"{kind}{size(edit.bytes)}" if edit.bytes else edit.kind
        if edit.following and (how is None or how.state != "failed"):
            epoch = f", epoch {edit.epoch}" if edit.epoch is not None else ""
            return f"training{epoch}", "blade"
        if edit.id not in self._phone.state.edits:
            return f"{what}, not pushed" if what else "not pushed", "muted"
        if how is None:
            return f"{what}, waits for a phone", "muted"
        if how.state == "sending":
            share = f"{how.done / how.total:.0%}".replace("%", " %") if how.total else "sending"
            return f"{share} of {size(how.total)}" if how.total else share, "blade"
        if how.state == "failed":
            return how.text or "did not work on the phone", "bad"
        where = "on phone" if how.state == "ready" else "offered"
        return f"{what}, {where}" if what else where, "muted"


class EditDelegate(QStyledItemDelegate):
    """A row: picture, name, words, and a mark when it is on the phone."""

    def __init__(self, model: EditsModel) -> None:
        super().__init__()
        self._model = model
        self._thumbs: dict[str, QImage] = {}

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        """High enough for the picture."""
        return QSize(theme().px(180), theme().px(_ROW))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint the row."""
        look = theme()
        edit = index.data(EDIT_ROLE)
        if not isinstance(edit, Edit):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRectF(option.rect).adjusted(4, 1, -4, -1)
        state = option.state
        if state & QStyle.StateFlag.State_Selected:
            box(painter, rect, 6, look.color("selected"))
        elif state & QStyle.StateFlag.State_MouseOver:
            box(painter, rect, 6, look.color("hover"))
        side = look.px(44)
        spot = QRectF(rect.left() + look.px(9), rect.center().y() - side / 2, side, side)
        paint_thumb(painter, spot, self._thumb(edit.thumb), edit.name)
        how = self._model.standing(edit)
        ready = how is not None and how.state == "ready"
        room = look.px(26) if ready else 0
        words = QRectF(spot.right() + look.px(10), rect.top(), 0, rect.height() / 2)
        words.setRight(rect.right() - look.px(8) - room)
        line(painter, words.translated(0, 6), edit.name, look.font("strong"), look.color("ink"))
        text, color = self._model.words(edit)
        low = words.translated(0, rect.height() / 2 - 5)
        line(painter, low, text, look.font("small"), look.color(color))
        if ready:
            glyph = look.px(16)
            mark = QRectF(rect.right() - look.px(26), rect.center().y() - glyph / 2, glyph, glyph)
            paint_icon(painter, "cellphone-check", mark, look.color("good"))
        painter.restore()

    def _thumb(self, path: str) -> QImage:
        if path not in self._thumbs:
            self._thumbs[path] = read_thumb(path)
        return self._thumbs[path]


class RemarkCard(QWidget):
    """The last thing that the phone's user said."""

    def __init__(self, phone: Phone, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._phone = phone
        self.glyph = Glyph("thumb-up-outline", 16, "good")
        self.title = ElidedLabel("From the phone", "strong")
        self.when = ElidedLabel("", "small", "muted")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setProperty("tone", "muted")
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.glyph)
        head.addWidget(self.title, 1)
        head.addWidget(self.when)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 10)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.words)
        theme().changed.connect(self.update)
        self.refresh()

    def refresh(self) -> None:
        """Show the newest remark; hide without one."""
        remarks = self._phone.state.remarks
        self.setVisible(bool(remarks))
        if not remarks:
            return
        last = remarks[-1]
        icon, color = {
            "up": ("thumb-up-outline", "good"),
            "down": ("thumb-down-outline", "warn"),
        }.get(last.thumb, ("message-text-outline", "muted"))
        self.glyph.set(icon, color)
        self.when.setText(f"{datetime.fromtimestamp(last.at):%H:%M}")
        self.words.setFont(theme().font("small"))
        self.words.setText(f"{last.text} {last.kept}".strip())
        self.setAccessibleName(f"From the phone: {self.words.text()}")

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The card."""
        look = theme()
        with smooth(self) as painter:
            box(painter, QRectF(self.rect()), 8, look.color("card"), look.color("line"))


class EditsWidget(QWidget):
    """List of edits and the last remark."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.phone = phone_of(session)
        self.model = EditsModel(self.phone)
        self.model.setParent(self)
        self._background = Background("edits", self)
        self._reads = False
        self._build()
        self.phone.changed.connect(self._changed)
        session.runner.changed.connect(self.look)
        session.focus_changed.connect(self.look)
        session.closed.connect(self._background.close)
        self.setAccessibleName("Edits")
        self._refresh()

    def tools(self) -> QWidget:
        """Return what stands at the right end of the dock's strip."""
        button = tool("plus", "Push the export of the selected node", small=True)
        button.clicked.connect(lambda: self._session.act("phone_push"))
        return button

    def look(self) -> None:
        """Read in the background what runs exported."""
        if not self.isVisible() or self._reads:
            return
        self._reads = True
        focus = self._session.focus
        first, workspace = focus.name if focus is not None else "", self._session.workspace
        self._background.do(lambda: all_edits(workspace, first), self._looked)

    def current(self) -> Edit | None:
        """The picked edit."""
        found = self.view.currentIndex().data(EDIT_ROLE)
        return found if isinstance(found, Edit) else None

    def showEvent(self, event: QShowEvent) -> None:
        """Look again."""
        super().showEvent(event)
        self.look()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing to end: the thread rests by itself."""
        super().hideEvent(event)

    # -- inner -----------------------------------------------------------------------------------

    def _looked(self, found: object) -> None:
        self._reads = False
        if isinstance(found, list):
            self.model.set_known(found)
            self._refresh()

    def _changed(self, parts: set[str]) -> None:
        if parts & {"edits", "devices"}:
            self.model.refresh()
            self._refresh()
        if "note" in parts:
            self.remark.refresh()

    def _refresh(self) -> None:
        self._pages.setCurrentWidget(self.view if self.model.rows else self.empty)

    def _open_menu(self, at: QPoint) -> None:
        edit = self.view.indexAt(at).data(EDIT_ROLE)
        if not isinstance(edit, Edit):
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Push to the phone").triggered.connect(
            partial(self._act, "phone_push", edit)
        )
        bench = menu.addAction("Benchmark on the phone")
        bench.triggered.connect(partial(self._act, "phone_benchmark", edit))
        bench.setEnabled(self.phone.device is not None)
        menu.addSeparator()
        remove = menu.addAction("Remove from the phone")
        remove.triggered.connect(partial(self._act, "phone_remove", edit))
        remove.setEnabled(edit.id in self.phone.state.edits)
        menu.popup(self.view.viewport().mapToGlobal(at))

    def _act(self, action: str, edit: Edit, _checked: bool = False) -> None:
        self._session.act(action, edit=edit)

    def _activated(self, index: QModelIndex) -> None:
        edit = index.data(EDIT_ROLE)
        if isinstance(edit, Edit):
            self._act("phone_push", edit)

    def _build(self) -> None:
        self.view = QListView()
        self.view.setModel(self.model)
        self._delegate = EditDelegate(self.model)
        self.view.setItemDelegate(self._delegate)
        self.view.setAccessibleName("Edits")
        self.view.setFrameShape(QListView.Shape.NoFrame)
        self.view.setMouseTracking(True)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._open_menu)
        self.view.activated.connect(self._activated)
        self.empty = EmptyState("brush-variant", "Exported edits are listed here.")
        self.remark = RemarkCard(self.phone)
        pages = QWidget()
        self._pages = QStackedLayout(pages)
        self._pages.addWidget(self.view)
        self._pages.addWidget(self.empty)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(0)
        column.addWidget(pages, 1)
        inset = QHBoxLayout()
        inset.setContentsMargins(12, 8, 12, 12)
        inset.addWidget(self.remark)
        column.addLayout(inset)


class EditsDock:
    """The Edits dock, as the window finds it."""

    NAME = "edits"
    TITLE = "Edits"
    ICON = "brush-variant"
    AREA = "left"
    KINDS: tuple[str, ...] = ()
    WIDGET = EditsWidget
