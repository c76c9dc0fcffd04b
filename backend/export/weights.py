"""ONNX files whose weights lie beside them, so that a network in training is sent graph once."""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from backend.export.fold import folded
from backend.export.onnx import ExportError, trace, write_atomic, write_model
from backend.export.require import require
from backend.export.slots import Slot

if TYPE_CHECKING:
    from onnx import ModelProto

_ALIGNMENT = 64  # bytes; readers map the file into memory
_SEED = 0


def export_graph(
    module: nn.Module,
    example: Tensor,
    path: str | Path,
    *,
    weights: str,
    opset: int = 17,
    dynamic_batch: bool = False,
    any_size: int = 0,
    output_name: str = "edited",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write the graph of ``module`` to ``path``; its weights are expected in a file ``weights``.

    The graph is of the architecture alone: it is traced with other values, since exporters drop
    zeros and join equal tensors. Arguments as in :func:`backend.export.onnx.export_onnx`.

    Raises:
        ExportError: the network cannot be traced, or a weight does not reach the file as it is.
    """
    onnx = require("onnx")
    still = folded(module)
    other = _with_other_values(still)
    others = _state(other)
    model = trace(
        other,
        example,
        opset=opset,
        dynamic_batch=dynamic_batch,
        any_size=any_size,
        input_name="image",
        output_name=output_name,
    )
    state = _state(still)
    missing = _missing(model, state)
    if missing:
        _turn_back(model, {name: others[name] for name in missing})
        missing = _missing(model, state) & _used(other, example, missing)
    if missing:
        name = min(missing)
        raise ExportError(f"The weight {name} is not in the graph as it is in the network.")
    offset = 0
    for tensor in model.graph.initializer:
        if tensor.name not in state:
            continue
        size = 4 * state[tensor.name].numel()
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", weights), ("offset", offset), ("length", size)):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, str(value)
        offset += -(-size // _ALIGNMENT) * _ALIGNMENT
    write_model(model, path, metadata=metadata, check=False)


def slots(path: str | Path) -> tuple[Slot, ...]:
    """Return where the graph at ``path`` expects its weights, in order of their place.

    Raises:
        ExportError: the file is no graph with weights beside it.
    """
    onnx = require("onnx")
    model = onnx.load(str(path), load_external_data=False)
    found = []
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            told = {entry.key: entry.value for entry in tensor.external_data}
            place = int(told["offset"]), int(told["length"])
            found.append(Slot(tensor.name, tuple(tensor.dims), *place))
    if not found:
        raise ExportError(f"{Path(path).name} has its weights inside.")
    return tuple(sorted(found, key=lambda slot: slot.offset))


def write_weights(module: nn.Module, places: tuple[Slot, ...], path: str | Path) -> None:
    """Write the weights of ``module``, which is of the architecture of the graph, to ``path``.

    Raises:
        ExportError: a weight is missing, or of another shape: it is another architecture.
    """
    state = _state(folded(module))
    content = bytearray(places[-1].offset + places[-1].bytes)
    for slot in places:
        tensor = state.get(slot.name)
        if tensor is None or tuple(tensor.shape) != slot.shape:
            raise ExportError(f"The network has no weight {slot.name} of the shape {slot.shape}.")
        data = np.ascontiguousarray(tensor.numpy(), "<f4").tobytes()
        content[slot.offset : slot.offset + slot.bytes] = data
    write_atomic(Path(path), bytes(content))


def keep_graph(source: Path, folder: Path) -> Path:
    """Put the graph at ``source`` into ``folder`` too; the disk is shared where it can be."""
    target = folder / source.name
    if not target.exists():
        try:
            os.link(source, target)
        except OSError:
            write_atomic(target, source.read_bytes())
    return target


def _missing(model: ModelProto, state: Mapping[str, Tensor]) -> set[str]:
    there = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    return {name for name, tensor in state.items() if there.get(name) != tuple(tensor.shape)}


def _turn_back(model: ModelProto, state: Mapping[str, Tensor]) -> None:
    """Put weights that the exporter kept transposed into the graph as the network has them.

    A transpose in the graph turns them; runtimes carry it out once, as they open the file.
    """
    onnx = require("onnx")
    turns = []
    for tensor in model.graph.initializer:
        if tensor.name in state or tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        for name, weight in state.items():
            order = _order(weight.numpy(), values)
            if order is not None:
                turned = f"{name}/turned"
                turns.append(onnx.helper.make_node(
                    "Transpose", [name], [turned], f"{name}/Transpose", perm=order
                ))  # fmt: skip
                for node in model.graph.node:
                    node.input[:] = [turned if i == tensor.name else i for i in node.input]
                tensor.CopyFrom(onnx.numpy_helper.from_array(weight.numpy(), name))
                break
    nodes = [*turns, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _order(weight: np.ndarray, values: np.ndarray) -> tuple[int, ...] | None:
    """Return the order of axes that makes ``values`` of ``weight``, or None."""
    if sorted(weight.shape) != sorted(values.shape):
        return None
    orders = itertools.permutations(range(weight.ndim))
    return next((o for o in orders if np.array_equal(weight.transpose(o), values)), None)


def _used(module: nn.Module, example: Tensor, names: set[str]) -> set[str]:
    """Return those of the weights ``names`` that the output depends on."""
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    wanted = sorted(names)
    with torch.enable_grad():
        tensors = [state[name].requires_grad_(True) for name in wanted]
        out = module(example.detach().cpu()[:1])
        found = torch.autograd.grad(out.sum(), tensors, allow_unused=True)
    return {name for name, one in zip(wanted, found, strict=True) if one is not None}


def _state(module: nn.Module) -> dict[str, Tensor]:
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {
        name: tensor.detach() for name, tensor in tensors.items() if tensor.dtype == torch.float32
    }


def _with_other_values(module: nn.Module) -> nn.Module:
    """Return a copy whose weights are all different, and none of them zero or one."""
    other = copy.deepcopy(module)
    generator = torch.Generator().manual_seed(_SEED)
    for tensor in _state(other).values():
        tensor.copy_(torch.rand(tensor.shape, generator=generator) / 4 + 0.125)
    return other
