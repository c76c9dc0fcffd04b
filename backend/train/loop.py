"""The training loop; see :func:`fit`."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from backend.core.context import Context
from backend.data import counter
from backend.data.manifest import ImageSet
from backend.data.preprocess import ImageInput
from backend.metrics import classify
from backend.models.seeded import seeded
from backend.train.parts import (
    Average,
    CrossEntropy,
    OptimizerState,
    Precision,
    can_use_channels_last,
    decay_groups,
    make_optimizer,
)
from backend.train.plan import TrainError, TrainPlan

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]

# Curves need no more points than a screen has pixels.
_METRICS = 2_000


@dataclass(frozen=True)
class Moment:
    """Where training is, for a hook: the step about to be done or just done."""

    step: int
    total: int
    epoch: int
    module: nn.Module
    optimizer: torch.optim.Optimizer


@dataclass(frozen=True)
class Epoch:
    """Figures of one epoch: mean loss, last learning rate; validation in percent and nats."""

    epoch: int
    loss: float
    lr: float
    val_top1: float | None = None
    val_loss: float | None = None


@dataclass(frozen=True)
class Hooks:
    """What a method adds to the loop. A hook's own memory belongs in the ``state`` of ``fit``."""

    before_step: Callable[[Moment], None] | None = None
    after_step: Callable[[Moment], None] | None = None
    after_epoch: Callable[[Moment, Epoch], None] | None = None


@dataclass(frozen=True)
class History:
    """What happened: one entry an epoch, and which epoch's weights were kept (None: the last)."""

    epochs: tuple[Epoch, ...]
    kept: int | None
    steps: int


NO_HOOKS = Hooks()


def fit(
    ctx: Context,
    module: nn.Module,
    train: ImageSet,
    val: ImageSet | None,
    image: ImageInput,
    plan: TrainPlan,
    *,
    loss: Loss | None = None,
    parameters: list[dict[str, Any]] | None = None,
    hooks: Hooks = NO_HOOKS,
    state: Mapping[str, Any] | None = None,
    every: str | int = "60s",
) -> History:
    """Train ``module`` in place on ``ctx.device`` and leave it in evaluation mode.

    Every epoch is a new order of ``train`` cut into full batches; pictures left over wait for the
    next. Order, augmentation and dropout derive from ``ctx.seed``. Training that was stopped goes
    on from its checkpoint bit for bit as if it had not been. Metrics: ``loss`` and ``lr`` at about
    2,000 steps; ``val_top1`` and ``val_loss`` at the last step of each epoch.

    Args:
        ctx: gives seed and device, takes metrics, keeps checkpoints.
        module: (N, C, H, W) float32 to logits (N, K).
        train: pictures to learn from.
        val: pictures that choose the best epoch; None keeps the last.
        image: how pictures become the input of ``module``.
        plan: how to train.
        loss: (module, inputs (N, C, H, W), labels (N,)) to a scalar; cross entropy if None.
        parameters: groups as torch's optimizers take them; their ``lr`` is a peak, too.
        hooks: called around steps and epochs.
        state: what hooks and loss change, kept in checkpoints; as in ``ctx.loop``.
        every: time or steps between checkpoints; as in ``ctx.loop``.

    Raises:
        TrainError: nothing to train, too few outputs, or a loss that is not finite.
    """
    with seeded(ctx.seed, ctx.device):
        training = _Training(ctx, module, train, val, image, plan, loss, parameters, hooks)
        for step in ctx.loop(training.total, {**training.state, **(state or {})}, every):
            training.step(step)
        return training.finish()


