"""The well on a card: a curve, pictures, bit columns, bars, a heat map or one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QFont,
    QImage,
    QImageReader,
    QPainter,
    QPainterPath,
    QPen,
    QPolygonF,
    QTextOption,
)

from studio.theme import theme

Kind = Literal["words", "sentence", "curve", "bars", "bits", "heat", "picture"]


@dataclass(frozen=True)
class Preview:
    """What is in the well.

    ``words`` is muted and centred, ``sentence`` is an error in full ink; ``curve`` and ``bars``
    hold shares of 1 in ``values`` (``smooth`` beside them for a curve), ``bits`` holds
    ``(sign, integer, fraction)`` per layer, ``heat`` rows of shares of 1, ``picture`` a file.
    """

    kind: Kind
    text: str = ""
    values: tuple[float, ...] = ()
    smooth: tuple[float, ...] = ()
    bits: tuple[tuple[int, int, int], ...] = ()
    rows: tuple[tuple[float, ...], ...] = ()
    path: str = ""


def paint_preview(painter: QPainter, rect: QRectF, preview: Preview, tone: str) -> None:
    """Paint the well with its content; ``tone`` names the colour of the node's state."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("field"))
    painter.drawRoundedRect(rect, 4, 4)
    clip = QPainterPath()
    clip.addRoundedRect(rect, 4, 4)
    painter.setClipPath(clip, Qt.ClipOperation.IntersectClip)
    painter.translate(rect.topLeft())
    room = QRectF(0, 0, rect.width(), rect.height())
    if preview.kind in ("words", "sentence"):
        _words(painter, room, preview)
    elif preview.kind == "curve":
        _curve(painter, room, preview, tone)
    elif preview.kind == "bars":
        _bars(painter, room, preview.values)
    elif preview.kind == "bits":
        _bits(painter, room, preview.bits)
    elif preview.kind == "heat":
        _heat(painter, room, preview.rows)
    else:
        _picture(painter, room, preview.path)
    painter.restore()


def _words(painter: QPainter, room: QRectF, preview: Preview) -> None:
    font = theme().font("body")
    font.setPixelSize(11)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    painter.setFont(font)
    is_error = preview.kind == "sentence"
    painter.setPen(theme().color("ink" if is_error else "muted"))
    side = Qt.AlignmentFlag.AlignLeft if is_error else Qt.AlignmentFlag.AlignHCenter
    option = QTextOption(side | Qt.AlignmentFlag.AlignVCenter)
    option.setWrapMode(QTextOption.WrapMode.WordWrap)
    text = preview.text if len(preview.text) <= 72 else preview.text[:69].rstrip() + "\u2026"
    painter.drawText(room.adjusted(9, 4, -7, -4), text, option)


def _points(values: Sequence[float], room: QRectF) -> QPolygonF:
    step = (room.width() - 12) / max(len(values) - 1, 1)
    return QPolygonF(
        [QPointF(6 + i * step, room.height() - 6 - v * 36) for i, v in enumerate(values)]
    )


def _curve(painter: QPainter, room: QRectF, preview: Preview, tone: str) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if preview.values:
        painter.setPen(QPen(theme().color("faint_raw", tone), 1))
        painter.drawPolyline(_points(preview.values, room))
    if preview.smooth:
        pen = QPen(theme().color(tone), 1.4)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.drawPolyline(_points(preview.smooth, room))


def _bars(painter: QPainter, room: QRectF, values: Sequence[float]) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("link_idle", "model"))
    step = min(8.4, (room.width() - 16) / max(len(values), 1))
    left = (room.width() - step * len(values)) / 2
    wide = max(step - min(2.4, step * 0.3), 1.0)
    for index, value in enumerate(values):
        height = max(2.0, value * (room.height() - 10))
        box = QRectF(left + index * step, room.height() - 5 - height, wide, height)
        painter.drawRoundedRect(box, min(1.5, wide / 2), min(1.5, wide / 2))


def _bits(painter: QPainter, room: QRectF, columns: Sequence[tuple[int, int, int]]) -> None:
    """One column a layer: the sign on top, integer bits under it, fraction bits at the bottom."""
    painter.setPen(Qt.PenStyle.NoPen)
    most = max((sum(column) for column in columns), default=1) or 1
    high = min(5.0, (room.height() - 8) / most)
    step = min(8.0, (room.width() - 14) / max(len(columns), 1))
    left = (room.width() - step * len(columns) + step * 0.25) / 2
    bottom = (room.height() + high * most) / 2
    colors = (
        theme().color("faint_raw", "muted"),
        theme().color("model"),
        theme().color("link_idle", "data"),
    )
    for index, (sign, integer, fraction) in enumerate(columns):
        kinds = [2] * fraction + [1] * integer + [0] * sign
        for level, kind in enumerate(kinds):
            painter.setBrush(colors[kind])
            box = QRectF(left + index * step, bottom - (level + 1) * high, step * 0.75, high - 1)
            painter.drawRoundedRect(box, min(1.0, high / 4), min(1.0, high / 4))


def _heat(painter: QPainter, room: QRectF, rows: Sequence[Sequence[float]]) -> None:
    if not rows or not rows[0]:
        return
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    high = (room.height() - 8) / len(rows)
    wide = min((room.width() - 12) / len(rows[0]), high * 3)
    left = (room.width() - wide * len(rows[0])) / 2
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            box = QRectF(left + x * wide, 4 + y * high, wide, high)
            painter.fillRect(box, theme().heat(value))


def _picture(painter: QPainter, room: QRectF, path: str) -> None:
    image = thumbnail(path)
    if image.isNull():
        return
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, image.width() > 400)
    wide = (room.width() - 4) / image.width()
    # A sheet of pictures fills the width and shows its first rows; a single picture is seen whole.
    is_sheet = image.width() >= 2 * image.height()
    scale = wide if is_sheet else min(wide, (room.height() - 6) / image.height())
    width, height = image.width() * scale, image.height() * scale
    left, top = (room.width() - width) / 2, max((room.height() - height) / 2, 2.0)
    painter.drawImage(QRectF(left, top, width, height), image)


@lru_cache(maxsize=128)
def thumbnail(path: str) -> QImage:
    """Read a picture small (at most 544 x 144 pixels); an empty image if it cannot be read."""
    reader = QImageReader(path)
    size = reader.size()
    if size.isValid() and (size.width() > 544 or size.height() > 144):
        reader.setScaledSize(size.scaled(QSize(544, 144), Qt.AspectRatioMode.KeepAspectRatio))
    return reader.read()
