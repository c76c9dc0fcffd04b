"""A floor plan: named rectangles to scale, coloured by the layer that they belong to."""

from __future__ import annotations

import math
import re

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from backend.core.views import Tile, Tiles
from studio.pictures import axes
from studio.pictures.bars import ink_on
from studio.pictures.drawing import Drawing
from studio.pictures.words import exact, short, with_unit
from studio.theme import theme
from studio.tokens import token


def family(name: str) -> str:
    """Layer that a tile belongs to: "conv3 b" and "conv3 a" are both "conv3"."""
    return re.sub(r"[\s/#]+(?:[a-z]|\d+)$", "", name) or name


class TilesDrawing(Drawing):
    """Tiles to scale on a grid of free room; by value where all have one, else by layer."""

    payload: Tiles

    def __init__(self, payload: Tiles) -> None:
        super().__init__(payload)
        self._tiles = [t for t in payload.tiles if _is_sound(t)]
        values = [t.value for t in self._tiles if t.value is not None and math.isfinite(t.value)]
        self._span = axes.span_of(values) if values else None
        self._families = list(dict.fromkeys(family(t.name) for t in self._tiles))
        self._area = _bounds(self._tiles)
        self._scale = 1.0
        self._origin = QPointF()

    @property
    def count(self) -> int:
        """Tiles that have a size."""
        return len(self._tiles)

    @property
    def left_out(self) -> int:
        """Tiles that cannot be drawn: no size, or a place that is no number."""
        return len(self.payload.tiles) - len(self._tiles)

    def least(self, width: float) -> tuple[float, float]:
        """The plan fits into any room, at least 160 px."""
        return width, theme().px(160)

    def lay(self, width: float, height: float) -> None:
        """Fit the plan between head and colour bar."""
        super().lay(width, height)
        look = theme()
        room = QRectF(1, look.px(24), width - 2, height - look.px(56))
        area = self._area
        self._scale = min(room.width() / area.width(), room.height() / area.height())
        self._origin = room.topLeft() - area.topLeft() * self._scale

    def _plan(self) -> QRectF:
        return self._placed(self._area)

    def _placed(self, area: QRectF) -> QRectF:
        size = area.size() * self._scale
        return QRectF(self._origin + area.topLeft() * self._scale, size)

    def rect(self, index: int) -> QRectF:
        """A tile in pixels."""
        t = self._tiles[index]
        return self._placed(QRectF(t.x, t.y, t.width, t.height)).adjusted(1, 1, -1, -1)

    def at(self, place: QPointF) -> int | None:
        """Topmost tile under the pointer."""
        return next((i for i in reversed(range(self.count)) if self.rect(i).contains(place)), None)

    def color(self, tile: Tile) -> QColor:
        """Colour of a tile."""
        if self._span is not None:
            if tile.value is None or not math.isfinite(tile.value):
                return theme().color("field")
            low, high = self._span
            return theme().heat(min(max((tile.value - low) / (high - low), 0.0), 1.0))
        fills: list[str] = token("plot.layer_fills")
        return theme().mix(
            "bench", fills[self._families.index(family(tile.name)) % len(fills)], 0.62
        )

    def paint(self, painter: QPainter, clip: QRectF) -> None:
        """Free room as a grid, tiles with their names, how much is used."""
        look, plan = theme(), self._plan()
        painter.fillRect(plan, look.color("bench"))
        self._paint_grid(painter, plan)
        for index, tile in enumerate(self._tiles):
            cell = self.rect(index)
            if cell.intersects(clip):
                self._paint_tile(painter, cell, tile)
        axes.hairline_box(painter, plan, "border_strong")
        painter.setFont(look.mono("small"))
        painter.setPen(look.color("muted"))
        used = sum(t.width * t.height for t in self._tiles)
        share = used / (self._area.width() * self._area.height()) if self._tiles else 0.0
        head = f"{exact(self._area.width())} x {exact(self._area.height())}"
        axes.elided(painter, QRectF(0, 0, plan.width() * 0.6, look.px(18)), axes.LEFT, head)
        painter.drawText(
            QRectF(plan.left(), 0, plan.width(), look.px(18)), axes.RIGHT, f"{share:.0%}"
        )
        if self._span is not None:
            bar = QRectF(plan.left(), plan.bottom() + look.px(8), self.width, look.px(20))
            axes.color_bar(painter, bar, *self._span, self.payload.unit, look.heat)

    def _paint_grid(self, painter: QPainter, plan: QRectF) -> None:
        step = 12.0
        grid = theme().mix("bench", "ink", 0.07)
        nx, ny = int(plan.width() / step), int(plan.height() / step)
        xs = [plan.left() + n * step for n in range(1, nx + 1)]
        ys = [plan.top() + n * step for n in range(1, ny + 1)]
        axes.hairline(painter, grid, *(QLineF(x, plan.top(), x, plan.bottom()) for x in xs))
        axes.hairline(painter, grid, *(QLineF(plan.left(), y, plan.right(), y) for y in ys))

    def _paint_tile(self, painter: QPainter, cell: QRectF, tile: Tile) -> None:
        look = theme()
        ground = self.color(tile)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(cell, 3, 3)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self._span is not None and (tile.value is None or not math.isfinite(tile.value)):
            axes.cross(painter, cell)
        text = cell.adjusted(look.px(6), look.px(4), -look.px(4), 0)
        if text.width() < look.px(18) or cell.height() < look.px(20):
            return
        painter.setPen(ink_on(ground))
        painter.setFont(look.font("small"))
        text.setHeight(look.px(16))
        axes.elided(painter, text, axes.LEFT, tile.name)
        second = tile.text or (short(tile.value) if tile.value is not None else "")
        if second and cell.height() >= look.px(38):
            painter.setFont(look.mono("small"))
            axes.elided(painter, text.translated(0, look.px(16)), axes.LEFT, second)

    def words(self, index: int) -> str:
        """Name, size, value, text."""
        t = self._tiles[index]
        lines = [t.name, f"{exact(t.width)} x {exact(t.height)} at {exact(t.x)}, {exact(t.y)}"]
        if t.value is not None:
            lines.append(with_unit(t.value, self.payload.unit))
        return "\n".join([*lines, t.text] if t.text else lines)

    def mark(self, painter: QPainter, index: int) -> None:
        """Outline every tile of the same layer; the picked one in the accent."""
        name = family(self._tiles[index].name)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for other, tile in enumerate(self._tiles):
            if family(tile.name) == name:
                color = "blade" if other == index else "border_strong"
                painter.setPen(QPen(theme().color(color), 2))
                painter.drawRoundedRect(self.rect(other), 3, 3)


def _is_sound(tile: Tile) -> bool:
    figures = (tile.x, tile.y, tile.width, tile.height)
    return all(math.isfinite(v) for v in figures) and tile.width > 0 and tile.height > 0


def _bounds(tiles: list[Tile]) -> QRectF:
    area = QRectF()
    for tile in tiles:
        area = area.united(QRectF(tile.x, tile.y, tile.width, tile.height))
    return area if tiles else QRectF(0, 0, 1, 1)
