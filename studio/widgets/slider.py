"""A slider over floats, linear or logarithmic, with a tick where the default is."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.theme import theme
from studio.widgets.painting import box, follow_theme, smooth

_STEP, _PAGE = 0.01, 0.1


class Slider(QWidget):
    """A float from `low` to `high`; `tick` marks the default.

    `changed(float)` follows every move, `settled(float)` tells that a move by mouse or key ended.
    Arrows step by `step` (else one hundredth of the way), page keys by a tenth of the way, the
    wheel works only with focus. A `log` slider needs `low` above 0 (ValueError).
    """

    changed = Signal(float)
    settled = Signal(float)

    def __init__(
        self,
        low: float,
        high: float,
        value: float,
        log: bool = False,
        tick: float | None = None,
        *,
        step: float | None = None,
        name: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._log, self._step, self._dragging = log, step, False
        self.tick = tick
        self._low, self._high = low, high
        self.set_range(low, high)
        self._value = self._within(value)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        follow_theme(self.restyle)
        self._describe()

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.updateGeometry()
        self.update()

    @property
    def value(self) -> float:
        """The float under the knob."""
        return self._value

    def set_value(self, value: float) -> None:
        """Move the knob without a signal; beyond the ends it stops at the end."""
        self._value = self._within(value)
        self._describe()
        self.update()

    def set_range(self, low: float, high: float) -> None:
        """Change the ends; the knob stays inside. ValueError for an empty or a bad log range."""
        if not low < high or (self._log and low <= 0):
            raise ValueError(f"A slider cannot go from {low} to {high}.")
        self._low, self._high = low, high
        if hasattr(self, "_value"):
            self.set_value(self._value)

    def set_tick(self, tick: float | None) -> None:
        """Mark another default, or none."""
        self.tick = tick
        self.update()

    def fraction_of(self, value: float) -> float:
        """Where `value` lies on the way, 0 to 1."""
        if self._log:
            way = math.log(self._high / self._low)
            return math.log(self._within(value) / self._low) / way
        return (self._within(value) - self._low) / (self._high - self._low)

    def value_at(self, fraction: float) -> float:
        """The float at a place on the way, kept to the step if there is one."""
        if fraction <= 0.0 or fraction >= 1.0:
            return self._low if fraction <= 0.0 else self._high
        if self._log:
            value = self._low * (self._high / self._low) ** fraction
        else:
            value = self._low + (self._high - self._low) * fraction
        if self._step:
            value = self._low + round((value - self._low) / self._step) * self._step
        else:
            value = float(f"{value:.3g}")
        return self._within(value)

    def _within(self, value: float) -> float:
        return min(self._high, max(self._low, float(value)))

    def _describe(self) -> None:
        self.setAccessibleDescription(f"{self._value:g}, from {self._low:g} to {self._high:g}")

    def _move(self, value: float) -> None:
        value = self._within(value)
        if value != self._value:
            self.set_value(value)
            self.changed.emit(value)

    def _nudge(self, way: float) -> None:
        """Move by a share of the way, at least one step."""
        if self._step and not self._log:
            count = max(1, round(abs(way) * (self._high - self._low) / self._step))
            steps = 1 if abs(way) <= _STEP else count
            self._move(self._value + math.copysign(steps * self._step, way))
        else:
            self._move(self.value_at(self.fraction_of(self._value) + way))

    def sizeHint(self) -> QSize:
        """120x24; it grows sideways."""
        return QSize(theme().px(120), theme().px(24))

    def minimumSizeHint(self) -> QSize:
        """Down to 48 px."""
        return QSize(theme().px(48), theme().px(24))

    def _span(self) -> tuple[float, float]:
        half = theme().px(14) / 2 + 2
        return half, max(1.0, self.width() - 2 * half)

    def _fraction_at(self, x: float) -> float:
        left, wide = self._span()
        return (x - left) / wide

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Track, muted fill, tick and knob."""
        with smooth(self) as painter:
            if not self.isEnabled():
                painter.setOpacity(0.45)
            self._paint(painter)

    def _paint(self, painter: QPainter) -> None:
        look = theme()
        left, wide = self._span()
        middle, high = self.height() / 2, look.px(4)
        at = left + wide * self.fraction_of(self._value)
        track = QRectF(left, middle - high / 2, wide, high)
        box(painter, track, high / 2, look.color("line"))
        fill = QRectF(track)
        fill.setRight(at)
        box(painter, fill, high / 2, look.color("muted"))
        if self.tick is not None and self._low <= self.tick <= self._high:
            x = round(left + wide * self.fraction_of(self.tick))
            tall = look.px(10)
            painter.fillRect(QRectF(x, middle - tall / 2, 1, tall), look.color("muted"))
        knob = look.px(14)
        spot = QRectF(at - knob / 2, middle - knob / 2, knob, knob)
        ring = look.color("blade" if self.hasFocus() else "border_strong")
        edge = 2 if self.hasFocus() else 1
        box(painter, spot.adjusted(-edge, -edge, edge, edge), knob, ring)
        box(painter, spot, knob / 2, look.color("card"))
        box(painter, spot.adjusted(3, 3, -3, -3), knob / 2, look.color("ink"))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Jump to the place and follow the mouse."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._dragging = True
            self._move(self.value_at(self._fraction_at(event.position().x())))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the mouse while pressed."""
        if self._dragging:
            self._move(self.value_at(self._fraction_at(event.position().x())))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End of the move."""
        if self._dragging and event.button() == Qt.MouseButton.LeftButton:
            self._dragging = False
            self.settled.emit(self._value)

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Back to the default, if it is marked."""
        if self.tick is not None:
            self._move(self.tick)
            self.settled.emit(self._value)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Step only with focus, so that scrolling a form changes nothing."""
        turn = event.angleDelta().y() or event.angleDelta().x()
        if not self.hasFocus() or not turn:
            event.ignore()
            return
        self._nudge(math.copysign(_STEP, turn))
        self.settled.emit(self._value)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows, page keys, Home and End."""
        key = Qt.Key(event.key())
        ways = {
            Qt.Key.Key_Left: -_STEP,
            Qt.Key.Key_Down: -_STEP,
            Qt.Key.Key_Right: _STEP,
            Qt.Key.Key_Up: _STEP,
            Qt.Key.Key_PageDown: -_PAGE,
            Qt.Key.Key_PageUp: _PAGE,
        }
        before = self._value
        if key in ways:
            self._nudge(ways[key])
        elif key == Qt.Key.Key_Home:
            self._move(self._low)
        elif key == Qt.Key.Key_End:
            self._move(self._high)
        else:
            super().keyPressEvent(event)
            return
        if self._value != before:
            self.settled.emit(self._value)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show focus on the knob."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Hide focus on the knob."""
        super().focusOutEvent(event)
        self.update()

    def hideEvent(self, event: QHideEvent) -> None:
        """A hidden slider is not being dragged."""
        self._dragging = False
        super().hideEvent(event)
