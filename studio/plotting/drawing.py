"""From the points of a curve to what the screen shows of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from studio.plotting.buckets import Buckets, bucket, outline, visible, width_for
from studio.plotting.curve import Curve, Options, logarithm
from studio.plotting.smoothing import Floats, fitting

BAND_PIXELS = 4.0


@dataclass(frozen=True)
class Drawing:
    """Lines in view coordinates; ``points`` is how many points of the series are in sight."""

    raw: tuple[Floats, Floats]
    smooth: tuple[Floats, Floats] | None
    band: Buckets | None
    points: int
    dropped: int


@dataclass(frozen=True)
class Placed:
    """A curve's values on the axes, logarithms taken; kept until its points change."""

    x: Floats
    raw: Floats
    smooth: Floats | None
    dropped: int

    @property
    def main(self) -> Floats:
        """The line that counts: the smoothed one where there is one."""
        return self.raw if self.smooth is None else self.smooth


def place(curve: Curve, options: Options) -> Placed | None:
    """Put a curve on the axes; None when its x positions are not known."""
    x = curve.x(options)
    if x is None:
        return None
    raw = curve.series.values
    weight = fitting(options.weight, len(curve.series))
    smooth = curve.series.smooth(weight) if weight > 0 else None
    dropped = 0
    if options.log_y:
        dropped = int((raw <= 0).sum())
        raw = logarithm(raw)
        smooth = None if smooth is None else logarithm(smooth)
    if options.log_x:
        keep = np.isfinite(x)
        dropped += int((~keep).sum())
        x, raw = x[keep], raw[keep]
        smooth = None if smooth is None else smooth[keep]
    return Placed(x, raw, smooth, dropped)


def draw(placed: Placed, low: float, high: float, pixels: float, *, has_band: bool) -> Drawing:
    """Reduce a placed curve to what a view from ``low`` to ``high`` of ``pixels`` can show."""
    part = visible(placed.x, low, high)
    x, raw = placed.x[part], placed.raw[part]
    width = width_for(high - low, pixels, 0.75)
    smooth = None if placed.smooth is None else outline(x, placed.smooth[part], width)
    band = None
    if has_band and smooth is not None:
        band = bucket(x, raw, width_for(high - low, pixels, BAND_PIXELS))
    return Drawing(outline(x, raw, width), smooth, band, len(x), placed.dropped)


def band_outline(band: Buckets) -> tuple[Floats, Floats, Floats] | None:
    """x, low and high of the parts of a band that have values; None for fewer than two."""
    keep = np.isfinite(band.low) & np.isfinite(band.high)
    if int(keep.sum()) < 2:
        return None
    return band.x[keep], band.low[keep], band.high[keep]


def reading(x: Floats, y: Floats, at: float, grace: float = 0.0) -> tuple[float, float] | None:
    """Where the line through (x, y) stands at ``at``, as it is drawn; None where there is none.

    ``x`` ascends. Beyond its ends, but within ``grace``, the last point counts.
    """
    if not len(x):
        return None
    right = int(np.searchsorted(x, at))
    if right == 0 or right == len(x):
        end = 0 if right == 0 else len(x) - 1
        is_near = abs(float(x[end]) - at) <= grace and np.isfinite(y[end])
        return (float(x[end]), float(y[end])) if is_near else None
    left_y, right_y = float(y[right - 1]), float(y[right])
    if not np.isfinite(left_y) or not np.isfinite(right_y):
        return None
    width = float(x[right] - x[right - 1])
    part = (at - float(x[right - 1])) / width if width > 0 else 1.0
    return at, left_y + part * (right_y - left_y)
