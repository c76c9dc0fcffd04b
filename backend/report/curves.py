"""The curves of a run: metrics of every node, one plot for each kind of figure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from backend.report.charts import Curve, Frame, plot, toggle
from backend.report.digest import Curves
from backend.report.scale import (
    Bucket,
    Point,
    axis,
    buckets,
    robust_range,
    smooth,
    wants_log,
)
from backend.report.text import esc, plural, shown
from backend.report.theme import PENS

WEIGHT = 0.8
"""Smoothing at first sight; the slider changes it."""
MOST_CURVES = 24
_DRAWN = 400
_BANDS = 72
_SMOOTHED_FROM = 40
_TITLES = {
    "loss": "Loss",
    "top1": "Top-1",
    "top5": "Top-5",
    "acc": "Accuracy",
    "lr": "Learning rate",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ms": "Time",
}
_UNITS = {"psnr": "dB", "ms": "ms"}


@dataclass(frozen=True)
class Group:
    """Curves that share a plot because their names end alike."""

    suffix: str
    curves: dict[tuple[str, str, str], list[Point]]

    @property
    def title(self) -> str:
        """What stands above the plot."""
        return _TITLES.get(self.suffix, self.suffix.capitalize() or "Value")


def suffix(name: str) -> str:
    """Return the kind of figure that a metric's name ends in: ``val_top1`` is a ``top1``."""
    parts = [part for part in re.split(r"[_/. ]+", name.lower()) if part]
    kind = parts[-1] if parts else name.lower()
    return {"accuracy": "acc", "learning-rate": "lr", "rate": "lr"}.get(kind, kind)


def groups(curves: Curves) -> list[Group]:
    """Sort the curves that have more than one point into plots."""
    found: dict[str, dict[tuple[str, str, str], list[Point]]] = {}
    for key, points in curves.items():
        if len({x for x, _ in points}) > 1:
            found.setdefault(suffix(key[2]), {})[key] = points
    first = {kind: rank for rank, kind in enumerate(("top1", "acc", "psnr", "ssim", "loss"))}
    order = sorted(found, key=lambda kind: (first.get(kind, 50 + (kind == "lr")), kind))
    return [Group(kind, found[kind]) for kind in order]


def figures(curves: Curves) -> list[tuple[str, str, float]]:
    """Return ``(node, name, value)`` of every figure that was given once and so is no curve."""
    return [
        (node, f"{stage} {name}".strip(), points[-1][1])
        for (node, stage, name), points in curves.items()
        if len({x for x, _ in points}) == 1
    ]


def section(curves: Curves) -> str:
    """Draw every plot; empty when no node gave curves."""
    found = groups(curves)
    if not found:
        return ""
    pens = _pens([key for group in found for key in group.curves])
    ends = [x for group in found for points in group.curves.values() for x, _ in points]
    drawn = "".join(_figure(group, pens, (min(ends), max(ends))) for group in found)
    is_smoothed = any(_is_noisy(p) for group in found for p in group.curves.values())
    slider = (
        '<label class="needs-js smoothing">Smoothing <input type="range" min="0" max="0.98" '
        f'step="0.01" value="{WEIGHT}"><output>{WEIGHT:.2f}</output></label>'
    )
    how = (
        "Strong line: mean around each step, a neighbour weighing "
        f"<output>{WEIGHT:.2f}</output> of the one before. Faint line and band: all values."
    )
    note = f'<p class="note">{how}</p>' if is_smoothed else ""
    return (
        f'<div class="tools">{note}{slider if is_smoothed else ""}</div>'
        f'<div class="plots n{min(3, 2 if len(found) == 4 else len(found))}">{drawn}</div>'
    )


def _pens(keys: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str, str], int]:
    """Give each node one pen for the whole page; a single node has a pen for each curve."""
    nodes = list(dict.fromkeys((node, stage) for node, stage, _ in keys))
    if len(nodes) > 1:
        return {key: nodes.index(key[:2]) for key in keys}
    pens: dict[tuple[str, str, str], int] = {}
    for key in keys:
        used = [pens[k] for k in pens if suffix(k[2]) == suffix(key[2])]
        pens[key] = len(used)
    return pens


