"""Training of generators on pairs of pictures."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, model_validator
from torch import nn

from backend.core.context import Context
from backend.core.node import Params, node
from backend.data.pairs import PairSet, PairsManifest, open_pairs
from backend.data.preprocess import ImageInput
from backend.distill.perceptual import TITLES, PerceptualLoss, perceptual_loss
from backend.fields import AUGMENTATION, OPTIMIZATION, Flip
from backend.methods.edit_snapshots import Snapshots, figures_of, verdict_of
from backend.models.recipe import Recipe, build
from backend.models.registry import zoo
from backend.models.seeded import seeded
from backend.train.edit_plan import EditPlan, Recon
from backend.train.edits import Edit, fit_edits
from backend.train.gan_guard import OnCollapse
from backend.values import Discriminator, Generator, Pairs

_LOSSES = "Losses"
_OPPONENT = "Discriminator"
_LOG = {"scale": "log"}


class ImageToImageParams(Params):
    """How to train."""

    epochs: int = Field(
        default=40, ge=1, le=5000, title="Epochs", description="Passes over the training pairs."
    )
    batch: int = Field(
        default=4,
        ge=1,
        le=256,
        title="Batch size",
        description="Pairs a step.",
        json_schema_extra={"unit": "pairs"},
    )
    lr: float = Field(
        default=2e-3,
        gt=0,
        le=1,
        title="Learning rate",
        description="Of the generator; the papers' large ones take 0.0002.",
        json_schema_extra=_LOG,
    )
    l1: float = Field(
        default=100.0,
        ge=0,
        title="L1 weight",
        description="Weight of the mean distance to the teacher's pixels.",
        json_schema_extra={"group": _LOSSES, "origin": "paper"},
    )
    recon: Recon = Field(
        default="l1",
        title="Pixel loss",
        description="What the L1 weight weighs: distance, its square, or squares near and "
        "distance far.",
        json_schema_extra={
            "group": _LOSSES,
            "labels": {"l1": "L1", "l2": "L2", "smooth_l1": "Smooth L1"},
        },
    )
    adversarial: float = Field(
        default=0.0,
        ge=0,
        title="Adversarial weight",
        description="Weight of fooling the discriminator; 0 trains none.",
        json_schema_extra={"group": _LOSSES},
    )
    kind: Literal["hinge", "lsgan", "vanilla"] = Field(
        default="hinge",
        title="Adversarial loss",
        description="Hinge, least squares, or the first one, with logarithms.",
        json_schema_extra={"group": _LOSSES, "labels": {"lsgan": "Least squares"}},
    )
    matching: float = Field(
        default=0.0,
        ge=0,
        title="Feature matching",
        description="Weight of matching the discriminator's features.",
        json_schema_extra={"group": _LOSSES},
    )
    perceptual: float = Field(
        default=0.0,
        ge=0,
        title="Perceptual weight",
        description="Weight of the distance between features; needs a feature network.",
        json_schema_extra={"group": _LOSSES},
    )
    backbone: Literal["none", "mobilenet_v2", "vgg16"] = Field(
        default="none",
        title="Feature network",
        description="MobileNetV2 is quick, the VGG-16 trunk is usual (and needs h5py).",
        json_schema_extra={
            "group": _LOSSES,
            "labels": {"mobilenet_v2": "MobileNetV2", "vgg16": "VGG-16"},
        },
    )
    backbone_file: Path | None = Field(
        default=None,
        title="Feature weights",
        description="The package of the feature network on this computer, if not installed.",
        json_schema_extra={"group": _LOSSES},
    )
    download: bool = Field(
        default=False,
        title="May download",
        description="Download the feature network (9 or 55 MB) if it is not here.",
        json_schema_extra={"group": _LOSSES},
    )
    lr_discriminator: float = Field(
        default=4e-4,
        ge=0,
        le=1,
        title="Its learning rate",
        description="Learning rate of the discriminator.",
        json_schema_extra={"group": _OPPONENT, **_LOG},
    )
    disc_width: int = Field(
        default=24,
        ge=2,
        le=256,
        title="Its width",
        description="Channels of its first layer; the paper: 64, which is 7 times slower.",
        json_schema_extra={"group": _OPPONENT},
    )
    disc_layers: int = Field(
        default=3,
        ge=1,
        le=6,
        title="Its layers",
        description="Halvings; 3 score patches of 70 x 70 pixels.",
        json_schema_extra={"group": _OPPONENT, "origin": "paper"},
    )
    disc_norm: Literal["none", "instance", "batch"] = Field(
        default="none",
        title="Its norm",
        description="Norm between its layers.",
        json_schema_extra={"group": _OPPONENT},
    )
    spectral: bool = Field(
        default=True,
        title="Spectral norm",
        description="Keeps the discriminator smooth, so that training is steady.",
        json_schema_extra={"group": _OPPONENT},
    )
    conditional: bool = Field(
        default=True,
        title="Sees the source",
        description="It judges source and picture together, not the picture alone.",
        json_schema_extra={"group": _OPPONENT, "origin": "paper"},
    )
    beta1: float = Field(
        default=0.5,
        ge=0,
        lt=1,
        title="Beta 1",
        description="Momentum of Adam.",
        json_schema_extra={"group": OPTIMIZATION, "origin": "paper"},
    )
    beta2: float = Field(
        default=0.999,
        ge=0,
        lt=1,
        title="Beta 2",
        description="Memory of Adam for the size of gradients.",
        json_schema_extra={"group": OPTIMIZATION, "origin": "paper"},
    )
    decay: float = Field(
        default=0.5,
        ge=0,
        le=1,
        title="Decay",
        description="Last part of the training, in which learning rates fall to zero.",
        json_schema_extra={"group": OPTIMIZATION, "origin": "paper"},
    )
    ema: float | None = Field(
        default=0.999,
        gt=0,
        lt=1,
        title="Weight average",
        description="Decay of a weight average that is shown and kept instead.",
        json_schema_extra={"group": OPTIMIZATION},
    )
    clip: float | None = Field(
        default=None,
        gt=0,
        title="Gradient limit",
        description="Largest norm of a gradient.",
        json_schema_extra={"group": OPTIMIZATION},
    )
    crop: int | None = Field(
        default=None,
        ge=8,
        title="Crop",
        description="Side of squares to train on; styles need whole pictures.",
        json_schema_extra={"group": AUGMENTATION, "unit": "px"},
    )
    crops: int = Field(
        default=1,
        ge=1,
        le=256,
        title="Crops a pair",
        description="Crops of each pair in an epoch.",
        json_schema_extra={"group": AUGMENTATION},
    )
    small: float = Field(
        default=0.6,
        ge=0,
        le=1,
        title="Small start",
        description="First part of the training on half the height and width: quicker.",
        json_schema_extra={"group": AUGMENTATION},
    )
    flip: Flip = True
    shown: int = Field(
        default=4,
        ge=0,
        le=16,
        title="Samples shown",
        description="Validation pairs in the picture after each epoch, always the same.",
        json_schema_extra={"unit": "pairs"},
    )

    on_collapse: OnCollapse = Field(
        default="stop",
        title="If it breaks",
        description="When a loss is no number or the discriminator collapses: stop and say so, "
        "give the last good epoch, or go on from it without the discriminator.",
        json_schema_extra={
            "group": _OPPONENT,
            "labels": {
                "stop": "Stop",
                "keep": "Give last good",
                "without": "Go on without it",
            },
        },
    )

    @model_validator(mode="after")
    def _losses_fit(self) -> ImageToImageParams:
        if self.l1 == self.adversarial == self.perceptual == 0:
            raise ValueError("All losses have the weight 0; give one of them a weight.")
        if self.perceptual > 0 and self.backbone == "none":
            raise ValueError(
                "The perceptual loss needs a feature network; choose one, or set its weight to 0."
            )
        if self.matching > 0 and self.adversarial == 0:
            raise ValueError("Feature matching needs a discriminator: an adversarial weight.")
        return self

    def plan(self) -> EditPlan:
        """Return the training that the parameters describe."""
        names = EditPlan.__dataclass_fields__.keys() & type(self).model_fields.keys()
        return EditPlan(**{name: getattr(self, name) for name in names})


class Trained(NamedTuple):
    """What training gives: the generator to keep, and the discriminator that it fooled."""

    generator: Generator
    discriminator: Discriminator


@node("train.image_to_image", title="Train image to image")
def train_image_to_image(
    ctx: Context,
    p: ImageToImageParams,
    model: Generator,
    pairs: Pairs,
    start: Discriminator | None = None,
) -> Trained:
    """Train a generator on pairs of pictures, as pix2pix does; validation pairs judge each epoch.

    The average of the weights is what is kept, shown, and handed out after each epoch. A linked
    discriminator is trained on instead of a new one.

    Source: Isola et al., Image-to-image translation with conditional adversarial networks,
    CVPR 2017, eq. 4
    """
    module = copy.deepcopy(model.module)
    opponent = opponent_of(ctx, p, start)
    distance = distance_of(ctx, p)
    snapshots = Snapshots(ctx, model)
    epochs = fit_edits(
        ctx,
        edit_of(module, model),
        open_pairs(pairs.manifest, "train"),
        validation_of(pairs.manifest),
        p.plan(),
        discriminator=opponent.module,
        conditional=opponent.conditional,
        distance=distance,
        after_epoch=snapshots,
    )
    facts = {
        "epochs": model.facts.get("epochs", 0) + len(epochs),
        "pairs": pairs.manifest.title,
        "concepts": list(pairs.manifest.concepts()),
        "features": TITLES.get(p.backbone, "") if p.perceptual > 0 else "",
        **figures_of(epochs[-1]),
    }
    ctx.log(verdict_of(epochs[-1]))
    is_trained = p.adversarial > 0
    return Trained(
        model.with_module(module.cpu(), **facts),
        opponent.with_module(opponent.module.cpu(), trained=is_trained),
    )


def distance_of(
    ctx: Context, p: ImageToImageParams, weights: tuple[float, ...] | None = None
) -> PerceptualLoss | None:
    """Return the perceptual loss on the device; None where it has no weight."""
    if p.perceptual == 0:
        return None
    found = perceptual_loss(p.backbone, p.backbone_file, download=p.download, weights=weights)
    assert found is not None
    ctx.log(f"Features of {TITLES[p.backbone]} are compared.")
    return found.to(ctx.device)


def opponent_of(ctx: Context, p: ImageToImageParams, start: Discriminator | None) -> Discriminator:
    """Return the discriminator to train: a copy of ``start``, or a new one."""
    if start is not None:
        return start.with_module(copy.deepcopy(start.module))
    recipe = Recipe(
        zoo(
            "patch_discriminator",
            inputs=6 if p.conditional else 3,
            width=p.disc_width,
            layers=p.disc_layers,
            norm=p.disc_norm,
            spectral=p.spectral,
        )
    )
    return new_discriminator(recipe, ctx.seed, "Discriminator", conditional=p.conditional)


def new_discriminator(
    recipe: Recipe, seed: int, label: str, *, conditional: bool = True
) -> Discriminator:
    """Return an untrained discriminator of colour pictures in -1 .. 1."""
    with seeded(seed):
        module = build(recipe, meta=False)
    image = ImageInput(3, 256, 256, (0.5,) * 3, (0.5,) * 3)
    return Discriminator(recipe, module, image, label, conditional=conditional)


def edit_of(module: nn.Module, model: Generator) -> Edit:
    """Return ``module``, which reads and gives what ``model`` does, as what is trained."""
    return Edit(module, model.image, model.low, model.high, model.any_size, model.multiple)


def least_trained_side(p: ImageToImageParams, manifest: PairsManifest) -> int:
    """Return the shorter side, in pixels, of the smallest pictures that training sees."""
    return min(*manifest.size, p.crop or 4096) // (2 if p.small else 1)


def validation_of(manifest: PairsManifest) -> PairSet | None:
    """Return the validation pairs; None where there are none."""
    return open_pairs(manifest, "val") if manifest.count("val") else None
