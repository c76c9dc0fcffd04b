"""How to train: one frozen value, and the learning rate as a function of the step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from backend.data.augment import Augment


class TrainError(ValueError):
    """Training that cannot start or go on; the message says why and what to change."""

    for_user = True


@dataclass(frozen=True)
class TrainPlan:
    """How to train: optimizer, schedule, regularisation. One value describes one training."""

    epochs: int = 10
    batch: int = 128
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = 0.05
    """Peak learning rate; with 0 only running statistics move."""
    momentum: float = 0.9
    """Of SGD."""
    nesterov: bool = True
    weight_decay: float = 5e-4
    """Of tensors with two or more axes; norms, biases and scalars are left alone."""
    schedule: Literal["cosine", "onecycle", "step", "linear", "constant"] = "cosine"
    warmup: float = 0.0
    """Epochs of linear rise before the schedule; ``onecycle`` brings its own."""
    milestones: tuple[float, ...] = (0.5, 0.75)
    """Of ``step``: parts of the training after which the rate falls."""
    gamma: float = 0.1
    """Of ``step``: factor by which it falls."""
    label_smoothing: float = 0.0
    ema: float | None = None
    """Decay of an average of the weights, which is then what is validated and kept."""
    augment: Augment | None = None
    clip: float | None = None
    """Largest norm of the gradient."""
    mixed: bool = False
    """Half-precision arithmetic where a CUDA device is used; without effect elsewhere."""
    channels_last: bool = True
    keep: Literal["best", "last"] = "best"
    """Weights at the end: of the best epoch by validation top-1, or of the last."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        bad = [name for name in ("epochs", "batch") if getattr(self, name) <= 0]
        bad += [name for name in ("lr", "weight_decay", "warmup") if getattr(self, name) < 0]
        bad += ["momentum"] * (not 0 <= self.momentum < 1)
        bad += ["label_smoothing"] * (not 0 <= self.label_smoothing < 1)
        bad += ["ema"] * (self.ema is not None and not 0 < self.ema < 1)
        bad += ["clip"] * (self.clip is not None and self.clip <= 0)
        bad += ["schedule"] * (self.schedule not in _SCHEDULES)
        bad += ["optimizer"] * (self.optimizer not in ("sgd", "adam", "adamw"))
        if bad:
            words = ", ".join(f"{name} = {getattr(self, name)}" for name in bad)
            raise TrainError(f"The training plan is out of bounds: {words}.")

    def rate(self, step: int, per_epoch: int) -> float:
        """Return the learning rate at ``step`` as a part of ``lr``."""
        total, rise = self.epochs * per_epoch, self.warmup * per_epoch
        if self.schedule == "onecycle":
            return _onecycle(step / total)
        if step < rise:
            return (step + 1) / (rise + 1)
        return _SCHEDULES[self.schedule](self, (step - rise) / max(total - rise, 1))


def _cosine(low: float, high: float, part: float) -> float:
    """Go from ``low`` at part 0 to ``high`` at part 1 on half a cosine."""
    return low + (high - low) * (1 - math.cos(math.pi * part)) / 2


def _onecycle(part: float) -> float:
    """Rise from 1/25 over 30 % of the training, fall to a ten-thousandth of that.

    Source: Smith, Topin, Super-convergence, 2017, sec. 3; the figures are those common since.
    """
    start, peak = 1 / 25, 0.3
    if part < peak:
        return _cosine(start, 1.0, part / peak)
    return _cosine(1.0, start * 1e-4, (part - peak) / (1 - peak))


_SCHEDULES: dict[str, Callable[[TrainPlan, float], float]] = {
    "cosine": lambda plan, part: _cosine(1.0, 0.0, part),
    "linear": lambda plan, part: 1 - part,
    "constant": lambda plan, part: 1.0,
    "step": lambda plan, part: plan.gamma ** sum(part >= m for m in plan.milestones),
    "onecycle": lambda plan, part: _onecycle(part),
}
