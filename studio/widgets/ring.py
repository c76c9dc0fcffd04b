"""The state ring: what a node, a run or the whole program is doing."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QHideEvent, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QWidget

from studio.icons import paint_icon
from studio.theme import theme
from studio.tokens import token
from studio.widgets.painting import follow_theme, smooth

_GLYPHS = {
    "queued": ("clock-outline", "muted"),
    "cancelling": ("stop", "blade"),
    "done": ("check", "good"),
    "finished": ("check", "good"),
    "cached": ("cached", "good"),
    "warning": ("alert", "warn"),
    "masked_only": ("alert", "warn"),
    "failed": ("close", "bad"),
    "crashed": ("close", "bad"),
    "cancelled": ("cancel", "muted"),
}
_CIRCLES = {
    "done": "good",
    "finished": "good",
    "warning": "warn",
    "masked_only": "warn",
    "failed": "bad",
    "crashed": "bad",
    "cancelled": "muted",
}
_SIZE, _STROKE, _GLYPH = 22.0, 2.5, 13.2
_HIGHLIGHT = 20.0
_FRAME_MS = 50


def _circle_color(state: str) -> QColor:
    look = theme()
    if state == "cached":
        return look.color("faint_raw", "good")
    return look.color(_CIRCLES.get(state, "line"))


def _arc(painter: QPainter, rect: QRectF, start: float, degrees: float, pen: QPen) -> None:
    """Clockwise from `start` degrees after twelve o'clock."""
    painter.setPen(pen)
    painter.drawArc(rect, round((90.0 - start) * 16), round(-degrees * 16))


def paint_ring(
    painter: QPainter,
    rect: QRectF,
    state: str,
    fraction: float | None = 0.0,
    phase: float | None = 0.0,
) -> None:
    """Draw the ring of `state` into the square `rect`.

    `fraction` 0 to 1 is the arc of a running one (None: unknown, only the highlight turns);
    `phase` 0 to 1 is where the highlight is, None leaves it out. Unknown states look idle.
    """
    look = theme()
    size = min(rect.width(), rect.height())
    scale = size / _SIZE
    stroke = _STROKE * scale
    inset = 2.0 * scale
    circle = QRectF(
        rect.center().x() - size / 2, rect.center().y() - size / 2, size, size
    ).adjusted(inset, inset, -inset, -inset)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(_circle_color(state), stroke))
    painter.drawEllipse(circle)
    blade = look.color("blade")
    if state == "running":
        pen = QPen(blade, stroke, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
        if fraction:
            _arc(painter, circle, 0.0, 360.0 * min(1.0, fraction), pen)
        if phase is not None:
            pen.setColor(look.mix("blade", "ink", 0.6) if fraction else blade)
            _arc(painter, circle, 360.0 * phase, _HIGHLIGHT, pen)
    elif state == "cancelling":
        pen = QPen(blade, stroke, Qt.PenStyle.CustomDashLine, Qt.PenCapStyle.FlatCap)
        pen.setDashPattern([4.0 / _STROKE, 5.0 / _STROKE])
        _arc(painter, circle, 0.0, 360.0, pen)
    if state in _GLYPHS:
        name, color = _GLYPHS[state]
        glyph = _GLYPH * scale
        middle = rect.center()
        spot = QRectF(middle.x() - glyph / 2, middle.y() - glyph / 2, glyph, glyph)
        paint_icon(painter, name, spot, look.color(color))
    painter.restore()


class Ring(QWidget):
    """The ring as a widget of `size` px; it animates only while running, visible and allowed to."""

    def __init__(
        self,
        state: str = "idle",
        fraction: float | None = 0.0,
        size: int = 22,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state, self._fraction, self._size = state, fraction, size
        self._clock = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setInterval(_FRAME_MS)
        self._timer.timeout.connect(self.update)
        self._describe()
        follow_theme(self.restyle)

    @property
    def state(self) -> str:
        """The shown state."""
        return self._state

    @property
    def fraction(self) -> float | None:
        """The shown share, 0 to 1."""
        return self._fraction

    @property
    def is_turning(self) -> bool:
        """Whether the highlight moves now."""
        return self._timer.isActive()

    def set(self, state: str, fraction: float | None = 0.0) -> None:
        """Show another state and share."""
        if (state, fraction) == (self._state, self._fraction):
            return
        self._state, self._fraction = state, fraction
        self._describe()
        self._wind()
        self.update()

    def restyle(self) -> None:
        """Take new sizes, colours and the wish for reduced motion."""
        self.updateGeometry()
        self._wind()
        self.update()

    def _describe(self) -> None:
        word = {"finished": "finished", "crashed": "stopped"}.get(self._state)
        if word is None:
            word = theme().state(self._state)[2]
        if self._state == "running" and self._fraction is not None:
            word = f"{word}, {self._fraction:.0%}"
        self.setAccessibleName(word)
        self.setToolTip(word)

    def _wind(self) -> None:
        turning = self._state == "running" and self.isVisible() and not theme().reduced_motion
        if turning and not self._timer.isActive():
            self._clock.start()
            self._timer.start()
        elif not turning:
            self._timer.stop()

    def sizeHint(self) -> QSize:
        """The square."""
        return QSize(theme().px(self._size), theme().px(self._size))

    def minimumSizeHint(self) -> QSize:
        """The same."""
        return self.sizeHint()

    def showEvent(self, event: QShowEvent) -> None:
        """Begin to turn if it runs."""
        super().showEvent(event)
        self._wind()

    def hideEvent(self, event: QHideEvent) -> None:
        """No timer behind a hidden window."""
        super().hideEvent(event)
        self._timer.stop()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The ring at this moment."""
        turn = max(1, int(token("motion.ring_turn")))
        phase = (self._clock.elapsed() % turn) / turn if self._timer.isActive() else None
        with smooth(self) as painter:
            paint_ring(painter, QRectF(self.rect()), self._state, self._fraction, phase)
