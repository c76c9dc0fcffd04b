"""Strokes that several widgets share: rounded boxes, focus frames, flat elevation, elided words."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFocusEvent, QFont, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QWidget

from studio.theme import theme

SHADOW_DEPTH = 12
"""Pixels that elevation 2 needs below and beside a popover."""

_KEYS = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


def follow_theme(restyle: Callable[[], None]) -> None:
    """Call `restyle` (a bound method of a QObject, so it ends with the object) on theme changes."""
    theme().changed.connect(restyle)


def by_keyboard(event: QFocusEvent) -> bool:
    """Whether focus came by a key, so that it deserves a visible frame."""
    return event.reason() in _KEYS


def smooth(widget: QWidget) -> QPainter:
    """A painter on `widget` with antialiasing; end it (or use it as a context manager)."""
    painter = QPainter(widget)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    return painter


def border_width() -> float:
    """1 px, or 2 px in the high-contrast themes."""
    return 2.0 if theme().is_contrast else 1.0


def box(
    painter: QPainter,
    rect: QRectF,
    radius: float,
    fill: QColor | None = None,
    edge: QColor | None = None,
    width: float | None = None,
) -> None:
    """A rounded box with its border inside `rect`."""
    stroke = (border_width() if width is None else width) if edge is not None else 0.0
    inner = rect.adjusted(stroke / 2, stroke / 2, -stroke / 2, -stroke / 2)
    painter.setPen(QPen(edge, stroke) if edge is not None else Qt.PenStyle.NoPen)
    painter.setBrush(fill if fill is not None else Qt.BrushStyle.NoBrush)
    round_ = max(0.0, radius - stroke / 2)
    painter.drawRoundedRect(inner, round_, round_)


def focus_frame(painter: QPainter, rect: QRectF, radius: float, color: QColor) -> None:
    """Two pixels of `color` inside `rect`: the mark of keyboard focus."""
    box(painter, rect, radius, None, color, 2.0)


def elevation(painter: QPainter, rect: QRectF, radius: float = 10, fill: str = "card") -> None:
    """Level 2: three flat rounded rectangles below `rect`, then the card with a strong border."""
    look = theme()
    ground = QColor(Qt.GlobalColor.black) if look.is_dark else look.color("ink")
    for dy, grow, alpha in ((12, -4, 0.10), (6, -2, 0.18), (2, 0, 0.28)):
        shade = QColor(ground)
        shade.setAlphaF(alpha if look.is_dark else alpha / 2)
        box(painter, rect.adjusted(-grow, dy - grow, grow, dy + grow), radius, shade)
    box(painter, rect, radius, look.color(fill), look.color("border_strong"))


def text_width(font: QFont, text: str) -> float:
    """Advance width of one line of `text` in pixels."""
    return QFontMetricsF(font).horizontalAdvance(text)


def line(
    painter: QPainter,
    rect: QRectF,
    text: str,
    font: QFont,
    color: QColor,
    align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
) -> None:
    """One line of `text`, elided at the right to fit `rect`, centred vertically."""
    shown = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, rect.width() + 0.5)
    painter.setFont(font)
    painter.setPen(color)
    painter.drawText(rect, int(align | Qt.AlignmentFlag.AlignVCenter), shown)
