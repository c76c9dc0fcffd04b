"""Figures and files of a node in a run, as small tables."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from html import escape
from pathlib import Path

from studio.fields import words
from studio.run_fold import NodeRun, Points
from studio.theme import theme
from studio.words import duration, size

MOST_FILES = 24


def facts_html(node: NodeRun) -> str:
    """State, time, attempts and fingerprint of a node."""
    _, _, word = theme().state(node.state)
    rows = [("State", word)]
    if node.total and node.state in ("running", "cancelling"):
        rows.append(("Progress", f"{node.stage} {node.done} of {node.total}".strip()))
    if node.state in ("done", "cached", "warning", "failed") and node.seconds:
        rows.append(("Time", duration(node.seconds) + (", from the store" if node.cached else "")))
    if node.attempt > 1:
        rows.append(("Attempts", str(node.attempt)))
    if node.fingerprint:
        rows.append(("Fingerprint", node.fingerprint[:12]))
    text = table_html([(name, [value]) for name, value in rows])
    if node.error:
        text += f'<p style="color:{theme().color("bad").name()}">{escape(node.error)}</p>'
    for warning in node.warnings[:4]:
        text += f"<p>{escape(warning)}</p>"
    return text


def metrics_html(metrics: Mapping[str, Points]) -> str:
    """Last, lowest and highest value of each figure; empty when there are none."""
    rows = []
    for name, points in metrics.items():
        values = [value for value in points.values if math.isfinite(value)]
        if values:
            rows.append((name, [_figure(v) for v in (points.values[-1], min(values), max(values))]))
    return table_html(rows, ["last", "lowest", "highest"]) if rows else ""


def files_of(folder: Path) -> list[tuple[str, int]]:
    """Return ``(path below the folder, bytes)`` of its files, the first few."""
    found: list[tuple[str, int]] = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            try:
                found.append((path.relative_to(folder).as_posix(), path.stat().st_size))
            except OSError:
                continue  # gone since it was listed
            if len(found) >= MOST_FILES:
                return found
    return found


def files_html(files: list[tuple[str, int]]) -> str:
    """Names and sizes."""
    rows = [(name, [size(count)]) for name, count in files]
    return table_html(rows, ["size"]) if rows else ""


def _figure(value: float) -> str:
    return words.show(float(f"{value:.4g}")) if math.isfinite(value) else str(value)


def table_html(rows: list[tuple[str, list[str]]], heads: list[str] | None = None) -> str:
    """Return a table of a name and right-aligned values a row."""
    look = theme()
    muted, ink = look.color("muted").name(), look.color("ink").name()
    mono = f"font-family:'{look.mono().family()}';font-size:{look.mono().pixelSize()}px"
    micro = f"color:{muted};font-size:{look.font('micro').pixelSize()}px"
    lines = []
    if heads:
        cells = "".join(f'<td align="right" style="{micro}">{head}</td>' for head in heads)
        lines.append(f"<tr><td></td>{cells}</tr>")
    for name, values in rows:
        cells = "".join(
            f'<td align="right" style="{mono};color:{ink};padding-left:12px">{escape(v)}</td>'
            for v in values
        )
        lines.append(f'<tr><td style="color:{muted}">{escape(name)}</td>{cells}</tr>')
    return f'<table cellspacing="0" cellpadding="2" width="100%">{"".join(lines)}</table>'
