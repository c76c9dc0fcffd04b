"""Folds the events of a run into what pictures need: curves, views, node states. Knows no Qt."""

from __future__ import annotations

import bisect
import math
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.core import events as ev

MOST_VIEWS = 200
MOST_IMAGES = 2_000
MOST_LOGS = 5_000
MOST_WARNINGS = 20
_LAST_SEQ = 2**32 - 1
_MOST = 2**62
_ENDED = ("done", "cached", "warning", "failed")
SeriesKey = tuple[str, str]
ViewKey = tuple[str, str, str]


@dataclass
class NodeRun:
    """How one node of a run stands; ``state`` is a word of the tokens' states, or ``crashed``."""

    state: str = "idle"
    done: int = 0
    total: int = 0
    eta: float | None = None
    """Seconds that are left, where that can be told."""
    stage: str = ""
    seconds: float = 0.0
    error: str = ""
    details: str = ""
    warnings: list[str] = field(default_factory=list)
    cached: bool = False
    fingerprint: str = ""
    attempt: int = 0
    """How often the node began to compute."""
    started: float = 0.0
    """When it began, in seconds since 1970; 0 before."""
    told: str = field(default="idle", repr=False)
    """What the events alone say; ``state`` is that, seen with the state of the whole run."""

    @property
    def fraction(self) -> float | None:
        """How far it is, 0 to 1; None when nobody knows."""
        if self.state in ("done", "cached", "warning"):
            return 1.0
        return min(1.0, self.done / self.total) if self.total > 0 else None

    @property
    def percent(self) -> float | None:
        """How far it is, 0 to 100; None when nobody knows."""
        return None if self.fraction is None else 100 * self.fraction


@dataclass
class Points:
    """One curve. ``cuts`` is raised when points were taken away, so that a reader starts anew.

    20 bytes a point: twenty live runs are held whole.
    """

    steps: array[Any] = field(default_factory=lambda: array("i"))
    values: array[float] = field(default_factory=lambda: array("d"))
    cuts: int = 0
    seqs: array[int] = field(default_factory=lambda: array("I"), repr=False)
    began: float = 0.0
    """When the first point was made, in seconds since 1970."""
    since: array[float] = field(default_factory=lambda: array("f"), repr=False)
    """Seconds from then to each point."""

    def __len__(self) -> int:
        return len(self.steps)

    def append(self, step: int, value: float, seq: int, time: float = 0.0) -> None:
        """Add a point; ``seq`` is the number of its event."""
        if not self.steps:
            self.began = time
        try:
            self.steps.append(step)
        except OverflowError:  # beyond 2^31, which no training sees but a file may say
            self.steps = array("d", [*self.steps, step])
            self.cuts += 1
        self.values.append(value)
        self.seqs.append(min(max(seq, 0), _LAST_SEQ))
        self.since.append(time - self.began)

    def cut(self, seq: int) -> None:
        """Take away the points whose events are numbered above ``seq``."""
        if not self.seqs or max(self.seqs) <= seq:
            return
        kept = [index for index, number in enumerate(self.seqs) if number <= seq]
        # In place: whoever holds the arrays sees the same ones go on.
        everything: tuple[array[Any], ...] = (self.steps, self.values, self.since, self.seqs)
        for points in everything:
            points[:] = array(points.typecode, [points[i] for i in kept])
        self.cuts += 1

    def at(self, step: float) -> float | None:
        """Return the last value at or before ``step``; None before the first."""
        index = bisect.bisect_right(self.steps, step)
        return self.values[index - 1] if index else None


