"""The quick search: where a link was dropped or the empty canvas was clicked, what fits there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    Qt,
    Signal,
)
from PySide6.QtGui import QHideEvent, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QWidget,
)

from backend.core.errors import FretsawError
from studio.editor import node_search
from studio.editor.arrange import snapped
from studio.editor.node_delegate import NodeDelegate
from studio.editor.node_search import Fit
from studio.editor.nodes_model import ROW, NodeRow, tooltip
from studio.editor.palette_memory import PaletteMemory
from studio.editor.ports import paint_port
from studio.icons import paint_icon
from studio.theme import theme
from studio.tokens import token
from studio.widgets.painting import smooth
from studio.widgets.popover import Popover

if TYPE_CHECKING:
    from studio.editor.requests import QuickRequest
    from studio.editor.view import GraphView
    from studio.session import Session

Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()
_WIDTH = 264
_MOST_ROWS = 9
_CARD_WIDTH = 192.0


class FitsModel(QAbstractListModel):
    """The kinds that fit and match what was typed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.fits: list[Fit] = []

    def show(self, fits: Sequence[Fit]) -> None:
        """List these."""
        self.beginResetModel()
        self.fits = list(fits)
        self.endResetModel()

    def rowCount(self, parent: Index = _NO_INDEX) -> int:
        """Count the kinds."""
        return 0 if parent.isValid() else len(self.fits)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give the row, its title or its help."""
        if not 0 <= index.row() < len(self.fits):
            return None
        spec = self.fits[index.row()].spec
        if role == ROW:
            return NodeRow(spec, False)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return spec.title
        return tooltip(spec) if role == Qt.ItemDataRole.ToolTipRole else None


class QuickSearch(Popover):
    """Type, choose with Up and Down, Enter adds and links in one undo step, Esc does nothing.

    ``added(name)`` follows an added node, ``closed`` every closing; until then whoever asked may
    keep showing the link that is waiting.
    """

    added = Signal(str)
    closed = Signal()

    def __init__(self, session: Session, view: GraphView, parent: QWidget | None = None) -> None:
        super().__init__(parent or view, margin=0)
        self._session = session
        self._view = view
        self._request: QuickRequest | None = None
        self._all: list[Fit] = []
        self.memory = PaletteMemory.of(session.workspace)
        self.setAccessibleName("Quick search")
        self.field = QLineEdit(self)
        self.field.setFrame(False)
        self.field.setStyleSheet("QLineEdit { border: none; background: transparent; padding: 0 }")
        self.field.textChanged.connect(self._narrow)
        self.field.installEventFilter(self)
        self._glyph = _Glyph(self)
        head = QHBoxLayout()
        head.setContentsMargins(12, 2, 12, 2)
        head.setSpacing(8)
        head.addWidget(self._glyph)
        head.addWidget(self.field, 1)
        self._rule = QFrame(self)
        self._rule.setFixedHeight(1)
        self.model = FitsModel(self)
        self.list = _rows(self, self.model)
        self.list.clicked.connect(self._clicked)
        self._none = QLabel(self)
        self._none.setWordWrap(True)
        self._none.setProperty("tone", "muted")
        self._none.setContentsMargins(12, 6, 12, 8)
        self.body.addLayout(head)
        self.body.addWidget(self._rule)
        self.body.addWidget(self._none)
        self.body.addWidget(self.list)
        self.restyle()

    # -- opening ---------------------------------------------------------------------------------

    def open(self, request: QuickRequest) -> None:
        """Show what fits the end of a link, or every kind where none was dropped."""
        self._request = request
        session, specs = self._session, self._session.catalog.specs
        end, side = request.source, request.side or "output"
        kind = ""
        if end:
            fits = node_search.fitting(session.document.graph, end, side, specs)
            kind = node_search.type_at(session.document.graph, end, side, specs)
        else:
            fits = [Fit(spec) for spec in specs.values()]
        self._all = node_search.ranked(fits, self.memory.uses, self.memory.favourites)
        self._glyph.show_type(kind)
        words = "take" if side == "output" else "give"
        hint = f"Nodes that {words} {_article(kind)}" if kind else "Find a node"
        self.field.setPlaceholderText(hint)
        self.field.setAccessibleName(hint)
        self.field.clear()
        self._narrow("")
        view = self._view
        corner = view.mapFromScene(QPointF(request.scene_pos))
        self.popup_at(view.viewport().mapToGlobal(corner))
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        super().restyle()
        self.body.setSpacing(0)
        if hasattr(self, "_none"):  # the first call comes from the base class
            color = theme().color("border_strong").name()
            self._rule.setStyleSheet(f"background: {color}; border: none")
            self.setFixedWidth(theme().px(_WIDTH))
            self._fit()

    # -- choosing --------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the keys of the field walk through the list."""
        if watched is self.field and event.type() == QEvent.Type.KeyPress:
            assert isinstance(event, QKeyEvent)
            key = event.key()
            if key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                self._step(1 if key == Qt.Key.Key_Down else -1)
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab):
                self._choose(self.list.currentIndex().row())
                return True
        return super().eventFilter(watched, event)

    def hideEvent(self, event: QHideEvent) -> None:
        """Forget the request: closing leaves nothing behind."""
        super().hideEvent(event)
        self._request = None
        self.closed.emit()

    def _narrow(self, text: str) -> None:
        by_id = {fit.spec.id: fit for fit in self._all}
        specs = [fit.spec for fit in self._all]
        found = node_search.found(text, specs) if text.strip() else specs
        self.model.show([by_id[spec.id] for spec in found])
        self.list.setCurrentIndex(self.model.index(0, 0))
        self._fit()

    def _fit(self) -> None:
        rows = min(len(self.model.fits), _MOST_ROWS)
        self.list.setVisible(rows > 0)
        self.list.setFixedHeight(rows * theme().px(28) + 8)
        self._none.setVisible(rows == 0)
        text = self.field.text().strip()
        hint = self.field.placeholderText() or "nodes"
        what = hint[0].lower() + hint[1:]
        words = f'None of the {what} matches "{text}".' if self._request and self._all else ""
        if self._request and self._request.source is None:
            words = f'No node matches "{text}".'
        self._none.setText(words or f"There are no {what}.")
        self.adjustSize()

    def _step(self, by: int) -> None:
        count = len(self.model.fits)
        if count:
            row = (self.list.currentIndex().row() + by) % count
            self.list.setCurrentIndex(self.model.index(row, 0))

    def _clicked(self, index: QModelIndex) -> None:
        self._choose(index.row())

    def _choose(self, row: int) -> None:
        request = self._request
        if request is None or not 0 <= row < len(self.model.fits):
            return
        fit = self.model.fits[row]
        self.hide()
        try:
            name = self._add(request, fit)
        except FretsawError as error:
            self._session.tell(str(error), kind="bad")
            return
        self.memory.use(fit.spec.id)
        self._session.selection.set([name])
        self.added.emit(name)

    def _add(self, request: QuickRequest, fit: Fit) -> str:
        document = self._session.document
        at = place_for(request, fit)
        if not request.source or fit.port is None:
            return document.add(fit.spec.id, at=at)
        if request.side != "input":
            return document.add(fit.spec.id, at=at, link=(request.source, fit.port.name))
        with document.macro(f"Add {fit.spec.title}"):
            name = document.add(fit.spec.id, at=at)
            document.connect(f"{name}.{fit.port.name}", request.source, replace=True)
        return name


