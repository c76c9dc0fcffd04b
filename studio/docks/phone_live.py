"""The phone's live picture: camera left of the handle, edit right of it, painted as it comes."""

from __future__ import annotations

import time
from collections import deque

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QImageReader,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.icons import paint_icon
from studio.phone.link import Picture
from studio.phone.phone import Phone
from studio.phone.state import Device
from studio.theme import theme
from studio.widgets.painting import box, line, smooth, text_width

_LARGEST = 2048
"""Side of the largest picture that is decoded at all, in pixels."""
_MEMORY_MB = 64
_RATE_S = 2.0
_RADIUS = 14
_FOOT = 94
_MOST_THUMBS = 4


def decode(jpeg: bytes, most: QSize) -> QImage:
    """Return a JPEG no larger than ``most``; a null image when it is none, or far too large."""
    size = jpeg_size(jpeg)  # first: Qt is given nothing that is far too large, or no JPEG
    if not size.isValid() or max(size.width(), size.height()) > _LARGEST:
        return QImage()
    buffer = QBuffer()
    buffer.setData(QByteArray(jpeg))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer, QByteArray(b"jpeg"))
    if size.width() > most.width() > 0 and size.height() > most.height() > 0:
        reader.setScaledSize(size.scaled(most, Qt.AspectRatioMode.KeepAspectRatioByExpanding))
    limit = QImageReader.allocationLimit()
    QImageReader.setAllocationLimit(_MEMORY_MB if not limit else min(limit, _MEMORY_MB))
    try:
        return reader.read()
    finally:
        QImageReader.setAllocationLimit(limit)


def jpeg_size(data: bytes) -> QSize:
    """Return width and height that a JPEG's frame header tells; an invalid size if it has none.

    Source: ITU-T T.81, B.1.1 and B.2.2.
    """
    if data[:2] != b"\xff\xd8":
        return QSize()
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            width = int.from_bytes(data[at + 7 : at + 9], "big")
            return QSize(width, height) if width and height else QSize()
        if length < 2 or marker == 0xDA:
            return QSize()
        at += 2 + length
    return QSize()