class RunFold:
    """What a run shows, as of the events fed so far. Its size is bounded, whatever the run writes.

    A :class:`~backend.core.events.Resumed` takes back what lies beyond the checkpoint, exactly as
    :func:`~backend.core.events.without_undone` does.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, NodeRun] = {}
        self.series: dict[SeriesKey, Points] = {}
        self.views: dict[ViewKey, list[ev.View]] = {}
        """At most :data:`MOST_VIEWS` a key: older steps are thinned out, the first stays."""
        self.images: list[ev.Image] = []
        self.snapshots: dict[str, ev.Snapshot] = {}
        self.logs: list[ev.Log] = []
        self.status = ""
        """``running``, ``finished``, ``failed`` or ``cancelled``; empty before the first event."""
        self.state = ""
        """State of the run as :meth:`set_state` was told; see :meth:`backend.core.run.Run.state`"""
        self.started = 0.0
        self.versions: dict[str, str] = {}
        self.inputs: dict[str, str] = {}
        self.commit = ""
        self.seed: int | None = None
        self.device = ""
        self.threads = 0
        self.attempts = 0
        self.last_time = 0.0
        self._attempt_began = 0.0
        self._seconds: float | None = None
        self._warned: dict[str, list[tuple[int, str]]] = {}
        self._hear: Mapping[type, Callable[[Any], None]] = {
            ev.RunStarted: self._run_started,
            ev.NodeStarted: self._node_started,
            ev.Resumed: self._resumed,
            ev.Progress: self._progress,
            ev.Metric: self._metric,
            ev.View: self._view,
            ev.Image: self._image,
            ev.Snapshot: self._snapshot,
            ev.Log: self._log,
            ev.NodeFinished: self._node_finished,
            ev.NodeFailed: self._node_failed,
            ev.RunFinished: self._run_finished,
        }

    def feed(self, events: Iterable[ev.Event]) -> None:
        """Take in more events, in the order in which they were written."""
        hear = self._hear
        for event in events:
            hear[type(event)](event)
            self.last_time = event.t

    def set_state(self, state: str) -> None:
        """Say how the run stands, which its events alone do not tell; node states follow it."""
        if state == self.state:
            return
        self.state = state
        for node in self.nodes.values():
            node.state = _seen(node.told, state)

    @property
    def seconds(self) -> float:
        """How long the last attempt took, or has been taking so far by its last event."""
        if self._seconds is not None:
            return self._seconds
        return max(0.0, self.last_time - self._attempt_began) if self._attempt_began else 0.0

    @property
    def error(self) -> str:
        """``node: sentence`` of the node that failed; empty without one."""
        failed = ((n, r.error) for n, r in self.nodes.items() if r.state == "failed")
        return next((f"{name}: {error}" for name, error in failed), "")

    @property
    def current(self) -> str:
        """Name of the node that computes; empty without one."""
        busy = (n for n, r in self.nodes.items() if r.state in ("running", "cancelling"))
        return next(busy, "")

    @property
    def fraction(self) -> float:
        """How far the run is, 0 to 1, every node weighing the same."""
        parts = [node.fraction or 0.0 for node in self.nodes.values()]
        return sum(parts) / len(parts) if parts else 0.0

    def metrics_of(self, node: str) -> dict[str, Points]:
        """Return the curves of one node by metric."""
        return {metric: points for (name, metric), points in self.series.items() if name == node}

    # -- one method an event ---------------------------------------------------------------------

    def _node(self, name: str) -> NodeRun:
        node = self.nodes.get(name)
        if node is None:
            node = self.nodes[name] = NodeRun(state=_seen("idle", self.state))
        return node

    def _put(self, node: NodeRun, told: str) -> None:
        node.told, node.state = told, _seen(told, self.state)

    def _run_started(self, event: ev.RunStarted) -> None:
        self.attempts += 1
        self.started = self.started or event.t
        self._attempt_began, self._seconds = event.t, None
        self.status = "running"
        self.versions, self.inputs = dict(event.versions), dict(event.inputs)
        self.commit, self.seed = event.commit, event.seed
        self.device, self.threads = event.device, event.threads
        known = self.nodes
        # In the order of this attempt; the states of an earlier one say nothing of this one.
        self.nodes = {name: known.get(name, NodeRun()) for name in event.nodes}
        self.nodes.update({name: run for name, run in known.items() if name not in self.nodes})
        for name in event.nodes:
            node = self.nodes[name]
            self._put(node, "queued")
            node.eta, node.error, node.details = None, "", ""

    def _node_started(self, event: ev.NodeStarted) -> None:
        node = self._node(event.node)
        self._put(node, "running")
        node.done, node.total, node.eta, node.stage = 0, 0, None, ""
        node.error, node.details, node.cached, node.seconds = "", "", False, 0.0
        node.fingerprint, node.started = event.fingerprint, event.t
        node.attempt += 1

    def _resumed(self, event: ev.Resumed) -> None:
        name, seq = event.node, event.seq
        node = self._node(name)
        node.done = event.step
        for key, points in list(self.series.items()):
            if key[0] == name:
                points.cut(seq)
        for view_key, views in list(self.views.items()):
            if view_key[0] == name:
                views[:] = [view for view in views if view.seq <= seq]
                if not views:
                    del self.views[view_key]
        self.images = [i for i in self.images if i.node != name or i.seq <= seq]
        self.logs = [line for line in self.logs if line.node != name or line.seq <= seq]
        if name in self.snapshots and self.snapshots[name].seq > seq:
            del self.snapshots[name]
        if name in self._warned:
            self._warned[name] = [(n, text) for n, text in self._warned[name] if n <= seq]
            node.warnings = [text for _, text in self._warned[name]]

    def _progress(self, event: ev.Progress) -> None:
        # No state: a node that waits for another run's result tells its progress before it starts.
        node = self._node(event.node)
        node.done, node.total = event.done, event.total
        is_known = event.eta is not None and math.isfinite(event.eta)
        node.eta, node.stage = event.eta if is_known else None, event.stage

    def _metric(self, event: ev.Metric) -> None:
        for name, value in event.values.items():
            key = (event.node, f"{event.stage}/{name}" if event.stage else name)
            points = self.series.get(key)
            if points is None:
                points = self.series[key] = Points()
            if abs(event.step) < _MOST and abs(event.seq) < _MOST:  # else a file gone wrong
                points.append(event.step, value, event.seq, event.t)

    def _view(self, event: ev.View) -> None:
        views = self.views.setdefault((event.node, event.view, event.name), [])
        views.append(event)
        if len(views) > MOST_VIEWS:
            del views[1 : MOST_VIEWS // 2 : 2]

    def _image(self, event: ev.Image) -> None:
        self.images.append(event)
        if len(self.images) > MOST_IMAGES:
            del self.images[: MOST_IMAGES // 10]

    def _snapshot(self, event: ev.Snapshot) -> None:
        self.snapshots[event.node] = event

    def _log(self, event: ev.Log) -> None:
        self.logs.append(event)
        if len(self.logs) > MOST_LOGS:
            del self.logs[: MOST_LOGS // 10]
        if event.level != "info" and event.node:
            warned = self._warned.setdefault(event.node, [])
            if len(warned) < MOST_WARNINGS:
                warned.append((event.seq, event.text))
                self._node(event.node).warnings.append(event.text)

    def _node_finished(self, event: ev.NodeFinished) -> None:
        node = self._node(event.node)
        self._put(node, "warning" if node.warnings else "cached" if event.cached else "done")
        node.seconds, node.cached, node.eta = event.seconds, event.cached, None
        node.fingerprint = event.fingerprint or node.fingerprint
        node.done = node.total

    def _node_failed(self, event: ev.NodeFailed) -> None:
        node = self._node(event.node)
        self._put(node, "failed")
        node.error, node.details, node.eta = event.error, event.details, None

    def _run_finished(self, event: ev.RunFinished) -> None:
        self.status, self._seconds = event.status, event.seconds
        for node in self.nodes.values():
            self._put(node, _seen(node.told, event.status))


def _seen(told: str, run: str) -> str:
    """Return the state of a node of which its events told ``told``, in a run that is ``run``."""
    is_begun = told in ("running", "cancelled")
    if told in _ENDED or not run:
        return told
    if run == "queued":
        return "queued"
    if run in ("running", "cancelling"):
        return run if told == "running" else told
    if run in ("cancelled", "crashed"):
        return run if is_begun else "idle"
    return "cancelled" if is_begun else "idle"
