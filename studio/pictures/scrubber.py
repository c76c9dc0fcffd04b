"""Steps of something that changes over a run: one tick each, the last one followed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QFontMetricsF,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QWidget

from studio.icons import paint_icon
from studio.pictures import axes
from studio.theme import theme

_PLAY_MS = 500


class Scrubber(QWidget):
    """A row of ticks. It follows the newest step until it is moved away from the end."""

    moved = Signal(int)

    def __init__(self, noun: str = "Step", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.noun = noun
        self.names: list[str] = []
        self.index = -1
        self.follows = True
        self._timer = QTimer(self)
        self._timer.setInterval(_PLAY_MS)
        self._timer.timeout.connect(self._advance)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        theme().changed.connect(self._restyle)
        self._tell()

    def set_steps(self, names: Sequence[str], index: int | None = None) -> None:
        """Show these steps; ``index`` or the end if it follows. Silent."""
        self.names = list(names)
        if index is not None:
            self.index = index
            self.follows = index >= len(self.names) - 1
        elif self.follows or self.index >= len(self.names):
            self.index = len(self.names) - 1
        self._tell()
        self.update()

    def move_to(self, index: int) -> None:
        """Go to a step, as the user does; at the end it follows again."""
        index = min(max(index, 0), len(self.names) - 1)
        if index >= 0 and index != self.index:
            self.index = index
            self.follows = index == len(self.names) - 1
            self._tell()
            self.update()
            self.moved.emit(index)

    @property
    def is_playing(self) -> bool:
        """Whether the steps pass by themselves."""
        return self._timer.isActive()

    def play(self, on: bool) -> None:
        """Let the steps pass, from the start where it stands at the end."""
        if on and len(self.names) > 1:
            if self.index >= len(self.names) - 1:
                self.move_to(0)
            self._timer.start()
        else:
            self._timer.stop()
        self.update()

    def _advance(self) -> None:
        if self.index >= len(self.names) - 1:
            self.play(False)
        else:
            self.move_to(self.index + 1)

    def _tell(self) -> None:
        name = self.names[self.index] if 0 <= self.index < len(self.names) else "none"
        self.setAccessibleName(f"{self.noun} {name}, {self.index + 1} of {len(self.names)}")
        tail = ", follows the newest" if self.follows else ""
        self.setToolTip(f"{self.noun} {name}{tail}. Left and Right move, Space plays.")

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()

    # -- geometry --------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """32 px high, as wide as there is room."""
        return QSize(theme().px(260), theme().px(32))

    def minimumSizeHint(self) -> QSize:
        """Down to 120 px."""
        return QSize(theme().px(120), theme().px(32))

    def _label(self) -> tuple[str, str]:
        if not 0 <= self.index < len(self.names):
            return f"No {self.noun.lower()}s", ""
        name = self.names[self.index]
        return f"{self.noun} {name}", f" {self.index + 1} of {len(self.names)}"

    def _track(self) -> tuple[float, float]:
        metrics = QFontMetricsF(theme().font("strong"))
        names = [f"{self.noun} {n}" for n in (*self.names[-1:], *self._label()[:1])]
        wide = max((metrics.horizontalAdvance(n) for n in names), default=0.0)
        tail = f" {len(self.names)} of {len(self.names)}"
        wide += QFontMetricsF(theme().font("small")).horizontalAdvance(tail) + theme().px(16)
        left = float(theme().px(32))
        return left, max(left + 20, self.width() - wide - theme().px(8))

    def tick_x(self, index: int) -> float:
        """Pixel of a tick."""
        left, right = self._track()
        return left + (right - left) * (index / max(1, len(self.names) - 1))

    def _index_at(self, x: float) -> int:
        left, right = self._track()
        share = (x - left) / max(1.0, right - left)
        return round(min(max(share, 0.0), 1.0) * (len(self.names) - 1))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Play, ticks, label."""
        look = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, side = self.height() / 2, look.px(16)
        glyph = QRectF(look.px(6), middle - side / 2, side, side)
        can_play = len(self.names) > 1
        paint_icon(
            painter,
            "pause" if self.is_playing else "play",
            glyph,
            look.color("muted" if can_play else "disabled_ink"),
        )
        left, right = self._track()
        pitch = (right - left) / max(1, len(self.names) - 1)
        every = max(1, round(5 / pitch)) if pitch < 5 and self.names else 1
        for n in range(len(self.names)):
            is_now = n == self.index
            if n % every and not is_now:
                continue
            high, wide = look.px(14 if is_now else 9), look.px(3 if is_now else 2)
            color = "blade" if is_now else "muted" if n < self.index else "border_strong"
            x = self.tick_x(n)
            painter.fillRect(QRectF(x - wide / 2, middle - high / 2, wide, high), look.color(color))
        strong, faint = self._label()
        x = right + look.px(16)
        painter.setFont(look.font("strong"))
        painter.setPen(look.color("ink"))
        words = QFontMetricsF(painter.font()).horizontalAdvance(strong)
        painter.drawText(QRectF(x, 0, words + 4, self.height()), axes.LEFT, strong)
        painter.setFont(look.font("small"))
        painter.setPen(look.color("muted"))
        painter.drawText(QRectF(x + words, 0, self.width(), self.height()), axes.LEFT, faint)
        if self.hasFocus():
            painter.setPen(look.color("blade"))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

    # -- events ----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """The glyph plays, a tick is gone to."""
        if event.position().x() < theme().px(26):
            self.play(not self.is_playing)
        elif self.names:
            self.play(False)
            self.move_to(self._index_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Dragging scrubs."""
        if event.buttons() & Qt.MouseButton.LeftButton and event.position().x() > theme().px(26):
            self.move_to(self._index_at(event.position().x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left, Right, Home, End, Space."""
        key = Qt.Key(event.key())
        to = {
            Qt.Key.Key_Left: self.index - 1,
            Qt.Key.Key_Right: self.index + 1,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: len(self.names) - 1,
        }
        if key in to:
            self.play(False)
            self.move_to(to[key])
        elif key == Qt.Key.Key_Space:
            self.play(not self.is_playing)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus frame."""
        self.update()
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Hide the focus frame."""
        self.update()
        super().focusOutEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        """What is not seen does not play."""
        self._timer.stop()
        super().hideEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Repaint when it is enabled or disabled."""
        self.update()
        super().changeEvent(event)
