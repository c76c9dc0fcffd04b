"""Numbers in words, and every payload as a plain table for CSV and Markdown. No Qt here."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from typing import Any

from backend.core import views

Cell = str | float | int | None
Sheet = tuple[list[str], list[list[Cell]]]


def exact(value: float | int | None) -> str:
    """Return a number with all of its digits that mean something; thousands get a comma."""
    if value is None:
        return "no value"
    if isinstance(value, float):
        if math.isnan(value):
            return "not a number"
        if math.isinf(value):
            return "infinite" if value > 0 else "minus infinite"
        if value.is_integer() and abs(value) < 1e15:
            return f"{int(value):,}"
        return f"{value:.10g}"
    return f"{value:,}"


def short(value: float | int | None, digits: int = 4) -> str:
    """Return a number in at most ``digits`` figures, for a cell or an axis."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return {None: "", math.inf: "inf", -math.inf: "-inf"}.get(value, "nan")
    size = abs(value)
    if float(value).is_integer() and size < 1e6:
        return f"{int(value):,}"
    if size >= 1e15 or (0 < size < 1e-4):
        return f"{value:.{max(digits - 2, 1)}e}".replace("e-0", "e-").replace("e+0", "e")
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if size >= limit:
            return f"{value / limit:.{max(digits - 1, 1)}g} {letter}"
    return f"{value:.{digits}g}" if size < 1e4 else f"{value:,.0f}"


def with_unit(value: float | int | None, unit: str) -> str:
    """Return the exact number and its unit."""
    if value is None or not math.isfinite(value):
        return exact(value)
    return f"{exact(value)} {unit}".rstrip()


def count(number: int, one: str, many: str = "") -> str:
    """Return "1 row" or "3 rows"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def unit_of(payload: views.Payload) -> str:
    """Unit that the values of a payload share, empty where they share none."""
    if isinstance(payload, views.Lines):
        return payload.y_label
    return str(getattr(payload, "unit", ""))


def _head(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def _long(series: list[views.Series], x: str, y: str) -> Sheet:
    rows: list[list[Cell]] = [
        [one.name, a, b] for one in series for a, b in zip(one.x, one.y, strict=False)
    ]
    return ["series", x or "x", y or "y"], rows


def _at(values: list[float], index: int) -> float | None:
    return values[index] if index < len(values) else None


def sheet(payload: Any) -> Sheet:
    """Return head and rows of the figures that a payload holds."""
    match payload:
        case views.Lines():
            return _long(payload.series, payload.x_label, payload.y_label)
        case views.Trace():
            return _long(payload.signals, f"time ({payload.time_unit})", "value")
        case views.Bars():
            head = ["label", *(_head(name, payload.unit) for name in payload.groups)]
            groups = list(payload.groups.values())
            return head, [
                [label, *(_at(values, i) for values in groups)]
                for i, label in enumerate(payload.labels)
            ]
        case views.Strip():
            pairs = zip(payload.labels, payload.values, strict=False)
            return ["label", _head("value", payload.unit)], [[a, b] for a, b in pairs]
        case views.Histogram():
            spans = zip(payload.edges, payload.edges[1:], payload.counts, strict=False)
            return ["from", "to", "count"], [[a, b, c] for a, b, c in spans]
        case views.Heatmap():
            head = [payload.row_label or "row", *payload.columns]
            return head, [
                [name, *row] for name, row in zip(payload.rows, payload.values, strict=False)
            ]
        case views.Table():
            return [_head(c.name, c.unit) for c in payload.columns], [list(r) for r in payload.rows]
        case _:
            return _special(payload)


def _special(payload: Any) -> Sheet:
    match payload:
        case views.Masks():
            return ["layer", "shape", "kept", "grown", "dropped", "overlap"], [
                [m.layer, "x".join(map(str, m.shape)), m.density, m.grown, m.dropped, m.overlap]
                for m in payload.masks
            ]
        case views.Tiles():
            return ["name", "x", "y", "width", "height", _head("value", payload.unit), "text"], [
                [t.name, t.x, t.y, t.width, t.height, t.value, t.text] for t in payload.tiles
            ]
        case views.Plan():
            unit = payload.unit
            head = ["layer", "channels before", "channels after"]
            return [*head, f"before ({unit})", f"after ({unit})"], [
                [r.layer, r.before, r.after, r.cost_before, r.cost_after] for r in payload.rows
            ]
        case views.Verdict():
            rows: list[list[Cell]] = [["claim", payload.claim], ["holds", holds(payload.holds)]]
            rows += [[name, value] for name, value in payload.evidence.items()]
            if payload.samples is not None:
                rows.append(["samples", payload.samples])
            return ["figure", "value"], rows
        case views.Layers():
            return _layers(payload)
    return ["value"], []


def _layers(payload: views.Layers) -> Sheet:
    head = ["layer", "operation", "weight format", "activation format", "weights clipped"]
    head += ["activations clipped", "headroom (bit)", "clip level"]
    return head, [
        [
            row.layer,
            row.operation,
            format_words(row.weight),
            format_words(row.input),
            row.weight_clipped,
            row.input_clipped,
            row.headroom_bits,
            row.clip_level,
        ]
        for row in payload.rows
    ]


def holds(value: bool | None) -> str:
    """Word of a verdict."""
    return {True: "holds", False: "does not hold", None: "not decided"}[value]


def format_words(form: views.NumberFormat | None) -> str:
    """Say a number format: "1 sign, 2 integer, 5 fraction", and what is odd about it."""
    if form is None:
        return "float"
    sign, integer, fraction = int(form.signed), form.integer, form.fraction
    if integer < 0:
        text = f"all {form.bits - sign} bits are fraction, "
        text += count(-integer, "leading zero") + " implied"
        return f"{sign} sign, {text}" if sign else text
    if fraction < 0:
        text = f"all {form.bits - sign} bits are integer, "
        text += count(-fraction, "trailing zero") + " implied"
        return f"{sign} sign, {text}" if sign else text
    parts = [f"{sign} sign"] if sign else []
    return ", ".join([*parts, f"{integer} integer", f"{fraction} fraction"])


def format_range(form: views.NumberFormat) -> tuple[float, float, float]:
    """Smallest value, largest value and step of a number format."""
    step = _power(-form.fraction)
    if math.isinf(step):
        return (-math.inf if form.signed else 0.0), math.inf, math.inf
    if form.signed:
        half = _power(form.bits - 1 - form.fraction)
        return -half, half - step, step
    return 0.0, _power(form.bits - form.fraction) - step, step


def _power(exponent: int) -> float:
    return math.inf if exponent > 1023 else math.ldexp(1.0, max(exponent, -1100))


def as_csv(payload: Any) -> str:
    """Return the figures of a payload as CSV, numbers unrounded."""
    head, rows = sheet(payload)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
    return text.getvalue()


def as_markdown(payload: Any) -> str:
    """Return the figures of a payload as a Markdown table; numbers stand at the right."""
    head, rows = sheet(payload)
    numeric = [
        any(isinstance(row[i], (int, float)) for row in rows if i < len(row))
        for i in range(len(head))
    ]
    lines = [_pipes(head), _pipes("---:" if is_number else "---" for is_number in numeric)]
    lines += [_pipes(_plain(cell) for cell in row) for row in rows]
    return "\n".join(lines) + "\n"


def _plain(cell: Cell) -> str:
    return "" if cell is None else exact(cell) if isinstance(cell, (int, float)) else cell


def _pipes(cells: Iterable[str]) -> str:
    clean = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return "| " + " | ".join(clean) + " |"
