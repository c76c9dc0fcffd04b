"""What moves on the canvas: eased changes, and the clock of running nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QEasingCurve, QElapsedTimer, QObject, QTimer, QVariantAnimation

from studio.theme import theme
from studio.tokens import token

if TYPE_CHECKING:
    from studio.editor.view import GraphView

FRAME_MS = 50


class Eased(QObject):
    """Calls ``show`` with 0 to 1 over the time that the look gives to ``name``."""

    def __init__(self, parent: QObject, name: str, show: Callable[[float], None]) -> None:
        super().__init__(parent)
        self._name = name
        self._show = show
        self._animation = QVariantAnimation(self)
        self._animation.setStartValue(0.0)
        self._animation.setEndValue(1.0)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._animation.valueChanged.connect(self._step)

    def start(self) -> None:
        """Begin anew; with reduced motion the end is there at once."""
        self._animation.stop()
        duration = theme().motion(self._name)
        if duration <= 0:
            self._show(1.0)
            return
        self._animation.setDuration(duration)
        self._animation.start()

    def stop(self) -> None:
        """Stay where it is."""
        self._animation.stop()

    @property
    def is_moving(self) -> bool:
        """Whether it is on its way."""
        return self._animation.state() == QVariantAnimation.State.Running

    def _step(self, value: object) -> None:
        if isinstance(value, float):
            self._show(value)


class Pulse(QObject):
    """The clock of rings and pulses: 20 frames a second while a node runs and can be seen."""

    def __init__(self, view: GraphView) -> None:
        super().__init__(view)
        self._view = view
        self._clock = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._tick)

    @property
    def is_running(self) -> bool:
        """Whether anything moves now."""
        return self._timer.isActive()

    def wind(self) -> None:
        """Run if there is something to show, else stop."""
        scene = self._view.scene()
        if scene.running and self._view.isVisible() and not theme().reduced_motion:
            if not self._timer.isActive():
                self._clock.start()
                self._timer.start()
        else:
            self.stop()

    def stop(self) -> None:
        """Stop; rings and links rest."""
        if self._timer.isActive():
            self._timer.stop()
            self._view.scene().tick(None, None)

    def _tick(self) -> None:
        elapsed = self._clock.elapsed()
        turn, step = int(token("motion.ring_turn")), int(token("motion.pulse"))
        self._view.scene().tick(elapsed % turn / turn, elapsed % step / step)
