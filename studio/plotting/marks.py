"""Marks where a curve stopped being finite."""

from __future__ import annotations

import pyqtgraph as pg

from studio.plotting.axis import tick_text
from studio.plotting.curve import Curve
from studio.plotting.pens import make_pen
from studio.theme import theme


class BreakMarks:
    """A dotted line and a few words for each curve that became NaN or infinite."""

    def __init__(self, view: pg.ViewBox) -> None:
        self._view = view
        self._items: list[tuple[pg.InfiniteLine, pg.TextItem]] = []

    def show(self, broken: list[tuple[Curve, float]]) -> None:
        """Stand at these positions of the x axis, and nowhere else."""
        while len(self._items) > len(broken):
            for item in self._items.pop():
                self._view.removeItem(item)
        while len(self._items) < len(broken):
            pair = pg.InfiniteLine(angle=90), pg.TextItem()
            for item in pair:
                item.setZValue(4)
                self._view.addItem(item, ignoreBounds=True)
            self._items.append(pair)
        (left, right), (_, top) = self._view.viewRange()
        for (curve, at), (line, text) in zip(broken, self._items, strict=True):
            where = curve.series.broken
            if where is None:
                continue
            line.setPen(make_pen(theme().color("bad"), 1.0, [2, 3]))
            line.setValue(at)
            text.setText(f"{where.word} at step {tick_text(where.step, 1)}", theme().color("bad"))
            text.setFont(theme().font("micro"))
            text.setAnchor((1, 0) if at > (left + right) / 2 else (0, 0))
            text.setPos(at, top)
