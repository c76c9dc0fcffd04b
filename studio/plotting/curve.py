"""What a plot is told to draw: a curve, and how all curves of a dock are drawn."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from PySide6.QtGui import QColor

from studio.plotting.series import Series
from studio.plotting.smoothing import Floats
from studio.theme import theme
from studio.tokens import token

XMode = Literal["step", "epoch", "time"]


@dataclass(frozen=True)
class Options:
    """How curves are drawn; one for all plots of a dock. ``weight`` is the smoothing in [0, 1)."""

    weight: float = 0.86
    log_x: bool = False
    log_y: bool = False
    x_mode: XMode = "step"
    hide_outliers: bool = False
    has_band: bool = True

    @property
    def is_smooth(self) -> bool:
        """Whether a smoothed line is drawn over the raw one."""
        return self.weight > 0


@dataclass
class Curve:
    """One line with its words, its pen and its points.

    ``pen`` is the index of the colour, ``turn`` tells lines of one run apart: solid, dashed,
    dotted. ``epoch_steps`` is how many steps an epoch has, where that is known.
    """

    key: Hashable
    name: str
    about: str = ""
    pen: int = 0
    turn: int = 0
    series: Series = field(default_factory=Series)
    epoch_steps: float | None = None
    is_hidden: bool = False
    began: float | None = None
    """When its node began, on the clock of the points' times."""
    short: str = ""
    """The name where there is little room; the name itself when empty."""

    @property
    def label(self) -> str:
        """The name for cards and tables."""
        return self.short or self.name

    @property
    def color(self) -> QColor:
        """Colour of the pen."""
        return theme().pen_color(self.pen)

    @property
    def dash(self) -> list[float] | None:
        """Dash pattern of the pen."""
        pens = len(token("plot.pens"))
        return theme().pen_dash(self.pen + self.turn * pens)

    def x(self, options: Options) -> Floats | None:
        """Positions (N,) on the x axis of the chosen kind; None where they are not known."""
        series = self.series
        if options.x_mode == "time":
            found = series.seconds(self.began)
        elif options.x_mode == "epoch":
            found = series.steps / self.epoch_steps if self.epoch_steps else None
        else:
            found = series.steps
        return found if found is None or not options.log_x else logarithm(found)

    def broken_at(self, options: Options) -> float | None:
        """Where on the x axis the curve stopped being finite; None where it did not."""
        broken = self.series.broken
        if broken is None:
            return None
        at = broken.step
        if options.x_mode == "time":
            if self.began is None:
                return None
            at = broken.time - self.began
        elif options.x_mode == "epoch":
            if not self.epoch_steps:
                return None
            at /= self.epoch_steps
        if not options.log_x:
            return at
        return math.log10(at) if at > 0 else None


def logarithm(values: Floats) -> Floats:
    """log10 of each value; NaN for what has none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log10(values), np.nan)
