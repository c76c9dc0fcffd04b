"""ONNX operators that become layers of torch: convolutions, linear layers, norms, poolings.

Semantics: the ONNX operator specification, opsets 11 to 21.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.models.onnx_graph import Site, operator_of

_CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_CONV_TRANSPOSE = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_BATCH_NORM = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
_INSTANCE_NORM = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d, 5: nn.InstanceNorm3d}
_MAX_POOL = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
_AVERAGE_POOL = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
_GLOBAL_AVERAGE = {
    3: nn.AdaptiveAvgPool1d, 4: nn.AdaptiveAvgPool2d, 5: nn.AdaptiveAvgPool3d,
}  # fmt: skip
_GLOBAL_MAX = {3: nn.AdaptiveMaxPool1d, 4: nn.AdaptiveMaxPool2d, 5: nn.AdaptiveMaxPool3d}


@operator_of("Conv")
def conv(site: Site) -> Any:
    """Become nn.Conv1d, 2d or 3d; uneven padding stands before it as a layer of its own."""
    weight = site.constant(1, "weight")
    bias = site.optional(2, "bias")
    kernel = list(weight.shape[2:])
    layer_type = _of(site, _CONV, len(kernel))
    strides, dilations = _ints(site, "strides", kernel), _ints(site, "dilations", kernel)
    groups = site.attributes.get("group", 1)
    before, after = _padding(site, kernel, strides, dilations)
    x = site.input(0)
    if before != after:
        x = _pad(site, x, before, after, 0.0)
        before = [0] * len(kernel)
    layer = layer_type(
        weight.shape[1] * groups, weight.shape[0], tuple(kernel), tuple(strides), tuple(before),
        tuple(dilations), groups, bias is not None, device="meta",
    )  # fmt: skip
    return site.module(_with(site, layer, weight, bias), x)


@operator_of("ConvTranspose")
def conv_transpose(site: Site) -> Any:
    """Become nn.ConvTranspose1d, 2d or 3d; uneven padding crops its result."""
    weight = site.constant(1, "weight")
    bias = site.optional(2, "bias")
    kernel = list(weight.shape[2:])
    layer_type = _of(site, _CONV_TRANSPOSE, len(kernel))
    strides, dilations = _ints(site, "strides", kernel), _ints(site, "dilations", kernel)
    extra = site.attributes.get("output_padding", [0] * len(kernel))
    groups = site.attributes.get("group", 1)
    before, after = _transposed_padding(site, kernel, strides, dilations, extra)
    is_even = before == after
    layer = layer_type(
        weight.shape[0], weight.shape[1] * groups, tuple(kernel), tuple(strides),
        tuple(before) if is_even else 0, tuple(extra), groups, bias is not None, tuple(dilations),
        device="meta",
    )  # fmt: skip
    y = site.module(_with(site, layer, weight, bias), site.input(0))
    return y if is_even else _pad(site, y, [-n for n in before], [-n for n in after], 0.0)


@operator_of("Gemm")
def gemm(site: Site) -> Any:
    """Become nn.Linear if the weight is known and the bias is one row, else a product and a sum."""
    alpha, beta = site.attributes.get("alpha", 1.0), site.attributes.get("beta", 1.0)
    a, b, c = site.input(0), site.input(1), site.input(2)
    is_row = c is None or (isinstance(c, Tensor) and c.numel() in (1, c.shape[-1] if c.ndim else 1))
    if isinstance(b, Tensor) and is_row and not site.attributes.get("transA", 0):
        weight = alpha * (b if site.attributes.get("transB", 0) else b.t())
        bias = None
        if c is not None:
            bias = (beta * c.reshape(-1)).expand(weight.shape[0]).contiguous()
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
        change = f"gemm {alpha} {site.attributes.get('transB', 0)}"
        layer.weight = site.target.parameter(b, change, weight.contiguous())
        if bias is not None:
            layer.bias = site.target.parameter(c, f"bias {beta} {len(bias)}", bias)
        return site.module(layer, a)
    a = site.emit(torch.transpose, a, 0, 1) if site.attributes.get("transA", 0) else a
    b = site.emit(torch.transpose, b, 0, 1) if site.attributes.get("transB", 0) else b
    y = site.emit(torch.matmul, a, b)
    y = y if alpha == 1.0 else site.emit(torch.mul, y, alpha)
    if c is None:
        return y
    c = c if beta == 1.0 else site.emit(torch.mul, c, beta)
    return site.emit(torch.add, y, c)


@operator_of("MatMul")
def matmul(site: Site) -> Any:
    """Become nn.Linear if the right side is a known matrix, else a product."""
    a, b = site.input(0), site.input(1)
    if isinstance(b, Tensor) and b.ndim == 2 and not isinstance(a, Tensor):
        layer = nn.Linear(b.shape[0], b.shape[1], bias=False, device="meta")
        layer.weight = site.target.parameter(b, "transposed", b.t().contiguous())
        return site.module(layer, a)
    return site.emit(torch.matmul, a, b)


@operator_of("BatchNormalization")
def batch_norm(site: Site) -> Any:
    """Become nn.BatchNorm1d, 2d or 3d with the file's running statistics."""
    if site.attributes.get("training_mode", 0) or len(site.outputs) > 1:
        site.refuse("is in training mode; export the network in evaluation mode")
    weight, bias = site.constant(1, "scale"), site.constant(2, "bias")
    mean, variance = site.constant(3, "mean"), site.constant(4, "variance")
    # ONNX weighs the old value with its momentum, torch the new one.
    momentum = 1.0 - site.attributes.get("momentum", 0.9)
    layer = _of(site, _BATCH_NORM, site.rank())(
        len(weight), site.attributes.get("epsilon", 1e-5), momentum
    )
    layer.running_mean, layer.running_var = mean.clone(), variance.clone()
    return site.module(_with(site, layer, weight, bias), site.input(0))


