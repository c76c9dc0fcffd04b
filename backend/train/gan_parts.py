"""What the trainings of adversaries share: optimizers, and a look at the discriminator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from backend.train.edit_plan import EditPlan
from backend.train.parts import can_use_channels_last
from backend.train.plan import TrainError


def placed(module: Any, device: str, *, channels_last: bool) -> Any:
    """Put a network (or None) where it is trained, in memory that suits it."""
    if module is None:
        return None
    module = module.to(device).train()
    if channels_last and can_use_channels_last(module):
        module.to(memory_format=torch.channels_last)
    return module


@torch.no_grad()
def require_readable(module: nn.Module, channels: int, size: tuple[int, int], device: str) -> None:
    """Let a discriminator score the smallest picture that it will see, of ``size`` (H, W).

    Raises:
        TrainError: it cannot.
    """
    height, width = size
    module.eval()
    try:
        module(torch.zeros(1, channels, height, width, device=device))
    except (RuntimeError, ValueError) as error:  # too small for a kernel, or for a norm
        raise TrainError(
            f"The discriminator cannot score pictures of {height} x {width}. Give it fewer layers, "
            "or train on larger crops."
        ) from error
    module.train()


def set_rates(optimizers: Iterable[torch.optim.Optimizer | None], rate: float) -> None:
    """Set the learning rates to ``rate`` times the full ones."""
    for optimizer in optimizers:
        for group in optimizer.param_groups if optimizer is not None else ():
            group["lr"] = group["initial_lr"] * rate


def descend(loss: Tensor, optimizer: torch.optim.Optimizer, clip: float | None) -> None:
    """Move what the optimizer trains along the gradient of ``loss``, cut to the norm ``clip``."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if clip is not None:
        trained = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(trained, clip)
    optimizer.step()


def let_learn(optimizer: torch.optim.Optimizer, value: bool) -> None:
    """Switch the gradients of what the optimizer trains; another's pass needs none of them."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.requires_grad_(value)


def make_adam(
    module: nn.Module, plan: EditPlan, lr: float, more: list[nn.Parameter] | None = None
) -> torch.optim.Optimizer:
    """Return Adam over what is not frozen; each group remembers its full rate."""
    trained = [p for p in module.parameters() if p.requires_grad] + list(more or ())
    if not trained:
        raise TrainError("The network has no weights to train; all of them are frozen.")
    optimizer = torch.optim.Adam(trained, lr, betas=(plan.beta1, plan.beta2))
    for group in optimizer.param_groups:
        group["initial_lr"] = lr
    return optimizer
