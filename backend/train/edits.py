"""Training of generators on pairs of pictures; see :func:`fit_edits`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.core.context import Context
from backend.data.preprocess import ImageInput
from backend.distill.gan_losses import discriminator_loss, feature_matching, generator_loss
from backend.train.edit_batches import EditBatches, PairSource, to_signed
from backend.train.edit_judge import EditJudge
from backend.train.edit_plan import EditPlan
from backend.train.parts import Average, OptimizerState, can_use_channels_last
from backend.train.plan import TrainError

# Curves need no more points than a screen has pixels.
_METRICS = 2_000

Distance = Callable[[Tensor, Tensor], Tensor]
Extra = Callable[[Tensor, Tensor], tuple[Tensor, dict[str, float]]]


@dataclass(frozen=True)
class Edit:
    """A generator in training: its module, what it reads, and what it gives.

    ``low`` is black and ``high`` is white in its answer; sides are multiples of ``multiple`` where
    it takes ``any_size``. ``told`` is called before each pass with the module, the pairs, and which
    of them (B,) come: a network that edits each picture in its own way learns there what to do.
    """

    module: nn.Module
    image: ImageInput
    low: float = -1.0
    high: float = 1.0
    any_size: bool = True
    multiple: int = 4
    told: Callable[[nn.Module, PairSource, np.ndarray], None] | None = None


@dataclass(frozen=True)
class EditEpoch:
    """Figures of one epoch: mean losses, and PSNR in dB and mean absolute error on validation.

    ``val_psnr_identity`` is the PSNR of the pictures as they were, ``val_l1`` on a scale of 0..1.
    """

    epoch: int
    loss: float
    l1: float
    val_psnr: float | None = None
    val_psnr_identity: float | None = None
    val_l1: float | None = None


def fit_edits(
    ctx: Context,
    edit: Edit,
    train: PairSource,
    val: PairSource | None,
    plan: EditPlan,
    *,
    discriminator: nn.Module | None = None,
    conditional: bool = True,
    distance: Distance | None = None,
    extra: Extra | None = None,
    extra_parameters: list[nn.Parameter] | None = None,
    after_epoch: Callable[[EditEpoch, nn.Module], None] | None = None,
    state: Mapping[str, Any] | None = None,
    every: str | int = "60s",
) -> tuple[EditEpoch, ...]:
    """Train ``edit.module`` in place, and the discriminator; leave both in evaluation mode.

    L = l1 mean |y - t| + adversarial L_gan + perceptual d(y, t) + matching L_fm + extra, on pixels
    y, t in -1 .. 1. Each step first moves the discriminator on (L_real + L_fake) / 2, then the
    generator. Order, crops and flips derive from ``ctx.seed``. Training that was stopped goes on
    from its checkpoint bit for bit as if it had not been. At the end ``edit.module`` holds the
    average of the weights if the plan has one.

    Args:
        ctx: gives seed and device, takes metrics and pictures, keeps checkpoints.
        edit: the generator, (N, 3, H, W) to the same shape.
        train: pairs to learn from.
        val: pairs that are judged and shown after each epoch.
        plan: how to train.
        discriminator: scores pictures; needed where ``plan.adversarial`` is above 0.
        conditional: it sees source and target stacked, (N, 6, H, W), else the target alone.
        distance: the perceptual loss of two (N, 3, H, W) in -1 .. 1.
        extra: (inputs of the generator, its pictures in -1 .. 1) to one more loss and its figures.
        extra_parameters: what else the generator's optimizer trains.
        after_epoch: called with the figures and the generator as it would be kept.
        state: what ``distance`` and ``extra`` change; as in ``ctx.loop``.
        every: time or steps between checkpoints; as in ``ctx.loop``.

    Raises:
        TrainError: nothing to train, sizes that do not fit, or a loss that is not finite.
    """
    on_cuda = torch.device(ctx.device).type == "cuda"
    with torch.random.fork_rng(devices=[ctx.device] if on_cuda else []):
        torch.manual_seed(ctx.seed)
        judge = EditJudge(ctx, edit, val, plan.shown) if val is not None and len(val) else None
        losses = _Losses(edit, plan, discriminator, conditional, distance, extra)
        training = _EditTraining(ctx, train, judge, losses, extra_parameters, after_epoch)
        for step in ctx.loop(training.total, {**training.state, **(state or {})}, every):
            training.step(step)
        return training.finish()


class _Losses:
    """The losses of a batch, by the weights of the plan."""

    def __init__(
        self,
        edit: Edit,
        plan: EditPlan,
        discriminator: nn.Module | None,
        conditional: bool,
        distance: Distance | None,
        extra: Extra | None,
    ) -> None:
        if plan.adversarial > 0 and discriminator is None:
            raise TrainError("The adversarial loss has a weight, but there is no discriminator.")
        if plan.perceptual > 0 and distance is None:
            raise TrainError(
                "The perceptual loss has a weight, but no network to compare features of; choose "
                "a backbone or set the weight to 0."
            )
        self.edit, self.plan = edit, plan
        self.discriminator = discriminator if plan.adversarial > 0 else None
        self.conditional, self.distance, self.extra = conditional, distance, extra

    def signed(self, answer: Tensor) -> Tensor:
        """Return an answer of the generator as pixels in -1 .. 1."""
        low, high = self.edit.low, self.edit.high
        return answer if (low, high) == (-1, 1) else (answer - low) * (2 / (high - low)) - 1

    def of_discriminator(self, source: Tensor, target: Tensor, made: Tensor) -> Tensor:
        """Return the discriminator's loss; no gradient goes to the generator."""
        assert self.discriminator is not None
        real = self.discriminator(self._seen(source, target))
        fake = self.discriminator(self._seen(source, made.detach()))
        return discriminator_loss(self.plan.kind, real, fake)

    def of_generator(
        self, inputs: Tensor, source: Tensor, target: Tensor, made: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the generator's loss, and its parts before their weights."""
        plan = self.plan
        l1 = F.l1_loss(made, target)
        total, parts = plan.l1 * l1, {"l1": float(l1.detach())}

        def add(name: str, weight: float, value: Tensor) -> None:
            nonlocal total
            total = total + weight * value
            parts[name] = float(value.detach())

        if self.discriminator is not None:
            seen = self._seen(source, made)
            if plan.matching > 0:
                levels = self.discriminator.features(seen)  # type: ignore[operator]
                with torch.no_grad():
                    real = self.discriminator.features(self._seen(source, target))  # type: ignore[operator]
                add("matching", plan.matching, feature_matching(real, levels))
                score = levels[-1]
            else:
                score = self.discriminator(seen)
            add("adversarial", plan.adversarial, generator_loss(plan.kind, score))
        if plan.perceptual > 0 and self.distance is not None:
            add("perceptual", plan.perceptual, self.distance(made, target))
        if self.extra is not None:
            value, figures = self.extra(inputs, made)
            total, parts = total + value, parts | figures
        return total, parts

    def _seen(self, source: Tensor, picture: Tensor) -> Tensor:
        return torch.cat([source, picture], 1) if self.conditional else picture


class _EditTraining:
    """The parts of one call of ``fit_edits`` and what they remember between steps."""

    def __init__(
        self,
        ctx: Context,
        train: PairSource,
        judge: EditJudge | None,
        losses: _Losses,
        extra_parameters: list[nn.Parameter] | None,
        after_epoch: Callable[[EditEpoch, nn.Module], None] | None,
    ) -> None:
        self.ctx, self.judge, self.losses, self.after_epoch = ctx, judge, losses, after_epoch
        self.edit, self.plan = losses.edit, losses.plan
        wanted = (self.edit.image.height, self.edit.image.width)
        if not self.edit.any_size and tuple(train.shape[:2]) != wanted:
            raise TrainError(
                f"The network reads pictures of {wanted[0]} x {wanted[1]} only, the pairs are "
                f"{train.shape[0]} x {train.shape[1]}. Make pairs of its size."
            )
        self.batches = EditBatches(
            train, self.plan, ctx.seed, multiple=self.edit.multiple, any_size=self.edit.any_size
        )
        self.generator = self._placed(self.edit.module)
        self.discriminator = self._placed(losses.discriminator)
        if self.discriminator is not None:
            _require_readable(self.discriminator, losses.conditional, self.batches, ctx.device)
        self.optimizer = _adam(self.generator, self.plan, self.plan.lr, extra_parameters)
        self.opponent = None
        if self.discriminator is not None:
            self.opponent = _adam(self.discriminator, self.plan, self.plan.lr_discriminator)
        self.average = Average(self.generator, self.plan.ema) if self.plan.ema else None
        self.progress: dict[str, Any] = {"sums": {}, "epochs": []}
        self.total = self.batches.total
        self.metric_steps = max(1, self.total // _METRICS)

    @property
    def state(self) -> dict[str, Any]:
        """What a step changes, for checkpoints."""
        state = {
            "edit.generator": self.generator,
            "edit.optimizer": OptimizerState(self.optimizer),
            "edit.progress": self.progress,
        }
        if self.average is not None:
            state["edit.average"] = self.average.module
        if self.discriminator is not None and self.opponent is not None:
            state["edit.discriminator"] = self.discriminator
            state["edit.opponent"] = OptimizerState(self.opponent)
        return state

    @property
    def kept(self) -> nn.Module:
        """The generator as it would be kept."""
        return self.generator if self.average is None else self.average.module

    def step(self, step: int) -> None:
        """Do one step, and at the end of an epoch its validation."""
        rate = self.plan.rate(step, self.total)
        for optimizer in (self.optimizer, self.opponent):
            for group in optimizer.param_groups if optimizer is not None else ():
                group["lr"] = group["initial_lr"] * rate
        parts = self._descend(step)
        if self.average is not None:
            self.average.update(self.generator, step)
        sums = self.progress["sums"]
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + value
        if step % self.metric_steps == 0 or step + 1 == self.total:
            self.ctx.metric(step, **parts, lr=self.plan.lr * rate)
        if (step + 1) % self.batches.per_epoch == 0:
            self._end_epoch(step)

    def finish(self) -> tuple[EditEpoch, ...]:
        """Put the weights to keep into the generator."""
        if self.average is not None:
            self.generator.load_state_dict(self.average.module.state_dict())
        if self.opponent is not None:
            self._let_learn(True)
        for module in (self.generator, self.discriminator):
            if module is not None:
                module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
                module.eval()
        return tuple(EditEpoch(**row) for row in self.progress["epochs"])

    def _descend(self, step: int) -> dict[str, float]:
        """Move discriminator and generator; return the losses by name."""
        pixels, goals = self.batches.at(step)
        source, target = (to_signed(one, self.ctx.device) for one in (pixels, goals))
        # Crops are read as they are, not scaled to the size of the whole.
        image = self.edit.image
        if self.edit.any_size:
            image = replace(image, height=pixels.shape[1], width=pixels.shape[2])
        inputs = image.batch(pixels, self.ctx.device)
        if not self.plan.channels_last:
            inputs = inputs.clone(memory_format=torch.contiguous_format)
        if self.edit.told is not None:
            self.edit.told(self.generator, self.batches.source, self.batches.chosen)
        made = self.losses.signed(self.generator(inputs))
        parts: dict[str, float] = {}
        if self.discriminator is not None and self.opponent is not None:
            self._let_learn(True)
            loss = self.losses.of_discriminator(source, target, made)
            parts["discriminator"] = self._move(loss, self.opponent, step, "discriminator")
            self._let_learn(False)
        loss, figures = self.losses.of_generator(inputs, source, target, made)
        parts["loss"] = self._move(loss, self.optimizer, step, "generator")
        return {**parts, **figures}

    def _move(self, loss: Tensor, optimizer: torch.optim.Optimizer, step: int, whose: str) -> float:
        value = float(loss.detach())
        lr = optimizer.param_groups[0]["lr"]
        if not math.isfinite(value):
            raise TrainError(
                f"The {whose}'s loss became {value} at step {step + 1} of {self.total}. Lower its "
                f"learning rate ({lr:.3g} here), lower the adversarial weight or clip the gradient."
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.plan.clip is not None:
            trained = [p for group in optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(trained, self.plan.clip)
        optimizer.step()
        return value

    def _end_epoch(self, step: int) -> None:
        number = (step + 1) // self.batches.per_epoch - 1
        means = {k: v / self.batches.per_epoch for k, v in self.progress["sums"].items()}
        self.progress["sums"].clear()
        row = EditEpoch(number, means["loss"], means["l1"])
        if self.judge is not None:
            figures = self.judge(self.kept, step)
            row = EditEpoch(number, means["loss"], means["l1"], **figures)
        self.progress["epochs"].append(asdict(row))
        if self.after_epoch is not None:
            self.after_epoch(row, self.kept)

    def _let_learn(self, value: bool) -> None:
        """Switch the discriminator's gradients; the generator's pass needs none of them."""
        assert self.opponent is not None
        for group in self.opponent.param_groups:
            for parameter in group["params"]:
                parameter.requires_grad_(value)

    def _placed(self, module: Any) -> Any:
        if module is None:
            return None
        module = module.to(self.ctx.device).train()
        if self.plan.channels_last and can_use_channels_last(module):
            module.to(memory_format=torch.channels_last)
        return module


@torch.no_grad()
def _require_readable(
    module: nn.Module, conditional: bool, batches: EditBatches, device: str
) -> None:
    """Let the discriminator score the smallest picture that it will see.

    Raises:
        TrainError: it cannot.
    """
    height, width = batches.smallest
    module.eval()
    try:
        module(torch.zeros(1, 6 if conditional else 3, height, width, device=device))
    except RuntimeError as error:
        raise TrainError(
            f"The discriminator cannot score pictures of {height} x {width}. Give it fewer layers, "
            "or train on larger crops."
        ) from error
    module.train()


def _adam(
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
