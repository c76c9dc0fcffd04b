"""The palette: every kind of node, to be searched, dragged onto the canvas or added by key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QDrag, QKeyEvent, QPainter, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QLabel, QLineEdit, QListView, QVBoxLayout, QWidget

from backend.core.errors import FretsawError
from backend.core.node import NodeSpec
from studio.editor.arrange import snapped
from studio.editor.broken_card import BrokenCard
from studio.editor.node_delegate import NodeDelegate
from studio.editor.nodes_model import ROW, GroupRow, NodeRow, NodesModel
from studio.editor.palette_memory import PaletteMemory
from studio.editor.view import GraphView
from studio.icons import dress_clear_button, icon, node_icon, paint_icon
from studio.theme import theme
from studio.widgets.keycap import KeyCap

if TYPE_CHECKING:
    from studio.session import Session

Place = Callable[[], tuple[float, float]]


class NodesList(QListView):
    """The rows. Keys: Enter adds, F favours, Left and Right fold, letters go to the search."""

    chosen = Signal(str)
    typed = Signal(str)
    left_above = Signal()

    def __init__(self, model: NodesModel, memory: PaletteMemory, parent: QWidget | None = None):
        super().__init__(parent)
        self._memory = memory
        self.setModel(model)
        self.setAccessibleName("Kinds of node")
        self.setMouseTracking(True)
        self.setUniformItemSizes(False)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        delegate = NodeDelegate(self)
        delegate.starred.connect(self._favour)
        delegate.folded.connect(self._fold)
        self.setItemDelegate(delegate)
        self.doubleClicked.connect(self._double_clicked)
        self._kept: tuple[GroupRow | NodeRow | None, int, int] = (None, 0, 0)
        model.modelAboutToBeReset.connect(self._note_place)
        model.modelReset.connect(self._find_place)

    def row(self) -> GroupRow | NodeRow | None:
        """The row that the keys speak of."""
        found = self.currentIndex().data(ROW)
        return found if isinstance(found, GroupRow | NodeRow) else None

    def choose_first(self) -> None:
        """Make the first kind of node the current row."""
        self._step(-1, 1)

    def step(self, by: int) -> None:
        """Go to the next (1) or the previous (-1) kind of node."""
        self._step(self.currentIndex().row(), by)

    def _step(self, start: int, by: int) -> None:
        model = self.model()
        at = start + by
        while 0 <= at < model.rowCount():
            if isinstance(model.index(at, 0).data(ROW), NodeRow):
                self.setCurrentIndex(model.index(at, 0))
                return
            at += by

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Add, favour, fold, or go on typing in the search field."""
        row, key = self.row(), event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if isinstance(row, NodeRow):
                self.chosen.emit(row.spec.id)
            elif row is not None:
                self._fold(row.key)
        elif key == Qt.Key.Key_F and not event.modifiers() and isinstance(row, NodeRow):
            self._favour(row.spec.id)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and isinstance(row, GroupRow):
            if row.is_folded == (key == Qt.Key.Key_Right):
                self._fold(row.key)
        elif key == Qt.Key.Key_Up and self.currentIndex().row() <= 0:
            self.left_above.emit()
        elif event.text().isprintable() and event.text().strip() and not _is_command(event):
            self.typed.emit("" if event.text() == "/" else event.text())
        else:
            super().keyPressEvent(event)

    def startDrag(self, actions: Qt.DropAction) -> None:
        """Drag the kind of node as a small card."""
        row = self.row()
        if not isinstance(row, NodeRow):
            return
        drag = QDrag(self)
        drag.setMimeData(self.model().mimeData([self.currentIndex()]))
        picture = ghost(row.spec, self.devicePixelRatioF())
        drag.setPixmap(picture)
        drag.setHotSpot(QPoint(20, theme().px(20)))
        if drag.exec(Qt.DropAction.CopyAction) != Qt.DropAction.IgnoreAction:
            self._memory.use(row.spec.id)

    def _double_clicked(self, index: QModelIndex) -> None:
        row = index.data(ROW)
        if isinstance(row, NodeRow):
            self.chosen.emit(row.spec.id)

    def _favour(self, type_id: str) -> None:
        self._memory.favour(type_id, type_id not in self._memory.favourites)

    def _fold(self, key: str) -> None:
        self._memory.fold(key, key not in self._memory.folded)

    def _note_place(self) -> None:
        """Before the rows are others: which one is current, and how high it stands."""
        index = self.currentIndex()
        self._kept = (self.row(), self.visualRect(index).top(), self.verticalScrollBar().value())

    def _find_place(self) -> None:
        """Make the same row current again, where it stood."""
        kept, top, value = self._kept
        at = self._same(kept)
        self.doItemsLayout()
        bar = self.verticalScrollBar()
        if at is None:
            bar.setValue(value)
            return
        index = self.model().index(at, 0)
        self.setCurrentIndex(index)
        bar.setValue(bar.value() + self.visualRect(index).top() - top)

    def _same(self, kept: GroupRow | NodeRow | None) -> int | None:
        rows = [self.model().index(at, 0).data(ROW) for at in range(self.model().rowCount())]
        if isinstance(kept, GroupRow):
            keys = [getattr(row, "key", None) for row in rows]
            return keys.index(kept.key) if kept.key in keys else None
        if kept is None:
            return None
        alike = [at for at, row in enumerate(rows) if getattr(row, "spec", None) == kept.spec]
        there = [at for at in alike if rows[at].group == kept.group]
        return next(iter(there or alike), None)


