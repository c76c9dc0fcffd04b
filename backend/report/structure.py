"""Views of what a network keeps: masks, plans for shrinking, floor plans."""

from __future__ import annotations

import math
from collections.abc import Sequence

from backend.core.views import Mask, Masks, Plan, PlanRow, Tile, Tiles
from backend.report.charts import color_bar, level
from backend.report.markup import empty, scroller, svg
from backend.report.text import esc, percent, scaled, shown, tail

_MOST_ROWS = 200
_MOST_TILES = 600
_MASK_SIDE = 96


def masks(payload: Masks) -> str:
    """Draw each mask: the kept share as a bar, what grew and dropped, and its cells."""
    rows = "".join(_mask(mask) for mask in payload.masks[:_MOST_ROWS])
    if not rows:
        return empty("There are no masks.")
    return scroller(
        "Masks",
        '<table class="values">'
        '<thead><tr><th scope="col">Layer</th><th scope="col">Shape</th><th scope="col">Kept</th>'
        '<th scope="col" class="n">Grown</th><th scope="col" class="n">Dropped</th>'
        '<th scope="col" class="n">Overlap</th><th scope="col">Cells</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>",
    )


def _mask(mask: Mask) -> str:
    shape = " × ".join(str(n) for n in mask.shape)
    overlap = "–" if mask.overlap is None else percent(mask.overlap)
    return (
        f'<tr><th scope="row" class="mono">{esc(tail(mask.layer, 40))}</th>'
        f'<td class="mono">{esc(shape)}</td><td>{_share(mask.density)}</td>'
        f'<td class="n">{mask.grown:,}</td><td class="n">{mask.dropped:,}</td>'
        f'<td class="n">{overlap}</td><td>{_cells(mask.cells, mask.layer)}</td></tr>'
    )


def _share(share: float) -> str:
    width = min(1.0, max(0.0, share)) * 100 if math.isfinite(share) else 0.0
    return (
        f'<span class="share"><b><i class="p1" style="width:{width:.1f}%"></i></b>'
        f"<code>{percent(share)}</code></span>"
    )


def _cells(cells: Sequence[str], layer: str) -> str:
    rows = [row[: 2 * _MASK_SIDE] for row in cells[:_MASK_SIDE]]
    wide = max((len(row) for row in rows), default=0)
    if not wide:
        return '<span class="muted">–</span>'
    parts = []
    for y, row in enumerate(rows):
        start = None
        for x, cell in enumerate(row + "0"):
            if cell == "1" and start is None:
                start = x
            elif cell != "1" and start is not None:
                parts.append(f"M{start} {y}h{x - start}v1h{start - x}z")
                start = None
    side = min(4.0, max(1.0, 160 / wide))
    size = f'width="{wide * side:.0f}" height="{len(rows) * side:.0f}"'
    return svg(
        f'<path d="{"".join(parts)}"/>',
        f"Mask of {layer}: kept weights are filled",
        f"0 0 {wide} {len(rows)}",
        attributes=f'class="mask" {size} preserveAspectRatio="none"',
    )


def plan(payload: Plan) -> str:
    """Draw how many channels of each layer stay, and what that saves."""
    rows = payload.rows
    if not rows:
        return empty("The plan has no layers.")
    before = sum(r.cost_before for r in rows if math.isfinite(r.cost_before))
    after = sum(r.cost_after for r in rows if math.isfinite(r.cost_after))
    unit, factor = scaled(payload.unit, [before])
    widest = max([1, *(row.before for row in rows)])
    has_scores = any(row.scores for row in rows)
    body = "".join(_plan_row(row, widest, factor, has_scores) for row in rows[:_MOST_ROWS])
    score = '<th scope="col">Scores</th>' if has_scores else ""
    target = ""
    if payload.target is not None:
        target = f", target {shown(payload.target / factor)}"
    total = (
        f'<p class="total"><b>{shown(after / factor)}</b> {esc(unit)} of {shown(before / factor)} '
        f"({percent(after / before) if before else '–'}){target}</p>"
    )
    return total + scroller(
        "Plan",
        '<table class="values"><thead><tr><th scope="col">Layer</th><th scope="col">Channels that '
        f'stay</th><th scope="col" class="n">Before <span>{esc(unit)}</span></th>'
        f'<th scope="col" class="n">After <span>{esc(unit)}</span></th>{score}</tr></thead>'
        f"<tbody>{body}</tbody></table>",
    )


