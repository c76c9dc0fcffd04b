"""What a picture of a payload is: it lays itself out, paints, and tells the value at a place."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPen

from studio.theme import theme


class Drawing:
    """One payload, painted into a rectangle that begins at (0, 0).

    A *spot* is a thing with a value: a cell, a bar, a point of the x axis. Spots are numbered
    from 0 to ``count - 1``; the pointer finds them by place, the keyboard walks along them.
    """

    per_row = 1  # spots that the arrow keys up and down jump over

    def __init__(self, payload: Any) -> None:
        self.payload = payload
        self.width = 0.0
        self.height = 0.0

    @property
    def count(self) -> int:
        """How many spots there are."""
        return 0

    def least(self, width: float) -> tuple[float, float]:
        """Least width and height in pixels when ``width`` is at hand."""
        return width, theme().px(180)

    def lay(self, width: float, height: float) -> None:
        """Place everything within ``width`` x ``height`` pixels."""
        self.width, self.height = width, height

    def paint(self, painter: QPainter, clip: QRectF) -> None:
        """Paint what lies within ``clip``."""

    def at(self, place: QPointF) -> int | None:
        """Spot at a place."""
        return next((i for i in range(self.count) if self.rect(i).contains(place)), None)

    def rect(self, index: int) -> QRectF:
        """Rectangle of a spot."""
        return QRectF()

    def words(self, index: int) -> str:
        """What the read-out says of a spot: its name, then one exact value a line."""
        return ""

    def mark(self, painter: QPainter, index: int) -> None:
        """Paint what shows that the spot is picked."""
        pen = QPen(theme().color("ink"), 2)
        painter.setPen(pen)
        painter.drawRect(self.rect(index).adjusted(0, 0, 0, 0))

    def step(self, index: int, dx: int, dy: int) -> int:
        """Spot that an arrow key leads to."""
        return min(max(index + dx + dy * self.per_row, 0), self.count - 1)
