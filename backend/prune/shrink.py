"""Builds a network with fewer channels: the transform ``shrink.channels``.

Its plan states the result: the surviving indices of each module's channels, and modules that go.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from backend.models.errors import RecipeError
from backend.models.inception import InceptionBlock
from backend.models.recipe import transform
from backend.models.spade import InceptionSpade, SpadeBlock
from backend.prune.channels import Channels

_BRANCHED = (InceptionBlock, SpadeBlock, InceptionSpade)


def shrink_plan(channels: Channels, keep: Mapping[str, list[int]]) -> dict[str, Any]:
    """Return the plan that keeps the indices ``keep`` of each group.

    Groups that are not named keep all. The plan is JSON: ``{"modules": {name: {axis: indices}},
    "remove": [names]}`` with axes ``out``, ``in``, ``norm`` and ``depthwise``.
    """
    parts: dict[tuple[str, str], dict[int, list[int]]] = {}
    remove = set()
    for group in channels.groups.values():
        kept = keep.get(group.name, list(range(group.width)))
        for module, axis, offset in group.cuts:
            parts.setdefault((module, axis), {})[offset] = [offset + i for i in kept]
        if not kept:
            remove.add(group.cuts[0][0].rsplit(".", 1)[0])
    for one in channels.tied:
        full = channels.groups[one.to].width
        count = round(len(keep[one.to]) * one.part) if one.to in keep else round(full * one.part)
        for module, axis, offset in one.cuts:
            parts.setdefault((module, axis), {})[offset] = [offset + i for i in range(count)]
    modules: dict[str, dict[str, list[int]]] = {}
    for (module, axis), pieces in parts.items():
        if any(module == gone or module.startswith(gone + ".") for gone in remove):
            continue
        indices = [i for offset in sorted(pieces) for i in pieces[offset]]
        modules.setdefault(module, {})[axis] = indices
    return {"modules": modules, "remove": sorted(remove)}


@transform("shrink.channels", version=1)
def shrink_channels(module: nn.Module, plan: dict[str, Any]) -> nn.Module:
    """Slice every tensor to the surviving channels and take out branches that are gone.

    Raises:
        RecipeError: the plan names a layer that the network does not have.
    """
    network = copy.deepcopy(module)
    gone: set[str] = set()
    for name in plan["remove"]:
        if not _is_below(name, gone):
            gone |= _remove(network, name)
    for name, axes in plan["modules"].items():
        if _is_below(name, gone):
            continue
        try:
            part = network.get_submodule(name)
        except AttributeError as error:
            raise RecipeError(
                f'The plan prunes "{name}", which this network does not have; plan it again.'
            ) from error
        _slice(name, part, axes)
    return network


def _is_below(name: str, parts: set[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def _remove(network: nn.Module, name: str) -> set[str]:
    """Take out a branch; return the names of what goes with the last one of its block."""
    block_name, _, rest = name.rpartition(".branches.")
    try:
        block = network.get_submodule(block_name)
    except AttributeError:
        block = None
    if not isinstance(block, _BRANCHED) or rest not in block.branches:
        raise RecipeError(f'"{name}" is no branch of an inception block and cannot vanish.')
    del block.branches[rest]
    if len(block.branches) or isinstance(block, InceptionSpade):
        return set()
    if isinstance(block, SpadeBlock):
        block.spade = nn.Identity()  # its norm has nothing to feed
        return {f"{block_name}.spade"}
    del block.norm_pw
    return {f"{block_name}.norm_pw"}


def _slice(name: str, part: nn.Module, axes: Mapping[str, list[int]]) -> None:
    if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
        _slice_conv(part, axes)
    elif isinstance(part, nn.BatchNorm2d | nn.InstanceNorm2d):
        kept = axes["norm"]
        for tensor in ("weight", "bias", "running_mean", "running_var"):
            _put(part, tensor, 0, kept)
        part.num_features = len(kept)
    elif axes:
        raise RecipeError(f'"{name}" ({type(part).__name__}) has no channels to prune.')


def _slice_conv(conv: nn.Conv2d | nn.ConvTranspose2d, axes: Mapping[str, list[int]]) -> None:
    if "depthwise" in axes:
        kept = axes["depthwise"]
        _put(conv, "weight", 0, kept)
        _put(conv, "bias", 0, kept)
        conv.in_channels = conv.out_channels = conv.groups = len(kept)
        return
    turned = isinstance(conv, nn.ConvTranspose2d)  # its weight is (in, out, kh, kw)
    if "out" in axes:
        _put(conv, "weight", 1 if turned else 0, axes["out"])
        _put(conv, "bias", 0, axes["out"])
        conv.out_channels = len(axes["out"])
    if "in" in axes:
        _put(conv, "weight", 0 if turned else 1, axes["in"])
        conv.in_channels = len(axes["in"])


def _put(part: nn.Module, name: str, axis: int, kept: list[int]) -> None:
    if parametrize.is_parametrized(part, name):
        _put_spectral(part.parametrizations[name], axis, kept)
        return
    tensor: Tensor | None = getattr(part, name, None)
    if tensor is None:
        return
    index = torch.tensor(kept, dtype=torch.long, device=tensor.device)
    sliced = tensor.detach().index_select(axis, index).clone()
    if isinstance(tensor, nn.Parameter):
        setattr(part, name, nn.Parameter(sliced, requires_grad=tensor.requires_grad))
    else:
        setattr(part, name, sliced)


def _put_spectral(made: nn.Module, axis: int, kept: list[int]) -> None:
    """Slice a kernel under spectral norm, and the singular vectors that were found so far."""
    kernel = made.original
    index = torch.tensor(kept, dtype=torch.long, device=kernel.device)
    made.original = nn.Parameter(kernel.detach().index_select(axis, index).clone())
    norm = made[0]
    vector = norm._u if axis == 0 else norm._v.view(kernel.shape[1], -1)
    sliced = vector.index_select(0, index).flatten()
    sliced = sliced / sliced.norm().clamp_min(norm.eps)
    if axis == 0:
        norm._u = sliced
    else:
        norm._v = sliced
