"""Reads a run directory into what the page shows. Whatever is missing becomes a sentence."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from backend.core import events as ev
from backend.core.errors import sentence
from backend.core.files import inside
from backend.core.run import Run
from backend.core.views import AnyPayload, Payload, read_payload
from backend.report.pictures import Picture, PictureBox
from backend.report.scale import Point

LOOKS = 48
"""At most so many earlier looks of one view are read for its "how it moved" strip."""
_LARGEST_STEP = 2**53
_MOVING = ("layers", "strip")
_VIEW_FILE_BYTES = 4_000_000


@dataclass
class Step:
    """One node of the run and how it stands."""

    name: str
    type: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    state: str = "idle"
    seconds: float | None = None
    fingerprint: str = ""
    error: str = ""
    details: str = ""
    share: float = 0.0
    warnings: int = 0
    bypass: bool = False


@dataclass(frozen=True)
class Shown:
    """The last view under one name, and some of the earlier looks at it."""

    node: str
    name: str
    kind: str
    step: int | None
    payload: Payload | None
    missing: str
    looks: int
    earlier: tuple[tuple[int, Payload], ...] = ()

    @property
    def title(self) -> str:
        """What stands above the view."""
        own = self.payload.title if self.payload else ""
        return own or (self.name if self.name != self.kind else "") or self.kind.capitalize()


@dataclass(frozen=True)
class Note:
    """Something that went wrong or needs a look."""

    level: str
    node: str
    text: str
    details: str = ""
    count: int = 1


Curves = dict[tuple[str, str, str], list[Point]]
"""``(node, stage, name) -> [(step, value)]``."""


@dataclass
class Digest:
    """Everything the page and the Markdown need of a run."""

    run: str
    name: str
    state: str
    seed: int | None = None
    steps: dict[str, Step] = field(default_factory=dict)
    links: list[tuple[str, str]] = field(default_factory=list)
    document: str = ""
    started: ev.RunStarted | None = None
    began: float | None = None
    ended: float | None = None
    seconds: float | None = None
    attempts: int = 0
    curves: Curves = field(default_factory=dict)
    views: list[Shown] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    log: list[ev.Log] = field(default_factory=list)

    def of_kind(self, *kinds: str) -> list[Shown]:
        """Views of the given kinds, in the order in which they first came."""
        return [view for view in self.views if view.kind in kinds]


def read(run: Run) -> Digest:
    """Read a run; never fails for what its files hold or lack."""
    digest = Digest(run.name, run.name, run.state())
    _read_document(run, digest)
    try:
        events = run.events()
    except OSError as error:
        events = []
        digest.notes.append(Note("error", "", f"The events cannot be read. {sentence(error)}"))
    _read_attempts(events, digest)
    _read_steps(events, digest)
    for event in events:
        if isinstance(event, ev.Metric) and abs(event.step) <= _LARGEST_STEP:
            for name, value in event.values.items():
                key = (event.node, event.stage, name)
                digest.curves.setdefault(key, []).append((event.step, value))
    for points in digest.curves.values():
        points.sort(key=lambda point: point[0])
    _read_views(run, [event for event in events if isinstance(event, ev.View)], digest)
    box = PictureBox(run.path)
    digest.pictures = box.read([event for event in events if isinstance(event, ev.Image)])
    digest.log = [event for event in events if isinstance(event, ev.Log)]
    _collect_notes(digest)
    return digest


def _read_document(run: Run, digest: Digest) -> None:
    try:
        graph = run.graph()
    except Exception as error:  # a foreign or torn document must not cost the rest of the report
        text = f"The graph of this run cannot be read. {sentence(error)}"
        digest.notes.append(Note("warning", "", text))
        return
    digest.name, digest.seed = graph.name, graph.seed
    for name, node in graph.nodes.items():
        digest.steps[name] = Step(name, node.type, dict(node.params), bypass=node.bypass)
    digest.links = [(link.source_node, link.target_node) for link in graph.links]
    try:
        digest.document = json.dumps(graph.to_json(), indent=1, ensure_ascii=False)
    except (TypeError, ValueError):
        digest.document = ""


def _read_attempts(events: list[ev.Event], digest: Digest) -> None:
    """Add up the time of all attempts: an attempt that broke off lasted until its last event."""
    if not events:
        return
    digest.began, digest.ended = events[0].t, events[-1].t
    total, began, last = 0.0, events[0].t, events[0].t
    for event in events:
        if isinstance(event, ev.RunStarted):
            if digest.attempts:
                total += max(0.0, last - began)
            began, digest.started = event.t, event
            digest.attempts += 1
        elif isinstance(event, ev.RunFinished):
            total += event.seconds - max(0.0, event.t - began)
        last = event.t
    digest.seconds = max(0.0, total + last - began)


def _read_steps(events: list[ev.Event], digest: Digest) -> None:
    for event in events:
        if isinstance(event, ev.RunStarted):
            for name in event.nodes:
                digest.steps.setdefault(name, Step(name))
            continue
        name = getattr(event, "node", "")
        if not name:
            continue
        step = digest.steps.get(name)
        if isinstance(event, ev.NodeStarted | ev.NodeFinished | ev.NodeFailed) and step is None:
            step = digest.steps[name] = Step(name)
        if step is not None:
            _apply(event, step)
    if digest.state not in ("running", "cancelling"):
        word = "cancelled" if digest.state == "cancelled" else "broken off"
        for step in digest.steps.values():
            step.state = word if step.state == "running" else step.state


def _apply(event: ev.Event, step: Step) -> None:
    if isinstance(event, ev.NodeStarted):
        step.state, step.error, step.details = "running", "", ""
        step.fingerprint = event.fingerprint or step.fingerprint
    elif isinstance(event, ev.Progress):
        step.share = min(1.0, event.done / event.total) if event.total > 0 else 0.0
    elif isinstance(event, ev.NodeFinished):
        step.state, step.error, step.share = "cached" if event.cached else "done", "", 1.0
        step.seconds = event.seconds
        step.fingerprint = event.fingerprint or step.fingerprint
    elif isinstance(event, ev.NodeFailed):
        step.state, step.error, step.details = "failed", event.error, event.details
    elif isinstance(event, ev.Log) and event.level == "warning":
        step.warnings += 1


def _read_views(run: Run, events: list[ev.View], digest: Digest) -> None:
    looks: dict[tuple[str, str], list[ev.View]] = {}
    for event in events:
        looks.setdefault((event.node, event.name or event.view), []).append(event)
    for (node, name), found in looks.items():
        last = found[-1]
        payload, missing = _payload(run, last)
        earlier: list[tuple[int, Payload]] = []
        if last.view in _MOVING and len(found) > 1:
            every = max(1, -(-len(found) // LOOKS))
            for index in sorted({*range(0, len(found), every), len(found) - 1}):
                look, _ = _payload(run, found[index])
                step = found[index].step
                if look is not None and type(look) is type(payload):
                    earlier.append((index if step is None else step, look))
        digest.views.append(
            Shown(node, name, last.view, last.step, payload, missing, len(found), tuple(earlier))
        )


def _payload(run: Run, event: ev.View) -> tuple[AnyPayload | None, str]:
    if event.data is not None:
        return event.data, ""
    if not event.path:
        return None, "The event holds neither data nor the path of a file."
    try:
        path = inside(run.path, event.path)
        if path.stat().st_size > _VIEW_FILE_BYTES:
            return None, f'"{event.path}" is too large to be drawn here.'
        return read_payload(path), ""
    except FileNotFoundError:
        return None, f'The file "{event.path}" is no longer in the run folder.'
    except (OSError, EOFError, ValueError, zlib.error, gzip.BadGzipFile):
        return None, f'The file "{event.path}" cannot be read.'


def _collect_notes(digest: Digest) -> None:
    """Gather what went wrong, worst first; the same words twice are counted, not repeated."""
    resume = f"Resume it with: python -m backend resume {digest.run}"
    found = list(digest.notes)
    found += [Note("error", s.name, s.error, s.details) for s in digest.steps.values() if s.error]
    if digest.state == "crashed":
        text = "The run broke off without an ending: its process or the computer was stopped."
        found.append(Note("error", "", f"{text} Finished steps are kept. {resume}"))
    elif digest.state == "cancelled":
        found.append(
            Note("warning", "", f"The run was cancelled. Finished steps are kept. {resume}")
        )
    counts = Counter(
        (event.level, event.node, event.text) for event in digest.log if event.level != "info"
    )
    known = {(note.node, note.text) for note in found}
    found += [
        Note(level, node, text, count=count)
        for (level, node, text), count in counts.items()
        if (node, text) not in known
    ]
    order = {"error": 0, "warning": 1}
    digest.notes = sorted((replace(n) for n in found), key=lambda n: order.get(n.level, 2))
