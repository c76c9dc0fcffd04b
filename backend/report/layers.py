"""The fixed-point microscope in still form: each layer's words of bits, lined up at the point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backend.core.views import LayerRow, Layers, NumberFormat
from backend.report.bars import bars
from backend.report.charts import color_bar, pixels
from backend.report.digest import Shown
from backend.report.markup import empty, names, scroller, svg
from backend.report.scale import nice_step
from backend.report.text import esc, percent, plural, shorten, shown, tail

CELL = 10
SPARK = 208
_MUCH_CLIPPED = 0.01
_MOST_ROWS = 300
_REACH = 34


@dataclass(frozen=True)
class _Extra:
    """Which of the columns that not every network fills are shown."""

    level: bool
    histogram: bool


def html(view: Shown, payload: Layers) -> str:
    """Draw the formats of a network, the fraction bits as bars, and how they moved."""
    rows = payload.rows[:_MOST_ROWS]
    if not rows:
        return empty("No layer has a number format yet.")
    weight_range = _bit_range([row.weight for row in rows])
    input_range = _bit_range([row.input for row in rows])
    extra = _Extra(
        level=any(row.clip_level is not None for row in rows),
        histogram=any(row.counts for row in rows),
    )
    body = "".join(_row(row, weight_range, input_range, extra) for row in rows)
    key = (
        '<p class="key"><span><i class="block c-muted"></i>sign</span><span><i class="block '
        'c-model"></i>integer</span><span><i class="block c-data"></i>fraction</span>'
        '<span class="note">One cell is one bit; the line is the binary point, and every word '
        "stands where its bits weigh.</span></p>"
    )
    left = len(payload.rows) - len(rows)
    more = f'<p class="remark">{plural(left, "more layer")} in the run folder.</p>' if left else ""
    table = f'<table class="values bits"><thead>{_head(extra)}</thead><tbody>{body}</tbody></table>'
    return f"{key}{scroller('Number formats', table)}{more}{_fractions(rows)}{moved(view)}"


def _head(extra: _Extra) -> str:
    level = '<th scope="col" class="n">Clip level</th>' if extra.level else ""
    histogram = '<th scope="col">Histogram <span>on its grid</span></th>' if extra.histogram else ""
    return (
        '<tr><th scope="col">Layer</th><th scope="col">Weight <span>integer.fraction</span></th>'
        '<th scope="col">Input <span>integer.fraction</span></th>'
        f'{histogram}<th scope="col" class="n">Clipped <span>weights</span></th>'
        '<th scope="col" class="n">Clipped <span>inputs</span></th>'
        f'<th scope="col" class="n">Headroom <span>bit</span></th>{level}</tr>'
    )


def _row(row: LayerRow, weights: tuple[int, int], inputs: tuple[int, int], extra: _Extra) -> str:
    operation = f"<small>{esc(shorten(row.operation, 40))}</small>" if row.operation else ""
    layer = esc(tail(row.layer, 36))
    histogram = f"<td>{_spark(row)}</td>" if extra.histogram else ""
    headroom = "–" if row.headroom_bits is None else shown(row.headroom_bits, 2)
    level = "–" if row.clip_level is None else shown(row.clip_level, 3)
    last = f'<td class="n">{level}</td>' if extra.level else ""
    return (
        f'<tr><th scope="row" class="mono" title="{esc(row.layer)}">{layer}{operation}</th>'
        f"<td>{word(row.weight, weights)}</td><td>{word(row.input, inputs)}</td>"
        f"{histogram}{_clipped(row.weight_clipped, row.weight)}"
        f'{_clipped(row.input_clipped, row.input)}<td class="n">{headroom}</td>{last}</tr>'
    )


def _clipped(share: float, format: NumberFormat | None) -> str:
    if format is None:
        return '<td class="n">–</td>'
    is_much = math.isfinite(share) and share > _MUCH_CLIPPED
    mark = '<span class="warned" title="more than 1 % clipped">▲</span>' if is_much else ""
    return f'<td class="n">{mark}{percent(share)}</td>'


def _places(format: NumberFormat) -> tuple[int, int]:
    """Return the weights (powers of two) of the leftmost and the rightmost cell."""
    left = format.integer - 1 + int(format.signed)
    return left, -format.fraction


def _bit_range(formats: Sequence[NumberFormat | None]) -> tuple[int, int]:
    """Return the common range of bit weights; the binary point is always in it."""
    spans = [_places(f) for f in formats if f is not None]
    left = max([0, *(a for a, _ in spans)])
    right = min([-1, *(b for _, b in spans)])
    return min(left, _REACH), max(right, -_REACH)


def said(format: NumberFormat) -> str:
    """Say a format in words."""
    parts = ["sign"] if format.signed else []
    parts += [f"{format.integer} integer", f"{format.fraction} fraction"]
    return f"{format.bits} bit: " + " + ".join(parts)


def word(format: NumberFormat | None, span: tuple[int, int]) -> str:
    """Draw one word of bits at its place on the common scale of bit weights."""
    if format is None:
        return '<span class="muted">–</span>'
    left, right = span
    width = (left - right + 1) * CELL
    first, _ = _places(format)
    cells = []
    for index in range(max(0, first - left), min(format.bits, first - right + 1, 80)):
        weight = first - index
        is_sign = format.signed and index == 0
        kind = "c-muted" if is_sign else "c-model" if weight >= 0 else "c-data"
        x = (left - weight) * CELL
        cells.append(f'<rect class="{kind}" x="{x + 1}" y="2" width="8" height="12" rx="2"/>')
    point = (left + 1) * CELL
    text = said(format)
    code = f"{format.integer}.{format.fraction}".replace("-", "−")
    drawn = (
        f'<path class="rail" d="M0 15.5H{width}"/>{"".join(cells)}'
        f'<path class="point" d="M{point} 0V16"/>'
    )
    size = f'width="{width}" height="16"'
    picture = svg(drawn, text, f"0 0 {width} 16", attributes=size)
    return f'<span class="word">{picture}<code>{code}</code></span>'


def _spark(row: LayerRow) -> str:
    """Draw the histogram with the grid of its format below and the ends of the grid as lines."""
    bins = [
        (low, high, count)
        for low, high, count in zip(row.edges, row.edges[1:], row.counts, strict=False)
        if math.isfinite(low) and math.isfinite(high) and math.isfinite(count) and high > low
    ]
    if not bins:
        return '<span class="muted">–</span>'
    format = row.weight or row.input
    ends = _grid_ends(format)
    low, high = bins[0][0], bins[-1][1]
    if ends is not None and (ends[1] - ends[0]) < 6 * (high - low):
        low, high = min(low, ends[0]), max(high, ends[1])
    scale = SPARK / (high - low)
    top = max((count for _, _, count in bins), default=0) or 1.0
    kept: list[str] = []
    cut: list[str] = []
    for start, end, count in bins:
        tall = max(0.6, 19 * math.sqrt(max(0.0, count) / top)) if count > 0 else 0.0
        wide = (end - start) * scale * 0.86
        shape = f"M{(start - low) * scale:.1f} 20v-{tall:.1f}h{wide:.1f}v{tall:.1f}z"
        outside = ends is not None and (end <= ends[0] or start >= ends[1])
        (cut if outside else kept).append(shape)
    marks = ""
    if ends is not None:
        inside = [e for e in ends if low <= e <= high]
        marks = "".join(f"M{(e - low) * scale:.1f} 0V24" for e in inside)
    label = f"Histogram of {row.layer}; heights are square roots of counts"
    drawn = (
        f'<path class="kept" d="{"".join(kept)}"/><path class="cut" d="{"".join(cut)}"/>'
        f'<path class="comb" d="{_comb(format, low, high)}"/><path class="ends" d="{marks}"/>'
    )
    size = f'class="spark" width="{SPARK}" height="24"'
    return svg(drawn, label, f"0 0 {SPARK} 24", attributes=size)


def _grid_ends(format: NumberFormat | None) -> tuple[float, float] | None:
    if format is None or not 0 < format.bits <= 64 or abs(format.fraction) > 200:
        return None
    step = 2.0**-format.fraction
    if format.signed:
        return -(2.0 ** (format.bits - 1)) * step, (2.0 ** (format.bits - 1) - 1) * step
    return 0.0, (2.0**format.bits - 1) * step


def _comb(format: NumberFormat | None, low: float, high: float) -> str:
    """Return ticks at the grid's steps, thinned by powers of two to at most about 40."""
    ends = _grid_ends(format)
    if format is None or ends is None:
        step, ends = nice_step(high - low, 8), (low, high)
    else:
        step = 2.0**-format.fraction
        while (high - low) / step > 40:
            step *= 2
    first, last = math.ceil(max(low, ends[0]) / step), math.floor(min(high, ends[1]) / step)
    scale = SPARK / (high - low)
    places = range(first, min(last, first + 64) + 1)
    return "".join(f"M{(i * step - low) * scale:.1f} 21v3" for i in places)