def _figure(group: Group, pens: dict[tuple[str, str, str], int], ends: tuple[float, float]) -> str:
    shown_keys = list(group.curves)[:MOST_CURVES]
    curves = _curves(group, shown_keys, pens)
    values = [y for key in shown_keys for _, y in group.curves[key]]
    lines = [y for curve in curves for _, y in (curve.line or curve.raw) if math.isfinite(y)]
    is_log = wants_log(values)
    low, high, outside = robust_range(values)
    if lines:
        low, high = min(low, *lines), max(high, *lines)
        outside = sum(math.isfinite(v) and (v < low or v > high) for v in values)
    steps = [x for key in shown_keys for x, _ in group.curves[key]]
    if max(steps) - min(steps) > 0.3 * (ends[1] - ends[0]):
        steps += ends  # plots stand over the same steps, unless that would squeeze this one
    place = Frame(
        axis(steps, count=5, tight=True, whole=True),
        axis([low, high], log=is_log, count=4),
        f"{group.title} over steps: " + ", ".join(curve.name for curve in curves),
        x_label="step",
        link="step",
        weight=WEIGHT,
        is_clipped=outside > 0,
    )
    unit = " ".join(x for x in (_UNITS.get(group.suffix, ""), "log axis" if is_log else "") if x)
    left = len(group.curves) - len(shown_keys)
    points = [point for key in shown_keys for point in group.curves[key]]
    remarks = _remarks(points, outside, left)
    return (
        f'<figure class="chart"><figcaption><b>{esc(group.title)}</b> '
        f"<span>{esc(unit)}</span></figcaption>{plot(curves, place)}"
        f"{_legend(curves, [group.curves[key] for key in shown_keys])}{remarks}</figure>"
    )


def _remarks(points: Sequence[Point], outside: int, left: int) -> str:
    bad = [x for x, y in points if not math.isfinite(y)]
    said = []
    if len(bad) == 1:
        said.append(f"The value at step {bad[0]:,.0f} is not a finite number.")
    elif bad:
        said.append(f"{len(bad):,} values are not finite, the first at step {min(bad):,.0f}.")
    if outside:
        finite = [y for _, y in points if math.isfinite(y)]
        word = "value lies" if outside == 1 else "values lie"
        said.append(
            f"{outside:,} {word} outside the plot (lowest {shown(min(finite))}, "
            f"highest {shown(max(finite))})."
        )
    if left:
        said.append(f"{plural(left, 'more curve')} not drawn.")
    return f'<p class="remark">{" ".join(said)}</p>' if said else ""


def _curves(
    group: Group, keys: list[tuple[str, str, str]], pens: dict[tuple[str, str, str], int]
) -> list[Curve]:
    used: dict[int, int] = {}
    out = []
    for key in keys:
        pen = pens[key]
        dash = used.get(pen % PENS, 0)
        used[pen % PENS] = dash + 1
        out.append(_curve(_name(key, keys), pen, dash, group.curves[key]))
    return out


def _name(key: tuple[str, str, str], keys: Sequence[tuple[str, str, str]]) -> str:
    """Name a curve by what tells it from the others of its plot."""
    node, stage, name = key
    parts = [node] if len({k[0] for k in keys}) > 1 or len(keys) == 1 else []
    parts += [stage] if stage else []
    parts += [name] if len({k[2] for k in keys}) > 1 or len(keys) == 1 else []
    return " ".join(parts) or name


def _is_noisy(points: Sequence[Point]) -> bool:
    """Whether smoothing helps: many points that go up and down. A schedule is drawn as it is."""
    values = [y for _, y in points if math.isfinite(y)]
    if len(values) < _SMOOTHED_FROM:
        return False
    travelled = sum(abs(b - a) for a, b in pairwise(values))
    return travelled > 2.5 * (max(values) - min(values))


def _curve(name: str, pen: int, dash: int, points: Sequence[Point]) -> Curve:
    fine = buckets(points, _DRAWN)
    if not _is_noisy(points):
        thin = [(b.x, b.mean) for b in fine]
        return Curve(name, pen, points if len(points) <= _DRAWN else thin, dash=dash)
    means = [(b.x, b.mean) for b in fine]
    line = list(zip((b.x for b in fine), smooth([b.mean for b in fine], WEIGHT), strict=True))
    wide = [b for b in buckets(points, _BANDS) if math.isfinite(b.mean)]
    return Curve(
        name, pen, _envelope(fine, points), means, line, [(b.x, b.low, b.high) for b in wide], dash
    )


def _envelope(fine: Sequence[Bucket], points: Sequence[Point]) -> list[Point]:
    """Return a thinned raw line that still touches every extreme."""
    if len(fine) == len(points):
        return list(points)
    out: list[Point] = []
    for bucket in fine:
        out.append((bucket.x, bucket.low))
        if bucket.high > bucket.low:
            out.append((bucket.x, bucket.high))
    return out


def _legend(curves: Sequence[Curve], points: Sequence[Sequence[Point]]) -> str:
    rows = []
    for index, (curve, values) in enumerate(zip(curves, points, strict=True)):
        finite = [y for _, y in values if math.isfinite(y)]
        cells = (values[-1][1], min(finite, default=math.nan), max(finite, default=math.nan))
        numbers = "".join(f'<td class="n">{shown(cell)}</td>' for cell in cells)
        rows.append(
            f'<tr><th scope="row">{toggle(index, curve.classes, curve.name)}</th>{numbers}</tr>'
        )
    head = "".join(
        f'<th scope="col" class="n">{word}</th>' for word in ("last", "lowest", "highest")
    )
    return (
        '<table class="legend"><thead><tr><th scope="col"><span class="vh">Curve</span></th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
