"""Two pictures on one stage: alone, with a slider between them, blinking, or their difference."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QFontMetricsF,
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from studio.docks.image_store import DIFFERENCE_SCALE, Difference
from studio.icons import paint_icon
from studio.pictures import axes
from studio.theme import theme

MODES = ("one", "slider", "blink", "difference")
_BLINK_MS = 600
_MOST_ZOOM = 32.0


class Stage(QWidget):
    """Shows picture A and, in three ways, picture B."""

    blink_asked = Signal()
    stepped = Signal(int)
    zoom_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.a: QImage | None = None
        self.b: QImage | None = None
        self.labels = ("", "")
        self.words = ""
        self.waits = False  # picture B is on its way
        self.difference: Difference | None = None
        self.mode = "one"
        self.split = 0.5
        self.shows_b = False
        self.zoom: float | None = None  # None: as large as fits
        self._pan = QPointF()
        self._drag: tuple[str, QPointF] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_BLINK_MS)
        self._timer.timeout.connect(self.flip)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(120, 90)
        self.setAccessibleName("Picture")
        theme().changed.connect(self.update)

    # -- what is shown ---------------------------------------------------------------------------

    def set_pictures(
        self, a: QImage | None, b: QImage | None, labels: tuple[str, str], words: str = ""
    ) -> None:
        """Show these; ``words`` stand where there is no picture A."""
        self.a, self.b, self.labels, self.words = a, b, labels, words
        self._tell()
        self.update()

    def set_difference(self, found: Difference | None) -> None:
        """Show this map in the mode *difference*."""
        self.difference = found
        self._tell()
        self.update()

    def set_mode(self, mode: str) -> None:
        """Choose one of :data:`MODES`."""
        self.mode = mode
        self.shows_b = False
        self._run_timer()
        self._tell()
        self.update()

    def flip(self) -> None:
        """Blink by hand: the other picture."""
        self.shows_b = not self.shows_b
        self._tell()
        self.update()

    def _run_timer(self) -> None:
        if self.mode == "blink" and self.isVisible() and not theme().reduced_motion:
            self._timer.start()
        else:
            self._timer.stop()

    @property
    def is_blinking(self) -> bool:
        """Whether the pictures change by themselves."""
        return self._timer.isActive()

    def _tell(self) -> None:
        shown = {
            "one": self.labels[0],
            "slider": f"{self.labels[0]} left, {self.labels[1]} right, at {self.split:.0%}",
            "blink": self.labels[1 if self.shows_b else 0],
            "difference": self.difference.words if self.difference else "no difference yet",
        }
        self.setAccessibleDescription(self.words or shown[self.mode])

    def result(self) -> QImage | None:
        """What is shown, pixel by pixel, for a file."""
        if self.mode == "difference":
            found = self.difference
            return found.image if found is not None and not found.image.isNull() else None
        if self.mode == "blink" and self.shows_b:
            return self.b
        if self.mode != "slider" or self.a is None or self.b is None:
            return self.a
        image = self.a.copy()
        cut = round(image.width() * self.split)
        painter = QPainter(image)
        right = QRectF(cut, 0, image.width() - cut, image.height())
        share = self.b.width() / image.width()
        source = QRectF(cut * share, 0, self.b.width() - cut * share, self.b.height())
        painter.drawImage(right, self.b, source)
        painter.end()
        return image

    # -- geometry --------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """As a small photograph."""
        return QSize(theme().px(420), theme().px(280))

    def _room(self) -> QRectF:
        look = theme()
        foot = look.px(28) if self.mode == "difference" else 0
        return QRectF(self.rect()).adjusted(12, 8, -12, -8 - foot)

    def scale(self) -> float:
        """Pixels of the screen for one of the picture."""
        if self.a is None or self.a.isNull():
            return 1.0
        room = self._room()
        fit = min(room.width() / self.a.width(), room.height() / self.a.height())
        return max(0.01, fit if self.zoom is None else self.zoom)

    def picture_rect(self) -> QRectF:
        """Where picture A lies."""
        if self.a is None:
            return QRectF()
        scale, room = self.scale(), self._room()
        rect = QRectF(0, 0, self.a.width() * scale, self.a.height() * scale)
        rect.moveCenter(room.center() + self._pan)
        return rect

    def handle(self) -> QRectF:
        """The slider's handle: 34 px, on the visible part of the picture."""
        side = theme().px(34)
        seen = self.picture_rect().intersected(self._room())
        x = self.picture_rect().left() + self.picture_rect().width() * self.split
        return QRectF(x - side / 2, seen.center().y() - side / 2, side, side)

    def set_zoom(self, zoom: float | None, at: QPointF | None = None) -> None:
        """Zoom, keeping the place under ``at``; None fits the picture into the room."""
        if zoom is None:
            self.zoom, self._pan = None, QPointF()
        else:
            before, rect = self.scale(), self.picture_rect()
            at = at or self._room().center()
            inner = (at - rect.topLeft()) / before
            self.zoom = min(max(zoom, 0.05), _MOST_ZOOM)
            moved = self.picture_rect()
            self._pan += at - (moved.topLeft() + inner * self.scale())
            self._keep_in()
        self.zoom_changed.emit(self.scale())
        self.update()

    def _keep_in(self) -> None:
        rect, room = self.picture_rect(), self._room()
        slack = QSize(
            int(max(0.0, (rect.width() - room.width()) / 2)),
            int(max(0.0, (rect.height() - room.height()) / 2)),
        )
        self._pan = QPointF(
            min(max(self._pan.x(), -slack.width()), slack.width()),
            min(max(self._pan.y(), -slack.height()), slack.height()),
        )

    # -- painting --------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """The picture or pictures, labels, the colour bar of a difference."""
        painter, look = QPainter(self), theme()
        painter.fillRect(self.rect(), look.color("panel"))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.a is None:
            self._say(painter, self.words)
        elif self.mode == "one" or (self.b is None and self.mode != "difference"):
            self._draw(painter, self.a)
            if self.mode != "one":
                self._say(painter, self._second(), True)
            self._pill(painter, self.labels[0], True)
        elif self.mode == "slider":
            self._paint_slider(painter)
        elif self.mode == "blink":
            picture = self.b if self.shows_b else self.a
            if picture is not None:
                self._draw(painter, picture)
            self._pill(painter, self.labels[1 if self.shows_b else 0], not self.shows_b)
        else:
            self._paint_difference(painter)
        if self.hasFocus():
            painter.setPen(QPen(look.color("blade"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

    def _draw(self, painter: QPainter, image: QImage, clip: QRectF | None = None) -> None:
        painter.save()
        painter.setClipRect(self._room() if clip is None else clip.intersected(self._room()))
        # Pixels stay pixels when they grow; only what shrinks is smoothed.
        is_smaller = self.picture_rect().width() < image.width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, is_smaller)
        painter.drawImage(self.picture_rect(), image)
        painter.restore()

    def _paint_slider(self, painter: QPainter) -> None:
        look, rect = theme(), self.picture_rect()
        if self.a is None or self.b is None:
            return
        x = rect.left() + rect.width() * self.split
        self._draw(painter, self.a, QRectF(rect.topLeft(), QPointF(x, rect.bottom())))
        self._draw(painter, self.b, QRectF(QPointF(x, rect.top()), rect.bottomRight()))
        self._pill(painter, self.labels[0], True)
        self._pill(painter, self.labels[1], False)
        seen = rect.intersected(self._room())
        painter.setPen(Qt.PenStyle.NoPen)
        light = look.color("ink" if look.is_dark else "card")
        dark = look.color("bench" if look.is_dark else "ink")
        painter.fillRect(QRectF(x - 1, seen.top(), 2, seen.height()), light)
        handle = self.handle()
        painter.setPen(QPen(dark, 1))
        painter.setBrush(light)
        painter.drawEllipse(handle)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        inset = look.px(9)
        glyph = handle.adjusted(inset, inset, -inset, -inset)
        paint_icon(painter, "swap-horizontal", glyph, dark)

    def _paint_difference(self, painter: QPainter) -> None:
        look, found = theme(), self.difference
        if self.b is None:
            self._say(painter, self._second())
            return
        if found is None:
            self._say(painter, "Comparing ...")
            return
        if found.image.isNull():
            self._say(painter, f"{found.words} They cannot be compared pixel by pixel.")
            return
        self._draw(painter, found.image)
        self._pill(painter, f"{self.labels[0]} against {self.labels[1]}", True)
        room = self._room()
        foot = QRectF(room.left(), room.bottom() + 6, room.width(), look.px(22))
        unit = f"of 255, fixed scale; {found.words}"
        axes.color_bar(painter, foot, 0, DIFFERENCE_SCALE, unit, look.heat)

    def _second(self) -> str:
        return "Reading ..." if self.waits else "Pick a second picture to compare with."

    def _pill(self, painter: QPainter, text: str, is_left: bool) -> None:
        if not text:
            return
        look = theme()
        seen = self.picture_rect().intersected(self._room())
        painter.setFont(look.font("micro"))
        metrics = QFontMetricsF(painter.font())
        share = 2 if self.mode == "slider" else 1
        most = max(40.0, seen.width() / share - look.px(16))
        wide = min(metrics.horizontalAdvance(text) + look.px(18), most)
        high = look.px(20)
        x = seen.left() + look.px(8) if is_left else seen.right() - wide - look.px(8)
        pill = QRectF(max(x, 2.0), seen.top() + look.px(8), wide, high)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.color("card"))
        painter.drawRoundedRect(pill, high / 2, high / 2)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(look.color("ink"))
        inner = pill.adjusted(look.px(6), 0, -look.px(6), 0)
        axes.elided(painter, inner, axes.CENTER, text)

    def _say(self, painter: QPainter, text: str, at_foot: bool = False) -> None:
        look = theme()
        painter.setFont(look.font("small"))
        painter.setPen(look.color("muted"))
        wrap = int(Qt.TextFlag.TextWordWrap)
        room = self._room()
        if at_foot:
            strip = QRectF(room.left(), room.bottom() - look.px(22), room.width(), look.px(22))
            painter.fillRect(strip, look.color("panel"))
            painter.drawText(strip, axes.LEFT, text)
        else:
            painter.drawText(room, int(Qt.AlignmentFlag.AlignLeft) | wrap, text)

    # -- events ----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the handle, or the picture."""
        if event.button() != Qt.MouseButton.LeftButton or self.a is None:
            return
        place = event.position()
        near = abs(place.x() - self.handle().center().x()) <= theme().px(17)
        if self.mode == "slider" and self.b is not None and (near or self.zoom is None):
            self._drag = ("split", place)
            self._split_at(place.x())
        else:
            self._drag = ("pan", place)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move what was taken."""
        if self._drag is None:
            return
        what, last = self._drag
        if what == "split":
            self._split_at(event.position().x())
        else:
            self._pan += event.position() - last
            self._keep_in()
            self._drag = (what, event.position())
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._drag = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Fit again."""
        self.set_zoom(None)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the pointer."""
        turns = event.angleDelta().y() / 120
        if turns and self.a is not None:
            self.set_zoom(self.scale() * 1.25**turns, event.position())
            event.accept()

    def _split_at(self, x: float) -> None:
        rect = self.picture_rect()
        if rect.width() > 0:
            self.set_split((x - rect.left()) / rect.width())

    def set_split(self, share: float) -> None:
        """Move the slider to 0 (only B) to 1 (only A)."""
        self.split = min(max(share, 0.0), 1.0)
        self._tell()
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move the slider or the step, B blinks, Space flips, + - 0 zoom."""
        key = event.key()
        step = 0.10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 0.02
        ways = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if key in ways and self.mode == "slider":
            self.set_split(self.split + ways[Qt.Key(key)] * step)
        elif key in ways:
            self.stepped.emit(ways[Qt.Key(key)])
        elif key == Qt.Key.Key_B:
            self.blink_asked.emit()
        elif key == Qt.Key.Key_Space and self.mode == "blink":
            self._timer.stop()
            self.flip()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.set_zoom(self.scale() * 1.25)
        elif key == Qt.Key.Key_Minus:
            self.set_zoom(self.scale() / 1.25)
        elif key == Qt.Key.Key_0:
            self.set_zoom(None)
        else:
            super().keyPressEvent(event)

    def showEvent(self, event: object) -> None:
        """Blink again."""
        self._run_timer()

    def hideEvent(self, event: QHideEvent) -> None:
        """What is not seen does not blink."""
        self._timer.stop()
        super().hideEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus frame."""
        self.update()
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Hide the focus frame."""
        self.update()
        super().focusOutEvent(event)
