"""The picture of a node: a plain description of what it shows, its measures, and its painting."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF

from studio.editor.card_preview import Preview, paint_preview
from studio.editor.ports import PortFace, PortSpot
from studio.icons import paint_icon
from studio.theme import theme
from studio.tokens import token
from studio.widgets.ring import paint_ring

WIDTH = float(token("node.width"))
HEADER = float(token("node.header"))
ROW = float(token("node.port_row"))
PREVIEW = float(token("node.preview"))
STRIPE = float(token("node.stripe"))
RADIUS = float(token("node.radius"))
FOOTER = 25.0
KERF = 2.0
EDGE = 8.0
"""Room around a card for ports, the outline of a picked card and the badge."""

_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_BORDERS = {"running": "blade", "cancelling": "blade", "failed": "bad", "crashed": "bad"}
_CUT = ("running", "cancelling", "cancelled", "crashed")
_FOOTERS = {"running": "blade", "failed": "bad", "crashed": "bad", "warning": "warn"}


@dataclass(frozen=True)
class NodeFace:
    """What a card shows. Times and figures are words already; ``percent`` is a share of 1."""

    title: str
    summary: str = ""
    label: str = ""
    icon: str = "cube-outline"
    hue: str = "muted"
    state: str = "idle"
    percent: float | None = None
    left: str = ""
    right: str = ""
    preview: Preview | None = None
    inputs: tuple[PortFace, ...] = ()
    outputs: tuple[PortFace, ...] = ()
    missing: frozenset[str] = frozenset()
    problems: int = 0
    has_error: bool = False
    bypass: bool = False
    masked_only: bool = False
    unknown: bool = False
    collapsed: bool = False

    @property
    def words(self) -> str:
        """The card as a sentence, for those who hear it."""
        parts = [f"{self.title} {self.label}".strip(), theme().state(self.state)[2]]
        parts += [text for text in (self.left, self.right, self.summary) if text]
        if self.bypass:
            parts.insert(1, "bypassed")
        if self.collapsed:
            parts.append("collapsed")
        if self.problems:
            parts.append(f"{self.problems} problem{'s' if self.problems > 1 else ''}")
        return ", ".join(dict.fromkeys(parts))


class CardPlan:
    """Where things are on a card of so many ports: the same for every card of that shape.

    One that is collapsed has its head alone, and its ports beside that.
    """

    def __init__(
        self,
        inputs: tuple[PortFace, ...],
        outputs: tuple[PortFace, ...],
        preview: bool,
        mask: bool,
        collapsed: bool = False,
    ) -> None:
        self.collapsed = collapsed
        self.badge = QRectF(WIDTH - 12, -6, 16, 16)
        if collapsed:
            self.preview = None
            self.height = 1 + HEADER + KERF + 1 + (STRIPE if mask else 0)
            self.footer = self.remedy = QRectF()
            self.stripe = QRectF(1, 1 + HEADER + KERF, WIDTH - 2, STRIPE) if mask else None
            self.rect = QRectF(0, 0, WIDTH, self.height)
            self.spots = tuple(
                PortSpot(face, QPointF(x, 1 + HEADER * (index + 1) / (len(faces) + 1)))
                for x, faces in ((0.0, inputs), (WIDTH - 1, outputs))
                for index, face in enumerate(faces)
            )
            return
        rows = max(len(inputs), len(outputs))
        top = 1 + HEADER + KERF + 5
        self.preview = QRectF(9, top + rows * ROW + 3, WIDTH - 18, PREVIEW) if preview else None
        below = top + rows * ROW + 3 + (PREVIEW + 4 if preview else 0)
        self.footer = QRectF(11, below, WIDTH - 22, FOOTER)
        self.stripe = QRectF(1, below + FOOTER, WIDTH - 2, STRIPE) if mask else None
        self.height = below + FOOTER + (STRIPE if mask else 0) + 1
        self.rect = QRectF(0, 0, WIDTH, self.height)
        self.remedy = QRectF(WIDTH / 2, below, WIDTH / 2, FOOTER)
        self.spots = tuple(
            PortSpot(face, QPointF(x, top + index * ROW + ROW / 2 - 1))
            for x, faces in ((0.0, inputs), (WIDTH - 1, outputs))
            for index, face in enumerate(faces)
        )


@lru_cache(maxsize=256)
def card_plan(
    inputs: tuple[PortFace, ...],
    outputs: tuple[PortFace, ...],
    preview: bool,
    mask: bool = False,
    collapsed: bool = False,
) -> CardPlan:
    """Return the measures of a card; cards of one kind share them."""
    return CardPlan(inputs, outputs, preview, mask, collapsed)


def plan_of(face: NodeFace) -> CardPlan:
    """Return the measures that a face needs."""
    has_well = face.preview is not None
    return card_plan(face.inputs, face.outputs, has_well, face.masked_only, face.collapsed)


def card_font(pixels: float, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """Inter at a size of the canvas: the user's text scale is in the zoom of the view instead."""
    font = theme().font("body")
    font.setPixelSize(round(pixels))
    font.setWeight(weight)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return font