class LivePreview(QWidget):
    """A phone with its picture; only what is painted is decoded, then the credit goes back."""

    picked = Signal(str)
    """An edit's thumbnail was clicked: show it on the phone."""

    def __init__(self, phone: Phone, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._phone = phone
        self.split = 0.37
        self.image = QImage()
        self.painted_frames = 0
        self.damaged = 0
        self._next: Picture | None = None
        self._times: deque[tuple[float, int]] = deque(maxlen=120)
        self._thumbs: dict[str, QImage] = {}
        self._spots: dict[str, QRectF] = {}
        self._is_dragging = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Live picture of the phone")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        phone.link.picture_came.connect(self._came)
        theme().changed.connect(self._restyle)
        self._restyle()

    def sizeHint(self) -> QSize:
        """As the picture of a phone held upright."""
        look = theme()
        return QSize(look.px(228), look.px(304) + look.px(_FOOT) + look.px(14))

    def forget(self) -> None:
        """Show no picture: the phone is gone."""
        self.image, self._next = QImage(), None
        self._times.clear()
        self.update()

    def rate(self) -> tuple[float, float]:
        """Frames a second that were painted of late, and kB a frame."""
        now = time.monotonic()
        while self._times and self._times[0][0] < now - _RATE_S:
            self._times.popleft()
        if not self._times:
            return 0.0, 0.0
        kilobytes = sum(size for _, size in self._times) / len(self._times) / 1000
        return len(self._times) / _RATE_S, kilobytes

    def stage(self) -> QRectF:
        """Where the picture lies."""
        edge = theme().border
        room = QRectF(self.rect()).adjusted(edge, edge, -edge, -edge)
        return room.adjusted(0, 0, 0, -theme().px(_FOOT))

    def set_split(self, share: float) -> None:
        """Move the handle to 0 (only the edit) to 1 (only the camera)."""
        self.split = min(max(share, 0.0), 1.0)
        self.setAccessibleDescription(f"Camera left, edit right, at {self.split:.0%}")
        self.update()

    # -- painting --------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The phone; a picture that waits is decoded now, and its credit given back."""
        self._decode()
        look, rect = theme(), QRectF(self.rect())
        edge = look.border
        inner = rect.adjusted(edge / 2, edge / 2, -edge / 2, -edge / 2)
        with smooth(self) as painter:
            outline = QPainterPath()
            outline.addRoundedRect(inner, _RADIUS, _RADIUS)
            painter.save()
            painter.setClipPath(outline)
            painter.fillRect(rect, QColor(Qt.GlobalColor.black))
            self._paint_stage(painter, self.stage())
            self._paint_foot(painter, self._phone.device)
            painter.restore()
            box(painter, rect, _RADIUS, None, look.color("border_strong"), edge)
            if self.hasFocus():
                box(painter, rect.adjusted(2, 2, -2, -2), _RADIUS - 2, None, look.color("blade"))

    def _decode(self) -> None:
        picture, self._next = self._next, None
        if picture is None:
            return
        side = round(self.stage().height() * self.devicePixelRatioF())
        image = decode(picture.jpeg, QSize(2 * side, side))
        if image.isNull():
            self.damaged += 1
        else:
            self.image = image
            self.painted_frames += 1
            self._times.append((time.monotonic(), len(picture.jpeg)))
        self._phone.link.painted(picture.device)

    def _halves(self) -> tuple[QRectF, QRectF]:
        """Parts of the picture that hold camera and edit, cut to the stage's form."""
        whole = QRectF(self.image.rect())
        wide = whole.width() / 2 if whole.width() >= 1.8 * whole.height() else whole.width()
        stage = self.stage()
        shape = stage.width() / max(1.0, stage.height())
        width = min(wide, whole.height() * shape)
        height = width / shape
        left = (wide - width) / 2
        top = (whole.height() - height) / 2
        first = QRectF(left, top, width, height)
        return first, first.translated(whole.width() - wide, 0)

    def _paint_stage(self, painter: QPainter, stage: QRectF) -> None:
        look = theme()
        if self.image.isNull():
            painter.setPen(_on_black(0.65))
            painter.setFont(look.font("small"))
            text = "The camera waits for a tap on the phone."
            align = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(stage.adjusted(16, 0, -16, 0), align, text)
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        before, after = self._halves()
        if before == after:
            painter.drawImage(stage, self.image, after)
        else:
            cut = self.split
            right = QRectF(stage.left() + stage.width() * cut, stage.top(), 0, stage.height())
            right.setRight(stage.right())
            left = QRectF(stage.topLeft(), right.bottomLeft())
            share = before.width() * cut
            source = QRectF(before.left(), before.top(), share, before.height())
            painter.drawImage(left, self.image, source)
            source = after.adjusted(share, 0, 0, 0)
            painter.drawImage(right, self.image, source)
            self._paint_handle(painter, right.left(), stage)
        device = self._phone.device
        silent = device is not None and self._phone.is_silent(device)
        self._pill(painter, stage, "Silent" if silent else "Live")

    def _paint_handle(self, painter: QPainter, x: float, stage: QRectF) -> None:
        look = theme()
        light, dark = _on_black(), QColor(Qt.GlobalColor.black)
        painter.fillRect(QRectF(x - 1, stage.top(), 2, stage.height()), light)
        side = look.px(22)
        spot = QRectF(x - side / 2, stage.center().y() - side / 2, side, side)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(light)
        painter.drawEllipse(spot)
        inset = side * 0.18
        glyph = spot.adjusted(inset, inset, -inset, -inset)
        paint_icon(painter, "swap-horizontal", glyph, dark)

    def _pill(self, painter: QPainter, stage: QRectF, text: str) -> None:
        look = theme()
        font = look.font("micro")
        spot = QRectF(
            stage.left() + 9, stage.top() + 9, text_width(font, text) + look.px(18), look.px(20)
        )
        ground = QColor(Qt.GlobalColor.black)
        ground.setAlphaF(0.72)
        box(painter, spot, spot.height() / 2, ground)
        line(painter, spot, text, font, _on_black(), Qt.AlignmentFlag.AlignHCenter)

    def _paint_foot(self, painter: QPainter, device: Device | None) -> None:
        look = theme()
        top = self.stage().bottom()
        left, right = look.px(13), self.width() - look.px(13)
        name = self._phone.state.shown_on(device) if device is not None and device.edit else ""
        row = QRectF(left, top + look.px(8), right - left, look.px(20))
        line(painter, row, name or "No edit yet", look.font("strong"), _on_black())
        telemetry = device.telemetry if device is not None else None
        if telemetry is not None:
            words = f"{telemetry.fps:.0f} fps"
            end = Qt.AlignmentFlag.AlignRight
            line(painter, row, words, look.mono("small"), _on_black(0.65), end)
        y = row.bottom() + look.px(9)
        strength = device.strength if device is not None else 1.0
        track = QRectF(left, y - 1.5, right - left, 3)
        box(painter, track, 1.5, _on_black(0.2))
        track.setWidth(track.width() * strength)
        box(painter, track, 1.5, _on_black(0.75))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_on_black())
        painter.drawEllipse(QPointF(track.right(), y), look.px(5), look.px(5))
        self._paint_thumbs(painter, device, QRectF(left, y + look.px(10), right - left, 0))

    def _paint_thumbs(self, painter: QPainter, device: Device | None, row: QRectF) -> None:
        look = theme()
        self._spots = {}
        if device is None:
            return
        ready = [id for id, one in device.edits.items() if one.state == "ready"]
        gap = look.px(5)
        width = (row.width() - 3 * gap) / _MOST_THUMBS
        for n, id in enumerate(ready[-_MOST_THUMBS:]):
            spot = QRectF(row.left() + n * (width + gap), row.top(), width, look.px(36))
            self._spots[id] = spot
            paint_thumb(painter, spot, self._thumb(id), self._phone.state.name_of(id))
            if id == device.edit:
                box(painter, spot, 5, None, look.color("blade"), 2)

    def _thumb(self, id: str) -> QImage:
        edit = self._phone.state.edits.get(id)
        path = edit.thumb if edit is not None else ""
        if path not in self._thumbs:
            self._thumbs[path] = read_thumb(path)
        return self._thumbs[path]

    # -- events ----------------------------------------------------------------------------------

    def _came(self) -> None:
        picture = self._phone.link.take()
        if picture is not None:
            self._next = picture
        if self.isVisible():
            self.update(self.stage().toAlignedRect())

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the handle, or pick a thumbnail."""
        for id, spot in self._spots.items():
            if spot.contains(event.position()):
                self.picked.emit(id)
                return
        if self.stage().contains(event.position()) and not self.image.isNull():
            self._is_dragging = True
            self._split_at(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the handle."""
        if self._is_dragging:
            self._split_at(event.position())

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """Let go."""
        self._is_dragging = False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move the handle."""
        ways = {Qt.Key.Key_Left: -0.05, Qt.Key.Key_Right: 0.05}
        if event.key() in ways:
            self.set_split(self.split + ways[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)

    def _split_at(self, place: QPointF) -> None:
        stage = self.stage()
        self.set_split((place.x() - stage.left()) / max(1.0, stage.width()))


def read_thumb(path: str, side: int = 144) -> QImage:
    """Return an edit's sample picture for a place of ``side`` px; null when there is none."""
    if not path:
        return QImage()
    reader = QImageReader(path)
    size = reader.size()
    if not size.isValid() or max(size.width(), size.height()) > _LARGEST:
        return QImage()
    reader.setScaledSize(size.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatioByExpanding))
    return reader.read()


def paint_thumb(painter: QPainter, spot: QRectF, image: QImage, name: str) -> None:
    """Paint a rounded sample picture that fills ``spot``; without one, the name's first letter."""
    look = theme()
    path = QPainterPath()
    path.addRoundedRect(spot, 5, 5)
    painter.save()
    painter.setClipPath(path, Qt.ClipOperation.IntersectClip)
    if image.isNull():
        painter.fillRect(spot, look.color("tint", "data"))
        painter.setPen(QPen(look.color("data")))
        painter.setFont(look.font("strong"))
        painter.drawText(spot, int(Qt.AlignmentFlag.AlignCenter), name[:1].upper())
    else:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        shape = spot.width() / max(1.0, spot.height())
        width = min(float(image.width()), image.height() * shape)
        source = QRectF(0, 0, width, width / shape)
        source.moveCenter(QRectF(image.rect()).center())
        painter.drawImage(spot, image, source)
    painter.restore()


def _on_black(alpha: float = 1.0) -> QColor:
    """The phone's page is dark in both themes: white with an alpha."""
    color = QColor(Qt.GlobalColor.white)
    color.setAlphaF(alpha)
    return color