class _Training:
    """The parts of one call of ``fit`` and what they remember between steps."""

    def __init__(
        self,
        ctx: Context,
        module: nn.Module,
        train: ImageSet,
        val: ImageSet | None,
        image: ImageInput,
        plan: TrainPlan,
        loss: Loss | None,
        parameters: list[dict[str, Any]] | None,
        hooks: Hooks,
    ) -> None:
        self.ctx, self.plan, self.hooks = ctx, plan, hooks
        self.val, self.image = val, image
        self.module = module.to(ctx.device).train()
        if plan.channels_last and not can_use_channels_last(module):
            self.plan = plan = replace(plan, channels_last=False)
        if plan.channels_last:
            self.module.to(memory_format=torch.channels_last)
        self.batches = _Batches(train, image, plan, ctx)
        self.loss = loss or CrossEntropy(plan.label_smoothing, int(train.labels.max()))
        self.optimizer = make_optimizer(plan, parameters or decay_groups(module, plan))
        self.precision = Precision(plan.mixed, ctx.device)
        self.average = Average(module, plan.ema) if plan.ema else None
        self.best: dict[str, Any] = {}
        self.progress: dict[str, Any] = {"loss_sum": 0.0, "epochs": []}
        self.total = plan.epochs * self.batches.per_epoch
        self.metric_steps = max(1, self.total // _METRICS)

    @property
    def state(self) -> dict[str, Any]:
        """What a step changes, for checkpoints; named apart from what hooks keep."""
        state = {
            "fit.module": self.module,
            "fit.optimizer": OptimizerState(self.optimizer),
            "fit.scaler": self.precision.scaler,
            "fit.best": self.best,
            "fit.progress": self.progress,
        }
        return state if self.average is None else state | {"fit.average": self.average.module}

    def step(self, step: int) -> None:
        """Do one step, and at the end of an epoch its validation."""
        per_epoch = self.batches.per_epoch
        epoch, place = divmod(step, per_epoch)
        moment = Moment(step, self.total, epoch, self.module, self.optimizer)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * self.plan.rate(step, per_epoch)
        if self.hooks.before_step:
            self.hooks.before_step(moment)
        value = self._descend(step)
        self.progress["loss_sum"] += value
        if self.hooks.after_step:
            self.hooks.after_step(moment)
        if self.average is not None:  # after the hook, which may mask weights
            self.average.update(self.module, step)
        lr = self.optimizer.param_groups[0]["lr"]
        if step % self.metric_steps == 0 or step + 1 == self.total:
            self.ctx.metric(step, loss=value, lr=lr)
        if place + 1 == per_epoch:
            self._end_epoch(moment, lr)

    def finish(self) -> History:
        """Put the weights to keep into the module."""
        if self.best:
            self.module.load_state_dict(self.best["weights"])
        elif self.average is not None:
            self.module.load_state_dict(self.average.module.state_dict())
        self.module.to(memory_format=torch.contiguous_format)
        self.module.eval()
        epochs = tuple(Epoch(**row) for row in self.progress["epochs"])
        return History(epochs, self.best.get("epoch"), self.total)

    def _descend(self, step: int) -> float:
        """Take one step down the gradient; return the loss."""
        inputs, labels = self.batches.at(step)
        self.optimizer.zero_grad(set_to_none=True)
        with self.precision.cast():
            loss = self.loss(self.module, inputs, labels)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainError(
                f"The loss became {value} at step {step + 1} of {self.total}. Lower the learning "
                f"rate ({self.optimizer.param_groups[0]['lr']:.3g} here), add warm-up epochs or "
                "clip the gradient."
            )
        scaler = self.precision.scaler
        scaler.scale(loss).backward()
        if self.plan.clip is not None:
            scaler.unscale_(self.optimizer)
            groups = self.optimizer.param_groups
            nn.utils.clip_grad_norm_([p for g in groups for p in g["params"]], self.plan.clip)
        scaler.step(self.optimizer)
        scaler.update()
        return value

    def _end_epoch(self, moment: Moment, lr: float) -> None:
        loss = self.progress["loss_sum"] / self.batches.per_epoch
        self.progress["loss_sum"] = 0.0
        row = Epoch(moment.epoch, loss, lr)
        if self.val is not None:
            judged = self.module if self.average is None else self.average.module
            found = classify(judged, self.val, self.image, device=self.ctx.device)
            row = Epoch(moment.epoch, loss, lr, found.top1, found.loss)
            self.ctx.metric(moment.step, val_top1=found.top1, val_loss=found.loss)
            score = [found.top1, -found.loss]  # the loss decides between equals
            if self.plan.keep == "best" and score > self.best.get("score", [-1.0]):
                weights = copy.deepcopy(judged.state_dict())
                self.best.update(score=score, epoch=moment.epoch, weights=dict(weights))
        self.progress["epochs"].append(asdict(row))
        if self.hooks.after_epoch:
            self.hooks.after_epoch(moment, row)


class _Batches:
    """The batch of every step, a function of the seed and the step."""

    def __init__(self, train: ImageSet, image: ImageInput, plan: TrainPlan, ctx: Context) -> None:
        if len(train) == 0:
            raise TrainError("There are no pictures to train on; choose data that have some.")
        self.train, self.image, self.plan = train, image, plan
        self.seed, self.device = ctx.seed, ctx.device
        self.size = min(plan.batch, len(train))
        self.per_epoch = len(train) // self.size
        self._epoch = -1

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Return inputs (B, C, H, W) float32 and labels (B,) int64 on the device."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._order = counter.permutation(len(self.train), self.seed, "order", epoch)
            self._epoch = epoch
        chosen = self._order[place * self.size : (place + 1) * self.size]
        pixels = self.train.take(chosen)
        if self.plan.augment is not None:
            pixels = self.plan.augment(pixels, chosen, self.seed, epoch)
        inputs = self.image.batch(pixels, self.device)
        if not self.plan.channels_last:
            # clone, since a grey picture in channels_last strides counts as contiguous, too
            inputs = inputs.clone(memory_format=torch.contiguous_format)
        return inputs, torch.from_numpy(self.train.labels[chosen]).to(self.device)
