"""The parts of a training step: loss, optimizer, precision, average of the weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.train.plan import TrainError, TrainPlan


class CrossEntropy:
    """Cross entropy of the logits, with label smoothing."""

    def __init__(self, smoothing: float, largest: int) -> None:
        self.smoothing = smoothing
        self.largest = largest

    def __call__(self, module: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss of the logits that ``module`` gives to ``inputs`` (N, C, H, W).

        Raises:
            TrainError: the network has too few outputs.
        """
        logits = module(inputs)
        if logits.ndim != 2 or logits.shape[1] <= self.largest:
            raise TrainError(
                f"The network answers with the shape {tuple(logits.shape)}, but the data need "
                f"(N, K) with K of {self.largest + 1} or more; choose its number of classes."
            )
        return F.cross_entropy(logits, labels, label_smoothing=self.smoothing)


class Average:
    """A copy of a network whose weights follow the mean of the recent ones.

    Source: Polyak, Juditsky, Acceleration of stochastic approximation by averaging, 1992, in the
    exponential form.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move towards the weights of ``module`` after ``step``."""
        # Early on a long memory would be one of the random start.
        decay = min(self.decay, (1 + step) / (10 + step))
        pairs = [*zip(self.module.parameters(), module.parameters(), strict=True)]
        pairs += [*zip(self.module.buffers(), module.buffers(), strict=True)]
        for mean, value in pairs:
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)


class OptimizerState:
    """An optimizer whose restored tensors lie in memory as its parameters do.

    A checkpoint makes tensors contiguous. Arithmetic between two layouts takes another path through
    the processor, which is slower and need not round as in the training that was not stopped.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    def state_dict(self) -> dict[str, Any]:
        """Return what the optimizer remembers."""
        return self.optimizer.state_dict()

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over what another remembered."""
        self.optimizer.load_state_dict(saved)
        for parameter, entries in self.optimizer.state.items():
            for name, value in entries.items():
                if isinstance(value, Tensor) and value.ndim > 1 and value.shape == parameter.shape:
                    entries[name] = torch.empty_like(parameter).copy_(value)


class Precision:
    """Half precision on CUDA, bfloat16 if the device has it; else nothing."""

    def __init__(self, wanted: bool, device: str) -> None:
        self.enabled = wanted and torch.device(device).type == "cuda"
        wide = self.enabled and torch.cuda.is_bf16_supported()
        self.dtype = torch.bfloat16 if wide else torch.float16
        # float16 underflows without scaling; bfloat16 has the range of float32.
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.enabled and not wide)

    def cast(self) -> torch.autocast:
        """Return the context for a forward pass."""
        return torch.autocast("cuda", dtype=self.dtype, enabled=self.enabled)


def can_use_channels_last(module: nn.Module) -> bool:
    """Whether training ``module`` in channels_last memory is safe.

    The backward pass of a strided 1x1 convolution with fewer than eight input channels a group
    writes past its buffers there (torch 2.13 on CPUs with AVX2: heap corruption).
    """
    return not any(
        isinstance(part, nn.Conv2d)
        and part.kernel_size == (1, 1)
        and max(part.stride) > 1
        and part.in_channels // part.groups < 8
        for part in module.modules()
    )


def decay_groups(module: nn.Module, plan: TrainPlan) -> list[dict[str, Any]]:
    """Return the weights that are not frozen in two groups: decayed, and not (below two axes).

    Raises:
        TrainError: all are frozen.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    if not trained:
        raise TrainError("The network has no weights to train; all of them are frozen.")
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": plan.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def make_optimizer(plan: TrainPlan, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Return the optimizer of ``plan``; each group remembers its peak rate as ``initial_lr``."""
    common = {"lr": plan.lr, "weight_decay": plan.weight_decay}
    optimizer: torch.optim.Optimizer
    if plan.optimizer == "sgd":
        nesterov = plan.nesterov and plan.momentum > 0
        optimizer = torch.optim.SGD(groups, momentum=plan.momentum, nesterov=nesterov, **common)
    else:
        kind = torch.optim.Adam if plan.optimizer == "adam" else torch.optim.AdamW
        optimizer = kind(groups, **common)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer
