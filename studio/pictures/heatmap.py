"""A matrix of values as coloured cells, with its colour bar."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from backend.core.views import Heatmap
from studio.pictures import axes
from studio.pictures.bars import ink_on
from studio.pictures.drawing import Drawing
from studio.pictures.words import short, with_unit
from studio.theme import theme

_LEAST_CELL = 4.0


class HeatmapDrawing(Drawing):
    """Cells of one size; values stand in the cells where there is room."""

    payload: Heatmap

    def __init__(self, payload: Heatmap) -> None:
        super().__init__(payload)
        rows, columns = len(payload.rows), len(payload.columns)
        self._values = np.full((rows, columns), np.nan)
        for r, row in enumerate(payload.values[:rows]):
            self._values[r, : min(len(row), columns)] = row[:columns]
        finite = self._values[np.isfinite(self._values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        self.is_signed = low < 0 < high
        if self.is_signed:  # no difference must lie in the middle of the ramp
            low, high = -max(-low, high), max(-low, high)
        elif 0 <= low < high / 2:
            low = 0.0
        self.span = axes.sound_span(low, high)
        self._cell = (_LEAST_CELL, _LEAST_CELL)
        self._left = self._top = 0.0
        self._image: tuple[str, QImage] | None = None

    @property
    def count(self) -> int:
        """Cells."""
        return int(self._values.size)

    def _left_room(self) -> float:
        look = theme()
        names = axes.text_width(look.mono("small"), self.payload.rows)
        return min(names, look.px(140)) + look.px(8)

    def _name_room(self, cell: float) -> float:
        """Height of the column names: slanted where they are wider than a column."""
        look = theme()
        wide = axes.text_width(look.mono("small"), self.payload.columns)
        if wide + look.px(6) <= cell:
            return look.px(20)
        return min(wide, look.px(120)) * 0.71 + look.px(18)

    def least(self, width: float) -> tuple[float, float]:
        """Square-ish cells between 4 and 40 px; what does not fit scrolls."""
        look = theme()
        rows, columns = self._values.shape
        cell = self._cell_width(width)
        high = min(cell, look.px(32))
        wide = self._left_room() + cell * columns + look.px(4)
        head = look.px(20 if self.payload.row_label or self.payload.column_label else 4)
        return max(wide, look.px(120)), head + high * rows + self._name_room(cell) + look.px(30)

    def _cell_width(self, width: float) -> float:
        columns = max(1, self._values.shape[1])
        wish = (width - self._left_room() - theme().px(6)) / columns
        return float(np.floor(min(max(wish, _LEAST_CELL), theme().px(56))))

    def lay(self, width: float, height: float) -> None:
        """Place cells below the axis names, right of the row names."""
        super().lay(width, height)
        cell = self._cell_width(width)
        self._cell = (cell, min(cell, theme().px(32)))
        self._left = self._left_room()
        self._top = theme().px(20 if self.payload.row_label or self.payload.column_label else 4)
        self.per_row = max(1, self._values.shape[1])

    def rect(self, index: int) -> QRectF:
        """A cell."""
        row, column = divmod(index, self.per_row)
        wide, high = self._cell
        return QRectF(self._left + column * wide, self._top + row * high, wide, high)

    def at(self, place: QPointF) -> int | None:
        """Cell under the pointer, by arithmetic: there may be a million."""
        column = int((place.x() - self._left) // self._cell[0])
        row = int((place.y() - self._top) // self._cell[1])
        rows, columns = self._values.shape
        return row * columns + column if 0 <= row < rows and 0 <= column < columns else None

    def color(self, value: float) -> QColor:
        """Colour of a value between the fixed ends."""
        low, high = self.span
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        return theme().difference(share) if self.is_signed else theme().heat(share)

    def _picture(self) -> QImage:
        """One pixel a cell, looked up in 256 steps of the ramp."""
        key = theme().mode + str(theme().is_dark)
        if self._image is None or self._image[0] != key:
            low, high = self.span
            table = np.array(
                [self.color(low + (high - low) * n / 255).rgb() for n in range(256)],
                dtype=np.uint32,
            )
            table = np.append(table, np.uint32(theme().color("field").rgb()))
            with np.errstate(all="ignore"):
                share = np.clip((self._values - low) / (high - low) * 255, 0, 255)
            index = np.where(np.isfinite(self._values), np.nan_to_num(share), 256).astype(int)
            pixels = np.ascontiguousarray(table[index])
            rows, columns = pixels.shape
            image = QImage(pixels.tobytes(), columns, rows, columns * 4, QImage.Format.Format_RGB32)
            self._image = (key, image.copy())
        return self._image[1]

    def paint(self, painter: QPainter, clip: QRectF) -> None:
        """Cells, names, colour bar."""
        look = theme()
        rows, columns = self._values.shape
        wide, high = self._cell
        if rows and columns:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
            box = QRectF(self._left, self._top, wide * columns, high * rows)
            painter.drawImage(box, self._picture())
            self._paint_cells(painter, clip)
        self._paint_names(painter, clip)
        bottom = self._top + high * rows + self._name_room(wide)
        bar = QRectF(self._left, bottom + look.px(4), self.width - self._left, look.px(20))
        ramp = look.difference if self.is_signed else look.heat
        axes.color_bar(painter, bar, *self.span, self.payload.unit, ramp)

    def _seen(self, clip: QRectF) -> tuple[range, range]:
        rows, columns = self._values.shape
        wide, high = self._cell
        first = max(0, int((clip.top() - self._top) // high))
        left = max(0, int((clip.left() - self._left) // wide))
        last = min(rows, int((clip.bottom() - self._top) // high) + 1)
        right = min(columns, int((clip.right() - self._left) // wide) + 1)
        return range(first, max(first, last)), range(left, max(left, right))

    def _paint_cells(self, painter: QPainter, clip: QRectF) -> None:
        look = theme()
        wide, high = self._cell
        down, across = self._seen(clip)
        if wide < 8:
            return
        painter.setFont(look.mono("small"))
        has_room = wide >= look.px(24) and high >= look.px(14)
        for row in down:
            for column in across:
                cell = QRectF(self._left + column * wide, self._top + row * high, wide, high)
                value = float(self._values[row, column])
                if not math.isfinite(value):
                    axes.cross(painter, cell)
                elif has_room:
                    painter.setPen(ink_on(self.color(value)))
                    text = short(value, 3)
                    if painter.fontMetrics().horizontalAdvance(text) <= wide - 2:
                        painter.drawText(cell, axes.CENTER, text)
        pen = QPen(look.color("panel"), 1)
        pen.setCosmetic(True)
        painter.setPen(pen)
        bottom, end = self._top + high * len(self.payload.rows), self._left + wide * self.per_row
        for row in (*down, down.stop):
            painter.drawLine(
                QPointF(self._left, self._top + row * high), QPointF(end, self._top + row * high)
            )
        for column in (*across, across.stop):
            x = self._left + column * wide
            painter.drawLine(QPointF(x, self._top), QPointF(x, bottom))

    def _paint_names(self, painter: QPainter, clip: QRectF) -> None:
        look = theme()
        high = self._cell[1]
        painter.setFont(look.font("micro"))
        painter.setPen(look.color("muted"))
        both = [t for t in (self.payload.row_label, self.payload.column_label) if t]
        if both:
            text = f"{both[0]} down, {both[1]} across" if len(both) == 2 else both[0]
            room = QRectF(self._left, 0, self.width - self._left, look.px(18))
            axes.elided(painter, room, axes.LEFT, text)
        painter.setFont(look.mono("small"))
        down, across = self._seen(clip)
        every = max(1, math.ceil(look.px(14) / high))
        for row in down:
            if row % every == 0:
                area = QRectF(0, self._top + row * high, self._left - look.px(6), high)
                if high < look.px(14):
                    area = QRectF(0, area.center().y() - 8, area.width(), 16)
                axes.elided(painter, area, axes.RIGHT, self.payload.rows[row])
        self._paint_column_names(painter, across)

    def _paint_column_names(self, painter: QPainter, across: range) -> None:
        look = theme()
        wide, high = self._cell
        y = self._top + high * len(self.payload.rows)
        names = self.payload.columns
        if axes.text_width(painter.font(), names) + look.px(6) <= wide:
            for column in across:
                area = QRectF(self._left + column * wide, y, wide, look.px(20))
                painter.drawText(area, axes.CENTER, names[column])
            return
        every = max(1, math.ceil(look.px(16) / wide))
        metrics = painter.fontMetrics()
        for column in across:
            if column % every:
                continue
            text = metrics.elidedText(names[column], Qt.TextElideMode.ElideRight, look.px(120))
            painter.save()
            painter.translate(self._left + (column + 0.5) * wide + 4, y + look.px(6))
            painter.rotate(-45)
            width = metrics.horizontalAdvance(text)
            painter.drawText(QRectF(-width - 2, -2, width + 2, look.px(16)), axes.RIGHT, text)
            painter.restore()

    def words(self, index: int) -> str:
        """Row, column and value."""
        row, column = divmod(index, self.per_row)
        payload = self.payload
        lines = [
            f"{payload.row_label or 'row'} {payload.rows[row]}",
            f"{payload.column_label or 'column'} {payload.columns[column]}",
            with_unit(float(self._values[row, column]), payload.unit),
        ]
        return "\n".join(lines)

    def mark(self, painter: QPainter, index: int) -> None:
        """Ink outline, with ground inside so that it shows on every colour."""
        cell = self.rect(index)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme().color("bench"), 4))
        painter.drawRect(cell)
        painter.setPen(QPen(theme().color("ink"), 2))
        painter.drawRect(cell)
