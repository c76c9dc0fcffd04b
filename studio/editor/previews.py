"""What goes into the well of a card: the newest curve, view or picture of a node in a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.core.node import NodeSpec
from studio.editor.card_preview import Preview

POINTS = 72
"""Points of a sparkline; more cannot be told apart at this width."""

_BEST = ("top1", "accuracy", "psnr", "score", "agreement")
_WAITING = {
    "layers": "bits of each layer appear here",
    "bars": "bars appear here",
    "heatmap": "a map appears here",
    "table": "figures appear here",
    "lines": "curves appear here",
    "masks": "masks appear here",
    "tiles": "the floor plan appears here",
    "trace": "signals appear here",
    "verdict": "the check appears here",
}


def has_preview(spec: NodeSpec) -> bool:
    """Whether cards of this kind have a well: nodes that train or draw."""
    return bool(spec.views) or "epochs" in spec.params.get("properties", {})


def waiting(spec: NodeSpec) -> Preview | None:
    """Say what will come, for a node that has shown nothing yet."""
    if not has_preview(spec):
        return None
    if not spec.views:
        return Preview("words", "curve appears here")
    return Preview("words", _WAITING.get(spec.views[0], f"{spec.views[0]} appear here"))


def preview_of(fold: Any, folder: Path | None, name: str, spec: NodeSpec) -> Preview | None:
    """Choose the picture that says most about a node: a view, an image, then its main curve."""
    if not has_preview(spec):
        return None
    for kind in spec.views:
        if kind in ("layers", "bars"):
            found = _view(fold, name, kind)
            if found is not None and not (kind == "bars" and _image(fold, folder, name)):
                return found
    picture = _image(fold, folder, name)
    if picture is not None:
        return picture
    key = main_metric(fold, name, most_points=True)
    if key is not None and len(fold.series[key].values) > 1:
        return curve(fold.series[key].values)
    for kind in spec.views:
        found = _view(fold, name, kind)
        if found is not None:
            return found
    return None


def main_metric(fold: Any, name: str, *, most_points: bool = False) -> tuple[str, str] | None:
    """Key of the metric that a node is judged by; ``most_points`` prefers one worth drawing."""
    keys: list[tuple[str, str]] = [
        key for key, points in fold.series.items() if key[0] == name and len(points.values)
    ]
    if not keys:
        return None
    rank = {key: _rank(key[1]) for key in keys}
    if most_points:
        drawn = [key for key in keys if len(fold.series[key].values) >= 8 and key[1] != "lr"]
        judged = [key for key in keys if rank[key] < 2 and len(fold.series[key].values) >= 4]
        keys = judged or drawn or keys
    return min(keys, key=lambda key: rank[key])


def _rank(metric: str) -> float:
    for index, word in enumerate(_BEST):
        if word in metric:
            return index / 10
    if metric.endswith("_ms"):
        return 1.5
    return 2.0 if "loss" in metric else 4.0 if metric == "lr" else 3.0


def curve(values: Sequence[float]) -> Preview:
    """Make a sparkline: at most :data:`POINTS` bucket means, and an even smoother line."""
    stride = max(1, len(values) // (10 * POINTS))  # a long run is drawn from a part of its points
    finite = [value for value in values[::stride] if math.isfinite(value)]
    size = max(1, math.ceil(len(finite) / POINTS))
    buckets = [finite[i : i + size] for i in range(0, len(finite), size)]
    raw = [sum(bucket) / len(bucket) for bucket in buckets]
    if not raw:
        return Preview("words", "no finite values")
    low, high = min(raw), max(raw)
    span = (high - low) or 1.0
    shares = [(value - low) / span for value in raw]
    smooth, level = [], shares[0]
    for index, value in enumerate(shares):
        level += (value - level) * max(0.22, 1 / (index + 1))
        smooth.append(level)
    if len(shares) < 24:  # few points are a line already
        return Preview("curve", smooth=tuple(shares))
    return Preview("curve", values=tuple(shares), smooth=tuple(smooth))


def _image(fold: Any, folder: Path | None, name: str) -> Preview | None:
    if folder is None:
        return None
    for event in reversed(fold.images):
        if event.node == name:
            return Preview("picture", path=str(folder / event.path))
    return None


def _view(fold: Any, name: str, kind: str) -> Preview | None:
    for (node, of_kind, _), events in fold.views.items():
        if node == name and of_kind == kind and events and events[-1].data is not None:
            return _drawn(events[-1].data)
    return None


def _drawn(data: Any) -> Preview | None:
    if data.kind == "layers":
        formats = [row.weight for row in data.rows if row.weight is not None]
        return Preview(
            "bits",
            bits=tuple(
                (int(f.signed), max(f.integer, 0), max(0, min(f.fraction, f.bits - int(f.signed))))
                for f in formats[:64]
            ),
        )
    if data.kind == "bars":
        values = [abs(v) for v in next(iter(data.groups.values()), []) if math.isfinite(v)][:40]
        most = max(values, default=0.0) or 1.0
        return Preview("bars", values=tuple(v / most for v in values))
    if data.kind == "heatmap":
        rows = [row[:24] for row in data.values[:24]]
        most = max((v for row in rows for v in row if math.isfinite(v)), default=0.0) or 1.0
        shares = tuple(tuple(_share(v, most) for v in row) for row in rows)
        return Preview("heat", rows=shares)
    if data.kind == "verdict":
        return Preview("words", data.claim)
    return Preview("words", data.title) if data.title else None


def _share(value: float, most: float) -> float:
    return min(max(value / most, 0.0), 1.0) if math.isfinite(value) else 0.0
