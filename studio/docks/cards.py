"""Pictures of what the examples do, painted from numbers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from backend.core.errors import DocumentError
from backend.core.graph import Graph
from backend.core.graph_file import read
from backend.core.workspace import Workspace
from studio.docks.cup_pictures import paint_concepts, paint_phone, paint_shrink_gan
from studio.theme import theme

Picture = Callable[[QPainter, QRectF], None]


@dataclass(frozen=True)
class Example:
    """An example that comes with the studio, and what its card says of it."""

    path: Path
    title: str
    text: str
    minutes: float
    data: str
    picture: str
    graph: Graph

    @property
    def steps(self) -> list[str]:
        """Kinds of node along the longest way through the graph, first to last."""
        best: dict[str, list[str]] = {}
        for name in self.graph.order():
            ways = [best[x.source_node] for x in self.graph.into(name) if x.source_node in best]
            best[name] = [*max(ways, key=_variety, default=[]), self.graph.nodes[name].type]
        return max(best.values(), key=_variety, default=[])


def _variety(way: list[str]) -> tuple[int, int]:
    return len(way), len(set(way))


def templates_of(workspace: Workspace) -> Path:
    """Return where the user's own cards lie; the folder may not be there yet."""
    return workspace.root / "templates"


def examples(folder: Path, titles: dict[str, str]) -> list[Example]:
    """Read the examples of a folder; a file that is no graph is left out.

    ``titles`` names kinds of node in words, for what a file does not say of its data.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            graph = Graph.from_json(read(path), f'"{path}"')
            graph.order()
        except DocumentError:
            continue
        found.append(_example(path, graph, graph.metadata, titles))
    return sorted(found, key=lambda example: (_order(example.graph), example.title))


def _example(path: Path, graph: Graph, said: dict[str, Any], titles: dict[str, str]) -> Example:
    kinds = [node.type for node in graph.nodes.values() if node.type.startswith("data.")]
    data = ", ".join(dict.fromkeys(titles.get(kind, kind) for kind in kinds))
    minutes = said.get("minutes")
    return Example(
        path=path,
        title=str(said.get("title") or graph.name),
        text=str(said.get("text") or ""),
        minutes=float(minutes) if isinstance(minutes, int | float) else 0.0,
        data=str(said.get("data") or data),
        picture=str(said.get("picture") or ""),
        graph=graph,
    )


def _order(graph: Graph) -> float:
    place = graph.metadata.get("order")
    return float(place) if isinstance(place, int | float) else math.inf


def paint_picture(painter: QPainter, rect: QRectF, example: Example) -> None:
    """Paint what an example does; without a picture of its own, its graph."""
    painter.save()
    painter.setClipRect(rect, Qt.ClipOperation.IntersectClip)
    painter.fillRect(rect, theme().color("bench"))
    picture = PICTURES.get(example.picture)
    if picture is not None:
        picture(painter, rect)
    else:
        paint_graph(painter, rect, example.graph)
    painter.restore()


# -- quantize: a curve of weights, cut into the steps of 8-bit fixed point -------------------------

FRACTION_BITS = 4
"""Of the 8-bit format in the picture: a sign, three integer bits, four of fraction."""


def curve(t: float) -> float:
    """Return the float curve of the picture at ``t`` in 0..1; between -0.6 and 0.6."""
    return 0.42 * math.sin(5.6 * t + 0.25) + 0.13 * math.sin(15.0 * t + 0.4)


def fixed_point(value: float, bits: int = 8, fraction: int = FRACTION_BITS) -> float:
    """Return the nearest number of the format, ties to even, held within its range."""
    step, top = math.ldexp(1.0, -fraction), 1 << (bits - 1)
    return min(max(round(value / step), -top), top - 1) * step


def paint_quantize(painter: QPainter, rect: QRectF) -> None:
    """Paint the curve left of the cut as float, right of it on the grid of 8-bit numbers."""
    look = theme()
    cut = rect.left() + rect.width() * 0.4
    middle, unit = rect.center().y() + rect.height() * 0.08, rect.height() * 0.36 / 0.55
    step = 2.0**-FRACTION_BITS

    def spot(t: float, value: float) -> QPointF:
        return QPointF(rect.left() + t * rect.width(), middle - value * unit)

    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(QPen(_faint(), 1))
    for level in range(-12, 13):
        y = middle - level * step * unit
        if rect.top() < y < rect.bottom():
            painter.drawLine(QPointF(cut, y), QPointF(rect.right(), y))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    count = max(2, int(rect.width() / 2))
    float_curve = QPolygonF([spot(n / count, curve(n / count)) for n in range(count + 1)])
    painter.setPen(QPen(look.color("link_idle", "model"), 2))
    painter.drawPolyline(float_curve)
    first = (cut - rect.left()) / rect.width()
    samples = [first + (1 - first) * n / 400 for n in range(401)]
    steps, last = QPolygonF(), None
    for t in samples:
        value = fixed_point(curve(t))
        if last is not None and value != last:
            steps.append(spot(t, last))
        if value != last:
            steps.append(spot(t, value))
        last = value
    steps.append(spot(1.0, last or 0.0))
    painter.setPen(QPen(look.color("blade"), 2.5, j=Qt.PenJoinStyle.MiterJoin))
    painter.drawPolyline(steps)
    painter.setPen(QPen(look.color("ink"), 1, Qt.PenStyle.CustomDashLine))
    pen = painter.pen()
    pen.setDashPattern([5, 4])
    painter.setPen(pen)
    x = round(cut) + 0.5
    painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()))
    painter.setFont(look.mono("small"))
    painter.setPen(look.color("muted"))
    top = QRectF(rect.left(), rect.top() + 10, cut - rect.left() - 13, look.px(16))
    right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    painter.drawText(top, right, "32-bit float")
    top = QRectF(cut + 13, rect.top() + 10, rect.right() - cut - 16, look.px(16))
    painter.drawText(top, int(Qt.AlignmentFlag.AlignVCenter), "8-bit fixed point, step 1/16")


# -- the other methods, for the examples that come with them ---------------------------------------


def paint_chip(painter: QPainter, rect: QRectF) -> None:
    """Paint a floor plan: eight slots of a macro, filled by the tiles of a network's layers."""
    look = theme()
    tiles = (
        (1, 1, "data"), (1, 0.69, "data"), (1, 1, "result"), (1, 1, "result"),
        (1, 1, "result"), (1, 0.38, "model"), (0.94, 1, "chip"), (0.94, 1, "chip"),
    )  # fmt: skip
    gap = 8.0
    width = (rect.width() - 36 - 3 * gap) / 4
    height = (rect.height() - 32 - gap) / 2
    for n, (across, down, name) in enumerate(tiles):
        slot = QRectF(
            rect.left() + 18 + n % 4 * (width + gap),
            rect.top() + 16 + n // 4 * (height + gap),
            width,
            height,
        )
        painter.setPen(QPen(look.color("line"), 1))
        painter.setBrush(look.color("panel"))
        painter.drawRoundedRect(slot, 3, 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.color("link_idle", name))
        inner = slot.adjusted(2, 2, -2, -2)
        inner.setWidth(inner.width() * across)
        inner.setHeight(inner.height() * down)
        painter.drawRoundedRect(inner, 2, 2)


