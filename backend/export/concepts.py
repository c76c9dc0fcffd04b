"""Graphs that are told their weights with every picture, so that another concept costs nothing.

A session keeps the weights that a file holds. Here those that a concept may change are inputs
instead: the caller merges W + scale B A itself and hands the result in with the next picture.
In WebAssembly a frame takes as long as with weights inside (237.1 against 237.3 ms, equal to the
last bit); native ONNX Runtime on x86 would lose its blocked layouts, so it keeps the plain graph.
The graph is cut into stages, between which a picture of the concept before can be left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from backend.distill.lora import factors
from backend.export.concept_file import KEY, TEXT_LAYERS, VALUE, Concept, Met
from backend.export.onnx import ExportError, write_model
from backend.export.require import require
from backend.export.rewrites import attend_in_parts, compute_in_rows, join_upsampling
from backend.export.runtime import session
from backend.export.slots import Slot
from backend.export.stages import stages

STAGES = 5
QUICK_STAGES = 2
_QUICK_PART = 5 / 8
_LEAST_QUICK = 48


def switching_graphs(
    source: Path, stem: str, inputs: Collection[str], count: int = STAGES
) -> list[Path]:
    """Write the graph at ``source`` in up to ``count`` stages, the weights ``inputs`` as inputs.

    They lie beside ``source`` as ``<stem>.stage1.onnx`` and so on, each giving what the next one
    reads first. Other weights stay where they are, in the file beside ``source``. The graph is
    rewritten to be faster in WASM, see :mod:`backend.export.rewrites`.

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
    join_upsampling(model)
    compute_in_rows(model)
    attend_in_parts(model)
    told = {entry.key: entry.value for entry in model.metadata_props}
    paths = []
    for i, stage in enumerate(stages(model, count)):
        paths.append(source.with_name(f"{stem}.stage{i + 1}.onnx"))
        write_model(stage, paths[-1], metadata=told, check=False)
    return paths


def quick_side(side: int) -> int:
    """Return the side of the pictures that come first after a switch; 0: they are not worth it.

    Five eighths, a multiple of 8: two fifths of the work. A generator draws strokes as wide in
    pixels as ever, so wider in a small picture. Three bundled concepts on a photo, against the
    whole picture: 16.5 to 23.5 dB, at halves 14.7 to 21.4, at three quarters 19.7 to 26.1, which is
    more than half of the work.
    """
    found = 8 * round(side * _QUICK_PART / 8)
    return found if found >= _LEAST_QUICK else 0


def quick_input(inputs: Tensor) -> Tensor:
    """Return pictures (N, C, H, W) in the size of :func:`quick_side`; empty where there is none."""
    sides = [quick_side(side) for side in inputs.shape[2:]]
    return nn.functional.interpolate(inputs, sides, mode="area") if all(sides) else inputs[:0]


def run_stages(
    paths: Sequence[Path], image: np.ndarray, weights: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Return what the stages compute of an image (1, C, H, W) with these weights."""
    values = image
    for path in paths:
        run = session(path, optimize=False)
        first, *names = [entry.name for entry in run.get_inputs()]
        values = run.run(None, {first: values, **{name: weights[name] for name in names}})[0]
    return values


def concept_of(
    module: nn.Module, tensors: dict[str, Tensor], ranks: Collection[str], scale: float, base: str
) -> Concept:
    """Return what a concept adds, from its merged ``module`` with the text fixed.

    Args:
        module: the network with adapters merged, whose ``tb.key`` and ``tb.value`` are set.
        tensors: ``layer.A`` and ``layer.B`` of the adapters; none for a concept of the base.
        ranks: the layers that are adapted.
        scale: of the change of the weights.
        base: the digest of the base.
    """
    block = module.get_submodule("tb")
    pairs, rows = {}, {}
    for name in ranks:
        if name in TEXT_LAYERS:
            continue
        a, b = factors(tensors[f"{name}.A"], tensors[f"{name}.B"])
        pairs[name] = _array(a), _array(b)
        k = len(b) // len(tensors[f"{name}.B"])
        if k > 1:
            rows[name] = k
    key, value = (_array(getattr(block, name.partition(".")[2])) for name in (KEY, VALUE))
    return Concept(pairs, float(scale), key, value, base, rows=rows)


def met_of(
    tensors: dict[str, Tensor], ranks: Collection[str], texts: dict[str, Tensor]
) -> dict[str, Met]:
    """Return what adapters of the text's projection make of the texts (T, D) of all concepts."""
    return {
        name: Met(
            _array(tensors[f"{name}.B"]),
            {id: _array(tensors[f"{name}.A"] @ text.T) for id, text in texts.items()},
        )
        for name in ranks
        if name in TEXT_LAYERS
    }


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


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().cpu().float().numpy())
