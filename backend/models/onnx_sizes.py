"""Shape arithmetic of an ONNX graph, done on lists of whole numbers instead of tensors."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

from backend.models.onnx_graph import Site, Sizes, as_value, operator_of

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Div": operator.floordiv,  # sizes are never negative, so this is ONNX's division too
}


@operator_of("Shape")
def shape(site: Site) -> Any:
    """Return the sizes of the input, the unknown ones read when it runs."""
    value = site.input(0)
    dims = list(enumerate(site.shape()))
    start, end = site.attributes.get("start", 0), site.attributes.get("end")
    return as_value([site.size(value, i, known) for i, known in dims[start:end]])


def compute_sizes(site: Site) -> Any:
    """Convert a node that has :class:`Sizes` among its inputs; None if that is not its kind."""
    first = site.input(0)
    if site.kind in {"Cast", "Identity"}:
        return first
    if site.kind in _ARITHMETIC:
        return _arithmetic(site)
    if site.kind in {"Unsqueeze", "Squeeze"} and isinstance(first, Sizes):
        if len(first.items) != 1:
            site.refuse("makes a table of sizes, which is not understood")
        return Sizes(first.items, is_scalar=site.kind == "Squeeze")
    if site.kind == "Concat":
        return as_value([one for value in site.inputs for one in _items(site, value)])
    if site.kind == "Gather" and isinstance(first, Sizes):
        index = site.constant(1, "index")
        picked = [first.items[int(i)] for i in index.reshape(-1).tolist()]
        return as_value(picked, is_scalar=index.ndim == 0)
    if site.kind == "Slice" and isinstance(first, Sizes):
        start, end = (site.sizes(i, "range")[0] for i in (1, 2))
        step = (site.ints(4, "steps") or [1])[0]
        return as_value(first.items[start:end:step])
    return None


def _arithmetic(site: Site) -> Any:
    left, right = (_items(site, value) for value in site.inputs)
    length = max(len(left), len(right))
    if len(left) != len(right) and 1 not in (len(left), len(right)):
        site.refuse("combines sizes of different number")
    left, right = (side * length if len(side) == 1 else side for side in (left, right))
    function = _ARITHMETIC[site.kind]
    is_scalar = all(_is_scalar(value) for value in site.inputs)
    return as_value(
        [site.emit(function, a, b) for a, b in zip(left, right, strict=True)], is_scalar
    )


def _is_scalar(value: Any) -> bool:
    return value.is_scalar if isinstance(value, Sizes) else value.ndim == 0


def _items(site: Site, value: Any) -> list[int | fx.Node]:
    if isinstance(value, Sizes):
        return list(value.items)
    if isinstance(value, Tensor) and value.ndim <= 1 and value.dtype in (torch.int64, torch.int32):
        return [int(one) for one in value.reshape(-1).tolist()]
    site.refuse("mixes sizes with other values, which is not understood")