def _plan_row(row: PlanRow, widest: int, factor: float, has_scores: bool) -> str:
    outer = min(100.0, max(0.0, 100 * row.before / widest))
    inner = min(100.0, max(0.0, 100 * row.after / row.before)) if row.before > 0 else 0.0
    scores = f"<td>{_scores(row.scores)}</td>" if has_scores else ""
    return (
        f'<tr><th scope="row" class="mono">{esc(tail(row.layer, 40))}</th><td>'
        f'<span class="share wide"><b><u style="width:{outer:.1f}%">'
        f'<i class="p1" style="width:{inner:.1f}%"></i></u></b>'
        f"<code>{row.after:,} of {row.before:,}</code></span></td>"
        f'<td class="n">{shown(row.cost_before / factor)}</td>'
        f'<td class="n">{shown(row.cost_after / factor)}</td>{scores}</tr>'
    )


def _scores(scores: Sequence[float]) -> str:
    """Draw scores from the largest to the smallest."""
    finite = sorted((s for s in scores if math.isfinite(s)), reverse=True)
    if not finite:
        return '<span class="muted">–</span>'
    every = max(1, math.ceil(len(finite) / 120))
    finite = finite[::every]
    top = max(abs(finite[0]), abs(finite[-1])) or 1.0
    wide = 120 / len(finite)
    bars = "".join(
        f"M{i * wide:.1f} 20v-{max(0.5, 19 * abs(s) / top):.1f}h{wide * 0.86:.2f}V20z"
        for i, s in enumerate(finite)
    )
    label = f"{len(scores)} scores, largest first"
    size = 'class="spark" width="120" height="20"'
    return svg(f'<path class="kept" d="{bars}"/>', label, "0 0 120 20", attributes=size)


def tiles(payload: Tiles, label: str) -> str:
    """Draw a floor plan to scale; tiles with values are coloured by them."""
    found = [t for t in payload.tiles[:_MOST_TILES] if _is_drawable(t)]
    if not found:
        return empty("There are no tiles to draw.")
    left, top = min(t.x for t in found), min(t.y for t in found)
    wide = max(t.x + t.width for t in found) - left
    tall = max(t.y + t.height for t in found) - top
    values = [t.value for t in found if t.value is not None and math.isfinite(t.value)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    drawn = "".join(_tile(t, left, top, wide, tall, low, high) for t in found)
    ratio = min(8.0, max(0.4, wide / tall))
    bar = color_bar(low, high, "h", payload.unit) if values else ""
    return (
        f'<div class="floor" role="img" aria-label="{esc(label)}: {len(found)} tiles" '
        f'style="aspect-ratio:{ratio:.3f}">{drawn}</div>{bar}'
    )


def _is_drawable(tile: Tile) -> bool:
    numbers = (tile.x, tile.y, tile.width, tile.height)
    return all(math.isfinite(n) for n in numbers) and tile.width > 0 and tile.height > 0


def _tile(
    tile: Tile, left: float, top: float, wide: float, tall: float, low: float, high: float
) -> str:
    has_value = tile.value is not None and math.isfinite(tile.value)
    kind = f"h{level(tile.value or 0.0, low, high)}" if has_value else "plain"
    value = "" if tile.value is None else f" {shown(tile.value, 3)}"
    place = (
        f"left:{(tile.x - left) / wide * 100:.3f}%;top:{(tile.y - top) / tall * 100:.3f}%;"
        f"width:{tile.width / wide * 100:.3f}%;height:{tile.height / tall * 100:.3f}%"
    )
    return (
        f'<div class="tile {kind}" title="{esc(tile.name)}{value} {esc(tile.text)}" '
        f'style="{place}"><b>{esc(tile.name)}</b><span>{esc(tile.text or value.strip())}</span>'
        "</div>"
    )
