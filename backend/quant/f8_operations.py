"""The operations that F8Net understands, sorted by what a positive scale and a ReLU do to them.

============  ==========================================================================
``image``     the input of the network
``layer``     convolution, linear: reads in its own units, writes in those of its reader
``norm``      batch norm
``relu``      ReLU, ReLU6 (with a cap)
``order``     keeps or picks values: max pooling, reshaping, dropout; commutes with ReLU
``average``   linear without weights: average pooling, mean, resizing
``add``       sum of two tensors
``cat``       concatenation
``tail``      softmax and the like: only behind the last layer
``size``      shapes and whole numbers, no activations
============  ==========================================================================
"""

from __future__ import annotations

import builtins
import operator
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.nn.utils import parametrize

from backend.quant.fixed_point import QuantError

KIND = "kind"

_KNOWN = "convolution, linear, batch norm, ReLU, ReLU6, pooling, addition and concatenation"

_MODULES: dict[type[nn.Module], str] = {
    nn.Conv2d: "layer",
    nn.Linear: "layer",
    nn.BatchNorm1d: "norm",
    nn.BatchNorm2d: "norm",
    nn.ReLU: "relu",
    nn.ReLU6: "relu",
    nn.Hardtanh: "relu",
    nn.MaxPool2d: "order",
    nn.AdaptiveMaxPool2d: "order",
    nn.Flatten: "order",
    nn.Unflatten: "order",
    nn.Identity: "order",
    nn.Dropout: "order",
    nn.Dropout2d: "order",
    nn.PixelShuffle: "order",
    nn.PixelUnshuffle: "order",
    nn.ChannelShuffle: "order",
    nn.ZeroPad2d: "order",
    nn.UpsamplingNearest2d: "order",
    nn.Upsample: "average",
    nn.AvgPool2d: "average",
    nn.AdaptiveAvgPool2d: "average",
    nn.Softmax: "tail",
    nn.LogSoftmax: "tail",
    nn.Sigmoid: "tail",
    nn.Tanh: "tail",
}
_FUNCTIONS: dict[Any, str] = {
    **dict.fromkeys([F.relu, F.relu_, torch.relu, torch.relu_, F.relu6, F.hardtanh], "relu"),
    **dict.fromkeys([torch.clamp, torch.clamp_min, torch.clip], "relu"),
    **dict.fromkeys([F.max_pool2d, torch.max_pool2d, F.adaptive_max_pool2d], "order"),
    **dict.fromkeys([torch.flatten, torch.reshape, torch.permute, torch.transpose], "order"),
    **dict.fromkeys([torch.squeeze, torch.unsqueeze, operator.getitem], "order"),
    **dict.fromkeys([F.dropout, F.dropout2d, F.pixel_shuffle, F.pixel_unshuffle], "order"),
    F.pad: "order",
    **dict.fromkeys([F.avg_pool2d, F.adaptive_avg_pool2d, F.interpolate], "average"),
    **dict.fromkeys([torch.mean, torch.sum], "average"),
    **dict.fromkeys([operator.add, operator.iadd, torch.add], "add"),
    **dict.fromkeys([torch.cat, torch.concat], "cat"),
    **dict.fromkeys([F.softmax, torch.softmax, F.log_softmax, torch.log_softmax], "tail"),
    **dict.fromkeys([torch.sigmoid, torch.tanh, F.sigmoid, F.tanh], "tail"),
}
_METHODS = {
    **dict.fromkeys(["relu", "relu_", "clamp", "clamp_", "clamp_min", "clip"], "relu"),
    **dict.fromkeys(["flatten", "view", "reshape", "permute", "transpose", "contiguous"], "order"),
    **dict.fromkeys(["squeeze", "unsqueeze", "clone"], "order"),
    **dict.fromkeys(["mean", "sum"], "average"),
    **dict.fromkeys(["add", "add_"], "add"),
    **dict.fromkeys(["softmax", "log_softmax", "sigmoid", "tanh"], "tail"),
    **dict.fromkeys(["size", "dim", "numel"], "size"),
}
_IN_PLACE = {operator.iadd, F.relu_, torch.relu_, "relu_", "clamp_", "add_"}
_MULTIPLIES = {operator.mul, operator.imul, torch.mul, "mul", "mul_", torch.matmul, operator.matmul}


