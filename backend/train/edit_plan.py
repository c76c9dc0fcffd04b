"""How to train a generator on pairs: one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backend.distill.gan_losses import GanKind
from backend.train.gan_guard import OnCollapse
from backend.train.plan import TrainError

Recon = Literal["l1", "l2", "smooth_l1"]


@dataclass(frozen=True)
class EditPlan:
    """How to train from pictures to edited pictures: weights of the losses, optimizer, schedule.

    Losses are taken of pixels on a scale of -1 .. 1. Defaults are those of pix2pix where it has
    one.
    Source: Isola et al., CVPR 2017, sec. 3.3 and 6.2.
    """

    epochs: int = 20
    batch: int = 8
    lr: float = 2e-4
    lr_discriminator: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    decay: float = 0.5
    """Part of the training, at its end, over which the rates fall in a line to zero."""
    warmup: int = 0
    """Steps of linear rise at the start."""
    l1: float = 100.0
    """Weight of the pixel loss."""
    recon: Recon = "l1"
    """The pixel loss: mean |d|, mean d^2, or d^2 / 2 below a distance of 1 and |d| - 1/2 above."""
    adversarial: float = 1.0
    """0 trains no discriminator."""
    kind: GanKind = "hinge"
    perceptual: float = 0.0
    matching: float = 0.0
    """Weight of feature matching, over the levels of the discriminator."""
    ema: float | None = 0.999
    """Decay of an average of the generator's weights; it is what is judged, shown and kept."""
    crop: int | None = None
    """Side of the squares that are cut out of both pictures of a pair; None takes them whole."""
    crops: int = 1
    """How often an epoch goes through each pair, at another place every time."""
    small: float = 0.0
    """Part of the training, at its start, on pictures of half the height and width: four times as
    quick, and colours are learned there. Source: Karras et al., Progressive growing, ICLR 2018."""
    flip: bool = True
    clip: float | None = None
    """Largest norm of each network's gradient."""
    channels_last: bool = True
    shown: int = 4
    """Validation pairs in the grid of samples, always the same ones."""
    on_collapse: OnCollapse = "stop"
    """What to do when a loss is no number, or discriminator or generator collapse."""
    patience: int = 3
    """Epochs of collapse before it is called one."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        bad = [n for n in ("epochs", "batch", "lr", "crops", "patience") if getattr(self, n) <= 0]
        weights = ("lr_discriminator", "l1", "adversarial", "perceptual", "matching", "warmup")
        bad += [n for n in (*weights, "shown") if getattr(self, n) < 0]
        bad += [n for n in ("beta1", "beta2") if not 0 <= getattr(self, n) < 1]
        bad += [n for n in ("decay", "small") if not 0 <= getattr(self, n) <= 1]
        bad += ["ema"] * (self.ema is not None and not 0 < self.ema < 1)
        bad += [n for n in ("clip", "crop") if (v := getattr(self, n)) is not None and v <= 0]
        bad += ["matching"] * (self.matching > 0 and self.adversarial == 0)
        if bad:
            words = ", ".join(f"{name} = {getattr(self, name)}" for name in dict.fromkeys(bad))
            raise TrainError(f"The training plan is out of bounds: {words}.")
        if self.l1 == self.adversarial == self.perceptual == 0:
            raise TrainError(
                "All losses have the weight 0, so there is nothing to learn; give the L1 loss, the "
                "adversarial loss or the perceptual loss a weight."
            )

    def rate(self, step: int, total: int) -> float:
        """Return the learning rates at ``step`` of ``total`` as a part of the full ones."""
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        left = (total - step) / max(self.decay * total, 1)
        return min(rise, left, 1.0)
