"""The messages that bridge server and phone page exchange, version 1.

JSON text messages with ``v`` (version) and ``t`` (type); pictures travel as :mod:`frames`. An
unknown ``t`` is ignored, an unknown ``v`` or a field of another type is refused with a sentence.
What studio and server process say to each other is in :mod:`device_bridge.wire`.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from device_bridge.concept_words import ConceptSet as ConceptSet
from device_bridge.concept_words import ConceptShown as ConceptShown
from device_bridge.concept_words import Mix as Mix
from device_bridge.concept_words import ShowConcept as ShowConcept
from device_bridge.words import Backend as Backend
from device_bridge.words import Count as Count
from device_bridge.words import EditId as EditId
from device_bridge.words import FileOffer as FileOffer
from device_bridge.words import Message as Message
from device_bridge.words import Milliseconds as Milliseconds
from device_bridge.words import ProtocolError as ProtocolError
from device_bridge.words import Sha as Sha
from device_bridge.words import Text as Text
from device_bridge.words import Words as Words

VERSION = 1
MAX_JSON = 64 * 1024
"""Bytes of the largest text message."""
MAX_FRAME = 512 * 1024
"""Bytes of the largest picture message, header included."""
MAX_SOCKET = 2 * 1024 * 1024
"""Bytes of the largest WebSocket message of any kind that is read at all."""
FRAMES_PER_SECOND = 30
TELEMETRY_PER_SECOND = 10
HEARTBEAT_S = 8.0
"""Seconds of silence after which a phone counts as gone."""
TOKEN_LIFE_S = 120.0
PAIR_FAILURES_PER_MINUTE = 5

# ---- descriptions that several messages share -------------------------------------------------


class PictureFormat(Words):
    """How pixels become a tensor: x[c] = u8 * scale[c] + bias[c], shape (1, C, H, W)."""

    name: str = Field(max_length=200, description="Name of the tensor in the graph.")
    height: int = Field(ge=8, le=2048)
    width: int = Field(ge=8, le=2048)
    scale: list[float] = Field(min_length=1, max_length=3)
    bias: list[float] = Field(min_length=1, max_length=3)


class Gpu(Words):
    """The WebGPU adapter of a phone."""

    vendor: Text = ""
    arch: Text = ""
    f16: bool = False
    fallback: bool = False


Step = Literal[
    "page", "code", "allowed", "secure", "camera", "backend", "memory", "model", "golden"
]
"""Steps of the pair doctor, in their order."""


class StageTimes(Words):
    """Median (``p50``) and 95th percentile (``p95``) of a stage of one frame, in ms."""

    p50: Milliseconds
    p95: Milliseconds


# ---- phone to studio --------------------------------------------------------------------------


class Hello(Message):
    """The first message of a phone."""

    t: Literal["hello"] = "hello"
    page: Text = Field(description="Version of the page's files.")
    agent: Text
    name: Text = Field(default="", description="Model as far as the browser tells it.")
    cores: int = Field(ge=1, le=1024)
    memory_gb: float | None = Field(default=None, ge=0, le=4096)
    secure: bool
    isolated: bool
    threads: bool
    gpu: Gpu | None = None
    cameras: int = Field(default=0, ge=0, le=64)
    held: list[Sha] = Field(default_factory=list, max_length=256, description="Files it has.")


class Check(Message):
    """The outcome of one step of the pair doctor."""

    t: Literal["check"] = "check"
    step: Step
    state: Literal["ok", "failed", "waiting", "skipped"]
    text: Text = ""


class FileProgress(Message):
    """Bytes of an edit that have arrived."""

    t: Literal["progress"] = "progress"
    id: EditId
    done: Count
    total: Count


class Ready(Message):
    """The edit's session is built; ``swap_ms`` from offer to the first frame it painted."""

    t: Literal["ready"] = "ready"
    id: EditId
    graph: Sha
    weights: Sha | None = None
    backend: Backend
    load_ms: Milliseconds
    swap_ms: Milliseconds | None = None
    gap_ms: Milliseconds | None = Field(
        default=None, description="Longest time between painted frames during the swap."
    )


class Failed(Message):
    """Something on the phone did not work; the live edit goes on."""

    t: Literal["failed"] = "failed"
    id: EditId | None = None
    stage: Literal[
        "download", "storage", "hash", "session", "operator", "golden", "camera", "run", "concept"
    ]
    text: Text


class Golden(Message):
    """Error of the phone against the golden pair, in units of the network's output."""

    t: Literal["golden"] = "golden"
    id: EditId
    concept: EditId | None = Field(default=None, description="None: the edit as a whole.")
    backend: Backend
    max_error: float = Field(ge=0)
    mean_error: float = Field(ge=0)
    ok: bool


class BackendTime(Words):
    """Times of one backend on the phone, in ms for one frame."""

    backend: Backend
    median_ms: Milliseconds
    p90_ms: Milliseconds
    samples: list[Milliseconds] = Field(max_length=500)
    error: Text = ""


class BenchResult(Message):
    """What a phone measured for an edit, one entry a backend; ``chosen`` is the fastest."""

    t: Literal["bench"] = "bench"
    id: EditId
    graph: Sha
    times: list[BackendTime] = Field(max_length=8)
    chosen: Backend | None = None


class Telemetry(Message):
    """What one second of live frames took; sent at most 10 times a second."""

    t: Literal["tel"] = "tel"
    seq: Count
    id: EditId | None = None
    concept: Mix | None = None
    backend: Backend | None = None
    fps: float = Field(ge=0, le=1000)
    ms: dict[Literal["grab", "pre", "run", "post", "paint", "total"], StageTimes]
    sent: Count = 0
    skipped: Count = 0
    heap_mb: float | None = Field(default=None, ge=0, le=1e6)
    battery: float | None = Field(default=None, ge=0, le=1)
    visible: bool = True


