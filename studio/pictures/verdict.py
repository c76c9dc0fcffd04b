"""A claim, whether it held, and its figures."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter

from backend.core.views import Verdict
from studio.icons import paint_icon
from studio.pictures import axes
from studio.pictures.drawing import Drawing
from studio.pictures.words import count, exact, holds
from studio.theme import theme

_LOOK = {
    True: ("good", "check-circle"),
    False: ("bad", "close-circle"),
    None: ("muted", "help-circle"),
}
_WRAP = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop) | int(Qt.TextFlag.TextWordWrap)


class VerdictDrawing(Drawing):
    """Icon and word of the outcome, the claim in full, then evidence as rows."""

    payload: Verdict

    def __init__(self, payload: Verdict) -> None:
        super().__init__(payload)
        self._evidence = list(payload.evidence.items())
        self._top = 0.0

    @property
    def count(self) -> int:
        """Figures."""
        return len(self._evidence)

    def _claim_height(self, width: float) -> float:
        metrics = QFontMetricsF(theme().font("body"))
        box = metrics.boundingRect(QRectF(0, 0, max(width, 40), 4000), _WRAP, self.payload.claim)
        return box.height()

    def least(self, width: float) -> tuple[float, float]:
        """Claim wrapped to the width, 26 px a figure."""
        look = theme()
        return width, look.px(44) + self._claim_height(width) + look.px(26) * (self.count + 1)

    def lay(self, width: float, height: float) -> None:
        """Evidence begins below the claim."""
        super().lay(width, height)
        self._top = theme().px(36) + self._claim_height(width)

    def rect(self, index: int) -> QRectF:
        """Row of a figure."""
        row = theme().px(26)
        return QRectF(0, self._top + index * row, min(self.width, theme().px(480)), row)

    def paint(self, painter: QPainter, clip: QRectF) -> None:
        """Outcome, claim, figures, samples."""
        look, payload = theme(), self.payload
        color, glyph = _LOOK[payload.holds]
        size = look.px(20)
        paint_icon(painter, glyph, QRectF(0, 0, size, size), look.color(color))
        painter.setFont(look.font("title"))
        painter.setPen(look.color(color if payload.holds is not None else "ink"))
        word = holds(payload.holds).capitalize()
        painter.drawText(QRectF(size + 8, 0, self.width, size), axes.LEFT, word)
        painter.setFont(look.font("body"))
        painter.setPen(look.color("ink"))
        claim = QRectF(0, size + 6, self.width, self._claim_height(self.width) + 4)
        painter.drawText(claim, _WRAP, payload.claim)
        for index, (name, value) in enumerate(self._evidence):
            row = self.rect(index)
            painter.setFont(look.font("small"))
            painter.setPen(look.color("muted"))
            left = QRectF(row.left(), row.top(), row.width() * 0.6, row.height())
            axes.elided(painter, left, axes.LEFT, name)
            painter.setFont(look.mono("body"))
            painter.setPen(look.color("ink"))
            painter.drawText(row, axes.RIGHT, exact(value))
            line = look.color("plot_grid")
            painter.fillRect(QRectF(row.left(), row.bottom() - 1, row.width(), 1), line)
        if payload.samples is not None:
            area = self.rect(self.count).adjusted(0, 2, 0, 0)
            painter.setFont(look.font("small"))
            painter.setPen(look.color("muted"))
            painter.drawText(area, axes.LEFT, f"on {count(payload.samples, 'sample')}")

    def words(self, index: int) -> str:
        """Name and exact value."""
        name, value = self._evidence[index]
        return f"{name}\n{exact(value)}"

    def mark(self, painter: QPainter, index: int) -> None:
        """Outline of the row."""
        axes.hairline_box(painter, self.rect(index), "border_strong")