def is_leaf(module: nn.Module) -> bool:
    """Tell whether tracing stops at ``module``: a known layer, its computation not overridden."""
    return any(isinstance(module, kind) and _computes_like(module, kind) for kind in _MODULES)


def classify(traced: fx.GraphModule) -> None:
    """Note the kind of each node in its ``meta`` and bring dropout to one form.

    Raises:
        QuantError: an operation without a fixed-point form.
    """
    pictures = [node for node in traced.graph.nodes if node.op == "placeholder"]
    used = [node for node in pictures if node.users]
    if len(used) != 1:
        raise QuantError(
            f"The network has {len(used)} inputs; F8Net quantizes networks with one input, a "
            "picture."
        )
    for node in list(traced.graph.nodes):
        if node.op == "call_function" and node.target in (F.dropout, F.dropout2d):
            node = _dropout_module(traced, node)
        node.meta[KIND] = _kind(traced, node)
        node.meta["in_place"] = _is_in_place(traced, node)
        if node.meta[KIND] == "relu":
            node.meta["cap"] = _relu_cap(traced, node)
        node.meta["overshoots"] = _is_bicubic(traced, node)
        if node.meta[KIND] == "layer":
            _check_layer(node, traced.get_submodule(str(node.target)))
        if node.meta[KIND] == "norm":
            _check_norm(node, traced.get_submodule(str(node.target)))


def cap_of(node: fx.Node) -> float | None:
    """Return the upper end of a ReLU, None for the plain one."""
    return node.meta["cap"]


def overshoots(node: fx.Node) -> bool:
    """Tell whether ``node`` may make negative values of positive ones."""
    return node.meta["overshoots"]


def place(node: fx.Node) -> str:
    """Name the layer, or the module whose code contains the operation."""
    if node.op == "call_module":
        return str(node.target)
    stack = node.meta.get("nn_module_stack") or {}
    paths = [path for path, _ in stack.values() if path]
    return f"{paths[-1]} ({_operation(node)})" if paths else _operation(node)


def _kind(traced: fx.GraphModule, node: fx.Node) -> str:
    if node.op == "placeholder":
        return "image" if node.users else "size"
    if node.op == "output":
        return "output"
    if node.op == "call_module":
        return _module_kind(node, traced.get_submodule(str(node.target)))
    inputs = node.all_input_nodes
    if inputs and all(one.meta[KIND] == "size" for one in inputs):
        return "size"
    if node.target is builtins.getattr and node.args[1] in ("shape", "ndim", "dtype", "device"):
        return "size"
    table: dict[Any, str] = _METHODS if node.op == "call_method" else _FUNCTIONS
    kind = table.get(node.target) if node.op != "get_attr" else None
    if kind is None or not _is_plain(node, kind):
        raise QuantError(_refusal(node))
    return kind


def _module_kind(node: fx.Node, module: nn.Module) -> str:
    for kind_of, kind in _MODULES.items():
        if isinstance(module, kind_of) and _computes_like(module, kind_of):
            return kind
    raise QuantError(
        f"{node.target} ({type(module).__name__}) has no fixed-point form here; F8Net quantizes "
        f"{_KNOWN}."
    )


def _is_plain(node: fx.Node, kind: str) -> bool:
    """Whether the arguments keep the operation what its kind says."""
    options = {**node.kwargs}
    if kind == "add":
        both = len(node.args) == 2 and all(isinstance(one, fx.Node) for one in node.args)
        return both and options.get("alpha", 1) == 1
    if node.target is F.pad:
        mode = node.args[2] if len(node.args) > 2 else options.get("mode", "constant")
        value = node.args[3] if len(node.args) > 3 else options.get("value")
        return mode == "constant" and not value
    return True


