"""Training of two generators on two sets of pictures without pairs; see :func:`fit_cycles`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backend.core.context import Context
from backend.models.seeded import seeded
from backend.train.cycle_judge import CycleJudge, Features
from backend.train.cycle_losses import Cycle, CyclePlan, PicturePool, of_generators, of_judge
from backend.train.edit import Edit
from backend.train.edit_batches import to_signed
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
from backend.train.parts import OptimizerState
from backend.train.picture_batches import PictureBatches, PictureSource
from backend.train.plan import TrainError

_METRICS = 2_000


@dataclass(frozen=True)
class CycleEpoch:
    """Figures of one epoch: mean losses; on validation the error of both cycles (0..1), and KID.

    ``val_kid_untouched`` is that of the two sets as they are: what both directions begin at.
    """

    epoch: int
    loss: float
    cycle: float
    val_cycle: float | None = None
    val_kid_b: float | None = None
    val_kid_a: float | None = None
    val_kid_untouched: float | None = None


def fit_cycles(
    ctx: Context,
    forth: Edit,
    back: Edit,
    judge_b: nn.Module,
    judge_a: nn.Module,
    train: tuple[PictureSource, PictureSource],
    val: tuple[PictureSource, PictureSource] | None,
    plan: CyclePlan,
    *,
    features: Features | None = None,
    after_epoch: Callable[[CycleEpoch, nn.Module], None] | None = None,
    every: str | int = "60s",
) -> tuple[CycleEpoch, ...]:
    """Train both generators in place, and their opponents; leave all in evaluation mode.

    Each step moves the generators on :func:`backend.train.cycle_losses.of_generators`, then the
    opponents on real pictures and on made ones out of a pool. An epoch is as long as the larger
    set. Training that was stopped goes on from its checkpoint bit for bit as if it had not been.

    Args:
        ctx: gives seed and device, takes metrics and pictures, keeps checkpoints.
        forth: the generator A -> B, with inputs and outputs in -1 .. 1.
        back: the generator B -> A.
        judge_b: scores pictures (N, 3, H, W) of B.
        judge_a: scores pictures of A.
        train: pictures of A and of B to learn from.
        val: pictures of both that are judged and shown after each epoch.
        plan: how to train.
        features: network for KID, if there is one.
        after_epoch: called with the figures and the generator A -> B.
        every: time or steps between checkpoints; as in ``ctx.loop``.

    Raises:
        TrainError: nothing to train, or networks that do not fit.
        CollapseError: training broke; the last good weights are in ``ctx.folder / "last_good"``.
    """
    with seeded(ctx.seed, ctx.device):
        judge = None
        if val is not None:
            judge = CycleJudge(ctx, forth, back, val, plan.steps.shown, features)
        training = _CycleTraining(ctx, (forth, back), (judge_b, judge_a), train, judge, plan)
        training.after_epoch = after_epoch
        for step in ctx.loop(training.total, training.state, every):
            training.step(step)
            if "ended" in training.progress:
                break
        return training.finish()


class _CycleTraining:
    """The parts of one call of ``fit_cycles`` and what they remember between steps."""

    def __init__(
        self,
        ctx: Context,
        edits: tuple[Edit, Edit],
        judges: tuple[nn.Module, nn.Module],
        train: tuple[PictureSource, PictureSource],
        judge: CycleJudge | None,
        plan: CyclePlan,
    ) -> None:
        _require_signed(edits)
        self.ctx, self.plan, self.judge, self.after_epoch = ctx, plan, judge, _nothing
        steps = plan.steps
        self.cycle = Cycle(
            *(
                placed(module, ctx.device, channels_last=steps.channels_last)
                for module in (*(edit.module for edit in edits), *judges)
            )
        )
        self.sets = [
            PictureBatches(one, steps.batch, ctx.seed, name, flip=steps.flip)
            for one, name in zip(train, ("set A", "set B"), strict=True)
        ]
        self.size = _size(train, edits, steps.crop)
        for one in judges:
            require_readable(one, 3, self.size, ctx.device)
        self.progress: dict[str, Any] = {"sums": {}, "epochs": []}
        self.pools = [
            PicturePool(plan.pool, ctx.seed, name, self.progress) for name in ("pool b", "pool a")
        ]
        self.guards = [
            GanGuard(steps.kind, steps.patience, self.progress, key=f"guard {name}")
            for name in ("b", "a")
        ]
        self.optimizer = _adam_of(self.cycle.forth, self.cycle.back, plan, steps.lr)
        self.opponent = _adam_of(
            self.cycle.judge_b, self.cycle.judge_a, plan, steps.lr_discriminator
        )
        parts = {"generator": self.cycle.forth, "back": self.cycle.back}
        opponents = {"discriminator": self.cycle.judge_b, "discriminator_a": self.cycle.judge_a}
        self.good = LastGood(parts | opponents, self.progress)
        self.best = [
            LastGood({"generator": self.cycle.forth, "b": self.cycle.judge_b}, self.progress, "b"),
            LastGood({"back": self.cycle.back, "a": self.cycle.judge_a}, self.progress, "a"),
        ]
        self.per_epoch = max(one.per_epoch for one in self.sets)
        self.total = steps.epochs * self.per_epoch
        self.metric_steps = max(1, self.total // _METRICS)

    @property
    def state(self) -> dict[str, Any]:
        """What a step changes, for checkpoints."""
        cycle = self.cycle
        return {
            "cycle.forth": cycle.forth,
            "cycle.back": cycle.back,
            "cycle.judge_b": cycle.judge_b,
            "cycle.judge_a": cycle.judge_a,
            "cycle.optimizer": OptimizerState(self.optimizer),
            "cycle.opponent": OptimizerState(self.opponent),
            "cycle.progress": self.progress,
        }

    def step(self, step: int) -> None:
        """Do one step, and at the end of an epoch its validation."""
        rate = self.plan.steps.rate(step, self.total)
        set_rates((self.optimizer, self.opponent), rate)
        try:
            parts = self._descend(step)
        except BrokenError as broken:
            self._give_up(step, broken)
            return
        sums = self.progress["sums"]
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + value
        if step % self.metric_steps == 0 or step + 1 == self.total:
            self.ctx.metric(step, **parts, lr=self.plan.steps.lr * rate)
        if (step + 1) % self.per_epoch == 0:
            self._end_epoch(step)

    def finish(self) -> tuple[CycleEpoch, ...]:
        """Put the weights to keep into the networks."""
        let_learn(self.opponent, True)
        if self.plan.keep == "best" and "ended" not in self.progress:
            for kept in self.best:
                if kept.epoch is not None:
                    kept.put_back()
        for module in vars(self.cycle).values():
            module.to(memory_format=torch.contiguous_format)
            module.eval()
        return tuple(CycleEpoch(**row) for row in self.progress["epochs"])

    def _descend(self, step: int) -> dict[str, float]:
        """Move the generators, then their opponents; return the losses by name."""
        a, b = (to_signed(one.at(step, *self.size), self.ctx.device) for one in self.sets)
        let_learn(self.opponent, False)
        loss, parts, made = of_generators(self.cycle, self.plan, a, b)
        parts["loss"] = self._move(loss, self.optimizer, "generators")
        let_learn(self.opponent, True)
        total, seen = torch.zeros((), device=loss.device), []
        judges = (self.cycle.judge_b, self.cycle.judge_a)
        for i, (one, real, fake) in enumerate(zip(judges, (b, a), (made.b, made.a), strict=True)):
            value, scores = of_judge(one, self.plan, real, self.pools[i].exchanged(fake, step))
            total = total + value
            seen.append((scores, float(value.detach()), fake, real))
        self._move(total, self.opponent, "discriminators")
        for guard, (scores, value, fake, real) in zip(self.guards, seen, strict=True):
            guard.see_scores(*scores, value)
            guard.see_pictures(fake, real)
        parts["discriminator_b"], parts["discriminator_a"] = seen[0][1], seen[1][1]
        return parts

    def _move(self, loss: Tensor, optimizer: torch.optim.Optimizer, whose: str) -> float:
        value = float(loss.detach())
        if not math.isfinite(value):
            lr = optimizer.param_groups[0]["lr"]
            raise BrokenError(
                f"the {whose}' loss became {value}",
                f"lower their learning rate ({lr:.3g} here) or clip the gradient",
            )
        descend(loss, optimizer, self.plan.steps.clip)
        return value

    def _end_epoch(self, step: int) -> None:
        number = (step + 1) // self.per_epoch - 1
        means = {k: v / self.per_epoch for k, v in self.progress["sums"].items()}
        self.progress["sums"] = {}
        try:
            require_finite(vars(self.cycle))
        except BrokenError as broken:
            self._give_up(step, broken)
            return
        cycle = (means["cycle_a"] + means["cycle_b"]) / 2
        found = self.judge(self.cycle, step) if self.judge is not None else {}
        row = CycleEpoch(number, means["loss"], cycle, **found)
        self.progress["epochs"].append(asdict(row))
        error = cycle if row.val_cycle is None else row.val_cycle
        broken_ones = [one for guard in self.guards if (one := guard.end_epoch(error))]
        if broken_ones:
            self._give_up(step, broken_ones[0])
            return
        if all(guard.is_good for guard in self.guards):
            self.good.take(number + 1)
        self._keep_best(row)
        if self.after_epoch is not None:
            self.after_epoch(row, self.cycle.forth)

    def _keep_best(self, row: CycleEpoch) -> None:
        if self.plan.keep != "best":
            return
        seen = [CycleEpoch(**one) for one in self.progress["epochs"]]
        for kept, name in zip(self.best, ("val_kid_b", "val_kid_a"), strict=True):
            values = [v for one in seen if (v := getattr(one, name)) is not None]
            if values and getattr(row, name) == min(values):
                kept.take(row.epoch + 1)

    def _give_up(self, step: int, broken: BrokenError) -> None:
        """End with the last good epoch, or stop.

        Raises:
            CollapseError: stopping is what the plan says, or all that is left.
        """
        epoch, good, steps = step // self.per_epoch + 1, self.good.epoch, self.plan.steps
        what = f"{broken.what[0].upper()}{broken.what[1:]} in epoch {epoch} of {steps.epochs}."
        remedy = f"{broken.remedy[0].upper()}{broken.remedy[1:]}."
        if good and steps.on_collapse == "keep":
            self.good.put_back()
            self.progress["ended"] = good
            del self.progress["epochs"][good:]
            self.ctx.log(f"{what} The weights of epoch {good} are kept. {remedy}", level="warning")
            return
        raise self.good.collapsed(f"{what} {remedy}", epoch, self.ctx.folder)


def _nothing(row: CycleEpoch, module: nn.Module) -> None:
    return None


def _adam_of(one: nn.Module, other: nn.Module, plan: CyclePlan, lr: float) -> torch.optim.Optimizer:
    """Return one Adam over two networks."""
    return make_adam(nn.ModuleList([one, other]), plan.steps, lr)


def _require_signed(edits: tuple[Edit, Edit]) -> None:
    """Refuse generators whose pictures the other one could not read as they are."""
    for edit in edits:
        image = edit.image
        is_signed = (edit.low, edit.high) == (-1, 1) and image.channels == 3
        if not (is_signed and np.allclose(image.mean + image.std, 0.5) and edit.any_size):
            raise TrainError(
                "A CycleGAN needs generators of any picture size whose black is -1 and white 1, "
                "in what they read and what they give. Take an untrained one of the palette."
            )


def _size(
    train: tuple[PictureSource, PictureSource], edits: tuple[Edit, Edit], crop: int | None
) -> tuple[int, int]:
    """Return height and width of what is trained on: what both sets have, in whole multiples.

    Raises:
        TrainError: nothing is left.
    """
    multiple = math.lcm(*(edit.multiple for edit in edits))
    sides = [min(one.shape[axis] for one in train) for axis in (0, 1)]
    height, width = (min(side, crop or side) // multiple * multiple for side in sides)
    if min(height, width) == 0:
        raise TrainError(
            f"Pictures of {sides[0]} x {sides[1]} are too small for generators that need multiples "
            f"of {multiple} pixels; make larger ones."
        )
    return height, width
