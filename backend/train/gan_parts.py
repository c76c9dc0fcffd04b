"""What the trainings of adversaries share: optimizers, and a look at the discriminator."""

from __future__ import annotations

import torch
from torch import nn

from backend.train.edit_plan import EditPlan
from backend.train.plan import TrainError


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
    except RuntimeError as error:
        raise TrainError(
            f"The discriminator cannot score pictures of {height} x {width}. Give it fewer layers, "
            "or train on larger crops."
        ) from error
    module.train()


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
