"""Bars: lying rows for few labels, standing columns for many."""

from __future__ import annotations

import math
from collections.abc import Sequence

from backend.report.markup import empty, scroller, svg
from backend.report.scale import SPAN, axis
from backend.report.text import column_numbers, esc, scaled, tail
from backend.report.theme import PENS

MOST_LYING = 14
MOST_LABELS = 400
Groups = dict[str, list[float]]


def bars(
    labels: Sequence[str], groups: Groups, unit: str, label: str, *, lying: int = MOST_LYING
) -> str:
    """Draw one bar a group over each label, lying rows for up to ``lying`` labels."""
    groups = {name: list(values) for name, values in groups.items()}
    labels = list(labels)[:MOST_LABELS]
    flat = [v for values in groups.values() for v in values]
    unit, factor = scaled(unit, flat)
    groups = {name: [v / factor for v in values] for name, values in groups.items()}
    if not labels or not flat:
        return empty("There are no bars to draw.")
    key = _key(list(groups), unit)
    draw = _lying if len(labels) <= lying else _standing
    return key + draw(labels, groups, label)


def _key(names: Sequence[str], unit: str) -> str:
    cells = "".join(
        f'<span><i class="block p{(i + 1) % PENS}"></i>{esc(name)}</span>'
        for i, name in enumerate(names)
        if len(names) > 1 or name
    )
    unit = f'<span class="unit">{esc(unit)}</span>' if unit else ""
    return f'<p class="key">{cells}{unit}</p>' if cells or unit else ""


def _value(values: Sequence[float], index: int) -> float:
    return values[index] if index < len(values) else math.nan


def _lying(labels: Sequence[str], groups: Groups, label: str) -> str:
    finite = [v for values in groups.values() for v in values if math.isfinite(v)]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    span = (high - low) or 1.0
    flat = [_value(values, i) for i in range(len(labels)) for values in groups.values()]
    texts = iter(column_numbers(flat))
    rows, longest = [], 1
    for index, name in enumerate(labels):
        cells = []
        for pen, values in enumerate(groups.values()):
            value, text = _value(values, index), next(texts).replace("-", "\N{MINUS SIGN}")
            longest = max(longest, len(text))
            start, width = 0.0, 0.0
            if math.isfinite(value):
                start = (min(0.0, value) - low) / span * 100
                width = abs(value) / span * 100
            cells.append(
                f'<div class="lane"><i class="p{(pen + 1) % PENS}" style="margin-left:{start:.2f}%;'
                f'width:{width:.2f}%"></i></div><span class="n">{esc(text)}</span>'
            )
        head = f'<th scope="row" title="{esc(name)}">{esc(tail(name, 40))}</th>'
        rows.append(f"<tr>{head}<td>{''.join(cells)}</td></tr>")
    return (
        f'<table class="lying" style="--nw:{longest}ch"><caption class="vh">{esc(label)}</caption>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _standing(labels: Sequence[str], groups: Groups, label: str) -> str:
    finite = [v for values in groups.values() for v in values if math.isfinite(v)]
    y = axis([0.0, *finite], count=4)
    slot = SPAN / len(labels)
    thick = slot * 0.6 / max(1, len(groups))
    zero = SPAN - y.at(0.0)
    drawn = "".join(f'<path class="grid" d="M0 {SPAN - y.at(v):.1f}H1000"/>' for v, _ in y.ticks)
    for pen, values in enumerate(groups.values()):
        parts = []
        for index in range(len(labels)):
            value = _value(values, index)
            if math.isfinite(value):
                left = index * slot + slot * 0.2 + pen * thick
                top = SPAN - y.at(value)
                parts.append(f"M{left:.1f} {zero:.1f}V{top:.1f}h{thick * 0.9:.1f}V{zero:.1f}z")
        drawn += f'<path class="bars p{(pen + 1) % PENS}" d="{"".join(parts)}"/>'
    drawn += f'<path class="base" d="M0 {zero:.1f}H1000"/>'
    ticks = "".join(
        f'<span style="top:{100 - y.at(v) / SPAN * 100:.2f}%">{esc(t)}</span>' for v, t in y.ticks
    )
    longest = max((len(t) for _, t in y.ticks), default=1)
    every = max(1, math.ceil(len(labels) / 64))
    names = "".join(
        f'<span style="left:{(i + 0.5) / len(labels) * 100:.2f}%">{esc(tail(name, 22))}</span>'
        for i, name in enumerate(labels)
        if i % every == 0
    )
    reach = min(22, max(len(name) for name in labels))
    picture = svg(drawn, label, "0 0 1000 1000", attributes='preserveAspectRatio="none"')
    sizes = f"--h:140px;--yw:{longest}ch;--xh:{reach}ch;--least:{len(labels) * 15}px"
    return scroller(
        label,
        f'<div class="plot standing" style="{sizes}"><div class="ys" aria-hidden="true">{ticks}'
        f'</div><div class="well">{picture}</div><div class="xs" aria-hidden="true">{names}</div>'
        "</div>",
    )
