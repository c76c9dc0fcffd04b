"""A new last layer for a trained network, so that it can learn other classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from backend.models.errors import RecipeError
from backend.models.recipe import transform


def last_linear(module: nn.Module, outputs: int) -> str:
    """Return the name of the linear layer that gives the ``outputs`` logits of ``module``.

    Raises:
        RecipeError: the network does not end in a linear layer of that size.
    """
    names = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    if not names or module.get_submodule(names[-1]).out_features != outputs:
        raise RecipeError(
            f"The network does not end in a linear layer with {outputs} outputs, so its classes "
            "cannot be exchanged; use data with the classes that it was trained on."
        )
    return names[-1]


@transform("head.replace", version=1)
def replace_head(module: nn.Module, plan: dict[str, Any]) -> nn.Module:
    """Put a linear layer of ``plan["outputs"]`` logits in the place of ``plan["layer"]``.

    It starts at zero: the first gradient is that of a linear probe on the trained features.
    """
    parent, _, leaf = plan["layer"].rpartition(".")
    old = module.get_submodule(plan["layer"])
    new = nn.Linear(
        old.in_features, plan["outputs"], device=old.weight.device, dtype=old.weight.dtype
    )
    with torch.no_grad():
        new.weight.zero_()
        new.bias.zero_()
    setattr(module.get_submodule(parent) if parent else module, leaf, new)
    return module
