"""Pictures of data, named by kind and never by method.

A node emits payloads; the Views dock, the report and any special dock draw them by kind. Each
payload is JSON; one above :data:`INLINE_BYTES` is written beside the events as ``.json.gz`` and
read back through :func:`read_payload`, so drawing needs the standard library only.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from backend.core.channel_plan import ChannelSpace

INLINE_BYTES = 16_000


class Payload(BaseModel):
    """What every view has: a title and a sentence that says how to read it."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    title: str = ""
    caption: str = ""


class Series(BaseModel):
    """One named curve: ``x`` and ``y`` of equal length."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    name: str
    x: list[float]
    y: list[float]


class Lines(Payload):
    """Curves over a common axis."""

    kind: Literal["lines"] = "lines"
    x_label: str = ""
    y_label: str = ""
    log_x: bool = False
    log_y: bool = False
    series: list[Series]


class Bars(Payload):
    """Grouped bars: ``groups[name][i]`` stands over ``labels[i]``."""

    kind: Literal["bars"] = "bars"
    unit: str = ""
    labels: list[str]
    groups: dict[str, list[float]]


class Strip(Payload):
    """One value for each label, drawn as a row of cells that moves while a run goes on."""

    kind: Literal["strip"] = "strip"
    unit: str = ""
    low: float
    high: float
    labels: list[str]
    values: list[float]


class Histogram(Payload):
    """Counts between ``edges`` (one more than counts); ``marks`` are lines drawn over them."""

    kind: Literal["histogram"] = "histogram"
    unit: str = ""
    edges: list[float]
    counts: list[float]
    marks: dict[str, float] = Field(default_factory=dict)


class Heatmap(Payload):
    """A matrix of values, ``values[row][column]``."""

    kind: Literal["heatmap"] = "heatmap"
    unit: str = ""
    row_label: str = ""
    column_label: str = ""
    rows: list[str]
    columns: list[str]
    values: list[list[float]]


class Column(BaseModel):
    """A table column; ``better`` says which direction wins, for marking the best cell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    unit: str = ""
    better: Literal["", "higher", "lower"] = ""


class Table(Payload):
    """Rows of text and numbers under named columns."""

    kind: Literal["table"] = "table"
    columns: list[Column]
    rows: list[list[str | float | int | None]]


class Mask(BaseModel):
    """The mask of one tensor: kept share and, where small enough, one row of 0/1 a channel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: str
    shape: list[int]
    density: float
    grown: int = 0
    dropped: int = 0
    overlap: float | None = None
    cells: list[str] = Field(default_factory=list)


class Masks(Payload):
    """What is kept of each layer, at one step of sparse training."""

    kind: Literal["masks"] = "masks"
    masks: list[Mask]


class Tile(BaseModel):
    """A rectangle of a floor plan, in the plan's units."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    name: str
    x: float
    y: float
    width: float
    height: float
    value: float | None = None
    text: str = ""


class Tiles(Payload):
    """A floor plan: named rectangles coloured by a value."""

    kind: Literal["tiles"] = "tiles"
    unit: str = ""
    tiles: list[Tile]


class Trace(Payload):
    """Signals over one time axis, drawn as on an oscilloscope."""

    kind: Literal["trace"] = "trace"
    time_unit: str = "s"
    signals: list[Series]


class PlanRow(BaseModel):
    """How many channels of one layer stay."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    layer: str
    before: int
    after: int
    cost_before: float
    cost_after: float
    scores: list[float] = Field(default_factory=list)


class Plan(Payload):
    """A plan for shrinking a network, with what it costs before and after."""

    kind: Literal["plan"] = "plan"
    unit: str = "MAC"
    target: float | None = None
    rows: list[PlanRow]
    space: ChannelSpace | None = None
    """What widths were chosen in: a window plans again while a target is dragged."""


def plan_of(space: ChannelSpace, widths: Mapping[str, int], target: float) -> Plan:
    """Return the picture of choosing ``widths`` in ``space`` for a cost of at most ``target``."""
    before, after = space.costs(space.full_widths), space.costs(widths)
    made_by = {term.outputs: term.layer for term in reversed(space.terms)}
    rows = [
        PlanRow(
            layer=group.name,
            before=group.width,
            after=widths[group.name],
            cost_before=before.get(str(made_by.get(group.name)), 0.0),
            cost_after=after.get(str(made_by.get(group.name)), 0.0),
            scores=[round(score, 5) for score in group.scores],
        )
        for group in space.groups
        if group.scores
    ]
    caption = "One threshold on all norm scales; the cost of a row is that of the layer it leaves."
    return Plan(
        title="Channels", caption=caption, unit=space.unit, target=target, rows=rows, space=space
    )


class Verdict(Payload):
    """A claim, whether it held, and the figures that it rests on."""

    kind: Literal["verdict"] = "verdict"
    claim: str
    holds: bool | None = None
    evidence: dict[str, float] = Field(default_factory=dict)
    samples: int | None = None


class NumberFormat(BaseModel):
    """A fixed-point format in words of bits: sign + integer + fraction = word length."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bits: int
    signed: bool
    fraction: int

    @property
    def integer(self) -> int:
        """Bits left of the point, the sign not counted; negative when all bits are fraction."""
        return self.bits - int(self.signed) - self.fraction


class LayerRow(BaseModel):
    """One layer of a quantized network as it is at one step."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    layer: str
    operation: str = ""
    weight: NumberFormat | None = None
    input: NumberFormat | None = None
    weight_clipped: float = Field(
        default=0.0, description="Share of weights at the end of the grid."
    )
    input_clipped: float = Field(
        default=0.0, description="Share of activations at the end of the grid."
    )
    headroom_bits: float | None = None
    clip_level: float | None = None
    edges: list[float] = Field(default_factory=list, description="Of bins of weight codes.")
    counts: list[float] = Field(default_factory=list, description="Weights in each bin.")


class Layers(Payload):
    """The number formats of a network, layer by layer."""

    kind: Literal["layers"] = "layers"
    rows: list[LayerRow]


AnyPayload = Annotated[
    Lines
    | Bars
    | Strip
    | Histogram
    | Heatmap
    | Table
    | Masks
    | Tiles
    | Trace
    | Plan
    | Verdict
    | Layers,
    Field(discriminator="kind"),
]

KINDS: tuple[str, ...] = (
    "lines",
    "bars",
    "strip",
    "histogram",
    "heatmap",
    "table",
    "masks",
    "tiles",
    "trace",
    "plan",
    "verdict",
    "layers",
)

_ADAPTER: TypeAdapter[AnyPayload] = TypeAdapter(AnyPayload)


def parse_payload(data: str | bytes | dict[str, Any]) -> AnyPayload:
    """Check ``data`` against the payload model of its kind.

    Raises:
        pydantic.ValidationError: the data does not fit its kind, or the kind is unknown.
    """
    if isinstance(data, dict):
        return _ADAPTER.validate_python(data)
    return _ADAPTER.validate_json(data)


def write_payload(path: Path, payload: AnyPayload) -> None:
    """Write a payload that is too large for an event line to ``path`` (``.json.gz``)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wb", compresslevel=4) as file:
        file.write(payload.model_dump_json().encode())


def read_payload(path: Path) -> AnyPayload:
    """Read a payload that :func:`write_payload` wrote."""
    with gzip.open(path, "rb") as file:
        return parse_payload(file.read())
