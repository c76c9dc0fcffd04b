"""One layer up close: its codes on the grid of the format, in words, and how it came there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from backend.core.views import LayerRow
from studio.docks.layers_table import WARN_SHARE, clipped, share_words
from studio.pictures import axes
from studio.pictures.bits import code_bounds, paint_bits, sound_counts
from studio.pictures.canvas import paint_card
from studio.pictures.words import count, exact, format_range, format_words, short
from studio.theme import theme
from studio.widgets.elided import ElidedLabel


@dataclass(frozen=True)
class Moment:
    """A layer at one step: fraction lengths; None where it is float or not in the view."""

    step: str
    weight: int | None
    input: int | None


def describe(row: LayerRow) -> list[str]:
    """Sentences about a layer; only what the payload tells."""
    if row.weight is None and row.input is None:
        return ["This layer computes in float. It has no number format."]
    lines = []
    for name, form in (("Weights", row.weight), ("Activations", row.input)):
        if form is None:
            lines.append(f"{name} are float.")
            continue
        low, high, step = format_range(form)
        text = f"{name}: {form.bits} bits, {format_words(form)}. "
        lines.append(
            f"{text}From {short(low, 6)} to {short(high, 6)} in steps of {short(step, 6)}."
        )
    shares = []
    if row.weight is not None:
        shares.append(f"{share_words(row.weight_clipped)} of the weights")
    if row.input is not None:
        shares.append(f"{share_words(row.input_clipped)} of the activations")
    tail = " More than 1 % is worth a look." if _is_high(row) else ""
    lines.append(f"{' and '.join(shares)} stand at the ends of the grid.{tail}")
    if row.headroom_bits is not None and math.isfinite(row.headroom_bits):
        bits = f"{row.headroom_bits:.2f}"
        if row.headroom_bits < 0.005:
            lines.append("No headroom: the largest weight reaches the end of the grid.")
        else:
            lines.append(f"Headroom {bits} bit between the largest weight and the end of the grid.")
    if row.clip_level is not None:
        lines.append(f"Activations are clipped at {short(row.clip_level, 6)}.")
    return lines


def _is_high(row: LayerRow) -> bool:
    return (clipped(row) or 0.0) > WARN_SHARE


class CodesPlot(QWidget):
    """Histogram of weight codes over the grid of the format."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row: LayerRow | None = None
        self._counts: list[float] = []
        self._hovered: int | None = None
        self.setMouseTracking(True)
        self.setMinimumHeight(theme().px(132))

    def set_row(self, row: LayerRow | None) -> None:
        """Show another layer."""
        self.row = row
        counts = row.counts[: max(0, len(row.edges) - 1)] if row is not None else []
        self._counts = sound_counts(counts)
        self.setAccessibleName(f"Weight codes of {row.layer}" if row else "Weight codes")
        self.update()

    def sizeHint(self) -> QSize:
        """A flat plot."""
        return QSize(theme().px(300), theme().px(140))

    def scales(self) -> tuple[axes.Scale, axes.Scale]:
        """Codes across, counts up."""
        look, row = theme(), self.row
        low, high = (0.0, 1.0)
        most = 1.0
        if row is not None and self._counts:
            low, high = axes.span_of(row.edges)
            most = max(self._counts) or 1.0
        if row is not None and row.weight is not None:
            first, last = code_bounds(row.weight)
            low, high = min(low, first - 0.5), max(high, last + 0.5)
        y = axes.Scale(0.0, most, self.height() - look.px(38), look.px(20))
        left = axes.value_axis_width(y, 3)
        return axes.Scale(low, high, left, self.width() - look.px(12)), y

    def paintEvent(self, event: QPaintEvent) -> None:
        """Grid, bars, ends of the grid."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        look, row = theme(), self.row
        if row is None:
            return
        if not self._counts:
            painter.setFont(look.font("small"))
            painter.setPen(look.color("muted"))
            said = "No histogram of weights was recorded for this layer."
            axes.elided(painter, QRectF(self.rect()), axes.LEFT, said)
            return
        x, y = self.scales()
        axes.value_axis(painter, y, x.start, x.end, 3)
        self._paint_bars(painter, row, x, y)
        axes.base_axis(painter, x, y.start, "weight code")
        if row.weight is not None:
            self._paint_grid(painter, row, x, y)
        if self._hovered is not None and self._hovered < len(self._counts):
            spot = self.bar(self._hovered)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.color("ink"), 1.5))
            painter.drawRect(spot)
            paint_card(painter, QRectF(self.rect()), spot, self.words(self._hovered))

    def bar(self, index: int) -> QRectF:
        """Rectangle of a bin."""
        x, y = self.scales()
        if self.row is None:
            return QRectF()
        a, b = x.to(self.row.edges[index]), x.to(self.row.edges[index + 1])
        top = y.to(self._counts[index])
        return QRectF(a, top, max(1.0, b - a - 1), y.start - top)

    def words(self, index: int) -> str:
        """Codes, values and count of a bin."""
        row = self.row
        if row is None:
            return ""
        low, high = row.edges[index], row.edges[index + 1]
        lines = [f"codes {short(low)} to {short(high)}", f"weights\t{exact(row.counts[index])}"]
        if row.weight is not None:
            step = format_range(row.weight)[2]
            lines.insert(1, f"values\t{short(low * step)} to {short(high * step)}")
        return "\n".join(lines)

    def _paint_bars(self, painter: QPainter, row: LayerRow, x: axes.Scale, y: axes.Scale) -> None:
        look = theme()
        ends = (0, len(self._counts) - 1) if row.weight is not None else ()
        idle, warn = look.mix("panel", "muted", 0.75), look.color("warn")
        for index, value in enumerate(self._counts):
            if value > 0:
                bar = self.bar(index)
                bar.setTop(min(bar.top(), bar.bottom() - 1))
                painter.fillRect(bar, warn if index in ends else idle)

    def _paint_grid(self, painter: QPainter, row: LayerRow, x: axes.Scale, y: axes.Scale) -> None:
        """A tick for each code where they can be told apart, and a line at either end."""
        look, form = theme(), row.weight
        if form is None:
            return
        first, last = code_bounds(form)
        pitch = (x.end - x.start) / max(1, last - first)
        every = 1
        while pitch * every < 4:
            every *= 2
        codes = range(first, last + 1, every)
        axes.hairline(
            painter,
            look.color("border_strong"),
            *(QLineF(x.to(code), y.start, x.to(code), y.start + 3) for code in codes),
        )
        painter.setPen(QPen(look.color("warn"), 1.2, Qt.PenStyle.DashLine))
        for code in (first, last):
            painter.drawLine(QLineF(x.to(code), y.end, x.to(code), y.start))
        painter.setFont(look.mono("small"))
        painter.setPen(look.color("muted"))
        low, high, step = format_range(form)
        top = QRectF(x.start, 0, x.end - x.start, look.px(18))
        painter.drawText(top, axes.LEFT, short(low))
        painter.drawText(top, axes.RIGHT, short(high))
        ends = axes.text_width(painter.font(), [short(low), short(high)]) + look.px(8)
        each = "a tick is one code" if every == 1 else f"a tick is {every} codes"
        painter.setFont(look.font("micro"))
        room = top.adjusted(ends, 0, -ends, 0)
        axes.elided(painter, room, axes.CENTER, f"step {short(step)}, {each}")

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Read out the bin under the pointer."""
        place, found = event.position(), None
        if self.row is not None:
            for index in range(len(self._counts)):
                bar = self.bar(index)
                if bar.left() <= place.x() < bar.right() + 1:
                    found = index
        if found != self._hovered:
            self._hovered = found
            self.update()

    def leaveEvent(self, event: object) -> None:
        """Drop the read-out."""
        self._hovered = None
        self.update()


