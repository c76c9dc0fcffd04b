"""Keys of a shortcut drawn as caps."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.theme import theme
from studio.widgets.painting import box, follow_theme, line, smooth, text_width

_GAP = 4


def keys_of(shortcut: str) -> list[str]:
    """The keys of "Ctrl+Shift+C", also of "Ctrl++" and "+"."""
    parts = [part for part in shortcut.replace("++", "+\0").split("+") if part]
    keys = ["+" if part == "\0" else part.strip() for part in parts]
    return keys or (["+"] if shortcut == "+" else [])


def _font() -> QFont:
    return theme().mono("small", 500)


def caps_width(keys: list[str]) -> float:
    """Width of the caps of `keys` with their gaps, in pixels."""
    font, pad, gap = _font(), theme().px(12), theme().px(_GAP)
    return sum(text_width(font, key) + pad for key in keys) + gap * max(0, len(keys) - 1)


def paint_caps(painter: QPainter, left: float, middle: float, keys: list[str]) -> float:
    """Draw the caps from `left` around the height `middle`; returns the right end."""
    look = theme()
    font, high, gap = _font(), look.px(18), look.px(_GAP)
    for key in keys:
        wide = text_width(font, key) + look.px(12)
        cap = QRectF(left, middle - high / 2, wide, high)
        box(painter, cap, look.px(4), look.color("panel"), look.color("line"))
        line(painter, cap.adjusted(1, 0, 1, 0), key, font, look.color("muted"), _CENTRE)
        left += wide + gap
    return left - gap


_CENTRE = Qt.AlignmentFlag.AlignHCenter


class KeyCap(QWidget):
    """The caps of one shortcut, such as "Ctrl+K"."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keys = keys_of(text)
        self.setAccessibleName(text)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.updateGeometry()
        self.update()

    def set_text(self, text: str) -> None:
        """Show another shortcut."""
        self._keys = keys_of(text)
        self.setAccessibleName(text)
        self.restyle()

    def sizeHint(self) -> QSize:
        """18 px high."""
        return QSize(int(caps_width(self._keys) + 1), theme().px(18))

    def minimumSizeHint(self) -> QSize:
        """The same."""
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The caps."""
        with smooth(self) as painter:
            paint_caps(painter, 0, self.height() / 2, self._keys)
