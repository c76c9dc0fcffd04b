"""ONNX operators on values and shapes: arithmetic, activations, reductions, rearrangements.

Semantics: the ONNX operator specification, opsets 11 to 21.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from backend.models.onnx_graph import Site, Sizes, operator_of

_BINARY: dict[str, Callable[..., Any]] = {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul}
_UNARY: dict[str, Callable[..., Any]] = {
    "Sqrt": torch.sqrt, "Exp": torch.exp, "Neg": torch.neg, "Abs": torch.abs, "Erf": torch.erf,
    "Log": torch.log, "Reciprocal": torch.reciprocal, "Floor": torch.floor, "Ceil": torch.ceil,
}  # fmt: skip
_ACTIVATIONS: dict[str, Callable[[Site], nn.Module]] = {
    "Relu": lambda site: nn.ReLU(),
    "Sigmoid": lambda site: nn.Sigmoid(),
    "Tanh": lambda site: nn.Tanh(),
    "HardSwish": lambda site: nn.Hardswish(),
    "Mish": lambda site: nn.Mish(),
    "Softplus": lambda site: nn.Softplus(),
    "LeakyRelu": lambda site: nn.LeakyReLU(site.attributes.get("alpha", 0.01)),
    "Elu": lambda site: nn.ELU(site.attributes.get("alpha", 1.0)),
    "Gelu": lambda site: nn.GELU(site.attributes.get("approximate", "none")),
}
_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceMean": torch.mean, "ReduceSum": torch.sum,
    "ReduceMax": torch.amax, "ReduceMin": torch.amin,
}  # fmt: skip
_DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64,
    9: torch.bool, 10: torch.float16, 11: torch.float64, 16: torch.bfloat16,
}  # fmt: skip
_FAR = 2**31 - 1


@operator_of(*_BINARY)
def binary(site: Site) -> Any:
    """Become the function of torch of two values."""
    return site.emit(_BINARY[site.kind], *_numbers_last(site))


@operator_of("Div")
def divide(site: Site) -> Any:
    """Divide; whole numbers are cut towards zero."""
    a, b = site.inputs
    is_whole = isinstance(a, Tensor) and isinstance(b, Tensor) and not a.is_floating_point()
    return site.emit(torch.div, a, b, **({"rounding_mode": "trunc"} if is_whole else {}))


@operator_of("Pow")
def power(site: Site) -> Any:
    """Raise to a power."""
    return site.emit(torch.pow, *site.inputs)


@operator_of("Min", "Max")
def extreme(site: Site) -> Any:
    """Take the smaller or larger of any number of values."""
    function = torch.minimum if site.kind == "Min" else torch.maximum
    # These two take tensors only, so that a single number needs a shape to become an attribute.
    values = [v.reshape(1) if isinstance(v, Tensor) and v.ndim == 0 else v for v in site.inputs]
    return reduce(lambda a, b: site.emit(function, a, b), values)


@operator_of(*_UNARY)
def unary(site: Site) -> Any:
    """Become the function of torch of one value."""
    return site.emit(_UNARY[site.kind], site.input(0))


@operator_of(*_ACTIVATIONS)
def activation(site: Site) -> Any:
    """Become the activation layer of torch."""
    return site.module(_ACTIVATIONS[site.kind](site), site.input(0))


@operator_of("PRelu")
def prelu(site: Site) -> Any:
    """Become nn.PReLU for one slope or one for each channel, else arithmetic."""
    x, slope = site.input(0), site.input(1)
    if isinstance(slope, Tensor):
        # Seen from the right a slope for each channel is (C, 1, ..., 1).
        by_channel = slope.ndim and slope.numel() == slope.shape[0]
        if slope.numel() == 1 or (by_channel and slope.ndim == site.rank() - 1):
            layer = nn.PReLU(slope.numel())
            layer.weight = site.target.parameter(slope, "flat", slope.reshape(-1))
            return site.module(layer, x)
    negative = site.emit(torch.mul, site.emit(torch.clamp, x, max=0.0), slope)
    return site.emit(torch.add, site.emit(torch.relu, x), negative)


@operator_of("Clip")
def clip(site: Site) -> Any:
    """Become nn.ReLU6 or nn.Hardtanh, with one limit a clamp."""
    low, high = (site.optional(i, "limit") for i in (1, 2))
    low, high = (None if one is None else one.item() for one in (low, high))
    if low is None or high is None:
        return site.emit(torch.clamp, site.input(0), low, high)
    if (low, high) == (0.0, 6.0):
        return site.module(nn.ReLU6(), site.input(0))
    return site.module(nn.Hardtanh(low, high), site.input(0))


@operator_of("HardSigmoid")
def hard_sigmoid(site: Site) -> Any:
    """Become nn.Hardsigmoid for the slope 1/6, else arithmetic."""
    alpha, beta = site.attributes.get("alpha", 0.2), site.attributes.get("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=1e-4) and beta == 0.5:
        return site.module(nn.Hardsigmoid(), site.input(0))
    line = site.emit(torch.add, site.emit(torch.mul, site.input(0), alpha), beta)
    return site.emit(torch.clamp, line, 0.0, 1.0)


@operator_of("Softmax", "LogSoftmax")
def softmax(site: Site) -> Any:
    """Become nn.Softmax or nn.LogSoftmax; until opset 12 over all dimensions from the axis on."""
    layer = nn.Softmax if site.kind == "Softmax" else nn.LogSoftmax
    x, axis = site.input(0), site.attributes.get("axis", -1 if site.opset >= 13 else 1)
    if site.opset >= 13 or axis % site.rank() == site.rank() - 1:
        return site.module(layer(axis), x)
    flat = site.emit(torch.flatten, x, axis % site.rank())
    return site.method("view_as", site.module(layer(-1), flat), x)


@operator_of(*_REDUCTIONS)
def reduction(site: Site) -> Any:
    """Reduce over axes, which newer opsets give as an input."""
    axes = site.ints(1, "axes")
    if axes is None:
        if site.attributes.get("noop_with_empty_axes", 0):
            return site.input(0)
        axes = list(range(site.rank()))
    keep = bool(site.attributes.get("keepdims", 1))
    return site.emit(_REDUCTIONS[site.kind], site.input(0), tuple(axes), keep)


@operator_of("Reshape")
def reshape(site: Site) -> Any:
    """Reshape; 0 keeps a size, and a batch size fixed by the export stays the batch size."""
    x, wanted = site.input(0), site.sizes(1, "shape")
    copies = not site.attributes.get("allowzero", 0)
    if any(isinstance(one, int) and one == 0 for one in wanted) and copies:
        known = site.shape()
        wanted = [
            site.size(x, i, known[i]) if isinstance(one, int) and one == 0 else one
            for i, one in enumerate(wanted)
        ]
    if isinstance(x, fx.Node) and site.batch is not None and wanted and wanted[0] == site.batch:
        known = site.shapes[0]
        if known and known[0] == site.batch:
            wanted[0] = site.size(x, 0)
    return site.method("reshape", x, wanted)


@operator_of("Flatten")
def flatten(site: Site) -> Any:
    """Make a matrix: nn.Flatten for the usual axis 1."""
    x, axis = site.input(0), site.attributes.get("axis", 1)
    if axis == 1:
        return site.module(nn.Flatten(), x)
    axis += site.rank() if axis < 0 else 0
    if axis == 0:
        return site.method("reshape", x, [1, -1])
    if axis == site.rank():
        return site.method("reshape", x, [-1, 1])
    return site.emit(torch.flatten, site.emit(torch.flatten, x, axis), 0, axis - 1)


@operator_of("Transpose")
def transpose(site: Site) -> Any:
    """Permute; without a list the order is reversed."""
    order = site.attributes.get("perm") or list(reversed(range(site.rank())))
    return site.emit(torch.permute, site.input(0), tuple(order))


@operator_of("Squeeze")
def squeeze(site: Site) -> Any:
    """Drop dimensions of size one."""
    axes = site.ints(1, "axes")
    if axes is None:
        axes = [i for i, size in enumerate(site.shape()) if size == 1]
    return site.emit(torch.squeeze, site.input(0), tuple(axes))


@operator_of("Unsqueeze")
def unsqueeze(site: Site) -> Any:
    """Insert dimensions of size one; the axes are those of the result."""
    axes = site.ints(1, "axes") or []
    if min(axes, default=0) < 0:
        rank = site.rank() + len(axes)
        axes = [axis % rank for axis in axes]
    return reduce(lambda x, axis: site.emit(torch.unsqueeze, x, axis), sorted(axes), site.input(0))


@operator_of("Expand")
def expand(site: Site) -> Any:
    """Repeat along dimensions of size one; a 1 in the wanted shape keeps the size that is there."""
    wanted, rank = site.sizes(1, "shape"), site.rank()
    wanted = [1] * (rank - len(wanted)) + wanted
    first = len(wanted) - rank
    kept = [
        -1 if isinstance(one, int) and one == 1 and i >= first else one
        for i, one in enumerate(wanted)
    ]
    return site.method("expand", site.input(0), kept)


@operator_of("Concat")
def concat(site: Site) -> Any:
    """Put values one behind the other."""
    values = [v.reshape(1) if isinstance(v, Tensor) and v.ndim == 0 else v for v in site.inputs]
    return site.emit(torch.cat, values, site.attributes["axis"])


@operator_of("Slice")
def slices(site: Site) -> Any:
    """Cut ranges out; a negative step picks the places one by one."""
    x = site.input(0)
    starts, ends = site.sizes(1, "start"), site.sizes(2, "end")
    axes = site.ints(3, "axes") or list(range(len(starts)))
    steps = site.ints(4, "steps") or [1] * len(starts)
    if min(axes) < 0:
        axes = [axis % site.rank() for axis in axes]
    where: list[Any] = [slice(None)] * (max(axes) + 1)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step > 0:
            where[axis] = slice(_near(start), _near(end), step)
            continue
        size = site.shape()[axis]
        if size is None or not isinstance(start, int) or not isinstance(end, int):
            site.refuse("runs backwards over a dimension of unknown size")
        # Python would read an end of -1 as the last place; ONNX's "before the first" is below
        # -size.
        stop = None if end < -size else end
        places = torch.tensor(range(size)[start:stop:step], dtype=torch.int64)
        x = site.emit(torch.index_select, x, axis, places)
    is_whole = all(one == slice(None) for one in where)
    return x if is_whole else site.index(x, tuple(where))


@operator_of("Split")
def split(site: Site) -> Any:
    """Cut into parts of given or equal sizes."""
    axis, sizes = site.attributes.get("axis", 0), site.ints(1, "split")
    if sizes is None:
        parts = site.emit(torch.chunk, site.input(0), len(site.outputs), axis)
    else:
        parts = site.emit(torch.split, site.input(0), sizes, axis)
    return [site.index(parts, i) for i in range(len(site.outputs))]


@operator_of("Gather")
def gather(site: Site) -> Any:
    """Pick entries along an axis; of a known table, nn.Embedding does it."""
    x, index, axis = site.input(0), site.input(1), site.attributes.get("axis", 0)
    if isinstance(index, Tensor):
        if index.ndim == 0:
            return site.emit(torch.select, x, axis, int(index))
        axis = axis % site.rank() if axis < 0 else axis
        return site.index(x, (*[slice(None)] * axis, index))
    if isinstance(x, Tensor) and x.ndim == 2 and axis == 0 and not isinstance(index, Sizes):
        layer = nn.Embedding(x.shape[0], x.shape[1], device="meta")
        layer.weight = site.target.parameter(x)
        return site.module(layer, index)
    axis = axis % site.rank() if axis < 0 else axis
    return site.index(x, (*[slice(None)] * axis, index))


@operator_of("Pad")
def pad(site: Site) -> Any:
    """Pad with a constant, by reflection, with the edge, or around."""
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    mode = modes[site.attributes.get("mode", "constant")]
    pads, axes = site.ints(1, "pads") or [], site.ints(3, "axes")
    rank = site.rank()
    axes = list(range(rank)) if axes is None else [axis % rank for axis in axes]
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        before[axis], after[axis] = pads[i], pads[i + len(axes)]
    if mode == "constant":
        value = site.optional(2, "value")
        number = 0.0 if value is None else value.item()
        return site.emit(F.pad, site.input(0), _pairs(before, after), mode, number)
    if any(before[:2] + after[:2]) or rank < 3:
        site.refuse(f"pads batch or channels in the mode {mode}, which is not understood")
    return site.emit(F.pad, site.input(0), _pairs(before[2:], after[2:]), mode)


@operator_of("Identity")
def identity(site: Site) -> Any:
    """Return the input."""
    return site.input(0)


@operator_of("Dropout")
def dropout(site: Site) -> Any:
    """Become nn.Dropout, which does nothing in evaluation mode."""
    if any(site.outputs[1:]):
        site.refuse("gives its mask out, which is not understood")
    ratio = site.optional(1, "ratio")
    return site.module(nn.Dropout(0.5 if ratio is None else ratio.item()), site.input(0))


@operator_of("Constant")
def constant(site: Site) -> Any:
    """Return the tensor that the node holds."""
    name, value = next(iter(site.attributes.items()))
    if isinstance(value, Tensor):
        return value
    if name in {"value_int", "value_ints"}:
        return torch.tensor(value, dtype=torch.int64)
    if name in {"value_float", "value_floats"}:
        return torch.tensor(value, dtype=torch.float32)
    site.refuse(f"holds a {name}, which is not understood")


@operator_of("ConstantOfShape")
def constant_of_shape(site: Site) -> Any:
    """Fill a shape with one value."""
    value = site.attributes.get("value", torch.zeros(1))
    shape = site.sizes(0, "shape")
    return site.emit(torch.full, tuple(shape), value.item(), dtype=value.dtype)


@operator_of("Cast")
def cast(site: Site) -> Any:
    """Change the number type."""
    if site.attributes["to"] not in _DTYPES:
        site.refuse("asks for a number type that is not understood")
    return site.method("to", site.input(0), _DTYPES[site.attributes["to"]])


class Blocks(nn.Module):
    """Move blocks of channels into the picture or back, the channels ordered (block, block, C)."""

    def __init__(self, block: int, to_space: bool) -> None:
        super().__init__()
        self.block = block
        self.to_space = to_space

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C b b, H, W) to (N, C, H b, W b), or the other way round."""
        n, c, h, w = x.size(0), x.size(1), x.size(2), x.size(3)
        b = self.block
        if self.to_space:
            y = x.reshape(n, b, b, c // (b * b), h, w).permute(0, 3, 4, 1, 5, 2)
            return y.reshape(n, c // (b * b), h * b, w * b)
        y = x.reshape(n, c, h // b, b, w // b, b).permute(0, 3, 5, 1, 2, 4)
        return y.reshape(n, c * b * b, h // b, w // b)


@operator_of("DepthToSpace", "SpaceToDepth")
def blocks(site: Site) -> Any:
    """Become nn.PixelShuffle where the channels are in its order, else a layer of our own."""
    block = site.attributes["blocksize"]
    if site.kind == "DepthToSpace" and site.attributes.get("mode", "DCR") == "CRD":
        return site.module(nn.PixelShuffle(block), site.input(0))
    return site.module(Blocks(block, site.kind == "DepthToSpace"), site.input(0))


def _numbers_last(site: Site) -> tuple[Any, Any]:
    # torch.add(2, x) is refused where torch.add(x, 2) works.
    a, b = site.inputs
    if isinstance(a, Tensor) and a.ndim == 0 and isinstance(b, fx.Node):
        if site.kind == "Sub":
            return a.reshape(1), b
        return b, a
    return a, b


def _near(place: int | fx.Node) -> int | fx.Node:
    # ONNX writes "to the end" as the largest number of 64 bits, which slices of torch refuse.
    return max(-_FAR, min(place, _FAR)) if isinstance(place, int) else place


def _pairs(before: list[int], after: list[int]) -> list[int]:
    # torch lists the padding from the last dimension to the first.
    return [n for pair in zip(reversed(before), reversed(after), strict=True) for n in pair]
