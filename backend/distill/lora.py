"""Low-rank adapters on convolutions and linear layers, through peft.

Plans of ranks are dictionaries from a layer's full name to its rank. They are handed to peft as
anchored patterns, so that a rank never reaches a layer whose name merely ends alike.

Convolutions k x k know two forms, see :data:`Form`. Tensors of either have the rank first in A and
second in B, so stacking, growing and loading need not ask which form it is: ``conv`` has
A (r, in, k, k) and B (out, r, 1, 1), ``matrix`` has A (r, k, in k) and B (out, r, k, k), which are
the matrices (r k, in k) and (out k, r k) of :func:`factors`.
Source: Hu et al., LoRA, ICLR 2022; Gong et al., E2GAN, ICML 2024, sec. 3.3.
"""

from __future__ import annotations

import copy
import re
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from backend.models.errors import RecipeError
from backend.models.recipe import transform

ADAPTER = "concept"
CRUCIAL = ("down", "ds", "tb", "us", "up")
"""Parts that get adapters: all but the residual blocks. Source: E2GAN, fig. 3."""

Form = Literal["conv", "matrix"]
"""How the change of a k x k kernel is factored; linear layers know one form.

``conv``: a k x k convolution to r channels and a 1 x 1 one from them, r (k^2 in + out) numbers.
Source: peft. ``matrix``: the kernel as a matrix (out k, in k) of rank r k at most, the product of
(out k, r k) and (r k, in k), r k^2 (in + out) numbers. Source: loralib.
"""


class AdapterError(ValueError):
    """An adapter that cannot be made or loaded; the message names the layer and the remedy."""

    for_user = True


def adaptable(module: nn.Module, groups: Iterable[str] = CRUCIAL) -> dict[str, nn.Module]:
    """Return the layers of ``groups`` (names of children) that can carry an adapter.

    Raises:
        AdapterError: a transposed or grouped convolution among them, or no layer at all.
    """
    found: dict[str, nn.Module] = {}
    for name, part in module.named_modules():
        if name.split(".")[0] not in set(groups):
            continue
        if isinstance(part, nn.ConvTranspose2d):
            raise AdapterError(
                f'"{name}" is a transposed convolution, which adapters do not support. '
                "Use a generator that up-samples by nearest neighbour and a convolution."
            )
        if isinstance(part, nn.Conv2d | nn.Linear):
            if getattr(part, "padding_mode", "zeros") != "zeros" or _is_dilated(part):
                raise AdapterError(
                    f'"{name}" pads or spaces its kernel in a way that adapters do not take over. '
                    "Put the padding into a module of its own, or leave its part out."
                )
            if getattr(part, "groups", 1) > 1:
                raise AdapterError(
                    f'"{name}" is a grouped convolution; an adapter on it cannot be merged. '
                    "Leave its part out."
                )
            found[name] = part
    if not found:
        raise AdapterError(f"No layer of {', '.join(groups)} can carry an adapter.")
    return found


