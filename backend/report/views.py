"""From a kind of view to HTML. One function a kind; a view that cannot be drawn says so."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from backend.core import views as v
from backend.report import layers, tables
from backend.report.bars import bars
from backend.report.charts import (
    Curve,
    Frame,
    color_bar,
    frame,
    histogram,
    level,
    pixels,
    plot,
    toggle,
)
from backend.report.diagram import state_icon
from backend.report.digest import Shown
from backend.report.heatmap import heatmap
from backend.report.markup import empty, names, scroller
from backend.report.scale import Point, axis, buckets
from backend.report.structure import masks, plan, tiles
from backend.report.text import esc, plural, shown, tail

_MOST_LINES = 24
_MOST_POINTS = 600


def draw(view: Shown, *, heading: str = "h3") -> str:
    """Draw a view with its title, how to read it, and where it comes from."""
    payload = view.payload
    if payload is None:
        body = empty(view.missing or "The view holds nothing.")
    else:
        try:
            body = _KINDS[view.kind](view, payload)
        except Exception as error:  # one odd view must not cost the whole report
            body = empty(f"This view cannot be drawn ({type(error).__name__}).")
    step = f", step {view.step:,}" if view.step else ""
    looks = f", the last of {view.looks:,}" if view.looks > 1 else ""
    caption = f'<p class="note">{esc(payload.caption)}</p>' if payload and payload.caption else ""
    return (
        f'<section class="view v-{esc(view.kind)}"><header><{heading}>{esc(view.title)}</{heading}>'
        f'<span class="from">{esc(view.node)}{step}{looks}</span></header>{caption}{body}</section>'
    )


def _lines(view: Shown, payload: v.Lines) -> str:
    series = payload.series[:_MOST_LINES]
    found = [_pairs(s, payload.log_x, payload.log_y) for s in series]
    if not any(found):
        return empty("There are no points to draw.")
    place = frame(found, view.title, log_x=payload.log_x, log_y=payload.log_y)
    place = replace(place, height=220, x_label=payload.x_label)
    curves = [
        Curve(s.name, pen, points, dash=pen // 8)
        for pen, (s, points) in enumerate(zip(series, found, strict=True))
    ]
    scales = [f"log {name}" for name, on in (("x", payload.log_x), ("y", payload.log_y)) if on]
    unit = ", ".join(x for x in (payload.y_label, *scales) if x)
    left = len(payload.series) - len(series)
    more = f'<p class="remark">{plural(left, "more curve")} not drawn.</p>' if left else ""
    top = f"<figcaption><span>{esc(unit)}</span></figcaption>" if unit else ""
    return f'<figure class="chart">{top}{plot(curves, place)}{_key(curves)}{more}</figure>'


def _pairs(series: v.Series, log_x: bool, log_y: bool) -> list[Point]:
    """Return the points of a series; one that a log axis cannot show becomes a gap."""
    points = [
        (x, y if y > 0 or not log_y else math.nan)
        for x, y in zip(series.x, series.y, strict=False)
        if math.isfinite(x) and (x > 0 or not log_x)
    ]
    if len(points) <= _MOST_POINTS:
        return points
    out: list[Point] = []
    for bucket in buckets(points, _MOST_POINTS // 2):
        out += [(bucket.x, bucket.low), (bucket.x, bucket.high)]
    return out


def _key(curves: list[Curve]) -> str:
    cells = "".join(toggle(i, c.classes, c.name) for i, c in enumerate(curves))
    return f'<div class="key">{cells}</div>'


def _trace(view: Shown, payload: v.Trace) -> str:
    signals = payload.signals[:_MOST_LINES]
    xs = [x for s in signals for x in s.x]
    if not xs:
        return empty("There are no signals to draw.")
    x = axis(xs, count=8, tight=True)
    lanes = []
    for pen, signal in enumerate(signals):
        points = _pairs(signal, False, False)
        y = axis([p[1] for p in points], count=2)
        is_last = pen == len(signals) - 1
        own = x if is_last else axis([x.low, x.high], count=8, tight=True)
        label = f"time, {payload.time_unit}" if is_last and payload.time_unit else ""
        place = Frame(
            own, y, f"{signal.name} over time", 64, label, f"trace-{view.node}-{view.name}"
        )
        drawn = plot([Curve(signal.name, pen, points)], place)
        last = " last" if is_last else ""
        lanes.append(f'<div class="signal{last}"><b>{esc(signal.name)}</b>{drawn}</div>')
    return f'<div class="scope">{"".join(lanes)}</div>'


def _bars(view: Shown, payload: v.Bars) -> str:
    return bars(payload.labels, payload.groups, payload.unit, view.title)


def _strip(view: Shown, payload: v.Strip) -> str:
    low, high = payload.low, payload.high
    cells = "".join(
        f'<td class="{"hatch" if not math.isfinite(x) else f"h{level(x, low, high)}"}" '
        f'title="{esc(label)}: {shown(x)}"><span>{esc(tail(label, 14))}</span>'
        f"<b>{shown(x, 3)}</b></td>"
        for label, x in zip(payload.labels, payload.values, strict=False)
    )
    if not cells:
        return empty("The strip has no cells.")
    title = f'<caption class="vh">{esc(view.title)}</caption>'
    table = scroller("Strip", f'<table class="strip">{title}<tr>{cells}</tr></table>')
    return table + color_bar(low, high, "h", payload.unit) + _strip_moves(view, payload)


def _strip_moves(view: Shown, payload: v.Strip) -> str:
    looks = [(step, look) for step, look in view.earlier if isinstance(look, v.Strip)]
    if len(looks) < 2:
        return ""
    tables = [dict(zip(look.labels, look.values, strict=False)) for _, look in looks]
    rows = [[table.get(label, math.nan) for table in tables] for label in payload.labels]
    picture = pixels(rows, payload.low, payload.high, "h", f"{view.title} by step")
    side = names([tail(label, 22) for label in payload.labels]) if len(rows) <= 30 else ""
    return (
        f'<h4>How it moved <span class="unit">{len(looks)} looks from step {looks[0][0]:,} to '
        f'{looks[-1][0]:,}</span></h4><div class="matrix" style="--h:{min(14 * len(rows), 420)}px">'
        f"{side}{picture}</div>"
    )


def _histogram(view: Shown, payload: v.Histogram) -> str:
    if not payload.counts:
        return empty("The histogram is empty.")
    marks = "".join(
        f'<span><i class="tickmark"></i>{esc(name)} <code>{shown(x)}</code></span>'
        for name, x in payload.marks.items()
    )
    unit = f'<span class="unit">{esc(payload.unit)}</span>' if payload.unit else ""
    key = f'<p class="key">{marks}{unit}</p>' if marks or unit else ""
    edges, counts = payload.edges, payload.counts
    if len(counts) > _MOST_POINTS:
        times = math.ceil(len(counts) / _MOST_POINTS)
        counts = [sum(counts[i : i + times]) for i in range(0, len(counts), times)]
        edges = [*edges[:-1:times], edges[-1]]
    return key + histogram(edges, counts, payload.marks, view.title)


def _heatmap(view: Shown, payload: v.Heatmap) -> str:
    return heatmap(payload, view.title)


def _table(view: Shown, payload: v.Table) -> str:
    return tables.html(payload)


def _verdict(view: Shown, payload: v.Verdict) -> str:
    return verdict(payload)


def verdict(payload: v.Verdict) -> str:
    """Draw a claim with its answer as sign and word, and what it rests on."""
    word, color, sign = {
        True: ("Holds", "good", "done"),
        False: ("Does not hold", "bad", "failed"),
        None: ("Not decided", "muted", "idle"),
    }[payload.holds]
    samples = (
        "" if payload.samples is None else f'<span class="pill">n = {payload.samples:,}</span>'
    )
    return (
        f'<div class="verdict b-{color}"><p class="answer">{state_icon(sign, 20)}<b>{word}</b>'
        f"{samples}</p><p>{esc(payload.claim)}</p>{tables.evidence(payload.evidence)}</div>"
    )


def _layers(view: Shown, payload: v.Layers) -> str:
    return layers.html(view, payload)


def _masks(view: Shown, payload: v.Masks) -> str:
    return masks(payload)


def _tiles(view: Shown, payload: v.Tiles) -> str:
    return tiles(payload, view.title)


def _plan(view: Shown, payload: v.Plan) -> str:
    return plan(payload)


_KINDS: dict[str, Callable[[Shown, Any], str]] = {
    "lines": _lines,
    "bars": _bars,
    "strip": _strip,
    "histogram": _histogram,
    "heatmap": _heatmap,
    "table": _table,
    "masks": _masks,
    "tiles": _tiles,
    "trace": _trace,
    "plan": _plan,
    "verdict": _verdict,
    "layers": _layers,
}
