"""Takes an ONNX graph of operator set 18, the lowest that torch writes, down to 17.

Twenty-odd operators changed between the two. Those that express the same thing in 17 are rewritten;
a graph that uses what is new in 18 is refused by name, never written half converted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.export.require import require

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_REDUCTIONS = {
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSumSquare",
}
# Attributes that 18 added, with the value that means "as in 17".
_NEW_ATTRIBUTES: dict[str, dict[str, object]] = {
    "Resize": {"antialias": 0, "keep_aspect_ratio_policy": b"stretch"},
    "LpPool": {"ceil_mode": 0, "dilations": None},
}


class OpsetError(ValueError):
    """The graph uses an operator, or a form of one, that the wanted operator set lacks."""

    for_user = True


def to_opset_17(model: ModelProto) -> None:
    """Rewrite ``model``, which is of operator set 18, in place.

    Raises:
        OpsetError: something in it has no form in 17; the message names the operator.
    """
    onnx = require("onnx")
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if any(attribute.type in (5, 10) for attribute in node.attribute):  # GRAPH, GRAPHS
            raise _refusal(node, "contains a nested graph")
        if node.domain not in ("", "ai.onnx"):
            continue
        if onnx.defs.get_schema(node.op_type, 18, "").since_version < 18:
            continue
        _lower(node, constants)
    used = {name for node in model.graph.node for name in node.input}
    used |= {value.name for value in model.graph.output}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = 17


def _lower(node: NodeProto, constants: dict) -> None:
    kind = node.op_type
    if kind in _REDUCTIONS:
        _axes_to_attribute(node, constants)
    elif kind == "Split":
        if len(node.input) < 2 or not node.input[1]:
            if _attribute(node, "num_outputs") != len(node.output):
                raise _refusal(node, "splits into parts of unequal size")
            _drop(node, "num_outputs")  # without sizes 17 splits equally, by the number of outputs
    elif kind == "Pad":
        if len(node.input) > 3 and node.input[3]:
            raise _refusal(node, "pads chosen axes")
    elif kind in ("ScatterElements", "ScatterND"):
        if _attribute(node, "reduction") in (b"max", b"min"):
            raise _refusal(node, "reduces by max or min")
    elif kind in _NEW_ATTRIBUTES:
        for name, neutral in _NEW_ATTRIBUTES[kind].items():
            if _attribute(node, name) not in (None, neutral):
                raise _refusal(node, f"sets {name}")
            _drop(node, name)
        if _attribute(node, "axes") is not None:
            raise _refusal(node, "resizes chosen axes")
    elif kind not in ("OptionalGetElement", "OptionalHasElement"):
        raise _refusal(node, "does not exist")


def _axes_to_attribute(node: NodeProto, constants: dict) -> None:
    onnx = require("onnx")
    keep_all = _attribute(node, "noop_with_empty_axes")
    _drop(node, "noop_with_empty_axes")
    if len(node.input) < 2 or not node.input[1]:
        if keep_all:
            raise _refusal(node, "reduces no axis")
        return
    axes = constants.get(node.input[1])
    if axes is None:
        raise _refusal(node, "computes its axes")
    numbers = [int(axis) for axis in onnx.numpy_helper.to_array(axes).reshape(-1)]
    del node.input[1:]
    node.attribute.append(onnx.helper.make_attribute("axes", numbers))


def _attribute(node: NodeProto, name: str) -> object:
    for attribute in node.attribute:
        if attribute.name == name:
            value = require("onnx").helper.get_attribute_value(attribute)
            return list(value) if attribute.type == 7 else value  # INTS
    return None


def _drop(node: NodeProto, name: str) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend(kept)


def _refusal(node: NodeProto, why: str) -> OpsetError:
    return OpsetError(
        f"ONNX opset 17 cannot hold the operator {node.op_type} ({node.name}), which {why} there; "
        "export with opset=18 or higher."
    )
