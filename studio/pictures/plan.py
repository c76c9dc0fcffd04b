"""A plan for shrinking a network, and the masks of sparse training."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QImage, QPainter

from backend.core.views import Mask, Masks, Plan
from studio.pictures import axes
from studio.pictures.drawing import Drawing
from studio.pictures.words import count, exact, short, with_unit
from studio.theme import theme


class PlanDrawing(Drawing):
    """A row a layer: channels that stay before channels that go, and what both cost."""

    payload: Plan

    def __init__(self, payload: Plan) -> None:
        super().__init__(payload)
        costs = [r.cost_before for r in payload.rows if math.isfinite(r.cost_before)]
        self._most = max([1e-12, *costs])
        self._before = sum(costs)
        self._after = sum(r.cost_after for r in payload.rows if math.isfinite(r.cost_after))

    @property
    def count(self) -> int:
        """Layers."""
        return len(self.payload.rows)

    def least(self, width: float) -> tuple[float, float]:
        """Head, and 26 px a row."""
        look = theme()
        return max(width, look.px(300)), look.px(50) + look.px(26) * self.count

    def rect(self, index: int) -> QRectF:
        """Row of a layer."""
        look = theme()
        return QRectF(0, look.px(44) + look.px(26) * index, self.width, look.px(26))

    def at(self, place: QPointF) -> int | None:
        """Row under the pointer."""
        index = int((place.y() - theme().px(44)) // theme().px(26))
        return index if 0 <= index < self.count else None

    def _head(self) -> str:
        unit = self.payload.unit
        share = self._after / self._before if self._before else 1.0
        text = f"{short(self._before)} {unit} before, {short(self._after)} after, {share:.1%} stays"
        target = self.payload.target
        return text if target is None else f"{text}; the target is {short(target)}"

    def paint(self, painter: QPainter, clip: QRectF) -> None:
        """Sum, then rows."""
        look = theme()
        painter.setFont(look.font("body"))
        painter.setPen(look.color("ink"))
        axes.elided(painter, QRectF(0, 0, self.width, look.px(20)), axes.LEFT, self._head())
        name, figures = self._room()
        painter.setFont(look.font("micro"))
        painter.setPen(look.color("muted"))
        y = look.px(24)
        axes.elided(painter, QRectF(0, y, name, 16), axes.LEFT, "layer")
        cost = f"{self.payload.unit}, bar: stays, outline: before"
        axes.elided(painter, QRectF(name, y, self.width - name - figures, 16), axes.LEFT, cost)
        right = QRectF(self.width - figures, y, figures, 16)
        axes.elided(painter, right, axes.RIGHT, "channels")
        for index in range(self.count):
            row = self.rect(index)
            if row.intersects(clip):
                self._paint_row(painter, index, row)

    def _room(self) -> tuple[float, float]:
        look = theme()
        names = axes.text_width(look.mono("small"), (r.layer for r in self.payload.rows))
        return min(names + look.px(12), self.width * 0.35), look.px(96)

    def _paint_row(self, painter: QPainter, index: int, row: QRectF) -> None:
        look, one = theme(), self.payload.rows[index]
        name, figures = self._room()
        painter.setFont(look.mono("small"))
        painter.setPen(look.color("ink"))
        area = QRectF(0, row.top(), name - look.px(8), row.height())
        axes.elided(painter, area, axes.LEFT, one.layer)
        wide = self.width - name - figures - look.px(8)
        bar = QRectF(name, row.center().y() - 5, wide, 10)
        if math.isfinite(one.cost_before):
            bar.setWidth(wide * one.cost_before / self._most)
            axes.hairline_box(painter, bar, "border_strong")
        if math.isfinite(one.cost_after):
            bar.setWidth(max(0.0, wide * one.cost_after / self._most))
            painter.fillRect(bar, look.mix("panel", "model", 0.8))
        right = QRectF(self.width - figures, row.top(), figures, row.height())
        axes.elided(painter, right, axes.RIGHT, f"{one.before} to {one.after}")

    def words(self, index: int) -> str:
        """Channels, cost and the lowest score of what stays."""
        one, unit = self.payload.rows[index], self.payload.unit
        lines = [
            one.layer,
            f"channels\t{exact(one.before)} to {exact(one.after)}",
            f"before\t{with_unit(one.cost_before, unit)}",
            f"after\t{with_unit(one.cost_after, unit)}",
        ]
        scores = [s for s in one.scores if math.isfinite(s)]
        if scores:
            lines.append(f"scores\t{exact(min(scores))} to {exact(max(scores))}")
        return "\n".join(lines)

    def mark(self, painter: QPainter, index: int) -> None:
        """Outline of the row."""
        axes.hairline_box(painter, self.rect(index), "border_strong")


class MasksDrawing(Drawing):
    """A block a tensor: kept share as a bar, what grew and dropped, and the mask where known."""

    payload: Masks

    def __init__(self, payload: Masks) -> None:
        super().__init__(payload)
        self._pictures: dict[tuple[int, str], QImage] = {}
        self._tops: list[float] = []

    @property
    def count(self) -> int:
        """Tensors."""
        return len(self.payload.masks)

    def _block(self, mask: Mask, width: float) -> float:
        look = theme()
        if not mask.cells:
            return look.px(30)
        return look.px(34) + self._size(mask, width)[1]

    def _size(self, mask: Mask, width: float) -> tuple[float, float]:
        columns = max((len(row) for row in mask.cells), default=1) or 1
        cell = max(1.0, min(6.0, math.floor((width - 12) / columns)))
        return min(columns * cell, width - 12), len(mask.cells) * cell

    def least(self, width: float) -> tuple[float, float]:
        """All blocks below each other."""
        return width, sum(self._block(m, width) for m in self.payload.masks) + 4

    def lay(self, width: float, height: float) -> None:
        """Remember where each block begins."""
        super().lay(width, height)
        self._tops = [0.0]
        for mask in self.payload.masks:
            self._tops.append(self._tops[-1] + self._block(mask, width))

    def rect(self, index: int) -> QRectF:
        """Block of a tensor."""
        top = self._tops[index]
        return QRectF(0, top, self.width, self._tops[index + 1] - top - 2)

    def paint(self, painter: QPainter, clip: QRectF) -> None:
        """Blocks within ``clip``."""
        for index, mask in enumerate(self.payload.masks):
            if self.rect(index).intersects(clip):
                self._paint_block(painter, index, mask)

    def _paint_block(self, painter: QPainter, index: int, mask: Mask) -> None:
        look, block = theme(), self.rect(index)
        third = self.width * 0.34
        line = QRectF(4, block.top() + 4, third, look.px(20))
        painter.setFont(look.mono("small"))
        painter.setPen(look.color("ink"))
        axes.elided(painter, line, axes.LEFT, mask.layer)
        bar = QRectF(third + 12, line.center().y() - 4, self.width * 0.2, 8)
        axes.hairline_box(painter, bar, "border_strong")
        if math.isfinite(mask.density):
            bar.setWidth(bar.width() * min(max(mask.density, 0.0), 1.0))
            painter.fillRect(bar, look.mix("panel", "data", 0.8))
        text = f"{mask.density:.1%} kept, {mask.grown:,} grown, {mask.dropped:,} dropped"
        painter.setPen(look.color("muted"))
        area = QRectF(third + self.width * 0.2 + 24, line.top(), self.width, line.height())
        area.setRight(self.width)
        axes.elided(painter, area, axes.LEFT, text)
        if mask.cells:
            wide, high = self._size(mask, self.width)
            place = QRectF(4, block.top() + look.px(28), wide, high)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
            painter.drawImage(place, self._picture(index, mask))

    def _picture(self, index: int, mask: Mask) -> QImage:
        key = (index, theme().mode)
        if key not in self._pictures:
            columns = max((len(row) for row in mask.cells), default=1) or 1
            image = QImage(columns, max(1, len(mask.cells)), QImage.Format.Format_RGB32)
            image.fill(theme().color("field"))
            kept = theme().color("data").rgb()
            for y, row in enumerate(mask.cells):
                for x, cell in enumerate(row):
                    if cell == "1":
                        image.setPixel(x, y, kept)
            self._pictures[key] = image
        return self._pictures[key]

    def words(self, index: int) -> str:
        """Everything that the payload says of a tensor."""
        mask = self.payload.masks[index]
        lines = [
            f"{mask.layer}, {' x '.join(map(str, mask.shape))}",
            f"kept\t{exact(mask.density * 100)} %",
            f"grown\t{count(mask.grown, 'weight')}",
            f"dropped\t{count(mask.dropped, 'weight')}",
        ]
        if mask.overlap is not None:
            lines.append(f"overlap\t{exact(mask.overlap * 100)} % with the step before")
        return "\n".join(lines)

    def mark(self, painter: QPainter, index: int) -> None:
        """Outline of the block."""
        axes.hairline_box(painter, self.rect(index), "border_strong")
