"""Graphs that are told their weights with every picture, so that another concept costs nothing.

A session keeps the weights that a file holds. Here those that a concept may change are inputs
instead: the caller merges W + scale B A itself and hands the result in with the next picture.
In WebAssembly a frame takes as long as with weights inside (237.1 against 237.3 ms, equal to the
last bit); native ONNX Runtime on x86 would lose its blocked layouts, so it keeps the plain graph.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from backend.export import concept_file
from backend.export.concept_file import KEY, TEXT_LAYERS, VALUE, Concept
from backend.export.onnx import ExportError, write_model
from backend.export.require import require
from backend.export.slots import Slot


def switching_graph(source: Path, target: Path, inputs: Collection[str]) -> None:
    """Write the graph at ``source`` to ``target`` with the weights ``inputs`` as inputs.

    Its other weights stay where they are: in the file beside ``source``.

    Raises:
        ExportError: a weight is not in the graph.
    """
    onnx = require("onnx")
    model = onnx.load(str(source), load_external_data=False)
    there = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    missing = sorted(set(inputs) - set(there))
    if missing:
        raise ExportError(f"The weight {missing[0]} is not in the graph.")
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in inputs]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    for name in sorted(inputs):
        value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, there[name])
        model.graph.input.append(value)
    told = {entry.key: entry.value for entry in model.metadata_props}
    write_model(model, target, metadata=told, check=False)


def concept_of(
    module: nn.Module,
    tensors: dict[str, Tensor],
    ranks: dict[str, int],
    scale: float,
    base: str,
    text: Tensor | None,
) -> Concept:
    """Return what a concept adds, from its merged ``module`` with the text fixed.

    Args:
        module: the network with adapters merged, whose ``tb.key`` and ``tb.value`` are set.
        tensors: ``layer.A`` and ``layer.B`` of the adapters; none for a concept of the base.
        ranks: the rank of each adapted layer.
        scale: of the change of the weights.
        base: the digest of the base.
        text: token vectors (T, D), where some concept of the set adapts their projection.
    """
    block = module.get_submodule("tb")
    pairs = {name: _pair(tensors, name) for name in ranks}
    return Concept(
        {name: pair for name, pair in pairs.items() if name not in TEXT_LAYERS},
        float(scale),
        *(_array(getattr(block, name.partition(".")[2])) for name in (KEY, VALUE)),
        base,
        None if text is None else _trimmed(_array(text)),
        {} if text is None else {n: pair for n, pair in pairs.items() if n in TEXT_LAYERS},
    )


def load_merged(module: nn.Module, weights: bytes | bytearray, slots: Collection[Slot]) -> None:
    """Put merged weights, as :func:`concept_file.merged` gives them, into a network."""
    state = module.state_dict()
    with torch.no_grad():
        for slot in slots:
            values = np.frombuffer(weights, "<f4", slot.bytes // 4, slot.offset)
            state[slot.name].copy_(torch.from_numpy(values.reshape(slot.shape).copy()))


def told(
    weights: bytes | bytearray, slots: Collection[Slot], names: Collection[str]
) -> dict[str, np.ndarray]:
    """Return the inputs ``names`` of a switching graph, by name."""
    return {
        slot.name: np.frombuffer(weights, "<f4", slot.bytes // 4, slot.offset).reshape(slot.shape)
        for slot in slots
        if slot.name in names
    }


def _pair(tensors: dict[str, Tensor], name: str) -> concept_file.Pair:
    a, b = tensors[f"{name}.A"], tensors[f"{name}.B"]
    return _array(a.flatten(1)), _array(b.flatten(1))


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().cpu().float().numpy())


def _trimmed(text: np.ndarray) -> np.ndarray:
    """Leave out the zeros behind the end of a prompt."""
    used = np.flatnonzero(np.abs(text).max(1, initial=0))
    return text[: used[-1] + 1] if used.size else text[:0]
