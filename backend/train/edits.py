"""Training of generators on pairs of pictures; see :func:`fit_edits`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn

from backend.core.context import Context
from backend.models.seeded import seeded
from backend.train.edit import Edit, EditEpoch
from backend.train.edit_batches import EditBatches, PairSource, halved, to_signed
from backend.train.edit_judge import EditJudge
from backend.train.edit_losses import Distance, EditLosses, Extra
from backend.train.edit_plan import EditPlan
from backend.train.gan_guard import BrokenError, GanGuard, require_finite
from backend.train.gan_parts import (
    descend,
    let_learn,
    make_adam,
    placed,
    require_readable,
    set_rates,
)
from backend.train.last_good import LastGood
from backend.train.parts import Average, OptimizerState
from backend.train.picture_batches import PictureBatches, PictureSource
from backend.train.plan import TrainError

# Curves need no more points than a screen has pixels.
_METRICS = 2_000


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
    until: Callable[[EditEpoch], bool] | None = None,
    real: PictureSource | None = None,
    state: Mapping[str, Any] | None = None,
    every: str | int = "60s",
) -> tuple[EditEpoch, ...]:
    """Train ``edit.module`` in place, and the discriminator; leave both in evaluation mode.

    L = l1 mean |y - t| + adversarial L_gan + perceptual d(y, t) + matching L_fm + extra, on pixels
    y, t in -1 .. 1. Each step first moves the discriminator on (L_real + L_fake) / 2, then the
    generator. Order, crops and flips derive from ``ctx.seed``. Training that was stopped goes on
    from its checkpoint bit for bit as if it had not been. At the end ``edit.module`` holds the
    average of the weights if the plan has one.

    Each epoch that ends in good health is kept. When a number is none, or discriminator or
    generator collapse, ``plan.on_collapse`` decides what becomes of it.

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
        until: told the figures of each epoch; ends the training where it says True.
        real: pictures that the discriminator takes for real instead of the targets; it must not be
            ``conditional``, since they belong to no source.
        state: what ``distance`` and ``extra`` change; as in ``ctx.loop``.
        every: time or steps between checkpoints; as in ``ctx.loop``.

    Raises:
        TrainError: nothing to train, or sizes that do not fit.
        CollapseError: training broke; the last good weights are in ``ctx.folder / "last_good"``.
    """
    with seeded(ctx.seed, ctx.device):
        judge = EditJudge(ctx, edit, val, plan.shown) if val is not None and len(val) else None
        losses = EditLosses(edit, plan, discriminator, conditional, distance, extra)
        training = _EditTraining(ctx, train, judge, losses, extra_parameters, after_epoch)
        if real is not None:
            training.draw_from(real)
        kept = {**training.state, **(state or {})}
        training.keep_good(kept)
        for step in ctx.loop(training.total, kept, every):
            training.step(step)
            if training.is_over or (until is not None and training.is_reached(until)):
                break
        return training.finish()


class _EditTraining:
    """The parts of one call of ``fit_edits`` and what they remember between steps."""

    def __init__(
        self,
        ctx: Context,
        train: PairSource,
        judge: EditJudge | None,
        losses: EditLosses,
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
        last = self.plan.channels_last
        self.generator = placed(self.edit.module, ctx.device, channels_last=last)
        self.discriminator = placed(losses.discriminator, ctx.device, channels_last=last)
        if self.discriminator is not None:
            require_readable(
                self.discriminator,
                6 if losses.conditional else 3,
                self.batches.smallest,
                ctx.device,
            )
        self.optimizer = make_adam(self.generator, self.plan, self.plan.lr, extra_parameters)
        self.opponent = None
        if self.discriminator is not None:
            self.opponent = make_adam(self.discriminator, self.plan, self.plan.lr_discriminator)
        self.average = Average(self.generator, self.plan.ema) if self.plan.ema else None
        self.progress: dict[str, Any] = {"sums": {}, "epochs": [], "seconds": 0.0}
        self.total = self.batches.total
        self.metric_steps = max(1, self.total // _METRICS)
        self.ends_epoch = False
        self.guard = GanGuard(self.plan.kind, self.plan.patience, self.progress)
        self.good: LastGood | None = None
        self.real: PictureBatches | None = None

    def draw_from(self, real: PictureSource) -> None:
        """Let the discriminator take ``real`` for real instead of the targets."""
        if self.losses.conditional:
            raise TrainError(
                "A discriminator that sees the source cannot judge pictures that have none. "
                "Choose one that sees the picture alone."
            )
        plan = self.plan
        self.real = PictureBatches(real, plan.batch, self.ctx.seed, "real pictures", flip=plan.flip)

    def keep_good(self, whole: Mapping[str, Any]) -> None:
        """Keep each good epoch: all that is needed to go on from it, or only the networks."""
        parts: dict[str, Any] = {"generator": self.kept}
        if self.discriminator is not None:
            parts["discriminator"] = self.discriminator
        if self.can_drop:
            parts |= {name: one for name, one in whole.items() if hasattr(one, "state_dict")}
        self.good = LastGood(parts, self.progress)

    @property
    def can_drop(self) -> bool:
        """Whether training is to go on without the discriminator, and something would be left."""
        plan = self.plan
        rest = plan.l1 > 0 or plan.perceptual > 0 or self.losses.extra is not None
        return plan.on_collapse == "without" and self.discriminator is not None and rest

    @property
    def is_over(self) -> bool:
        """Whether training ended early, with the weights of its last good epoch."""
        return "ended" in self.progress

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
        set_rates((self.optimizer, self.opponent), rate)
        began = time.perf_counter()
        parts = self._steady(step)
        if parts is None:
            return
        if self.average is not None:
            self.average.update(self.generator, step)
        self.progress["seconds"] += time.perf_counter() - began
        sums = self.progress["sums"]
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + value
        if step % self.metric_steps == 0 or step + 1 == self.total:
            self.ctx.metric(step, **parts, lr=self.plan.lr * rate)
        self.ends_epoch = (step + 1) % self.batches.per_epoch == 0
        if self.ends_epoch:
            self._end_epoch(step)

    def is_reached(self, until: Callable[[EditEpoch], bool]) -> bool:
        """Whether the epoch that the last step ended, if it ended one, is good enough."""
        return self.ends_epoch and until(EditEpoch(**self.progress["epochs"][-1]))

    def finish(self) -> tuple[EditEpoch, ...]:
        """Put the weights to keep into the generator."""
        if self.average is not None:
            self.generator.load_state_dict(self.average.module.state_dict())
        if self.opponent is not None:
            let_learn(self.opponent, True)
        for module in (self.generator, self.discriminator):
            if module is not None:
                module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
                module.eval()
        return tuple(EditEpoch(**row) for row in self.progress["epochs"])

    def _steady(self, step: int) -> dict[str, float] | None:
        """Do a step, again from the last good epoch if it breaks; None where training ends."""
        assert self.good is not None
        if step == 0 and self.can_drop:
            self.good.take(0)
        while not self.is_over:
            if "dropped" in self.progress:
                self.losses.discriminator = None
            try:
                return self._descend(step)
            except BrokenError as broken:
                self._recover(step, broken)
        return None

    def _recover(self, step: int, broken: BrokenError) -> None:
        """Do as the plan says: put the last good epoch back, or end.

        Raises:
            CollapseError: stopping is what it says, or all that is left.
        """
        assert self.good is not None
        epoch, good, plan = step // self.batches.per_epoch + 1, self.good.epoch, self.plan
        what = (
            f"{broken.what[0].upper()}{broken.what[1:]} in epoch {epoch} of {plan.epochs} (step "
            f"{step + 1:,} of {self.total:,})."
        )
        if self.can_drop and good is not None and "dropped" not in self.progress:
            self.good.put_back()
            self.guard.forgive()
            self.progress["dropped"] = epoch
            self.ctx.log(
                f"{what} Training goes on without the discriminator, from the weights of "
                f"{f'epoch {good}' if good else 'the beginning'}.",
                level="warning",
            )
            return
        remedy = f"{broken.remedy[0].upper()}{broken.remedy[1:]}."
        if good and plan.on_collapse == "keep":
            self.good.put_back()
            self.progress["ended"] = good
            is_told = len(self.progress["epochs"]) > good
            del self.progress["epochs"][good:]
            if is_told and self.after_epoch is not None:  # what followed was not good
                self.after_epoch(EditEpoch(**self.progress["epochs"][-1]), self.kept)
            self.ctx.log(f"{what} The weights of epoch {good} are kept. {remedy}", level="warning")
            return
        raise self.good.collapsed(f"{what} {remedy}", epoch, self.ctx.folder)

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
        self.guard.see_pictures(made.detach(), target)
        parts: dict[str, float] = {}
        if self.losses.discriminator is not None and self.opponent is not None:
            let_learn(self.opponent, True)
            real = target if self.real is None else self._real(step, target)
            loss = self.losses.of_discriminator(source, real, made)
            parts["discriminator"] = self._move(loss, self.opponent, step, "discriminator")
            self.guard.see_scores(*self.losses.scores, parts["discriminator"])
            let_learn(self.opponent, False)
        loss, figures = self.losses.of_generator(inputs, source, target, made)
        parts["loss"] = self._move(loss, self.optimizer, step, "generator")
        return {**parts, **figures}

    def _move(self, loss: Tensor, optimizer: torch.optim.Optimizer, step: int, whose: str) -> float:
        value = float(loss.detach())
        lr = optimizer.param_groups[0]["lr"]
        if not math.isfinite(value):
            weight = "lower the adversarial weight" if self.opponent else "take larger batches"
            raise BrokenError(
                f"the {whose}'s loss became {value}",
                f"lower its learning rate ({lr:.3g} here), {weight} or clip the gradient",
            )
        descend(loss, optimizer, self.plan.clip)
        return value

    def _real(self, step: int, target: Tensor) -> Tensor:
        """Return the real pictures of a step, of the size that the targets have."""
        assert self.real is not None
        shrink = self.batches.height // target.shape[2]
        pixels = self.real.at(step, target.shape[2] * shrink, target.shape[3] * shrink)
        return to_signed(pixels if shrink == 1 else halved(pixels), self.ctx.device)

    def _end_epoch(self, step: int) -> None:
        try:
            require_finite({"generator": self.generator, "discriminator": self.discriminator})
        except BrokenError as broken:
            self._recover(step, broken)
            if self.is_over:
                return
        number = (step + 1) // self.batches.per_epoch - 1
        means = {k: v / self.batches.per_epoch for k, v in self.progress["sums"].items()}
        self.progress["sums"].clear()
        time_taken = self.progress["seconds"]
        row = EditEpoch(number, means["loss"], means["l1"], steps=step + 1, seconds=time_taken)
        if self.judge is not None:
            row = replace(row, **self.judge(self.kept, step))
        self.progress["epochs"].append(asdict(row))
        fault = self.guard.end_epoch(row.l1 if row.val_l1 is None else row.val_l1)
        if fault is None and self.guard.is_good and self.good is not None:
            self.good.take(number + 1)
        if self.after_epoch is not None:
            self.after_epoch(row, self.kept)
        if fault is not None:
            self._recover(step, fault)