def paint_shrink(painter: QPainter, rect: QRectF) -> None:
    """Paint layers as bars: what there was, and within it what is kept."""
    before = (0.76, 0.62, 0.9, 0.55, 0.82, 0.66, 0.74, 0.5)
    pitch = rect.width() / (len(before) + 2)
    for n, part in enumerate(before):
        for name, share in (("link_dim", 1.0), ("", 0.26)):
            height = rect.height() * 0.8 * part * share
            x = rect.left() + pitch * (n + 1.2)
            bar = QRectF(x, rect.center().y() - height / 2, pitch * 0.6, height)
            color = theme().color(name, "model") if name else theme().color("model")
            _cell(painter, bar, color)


def paint_sparse(painter: QPainter, rect: QRectF) -> None:
    """Paint a mask: one weight in ten is kept."""
    chosen = random.Random(4)
    for cell in _cells(rect, 14):
        kept = chosen.random() < 0.1
        _cell(painter, cell, theme().color("data") if kept else _faint())


def paint_bits(painter: QPainter, rect: QRectF) -> None:
    """Paint a column of bits a layer: those that are used, from below."""
    used = (5, 3, 4, 2, 3, 4, 2, 6, 4, 3, 5, 2)
    rows = 8
    size = min(rect.width() / (len(used) * 1.3 + 1), rect.height() / (rows * 1.3 + 1))
    left = rect.center().x() - len(used) * size * 0.65
    bottom = rect.center().y() + rows * size * 0.65
    for n, bits in enumerate(used):
        for k in range(rows):
            cell = QRectF(left + n * size * 1.3, bottom - (k + 1) * size * 1.3, size, size)
            _cell(painter, cell, theme().color("result") if k < bits else _faint())


def paint_graph(painter: QPainter, rect: QRectF, graph: Graph) -> None:
    """Paint a small map of a graph: its nodes and links, as they lie on the canvas."""
    places = graph.layout
    if not places:
        return
    look = theme()
    left, top = min(p["x"] for p in places.values()), min(p["y"] for p in places.values())
    width = max(p["x"] for p in places.values()) - left + 192
    height = max(p["y"] for p in places.values()) - top + 120
    scale = min((rect.width() - 40) / width, (rect.height() - 32) / height, 0.5)
    corner = rect.center() - QPointF(width, height) * scale / 2
    spots = {
        name: corner + QPointF(p["x"] - left, p["y"] - top) * scale for name, p in places.items()
    }
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(look.color("link_idle", "model"), 1.2))
    for link in graph.links:
        if link.source_node in spots and link.target_node in spots:
            start = spots[link.source_node] + QPointF(192, 60) * scale
            end = spots[link.target_node] + QPointF(0, 60) * scale
            reach = QPointF(max(12.0, (end.x() - start.x()) / 2), 0)
            path = QPainterPath(start)
            path.cubicTo(start + reach, end - reach, end)
            painter.drawPath(path)
    for spot in spots.values():
        painter.setPen(QPen(look.color("border_strong"), 1))
        painter.setBrush(look.color("card"))
        painter.drawRoundedRect(QRectF(spot.x(), spot.y(), 192 * scale, 120 * scale), 3, 3)


PICTURES: dict[str, Picture] = {
    "quantize": paint_quantize,
    "chip": paint_chip,
    "shrink": paint_shrink,
    "sparse": paint_sparse,
    "bits": paint_bits,
    "phone": paint_phone,
    "shrink_gan": paint_shrink_gan,
    "concepts": paint_concepts,
}


def _cells(rect: QRectF, columns: int) -> list[QRectF]:
    size = rect.width() / (columns * 1.4 + 2)
    pitch = size * 1.4
    rows = max(1, int((rect.height() - size) / pitch))
    left = rect.center().x() - (columns * pitch - size * 0.4) / 2
    top = rect.center().y() - (rows * pitch - size * 0.4) / 2
    return [
        QRectF(left + x * pitch, top + y * pitch, size, size)
        for y in range(rows)
        for x in range(columns)
    ]


def _faint() -> QColor:
    return theme().mix("bench", "ink", 0.09)


def _cell(painter: QPainter, rect: QRectF, color: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawRoundedRect(rect, 1.5, 1.5)