@operator_of("InstanceNormalization")
def instance_norm(site: Site) -> Any:
    """Become nn.InstanceNorm1d, 2d or 3d."""
    weight, bias = site.constant(1, "scale"), site.constant(2, "bias")
    layer = _of(site, _INSTANCE_NORM, site.rank())(
        len(weight), site.attributes.get("epsilon", 1e-5), affine=True
    )
    return site.module(_with(site, layer, weight, bias), site.input(0))


@operator_of("LayerNormalization")
def layer_norm(site: Site) -> Any:
    """Become nn.LayerNorm."""
    weight, bias = site.constant(1, "scale"), site.optional(2, "bias")
    axis = site.attributes.get("axis", -1)
    count = -axis if axis < 0 else site.rank() - axis
    if weight.ndim != count or any(site.outputs[1:]):
        site.refuse("scales other dimensions than it normalises, or gives its statistics out")
    layer = nn.LayerNorm(
        tuple(weight.shape), site.attributes.get("epsilon", 1e-5), bias=bias is not None
    )
    return site.module(_with(site, layer, weight, bias), site.input(0))


@operator_of("GroupNormalization")
def group_norm(site: Site) -> Any:
    """Become nn.GroupNorm; until opset 20 scale and bias were given for each group."""
    weight, bias = site.constant(1, "scale"), site.constant(2, "bias")
    groups, channels = site.attributes["num_groups"], site.shape()[1]
    if channels is None:
        site.refuse("needs to know how many channels its input has")
    layer = nn.GroupNorm(groups, channels, site.attributes.get("epsilon", 1e-5))
    if len(weight) != channels:
        weight, bias = (one.repeat_interleave(channels // groups) for one in (weight, bias))
    return site.module(_with(site, layer, weight, bias), site.input(0))


@operator_of("MaxPool")
def max_pool(site: Site) -> Any:
    """Become nn.MaxPool1d, 2d or 3d."""
    if any(site.outputs[1:]):
        site.refuse("gives the places of the maxima out, which is not understood")
    kernel = site.attributes["kernel_shape"]
    strides, dilations = _ints(site, "strides", kernel), _ints(site, "dilations", kernel)
    before, after = _padding(site, kernel, strides, dilations)
    x = site.input(0)
    if before != after or any(2 * p > k for p, k in zip(before, kernel, strict=True)):
        x = _pad(site, x, before, after, -math.inf)
        before = [0] * len(kernel)
    layer = _of(site, _MAX_POOL, len(kernel))(
        tuple(kernel), tuple(strides), tuple(before), tuple(dilations),
        ceil_mode=bool(site.attributes.get("ceil_mode", 0)),
    )  # fmt: skip
    return site.module(layer, x)


@operator_of("AveragePool")
def average_pool(site: Site) -> Any:
    """Become nn.AvgPool1d, 2d or 3d; uneven padding that does not count is divided out again."""
    kernel = site.attributes["kernel_shape"]
    strides, dilations = _ints(site, "strides", kernel), _ints(site, "dilations", kernel)
    if any(one != 1 for one in dilations):
        site.refuse("is dilated, which is not understood")
    before, after = _padding(site, kernel, strides, dilations)
    counts_padding = bool(site.attributes.get("count_include_pad", 0))
    is_even = before == after and all(2 * p <= k for p, k in zip(before, kernel, strict=True))
    layer = _of(site, _AVERAGE_POOL, len(kernel))(
        tuple(kernel), tuple(strides), tuple(before) if is_even else 0,
        ceil_mode=bool(site.attributes.get("ceil_mode", 0)), count_include_pad=counts_padding,
    )  # fmt: skip
    x = site.input(0)
    if is_even:
        return site.module(layer, x)
    mean = site.module(layer, _pad(site, x, before, after, 0.0))
    if counts_padding:
        return mean
    inside = _pad(site, site.emit(torch.ones_like, x), before, after, 0.0)
    return site.emit(torch.div, mean, site.module(layer, inside))


@operator_of("GlobalAveragePool")
def global_average_pool(site: Site) -> Any:
    """Become nn.AdaptiveAvgPool1d, 2d or 3d."""
    return site.module(_of(site, _GLOBAL_AVERAGE, site.rank())(1), site.input(0))


@operator_of("GlobalMaxPool")
def global_max_pool(site: Site) -> Any:
    """Become nn.AdaptiveMaxPool1d, 2d or 3d."""
    return site.module(_of(site, _GLOBAL_MAX, site.rank())(1), site.input(0))


def _of(site: Site, table: dict[int, Any], dims: int) -> Any:
    if dims not in table:
        site.refuse(f"works on {dims} dimensions, which is not understood")
    return table[dims]


def _ints(site: Site, name: str, kernel: list[int]) -> list[int]:
    return list(site.attributes.get(name, [1] * len(kernel)))


def _with(site: Site, layer: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    layer.weight = site.target.parameter(weight)
    if bias is not None:
        layer.bias = site.target.parameter(bias)
    return layer


def _padding(
    site: Site, kernel: list[int], strides: list[int], dilations: list[int]
) -> tuple[list[int], list[int]]:
    """Return the padding before and after each spatial dimension."""
    auto = site.attributes.get("auto_pad", "NOTSET")
    if auto in {"NOTSET", ""}:
        pads = site.attributes.get("pads", [0] * (2 * len(kernel)))
        return list(pads[: len(kernel)]), list(pads[len(kernel) :])
    if auto == "VALID":
        return [0] * len(kernel), [0] * len(kernel)
    totals = []
    for i, (k, stride, dilation) in enumerate(zip(kernel, strides, dilations, strict=True)):
        reach = dilation * (k - 1) + 1
        length = site.shape()[2 + i] if stride != 1 else 1
        if length is None:
            site.refuse(f"pads by {auto}, which needs a picture of known size")
        totals.append(max(0, (math.ceil(length / stride) - 1) * stride + reach - length))
    return _halves(totals, auto)


def _transposed_padding(
    site: Site, kernel: list[int], strides: list[int], dilations: list[int], extra: list[int]
) -> tuple[list[int], list[int]]:
    wanted = site.attributes.get("output_shape")
    auto = site.attributes.get("auto_pad", "NOTSET")
    if wanted is None and not auto.startswith("SAME"):
        return _padding(site, kernel, strides, dilations)
    totals = []
    for i, (k, stride, dilation) in enumerate(zip(kernel, strides, dilations, strict=True)):
        length = site.shape()[2 + i]
        if length is None:
            site.refuse("derives its padding from the size of a picture that is not known")
        full = stride * (length - 1) + extra[i] + (k - 1) * dilation + 1
        totals.append(max(0, full - (wanted[-len(kernel) :][i] if wanted else length * stride)))
    # Unlike in a convolution the odd one goes before, unless the file says SAME_UPPER.
    return _halves(totals, "SAME_UPPER" if auto == "SAME_UPPER" else "SAME_LOWER")


def _halves(totals: list[int], auto: str) -> tuple[list[int], list[int]]:
    small, large = [n // 2 for n in totals], [n - n // 2 for n in totals]
    return (small, large) if auto == "SAME_UPPER" else (large, small)


def _pad(site: Site, x: Any, before: list[int], after: list[int], value: float) -> Any:
    pads = [n for pair in zip(reversed(before), reversed(after), strict=True) for n in pair]
    if value == 0.0 and len(before) == 2 and min(pads) >= 0:
        return site.module(nn.ZeroPad2d(tuple(pads)), x)
    return site.emit(F.pad, x, pads, "constant", value)
