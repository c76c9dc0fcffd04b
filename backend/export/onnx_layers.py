"""What each node of an ONNX graph gives and costs, from its inferred shapes."""

from __future__ import annotations

import math
from typing import Any

from backend.export.require import require

_LARGEST = 512 * 2**20  # bytes; inference copies the model, and protobuf ends at 2 GB

Shape = list[int | str]


def layers_of(model: Any, size: int) -> list[dict[str, Any]]:
    """Describe the nodes of a model of ``size`` bytes in order.

    Each has ``name``, ``operator``, ``inputs``, ``shape`` (of the first output, None where it
    cannot be inferred), ``params`` and ``macs`` (multiply-accumulates of one sample; None where a
    shape is not known). An unknown first dimension is the batch and counts as one.
    """
    shapes = _shapes(model, size)
    weights = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    layers = []
    for node in model.graph.node:
        shape = shapes.get(node.output[0]) if node.output else None
        layers.append(
            {
                "name": node.name or (node.output[0] if node.output else node.op_type),
                "operator": node.op_type,
                "inputs": list(node.input),
                "shape": shape,
                "params": sum(math.prod(weights[i]) for i in node.input if i in weights),
                "macs": _macs(node, shape, {**shapes, **weights}),
            }
        )
    return layers


def _shapes(model: Any, size: int) -> dict[str, Shape]:
    onnx = require("onnx")
    graph = model.graph
    if size <= _LARGEST:
        try:
            graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        except Exception:  # a model may be odd in any way; its list of nodes is still worth showing
            graph = model.graph
    found: dict[str, Shape] = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.HasField("tensor_type") and value.type.tensor_type.HasField("shape"):
            dims = value.type.tensor_type.shape.dim
            found[value.name] = [dim.dim_param or dim.dim_value or "?" for dim in dims]
    return found


def _numbers(shape: Shape | None) -> list[int] | None:
    """The shape for one sample; None if another dimension than the first is not known."""
    if not shape:
        return None
    first = shape[0] if isinstance(shape[0], int) else 1
    rest = [size for size in shape[1:] if isinstance(size, int)]
    return [first, *rest] if len(rest) == len(shape) - 1 else None


def _macs(node: Any, shape: Shape | None, shapes: dict[str, Shape]) -> int | None:
    kind = node.op_type
    if kind not in ("Conv", "ConvInteger", "QLinearConv", "ConvTranspose", "Gemm", "MatMul"):
        return 0
    out = _numbers(shape)
    # QLinearConv has scale and zero point between the input and the weight.
    weight = _numbers(shapes.get(node.input[3 if kind == "QLinearConv" else 1]))
    source = _numbers(shapes.get(node.input[0]))
    if weight is None:
        return None
    if kind == "ConvTranspose":
        return None if source is None else math.prod(source) * math.prod(weight[1:])
    if out is None:
        return None
    if kind == "MatMul":
        return math.prod(out) * (weight[-2] if len(weight) > 1 else weight[0])
    if kind == "Gemm":
        flipped = any(one.name == "transB" and one.i for one in node.attribute)
        return math.prod(out) * weight[1 if flipped else 0]
    return math.prod(out) * math.prod(weight[1:])
