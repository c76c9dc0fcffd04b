"""Number formats as rows of cells: sign, integer, fraction; and whole networks of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from backend.core.views import LayerRow, Layers, NumberFormat
from studio.pictures import axes
from studio.pictures.drawing import Drawing
from studio.pictures.words import count, exact, format_range, format_words
from studio.theme import theme

PARTS = (("sign", "muted"), ("integer", "model"), ("fraction", "data"))
_MOST = 34


def bit_parts(form: NumberFormat) -> list[str]:
    """Kind of each cell from the left: sign, integer, fraction, or an implied ``zero``.

    Zeros that no bit is spent on stand between the point and the bits: ``0.00101`` with three
    bits has two of them.
    """
    sign = ["sign"] if form.signed else []
    payload = form.bits - len(sign)
    if form.integer < 0:
        return [*sign, *_cells("zero", -form.integer), *_cells("fraction", payload)]
    if form.fraction < 0:
        return [*sign, *_cells("integer", payload), *_cells("zero", -form.fraction)]
    return [*sign, *_cells("integer", form.integer), *_cells("fraction", form.fraction)]


def _cells(part: str, number: int) -> list[str]:
    return [part] * min(number, _MOST)


def paint_cell(painter: QPainter, cell: QRectF, part: str) -> None:
    """Paint one bit. Each kind differs in shape as well as in colour.

    sign: a bar across; integer: full; fraction: full, with a notch below; zero: outline only.
    """
    look = theme()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(Qt.PenStyle.NoPen)
    if part == "zero":
        pen = QPen(look.color("muted"), 1, Qt.PenStyle.DotLine)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(cell.adjusted(0.5, 0.5, -0.5, -0.5), 1.5, 1.5)
        return
    painter.setBrush(look.color(dict(PARTS)[part]))
    painter.drawRoundedRect(cell, 1.5, 1.5)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if part == "sign":
        y = cell.center().y()
        inset = cell.width() * 0.24
        painter.setPen(QPen(look.color("panel"), max(1.4, cell.height() * 0.14)))
        painter.drawLine(QLineF(cell.left() + inset, y, cell.right() - inset, y))
    elif part == "fraction":
        dot = min(cell.width(), cell.height()) * 0.3
        place = QRectF(cell.center().x() - dot / 2, cell.bottom() - dot - 1.2, dot, dot)
        painter.fillRect(place, look.color("panel"))


def paint_bits(painter: QPainter, rect: QRectF, form: NumberFormat | None) -> None:
    """Paint a format at the left of ``rect``, vertically centred; ``float`` where there is none."""
    look = theme()
    if form is None:
        painter.setFont(look.font("small"))
        painter.setPen(look.color("muted"))
        axes.elided(painter, rect, axes.LEFT, "float")
        return
    painter.save()
    parts = bit_parts(form)[:_MOST]
    wish = look.px(10)
    pitch = min(wish, rect.width() / max(1, len(parts)))
    high = min(look.px(10), rect.height())
    y = rect.center().y() - high / 2
    for n, part in enumerate(parts):
        wide = pitch - 1 if pitch > 3 else pitch
        paint_cell(painter, QRectF(rect.left() + n * pitch, y, wide, high), part)
    painter.restore()


def paint_legend(painter: QPainter, rect: QRectF) -> None:
    """Name the three kinds of bits."""
    look = theme()
    painter.setFont(look.font("micro"))
    x = rect.left()
    for part, _ in PARTS:
        paint_cell(painter, QRectF(x, rect.center().y() - 5, 9, 10), part)
        painter.setPen(look.color("muted"))
        wide = axes.text_width(painter.font(), [part]) + 2
        painter.drawText(QRectF(x + 14, rect.top(), wide, rect.height()), axes.LEFT, part)
        x += wide + 14 + look.px(14)


def sound_counts(counts: Sequence[float]) -> list[float]:
    """Counts with 0 for what is no number."""
    return [c if math.isfinite(c) and c > 0 else 0.0 for c in counts]


def paint_codes(
    painter: QPainter,
    rect: QRectF,
    edges: Sequence[float],
    counts: Sequence[float],
    bits: NumberFormat | None,
) -> None:
    """Paint a small histogram of weight codes; bins that touch the end of the grid in ``warn``."""
    counts = sound_counts(counts)
    if not counts or len(edges) < 2:
        return
    look = theme()
    most = max(counts) or 1.0
    n = len(counts)
    pitch = rect.width() / n
    idle, ends = look.mix("panel", "muted", 0.6), look.color("warn")
    for i, value in enumerate(counts):
        if value <= 0:
            continue
        high = max(1.0, rect.height() * value / most)
        wide = pitch - 1 if pitch > 3 else pitch
        bar = QRectF(rect.left() + i * pitch, rect.bottom() - high, wide, high)
        is_end = bits is not None and i in (0, n - 1)
        painter.fillRect(bar, ends if is_end else idle)


def code_bounds(form: NumberFormat) -> tuple[int, int]:
    """Lowest and highest code of a format."""
    bits = min(max(form.bits, 1), 64)
    if form.signed:
        half = 1 << (bits - 1)
        return -half, half - 1
    return 0, (1 << bits) - 1


def row_words(row: LayerRow) -> list[str]:
    """What the payload tells of a layer, one sentence a line; nothing that it does not tell."""
    lines = [f"{row.layer}, {row.operation}" if row.operation else row.layer]
    if row.weight is None and row.input is None:
        return [*lines, "This layer computes in float: it has no number format."]
    for name, form in (("weights", row.weight), ("activations", row.input)):
        if form is None:
            lines.append(f"{name}\tfloat")
            continue
        low, high, step = format_range(form)
        bits = count(form.bits, "bit")
        lines.append(f"{name}\t{bits}: {format_words(form)}")
        lines.append(f"\t{exact(low)} to {exact(high)}, step {exact(step)}")
    if row.weight is not None:
        lines.append(f"weights at the ends of the grid\t{row.weight_clipped:.3%}")
    if row.input is not None:
        lines.append(f"activations at the ends of the grid\t{row.input_clipped:.3%}")
    if row.headroom_bits is not None:
        lines.append(f"headroom\t{exact(row.headroom_bits)} bit")
    if row.clip_level is not None:
        lines.append(f"clip level\t{exact(row.clip_level)}")
    return lines


class LayersDrawing(Drawing):
    """The formats of a network as a list; the Layers dock draws them with more."""

    payload: Layers

    @property
    def count(self) -> int:
        """Layers."""
        return len(self.payload.rows)

    def least(self, width: float) -> tuple[float, float]:
        """26 px a row below the legend."""
        return max(width, theme().px(420)), theme().px(26) * (self.count + 1) + 4

    def rect(self, index: int) -> QRectF:
        """Row of a layer."""
        row = theme().px(26)
        return QRectF(0, row * (index + 1), self.width, row)

    def at(self, place: QPointF) -> int | None:
        """Row under the pointer."""
        index = int(place.y() // theme().px(26)) - 1
        return index if 0 <= index < self.count else None

    def paint(self, painter: QPainter, clip: QRectF) -> None:
        """Legend, then name, weights, activations, codes."""
        look = theme()
        paint_legend(painter, QRectF(0, 0, self.width, look.px(22)))
        grid: QColor = look.color("plot_grid")
        for index, row in enumerate(self.payload.rows):
            box = self.rect(index)
            if not box.intersects(clip):
                continue
            painter.setFont(look.mono("body"))
            painter.setPen(look.color("ink"))
            name = QRectF(0, box.top(), self.width * 0.3 - 8, box.height())
            axes.elided(painter, name, axes.LEFT, row.layer)
            columns = (0.3, 0.52, 0.74)
            forms = (row.weight, row.input)
            for share, form in zip(columns, forms, strict=False):
                area = QRectF(self.width * share, box.top(), self.width * 0.2, box.height())
                paint_bits(painter, area, form)
            codes = QRectF(self.width * 0.74, box.top() + 4, self.width * 0.24, box.height() - 8)
            paint_codes(painter, codes, row.edges, row.counts, row.weight)
            painter.fillRect(QRectF(0, box.bottom() - 1, self.width, 1), grid)

    def words(self, index: int) -> str:
        """Formats, ranges, shares."""
        return "\n".join(row_words(self.payload.rows[index]))

    def mark(self, painter: QPainter, index: int) -> None:
        """Outline of the row."""
        axes.hairline_box(painter, self.rect(index), "border_strong")
