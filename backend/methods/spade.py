"""SPADE with CAT's blocks: label maps to pictures, its data, its generator and its training."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Literal

from pydantic import Field
from torch import nn

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.data.label_pairs import classes_of, doubt_of, label_folder
from backend.data.pairs import PICTURES, open_pairs
from backend.data.preprocess import ImageInput
from backend.distill.perceptual import DEEP, TITLES
from backend.fields import AUGMENTATION, Fit, SplitSeed, TestFraction, TrainLimit, ValFraction
from backend.methods.cat import initialise
from backend.methods.edit_snapshots import Snapshots, figures_of
from backend.methods.image_to_image import (
    ImageToImageParams,
    Trained,
    distance_of,
    edit_of,
    least_trained_side,
    new_discriminator,
    validation_of,
)
from backend.methods.pairs import show_samples, tell_counts
from backend.models.recipe import Recipe, build
from backend.models.registry import zoo
from backend.models.seeded import seeded
from backend.models.spade import LabelCode
from backend.train.edit_plan import EditPlan
from backend.train.edits import EditEpoch, fit_edits
from backend.values import Discriminator, Generator, Pairs

_BRANCHES = "Branches"
_LOSSES = "Losses"
_OPPONENT = "Discriminator"
_PAPER = {"origin": "paper"}


class LabelFolderParams(Params):
    """Which folder, and how its label maps are read."""

    folder: Path = Field(
        title="Folder",
        description="Folder with label maps in A and their pictures in B, of equal file names.",
    )
    classes: int | None = Field(
        default=None,
        ge=2,
        le=255,
        title="Classes",
        description="How many; empty: as many as the maps have. Pixels of 255 are a class more.",
    )
    size: int = Field(
        default=256,
        ge=16,
        le=1024,
        multiple_of=4,
        title="Picture size",
        description="Height and width of the pictures.",
        json_schema_extra={"unit": "px"},
    )
    fit: Fit = "crop"
    on_error: Literal["stop", "skip"] = Field(
        default="stop",
        title="Bad pairs",
        description="What to do about a pair that cannot be used.",
    )
    val_fraction: ValFraction = 0.1
    test_fraction: TestFraction = 0.2
    train_limit: TrainLimit = None
    split_seed: SplitSeed = 0


@node("data.label_pairs", title="Label maps", views=("table",))
def label_pairs(ctx: Context, p: LabelFolderParams) -> Pairs:
    """Label maps (grey or paletted pictures whose numbers are classes) and their pictures.

    They are pairs to train a SPADE generator on; each class is shown as a level of grey.

    Source: Park et al., Semantic image synthesis with spatially-adaptive normalization, CVPR 2019
    """
    manifest = label_folder(
        p.folder,
        ctx.folder / PICTURES,
        classes=p.classes,
        size=p.size,
        fit=p.fit,
        on_error=p.on_error,
        seed=p.split_seed,
        val_fraction=p.val_fraction,
        test_fraction=p.test_fraction,
        train_limit=p.train_limit,
    )
    about = f"{manifest.title}: {classes_of(manifest)} classes; "
    tell_counts(ctx, manifest, "Label maps", about)
    if doubt := doubt_of(manifest):
        ctx.log(doubt, level="warning")
    show_samples(ctx, open_pairs(manifest, "train"))
    return Pairs(manifest)


class SpadeTeacherParams(Params):
    """Which generator."""

    width: int = Field(
        default=64,
        ge=1,
        le=256,
        title="Width",
        description="Channels of the last block; the first ones have 16 times as many.",
        json_schema_extra=_PAPER,
    )
    upsampling: Literal["normal", "more", "most"] = Field(
        default="more",
        title="Up-sampling",
        description="Doublings from the smallest size: 5, 6 or 7.",
        json_schema_extra={
            "labels": {"normal": "5 doublings", "more": "6 doublings", "most": "7 doublings"},
            **_PAPER,
        },
    )
    norm: Literal["batch", "instance"] = Field(
        default="batch",
        title="Norm",
        description="Batch (paper), or instance for batches of few pictures; both with a scale.",
        json_schema_extra=_PAPER,
    )
    spectral: bool = Field(
        default=False,
        title="Spectral norm",
        description="Divides kernels of the blocks by their largest singular value.",
        json_schema_extra=_PAPER,
    )
    residual_kernels: str = Field(
        default="1,3,5",
        title="Residual kernels",
        description="Kernel sizes of the residual branches; empty for none.",
        json_schema_extra={"group": _BRANCHES, **_PAPER},
    )
    depthwise_kernels: str = Field(
        default="1,3,5",
        title="Depth-wise kernels",
        description="Kernel sizes of the depth-wise branches; empty for none.",
        json_schema_extra={"group": _BRANCHES, **_PAPER},
    )
    reduction: int = Field(
        default=6,
        ge=1,
        le=64,
        title="Reduction",
        description="Hidden width of a branch: the smaller side of its block divided by this.",
        json_schema_extra={"group": _BRANCHES, **_PAPER},
    )
    spade_width: int = Field(
        default=128,
        ge=2,
        le=1024,
        title="Norm width",
        description="Hidden width inside the norms, before the reduction.",
        json_schema_extra={"group": _BRANCHES, **_PAPER},
    )


@node("cat.spade_teacher", title="CAT SPADE teacher")
def cat_spade_teacher(ctx: Context, p: SpadeTeacherParams, pairs: Pairs) -> Generator:
    """Make the untrained generator from label maps to pictures: teacher and search space in one.

    Train it with Train SPADE; CAT plan, shrink and distill take it as any other.

    Source: Jin et al., Teachers Do More Than Teach (CAT), CVPR 2021; Park et al., SPADE, CVPR 2019
    """
    classes = classes_of(pairs.manifest)
    chosen = {name: getattr(p, name) for name in type(p).model_fields}
    recipe = Recipe(zoo("inception_spade", classes=classes, **chosen))
    with seeded(ctx.seed):
        module = build(recipe, meta=False)
        initialise(module)
    height, width = pairs.manifest.size
    multiple = int(module.multiple)  # type: ignore[arg-type]
    image = ImageInput(3, height, width, (0.0,) * 3, (1.0,) * 3)
    return Generator(recipe, module, image, "CAT SPADE teacher", multiple=multiple)


class SpadeTrainParams(ImageToImageParams):
    """How to train."""

    epochs: int = Field(
        default=200, ge=1, le=5000, title="Epochs", description="Passes over the training pairs.",
        json_schema_extra=_PAPER,
    )  # fmt: skip
    batch: int = Field(
        default=16, ge=1, le=256, title="Batch size", description="Pairs a step.",
        json_schema_extra={"unit": "pairs", **_PAPER},
    )  # fmt: skip
    lr: float = Field(
        default=2e-4,
        gt=0,
        le=1,
        title="Learning rate",
        description="Of both networks, before the generator's is halved and the other doubled.",
        json_schema_extra={"scale": "log", **_PAPER},
    )
    two_rates: bool = Field(
        default=True,
        title="Two rates",
        description="Half the rate for the generator, twice for the discriminator, betas 0 and "
        "0.9; else each rate and beta as given.",
        json_schema_extra=_PAPER,
    )
    l1: float = Field(
        default=0.0,
        ge=0,
        title="L1 weight",
        description="Weight of the mean distance to the real pixels.",
        json_schema_extra={"group": _LOSSES, **_PAPER},
    )
    adversarial: float = Field(
        default=1.0,
        ge=0,
        title="Adversarial weight",
        description="Weight of fooling the discriminator; 0 trains none.",
        json_schema_extra={"group": _LOSSES, **_PAPER},
    )
    matching: float = Field(
        default=10.0,
        ge=0,
        title="Feature matching",
        description="Weight of matching the discriminator's features of the real picture.",
        json_schema_extra={"group": _LOSSES, **_PAPER},
    )
    perceptual: float = Field(
        default=0.0,
        ge=0,
        title="Perceptual weight",
        description="Weight of the distance between features; the paper: 10, with VGG.",
        json_schema_extra={"group": _LOSSES},
    )
    disc_width: int = Field(
        default=64,
        ge=2,
        le=256,
        title="Its width",
        description="Channels of its first layer.",
        json_schema_extra={"group": _OPPONENT, **_PAPER},
    )
    disc_layers: int = Field(
        default=4,
        ge=1,
        le=6,
        title="Its layers",
        description="Halvings at each scale.",
        json_schema_extra={"group": _OPPONENT, **_PAPER},
    )
    disc_norm: Literal["none", "instance", "batch"] = Field(
        default="instance",
        title="Its norm",
        description="Norm between its layers.",
        json_schema_extra={"group": _OPPONENT, **_PAPER},
    )
    scales: int = Field(
        default=2,
        ge=1,
        le=4,
        title="Its scales",
        description="Sizes at which it judges: the whole picture, half of it, and so on.",
        json_schema_extra={"group": _OPPONENT, **_PAPER},
    )
    conditional: Literal[True] = Field(
        default=True,
        title="Sees the source",
        description="It always judges label map and picture together.",
        json_schema_extra={"group": _OPPONENT, **_PAPER},
    )
    ema: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        title="Weight average",
        description="Decay of a weight average that is shown and kept instead.",
    )
    small: float = Field(
        default=0.0,
        ge=0,
        le=1,
        title="Small start",
        description="First part of the training on half the height and width: quicker.",
        json_schema_extra={"group": AUGMENTATION},
    )

    def plan(self) -> EditPlan:
        """Return the training that the parameters describe."""
        rates = {"lr": self.lr / 2, "lr_discriminator": 2 * self.lr, "beta1": 0.0, "beta2": 0.9}
        plan = super().plan()
        known = {name: getattr(plan, name) for name in EditPlan.__dataclass_fields__}
        return EditPlan(**{**known, **(rates if self.two_rates else {})})


@node("train.spade", title="Train SPADE")
def train_spade(
    ctx: Context,
    p: SpadeTrainParams,
    model: Generator,
    pairs: Pairs,
    start: Discriminator | None = None,
) -> Trained:
    """Train a generator from label maps to pictures against a discriminator of several scales.

    Losses: hinge, feature matching over all levels, and the perceptual loss whose deepest layer
    counts most; all compare with the real picture.

    Source: Park et al., Semantic image synthesis with spatially-adaptive normalization, CVPR 2019,
    sec. 4; Heusel et al., GANs trained by a two time-scale update rule, NeurIPS 2017
    """
    classes = classes_of(pairs.manifest)
    _require_classes(classes, model, start)
    _require_values(p, model, pairs)
    module = copy.deepcopy(model.module)
    opponent = start.with_module(copy.deepcopy(start.module)) if start else _judge(ctx, p, classes)
    epochs = fit_edits(
        ctx,
        edit_of(module, model),
        open_pairs(pairs.manifest, "train"),
        validation_of(pairs.manifest),
        p.plan(),
        discriminator=opponent.module,
        distance=distance_of(ctx, p, DEEP),
        after_epoch=Snapshots(ctx, model),
    )
    facts = {
        "epochs": model.facts.get("epochs", 0) + len(epochs),
        "pairs": pairs.manifest.title,
        "features": TITLES.get(p.backbone, "") if p.perceptual > 0 else "",
        **figures_of(epochs[-1]),
    }
    ctx.log(_verdict(epochs[-1]))
    return Trained(
        model.with_module(module.cpu(), **facts),
        opponent.with_module(opponent.module.cpu(), trained=p.adversarial > 0),
    )


def _require_classes(classes: int, model: Generator, start: Discriminator | None) -> None:
    """Refuse networks that unfold label maps of other classes, or none at all."""
    for one, what in ((model, "generator"), (start, "discriminator")):
        code = getattr(one.module, "code", None) if one is not None else None
        if isinstance(code, LabelCode) and code.classes != classes:
            raise FretsawError(
                f"The {what} was made for {code.classes} classes, and the label maps have "
                f"{classes}.",
                "Link networks made from these label maps, or set the maps' number of classes.",
            )
    if start is not None and not start.conditional:
        raise FretsawError(
            f'"{start.label}" judges pictures alone; here it has to see the label map, too.',
            "Link the discriminator of Train SPADE, or none to begin with a new one.",
        )


def _require_values(p: SpadeTrainParams, model: Generator, pairs: Pairs) -> None:
    """Refuse norms that have one value of each channel, and so nothing to compare it with."""
    side = least_trained_side(p, pairs.manifest)
    kinds = {type(part) for part in model.module.modules()}
    batch = min(p.batch, p.crops * pairs.manifest.count("train"))
    is_alone = nn.InstanceNorm2d in kinds or (batch == 1 and nn.BatchNorm2d in kinds)
    if side // model.multiple < 2 and is_alone:
        raise FretsawError(
            f"The generator's norms need more than one value of each channel, and {side} pixels "
            "are one at its smallest size.",
            "Choose batch norm and 2 pairs or more a batch, fewer doublings, or larger pictures.",
        )


def _verdict(row: EditEpoch) -> str:
    """Return the last epoch's figures in a sentence."""
    if row.val_psnr is None:
        return "There are no validation pairs, so nothing was judged."
    return f"PSNR {row.val_psnr:.1f} dB, L1 {row.val_l1:.3f} to the real validation pictures."


def _judge(ctx: Context, p: SpadeTrainParams, classes: int) -> Discriminator:
    recipe = Recipe(
        zoo(
            "scaled_discriminator",
            classes=classes,
            width=p.disc_width,
            layers=p.disc_layers,
            scales=p.scales,
            norm=p.disc_norm,
            spectral=p.spectral,
        )
    )
    return new_discriminator(recipe, ctx.seed, "Discriminator of several scales")