def place_for(request: QuickRequest, fit: Fit) -> tuple[float, float]:
    """Return the corner of the new card, so that its port lies where the link was dropped."""
    x, y = request.scene_pos.x(), request.scene_pos.y()
    header, row = float(token("node.header")), float(token("node.port_row"))
    if not request.source or fit.port is None:
        return snapped((x - _CARD_WIDTH / 2, y - header / 2))
    ports = fit.spec.outputs if request.side == "input" else fit.spec.inputs
    down = header + 5 + row * (ports.index(fit.port) + 0.5)
    left = x - _CARD_WIDTH if request.side == "input" else x
    return snapped((left, y - down))


class _Glyph(QWidget):
    """The port that the link comes from; a magnifier where there is none."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._type = ""
        self.setFixedSize(16, 32)

    def show_type(self, type_name: str) -> None:
        self._type = type_name
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter: QPainter = smooth(self)
        if self._type:
            paint_port(painter, self._type.split(" | ")[0], QPointF(8, self.height() / 2), 11)
        else:
            box = self.rect().adjusted(0, 8, 0, -8)
            paint_icon(painter, "magnify", box, theme().color("muted"))
        painter.end()


def _rows(parent: QWidget, model: FitsModel) -> QListView:
    rows = QListView(parent)
    rows.setModel(model)
    rows.setAccessibleName("Nodes that fit")
    rows.setMouseTracking(True)
    rows.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    rows.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    rows.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    rows.setItemDelegate(NodeDelegate(rows, stars=False))
    rows.setStyleSheet("QListView { background: transparent; padding: 4px 0 }")
    return rows


def _article(word: str) -> str:
    if word in ("Data", "Pairs"):
        return word
    return f"{'an' if word[:1] in 'AEIOU' else 'a'} {word.replace(' | ', ' or a ')}"
