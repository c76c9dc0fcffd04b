"""The losses of two generators that undo each other, and the pool their opponents look into."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.data import counter
from backend.distill.gan_losses import discriminator_loss, generator_loss
from backend.train.edit_plan import EditPlan
from backend.train.plan import TrainError


@dataclass(frozen=True)
class CyclePlan:
    """How to train a CycleGAN; ``steps`` is what it shares with other trainings of generators.

    Source: Zhu et al., Unpaired image-to-image translation using cycle-consistent adversarial
    networks, ICCV 2017, sec. 4 and 7.1.
    """

    steps: EditPlan = field(
        default_factory=lambda: EditPlan(kind="lsgan", batch=1, ema=None, l1=0.0)
    )
    cycle_a: float = 10.0
    """Weight of A -> B -> A."""
    cycle_b: float = 10.0
    """Weight of B -> A -> B."""
    identity: float = 0.5
    """Weight, as a part of the cycles', of leaving pictures alone that are of the target set."""
    pool: int = 50
    """Made pictures that each discriminator remembers; 0 for the newest only."""
    keep: str = "last"
    """Weights at the end: of the "last" epoch, or of the "best" of each direction, by its KID."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        names = ("cycle_a", "cycle_b", "identity", "pool")
        bad = [f"{name} = {getattr(self, name)}" for name in names if getattr(self, name) < 0]
        bad += ["adversarial = 0"] * (self.steps.adversarial == 0)
        bad += [f"keep = {self.keep}"] * (self.keep not in ("last", "best"))
        if bad:
            raise TrainError(f"The training plan is out of bounds: {', '.join(bad)}.")


@dataclass
class Cycle:
    """The four networks: A -> B, B -> A, and who judges pictures of B and of A."""

    forth: nn.Module
    back: nn.Module
    judge_b: nn.Module
    judge_a: nn.Module


@dataclass(frozen=True)
class Made:
    """What the generators made of a batch, each (N, 3, H, W) in -1 .. 1."""

    b: Tensor
    a: Tensor


def of_generators(
    cycle: Cycle, plan: CyclePlan, a: Tensor, b: Tensor
) -> tuple[Tensor, dict[str, float], Made]:
    """Return the loss of both generators, its parts before their weights, and their pictures.

    L = gan(D_B(F(a))) + gan(D_A(G(b))) + l_A |G(F(a)) - a| + l_B |F(G(b)) - b|
    + identity (l_B |F(b) - b| + l_A |G(a) - a|), F from A to B and G back; means over pixels.
    """
    kind = plan.steps.kind
    fake_b, fake_a = cycle.forth(a), cycle.back(b)
    parts = {
        "adversarial_b": generator_loss(kind, cycle.judge_b(fake_b)),
        "adversarial_a": generator_loss(kind, cycle.judge_a(fake_a)),
        "cycle_a": F.l1_loss(cycle.back(fake_b), a),
        "cycle_b": F.l1_loss(cycle.forth(fake_a), b),
    }
    total = plan.steps.adversarial * (parts["adversarial_b"] + parts["adversarial_a"])
    total = total + plan.cycle_a * parts["cycle_a"] + plan.cycle_b * parts["cycle_b"]
    if plan.identity > 0:
        parts["identity_b"] = F.l1_loss(cycle.forth(b), b)
        parts["identity_a"] = F.l1_loss(cycle.back(a), a)
        weighted = plan.cycle_b * parts["identity_b"] + plan.cycle_a * parts["identity_a"]
        total = total + plan.identity * weighted
    figures = {name: float(value.detach()) for name, value in parts.items()}
    return total, figures, Made(fake_b.detach(), fake_a.detach())


def of_judge(judge: nn.Module, plan: CyclePlan, real: Tensor, fake: Tensor) -> tuple[Tensor, Any]:
    """Return a discriminator's loss, and its scores of both without gradients."""
    scores = judge(real), judge(fake)
    return discriminator_loss(plan.steps.kind, *scores), tuple(s.detach() for s in scores)


class PicturePool:
    """Made pictures of the past: half of what is asked for is old, and the new takes its place.

    Args:
        size: pictures that are remembered; 0 gives back what comes.
        seed: of what is drawn.
        stream: a name that tells the draws of two pools apart.
        progress: data that a checkpoint keeps; its entry ``stream`` belongs to the pool.

    Source: Shrivastava et al., Learning from simulated and unsupervised images through adversarial
    training, CVPR 2017, sec. 2.3.
    """

    def __init__(self, size: int, seed: int, stream: str, progress: dict[str, Any]) -> None:
        self.size, self.seed, self.stream, self.progress = size, seed, stream, progress
        progress[stream] = []

    def exchanged(self, made: Tensor, step: int) -> Tensor:
        """Return pictures (N, 3, H, W) to judge at ``step``, new ones and old ones."""
        # One memory layout, whether pictures come from a checkpoint or not.
        made = made.contiguous()
        if self.size == 0:
            return made
        kept: list[Tensor] = self.progress[self.stream]
        chosen = []
        for i, picture in enumerate(made):
            if len(kept) < self.size:
                kept.append(picture.clone())
                chosen.append(picture)
                continue
            is_old = counter.uniform(self.seed, f"{self.stream} old", step, i)[0] < 0.5
            place = int(counter.integers(self.size, self.seed, self.stream, step, i)[0])
            if is_old:
                chosen.append(kept[place].to(picture.device))
                kept[place] = picture.clone()
            else:
                chosen.append(picture)
        return torch.stack(chosen)
