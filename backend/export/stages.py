"""Cuts a graph into stages that are run one after the other.

A runtime cannot be stopped within a run. Between two stages it can: a picture that nobody wants any
more, since other weights were wished for, is left and begun anew.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from backend.export.require import require
from backend.export.rewrites import inferred_shapes

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_LIGHT = 30  # multiplications that take as long in WASM as a value of another operator


def stages(model: ModelProto, count: int) -> list[ModelProto]:
    """Return ``model`` as up to ``count`` models, each about as costly; the last gives its output.

    It is cut where a single tensor that depends on the first input is alive. What depends on
    weights alone goes to the stage that needs it; so do weights that are inputs.
    """
    onnx = require("onnx")
    shapes = inferred_shapes(model)
    flow = {model.graph.input[0].name}
    chain: list[NodeProto] = []
    for node in model.graph.node:
        if flow & set(node.input):
            flow |= set(node.output)
            chain.append(node)
    cuts = _cuts(chain, flow, [_cost(node, shapes) for node in chain], count)
    found, begin, source = [], 0, model.graph.input[0].name
    for end, target in [*cuts, (len(chain), model.graph.output[0].name)]:
        nodes = _needed(model, chain[begin:end], flow)
        names = {name for node in nodes for name in node.input}
        inputs = [source, *(v.name for v in model.graph.input[1:] if v.name in names)]
        graph = onnx.helper.make_graph(
            nodes,
            model.graph.name,
            [_value(model, name, shapes) for name in inputs],
            [_value(model, target, shapes)],
            [tensor for tensor in model.graph.initializer if tensor.name in names],
        )
        made = onnx.helper.make_model(
            graph, opset_imports=list(model.opset_import), ir_version=model.ir_version
        )
        made.metadata_props.extend(model.metadata_props)
        found.append(made)
        begin, source = end, target
    return found


def _cuts(
    chain: list[NodeProto], flow: set[str], costs: list[float], count: int
) -> list[tuple[int, str]]:
    """Return positions and tensors at which to cut, nearest to equal shares of the cost."""
    last = {name: i for i, node in enumerate(chain) for name in node.input if name in flow}
    possible: list[tuple[int, str, float]] = []
    alive: set[str] = set()
    spent = 0.0
    for i, node in enumerate(chain[:-1]):
        spent += costs[i]
        alive = {name for name in alive | set(node.output) if last.get(name, -1) > i}
        if len(alive) == 1 and last.get(chain[0].input[0], -1) <= i:
            possible.append((i + 1, next(iter(alive)), spent / sum(costs)))
    chosen: list[tuple[int, str]] = []
    for n in range(1, count):
        after = [one for one in possible if not chosen or one[0] > chosen[-1][0]]
        if after:
            chosen.append(min(after, key=lambda one: abs(one[2] - n / count))[:2])
    return chosen


def _needed(model: ModelProto, chain: list[NodeProto], flow: set[str]) -> list[NodeProto]:
    """Return the nodes of a stage with those that only weights lead to, in order."""
    wanted = {name for node in chain for name in node.input} - flow
    added: list[NodeProto] = []
    for node in reversed(model.graph.node):
        if wanted & set(node.output) and not flow & set(node.output):
            wanted |= set(node.input)
            added.insert(0, node)
    return [*added, *chain]


def _cost(node: NodeProto, shapes: dict[str, tuple[int, ...]]) -> float:
    size = float(math.prod(shapes.get(node.output[0], ())))
    if node.op_type == "Conv":
        return size * math.prod(shapes.get(node.input[1], (1, 1))[1:])
    if node.op_type == "MatMul":
        return size * (shapes.get(node.input[0]) or (1,))[-1]
    return size * _LIGHT


def _value(model: ModelProto, name: str, shapes: dict[str, tuple[int, ...]]):  # type: ignore[no-untyped-def]
    onnx = require("onnx")
    for value in (*model.graph.input, *model.graph.output):
        if value.name == name:
            return value
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shapes[name])
