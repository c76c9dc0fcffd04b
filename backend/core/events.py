"""What happens in a run: one frozen model a kind, one JSON line an event."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from backend.core.views import AnyPayload

Status = Literal["finished", "failed", "cancelled"]
LATEST = 32_503_680_000.0
"""The year 3000, the last that the clocks of all systems can show."""
_Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    t: float = Field(default_factory=time.time, ge=0, le=LATEST, description="Seconds since 1970.")


class RunStarted(_Event):
    """The first event of each attempt at a run; records what the result depends on."""

    kind: Literal["run_started"] = "run_started"
    seed: int
    device: str
    threads: int
    nodes: list[str]
    versions: dict[str, str] = Field(default_factory=dict)
    commit: str = ""
    inputs: dict[str, str] = Field(default_factory=dict)
    resumed: bool = False


class NodeStarted(_Event):
    """A node begins to compute."""

    kind: Literal["node_started"] = "node_started"
    node: str
    fingerprint: str = ""


class Resumed(_Event):
    """A node goes on from a checkpoint: its events numbered above ``seq`` no longer count."""

    kind: Literal["resumed"] = "resumed"
    node: str
    step: _Whole
    seq: _Whole


class Progress(_Event):
    """How far a node is; ``eta`` in seconds where it can be told."""

    kind: Literal["progress"] = "progress"
    node: str
    stage: str = ""
    done: _Whole
    total: _Whole
    eta: float | None = None


class _Numbered(_Event):
    seq: _Whole = Field(default=0, description="Number of the event within its node; see Resumed.")


class Metric(_Numbered):
    """Figures of a node at a step."""

    kind: Literal["metric"] = "metric"
    node: str
    step: _Whole
    values: dict[str, float]
    stage: str = ""


class View(_Numbered):
    """A picture of data: the payload itself, or the path of a ``.json.gz`` in the run folder."""

    kind: Literal["view"] = "view"
    node: str
    view: str
    name: str = ""
    step: _Whole | None = None
    data: AnyPayload | None = None
    path: str | None = None


class Image(_Numbered):
    """A picture written as PNG into the run folder."""

    kind: Literal["image"] = "image"
    node: str
    name: str
    path: str


class Snapshot(_Numbered):
    """Weights that a follower may export while the node goes on."""

    kind: Literal["snapshot"] = "snapshot"
    node: str
    path: str
    step: _Whole


class Log(_Numbered):
    """A line of text; ``node`` is empty for the run itself."""

    kind: Literal["log"] = "log"
    node: str = ""
    level: Literal["info", "warning", "error"] = "info"
    text: str


class NodeFinished(_Event):
    """A node's outputs are in the store under ``fingerprint``."""

    kind: Literal["node_finished"] = "node_finished"
    node: str
    seconds: float
    cached: bool = False
    fingerprint: str = ""


class NodeFailed(_Event):
    """A node ended with an error: the sentence for the user, and the details for the log."""

    kind: Literal["node_failed"] = "node_failed"
    node: str
    error: str
    details: str = ""
    code: int = 3


class RunFinished(_Event):
    """The last event of an attempt that ended by itself or was cancelled."""

    kind: Literal["run_finished"] = "run_finished"
    status: Status
    seconds: float = 0.0


Event = Annotated[
    RunStarted
    | NodeStarted
    | Resumed
    | Progress
    | Metric
    | View
    | Image
    | Snapshot
    | Log
    | NodeFinished
    | NodeFailed
    | RunFinished,
    Field(discriminator="kind"),
]

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def to_line(event: Event) -> str:
    """Serialise an event as one line, without the line end."""
    return event.model_dump_json(exclude_none=True)


def parse_line(line: str | bytes) -> Event | None:
    """Parse one line; None for a line that is torn, foreign or of a kind not known here."""
    try:
        return _ADAPTER.validate_json(line)
    except ValidationError:
        return None


def without_undone(events: Iterable[Event]) -> list[Event]:
    """Drop what a resume made void: a node's numbered events beyond the checkpoint."""
    kept: list[Any] = []
    for event in events:
        if isinstance(event, Resumed):
            kept = [
                old
                for old in kept
                if not (
                    isinstance(old, _Numbered)
                    and getattr(old, "node", None) == event.node
                    and old.seq > event.seq
                )
            ]
        kept.append(event)
    return kept
