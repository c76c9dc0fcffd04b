"""The kerf: a thin line that the blade cuts through from left to right."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.theme import theme
from studio.widgets.painting import box, follow_theme, smooth

_FILLS = {
    "failed": "bad",
    "crashed": "bad",
    "cancelled": "muted",
    "done": "good",
    "finished": "good",
}


def paint_kerf(
    painter: QPainter, rect: QRectF, fraction: float | None, state: str = "running"
) -> None:
    """Draw the line into `rect`, cut up to `fraction` (None: not begun)."""
    look = theme()
    round_ = rect.height() / 2 if rect.height() > 2 else 0
    box(painter, rect, round_, look.color("line"))
    if fraction:
        cut = QRectF(rect)
        cut.setWidth(rect.width() * min(1.0, max(0.0, fraction)))
        box(painter, cut, round_, look.color(_FILLS.get(state, "blade")))


class KerfBar(QWidget):
    """The kerf as a widget, `thickness` px high."""

    def __init__(self, thickness: int = 2, name: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thickness, self._name = thickness, name
        self._fraction: float | None = None
        self._state = "idle"
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.updateGeometry()
        self.update()

    @property
    def fraction(self) -> float | None:
        """The shown share."""
        return self._fraction

    def set(self, fraction: float | None, state: str = "running") -> None:
        """Cut up to `fraction`, 0 to 1; the state sets the colour."""
        if (fraction, state) == (self._fraction, self._state):
            return
        self._fraction, self._state = fraction, state
        share = "" if fraction is None else f"{fraction:.0%}"
        self.setAccessibleName(" ".join(part for part in (self._name, state, share) if part))
        self.update()

    def sizeHint(self) -> QSize:
        """132 px wide; it grows."""
        return QSize(theme().px(132), self._thickness)

    def minimumSizeHint(self) -> QSize:
        """Down to 24 px."""
        return QSize(theme().px(24), self._thickness)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The line."""
        with smooth(self) as painter:
            paint_kerf(painter, QRectF(self.rect()), self._fraction, self._state)