class NodesPanel(QWidget):
    """Search field, rows, and a card for each file of nodes that did not load.

    A node that is added by key or double-click goes into the middle of what the canvas of the
    same window shows; ``place``, when set, says where instead.
    """

    added = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.place: Place | None = None
        self.memory = PaletteMemory.of(session.workspace)
        self.model = NodesModel(session.catalog, self.memory, self)
        self.field = SearchField(self)
        self.list = NodesList(self.model, self.memory, self)
        self._none = QLabel(self)
        self._none.setWordWrap(True)
        self._none.setProperty("tone", "muted")
        self._none.setContentsMargins(18, 4, 12, 4)
        self.broken = BrokenCard(session.catalog, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.setSpacing(4)
        head = QVBoxLayout()
        head.setContentsMargins(8, 0, 8, 0)
        head.addWidget(self.field)
        layout.addLayout(head)
        layout.addWidget(self._none)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.broken)
        self.setFocusProxy(self.field)
        self.setMinimumWidth(160)
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.list.chosen.connect(self.add)
        self.list.typed.connect(self._type)
        self.list.left_above.connect(self.field.setFocus)
        session.catalog.changed.connect(self._tell_if_none)
        theme().changed.connect(self._restyle)
        self._tell_if_none()

    def focus_search(self, text: str = "") -> None:
        """Put the cursor into the search field, with this text in it."""
        self.field.setText(text)
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()

    def add(self, type_id: str) -> None:
        """Add a node of this kind in the middle of the canvas and select it."""
        try:
            name = self._session.document.add(type_id, at=self._free_place())
        except FretsawError as error:
            self._session.tell(str(error), kind="bad")
            return
        self.memory.use(type_id)
        self._session.selection.set([name])
        self.added.emit(name)

    def _free_place(self) -> tuple[float, float]:
        """Return where to add: never exactly upon another node, which would then be hidden."""
        x, y = self.place() if self.place is not None else self._middle()
        taken = {(at["x"], at["y"]) for at in self._session.document.graph.layout.values()}
        while (x, y) in taken:
            x, y = x + 24, y + 24
        return x, y

    def _middle(self) -> tuple[float, float]:
        view = self.window().findChild(GraphView)
        if not isinstance(view, GraphView):
            return beside(self._session)
        middle = view.mapToScene(view.viewport().rect().center())
        return snapped((middle.x() - 96, middle.y() - 60))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the keys of the field walk through the list."""
        is_press = event.type() == QEvent.Type.KeyPress
        if watched is self.field and is_press and isinstance(event, QKeyEvent):
            return self._field_key(event.key())
        return super().eventFilter(watched, event)

    def _field_key(self, key: int) -> bool:
        row = self.list.row()
        if key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            if not isinstance(row, NodeRow):
                self.list.choose_first()
            elif self.field.text():
                self.list.step(1 if key == Qt.Key.Key_Down else -1)
            if not self.field.text():
                self.list.setFocus()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if isinstance(row, NodeRow):
                self.add(row.spec.id)
        elif key == Qt.Key.Key_Escape and self.field.text():
            self.field.clear()
        else:
            return False
        return True

    def _type(self, text: str) -> None:
        self.field.setFocus()
        self.field.setText(self.field.text() + text)

    def _search(self, text: str) -> None:
        self.model.search(text)
        if self.model.text:
            self.list.choose_first()
            self.list.scrollToTop()
        self._tell_if_none()

    def _tell_if_none(self) -> None:
        catalog = self._session.catalog
        text = ""
        if not catalog.specs:
            is_building = getattr(catalog, "is_building", False)
            text = getattr(catalog, "error", "") or "There are no kinds of node."
            text = "Reading the list of nodes." if is_building else text
        elif not self.model.rows:
            text = f'No node matches "{self.model.text}". Clear the search to see all.'
        self._none.setText(text)
        self._none.setVisible(bool(text))

    def _restyle(self) -> None:
        self.list.doItemsLayout()
        self.list.viewport().update()


class SearchField(QLineEdit):
    """A field with a magnifier at the left and the key that leads to it at the right."""

    def __init__(self, parent: QWidget | None = None, hint: str = "Find a node", key: str = "/"):
        super().__init__(parent)
        self.setPlaceholderText(hint)
        self.setAccessibleName(hint)
        self.addAction(icon("magnify"), QLineEdit.ActionPosition.LeadingPosition)
        self._cap = KeyCap(key, self) if key else None
        if self._cap is not None:
            self._cap.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            self.textChanged.connect(self._show_cap)

    def resizeEvent(self, event: object) -> None:
        """Keep the key cap at the right end."""
        super().resizeEvent(event)  # type: ignore[arg-type]
        if self._cap is not None:
            size = self._cap.sizeHint()
            self._cap.resize(size)
            self._cap.move(self.width() - size.width() - 7, (self.height() - size.height()) // 2)

    def _show_cap(self, text: str) -> None:
        assert self._cap is not None
        self._cap.setVisible(not text)
        self.setClearButtonEnabled(bool(text))
        dress_clear_button(self)


def beside(session: Session) -> tuple[float, float]:
    """Return a place right of all nodes: where to add when no canvas says what it shows."""
    places = session.document.graph.layout.values()
    right = max((place["x"] for place in places), default=-264.0)
    top = min((place["y"] for place in places), default=0.0)
    return right + 264.0, top


def ghost(spec: NodeSpec, ratio: float = 1.0) -> QPixmap:
    """Return the picture that is under the pointer while a kind of node is dragged."""
    look = theme()
    width, height = 192, look.px(40)
    picture = QPixmap(round(width * ratio), round(height * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(look.color("border_strong"))
    painter.setBrush(look.color("card"))
    painter.drawRoundedRect(QRectF(0.5, 0.5, width - 1, height - 1), 10, 10)
    hue = look.type_color(spec.outputs[0].type) if spec.outputs else look.color("ink")
    size = look.px(18)
    box = picture.rect()
    box.setRect(11, (height - size) // 2, size, size)
    paint_icon(painter, node_icon(spec.id, spec.category), box, hue)
    painter.setFont(look.font("strong"))
    painter.setPen(look.color("ink"))
    left = 11 + size + 10
    painter.drawText(
        left, 0, width - left - 8, height, int(Qt.AlignmentFlag.AlignVCenter), spec.title
    )
    painter.end()
    return picture


def _is_command(event: QKeyEvent) -> bool:
    plain = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
    return event.modifiers() not in plain
