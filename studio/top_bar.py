"""The two rows at the top: menus with the document's name, and tools with the run bar."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenuBar, QPushButton, QVBoxLayout, QWidget

from studio.icons import paint_icon
from studio.theme import theme
from studio.widgets.button import tool

_LOGO_GRID = 32


class Logo(QWidget):
    """The mark: a square that the blade has cut, with the kerf through it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.restyle()
        self.setAccessibleName("Fretsaw")

    def restyle(self) -> None:
        """Grow with the text."""
        self.setFixedSize(theme().px(18), theme().px(18))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the two halves; the cut curves as a fretsaw's does."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(self.width() / _LOGO_GRID, self.height() / _LOGO_GRID)
        whole = QPainterPath()
        whole.addRoundedRect(QRectF(1, 1, 30, 30), 6, 6)
        left = QPainterPath()
        left.lineTo(19, 1)
        left.cubicTo(21, 8, 9, 11, 12, 18)
        left.cubicTo(14, 22.5, 21, 24, 17.5, 31)
        left.lineTo(0, 31)
        left.closeSubpath()
        right = QPainterPath()
        right.moveTo(32, 1)
        right.lineTo(22.5, 1)
        right.cubicTo(24, 8.5, 13.8, 12, 15.6, 17.2)
        right.cubicTo(17.2, 21.5, 23.5, 24, 21.2, 31)
        right.lineTo(32, 31)
        right.closeSubpath()
        painter.fillPath(whole.intersected(left), theme().color("blade"))
        painter.fillPath(whole.intersected(right), theme().color("ink"))
        painter.end()


class SearchButton(QPushButton):
    """Looks like a search field; opens the command palette."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Search actions")
        self.setToolTip("Search actions, nodes, settings and runs")
        self.shortcut_text = "Ctrl K"

    def sizeHint(self) -> QSize:
        """As wide as in the pictures."""
        return QSize(theme().px(236), theme().px(28))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint field, glyph, hint and key cap."""
        look = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        is_lit = self.underMouse() or self.hasFocus()
        painter.setPen(
            look.color("blade" if self.hasFocus() else "border_strong" if is_lit else "line")
        )
        painter.setBrush(look.color("field"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        middle = self.height() / 2
        side = look.px(16)
        glyph = QRectF(8, middle - side / 2, side, side)
        paint_icon(painter, "magnify", glyph, look.color("muted"))
        painter.setPen(look.color("muted"))
        painter.setFont(look.font("body"))
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        room = QRectF(glyph.right() + 6, 0, self.width() - side - look.px(74), self.height())
        painter.drawText(room, flags, "Search actions")
        painter.setFont(look.mono("small", 500))
        width = painter.fontMetrics().horizontalAdvance(self.shortcut_text) + 10
        cap = QRectF(self.width() - width - 7.5, middle - look.px(9) + 0.5, width, look.px(18))
        painter.setPen(look.color("line"))
        painter.setBrush(look.color("panel"))
        painter.drawRoundedRect(cap, 4, 4)
        painter.setPen(look.color("muted"))
        painter.drawText(cap, Qt.AlignmentFlag.AlignCenter, self.shortcut_text)
        painter.end()


class MenuRow(QWidget):
    """Logo, menus, the document's name in the middle, search and theme."""

    def __init__(self, menus: QMenuBar, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._menus = menus
        self._brand = QLabel("Fretsaw", self)
        self._title = QLabel(self)
        self._title.setTextFormat(Qt.TextFormat.PlainText)
        self._title.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._edited = QLabel("edited", self)
        self._edited.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._edited.setProperty("tone", "muted")
        self.search = SearchButton(self)
        self.theme_button = tool("white-balance-sunny", "Change between dark and light")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 0, 12, 0)
        layout.setSpacing(8)
        self._logo = Logo(self)
        layout.addSpacing(2)
        layout.addWidget(self._logo)
        layout.addWidget(self._brand)
        layout.addWidget(menus, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addStretch(1)
        layout.addWidget(self.search)
        layout.addWidget(self.theme_button)
        self.installEventFilter(self)
        theme().changed.connect(self._dress)
        self._dress()

    def set_title(self, name: str, is_edited: bool) -> None:
        """Show the document's name and whether it has changes that are not saved."""
        self._title.setText(name)
        self._edited.setVisible(is_edited)
        self._place_title()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the name in the middle of the window."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest):
            self._place_title()
        return super().eventFilter(watched, event)

    def _place_title(self) -> None:
        self._title.adjustSize()
        self._edited.adjustSize()
        free_left = self._menus.geometry().right() + 12
        free_right = self.search.x() - 12
        extra = self._edited.width() + 4 if not self._edited.isHidden() else 0
        room = max(0, free_right - free_left)
        width = min(self._title.width(), max(0, room - extra))
        self._title.resize(width, self._title.height())
        left = max(free_left, min((self.width() - width - extra) // 2, free_right - width - extra))
        top = (self.height() - self._title.height()) // 2
        self._title.move(left, top)
        self._edited.move(left + width + 4, top)
        self._title.setVisible(width > 24)

    def _dress(self) -> None:
        self.setFixedHeight(theme().px(36))
        self._logo.restyle()
        self._brand.setFont(theme().font("strong"))
        self._title.setFont(theme().font("strong"))
        self._edited.setFont(theme().font("body"))
        name = "weather-night" if not theme().is_dark else "white-balance-sunny"
        self.theme_button.set_icon_name(name)
        self._place_title()


class TopBar(QWidget):
    """Menu row over tool row, with one rule below."""

    resized = Signal()

    def __init__(self, menus: MenuRow, tools: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self.tools = tools
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 1)
        layout.setSpacing(0)
        layout.addWidget(menus)
        layout.addWidget(tools)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the ground and the rule."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color("panel"))
        painter.fillRect(0, self.height() - 1, self.width(), 1, theme().color("line"))
        painter.end()