class HistoryPlot(QWidget):
    """Fraction lengths over the steps, as step lines: weights full, activations dashed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.moments: list[Moment] = []
        self.now = -1
        self.setMinimumHeight(theme().px(84))

    def set_moments(self, moments: Sequence[Moment], now: int) -> None:
        """Show these steps; ``now`` is the one that the table shows."""
        self.moments, self.now = list(moments), now
        self.setAccessibleName("Fraction length over the steps")
        self.setToolTip(self.words())
        self.update()

    def words(self) -> str:
        """Where the fraction lengths moved."""
        lines = []
        for name, values in (
            ("Weights", [(m.step, m.weight) for m in self.moments]),
            ("Activations", [(m.step, m.input) for m in self.moments]),
        ):
            known = [(step, v) for step, v in values if v is not None]
            if not known:
                continue
            moves = [f"{known[0][1]} fraction bits at step {known[0][0]}"]
            moves += [
                f"{b} at step {step}" for (_, a), (step, b) in itertools.pairwise(known) if a != b
            ]
            stayed = ", and stayed" if len(moves) == 1 and len(known) > 1 else ""
            lines.append(f"{name}: {', then '.join(moves)}{stayed}.")
        return "\n".join(lines)

    def sizeHint(self) -> QSize:
        """A strip."""
        return QSize(theme().px(300), theme().px(92))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Axis, two lines, the shown step."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        look = theme()
        known = [v for m in self.moments for v in (m.weight, m.input) if v is not None]
        if not known:
            return
        low, high = min(known) - 0.6, max(known) + 0.6
        y = axes.Scale(low, high, self.height() - look.px(22), look.px(6))
        left = axes.text_width(look.mono("small"), [str(v) for v in known]) + look.px(10)
        x = axes.Scale(0, max(1, len(self.moments) - 1), left, self.width() - look.px(14))
        painter.setFont(look.mono("small"))
        marks = range(min(known), max(known) + 1)
        for value in marks if len(marks) < 8 else (min(known), max(known)):
            place = y.to(value)
            axes.hairline(painter, look.color("plot_grid"), QLineF(left, place, x.end, place))
            painter.setPen(look.color("muted"))
            area = QRectF(0, place - 8, left - look.px(6), 16)
            painter.drawText(area, axes.RIGHT, str(value))
        base = y.start + 4
        axes.hairline(painter, look.color("line"), QLineF(left, base, x.end, base))
        if 0 <= self.now < len(self.moments):
            at = x.to(self.now)
            painter.setPen(QPen(look.color("muted"), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QLineF(at, y.end, at, y.start))
        self._paint_line(painter, [m.input for m in self.moments], x, y, True)
        self._paint_line(painter, [m.weight for m in self.moments], x, y, False)
        painter.setPen(look.color("muted"))
        foot = QRectF(left, base + 2, x.end - left, look.px(16))
        painter.drawText(foot, axes.LEFT, self.moments[0].step)
        painter.drawText(foot, axes.RIGHT, self.moments[-1].step)

    def _paint_line(
        self,
        painter: QPainter,
        values: Sequence[int | None],
        x: axes.Scale,
        y: axes.Scale,
        is_dashed: bool,
    ) -> None:
        pen = QPen(theme().color("data" if is_dashed else "model"), 1.6)
        if is_dashed:
            pen.setDashPattern([4.0, 3.0])
        painter.setPen(pen)
        corners = QPolygonF()
        for n, value in enumerate(values):
            if value is None:
                continue
            place = QPointF(x.to(n), y.to(value))
            if corners.size():
                corners.append(QPointF(place.x(), corners.at(corners.size() - 1).y()))
            corners.append(place)
        if corners.size() == 1:
            painter.drawEllipse(corners.at(0), 2, 2)
        painter.drawPolyline(corners)


class BitsRow(QWidget):
    """Format of weights and activations in large cells."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row: LayerRow | None = None
        self.setFixedHeight(theme().px(44))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Two lines of cells with their names."""
        if self.row is None:
            return
        painter, look = QPainter(self), theme()
        pairs = (("weights", self.row.weight), ("activations", self.row.input))
        for n, (name, form) in enumerate(pairs):
            line = QRectF(0, n * look.px(22), self.width(), look.px(22))
            painter.setFont(look.font("small"))
            painter.setPen(look.color("muted"))
            painter.drawText(line, axes.LEFT, name)
            paint_bits(painter, line.adjusted(look.px(80), 0, -look.px(60), 0), form)
            if form is not None:
                painter.setFont(look.mono("small"))
                painter.setPen(look.color("muted"))
                painter.drawText(line, axes.RIGHT, f"{form.bits} bit")


class LayerDetail(QScrollArea):
    """The picked layer."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(self.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("The picked layer")
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(6)
        self.title = ElidedLabel("", "body", mono=True)
        self.operation = ElidedLabel("", "small", "muted")
        self.bits = BitsRow()
        self.codes_title = ElidedLabel("Weight codes", "micro", "muted")
        self.codes = CodesPlot()
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.history_title = ElidedLabel("", "micro", "muted")
        self.history = HistoryPlot()
        for part in (
            self.title,
            self.operation,
            self.bits,
            self.codes_title,
            self.codes,
            self.words,
            self.history_title,
            self.history,
        ):
            column.addWidget(part)
        column.addStretch(1)
        self.setWidget(page)
        theme().changed.connect(self._restyle)
        self._restyle()

    def _restyle(self) -> None:
        self.words.setFont(theme().font("small"))

    def show_layer(self, row: LayerRow, moments: Sequence[Moment], now: int) -> None:
        """Show a layer at a step, and how it got there."""
        self.title.setText(row.layer)
        self.operation.setText(row.operation)
        self.operation.setVisible(bool(row.operation))
        has_format = row.weight is not None or row.input is not None
        self.bits.row = row
        self.bits.setVisible(has_format)
        self.bits.update()
        self.codes.set_row(row)
        self.words.setText("\n".join(describe(row)))
        has_history = len(moments) > 1 and any(
            m.weight is not None or m.input is not None for m in moments
        )
        said = "Fraction bits over the steps: weights full, activations dashed"
        self.history_title.setText(f"{said}, {count(len(moments), 'step')}")
        self.history_title.setVisible(has_history)
        self.history.setVisible(has_history)
        self.history.set_moments(moments, now)
