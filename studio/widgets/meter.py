"""A small bar with its name and figure, as in the status bar."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.theme import theme
from studio.widgets.painting import box, follow_theme, line, smooth, text_width

_BUSY = 0.85


class Meter(QWidget):
    """`label`, a bar of 44x4 px, then a figure; the bar turns blade above 85 %."""

    def __init__(self, label: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label, self._text, self._fraction = label, "", 0.0
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(label)
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.updateGeometry()
        self.update()

    def set(self, fraction: float | None, text: str) -> None:
        """Show a share (0 to 1, None: no bar is filled) and its figure with unit."""
        wide = len(text) != len(self._text)
        self._fraction = min(1.0, max(0.0, fraction or 0.0))
        self._text = text
        self.setAccessibleName(f"{self._label} {text}")
        if wide:
            self.updateGeometry()
        self.update()

    @property
    def is_high(self) -> bool:
        """Above 85 %."""
        return self._fraction > _BUSY

    def sizeHint(self) -> QSize:
        """Label, bar and figure with 6 px between."""
        look = theme()
        words = text_width(look.font("small"), self._label)
        figure = text_width(look.number("small"), self._text)
        return QSize(int(words + figure + 2) + look.px(44) + 2 * look.px(6), look.px(20))

    def minimumSizeHint(self) -> QSize:
        """The same."""
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Label, bar, figure."""
        look = theme()
        gap, high = look.px(6), look.px(4)
        words = text_width(look.font("small"), self._label)
        everywhere = QRectF(self.rect())
        with smooth(self) as painter:
            line(painter, everywhere, self._label, look.font("small"), look.color("muted"))
            bar = QRectF(words + gap, (self.height() - high) / 2, look.px(44), high)
            edge = look.color("muted") if look.is_contrast else None
            box(painter, bar, high / 2, look.color("plot_grid"), edge, 1)
            if self._fraction > 0:
                bar.setWidth(max(high, bar.width() * self._fraction))
                box(painter, bar, high / 2, look.color("blade" if self.is_high else "muted"))
            spot = everywhere.adjusted(words + 2 * gap + look.px(44), 0, 1, 0)
            line(
                painter,
                spot,
                self._text,
                look.number("small"),
                look.color("ink"),
                Qt.AlignmentFlag.AlignLeft,
            )