def _refusal(node: fx.Node) -> str:
    tensors = [one for one in node.all_input_nodes if one.meta[KIND] != "size"]
    if node.target in _MULTIPLIES and len(tensors) > 1:
        return (
            f"{place(node)} multiplies two activations (as squeeze-and-excitation and attention "
            "do), which 8-bit weights cannot express; F8Net cannot quantize this network."
        )
    return (
        f"{place(node)} uses the operation '{_operation(node)}', which has no fixed-point form "
        f"here; F8Net quantizes {_KNOWN}."
    )


def _operation(node: fx.Node) -> str:
    return str(node.target) if isinstance(node.target, str) else node.target.__name__


def _computes_like(module: nn.Module, kind: type[nn.Module]) -> bool:
    return type(module).forward is kind.forward and not parametrize.is_parametrized(module)


def _check_layer(node: fx.Node, module: nn.Module) -> None:
    if getattr(module, "padding_mode", "zeros") != "zeros":
        raise QuantError(
            f"{node.target} pads with '{module.padding_mode}'; F8Net quantizes convolutions that "
            "pad with zeros."
        )


def _check_norm(node: fx.Node, module: nn.Module) -> None:
    if module.running_mean is None:
        raise QuantError(
            f"{node.target} keeps no running statistics, so it cannot be folded into weights; "
            "create it with track_running_stats=True."
        )


def _relu_cap(traced: fx.GraphModule, node: fx.Node) -> float | None:
    """The cap of a ReLU; refuses a clamp that is no ReLU."""
    low: Any = 0.0
    high: Any = None
    if node.op == "call_module":
        module = traced.get_submodule(str(node.target))
        if isinstance(module, nn.Hardtanh):  # ReLU6 is one
            low, high = module.min_val, module.max_val
    elif node.target is F.relu6:
        high = 6.0
    elif node.target is F.hardtanh or "clamp" in _operation(node) or "clip" in _operation(node):
        is_hardtanh = node.target is F.hardtanh
        names = ("min_val", "max_val") if is_hardtanh else ("min", "max")
        given = dict(zip(names, node.args[1:], strict=False)) | dict(node.kwargs)
        low = given.get(names[0], -1.0 if is_hardtanh else None)
        high = given.get(names[1], 1.0 if is_hardtanh else None)
    is_number = high is None or (isinstance(high, int | float) and high > 0)
    if isinstance(low, fx.Node) or low is None or low != 0 or not is_number:
        raise QuantError(
            f"{place(node)} clamps to a range that does not start at 0; F8Net quantizes ReLU and "
            "ReLU6 as activations."
        )
    return None if high is None else float(high)


def _is_bicubic(traced: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return getattr(traced.get_submodule(str(node.target)), "mode", None) == "bicubic"
    if node.target is not F.interpolate:
        return False
    mode = node.args[3] if len(node.args) > 3 else node.kwargs.get("mode")
    return mode == "bicubic"


def _is_in_place(traced: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return bool(getattr(traced.get_submodule(str(node.target)), "inplace", False))
    return node.target in _IN_PLACE or node.kwargs.get("inplace", False) is True


def _dropout_module(traced: fx.GraphModule, node: fx.Node) -> fx.Node:
    """Replace functional dropout, whose train/eval switch a trace freezes, by a module."""
    p = node.args[1] if len(node.args) > 1 else node.kwargs.get("p", 0.5)
    name = f"{node.name}_module"
    traced.add_submodule(name, (nn.Dropout if node.target is F.dropout else nn.Dropout2d)(p))
    with traced.graph.inserting_before(node):
        new = traced.graph.call_module(name, (node.args[0],))
    new.meta = {**node.meta}
    node.replace_all_uses_with(new)
    traced.graph.erase_node(node)
    return new
