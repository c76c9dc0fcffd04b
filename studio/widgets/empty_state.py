"""What a dock shows while it has nothing: an icon, one sentence, one button."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from studio.icons import paint_icon
from studio.theme import theme
from studio.widgets.button import plain
from studio.widgets.painting import follow_theme, smooth


class Glyph(QWidget):
    """One icon of `size` px in a colour name; decoration, so without a name of its own."""

    def __init__(
        self, icon: str, size: int = 24, color: str = "muted", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.icon, self.size_px, self.color = icon, size, color
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.updateGeometry()
        self.update()

    def set(self, icon: str, color: str | None = None) -> None:
        """Show another glyph."""
        self.icon, self.color = icon, color or self.color
        self.update()

    def sizeHint(self) -> QSize:
        """The square."""
        return QSize(theme().px(self.size_px), theme().px(self.size_px))

    def minimumSizeHint(self) -> QSize:
        """The same."""
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The glyph in the middle."""
        side = theme().px(self.size_px)
        spot = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
        with smooth(self) as painter:
            paint_icon(painter, self.icon, spot, theme().color(self.color))


class EmptyState(QWidget):
    """Icon 24, `sentence`, and a button that calls `callback`; no button without a text."""

    def __init__(
        self,
        icon: str,
        sentence: str,
        button_text: str = "",
        callback: Callable[[], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._callback = callback
        self.glyph = Glyph(icon)
        self.label = QLabel(sentence)
        self.label.setWordWrap(True)
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setProperty("tone", "muted")
        self.button = plain(button_text)
        self.button.setVisible(bool(button_text))
        self.button.clicked.connect(self._call)
        self._column = QVBoxLayout(self)
        self._column.addStretch(1)
        for part in (self.glyph, self.label, self.button):
            place = Qt.AlignmentFlag(0) if part is self.label else Qt.AlignmentFlag.AlignHCenter
            self._column.addWidget(part, 0, place)
        self._column.addStretch(1)
        self.setAccessibleName(sentence)
        self.restyle()
        follow_theme(self.restyle)

    def set(
        self,
        sentence: str,
        button_text: str = "",
        callback: Callable[[], object] | None = None,
        icon: str | None = None,
    ) -> None:
        """Say something else."""
        self.label.setText(sentence)
        self.setAccessibleName(sentence)
        self.button.setText(button_text)
        self.button.setVisible(bool(button_text))
        self._callback = callback
        if icon:
            self.glyph.set(icon)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        look = theme()
        self._column.setContentsMargins(look.px(16), look.px(12), look.px(16), look.px(12))
        self._column.setSpacing(look.px(8))
        self.label.setFont(look.font("small"))

    def _call(self) -> None:
        if self._callback is not None:
            self._callback()
