"""What the formats of an F8Net network look like, layer by layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

from backend.quant.describe import TensorFormat
from backend.quant.f8_build import input_format
from backend.quant.f8_layers import F8Classifier, F8Clip, F8Layer, InputQuantizer

if TYPE_CHECKING:
    from backend.quant.f8net import F8Net


_BINS = 31


def describe_formats(network: F8Net, images: Tensor | None = None) -> list[dict[str, Any]]:
    """Return one row for each reader of ``network``; see `F8Net.formats`.

    Keys: ``layer``, ``operation``; ``input`` and ``weight``: bits, signed, fraction (per-channel
    weights: the least); ``weight_clipped``, ``input_clipped``: shares on the outermost codes;
    ``headroom_bits``: log2 of the largest code over the largest weight code; ``clip_level``: alpha;
    ``edges`` and ``counts``: histogram of the weight codes, from end to end of the grid.
    """
    clipped = {} if images is None else _measure_inputs(network, images)
    rows = []
    etas = network.etas()
    next_etas = _next_etas(network, etas)
    for name, stream, eta in zip(network.readers, network.streams, etas, strict=True):
        layer = network.layer(name)
        row: dict[str, Any] = {"layer": name, "operation": _operation(layer)}
        row["input"] = _words(input_format(layer.input))
        row["input_clipped"] = clipped.get(name, 0.0)
        row["clip_level"] = (
            None
            if stream < 0
            else abs(float(network.alpha[stream])) * 2 ** float(layer.input.octave)
        )
        if not isinstance(layer, F8Clip):
            row.update(_weight_row(layer, eta, next_etas[name]))
        rows.append(row)
    return rows


def _weight_row(
    layer: F8Layer | F8Classifier, eta: Tensor, eta_next: Tensor | float
) -> dict[str, Any]:
    folded = layer.folded(eta, eta_next)
    fmt = folded.formats["weight"]
    signed_codes = fmt.integers(folded.weight)
    codes = signed_codes.abs()
    top = float(codes.max())
    counts = torch.histc(signed_codes.float(), _BINS, min=fmt.lo - 0.5, max=fmt.hi + 0.5)
    edges = torch.linspace(fmt.lo - 0.5, fmt.hi + 0.5, _BINS + 1)
    return {
        "weight": _words(fmt),
        "weight_clipped": float((codes == fmt.hi).double().mean()),
        "headroom_bits": math.log2(fmt.hi / top) if top else None,
        "edges": edges.tolist(),
        "counts": counts.tolist(),
    }


def _words(fmt: TensorFormat) -> dict[str, Any]:
    fraction = min(round(-math.log2(scale)) for scale in fmt.scale)
    return {"bits": fmt.bits, "signed": fmt.signed, "fraction": fraction}


def _operation(layer: nn.Module) -> str:
    if isinstance(layer, F8Clip):
        return "clip"
    op = layer.op
    if isinstance(op, nn.Linear):
        return f"linear {op.in_features} to {op.out_features}"
    size = "x".join(map(str, op.kernel_size))
    groups = "" if op.groups == 1 else f", {op.groups} groups"
    return f"conv {size}, {op.in_channels} to {op.out_channels}{groups}"


def _next_etas(network: F8Net, etas: tuple[Tensor, ...]) -> dict[str, Tensor | float]:
    """The scale into which each layer writes, at its first site."""
    found: dict[str, Tensor | float] = {}
    for node in network.body.graph.nodes:
        if node.op == "call_module" and node.target in network.readers and len(node.args) == 3:
            scale = node.args[2]
            found.setdefault(
                node.target, etas[scale.args[1]] if isinstance(scale, fx.Node) else scale
            )
    return found


@torch.no_grad()
def _measure_inputs(network: F8Net, images: Tensor) -> dict[str, float]:
    """Share of each layer's inputs that lie on the outermost codes, in evaluation."""
    shares: dict[str, float] = {}
    names = {network.quantizer(name): name for name in network.readers}

    def measure(quantizer: InputQuantizer, _: Any, output: Tensor) -> None:
        fmt = input_format(quantizer)
        at_end = output.abs() >= fmt.hi * fmt.scale[0]
        shares[names[quantizer]] = float(at_end.double().mean())

    handles = [one.register_forward_hook(measure) for one in names]
    was_training = network.training
    try:
        network.eval()(images)
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return shares
