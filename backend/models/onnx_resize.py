"""The ONNX operator Resize: nn.Upsample where torch computes the same, else picked places.

Semantics: the ONNX operator specification of Resize, opsets 11 to 21.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from backend.models.onnx_graph import Site, operator_of

_MODES = {
    ("linear", 3): "linear",
    ("linear", 4): "bilinear",
    ("linear", 5): "trilinear",
    ("cubic", 4): "bicubic",
}
_CORNERS = {"half_pixel": False, "pytorch_half_pixel": False, "align_corners": True}
_CUBIC = -0.75


@operator_of("Resize")
def resize(site: Site) -> Any:
    """Resize the spatial dimensions by constant scales or to given sizes."""
    mode = site.attributes.get("mode", "nearest")
    for name in ("antialias", "exclude_outside"):
        if site.attributes.get(name, 0):
            site.refuse(f"uses {name}, which is not understood")
    if site.attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        site.refuse("keeps the aspect ratio, which is not understood")
    scales, sizes = _wanted(site)
    if mode == "nearest":
        return _nearest(site, scales, sizes)
    transform = site.attributes.get("coordinate_transformation_mode", "half_pixel")
    if (mode, site.rank()) not in _MODES or transform not in _CORNERS:
        site.refuse(
            f"in the mode {mode}, {transform} on {site.rank()} dimensions is not understood"
        )
    if mode == "cubic" and not math.isclose(site.attributes.get("cubic_coeff_a", _CUBIC), _CUBIC):
        site.refuse(f"uses another cubic_coeff_a than {_CUBIC}, which is not understood")
    return _upsample(site, _MODES[mode, site.rank()], scales, sizes, _CORNERS[transform])


def _wanted(site: Site) -> tuple[tuple[float, ...] | None, tuple[int | fx.Node, ...] | None]:
    """Return scales or sizes of the spatial dimensions, the other one None."""
    axes = site.attributes.get("axes")
    axes = list(range(site.rank())) if axes is None else [axis % site.rank() for axis in axes]
    scales = site.optional(2, "scales")
    if scales is not None:
        given: dict[int, Any] = dict(zip(axes, scales.tolist(), strict=True))
        full = [given.get(axis, 1.0) for axis in range(site.rank())]
        if full[:2] != [1.0, 1.0]:
            site.refuse("resizes batch or channels, which is not understood")
        return tuple(full[2:]), None
    given = dict(zip(axes, site.sizes(3, "sizes"), strict=True))
    known = site.shape()
    x = site.input(0)
    full = [given[i] if i in given else site.size(x, i, known[i]) for i in range(2, site.rank())]
    return None, tuple(full)


def _upsample(site: Site, mode: str, scales: Any, sizes: Any, align_corners: bool | None) -> Any:
    x = site.input(0)
    if sizes is not None and any(isinstance(one, fx.Node) for one in sizes):
        return site.emit(F.interpolate, x, sizes, mode=mode, align_corners=align_corners)
    return site.module(nn.Upsample(sizes, scales, mode, align_corners), x)


def _nearest(site: Site, scales: Any, sizes: Any) -> Any:
    transform = site.attributes.get("coordinate_transformation_mode", "half_pixel")
    rounding = site.attributes.get("nearest_mode", "round_prefer_floor")
    known = site.shape()[2:]
    is_known = all(one is not None for one in known) and (
        sizes is None or all(isinstance(one, int) for one in sizes)
    )
    if not is_known:
        if (transform, rounding) == ("asymmetric", "floor"):
            return _upsample(site, "nearest", scales, sizes, None)
        site.refuse(f"in the mode {transform}, {rounding} needs a picture of known size")
    outputs = sizes or tuple(int(n * s) for n, s in zip(known, scales, strict=True))
    factors = scales or tuple(o / n for o, n in zip(outputs, known, strict=True))
    places = [
        _places(site, n, o, s, transform, rounding)
        for n, o, s in zip(known, outputs, factors, strict=True)
    ]
    for mode in ("nearest", "nearest-exact"):
        if all(_torch_places(n, p, mode) == p for n, p in zip(known, places, strict=True)):
            return site.module(nn.Upsample(outputs, mode=mode), site.input(0))
    x = site.input(0)
    for i, picked in enumerate(places):
        x = site.emit(torch.index_select, x, 2 + i, torch.tensor(picked))
    return x


def _places(
    site: Site, length: int, output: int, scale: float, transform: str, rounding: str
) -> list[int]:
    """Return which place of the input each place of the output takes."""
    if transform == "align_corners":
        step = (length - 1) / (output - 1) if output > 1 else 0.0
        exact = [i * step for i in range(output)]
    elif transform == "asymmetric":
        exact = [i / scale for i in range(output)]
    elif transform in {"half_pixel", "pytorch_half_pixel"}:
        exact = [(i + 0.5) / scale - 0.5 for i in range(output)]
        if output == 1 and transform == "pytorch_half_pixel":
            exact = [0.0]
    else:
        site.refuse(f"uses the coordinates {transform}, which are not understood")
    rounded = {
        "floor": math.floor,
        "ceil": math.ceil,
        "round_prefer_floor": lambda x: math.ceil(x - 0.5),
        "round_prefer_ceil": lambda x: math.floor(x + 0.5),
    }[rounding]
    return [min(max(rounded(x), 0), length - 1) for x in exact]


def _torch_places(length: int, places: list[int], mode: str) -> list[int]:
    line = torch.arange(length, dtype=torch.float32).reshape(1, 1, length)
    return F.interpolate(line, len(places), mode=mode).reshape(-1).int().tolist()
