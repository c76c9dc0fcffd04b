"""Paints a line of the log, and lists them: time, level, node, text, details on request."""

from __future__ import annotations

from PySide6.QtCore import (
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from studio.docks.log_lines import LINE, LinesModel, LogLine
from studio.icons import paint_icon
from studio.theme import theme
from studio.widgets.painting import line as draw_line
from studio.widgets.painting import text_width

Index = QModelIndex | QPersistentModelIndex
LOOKS = {
    "info": ("information-outline", "muted", "info"),
    "warning": ("alert", "warn", "warning"),
    "error": ("close-circle-outline", "bad", "error"),
}


class LineDelegate(QStyledItemDelegate):
    """One row of 24 px: time, icon and word of the level, node, text, a chevron for details."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """All rows are as high, so that a hundred thousand of them scroll."""
        return QSize(100, theme().px(24))

    def parts(self, rect: QRect) -> dict[str, QRectF]:
        """Return where the columns of a row are."""
        look = theme()
        x = float(rect.left() + 12)
        found = {}
        for name, width in (("time", 62), ("icon", 20), ("level", 58), ("node", 112)):
            found[name] = QRectF(x, rect.top(), look.px(width) - 8, rect.height())
            x += look.px(width)
        end = rect.right() - 10 - look.px(20)
        found["text"] = QRectF(x, rect.top(), max(0.0, end - x), rect.height())
        found["more"] = QRectF(end, rect.top(), look.px(20), rect.height())
        return found

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint the row."""
        entry = index.data(LINE)
        if not isinstance(entry, LogLine):
            return
        look = theme()
        rect = option.rect
        state = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        is_over = bool(state & QStyle.StateFlag.State_MouseOver)
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, look.color("selected"))
        elif is_over:
            painter.fillRect(rect, look.color("hover"))
        at = self.parts(rect)
        icon, color, word = LOOKS[entry.level]
        hue, muted = look.color(color), look.color("muted")
        ink = muted if entry.level == "info" else look.color("ink")
        draw_line(painter, at["time"], entry.clock, look.mono("small"), muted)
        side = look.px(14)
        spot = QRectF(at["icon"].left(), at["icon"].center().y() - side / 2, side, side)
        paint_icon(painter, icon, spot, hue)
        draw_line(painter, at["level"], word, look.font("small"), ink)
        font = look.font("small")
        font.setWeight(font.Weight.Medium)
        font.setUnderline(is_over and bool(entry.node))
        draw_line(
            painter,
            at["node"],
            entry.node or "run",
            font,
            look.color("ink") if entry.node else muted,
        )
        text_color = look.color("bad") if entry.level == "error" else look.color("ink")
        draw_line(painter, at["text"], entry.text, look.font("small"), text_color)
        if entry.details:
            spot = QRectF(at["more"].left(), at["more"].center().y() - side / 2, side, side)
            paint_icon(painter, "chevron-up", spot, muted)
        painter.restore()


class LinesView(QListView):
    """``wanted(node)``: its name was clicked; ``details()``: the current line's are asked."""

    wanted = Signal(str)
    details = Signal()
    followed = Signal(bool)

    def __init__(self, model: LinesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._follows = True
        self._end = 0
        self._delegate = LineDelegate(self)
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Log")
        model.rowsInserted.connect(self._keep_up)
        model.modelReset.connect(self._keep_up)
        bar = self.verticalScrollBar()
        bar.rangeChanged.connect(self._range_changed)
        bar.valueChanged.connect(self._scrolled)

    @property
    def follows(self) -> bool:
        """Whether new lines scroll into sight: until the user scrolls up."""
        return self._follows

    def follow(self, on: bool = True) -> None:
        """Go to the newest line and stay there, or stay here."""
        if on != self._follows:
            self._follows = on
            self.followed.emit(on)
        self._keep_up()

    def line(self) -> LogLine | None:
        """The current line."""
        entry = self.currentIndex().data(LINE)
        return entry if isinstance(entry, LogLine) else None

    def copied(self) -> str:
        """Return the selected lines, or all of them without a selection, as text."""
        rows = sorted(index.row() for index in self.selectedIndexes())
        model = self.model()
        rows = rows or list(range(model.rowCount()))
        return "\n".join(str(model.index(row, 0).data(LINE)) for row in rows)

    def copy(self) -> None:
        """Put the selected lines, or all of them, on the clipboard."""
        QGuiApplication.clipboard().setText(self.copied())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy; Enter shows details, Ctrl+Enter the node; End follows."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            entry = self.line()
            if event.modifiers() & Qt.KeyboardModifier.ControlModifier and entry and entry.node:
                self.wanted.emit(entry.node)
            else:
                self.details.emit()
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click on a node's name leads to it, one on the chevron to the details."""
        super().mouseReleaseEvent(event)
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        if event.button() != Qt.MouseButton.LeftButton or not plain:
            return
        part, entry = self._hit(event.position().toPoint())
        if part == "node" and entry is not None and entry.node:
            self.wanted.emit(entry.node)
        elif part == "more" and entry is not None and entry.details:
            self.details.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Show by the pointer what can be clicked."""
        super().mouseMoveEvent(event)
        part, entry = self._hit(event.position().toPoint())
        can = entry is not None and bool(entry.node if part == "node" else entry.details)
        hand = can and part in ("node", "more")
        shape = Qt.CursorShape.PointingHandCursor if hand else Qt.CursorShape.ArrowCursor
        self.viewport().setCursor(shape)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show the details of the line."""
        if self.indexAt(event.position().toPoint()).isValid():
            self.details.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the newest line in sight."""
        super().resizeEvent(event)
        self._keep_up()

    def _hit(self, point: QPoint) -> tuple[str, LogLine | None]:
        index = self.indexAt(point)
        entry = index.data(LINE)
        if not isinstance(entry, LogLine):
            return "", None
        at = self._delegate.parts(self.visualRect(index))
        node = at["node"]
        node.setWidth(min(node.width(), text_width(theme().font("small"), entry.node) + 8))
        for name in ("node", "more"):
            if at[name].contains(point):
                return name, entry
        return "", entry

    def _keep_up(self, *_: object) -> None:
        if self._follows:
            self.scrollToBottom()

    def _range_changed(self, _low: int, high: int) -> None:
        self._end = high
        self._keep_up()

    def _scrolled(self, value: int) -> None:
        bar = self.verticalScrollBar()
        if bar.maximum() != self._end:
            return  # the list grew or shrank: nobody scrolled
        is_at_end = value >= bar.maximum()
        if is_at_end != self._follows:
            self._follows = is_at_end
            self.followed.emit(is_at_end)
