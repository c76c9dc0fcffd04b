"""Tables: aligned numbers, units in the header, the best cell marked, the others set beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backend.core.views import Column, Table
from backend.report.markup import scroller
from backend.report.text import column_numbers, esc, number, scaled, shorten, shown

MOST_ROWS = 200
_SHORT = 32
_FAR = 1000.0
Cell = str | float | int | None


@dataclass(frozen=True)
class Drawn:
    """One column made ready: header unit, texts of its cells, and which of them are best."""

    column: Column
    unit: str
    texts: list[str]
    numbers: list[float | int | None]
    best: frozenset[int]

    @property
    def is_number(self) -> bool:
        """Whether the column holds a number at all."""
        return any(n is not None for n in self.numbers)

    def rival(self, row: int) -> str:
        """Say how far a cell is from the best of its column: ``-0.3`` or ``3.9×``."""
        value = self.numbers[row]
        if not self.best or row in self.best or value is None or not math.isfinite(value):
            return ""
        best = self.numbers[min(self.best)]
        assert best is not None
        ratio = value / best if best else 0.0
        if self.unit in ("%", "point", "points") or not ratio > 0 or 0.9 < ratio < 1.1:
            difference = value - best
            return ("+" if difference > 0 else "") + number(difference, 2)
        return f"{number(ratio, 2)}×" if 1 / _FAR < ratio < _FAR else ""


def columns(table: Table) -> list[Drawn]:
    """Make the columns of a table ready; a row too short or too long does no harm."""
    rows = table.rows[:MOST_ROWS]
    return [
        _column(column, [row[i] if i < len(row) else None for row in rows])
        for i, column in enumerate(table.columns)
    ]


def _column(column: Column, cells: Sequence[Cell]) -> Drawn:
    # A whole number beyond the floats is shown as text; it cannot be scaled or compared.
    cells = [str(c) if isinstance(c, int) and abs(c) >= 10**300 else c for c in cells]
    numbers = [None if isinstance(cell, str) else cell for cell in cells]
    unit, factor = scaled(column.unit, numbers)
    values = [n if n is None or factor == 1 else n / factor for n in numbers]
    texts = column_numbers(values)
    texts = [c if isinstance(c, str) else t for c, t in zip(cells, texts, strict=True)]
    finite = [v for v in values if v is not None and math.isfinite(v)]
    best: frozenset[int] = frozenset()
    if column.better and len(finite) > 1 and min(finite) != max(finite):
        top = max(finite) if column.better == "higher" else min(finite)
        best = frozenset(i for i, v in enumerate(values) if v == top)
    return Drawn(column, unit, texts, values, best)


def html(table: Table) -> str:
    """Draw a table with its button *Copy as Markdown*."""
    drawn = columns(table)
    head = "".join(_header(column) for column in drawn)
    body = "".join(
        "<tr>" + "".join(_cell(column, row, i == 0) for i, column in enumerate(drawn)) + "</tr>"
        for row in range(min(len(table.rows), MOST_ROWS))
    )
    if not table.rows:
        body = f'<tr><td colspan="{max(1, len(drawn))}">The table is empty.</td></tr>'
    left = len(table.rows) - MOST_ROWS
    more = f'<p class="remark">{left:,} more rows are in the run folder.</p>' if left > 0 else ""
    whole = f'<table class="values"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    key = '<span class="note">★ best of its column; beside the others their distance to it</span>'
    return (
        f"{scroller('Table', whole)}"
        f'{more}<div class="tools under">{key if any(d.best for d in drawn) else ""}'
        f"{copy_button(markdown(table), 'Copy as Markdown')}</div>"
    )


def copy_button(text: str, label: str) -> str:
    """Return a button that puts text on the clipboard; it shows only where a script can run."""
    data = f'data-copy="{esc(text)}"'
    return f'<button type="button" class="copy needs-js" {data}>{esc(label)}</button>'


def _header(drawn: Drawn) -> str:
    unit = f" <span>{esc(drawn.unit)}</span>" if drawn.unit else ""
    way = {"higher": "higher is better", "lower": "lower is better"}.get(drawn.column.better, "")
    kind = ' class="n"' if drawn.is_number else ""
    arrow = {"higher": "↑", "lower": "↓"}.get(drawn.column.better, "")
    hint = f' <abbr title="{way}" aria-label="{way}">{arrow}</abbr>' if arrow else ""
    return f'<th scope="col"{kind}>{esc(drawn.column.name)}{unit}{hint}</th>'


def _cell(drawn: Drawn, row: int, is_first: bool) -> str:
    text, value = drawn.texts[row], drawn.numbers[row]
    if is_first:
        kind = ' class="long"' if len(text) > _SHORT else ""
        return f'<th scope="row"{kind}>{esc(shorten(text, 400))}</th>'
    if not drawn.is_number:
        return f"<td>{esc(shorten(text, 400))}</td>"
    shown_text = esc(text.replace("-", "−") if value is not None else text)
    if row in drawn.best:
        star = '<span class="star" aria-hidden="true">★</span><span class="vh">best </span>'
        return f'<td class="n best">{star}{shown_text}</td>'
    rival = drawn.rival(row).replace("-", "−")
    beside = f'<small aria-hidden="true">{esc(rival)}</small>' if rival else ""
    return f'<td class="n">{beside}{shown_text}</td>'


def markdown(table: Table) -> str:
    """Write a table as Markdown, best cells bold."""
    drawn = columns(table)
    head = [f"{d.column.name} ({d.unit})" if d.unit else d.column.name for d in drawn]
    lines = [
        _line(head),
        _line(["---:" if d.is_number and i else "---" for i, d in enumerate(drawn)]),
    ]
    for row in range(min(len(table.rows), MOST_ROWS)):
        cells = [d.texts[row] for d in drawn]
        lines.append(
            _line([f"**{c}**" if row in d.best else c for c, d in zip(cells, drawn, strict=True)])
        )
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(plain(cell) for cell in cells) + " |"


def plain(text: str) -> str:
    """Make text safe for one cell or line of Markdown."""
    flat = " ".join(text.split()).replace("<", "&lt;")
    return "".join("\\" + c if c in "\\|`[]" else c for c in flat)


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """Draw names and values side by side."""
    cells = "".join(f"<div><dt>{esc(a)}</dt><dd>{esc(b)}</dd></div>" for a, b in rows)
    return f'<dl class="pairs">{cells}</dl>'


def evidence(values: dict[str, float]) -> str:
    """Draw the figures that a verdict rests on."""
    cells = "".join(f"<div><dt>{esc(k)}</dt><dd>{shown(v)}</dd></div>" for k, v in values.items())
    return f'<dl class="evidence">{cells}</dl>' if cells else ""