class Note(Message):
    """What the person at the phone says of an edit: a thumb and words, kept with the run."""

    t: Literal["note"] = "note"
    id: EditId
    thumb: Literal["up", "down"] | None = None
    text: Text = ""


class Chosen(Message):
    """The person at the phone switched to another installed edit, or changed the strength."""

    t: Literal["chosen"] = "chosen"
    id: EditId
    strength: float = Field(default=1.0, ge=0, le=1)
    concept: Mix | None = Field(default=None, description="Of an edit that has several.")


class Pong(Message):
    """Answer to a ping: the phone's clock in ms."""

    t: Literal["pong"] = "pong"
    n: Count
    now: float


FromPhone = Annotated[
    Hello
    | Check
    | FileProgress
    | Ready
    | Failed
    | Golden
    | BenchResult
    | Telemetry
    | Note
    | Chosen
    | ConceptShown
    | Pong,
    Field(discriminator="t"),
]

# ---- studio to phone --------------------------------------------------------------------------


class Welcome(Message):
    """Answer to hello."""

    t: Literal["welcome"] = "welcome"
    studio: Text
    device: Text
    preview_fps: int = 8


class Offer(Message):
    """An edit to install, or a new version of an installed one (same ``id``)."""

    t: Literal["offer"] = "offer"
    id: EditId
    name: Text
    files: list[FileOffer] = Field(min_length=1, max_length=16)
    input: PictureFormat
    output: PictureFormat = Field(
        description="Pixels come back by u8 = x * scale + bias, rounded and clipped to 0..255."
    )
    tolerance: float = Field(default=1e-4, gt=0, description="Allowed error of the golden pair.")
    gmacs: float | None = Field(default=None, ge=0)
    note: Text = Field(default="", description="A short line such as 'following, epoch 14'.")
    show: bool = Field(default=True, description="Switch to it as soon as it is ready.")
    following: bool = False
    concepts: ConceptSet | None = None


class Remove(Message):
    """Take an edit off the phone."""

    t: Literal["remove"] = "remove"
    id: EditId


class BenchWish(Message):
    """Measure an edit on these backends; all that the phone has where none is named."""

    t: Literal["bench"] = "bench"
    id: EditId
    runs: int = Field(default=30, ge=1, le=500)
    warmup: int = Field(default=5, ge=0, le=100)
    backends: list[Backend] = Field(default_factory=list, max_length=8)


class Live(Message):
    """How the live picture is to be sent; the camera itself needs a tap the first time."""

    t: Literal["live"] = "live"
    on: bool = True
    fps: int = Field(default=8, ge=0, le=30)
    quality: float = Field(default=0.8, ge=0.1, le=1)
    backend: Backend | None = None
    split: bool = Field(default=False, description="Preview shows camera and edit side by side.")


class Credit(Message):
    """Permission for ``n`` more preview pictures; given by the painter."""

    t: Literal["credit"] = "credit"
    n: int = Field(ge=1, le=8)


class Ping(Message):
    """Are you there, and what does your clock say?"""

    t: Literal["ping"] = "ping"
    n: Count


class Bye(Message):
    """The studio ends the connection, and why."""

    t: Literal["bye"] = "bye"
    why: Text = ""


ToPhone = Annotated[
    Welcome | Offer | ShowConcept | Remove | BenchWish | Live | Credit | Ping | Bye,
    Field(discriminator="t"),
]


def _types_of(union: Any) -> frozenset[str]:
    messages = get_args(get_args(union)[0])
    return frozenset(message.model_fields["t"].default for message in messages)


_FROM_PHONE: TypeAdapter[FromPhone] = TypeAdapter(FromPhone)
_TO_PHONE: TypeAdapter[ToPhone] = TypeAdapter(ToPhone)
_PHONE_WORDS = _types_of(FromPhone)
_STUDIO_WORDS = _types_of(ToPhone)


def from_phone(text: str | bytes) -> FromPhone | None:
    """Read a phone's text message; None for a type that is not known here.

    Raises:
        ProtocolError: too long, not JSON, another version, or a field that does not fit.
    """
    return None if _unknown(text, _PHONE_WORDS) else _validated(_FROM_PHONE, text)


def to_phone(text: str | bytes) -> ToPhone | None:
    """Read a studio's text message; None for a type that is not known here.

    Raises:
        ProtocolError: too long, not JSON, another version, or a field that does not fit.
    """
    return None if _unknown(text, _STUDIO_WORDS) else _validated(_TO_PHONE, text)


def _unknown(text: str | bytes, known: frozenset[str]) -> bool:
    if len(text) > MAX_JSON:
        raise ProtocolError(f"A message of {len(text)} bytes is above the {MAX_JSON} allowed.")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("A message is not JSON.") from error
    if not isinstance(record, dict):
        raise ProtocolError("A message is not a JSON object.")
    if record.get("v") != VERSION or isinstance(record["v"], bool):
        raise ProtocolError(
            f"A message speaks version {str(record.get('v'))[:20]}; this is version {VERSION}. "
            "Reload the page on the phone."
        )
    kind = record.get("t")
    if not isinstance(kind, str):
        raise ProtocolError("A message has no type.")
    return kind not in known


def _validated(adapter: TypeAdapter[Any], text: str | bytes) -> Any:
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])[:80]
        raise ProtocolError(f"A message does not fit at {place}: {first['msg'][:200]}.") from error
