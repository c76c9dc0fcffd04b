"""Watches adversarial training: numbers that are none, a collapsed discriminator or generator."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from backend.distill.gan_losses import GanKind
from backend.train.plan import TrainError

OnCollapse = Literal["stop", "keep", "without"]
"""Stop with a sentence, keep the last good epoch, or go on from it without the discriminator."""

# The loss of a discriminator that knows nothing, and the score between real and made.
_IDLE = {"hinge": 1.0, "lsgan": 0.25, "vanilla": math.log(2)}
_MIDDLE = {"hinge": 0.0, "lsgan": 0.5, "vanilla": 0.0}
_FLOOR, _CEILING, _CONSTANT = 0.02, 10.0, 1e-3
_RIGHT = 0.99
_WORSE, _NO_BETTER = 1.25, 1.02  # times the best error; in good health it sways by a tenth
_FLAT, _ALIVE = 0.05, 0.5  # spread of pictures as a part of the targets'


class CollapseError(TrainError):
    """Training that broke; ``epoch`` (from 1) is when, ``good`` the last epoch before, or 0."""

    def __init__(self, message: str, epoch: int, good: int) -> None:
        super().__init__(message)
        self.epoch, self.good = epoch, good


class BrokenError(Exception):
    """What is wrong with a step or an epoch, and the remedy; never leaves the training."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


class GanGuard:
    """Judges each epoch by its discriminator's scores, its pictures and its validation error.

    A discriminator has *won* where its loss is at its floor and it is right about 99 of 100
    patches, is *idle* where its scores are constant and its loss that of guessing, and has *run
    away* where its loss is ten times that. The first two count as a collapse only if the error is
    a quarter above its best, the last one if it is above its best at all, in ``patience`` epochs
    one after the other; one epoch is enough where the error stays up after it. A discriminator that
    wins while pictures get better does no harm. A generator has collapsed in the epoch in which its
    pictures, or the differences between them, lose nine tenths of the spread that they had.

    Args:
        kind: the adversarial loss.
        patience: epochs of collapse before it is called one.
        progress: JSON data that a checkpoint keeps; its entry ``key`` belongs to the guard.
        key: where it keeps what it remembers.
    """

    def __init__(
        self, kind: GanKind, patience: int, progress: dict[str, Any], key: str = "guard"
    ) -> None:
        self.kind, self.patience, self.progress, self.key = kind, patience, progress, key
        progress[key] = {"sums": {}, "streak": 0, "why": "", "best": None, "alive": {}}

    @property
    def memory(self) -> dict[str, Any]:
        """What it remembers; another dictionary after a checkpoint was read."""
        found: dict[str, Any] = self.progress[self.key]
        return found

    @torch.no_grad()
    def see_scores(self, real: Tensor, fake: Tensor, loss: float) -> None:
        """Take in the scores of a step, of any shape."""
        middle = _MIDDLE[self.kind]
        right = ((real > middle).float().mean() + (fake < middle).float().mean()) / 2
        both = torch.cat([real.flatten(), fake.flatten()])
        spread = both.std() / max(1.0, float(both.abs().mean()))
        self._add(scored=1.0, loss=loss, right=float(right), spread=float(spread))

    @torch.no_grad()
    def see_pictures(self, made: Tensor, target: Tensor) -> None:
        """Take in the pictures of a step, both (N, C, H, W)."""
        wanted = target.flatten(1).std(1).mean().clamp_min(1e-3)
        self._add(shown=1.0, flat=float(made.flatten(1).std(1).mean() / wanted))
        if len(made) > 1:
            wanted = target.std(0).mean().clamp_min(1e-3)
            self._add(compared=1.0, same=float(made.std(0).mean() / wanted))

    def end_epoch(self, error: float) -> BrokenError | None:
        """Judge the epoch by its ``error`` (lower is better); return what is broken, if it is."""
        sums = dict(self.memory["sums"])
        self.memory["sums"] = {}
        found = self._of_generator(sums)
        if found is not None:
            return found
        best = self.memory["best"]
        why, margin = self._of_discriminator(sums)
        limit = math.inf if best is None else best
        if not (why and error > margin * limit):
            # What one wild epoch has done stays its doing until the error comes down again.
            why = self.memory["why"] if error > _WORSE * limit else ""
        self.memory["streak"] = self.memory["streak"] + 1 if why else 0
        self.memory["why"] = why
        if self.memory["streak"] >= self.patience:
            return BrokenError(
                f"{why}, while the error rose to {error / max(limit, 1e-12):.2f} times its best",
                "lower the learning rate of the discriminator or the adversarial weight",
            )
        if not why:
            self.memory["best"] = min(limit, error)
        return None

    @property
    def is_good(self) -> bool:
        """Whether nothing was suspicious about the last epoch."""
        return self.memory["streak"] == 0

    def forgive(self) -> None:
        """Begin anew after the weights of a good epoch were put back."""
        self.memory.update(sums={}, streak=0, why="")

    def _of_discriminator(self, sums: Mapping[str, float]) -> tuple[str, float]:
        """Return what is wrong, and how much worse than the best error makes it a collapse."""
        if not sums.get("scored"):
            return "", _WORSE
        count = sums["scored"]
        loss, right, spread = (sums[name] / count for name in ("loss", "right", "spread"))
        idle = _IDLE[self.kind]
        if right >= _RIGHT and loss <= _FLOOR * idle:
            words = f"it is right about {right:.1%} of the patches and its loss is {loss:.2g}"
            return f"the discriminator has won ({words})", _WORSE
        if spread < _CONSTANT and loss >= (1 - _FLOOR) * idle:
            words = f"the discriminator gives all pictures the same score (its loss is {loss:.2g})"
            return words, _WORSE
        if loss >= _CEILING * idle:
            return f"the discriminator's loss has run away to {loss:.2g}", _NO_BETTER
        return "", _WORSE

    def _of_generator(self, sums: Mapping[str, float]) -> BrokenError | None:
        words = {
            "flat": ("shown", "the generator gives pictures of one colour only"),
            "same": ("compared", "the generator gives the same picture whatever it is shown"),
        }
        for name, (counter, what) in words.items():
            if not sums.get(counter):
                continue
            part = sums[name] / sums[counter]
            alive = self.memory["alive"].get(name, 0.0)
            if alive >= _ALIVE and part < _FLAT:
                return BrokenError(
                    f"{what} (their spread fell to {part:.1%} of the targets')",
                    "lower the learning rates or the adversarial weight",
                )
            self.memory["alive"][name] = max(alive, part)
        return None

    def _add(self, **values: float) -> None:
        sums = self.memory["sums"]
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + value


def require_finite(modules: Mapping[str, nn.Module | None]) -> None:
    """Look at all weights and running statistics.

    Raises:
        BrokenError: one of them is infinite or no number.
    """
    for name, module in modules.items():
        if module is None:
            continue
        # Other buffers may hold infinities on purpose, such as the mask of an attention.
        running = ((key, b) for key, b in module.named_buffers() if "running_" in key)
        for key, tensor in itertools.chain(module.named_parameters(), running):
            if not bool(torch.isfinite(tensor).all()):
                raise BrokenError(
                    f'the {name}\'s weights "{key}" are no longer finite',
                    f"lower the learning rate of the {name}, lower the adversarial weight or clip "
                    "the gradient",
                )