def tone_of(state: str) -> str:
    """Name of the colour of a state."""
    return theme().state(state)[0]


def border_of(face: NodeFace, hovered: bool = False) -> QColor:
    """Return the colour of a card's edge."""
    if face.state in _BORDERS:
        return theme().color(_BORDERS[face.state])
    if face.state == "warning":
        return theme().color("link_idle", "warn")
    return theme().color("border_strong" if hovered else "line")


def paint_card(
    painter: QPainter,
    face: NodeFace,
    plan: CardPlan,
    *,
    hovered: bool = False,
    phase: float | None = None,
    detail: int = 2,
) -> None:
    """Paint a card without its ports; ``detail`` 2 is all, 1 head only, 0 a block of colour."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if detail == 0:
        color = (
            theme().color("line") if face.state == "idle" else theme().color(tone_of(face.state))
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().mix("bench", color, 0.62))
        painter.drawRoundedRect(plan.rect, RADIUS, RADIUS)
        return
    _paint_body(painter, face, plan, hovered)
    _paint_tile(painter, face)
    _paint_kerf(painter, face)
    if detail == 1:
        _paint_from_afar(painter, face, plan)
        return
    _paint_header(painter, face, phase)
    if not plan.collapsed:
        _paint_port_names(painter, plan)
        if plan.preview is not None and face.preview is not None:
            paint_preview(painter, plan.preview, face.preview, _ink_of(face))
        _paint_footer(painter, face, plan)
    if plan.stripe is not None:
        _paint_stripe(painter, plan)
    if face.problems:
        _paint_badge(painter, face, plan)


def _ink_of(face: NodeFace) -> str:
    return "muted" if face.state in ("idle", "queued") else tone_of(face.state)


def _paint_body(painter: QPainter, face: NodeFace, plan: CardPlan, hovered: bool) -> None:
    width = theme().border
    pen = QPen(border_of(face, hovered), width)
    if face.unknown or face.bypass:
        pen.setDashPattern([4.0 / width, 3.0 / width])
    painter.setPen(pen)
    painter.setBrush(theme().color("panel" if face.bypass else "card"))
    half = width / 2
    painter.drawRoundedRect(
        plan.rect.adjusted(half, half, -half, -half), RADIUS - half, RADIUS - half
    )


def _paint_tile(painter: QPainter, face: NodeFace) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("tint", face.hue))
    painter.drawRoundedRect(QRectF(8, 8, 26, 26), 6, 6)
    paint_icon(painter, face.icon, QRectF(12, 12, 18, 18), theme().color(face.hue))


def _paint_header(painter: QPainter, face: NodeFace, phase: float | None) -> None:
    room = QRectF(42, 6, 110, 16)
    strong = card_font(13, QFont.Weight.DemiBold)
    painter.setPen(theme().color("muted" if face.bypass else "ink"))
    used = draw_text(painter, room, face.title, strong, strike=face.bypass)
    if face.label and used + 24 < room.width():
        painter.setPen(theme().color("muted"))
        draw_text(painter, room.adjusted(used + 5, 0, 0, 0), face.label, card_font(13))
    painter.setPen(theme().color("muted"))
    said = face.left if face.collapsed and face.state != "idle" else face.summary
    text = "bypassed" if face.bypass else said
    draw_text(painter, QRectF(42, 22, 110, 14), text, card_font(11))
    paint_ring(painter, QRectF(160, 10, 22, 22), face.state, face.percent, phase)


def _paint_from_afar(painter: QPainter, face: NodeFace, plan: CardPlan) -> None:
    """Paint the title so large that it can still be read, and the state as the kerf's colour."""
    painter.setPen(theme().color("muted"))
    if face.state not in ("idle", "queued", *_CUT):
        track = QRectF(1, 1 + HEADER, WIDTH - 2, KERF)
        painter.fillRect(track, theme().color(tone_of(face.state)))
    if plan.collapsed:
        painter.setPen(theme().color("muted" if face.bypass else "ink"))
        font = card_font(20, QFont.Weight.DemiBold)
        draw_text(painter, QRectF(42, 8, WIDTH - 54, 26), face.title, font, strike=face.bypass)
        return
    draw_text(painter, QRectF(42, 10, WIDTH - 54, 22), face.label, card_font(18))
    painter.setPen(theme().color("muted" if face.bypass else "ink"))
    room = QRectF(12, HEADER + 10, WIDTH - 22, plan.height - HEADER - 16)
    font = card_font(22, QFont.Weight.DemiBold)
    font.setStrikeOut(face.bypass)
    painter.setFont(font)
    metrics = QFontMetricsF(font)
    fits_two = room.height() >= 2 * metrics.lineSpacing()
    first, rest = face.title, ""
    while fits_two and " " in first and metrics.horizontalAdvance(first) > room.width():
        first, _, word = first.rpartition(" ")
        rest = f"{word} {rest}".strip()
    for index, text in enumerate((first, rest)):
        top = room.top() + index * metrics.lineSpacing()
        line = QRectF(room.left(), top, room.width(), metrics.lineSpacing())
        draw_text(painter, line, text, font, strike=face.bypass)


