"""The messages that bridge server and phone page exchange, version 1.

JSON text messages with ``v`` (version) and ``t`` (type); pictures travel as :mod:`frames`. An
unknown ``t`` is ignored, an unknown ``v`` or a field of another type is refused with a sentence.
What studio and server process say to each other is in :mod:`device_bridge.wire`.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

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

Text = Annotated[str, Field(max_length=400)]
Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
EditId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Milliseconds = Annotated[float, Field(ge=0, le=3_600_000, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**53)]


class ProtocolError(ValueError):
    """A message that cannot be taken; the text says what is wrong with it."""


class Words(BaseModel):
    """A frozen record that ignores fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Message(Words):
    v: Literal[1] = 1


# ---- descriptions that several messages share -------------------------------------------------


class PictureFormat(Words):
    """How pixels become a tensor: x[c] = u8 * scale[c] + bias[c], shape (1, C, H, W)."""

    name: str = Field(max_length=200, description="Name of the tensor in the graph.")
    height: int = Field(ge=8, le=2048)
    width: int = Field(ge=8, le=2048)
    scale: list[float] = Field(min_length=1, max_length=3)
    bias: list[float] = Field(min_length=1, max_length=3)


class FileOffer(Words):
    """One file of an edit, fetched by its hash from ``/model/<sha256>``."""

    role: Literal["graph", "weights", "golden", "thumb"]
    sha256: Sha
    bytes: int = Field(ge=1, le=512 * 1024 * 1024)
    path: str = Field(
        default="", max_length=200, description="Name by which the graph refers to its weights."
    )


class Gpu(Words):
    """The WebGPU adapter of a phone."""

    vendor: Text = ""
    arch: Text = ""
    f16: bool = False
    fallback: bool = False


Backend = Literal["wasm-1", "wasm-2", "wasm-4", "webgpu", "desktop"]
"""What computes: WASM with 1, 2 or 4 threads, WebGPU, or the desktop for a phone that cannot."""
Step = Literal[
    "page", "code", "allowed", "secure", "camera", "backend", "memory", "model", "golden"
]
"""Steps of the pair doctor, in their order."""


class StageTimes(Words):
    """Median (``p50``) and 95th percentile (``p95``) of a stage of one frame, in ms."""

    p50: Milliseconds
    p95: Milliseconds


# ---- phone to studio --------------------------------------------------------------------------


class Hello(_Message):
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


class Check(_Message):
    """The outcome of one step of the pair doctor."""

    t: Literal["check"] = "check"
    step: Step
    state: Literal["ok", "failed", "waiting", "skipped"]
    text: Text = ""


class FileProgress(_Message):
    """Bytes of an edit that have arrived."""

    t: Literal["progress"] = "progress"
    id: EditId
    done: Count
    total: Count


class Ready(_Message):
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


class Failed(_Message):
    """Something on the phone did not work; the live edit goes on."""

    t: Literal["failed"] = "failed"
    id: EditId | None = None
    stage: Literal["download", "storage", "hash", "session", "operator", "golden", "camera", "run"]
    text: Text


class Golden(_Message):
    """Error of the phone against the golden pair, in units of the network's output."""

    t: Literal["golden"] = "golden"
    id: EditId
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


class BenchResult(_Message):
    """What a phone measured for an edit, one entry a backend; ``chosen`` is the fastest."""

    t: Literal["bench"] = "bench"
    id: EditId
    graph: Sha
    times: list[BackendTime] = Field(max_length=8)
    chosen: Backend | None = None


class Telemetry(_Message):
    """What one second of live frames took; sent at most 10 times a second."""

    t: Literal["tel"] = "tel"
    seq: Count
    id: EditId | None = None
    backend: Backend | None = None
    fps: float = Field(ge=0, le=1000)
    ms: dict[Literal["grab", "pre", "run", "post", "paint", "total"], StageTimes]
    sent: Count = 0
    skipped: Count = 0
    heap_mb: float | None = Field(default=None, ge=0, le=1e6)
    battery: float | None = Field(default=None, ge=0, le=1)
    visible: bool = True


class Note(_Message):
    """What the person at the phone says of an edit: a thumb and words, kept with the run."""

    t: Literal["note"] = "note"
    id: EditId
    thumb: Literal["up", "down"] | None = None
    text: Text = ""


class Chosen(_Message):
    """The person at the phone switched to another installed edit, or changed the strength."""

    t: Literal["chosen"] = "chosen"
    id: EditId
    strength: float = Field(default=1.0, ge=0, le=1)


class Pong(_Message):
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
    | Pong,
    Field(discriminator="t"),
]

# ---- studio to phone --------------------------------------------------------------------------


class Welcome(_Message):
    """Answer to hello."""

    t: Literal["welcome"] = "welcome"
    studio: Text
    device: Text
    preview_fps: int = 8


class Offer(_Message):
    """An edit to install, or a new version of an installed one (same ``id``)."""

    t: Literal["offer"] = "offer"
    id: EditId
    name: Text
    files: list[FileOffer] = Field(min_length=1, max_length=4)
    input: PictureFormat
    output: PictureFormat = Field(
        description="Pixels come back by u8 = x * scale + bias, rounded and clipped to 0..255."
    )
    tolerance: float = Field(default=1e-4, gt=0, description="Allowed error of the golden pair.")
    gmacs: float | None = Field(default=None, ge=0)
    note: Text = Field(default="", description="A short line such as 'following, epoch 14'.")
    show: bool = Field(default=True, description="Switch to it as soon as it is ready.")
    following: bool = False


class Remove(_Message):
    """Take an edit off the phone."""

    t: Literal["remove"] = "remove"
    id: EditId


class BenchWish(_Message):
    """Measure an edit on these backends; all that the phone has where none is named."""

    t: Literal["bench"] = "bench"
    id: EditId
    runs: int = Field(default=30, ge=1, le=500)
    warmup: int = Field(default=5, ge=0, le=100)
    backends: list[Backend] = Field(default_factory=list, max_length=8)


class Live(_Message):
    """How the live picture is to be sent; the camera itself needs a tap the first time."""

    t: Literal["live"] = "live"
    on: bool = True
    fps: int = Field(default=8, ge=0, le=30)
    quality: float = Field(default=0.8, ge=0.1, le=1)
    backend: Backend | None = None
    split: bool = Field(default=False, description="Preview shows camera and edit side by side.")


class Credit(_Message):
    """Permission for ``n`` more preview pictures; given by the painter."""

    t: Literal["credit"] = "credit"
    n: int = Field(ge=1, le=8)


class Ping(_Message):
    """Are you there, and what does your clock say?"""

    t: Literal["ping"] = "ping"
    n: Count


class Bye(_Message):
    """The studio ends the connection, and why."""

    t: Literal["bye"] = "bye"
    why: Text = ""


ToPhone = Annotated[
    Welcome | Offer | Remove | BenchWish | Live | Credit | Ping | Bye, Field(discriminator="t")
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
