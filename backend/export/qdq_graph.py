"""Passes over a traced QDQ graph that bring it into the form quantizing runtimes recognise."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from backend.export.require import require

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_CONSTANTS = {  # what follows the first input
    "QuantizeLinear": ("scale", "zero_point"),
    "DequantizeLinear": ("scale", "zero_point"),
    "Clip": ("lo", "hi"),
}
_CONSUMERS = ("Conv", "ConvTranspose", "Gemm")
# Runtimes move a dequantization past these, so their result counts as quantized like their input.
_TRANSPARENT = ("MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice")


def own_constants(model: ModelProto) -> None:
    """Give every tensor its own scale, zero point and limits, named after it.

    The exporter merges equal constants, so that unrelated layers would share the scale of whichever
    came first; a reader, or a tool that exchanges the constants of one layer, expects them apart.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    quantized = {n.output[0] for n in graph.node if n.op_type == "QuantizeLinear"}
    made: dict[str, object] = {}
    for node in graph.node:
        source = node.input[0]
        words = _CONSTANTS.get(node.op_type, ())
        if node.op_type == "Clip" and source not in quantized:
            words = ()
        stem = source.removesuffix(".codes") if source in constants else _stem(node)
        for position, word in enumerate(words, start=1):
            name = f"{stem}.{word}".removeprefix(".")
            if name not in made:
                made[name] = _copy(constants[node.input[position]], name)
            node.input[position] = name
    fresh = [tensor for name, tensor in made.items() if name not in constants]
    for name in made.keys() & constants.keys():
        constants[name].CopyFrom(made[name])
    graph.initializer.extend(fresh)
    _drop_unused(model)


def fuse_transposes(model: ModelProto) -> None:
    """Replace ``Transpose(DequantizeLinear(codes))`` by transposed codes.

    A linear layer on more than two axes is traced with a transposed weight, and runtimes find a
    quantized matrix product only where the dequantized weight arrives directly.
    """
    onnx = require("onnx")
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    uses = Counter(name for node in graph.node for name in node.input)
    gone = []
    for node in graph.node:
        source = producers.get(node.input[0]) if node.op_type == "Transpose" else None
        if source is None or source.op_type != "DequantizeLinear":
            continue
        codes = constants.get(source.input[0])
        if codes is None or uses[source.output[0]] != 1 or uses[codes.name] != 1:
            continue
        perm = attribute(node, "perm") or list(range(len(codes.dims)))[::-1]
        turned = onnx.numpy_helper.to_array(codes).transpose(perm)
        codes.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(turned), codes.name))
        axis = attribute(source, "axis")
        if axis is not None:
            del source.attribute[:]
            source.attribute.append(onnx.helper.make_attribute("axis", perm.index(axis)))
        source.output[0] = node.output[0]
        gone.append(node)
    for node in gone:
        graph.node.remove(node)


def match_bias_scales(model: ModelProto) -> list[str]:
    """Write a bias as float where its scale is not input scale times weight scale.

    Integer kernels add the bias to the accumulator without looking at its scale, so a quantized
    bias on any other grid would be read wrongly. Returns a note for the user, or nothing.
    """
    onnx = require("onnx")
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}

    def source(name: str) -> NodeProto | None:
        node = producers.get(name)
        while node is not None and node.op_type in _TRANSPARENT:
            node = producers.get(node.input[0])
        return node

    def scale(node: NodeProto) -> np.ndarray:
        return onnx.numpy_helper.to_array(constants[node.input[1]]).astype(np.float64)

    changed = []
    for node in graph.node:
        if node.op_type not in _CONSUMERS or len(node.input) < 3:
            continue
        parts = [source(name) for name in node.input]
        if any(part is None or part.op_type != "DequantizeLinear" for part in parts):
            continue
        image, weight, bias = parts
        product = scale(image) * scale(weight)
        have = scale(bias)
        if np.broadcast_shapes(product.shape, have.shape) in ((), have.shape) and np.allclose(
            have, product, rtol=1e-6, atol=0.0
        ):
            continue
        codes = onnx.numpy_helper.to_array(constants[bias.input[0]]).astype(np.float64)
        name = bias.input[0].removesuffix(".codes")
        graph.initializer.append(
            onnx.numpy_helper.from_array((codes * have).astype(np.float32), name)
        )
        node.input[2] = name
        changed.append((name, bias))
    for _, bias in changed:
        if bias in graph.node and not any(bias.output[0] in node.input for node in graph.node):
            graph.node.remove(bias)
    _drop_unused(model)
    if not changed:
        return []
    names = ", ".join(name for name, _ in changed)
    return [f"Stored as float, since the scale is not input scale times weight scale: {names}."]


def attribute(node: NodeProto, name: str):
    """Value of an attribute of ``node``; None if it is not set."""
    helper = require("onnx").helper
    for entry in node.attribute:
        if entry.name == name:
            value = helper.get_attribute_value(entry)
            return list(value) if hasattr(value, "__len__") else value
    return None


def _stem(node: NodeProto) -> str:
    """Module path in a node name ``<path>/<operator>``."""
    return node.name.rsplit("/", 1)[0]


def _copy(tensor, name: str):
    copy = type(tensor)()
    copy.CopyFrom(tensor)
    copy.name = name
    return copy


def _drop_unused(model: ModelProto) -> None:
    used = {name for node in model.graph.node for name in node.input}
    used |= {value.name for value in model.graph.output}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