def _paint_kerf(painter: QPainter, face: NodeFace) -> None:
    track = QRectF(1, 1 + HEADER, WIDTH - 2, KERF)
    painter.fillRect(track, theme().color("line"))
    if face.percent is not None and face.state in _CUT:
        track.setWidth(track.width() * min(max(face.percent, 0.0), 1.0))
        painter.fillRect(track, theme().color("blade"))


def _paint_port_names(painter: QPainter, plan: CardPlan) -> None:
    painter.setPen(theme().color("muted"))
    font = card_font(11)
    rows: dict[float, int] = {}
    for spot in plan.spots:
        rows[spot.center.y()] = rows.get(spot.center.y(), 0) + 1
    for spot in plan.spots:
        y = spot.center.y() - ROW / 2 + 1
        room = 78.0 if rows[spot.center.y()] > 1 else WIDTH - 26
        if spot.face.side == "input":
            draw_text(painter, QRectF(13, y, room, ROW), spot.face.name, font)
        else:
            box = QRectF(WIDTH - 13 - room, y, room, ROW)
            draw_text(painter, box, spot.face.name, font, align=_RIGHT)


def _paint_footer(painter: QPainter, face: NodeFace, plan: CardPlan) -> None:
    name = "warn" if face.masked_only else _FOOTERS.get(face.state, "muted")
    painter.setPen(theme().color(name))
    font = card_font(11)
    right = QFontMetricsF(font).horizontalAdvance(face.right) if face.right else 0.0
    right = min(right, plan.footer.width() * 0.62)
    if face.right:
        draw_text(
            painter,
            plan.footer.adjusted(plan.footer.width() - right - 1, 0, 0, 0),
            face.right,
            font,
            align=_RIGHT,
        )
    gap = 8.0 if face.right else 0.0
    draw_text(painter, plan.footer.adjusted(0, 0, -right - gap, 0), face.left, font)


def _paint_stripe(painter: QPainter, plan: CardPlan) -> None:
    assert plan.stripe is not None
    painter.save()
    clip = QPainterPath()
    clip.addRoundedRect(plan.rect.adjusted(1, 1, -1, -1), RADIUS - 1, RADIUS - 1)
    painter.setClipPath(clip)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("warn"))
    top, bottom = plan.stripe.top(), plan.stripe.bottom() + 1
    step = 6 * 2**0.5
    x = -step
    while x < WIDTH + step:
        lean = bottom - top
        corners = [(x + lean, top), (x + lean + step, top), (x + step, bottom), (x, bottom)]
        painter.drawPolygon(QPolygonF([QPointF(*corner) for corner in corners]))
        x += 2 * step
    painter.restore()


def _paint_badge(painter: QPainter, face: NodeFace, plan: CardPlan) -> None:
    painter.setPen(QPen(theme().color("bench"), 2))
    painter.setBrush(theme().color("bad" if face.has_error else "warn"))
    painter.drawEllipse(plan.badge)
    painter.setPen(theme().color("bench"))
    font = card_font(10, QFont.Weight.DemiBold)
    text = str(face.problems) if face.problems < 10 else "9+"
    painter.setFont(font)
    painter.drawText(plan.badge, int(Qt.AlignmentFlag.AlignCenter), text)


def draw_text(
    painter: QPainter,
    box: QRectF,
    text: str,
    font: QFont,
    *,
    align: Any = _LEFT,
    strike: bool = False,
) -> float:
    """Paint one line that ends in an ellipsis where it does not fit; returns its width."""
    if not text:
        return 0.0
    if strike:
        font.setStrikeOut(True)
    metrics = QFontMetricsF(font)
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, box.width() + 1)
    painter.setFont(font)
    flags = int(align) | int(Qt.TextFlag.TextDontClip) | int(Qt.TextFlag.TextSingleLine)
    painter.drawText(box, flags, shown)
    return metrics.horizontalAdvance(shown)
