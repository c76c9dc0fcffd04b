"""Heat maps: written out as a table when small, as a picture of cells when large."""

from __future__ import annotations

import math
from collections.abc import Sequence

from backend.core.views import Heatmap
from backend.report.charts import color_bar, level, pixels
from backend.report.markup import empty, names, scroller
from backend.report.text import esc, shorten, shown

_WRITTEN = 16
_MOST_CELLS = 160


def heatmap(payload: Heatmap, label: str) -> str:
    """Draw a matrix; values of both signs get the two-sided ramp around zero."""
    finite = [x for row in payload.values for x in row if math.isfinite(x)]
    if not finite:
        return empty("The matrix holds no finite value.")
    low, high, ramp = min(finite), max(finite), "h"
    if low < 0 < high:
        reach = max(-low, high)
        low, high, ramp = -reach, reach, "d"
    wide = max(len(row) for row in payload.values)
    is_small = len(payload.values) <= _WRITTEN and wide <= _WRITTEN
    draw = _written if is_small else _painted
    return draw(payload, low, high, ramp, label) + color_bar(low, high, ramp, payload.unit)


def _written(payload: Heatmap, low: float, high: float, ramp: str, label: str) -> str:
    wide = max(len(row) for row in payload.values)
    columns = "".join(
        f'<th scope="col"><span>{esc(shorten(c, 18))}</span></th>' for c in payload.columns
    )
    rows = []
    for index, row in enumerate(payload.values):
        name = payload.rows[index] if index < len(payload.rows) else str(index)
        cells = "".join(
            f'<td class="{ramp}{level(x, low, high)}">{shown(x, 3)}</td>'
            if math.isfinite(x)
            else f'<td class="hatch">{shown(x)}</td>'
            for x in row
        )
        rows.append(f'<tr><th scope="row">{esc(shorten(name, 22))}</th>{cells}</tr>')
    ends = ((payload.row_label, "↓"), (payload.column_label, "→"))
    corner = " ".join(f"{name} {arrow}" for name, arrow in ends if name)
    kind = "heat tall" if wide > 6 else "heat"
    return scroller(
        label,
        f'<table class="{kind}"><caption class="vh">{esc(label)}</caption><thead><tr>'
        f'<th scope="col" class="corner">{esc(corner)}</th>{columns}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>",
    )


def _painted(payload: Heatmap, low: float, high: float, ramp: str, label: str) -> str:
    values, times = _thinned(payload.values)
    tall = max(160, min(420, 8 * len(values)))
    is_named = len(payload.rows) == len(values) <= 36
    side = names([shorten(row, 22) for row in payload.rows]) if is_named else ""
    picture = pixels(values, low, high, ramp, label)
    said = [f"rows: {payload.row_label}"] if payload.row_label else []
    said += [f"columns: {payload.column_label}"] if payload.column_label else []
    said += [f"{len(payload.values)} × {max(len(r) for r in payload.values)} values"]
    said += [f"each cell the mean of up to {times[0]} × {times[1]}"] if max(times) > 1 else []
    return (
        f'<div class="matrix" style="--h:{tall}px">{side}{picture}</div>'
        f'<p class="note">{esc(", ".join(said))}</p>'
    )


def _thinned(values: Sequence[Sequence[float]]) -> tuple[list[list[float]], tuple[int, int]]:
    wide = max(len(row) for row in values)
    down, across = math.ceil(len(values) / _MOST_CELLS), math.ceil(wide / _MOST_CELLS)
    if down == across == 1:
        return [list(row) for row in values], (1, 1)
    out = []
    for top in range(0, len(values), down):
        block = values[top : top + down]
        out.append(
            [
                _mean([x for row in block for x in row[left : left + across]])
                for left in range(0, wide, across)
            ]
        )
    return out, (down, across)


def _mean(values: Sequence[float]) -> float:
    finite = [x for x in values if math.isfinite(x)]
    return sum(finite) / len(finite) if finite else math.nan
