"""A histogram of one tensor, painted: bars, ends, zero, and the bin under the pointer."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from studio.theme import theme
from studio.widgets.painting import follow_theme, line, smooth

_FOOT, _HEAD = 20, 18


class Histogram(QWidget):
    """Bars of `low`, `high` and `counts`; `set_log` puts the counts on a logarithmic axis."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high = 0.0, 1.0
        self._counts: list[int] = []
        self._is_log = False
        self._hovered = -1
        self._nothing = ""
        self.setMouseTracking(True)
        self.setAccessibleName("Histogram")
        follow_theme(self.update)

    def set(self, histogram: dict[str, Any] | None, nothing: str = "") -> None:
        """Show a histogram; None shows the sentence `nothing`."""
        self._counts = list(histogram["counts"]) if histogram else []
        if histogram:
            self._low, self._high = float(histogram["low"]), float(histogram["high"])
        self._nothing = nothing
        self._hovered = -1
        self.setAccessibleDescription(self._described())
        self.update()

    def set_log(self, is_log: bool) -> None:
        """Logarithmic counts: a spike at zero leaves the rest visible."""
        self._is_log = is_log
        self.update()

    @property
    def counts(self) -> list[int]:
        """The bars."""
        return list(self._counts)

    def bin_range(self, place: int) -> tuple[float, float]:
        """Ends of a bin."""
        step = (self._high - self._low) / len(self._counts)
        return self._low + place * step, self._low + (place + 1) * step

    def bin_text(self, place: int) -> str:
        """A bin in words."""
        low, high = self.bin_range(place)
        total = sum(self._counts) or 1
        count = self._counts[place]
        return f"{low:.4g} to {high:.4g}: {count:,}, {100 * count / total:.3g} %"

    def sizeHint(self) -> QSize:
        """Room for bars and one line of figures."""
        return QSize(theme().px(240), theme().px(120))

    def minimumSizeHint(self) -> QSize:
        """Still readable."""
        return QSize(theme().px(120), theme().px(72))

    def _described(self) -> str:
        if not self._counts:
            return self._nothing
        top = max(range(len(self._counts)), key=self._counts.__getitem__)
        return f"{self._bins_text()}; most in {self.bin_text(top)}"

    def _bins_text(self) -> str:
        return "1 bin" if len(self._counts) == 1 else f"{len(self._counts)} bins"

    def _area(self) -> QRectF:
        look = theme()
        return QRectF(self.rect()).adjusted(0, look.px(_HEAD), 0, -look.px(_FOOT))

    def _height(self, count: int, top: int) -> float:
        if count <= 0 or top <= 0:
            return 0.0
        return math.log1p(count) / math.log1p(top) if self._is_log else count / top

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Bars, axis, ends, zero, read-out."""
        look = theme()
        with smooth(self) as painter:
            if not self._counts:
                middle = Qt.AlignmentFlag.AlignHCenter
                color = look.color("muted")
                where = QRectF(self.rect())
                line(painter, where, self._nothing, look.font("small"), color, middle)
                return
            area = self._area()
            self._bars(painter, area)
            low = QRectF(area.left(), area.bottom(), area.width(), look.border)
            painter.fillRect(low, look.color("line"))
            self._ticks(painter, area)

    def _bars(self, painter: QPainter, area: QRectF) -> None:
        look = theme()
        top, wide = max(self._counts), area.width() / len(self._counts)
        gap = 1.0 if wide >= 4 else 0.0
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for place, count in enumerate(self._counts):
            high = self._height(count, top) * area.height()
            if not high:
                continue
            left, right = round(place * wide), round((place + 1) * wide)
            bar = QRectF(left, area.bottom() - max(1.0, high), max(1.0, right - left - gap), high)
            bar.setBottom(area.bottom())
            color = "ink" if place == self._hovered else "muted"
            painter.fillRect(bar, look.color(color))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)

    def _ticks(self, painter: QPainter, area: QRectF) -> None:
        look = theme()
        font, muted = look.mono("small"), look.color("muted")
        words = QRectF(area.left(), area.bottom() + 2, area.width(), look.px(_FOOT) - 2)
        right = Qt.AlignmentFlag.AlignRight
        line(painter, words, f"{self._low:.4g}", font, muted)
        line(painter, words, f"{self._high:.4g}", font, muted, right)
        if self._low < 0 < self._high:
            x = round(area.left() + area.width() * -self._low / (self._high - self._low)) + 0.5
            painter.setPen(QPen(look.color("border_strong"), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            if 0.2 < (x - area.left()) / max(1.0, area.width()) < 0.8:
                spot = QRectF(x - 20, words.top(), 40, words.height())
                line(painter, spot, "0", font, muted, Qt.AlignmentFlag.AlignHCenter)
        head = QRectF(area.left(), 0, area.width(), look.px(_HEAD))
        if self._hovered >= 0:
            text = self.bin_text(self._hovered)
            line(painter, head, text, look.mono("small"), look.color("ink"))
        else:
            scale = ", counts on a log axis" if self._is_log else ""
            text = f"{self._bins_text()}, highest {max(self._counts):,}{scale}"
            line(painter, head, text, look.font("micro"), muted)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Read out the bin under the pointer."""
        if self._counts:
            share = event.position().x() / max(1, self.width())
            self._hovered = min(len(self._counts) - 1, max(0, int(share * len(self._counts))))
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing under the pointer."""
        self._hovered = -1
        self.update()
        super().leaveEvent(event)
