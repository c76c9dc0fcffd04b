"""The on/off switch, 28x16."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFocusEvent, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QCheckBox, QWidget

from studio.theme import theme
from studio.widgets.painting import box, by_keyboard, focus_frame, follow_theme, smooth


class Switch(QCheckBox):
    """A checkable button; `toggled(bool)` tells the new state, Space turns it.

    It is a check box to a screen reader, which has no switch of its own.
    """

    def __init__(
        self, name: str = "", checked: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._framed = False
        self.setChecked(checked)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """The 28x16 track with room for the focus frame: 32x24, the least that is easy to hit."""
        return QSize(theme().px(32), theme().px(24))

    def minimumSizeHint(self) -> QSize:
        """The same."""
        return self.sizeHint()

    def hitButton(self, pos: object) -> bool:
        """The whole widget takes the click."""
        return True

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Track in `line` or blade and the knob."""
        look = theme()
        wide, high = look.px(28), look.px(16)
        left, top = look.px(2), (self.height() - high) / 2
        track = QRectF(left, top, wide, high)
        on = self.isChecked()
        with smooth(self) as painter:
            if not self.isEnabled():
                painter.setOpacity(0.45)
            edge = look.color("muted") if look.is_contrast and not on else None
            ground = look.color("blade" if on else "line")
            box(painter, track, high / 2, ground, edge)
            knob = look.px(12)
            at = track.right() - knob - 2 if on else track.left() + 2
            color = look.color("on_blade" if on else "panel")
            if look.is_contrast and not on:
                color = look.color("ink")
            spot = QRectF(at, track.center().y() - knob / 2, knob, knob)
            box(painter, spot, knob / 2, color)
            if self.hasFocus() and self._framed:
                around = track.adjusted(-2, -2, 2, 2)
                focus_frame(painter, around, high / 2 + 2, look.color("ink" if on else "blade"))

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the frame only when focus came by a key."""
        self._framed = by_keyboard(event)
        QAbstractButton.focusInEvent(self, event)