def _fractions(rows: Sequence[LayerRow]) -> str:
    formats = {"weights": [r.weight for r in rows], "inputs": [r.input for r in rows]}
    groups = {
        name: [math.nan if f is None else float(f.fraction) for f in found]
        for name, found in formats.items()
        if any(f is not None for f in found)
    }
    if len(rows) < 2 or not groups:
        return ""
    labels = [row.layer for row in rows]
    drawn = bars(labels, groups, "bit", "Fraction bits of each layer", lying=6)
    return f'<h4>Fraction bits <span class="unit">by layer</span></h4>{drawn}'


def moved(view: Shown) -> str:
    """Draw how the fraction bits of weights and inputs moved over the steps of a run."""
    looks = [(step, look) for step, look in view.earlier if isinstance(look, Layers)]
    if len(looks) < 2:
        return ""
    layers = [row.layer for row in looks[-1][1].rows[:_MOST_ROWS]]
    tables = [{row.layer: row for row in look.rows} for _, look in looks]
    drawn = []
    for side in ("weight", "input"):
        rows = [[_fraction(table.get(name), side) for table in tables] for name in layers]
        finite = [v for row in rows for v in row if math.isfinite(v)]
        if finite:
            drawn.append(_moves(f"{side.capitalize()}s", rows, layers, finite))
    first, last = looks[0][0], looks[-1][0]
    return (
        f'<h4>How it moved <span class="unit">fraction bits, {len(looks)} looks from step '
        f'{first:,} to {last:,}</span></h4><div class="moves">{"".join(drawn)}</div>'
    )


def _fraction(row: LayerRow | None, side: str) -> float:
    format = None if row is None else (row.weight if side == "weight" else row.input)
    return math.nan if format is None else float(format.fraction)


def _moves(title: str, rows: list[list[float]], layers: list[str], finite: list[float]) -> str:
    # One bit below the smallest, so that its colour stands off from the empty ground.
    low, high = min(finite) - 1, max(finite)
    changed = sum(len({v for v in row if math.isfinite(v)}) > 1 for row in rows)
    if not changed:
        return f'<p class="note">{title}: no layer changed its format.</p>'
    words = f"{changed} of {plural(len(rows), 'layer')} changed"
    picture = pixels(rows, low, high, "h", f"{title}: fraction bits by layer and step")
    tall = max(48, min(14 * len(rows), 420))
    side = names([tail(layer, 22) for layer in layers]) if len(rows) <= 30 else ""
    return (
        f"<figure><figcaption><b>{title}</b> <span>{words}</span></figcaption>"
        f'<div class="matrix" style="--h:{tall}px">{side}{picture}</div>'
        f"{color_bar(low, high, 'h', 'bit')}</figure>"
    )
