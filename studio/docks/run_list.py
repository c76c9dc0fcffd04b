"""What the Runs and Compare docks share: index of runs, columns of metrics, words for states."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from backend.core.errors import FretsawError
from studio.plotting import metrics
from studio.theme import theme

if TYPE_CHECKING:
    from studio.run_index import RunIndex
    from studio.run_row import RunRow
    from studio.session import Session

UNFINISHED = ("queued", "running", "cancelling")
RESUMABLE = ("cancelled", "failed", "crashed")
_LIKELY = ("top1", "fid", "psnr", "ssim", "bytes", "ort_ms", "macs", "val_top1", "val_loss", "loss")
_ICONS = {"running": "progress-clock", "finished": "check", "crashed": "alert"}


def index_of(session: Session) -> RunIndex:
    """Return the session's index of runs."""
    return session.runner.index


def state_look(state: str) -> tuple[str, str, str]:
    """Icon, colour name and word of a run's state."""
    color, icon, word = theme().state(state)
    icon = _ICONS.get(state, icon or "circle-outline")
    return icon, color, "finished" if state == "finished" else word


def when(seconds: float) -> str:
    """Say when a run began: the time today, else the date and the time."""
    if seconds <= 0:
        return ""
    moment = datetime.fromtimestamp(seconds)
    is_today = moment.date() == datetime.now().date()
    return f"{moment:%H:%M}" if is_today else f"{moment:%Y-%m-%d %H:%M}"


def metric_title(key: str) -> str:
    """Name of a ``node.metric`` for a column head: "f8net top-1"."""
    node, metric = metrics.split(key)
    title = metrics.title(metric)
    is_word = title[1:2].islower() or "-" in title[:5]
    words = title[0].lower() + title[1:] if node and is_word else title
    return f"{node} {words}".strip()


def known_metrics(rows: Iterable[RunRow]) -> list[str]:
    """Every ``node.metric`` of these runs, those that most runs have first, then by rank."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(row.best)
    return sorted(
        counts, key=lambda key: (metrics.rank(metrics.split(key)[1])[0], -counts[key], key)
    )


def likely_metrics(rows: Sequence[RunRow], count: int) -> list[str]:
    """The metrics that a table shows unasked: a quality and a cost, of the node that ends a run."""
    latest: dict[str, str] = {}
    for row in rows:
        for key in row.last:
            latest[metrics.split(key)[1]] = key
    chosen = [latest[metric] for metric in _LIKELY if metric in latest]
    rest = [key for metric, key in latest.items() if key not in chosen and metrics.better(metric)]
    return [*chosen, *rest][:count]


def best_of(values: Iterable[float | None], metric: str) -> float | None:
    """The best of some values by the metric's direction; None where none is better."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    direction = metrics.better(metric)
    if len(known) < 2 or not direction or min(known) == max(known):
        return None
    return max(known) if direction == "higher" else min(known)


def text_of(value: Any) -> str:
    """Write a parameter's value in few signs."""
    if value is None:
        return "not there"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def phone_text(times: dict[str, float]) -> str:
    """Milliseconds of the fastest phone, named where there are several."""
    if not times:
        return ""
    name = min(times, key=lambda phone: times[phone])
    number = f"{times[name]:.1f}" if times[name] < 100 else f"{times[name]:.0f}"
    return number if len(times) == 1 else f"{number} {name}"


def short_name(run: str) -> str:
    """Leave out the date of a run's name, keep its time: "14-03 f8net-resnet18"."""
    parts = run.split("_", 2)
    is_dated = len(parts) == 3 and parts[0][:2] == "20" and parts[0].count("-") == 2
    return f"{parts[1].replace('-', ':')} {parts[2]}" if is_dated else run


def labels_of(rows: Sequence[RunRow]) -> list[str]:
    """Names to tell runs apart by: their labels, or where those are the same their time, too."""
    counts = Counter(row.label for row in rows)
    return [
        row.label if row.label and counts[row.label] == 1 else short_name(row.name) for row in rows
    ]


def live_row(session: Session, row: RunRow) -> RunRow:
    """Add to the row of a run that is computing what it has measured so far."""
    if row.state not in ("running", "cancelling"):
        return row
    try:
        fold = session.runner.watch(row.name).fold
    except FretsawError:
        return row
    last, best = {}, {}
    for (node, metric), points in fold.series.items():
        known = [value for value in points.values if math.isfinite(value)]
        if known:
            key = f"{node}.{metric}"
            last[key] = points.values[-1]
            best[key] = max(known) if metrics.better(metric) == "higher" else min(known)
    return replace(row, last=last, best=best, seconds=fold.seconds)
