"""The losses of a batch of pairs, by the weights of the plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.distill.gan_losses import (
    discriminator_loss,
    feature_matching,
    generator_loss,
    over_scales,
    scaled_matching,
)
from backend.train.edit import Edit
from backend.train.edit_plan import EditPlan
from backend.train.plan import TrainError

Distance = Callable[[Tensor, Tensor], Tensor]
Extra = Callable[[Tensor, Tensor], tuple[Tensor, dict[str, float]]]
Seen = tuple[Tensor, Tensor]

_RECON = {"l2": F.mse_loss, "smooth_l1": F.smooth_l1_loss}


class EditLosses:
    """What generator and discriminator minimise; see :func:`backend.train.edits.fit_edits`.

    A discriminator gives scores, or a list of them for several scales of a picture. ``scores`` are
    its last ones of real and of made pictures, without gradients.

    Raises:
        TrainError: a loss has a weight, but the network for it is missing.
    """

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
        self.scores: Seen | None = None

    def signed(self, answer: Tensor) -> Tensor:
        """Return an answer of the generator as pixels in -1 .. 1."""
        low, high = self.edit.low, self.edit.high
        return answer if (low, high) == (-1, 1) else (answer - low) * (2 / (high - low)) - 1

    def of_discriminator(self, source: Tensor, target: Tensor, made: Tensor) -> Tensor:
        """Return the discriminator's loss; no gradient goes to the generator."""
        assert self.discriminator is not None
        real = self.discriminator(self._seen(source, target))
        fake = self.discriminator(self._seen(source, made.detach()))
        self.scores = _flat(real), _flat(fake)
        return over_scales(partial(discriminator_loss, self.plan.kind), real, fake)

    def of_generator(
        self, inputs: Tensor, source: Tensor, target: Tensor, made: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the generator's loss, and its parts before their weights."""
        plan = self.plan
        l1 = F.l1_loss(made, target)
        pixels = l1 if plan.recon == "l1" else _RECON[plan.recon](made, target)
        total, parts = plan.l1 * pixels, {"l1": float(l1.detach())}

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
                if isinstance(levels[0], Tensor):
                    add("matching", plan.matching, feature_matching(real, levels))
                    score = levels[-1]
                else:
                    add("matching", plan.matching, scaled_matching(real, levels))
                    score = [one[-1] for one in levels]
            else:
                score = self.discriminator(seen)
            loss = over_scales(partial(generator_loss, plan.kind), score)
            add("adversarial", plan.adversarial, loss)
        if plan.perceptual > 0 and self.distance is not None:
            add("perceptual", plan.perceptual, self.distance(made, target))
        if self.extra is not None:
            value, figures = self.extra(inputs, made)
            total, parts = total + value, parts | figures
        return total, parts

    def _seen(self, source: Tensor, picture: Tensor) -> Tensor:
        return torch.cat([source, picture], 1) if self.conditional else picture


def _flat(scores: Tensor | Sequence[Tensor]) -> Tensor:
    """Return all scores without gradients, (count,)."""
    if isinstance(scores, Tensor):
        return scores.detach().flatten()
    return torch.cat([one.detach().flatten() for one in scores])
