"""Drawing primitives: plots, bars, histograms and heat maps as SVG and a little HTML.

A plot is an SVG stretched over its place, while ticks and labels are text beside it: so it fits any
width from a phone to a wide screen and its words stay readable without any script.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.report.markup import svg
from backend.report.scale import SPAN, Axis, Point, axis
from backend.report.text import esc, shown
from backend.report.theme import PENS, RAMP_LEVELS

_DASHES = ("", "dash", "dot")


@dataclass(frozen=True)
class Curve:
    """One curve to draw: raw points, a smoothed line over them, and the band they move in."""

    name: str
    pen: int
    raw: Sequence[Point]
    means: Sequence[Point] = ()
    line: Sequence[Point] = ()
    band: Sequence[tuple[float, float, float]] = ()
    dash: int = 0

    @property
    def classes(self) -> str:
        """CSS classes of its pen."""
        return f"p{self.pen % PENS} {_DASHES[min(self.dash, 2)]}".strip()


@dataclass(frozen=True)
class Frame:
    """Where a plot is drawn: axes, labels, height in pixels, and which plots share a crosshair."""

    x: Axis
    y: Axis
    label: str
    height: int = 200
    x_label: str = ""
    link: str = ""
    weight: float = 0.0
    is_clipped: bool = False


def frame(
    curves: Sequence[Sequence[Point]], label: str, *, log_x: bool = False, log_y: bool = False
) -> Frame:
    """Return a frame that holds all points of ``curves``."""
    xs = [x for points in curves for x, _ in points]
    ys = [y for points in curves for _, y in points]
    return Frame(axis(xs, log=log_x, count=6, tight=True), axis(ys, log=log_y, count=4), label)


def plot(curves: Sequence[Curve], place: Frame) -> str:
    """Draw curves over a common frame: bands below, raw lines, then the smoothed lines."""
    drawn = [_grid(place)]
    drawn += [_band(curve, place, i) for i, curve in enumerate(curves)]
    drawn += [_raw(curve, place, i) for i, curve in enumerate(curves)]
    drawn += [
        _points(curve.line, place, f"line smooth {curve.classes}", i)
        for i, curve in enumerate(curves)
        if curve.line
    ]
    return _placed(place, "".join(drawn), _data(curves, place))


def _placed(place: Frame, inner: str, data: str = "") -> str:
    """Put drawn SVG into its place with tick labels beside it."""
    longest = max((len(label) for _, label in place.y.ticks), default=1)
    y_labels = "".join(
        f'<span style="top:{100 - place.y.at(v) / SPAN * 100:.2f}%">{esc(t)}</span>'
        for v, t in place.y.ticks
    )
    x_name = f'<span class="xname">{esc(place.x_label)}</span>' if place.x_label else ""
    clip = 'class="clip" ' if place.is_clipped else ""
    stretched = f'{clip}preserveAspectRatio="none"'
    picture = svg(inner, place.label, f"0 0 {SPAN:.0f} {SPAN:.0f}", attributes=stretched)
    return (
        f'<div class="plot" data-link="{esc(place.link)}" style="--h:{place.height}px;'
        f'--yw:{longest}ch"><div class="ys" aria-hidden="true">{y_labels}</div>'
        f'<div class="well">{picture}</div>'
        f'<div class="xs" aria-hidden="true">{_x_labels(place.x)}{x_name}</div>{data}</div>'
    )


def _x_labels(x: Axis) -> str:
    out = []
    for value, text in x.ticks:
        left = x.at(value) / SPAN * 100
        edge = " first" if left < 2 else " last" if left > 96 else ""
        out.append(f'<span class="tick{edge}" style="left:{left:.2f}%">{esc(text)}</span>')
    return "".join(out)


def _grid(place: Frame) -> str:
    rows = "".join(f"M0 {SPAN - place.y.at(v):.1f}H{SPAN:.0f}" for v, _ in place.y.ticks)
    return f'<path class="grid" d="{rows}"/><path class="base" d="M0 {SPAN:.0f}H{SPAN:.0f}"/>'


def _band(curve: Curve, place: Frame, index: int) -> str:
    if not curve.band:
        return ""
    upper = [(x, high) for x, _, high in curve.band]
    lower = [(x, low) for x, low, _ in reversed(curve.band)]
    shape = path_of([*upper, *lower], place)
    return f'<path class="band {curve.classes}" data-curve="{index}" d="{shape}Z"/>'


def _raw(curve: Curve, place: Frame, index: int) -> str:
    kind = "raw" if curve.line else "line"
    return _points(curve.raw, place, f"{kind} {curve.classes}", index)


def _points(points: Sequence[Point], place: Frame, classes: str, index: int) -> str:
    finite = [p for p in points if math.isfinite(p[0]) and math.isfinite(p[1])]
    line = f'<path class="{classes}" data-curve="{index}" d="{path_of(points, place)}"/>'
    if 0 < len(finite) <= 40 and "smooth" not in classes:
        # A path of zero length with round caps: a dot that stays round however it is stretched.
        dots = "".join(f"M{place.x.at(x):.1f} {SPAN - place.y.at(y):.1f}h0" for x, y in finite)
        line += f'<path class="dots {classes}" data-curve="{index}" d="{dots}"/>'
    return line


def path_of(points: Iterable[Point], place: Frame) -> str:
    """Return the path through points; a value that is not finite is a gap."""
    parts, command = [], "M"
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y)) or (place.y.log and y <= 0):
            command = "M"
            continue
        parts.append(f"{command}{place.x.at(x):.1f} {SPAN - place.y.at(y):.1f}")
        command = "L"
    return "".join(parts)


def _data(curves: Sequence[Curve], place: Frame) -> str:
    """Figures for the crosshair and the smoothing slider, as JSON that no script can break out."""
    data = {
        "x": [place.x.low, place.x.high, place.x.log],
        "y": [place.y.low, place.y.high, place.y.log],
        "w": place.weight,
        "xl": place.x_label,
        "c": [
            {
                "n": curve.name,
                "k": curve.classes,
                "s": bool(curve.line),
                "x": [_short(x) for x, _ in curve.means or curve.raw],
                "y": [_short(y) for _, y in curve.means or curve.raw],
            }
            for curve in curves
        ],
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" class="figures">{text}</script>'


def toggle(index: int, classes: str, name: str) -> str:
    """Draw a legend entry; with a script it hides and shows its curve."""
    return (
        f'<button type="button" class="toggle" data-curve="{index}" aria-pressed="true">'
        f'<svg class="swatch {classes}" viewBox="0 0 20 8" aria-hidden="true">'
        f'<path class="line {classes}" d="M0 4H20"/></svg><span>{esc(name)}</span></button>'
    )


def _short(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None


def level(value: float, low: float, high: float) -> int:
    """Return the ramp level of a value."""
    if high <= low:
        return RAMP_LEVELS // 2
    share = (value - low) / (high - low)
    return min(RAMP_LEVELS - 1, max(0, round(share * (RAMP_LEVELS - 1))))


def color_bar(low: float, high: float, ramp: str = "h", unit: str = "") -> str:
    """Draw the legend of a ramp with its two fixed ends."""
    cells = "".join(f'<i class="{ramp}{i}"></i>' for i in range(RAMP_LEVELS))
    unit = f" {esc(unit)}" if unit else ""
    return (
        f'<div class="bar-of-colour"><span>{shown(low, 3)}</span><b aria-hidden="true">{cells}</b>'
        f"<span>{shown(high, 3)}{unit}</span></div>"
    )


def pixels(rows: Sequence[Sequence[float]], low: float, high: float, ramp: str, label: str) -> str:
    """Draw a matrix as coloured cells, equal neighbours in a row joined; NaN stays empty."""
    width = max((len(row) for row in rows), default=1) or 1
    paths: dict[int, list[str]] = {}
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            value, start = row[x], x
            if not math.isfinite(value):
                x += 1
                continue
            grade = level(value, low, high)
            while x < len(row) and math.isfinite(row[x]) and level(row[x], low, high) == grade:
                x += 1
            paths.setdefault(grade, []).append(f"M{start} {y}h{x - start}v1h{start - x}z")
    drawn = "".join(f'<path class="{ramp}{g}" d="{"".join(p)}"/>' for g, p in sorted(paths.items()))
    box = f"0 0 {width} {len(rows) or 1}"
    return svg(drawn, label, box, attributes='class="pixels" preserveAspectRatio="none"')


def histogram(
    edges: Sequence[float], counts: Sequence[float], marks: dict[str, float], label: str
) -> str:
    """Draw counts between edges; ``marks`` are named vertical lines."""
    bars = list(zip(edges, edges[1:], counts, strict=False))
    bars = [bar for bar in bars if all(math.isfinite(v) for v in bar)]
    inside = [v for v in marks.values() if math.isfinite(v)]
    place = Frame(
        axis([v for low, high, _ in bars for v in (low, high)] + inside, count=6, tight=True),
        axis([0.0, *(count for _, _, count in bars)], count=3),
        label,
        height=160,
    )
    drawn = []
    for low, high, count in bars:
        left, right, top = place.x.at(low), place.x.at(high), SPAN - place.y.at(count)
        gap = min(2.0, (right - left) * 0.1)
        drawn.append(
            f"M{left + gap / 2:.1f} {SPAN:.0f}V{top:.1f}H{right - gap / 2:.1f}V{SPAN:.0f}z"
        )
    lines = "".join(f"M{place.x.at(v):.1f} 0V{SPAN:.0f}" for v in inside)
    inner = f'{_grid(place)}<path class="bars p1" d="{"".join(drawn)}"/>'
    inner += f'<path class="mark" d="{lines}"/>' if lines else ""
    return _placed(place, inner)
