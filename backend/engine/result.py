"""The summary of a run, so that a table of thousands of runs reads one small file each."""

from __future__ import annotations

import math
from typing import Any

from backend.core import events as ev
from backend.core.run import Run


def summarize(
    run: Run, status: ev.Status, seconds: float, fingerprints: dict[str, str]
) -> dict[str, Any]:
    """Return status, last and best figures of each node, and seconds."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    nodes: dict[str, dict[str, Any]] = {n: {"fingerprint": f} for n, f in fingerprints.items()}
    error = ""
    for event in run.events():
        if isinstance(event, ev.Metric):
            for name, value in event.values.items():
                key = f"{event.stage}/{name}" if event.stage else name
                _note(figures.setdefault(event.node, {}), key, value)
        elif isinstance(event, ev.NodeFinished):
            entry = nodes.setdefault(event.node, {})
            entry.update(seconds=round(event.seconds, 3), cached=event.cached)
        elif isinstance(event, ev.NodeFailed):
            error = f"{event.node}: {event.error}"
    return {
        "status": status,
        "error": error if status == "failed" else "",
        "seconds": round(seconds, 3),
        "metrics": figures,
        "nodes": nodes,
        **{key: value for key, value in run.settings.items() if key in ("sweep", "set")},
    }


def _note(figures: dict[str, dict[str, float]], name: str, value: float) -> None:
    if not math.isfinite(value):
        return  # JSON has no word for it, and it is never a best value
    known = figures.get(name)
    if known is None:
        figures[name] = {"last": value, "min": value, "max": value}
    else:
        known["last"] = value
        known["min"] = min(known["min"], value)
        known["max"] = max(known["max"], value)
