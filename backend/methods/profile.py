"""What a network costs: parameters, MACs, bytes, measured time; and costs for searches."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path

import torch
from pydantic import Field

from backend.core.context import Context
from backend.core.node import Params, node
from backend.core.views import Bars, Column, Table
from backend.export.runtime import has_saturating_int8
from backend.fields import Threads
from backend.profile import CostTable, Operation, macs_table, ort_table
from backend.profile import profile as measure
from backend.values import Artifact, Classifier, Cost, Figure, Generator, Report


class ProfileParams(Params):
    """How to measure time."""

    seconds: float = Field(
        default=2.0,
        gt=0,
        le=60,
        title="Measuring time",
        description="How long to measure the time.",
        json_schema_extra={"unit": "s"},
    )
    threads: Threads = 1
    batch: int = Field(
        default=1,
        ge=1,
        le=1024,
        title="Batch size",
        description="Pictures in a measured run.",
        json_schema_extra={"unit": "images"},
    )


@node("profile", title="Profile", cached=False, views=("table", "bars"))
def profile(
    ctx: Context,
    p: ProfileParams,
    model: Classifier | Generator,
    artifact: Artifact | None = None,
) -> Report:
    """Parameters, MACs, bytes, peak memory, and milliseconds measured in ONNX Runtime.

    A MAC is one multiply-accumulate of a convolution or linear layer; biases and batch norm are not
    counted. Time is of the linked exported file, else of a float export of the network.
    """
    example = _example(model)
    module = _deployed(model)
    found = measure(module, example)
    rows: list[list[str | float | int | None]] = [
        [
            layer.name,
            layer.type,
            "x".join(map(str, layer.output_shape)),
            layer.params,
            layer.macs,
            layer.bytes,
        ]
        for layer in found.layers
    ]
    columns = [
        Column(name="layer"),
        Column(name="type"),
        Column(name="output"),
        Column(name="parameters"),
        Column(name="MACs"),
        Column(name="bytes"),
    ]
    caption = f"{found.mac_convention} {found.bytes_convention}"
    ctx.view(Table(title="Layers", caption=caption, columns=columns, rows=rows), name="layers")
    busy = [layer for layer in found.layers if layer.macs]
    ctx.view(
        Bars(
            title="Work",
            unit="MAC",
            labels=[layer.name for layer in busy],
            groups={"MACs": [float(layer.macs) for layer in busy]},
        ),
        name="work",
    )
    median, spread = _milliseconds(p, model, artifact, example)
    memory = found.peak_activation_bytes
    timing = f"median of ONNX Runtime, {p.threads} thread(s), batch {p.batch}."
    ctx.metric(
        0, params=found.params, macs=found.macs, bytes=found.bytes, ort_ms=median, peak_bytes=memory
    )
    ctx.log(f"{model.label}: {found.macs:,} MACs, {found.bytes:,} bytes, {median:.3f} ms {spread}")
    size = f"{model.image.height} x {model.image.width}"
    figures = [
        Figure("parameters", found.params),
        Figure(
            "MACs",
            found.macs,
            "",
            "lower",
            note=f"of convolutions and linear layers, a picture of {size}.",
        ),
        Figure(
            "weights", round(found.bytes / 1024, 2), "KiB", "lower", note="at their bit widths."
        ),
        Figure("peak activations", round(memory / 1024, 1), "KiB", "lower"),
        Figure("time", round(median, 4), "ms", "lower", note=timing),
    ]
    if artifact is not None:
        beside = (artifact.facts.get("weights") or {}).get("bytes", 0)
        kib = round((artifact.bytes + beside) / 1024, 2)
        note = "with the weights beside it." if beside else ""
        figures.append(Figure("file", kib, "KiB", "lower", note=note))
    if artifact is not None and artifact.format == "onnx-qdq" and has_saturating_int8():
        ctx.log(
            "This processor has no 8-bit dot product (VNNI on x86, dotprod on ARM): the time of an "
            "8-bit file here says little about a phone.",
            level="warning",
        )
    details = {"spread": spread, "MACs": found.mac_convention, "bytes": found.bytes_convention}
    details["peak activations"] = found.memory_convention
    return Report(model.label, tuple(figures), "profile", details)


@node("cost.macs", title="Cost: MACs")
def cost_macs(ctx: Context, model: Classifier | Generator) -> Cost:
    """Multiply-accumulates of every operation, for nodes that search under a budget."""
    return _cost(macs_table(copy.deepcopy(model.module).cpu().eval(), _example(model)))


class OrtCostParams(Params):
    """How to measure."""

    seconds: float = Field(
        default=0.2,
        gt=0,
        le=10,
        title="Measuring time",
        description="Time spent on each operation.",
        json_schema_extra={"unit": "s"},
    )
    threads: Threads = 1


@node("cost.ort", title="Cost: ONNX Runtime", cached=False)
def cost_ort(ctx: Context, p: OrtCostParams, model: Classifier | Generator) -> Cost:
    """Milliseconds of every operation of a network, each measured alone in ONNX Runtime here."""
    module = copy.deepcopy(model.module).cpu().eval()
    return _cost(ort_table(module, _example(model), threads=p.threads, seconds=p.seconds))


def key(operation: Operation) -> str:
    """Return the key of an operation in the table of a ``Cost``."""
    return json.dumps([operation.name, list(operation.shape)])


def _cost(found: CostTable) -> Cost:
    table = {key(operation): value for operation, value in found.table.items()}
    return Cost(found.unit, found.provenance, table)


def _deployed(model: Classifier | Generator) -> torch.nn.Module:
    """Return a copy of the network as it is exported: norms of a generator are folded."""
    from backend.export.fold import folded

    if isinstance(model, Generator):
        return folded(model.module)
    return copy.deepcopy(model.module).cpu().eval()


def _example(model: Classifier | Generator) -> torch.Tensor:
    return torch.zeros(1, model.image.channels, model.image.height, model.image.width)


def _milliseconds(
    p: ProfileParams,
    model: Classifier | Generator,
    artifact: Artifact | None,
    example: torch.Tensor,
) -> tuple[float, str]:
    from backend.export.latency import ort_latency
    from backend.export.onnx import export_onnx

    shape = (p.batch, *example.shape[1:])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.onnx"
        if artifact is None:
            module = _deployed(model)
            lowered = module.lowered() if hasattr(module, "lowered") else module
            export_onnx(lowered, example, path)
        else:
            path = artifact.path
        found = ort_latency(path, shape=shape, threads=p.threads, seconds=p.seconds)
    return found.median_ms, f"(p10 {found.p10_ms:.3f}, p90 {found.p90_ms:.3f}, {found.runs} runs)"
