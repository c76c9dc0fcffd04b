"""Pictures of a cup of coffee before and after an edit, for the examples that edit photos."""

from __future__ import annotations

import random
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from studio.icons import paint_icon
from studio.theme import theme

Tone = tuple[str, float]
"""A colour's name and its share beside the ground."""


@dataclass(frozen=True)
class Hand:
    """How the cup is painted: tones of ground, saucer, cup, coffee, foam, and with what strokes.

    ``strokes`` is "" for flat discs, "arcs" of a brush, "dots", or "lines" of a pen.
    """

    tones: tuple[Tone, Tone, Tone, Tone, Tone]
    strokes: str = ""


def _hands() -> dict[str, Hand]:
    china = "ink" if theme().is_dark else "card"
    photo: tuple[Tone, ...] = (
        *(("bad", 0.55), ("bad", 0.85)),
        *((china, 0.9), ("blade", 0.55), ("blade", 0.9)),
    )
    return {
        "photo": Hand(photo),  # type: ignore[arg-type]
        "brush": Hand(
            (("model", 0.55), ("model", 0.9), ("data", 0.75), ("warn", 0.75), ("warn", 0.95)),
            "arcs",
        ),
        "old": Hand(
            (("blade", 0.18), ("blade", 0.34), (china, 0.62), ("blade", 0.26), ("warn", 0.6))
        ),
        "dots": Hand(
            (("data", 0.4), ("data", 0.7), (china, 0.85), ("good", 0.6), ("warn", 0.9)), "dots"
        ),
        "pen": Hand(
            (("muted", 0.1), ("muted", 0.2), (china, 0.55), ("muted", 0.4), (china, 0.5)), "lines"
        ),
        "night": Hand(
            (("result", 0.3), ("chip", 0.6), ("result", 0.85), ("chip", 0.85), ("result", 0.95)),
            "arcs",
        ),
    }


def paint_phone(painter: QPainter, rect: QRectF) -> None:
    """Paint a cup as the camera sees it and, right of a slanted cut, as brush strokes."""
    look = theme()
    top, low = rect.left() + rect.width() * 0.54, rect.left() + rect.width() * 0.46
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _paint_cup(painter, rect, "photo")
    painter.save()
    _clip_between(painter, rect, (top, low), (rect.right(), rect.right()))
    _paint_cup(painter, rect, "brush")
    painter.restore()
    painter.setPen(QPen(_blank(), 2))
    painter.drawLine(QPointF(top, rect.top()), QPointF(low, rect.bottom()))
    middle = QPointF((top + low) / 2, rect.center().y())
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_blank())
    painter.drawEllipse(middle, 11, 11)
    glyph = QRectF(middle.x() - 8, middle.y() - 8, 16, 16)
    dark = look.color("bench" if look.is_dark else "ink")
    paint_icon(painter, "swap-horizontal", glyph, dark)


_BEFORE = (0.5, 0.72, 0.92, 0.92, 0.92, 0.92, 0.72, 0.5)
"""Heights of the layers of an hourglass network in the picture."""
_KEPT = (0.3, 0.22, 0.2, 0.14, 0.24, 0.18, 0.26, 0.34)


def paint_shrink_gan(painter: QPainter, rect: QRectF) -> None:
    """Paint a photo, the layers that it goes through with what is kept of each, and the edit."""
    look = theme()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    side = min(rect.height() * 0.62, rect.width() * 0.26)
    edge = max(12.0, rect.width() * 0.045)
    y = rect.center().y() - side / 2
    first = QRectF(rect.left() + edge, y, side, side)
    last = QRectF(rect.right() - edge - side, y, side, side)
    _paint_tile(painter, first, "photo")
    _paint_tile(painter, last, "old")
    room = last.left() - first.right()
    pitch = room / (len(_BEFORE) + 1.4)
    painter.setPen(Qt.PenStyle.NoPen)
    for n, (whole, kept) in enumerate(zip(_BEFORE, _KEPT, strict=True)):
        x = first.right() + pitch * (n + 1.2) - pitch * 0.3
        for share, color in ((1.0, look.color("link_dim", "model")), (kept, look.color("blade"))):
            height = rect.height() * 0.86 * whole * share
            painter.setBrush(color)
            bar = QRectF(x, rect.center().y() - height / 2, pitch * 0.6, height)
            painter.drawRoundedRect(bar, 2, 2)


def paint_concepts(painter: QPainter, rect: QRectF) -> None:
    """Paint one cup in strips, each edited in its own way, below each the adapter that does it."""
    hands = ("photo", "brush", "dots", "pen", "night")
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    lean = rect.width() * 0.04
    width = rect.width() / len(hands)
    cuts = [
        (rect.left() + n * width + lean, rect.left() + n * width - lean) for n in range(len(hands))
    ]
    cuts = [(rect.left() - lean, rect.left() - lean), *cuts[1:], (rect.right() + lean,) * 2]
    for n, hand in enumerate(hands):
        painter.save()
        _clip_between(painter, rect, cuts[n], cuts[n + 1])
        _paint_cup(painter, rect, hand)
        painter.restore()
    painter.setPen(QPen(_blank(), 1.5))
    for top, low in cuts[1:-1]:
        painter.drawLine(QPointF(top, rect.top()), QPointF(low, rect.bottom()))
    for n in range(1, len(hands)):
        x = rect.left() + (n + 0.5) * width - lean * 0.72
        _paint_adapter(painter, QPointF(x, rect.bottom() - 22))