def _is_dilated(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and set(layer.dilation) != {1}


def most_rank(layer: nn.Module, form: Form = "conv") -> int:
    """Return the rank above which a layer gains nothing: min(in k^2, out), or min(in, out)."""
    out, inputs = layer.weight.shape[:2]
    return min(out, inputs if form == "matrix" else layer.weight[0].numel())


def parameters_of(layer: nn.Module, rank: int, form: Form = "conv") -> int:
    """Return the numbers of an adapter: r (k^2 in + out), or r k^2 (in + out)."""
    out, inputs = layer.weight.shape[0], layer.weight[0].numel()
    if form == "matrix":
        out *= layer.weight[0, 0].numel()
    return rank * (out + inputs)


def count(layers: Mapping[str, nn.Module], ranks: Mapping[str, int], form: Form = "conv") -> int:
    """Return the number of adapter parameters of a rank plan."""
    return sum(parameters_of(layers[name], rank, form) for name, rank in ranks.items())


def rank_plan(
    layers: Mapping[str, nn.Module], wanted: Mapping[str, int] | int, form: Form = "conv"
) -> dict[str, int]:
    """Return a rank for each layer, at least 1 and capped where a layer cannot use more.

    ``wanted`` is one rank for all, or ranks by layer or by part (the first word of the name).
    """
    ranks = {}
    for name, layer in layers.items():
        if isinstance(wanted, int):
            rank = wanted
        else:
            rank = wanted.get(name, wanted.get(name.split(".")[0], 0))
        if rank > 0:
            ranks[name] = min(rank, most_rank(layer, form))
    return ranks


@transform("lora.attach", version=1)
def attach(module: nn.Module, plan: dict[str, Any]) -> nn.Module:
    """Add adapters of ``plan["ranks"]`` (layer -> rank) at scale ``plan["scale"]``.

    ``plan["form"]`` is that of convolutions, ``conv`` where it is not there. B is zero at the
    start, so the output does not change. Only adapters can be trained afterwards.

    Raises:
        RecipeError: a layer is missing, cannot have the form, or got another rank than planned.
    """
    from peft import LoraConfig, inject_adapter_in_model

    ranks: dict[str, int] = plan["ranks"]
    known = dict(module.named_modules())
    missing = [name for name in ranks if name not in known]
    if missing or not ranks:
        raise RecipeError(
            f'The adapter is for a layer "{missing[0]}", which this network does not have.'
            if missing
            else "An adapter needs at least one layer with a rank."
        )
    scale = float(plan.get("scale", 1.0))
    patterns = {f"^{re.escape(name)}$": rank for name, rank in ranks.items()}
    config = LoraConfig(
        r=1,
        lora_alpha=scale,
        target_modules="^(" + "|".join(re.escape(name) for name in ranks) + ")$",
        rank_pattern=patterns,
        alpha_pattern={key: scale * rank for key, rank in patterns.items()},
        lora_dropout=0.0,
        bias="none",
    )
    _choose_form(config, str(plan.get("form", "conv")), [known[name] for name in ranks])
    adapted = inject_adapter_in_model(config, module, adapter_name=ADAPTER)
    for name, rank in ranks.items():
        got = adapted.get_submodule(name).r.get(ADAPTER)
        if got != rank:
            raise RecipeError(f'The layer "{name}" got the rank {got} instead of {rank}.')
    return adapted


def _choose_form(config: Any, form: str, layers: Iterable[nn.Module]) -> None:
    """Tell peft which module carries the adapter of a convolution."""
    if form == "conv":
        return
    if form != "matrix":
        raise RecipeError(f'There is no form "{form[:20]}" of adapters on convolutions.')
    for layer in layers:
        if isinstance(layer, nn.Conv2d) and layer.kernel_size[0] != layer.kernel_size[1]:
            raise RecipeError(
                f"A kernel of {layer.kernel_size[0]} x {layer.kernel_size[1]} is no square, which "
                "an adapter of two matrices needs; choose the other form."
            )
    from backend.distill.lora_matrix import matrix_conv

    config._register_custom_module({nn.Conv2d: matrix_conv()})


def fuse(module: nn.Module) -> nn.Module:
    """Let each adapted layer add its change to its weight, then work once; return ``module``.

    W x + B A x as (W + B A) x: a step of training is quicker, since no layer works twice, and sees
    what the merged network will compute. Names, tensors and what can be trained stay.
    """
    for _, layer in _adapted(module):
        layer.forward = types.MethodType(_forward_fused, layer)
    return module


def _forward_fused(layer: Any, x: Tensor) -> Tensor:
    base = layer.get_base_layer()
    a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
    weight = base.weight + delta(a, b, tuple(base.weight.shape), layer.scaling[ADAPTER])
    if isinstance(base, nn.Conv2d):
        return F.conv2d(x, weight, base.bias, base.stride, base.padding)
    return F.linear(x, weight, base.bias)


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the adapter parameters, by name.

    Raises:
        AdapterError: something else can be trained too; it was switched on by mistake.
    """
    found = {n: p for n, p in module.named_parameters() if p.requires_grad}
    wrong = [name for name in found if f".{ADAPTER}." not in name]
    if wrong:
        raise AdapterError(
            f'"{wrong[0]}" would be trained beside the adapters; freeze the base network.'
        )
    return found


def adapter_state(module: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the adapters' tensors: ``layer.A`` and ``layer.B``."""
    return {
        f"{name}.{part}": getattr(layer, attribute)[ADAPTER].weight.detach().clone()
        for name, layer in _adapted(module)
        for part, attribute in (("A", "lora_A"), ("B", "lora_B"))
    }


def load_adapter_state(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put tensors that :func:`adapter_state` gave into a network with the same adapters.

    Raises:
        AdapterError: a tensor is missing, unknown, or of another shape.
    """
    own = {
        f"{name}.{part}": getattr(layer, attribute)[ADAPTER].weight
        for name, layer in _adapted(module)
        for part, attribute in (("A", "lora_A"), ("B", "lora_B"))
    }
    if set(own) != set(state):
        odd = sorted(set(own) ^ set(state))[0]
        raise AdapterError(f'The adapter does not fit this network: "{odd}" is on one side only.')
    with torch.no_grad():
        for name, tensor in own.items():
            if tensor.shape != state[name].shape:
                raise AdapterError(
                    f'"{name}" is {tuple(state[name].shape)} in the adapter, '
                    f"{tuple(tensor.shape)} here; it belongs to another plan of ranks."
                )
            tensor.copy_(state[name])


def load_grown(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put an adapter of lower ranks into fresh adapters; the output is that of the smaller one.

    New rows of A stay as they were drawn, new columns of B are zero: at the moment of growth they
    add nothing. Layers that the smaller adapter does not have stay fresh.

    Raises:
        AdapterError: a layer of ``state`` is not adapted here, or has a lower rank here.
    """
    own = adapter_state(module)
    for name, tensor in state.items():
        there = own[name].shape if name in own else ()
        if len(there) != tensor.ndim or any(map(int.__lt__, there, tensor.shape)):
            raise AdapterError(f'"{name}" cannot be grown from {tuple(tensor.shape)} to this plan.')
        if name.endswith(".B"):
            own[name].zero_()
        own[name][tuple(slice(n) for n in tensor.shape)] = tensor
    load_adapter_state(module, own)


def deltas(module: nn.Module) -> dict[str, Tensor]:
    """Return what each adapter adds to its layer's weight."""
    return {name: layer.get_delta_weight(ADAPTER).detach() for name, layer in _adapted(module)}


def delta(a: Tensor, b: Tensor, shape: tuple[int, ...], scale: float = 1.0) -> Tensor:
    """Return scale * B A of the ``shape`` of a layer's weight, from tensors A and B."""
    a, b = factors(a, b)
    return scale * (b @ a).reshape(shape)


def factors(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return tensors A and B of a layer as matrices; B A is its change once it is reshaped.

    Of the form ``conv`` and of linear layers (r, in k^2) and (out, r), of ``matrix`` (r k, in k)
    and (out k, r k).
    """
    if a.ndim == 3:
        return a.flatten(0, 1), b.transpose(1, 2).flatten(2).flatten(0, 1)
    return a.flatten(1), b.flatten(1)


def merged(module: nn.Module) -> nn.Module:
    """Return a copy of the base network with the adapters added in float32 or more."""
    network = copy.deepcopy(module)
    for name, layer in list(_adapted(network)):
        base = layer.get_base_layer()
        with torch.no_grad():
            wide = torch.promote_types(base.weight.dtype, torch.float32)
            weight = base.weight.to(wide) + layer.get_delta_weight(ADAPTER).to(wide)
            base.weight.copy_(weight.to(base.weight.dtype))
        parent, _, child = name.rpartition(".")
        setattr(network.get_submodule(parent), child, base)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    return network


def save_adapter(
    path: Path, state: Mapping[str, Tensor], ranks: Mapping[str, int], **about: str
) -> None:
    """Write adapters as one safetensors file, ranks and ``about`` in its header."""
    import json

    tensors = {name: tensor.contiguous().cpu() for name, tensor in state.items()}
    save_file(tensors, path, {"ranks": json.dumps(dict(ranks)), **about})


def load_adapter(path: Path) -> dict[str, Tensor]:
    """Read the tensors that :func:`save_adapter` wrote.

    Raises:
        AdapterError: no readable file.
    """
    try:
        return load_file(path)
    except Exception as error:
        raise AdapterError(f'"{path.name}" is no adapter that can be read ({error}).') from error


def blend(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Return an adapter whose delta is (1 - share) of ``first`` and ``share`` of ``second``.

    Ranks are stacked: A = [A1; A2], B = [(1 - s) B1, s B2]. Averaging A and B themselves would mix
    products that belong to neither concept. Where one has convolutions of the form ``matrix``, the
    other is brought into it.
    """
    if "matrix" in (form_of(first), form_of(second)):
        first, second = as_matrices(first), as_matrices(second)
    mixed: dict[str, Tensor] = {}
    names = {key.rpartition(".")[0] for key in (*first, *second)}
    for name in sorted(names):
        sides = [(s, w) for s, w in ((first, 1 - share), (second, share)) if f"{name}.A" in s]
        mixed[f"{name}.A"] = torch.cat([side[f"{name}.A"] for side, _ in sides], 0)
        mixed[f"{name}.B"] = torch.cat([side[f"{name}.B"] * w for side, w in sides], 1)
    return mixed


def ranks_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    """Return the rank of each layer of an adapter."""
    return {k.rpartition(".")[0]: t.shape[0] for k, t in state.items() if k.endswith(".A")}


def form_of(state: Mapping[str, Tensor]) -> Form:
    """Return the form of an adapter's convolutions; ``conv`` where it has none."""
    return "matrix" if any(k.endswith(".A") and t.ndim == 3 for k, t in state.items()) else "conv"


def as_matrices(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return an adapter with its convolutions in the form ``matrix``, of equal ranks and changes.

    A (r, in k^2) is (r k, in k) as it lies in memory; B takes k times its rows and columns, its
    numbers on diagonals. The other way there is no such low rank.
    """
    found = dict(state)
    for key, a in state.items():
        if key.endswith(".A") and a.ndim == 4:
            name, side = key[:-2], a.shape[2]
            found[key] = a.reshape(len(a), side, -1)
            found[f"{name}.B"] = state[f"{name}.B"] * torch.eye(side).to(a)
    return found


def ranks_by_energy(
    before: nn.Module,
    after: nn.Module,
    layers: Iterable[str],
    share: float = 0.9,
    form: Form = "conv",
) -> dict[str, int]:
    """Return the smallest ranks that keep ``share`` of the energy of a full fine-tune's change."""
    ranks = {}
    for name in layers:
        weight = before.get_submodule(name).weight
        change = (after.get_submodule(name).weight - weight).detach().float()
        side = weight.shape[2] if form == "matrix" and weight.ndim == 4 else 1
        singular = torch.linalg.svdvals(change.reshape(len(weight) * side, -1))
        energy = singular.square().cumsum(0)
        if energy[-1] > 0:
            needed = int((energy < share * energy[-1]).sum()) + 1
            ranks[name] = -(-needed // side)
    return ranks


def _adapted(module: nn.Module) -> Iterable[tuple[str, Any]]:
    for name, part in module.named_modules():
        if hasattr(part, "lora_A") and ADAPTER in part.lora_A:
            yield name, part
