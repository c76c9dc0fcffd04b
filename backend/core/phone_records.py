"""What phones measured for a run: ``phone.jsonl`` beside its events, one JSON object a line.

Every line has ``at`` (seconds since 1970), ``device`` (its name), ``t`` (``bench``, ``tel``,
``golden``, ``ready`` or ``note``) and the fields of that message.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.core.files import parse_json

FILE = "phone.jsonl"
_MOST_BYTES = 2 * 1024 * 1024
"""Read from the end: what was measured last is what counts."""


@dataclass(frozen=True)
class PhoneTime:
    """Time of a network on one phone: ms for a frame, by which backend, how it was measured."""

    device: str
    edit: str
    graph: str
    """SHA-256 of the network's file; empty when it is live figures."""
    ms: float
    p90: float
    backend: str
    how: str
    """``bench`` (its own measurement) or ``live`` (median while the camera ran)."""


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a file, oldest first; damaged lines are left out."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _MOST_BYTES))
            data = file.read()
    except OSError:
        return
    for line in data.split(b"\n"):
        try:
            record = parse_json(line) if line.strip() else None
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("device"), str):
            yield record


def times(run: Path) -> list[PhoneTime]:
    """Return what phones measured for a run: see :func:`times_of`."""
    return times_of(run / FILE)


def times_of(path: Path) -> list[PhoneTime]:
    """Return the newest benchmark of each phone and edit, else the median of its live figures.

    In the order of the last record of each, so the one that measured last stands last.
    """
    benches: dict[tuple[str, str], PhoneTime] = {}
    live: dict[tuple[str, str], list[tuple[float, float, str]]] = {}
    for record in lines(path):
        key = (record["device"], str(record.get("id", "")))
        if record.get("t") == "bench":
            found = _bench(record)
            if found is not None:
                benches.pop(key, None)
                benches[key] = found
        elif record.get("t") == "tel":
            figure = _live(record)
            if figure is not None:
                live.setdefault(key, []).append(figure)
    for key, figures in live.items():
        if key not in benches:
            median = statistics.median(ms for ms, _, _ in figures)
            worst = statistics.median(p95 for _, p95, _ in figures)
            backend = figures[-1][2]
            benches[key] = PhoneTime(key[0], key[1], "", median, worst, backend, "live")
    return list(benches.values())


def median_ms(run: Path) -> dict[str, float]:
    """Return ms for a frame by phone: of the edit that was measured last on it."""
    found: dict[str, float] = {}
    for one in times(run):
        found[one.device] = one.ms
    return found


def _bench(record: dict[str, Any]) -> PhoneTime | None:
    """The chosen backend's figures, else those of the fastest that worked."""
    measured = record.get("times")
    chosen = record.get("chosen")
    worked = [
        one
        for one in (measured if isinstance(measured, list) else ())
        if isinstance(one, dict) and not one.get("error") and _number(one.get("median_ms")) > 0
    ]
    if not worked:
        return None
    picked = [one for one in worked if one.get("backend") == chosen]
    best = picked[0] if picked else min(worked, key=lambda one: _number(one["median_ms"]))
    return PhoneTime(
        device=record["device"],
        edit=str(record.get("id", "")),
        graph=str(record.get("graph", "")),
        ms=_number(best["median_ms"]),
        p90=_number(best.get("p90_ms")),
        backend=str(best.get("backend", "")),
        how="bench",
    )


def _live(record: dict[str, Any]) -> tuple[float, float, str] | None:
    stages = record.get("ms")
    run = stages.get("run") if isinstance(stages, dict) else None
    ms = _number(run.get("p50")) if isinstance(run, dict) else 0.0
    if not isinstance(run, dict) or ms <= 0:
        return None
    return ms, _number(run.get("p95")), str(record.get("backend", ""))


def _number(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else 0.0  # type: ignore[arg-type]
