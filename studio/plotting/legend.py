"""The legend above the plots: a click hides a curve, a double click shows it alone."""

from __future__ import annotations

from collections.abc import Hashable

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QEnterEvent, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QLayout, QLayoutItem, QWidget

from studio.plotting.curve import Curve
from studio.plotting.pens import faint, make_pen
from studio.theme import theme
from studio.widgets.painting import focus_frame, line, text_width


class LegendEntry(QAbstractButton):
    """One curve: a piece of its line, its name, and what it is in ``muted``."""

    toggled_curve = Signal(object)
    soloed = Signal(object)
    hovered = Signal(object)
    """The key while the mouse or the focus is here, else None."""

    def __init__(self, curve: Curve, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.curve = curve
        self._swallow = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.clicked.connect(self._clicked)
        self.show_curve(curve)

    def show_curve(self, curve: Curve) -> None:
        """Show this curve's words and pen."""
        is_same = (curve.name, curve.about) == (self.curve.name, self.curve.about)
        self.curve = curve
        state = "hidden" if curve.is_hidden else "shown"
        words = " ".join(filter(None, (curve.name, curve.about)))
        self.setAccessibleName(f"{words}, {state}")
        self.setToolTip("Click hides or shows it, double click shows it alone")
        if not is_same:
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as its words."""
        look = theme()
        width = look.px(22) + text_width(look.font("small"), self.curve.name)
        if self.curve.about:
            width += look.px(6) + text_width(look.font("small"), self.curve.about)
        return QSize(int(width + 1) + look.px(4), look.px(24))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint line and words; a hidden curve is faint and struck through."""
        look = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        curve, middle = self.curve, self.height() / 2
        color = faint(curve.color) if curve.is_hidden else curve.color
        painter.setPen(make_pen(color, 2.0, curve.dash))
        painter.drawLine(QPointF(2, middle), QPointF(2 + look.px(14), middle))
        font = look.font("small")
        font.setStrikeOut(curve.is_hidden)
        left = float(look.px(22))
        name_width = text_width(look.font("small"), curve.name)
        ink = look.color("muted" if curve.is_hidden else "ink")
        line(painter, QRectF(left, 0, name_width, self.height()), curve.name, font, ink)
        if curve.about:
            left += name_width + look.px(6)
            rest = QRectF(left, 0, self.width() - left, self.height())
            line(painter, rest, curve.about, look.font("small"), look.color("muted"))
        if self.hasFocus():
            focus_frame(painter, QRectF(self.rect()), look.px(4), look.color("blade"))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show this curve alone; the release that follows is no click."""
        self._swallow = True
        super().mouseDoubleClickEvent(event)
        self.soloed.emit(self.curve.key)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter shows the curve alone; the space bar is a click."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.soloed.emit(self.curve.key)
            return
        super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Emphasise the curve."""
        super().enterEvent(event)
        self.hovered.emit(self.curve.key)

    def leaveEvent(self, event: QEvent) -> None:
        """Emphasise nothing."""
        super().leaveEvent(event)
        self.hovered.emit(None)

    def _clicked(self) -> None:
        if self._swallow:
            self._swallow = False
            return
        self.toggled_curve.emit(self.curve.key)


class FlowLayout(QLayout):
    """Items side by side, broken into rows where the width ends."""

    def __init__(self, parent: QWidget | None = None, gap: int = 12) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self._gap = gap

    def addItem(self, item: QLayoutItem) -> None:
        """Take an item at the end."""
        self._items.append(item)

    def count(self) -> int:
        """Number of items."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """The item at an index."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Give an item away."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def hasHeightForWidth(self) -> bool:
        """The height depends on the width."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Height that the rows need."""
        return self._place(QRect(0, 0, width, 0), is_real=False)

    def setGeometry(self, rect: QRect) -> None:
        """Place the items."""
        super().setGeometry(rect)
        self._place(rect, is_real=True)

    def sizeHint(self) -> QSize:
        """The least that is needed."""
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        """Room for the highest item."""
        heights = [item.sizeHint().height() for item in self._items]
        return QSize(theme().px(80), max(heights, default=0))

    def _place(self, rect: QRect, *, is_real: bool) -> int:
        x, y, row = rect.x(), rect.y(), 0
        for item in self._items:
            widget = item.widget()
            if widget is not None and widget.isHidden():
                continue
            hint = item.sizeHint()
            if x > rect.x() and x + hint.width() > rect.right() + 1:
                x, y, row = rect.x(), y + row, 0
            if is_real:
                item.setGeometry(
                    QRect(QPoint(x, y), QSize(min(hint.width(), rect.width()), hint.height()))
                )
            x += hint.width() + theme().px(self._gap)
            row = max(row, hint.height())
        return y + row - rect.y()


class Legend(QWidget):
    """The entries of all curves, and how the lines are to be read."""

    toggled_curve = Signal(object)
    soloed = Signal(object)
    hovered = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: dict[Hashable, LegendEntry] = {}
        self._flow = FlowLayout(self)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self.sample = BandSample(self)
        self._flow.addWidget(self.sample)
        self.setAccessibleName("Legend")

    @property
    def entries(self) -> list[LegendEntry]:
        """The entries in their order."""
        return list(self._entries.values())

    def show_curves(self, curves: list[Curve]) -> None:
        """Show one entry a curve; entries that stay are kept, so focus is not lost."""
        wanted = {curve.key: curve for curve in curves}
        if list(wanted) == list(self._entries):
            for key, curve in wanted.items():
                self._entries[key].show_curve(curve)
            return
        for part in (*self._entries.values(), self.sample):
            self._flow.removeWidget(part)
        for key in [key for key in self._entries if key not in wanted]:
            self._entries.pop(key).deleteLater()
        kept, self._entries = self._entries, {}
        for key, curve in wanted.items():
            entry = kept.get(key) or self._make(curve)
            entry.show_curve(curve)
            self._entries[key] = entry
            self._flow.addWidget(entry)
            entry.show()
        self._flow.addWidget(self.sample)
        self._flow.invalidate()
        self._flow.activate()  # at once: entries must never lie on each other

    def _make(self, curve: Curve) -> LegendEntry:
        entry = LegendEntry(curve, self)
        entry.toggled_curve.connect(self.toggled_curve)
        entry.soloed.connect(self.soloed)
        entry.hovered.connect(self.hovered)
        return entry


class BandSample(QWidget):
    """A swatch of band and raw line with the words for them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = ""

    def set_text(self, text: str) -> None:
        """Say how the lines are to be read."""
        if text != self.text:
            self.text = text
            self.setAccessibleName(text)
            self.setToolTip("A curve of few points is smoothed less: over a tenth of its points")
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """As wide as its words."""
        look = theme()
        metrics = QFontMetricsF(look.font("small"))
        return QSize(int(look.px(22) + metrics.horizontalAdvance(self.text) + 2), look.px(24))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint swatch and words."""
        look = theme()
        painter = QPainter(self)
        middle = self.height() / 2
        box = QRectF(2, middle - look.px(5), look.px(14), look.px(10))
        painter.fillRect(box, look.mix("panel", "muted", 0.16))
        painter.setPen(make_pen(look.mix("panel", "muted", 0.5), 1.0))
        painter.drawLine(QPointF(box.left(), middle), QPointF(box.right(), middle))
        rest = QRectF(look.px(22), 0, self.width() - look.px(22), self.height())
        line(painter, rest, self.text, look.font("small"), look.color("muted"))
