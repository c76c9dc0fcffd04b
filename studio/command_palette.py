"""The command palette: type a few letters, press Enter."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QEvent, QObject, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QAction,
    QFont,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QMenu,
    QMenuBar,
    QVBoxLayout,
    QWidget,
)

from studio.icons import paint_icon
from studio.palette_list import (
    ROW_ROLE,
    Entry,
    Hit,
    PaletteDelegate,
    PaletteModel,
    rows_for,
    spoken,
)
from studio.theme import theme
from studio.widgets.elided import ElidedLabel
from studio.widgets.empty_state import Glyph
from studio.widgets.keycap import paint_caps
from studio.widgets.painting import border_width, elevation, follow_theme, line, smooth, text_width

__all__ = ["CommandPalette", "Entry"]

Provider = Callable[[], list[Entry]]
_WIDTH, _TOP, _SEARCH, _FOOT, _LIST = 640, 96, 48, 34, 420
_STEPS = {
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Tab: 1,
    Qt.Key.Key_Backtab: -1,
    Qt.Key.Key_PageDown: 8,
    Qt.Key.Key_PageUp: -8,
}
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class CommandPalette(QWidget):
    """Lies over `parent_window` with a scrim; `open(providers)` shows it, `closed` when it goes.

    It deletes itself when closed. Ctrl+Enter opens the menu that holds the picked entry, or says
    in the footer where it is.
    """

    closed = Signal()

    def __init__(self, parent_window: QWidget) -> None:
        super().__init__(parent_window)
        self._window = parent_window
        self._entries: list[Entry] = []
        self._before: QWidget | None = None
        self.setAccessibleName("Command palette")
        self.field = QLineEdit()
        self.field.setAccessibleName("Search actions, nodes, settings and runs")
        self.field.setPlaceholderText("Search")
        self.field.installEventFilter(self)
        self.field.textChanged.connect(self._search)
        self._hint = ElidedLabel("actions, nodes, settings, runs", "micro", "muted")
        self._glyph = Glyph("magnify", 18)
        self.model = PaletteModel(self)
        self.view = QListView()
        self.view.setModel(self.model)
        self.view.setItemDelegate(PaletteDelegate(self.view))
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setMouseTracking(True)
        self.view.setAccessibleName("Results")
        self.view.entered.connect(self._hovered)
        self.view.clicked.connect(lambda _index: self.do_it())
        self._empty = ElidedLabel("", "body", "muted")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignLeft)
        self.foot = _Foot()
        self._lay_out()
        self.restyle()
        self.hide()
        parent_window.installEventFilter(self)
        follow_theme(self.restyle)

    def _lay_out(self) -> None:
        self._card = _Card(self)
        self._head = QHBoxLayout()
        self._head.addWidget(self._glyph)
        self._head.addWidget(self.field, 1)
        self._head.addWidget(self._hint)
        self._column = QVBoxLayout(self._card)
        self._column.setSpacing(0)
        self._column.addLayout(self._head)
        self._middle = QVBoxLayout()
        self._middle.addWidget(self.view)
        self._middle.addWidget(self._empty)
        self._column.addLayout(self._middle, 1)
        self._column.addWidget(self.foot)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        look = theme()
        font = QFont(look.font("title"))
        font.setWeight(QFont.Weight.Normal)
        self.field.setFont(font)
        bare = "background: transparent; border: none; padding: 0;"
        tall = look.px(_SEARCH)
        high = f"min-height: {tall}px; max-height: {tall}px;"
        self.field.setStyleSheet(f"{bare} {high} font-size: {look.px(15)}px;")
        self.view.setStyleSheet(bare)
        self._head.setContentsMargins(look.px(16), 0, look.px(16), 0)
        self._head.setSpacing(look.px(8))
        self._middle.setContentsMargins(look.px(6), look.px(6) + 1, look.px(6), look.px(6))
        self._empty.setContentsMargins(look.px(10), 0, look.px(10), 0)
        self._column.setContentsMargins(1, 0, 1, 1)
        self.foot.setFixedHeight(look.px(_FOOT))
        self._place()

    # -- use -------------------------------------------------------------------------------------

    def open(self, providers: Iterable[Provider]) -> None:
        """Ask the providers for their entries and show the palette; another open one goes."""
        for other in self._window.findChildren(CommandPalette):
            if other is not self and not other.isHidden():
                other.dismiss()
        self._entries = [entry for provider in providers for entry in provider()]
        self._before = QApplication.focusWidget()
        self._search(self.field.text())
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def set_text(self, text: str) -> None:
        """Type for the user, such as "#" for nodes, "@" for those of this graph."""
        self.field.setText(text)

    def picked(self) -> Entry | None:
        """The entry that Enter would do."""
        row = self.view.currentIndex().data(ROW_ROLE)
        return row.entry if isinstance(row, Hit) else None

    def do_it(self) -> None:
        """Do the picked entry; one that cannot be done says why and stays."""
        entry = self.picked()
        if entry is None:
            return
        if entry.disabled_why:
            self.foot.say(f"{entry.text}: {entry.disabled_why}", "information-outline")
            return
        self.dismiss()
        entry.run()

    def show_where(self) -> None:
        """Open the menu with the picked entry, or say where it is."""
        entry = self.picked()
        if entry is None:
            return
        if entry.where and self._open_menu(entry.where.split(" > ")):
            return
        self.foot.say(entry.where or "Only in this list.", "map-marker-outline")

    def dismiss(self) -> None:
        """Go, and give the keyboard back."""
        if self.isHidden():
            return
        self.hide()
        self._window.removeEventFilter(self)
        if self._before is not None:
            try:
                self._before.setFocus()
            except RuntimeError:  # it was deleted meanwhile
                self._window.setFocus()
        self.closed.emit()
        self.deleteLater()

    # -- inner -----------------------------------------------------------------------------------

    def _search(self, text: str) -> None:
        self.model.set_rows(rows_for(text, self._entries))
        self._pick(self.model.first())
        self.view.scrollToTop()
        nothing = not self.model.rows
        self._empty.setText(f'Nothing is called "{text.strip()}".')
        self._empty.setVisible(nothing)
        self.view.setVisible(not nothing)
        self.foot.say("")
        self._place()

    def _pick(self, row: int) -> None:
        index = self.model.index(row, 0)
        self.view.setCurrentIndex(index)
        if row >= 0:
            self.view.scrollTo(index)
            hit = self.model.rows[row]
            if isinstance(hit, Hit) and QAccessible.isActive():
                said = QAccessibleAnnouncementEvent(self.view, spoken(hit.entry))
                QAccessible.updateAccessibility(said)
        self.foot.say("")

    def _hovered(self, index: object) -> None:
        if isinstance(self.model.data(index, ROW_ROLE), Hit):  # type: ignore[arg-type]
            self.view.setCurrentIndex(index)  # type: ignore[arg-type]

    def _place(self) -> None:
        look = theme()
        self.setGeometry(self._window.rect())
        wide = min(look.px(_WIDTH), self.width() - 2 * look.px(16))
        count = self.model.rowCount()
        tall = sum(
            self.view.sizeHintForIndex(self.model.index(row, 0)).height()
            for row in range(min(count, 40))
        )
        room = self.height() - _TOP - look.px(_SEARCH + _FOOT + 12 + 24)
        tall = max(look.px(36), min(tall, look.px(_LIST), room))
        high = look.px(_SEARCH) + look.px(12) + 2 + tall + look.px(_FOOT)
        self._card.setGeometry((self.width() - wide) // 2, look.px(_TOP), wide, high)
        self.update()

    def _open_menu(self, path: list[str]) -> bool:
        bar = self._window.findChild(QMenuBar)
        top = _action_named(bar, path[0]) if bar is not None else None
        menu = top.menu() if top is not None else None
        if bar is None or top is None or not isinstance(menu, QMenu) or len(path) < 2:
            return False
        corner = bar.mapToGlobal(bar.actionGeometry(top).bottomLeft() + QPoint(0, 1))
        self.dismiss()
        menu.popup(corner)
        for name in path[1:]:
            inner = _action_named(menu, name)
            if inner is None:
                break
            menu.setActiveAction(inner)
            deeper = inner.menu()
            if not isinstance(deeper, QMenu):
                break
            menu = deeper
        return True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keys of the field, and the size of the window."""
        if watched is self._window and event.type() == QEvent.Type.Resize:
            self._place()
        if watched is self.field and isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.ShortcutOverride and _is_ours(event):
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress and _is_ours(event):
                self._press(event)
                return True
        return super().eventFilter(watched, event)

    def _press(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Escape:
            self.dismiss()
        elif key in _ENTER and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.show_where()
        elif key in _ENTER:
            self.do_it()
        else:
            self._pick(self.model.next(self.view.currentIndex().row(), _STEPS[key]))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click beside the card closes."""
        if not self._card.geometry().contains(event.position().toPoint()):
            self.dismiss()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Scrim, then the card with its shadows."""
        with smooth(self) as painter:
            painter.fillRect(self.rect(), theme().color("scrim"))
            elevation(painter, QRectF(self._card.geometry()), theme().px(10))


def _is_ours(event: QKeyEvent) -> bool:
    key = Qt.Key(event.key())
    return key in _STEPS or key in _ENTER or key == Qt.Key.Key_Escape


def _action_named(owner: QWidget, text: str) -> QAction | None:
    for action in owner.actions():
        if action.text().replace("&", "").split("\t")[0] == text:
            return action
    return None


class _Card(QWidget):
    """Rule under the search field; the ground is painted below it, with the shadows."""

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = theme()
        with QPainter(self) as painter:
            rule = QRectF(1, look.px(_SEARCH), self.width() - 2, border_width())
            painter.fillRect(rule, look.color("line"))


class _Foot(QWidget):
    """What the keys do; or one sentence about the picked entry."""

    def __init__(self) -> None:
        super().__init__()
        self.sentence = ""
        self._icon = ""

    def say(self, sentence: str, icon: str = "") -> None:
        self.sentence, self._icon = sentence, icon
        self.setAccessibleName(sentence)
        if sentence:
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, sentence))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = theme()
        rect = QRectF(self.rect())
        with smooth(self) as painter:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color("panel"))
            round_ = look.px(10) - 1
            painter.drawRoundedRect(rect, round_, round_)
            painter.fillRect(rect.adjusted(0, 0, 0, -rect.height() / 2), look.color("panel"))
            painter.fillRect(QRectF(0, 0, rect.width(), border_width()), look.color("line"))
            inner = rect.adjusted(look.px(16), 1, -look.px(16), 0)
            if self.sentence:
                self._sentence(painter, inner)
            else:
                self._keys(painter, inner)

    def _sentence(self, painter: QPainter, inner: QRectF) -> None:
        look = theme()
        side = look.px(14)
        spot = QRectF(inner.left(), inner.center().y() - side / 2, side, side)
        paint_icon(painter, self._icon, spot, look.color("muted"))
        words = inner.adjusted(side + look.px(8), 0, 0, 0)
        line(painter, words, self.sentence, look.font("small"), look.color("ink"))

    def _keys(self, painter: QPainter, inner: QRectF) -> None:
        look = theme()
        font, muted = look.font("micro"), look.color("muted")
        left, middle = inner.left(), inner.center().y()
        hints = ((["↑ ↓"], "choose"), (["Enter"], "do it"), (["Ctrl", "Enter"], "show in menu"))
        for keys, words in hints:
            end = paint_caps(painter, left, middle, keys) + look.px(6)
            wide = text_width(font, words) + 1
            line(painter, QRectF(end, inner.top(), wide, inner.height()), words, font, muted)
            left = end + wide + look.px(16)
        right = Qt.AlignmentFlag.AlignRight
        line(painter, inner, "#  nodes     @  in this graph     :  settings", font, muted, right)
