"""Where an interrupted run would go on, in words: the epoch and the figure of its checkpoint."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path
from typing import Any

from backend.core.graph import Specs
from studio.changes import graph_of
from studio.editor.previews import main_metric
from studio.run_fold import NodeRun, RunFold
from studio.run_watch import RunWatch, read_json

_STOPPED = ("cancelled", "crashed", "failed", "running", "cancelling")


def goes_on(watch: RunWatch, specs: Specs) -> str:
    """Say what Resume would begin with; empty when no node of the run was cut short.

    The file of the checkpoint is read, so ask only when a user would see the answer.
    """
    fold = watch.fold
    name = next((name for name, node in fold.nodes.items() if node.state in _STOPPED), "")
    if not name:
        return ""
    graph = graph_of(watch.run.path)
    node = graph.nodes.get(name) if graph is not None else None
    spec = specs.get(node.type) if node is not None else None
    title = spec.title if spec is not None else name
    done, seq = furthest(watch.run.node_folder(name))
    if not done:
        return f"{title} begins anew, nothing of it was saved."
    where = _place(fold.nodes[name], done, node.params if node is not None else {}, spec)
    figure = _figure(fold, name, seq)
    return f"{title} goes on {where}{', ' + figure if figure else ''}."


def furthest(folder: Path) -> tuple[int, int]:
    """Return the steps done and the events written at a node's last checkpoint; zeros without."""
    best = (0, 0)
    for path in sorted(folder.glob("checkpoints/*/loop-*.json")):
        head = read_json(path).get("head")
        if isinstance(head, dict):
            done, seq = head.get("done"), head.get("seq")
            if isinstance(done, int) and isinstance(seq, int) and seq >= best[1]:
                best = (done, seq)
    return best


def _place(run: NodeRun, done: int, params: dict[str, Any], spec: Any) -> str:
    if run.total <= 0:
        return f"after step {done}"
    fields = spec.params.get("properties", {}) if spec is not None else {}
    epochs = params.get("epochs", fields.get("epochs", {}).get("default"))
    percent = f"{100 * done / run.total:.0f} %"
    if isinstance(epochs, int) and epochs > 0:
        return f"in epoch {min(epochs, done * epochs // run.total + 1)} of {epochs} ({percent})"
    return f"at step {done} of {run.total} ({percent})"


def _figure(fold: RunFold, name: str, seq: int) -> str:
    from studio.editor.faces import figure

    key = main_metric(fold, name)
    if key is None:
        return ""
    points = fold.series[key]
    index = bisect_right(points.seqs, seq)
    return figure(key[1], points.values[index - 1]) if index else ""