def _paint_adapter(painter: QPainter, middle: QPointF) -> None:
    """Paint B times A, a tall matrix and a flat one, on a small card."""
    look = theme()
    card = QRectF(0, 0, 44, 28)
    card.moveCenter(middle)
    painter.setPen(QPen(look.color("border_strong"), 1))
    painter.setBrush(look.color("card"))
    painter.drawRoundedRect(card, 6, 6)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(look.color("blade"))
    painter.drawRoundedRect(QRectF(card.left() + 9, card.top() + 5, 5, 18), 1, 1)
    painter.drawRoundedRect(QRectF(card.left() + 18, card.top() + 5, 18, 5), 1, 1)


def _paint_tile(painter: QPainter, spot: QRectF, hand: str) -> None:
    shape = QPainterPath()
    shape.addRoundedRect(spot, 8, 8)
    painter.save()
    painter.setClipPath(shape, Qt.ClipOperation.IntersectClip)
    _paint_cup(painter, spot, hand, 0.58)
    painter.restore()
    painter.setPen(QPen(theme().color("border_strong"), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(shape)


def _clip_between(
    painter: QPainter, rect: QRectF, left: tuple[float, float], right: tuple[float, float]
) -> None:
    """Clip to what lies between two slanted lines, each given by its x at the top and below."""
    shape = QPainterPath(QPointF(left[0], rect.top()))
    shape.lineTo(right[0], rect.top())
    shape.lineTo(right[1], rect.bottom())
    shape.lineTo(left[1], rect.bottom())
    shape.closeSubpath()
    painter.setClipPath(shape, Qt.ClipOperation.IntersectClip)


def _blank() -> QColor:
    return theme().color("ink" if theme().is_dark else "card")


def _paint_cup(painter: QPainter, rect: QRectF, name: str, scale: float = 1.0) -> None:
    """Paint a cup from above on its saucer, by the hand of that name."""
    hand = _hands()[name]
    ground, saucer, rim, coffee, foam = (
        theme().mix("bench", color, share) for color, share in hand.tones
    )
    painter.fillRect(rect, ground)
    middle = QPointF(rect.center().x(), rect.center().y() + rect.height() * 0.1 * scale)
    side = min(rect.height(), rect.width()) * scale
    painter.setPen(Qt.PenStyle.NoPen)
    for radius, color in ((0.86, saucer), (0.62, rim), (0.53, coffee), (0.2, foam)):
        painter.setBrush(color)
        painter.drawEllipse(middle, side * radius, side * radius * 0.86)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    tones = (foam, coffee, rim, saucer, ground)
    if hand.strokes == "arcs":
        _brush_arcs(painter, middle, side, tones)
    elif hand.strokes == "dots":
        _brush_dots(painter, rect, middle, side, tones)
    elif hand.strokes == "lines":
        _pen_lines(painter, rect, middle, side)


def _tone(tones: tuple[QColor, ...], distance: float) -> QColor:
    """The colour of the cup at a distance from its middle, in sides of the picture."""
    ends = (0.2, 0.53, 0.62, 0.86)
    return tones[sum(distance > end for end in ends)]


def _brush_arcs(painter: QPainter, middle: QPointF, side: float, tones: tuple[QColor, ...]) -> None:
    chance = random.Random(7)
    for n in range(150):
        radius = side * (0.05 + 1.35 * n / 150)
        hue = tones[min(4, int(radius / side * 4.2))]
        tone = hue.lighter(118) if chance.random() < 0.5 else hue.darker(128)
        painter.setPen(QPen(tone, 2.2, c=Qt.PenCapStyle.RoundCap))
        ring = QRectF(0, 0, 2 * radius, 2 * radius * 0.86)
        ring.moveCenter(middle)
        for _ in range(3):
            painter.drawArc(ring, chance.randrange(5760), 350 + chance.randrange(420))


def _brush_dots(
    painter: QPainter, rect: QRectF, middle: QPointF, side: float, tones: tuple[QColor, ...]
) -> None:
    chance = random.Random(11)
    painter.setPen(Qt.PenStyle.NoPen)
    step = max(5.0, side / 22)
    y = rect.top()
    while y < rect.bottom() + step:
        x = rect.left()
        while x < rect.right() + step:
            spot = QPointF(x + chance.uniform(-1, 1), y + chance.uniform(-1, 1))
            gap = spot - middle
            distance = (gap.x() ** 2 + (gap.y() / 0.86) ** 2) ** 0.5 / side
            hue = _tone(tones, distance)
            painter.setBrush(hue.lighter(124) if chance.random() < 0.5 else hue.darker(124))
            size = step * chance.uniform(0.28, 0.46)
            painter.drawEllipse(spot, size, size)
            x += step
        y += step
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _pen_lines(painter: QPainter, rect: QRectF, middle: QPointF, side: float) -> None:
    ink = theme().color("ink")
    painter.setPen(QPen(ink, 1.6))
    for radius in (0.86, 0.62, 0.53, 0.2):
        painter.drawEllipse(middle, side * radius, side * radius * 0.86)
    painter.save()
    ring, hole = QPainterPath(), QPainterPath()
    ring.addEllipse(middle, side * 0.53, side * 0.53 * 0.86)
    hole.addEllipse(middle, side * 0.2, side * 0.2 * 0.86)
    painter.setClipPath(ring - hole, Qt.ClipOperation.IntersectClip)
    painter.setPen(QPen(ink, 0.9))
    x = rect.left() - rect.height()
    while x < rect.right():
        painter.drawLine(QPointF(x, rect.bottom()), QPointF(x + rect.height(), rect.top()))
        x += 6
    painter.restore()
