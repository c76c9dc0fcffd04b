"""CAT's lesson: a student learns from pairs while its features are aligned with its teacher's."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import node
from backend.data.pairs import open_pairs
from backend.data.vision import open_split
from backend.distill.alignment import Adapters, Taps, alignment_loss, require_batch
from backend.distill.layers import alignment_layers, channels_of, seen_channels
from backend.distill.perceptual import DEEP
from backend.methods.cat_pictures import LessonSheet
from backend.methods.edit_snapshots import Snapshots, figures_of, verdict_of
from backend.methods.image_to_image import (
    ImageToImageParams,
    distance_of,
    edit_of,
    least_trained_side,
    opponent_of,
    validation_of,
)
from backend.models.inception import least_side
from backend.models.seeded import seeded
from backend.models.spade import SpadeGenerator
from backend.train.edits import EditEpoch, fit_edits
from backend.values import Data, Discriminator, Generator, Pairs

_DISTILL = "Distillation"


class DistillParams(ImageToImageParams):
    """How to teach the student."""

    adversarial: float = Field(
        default=1.0,
        ge=0,
        title="Adversarial weight",
        description="Weight of fooling the discriminator; 0 trains none.",
        json_schema_extra={"group": "Losses", "origin": "paper"},
    )
    lr: float = Field(
        default=2e-4,
        gt=0,
        le=1,
        title="Learning rate",
        description="Of the student and of adapters.",
        json_schema_extra={"scale": "log", "origin": "paper"},
    )
    batch: int = Field(
        default=8,
        ge=1,
        le=256,
        title="Batch size",
        description="Pairs a step; alignment needs 2 or more.",
        json_schema_extra={"unit": "pairs"},
    )
    loss: Literal["ka", "cka", "mse", "none"] = Field(
        default="ka",
        title="Feature loss",
        description="Kernel alignment, its centred form (not in the paper), or MSE through "
        "adapters.",
        json_schema_extra={
            "group": _DISTILL,
            "origin": "paper",
            "labels": {
                "ka": "Kernel alignment",
                "cka": "Centred (extra)",
                "mse": "MSE, adapters",
                "none": "None",
            },
        },
    )
    weight: float = Field(
        default=1.0,
        ge=0,
        title="Feature weight",
        description="Weight of the feature loss; papers' runs sum it over their GPUs.",
        json_schema_extra={"group": _DISTILL, "origin": "paper"},
    )
    parts: int = Field(
        default=1,
        ge=1,
        le=64,
        title="Parts of a batch",
        description="Aligned each by itself and summed, as on that many GPUs.",
        json_schema_extra={"group": _DISTILL},
    )
    layers: str = Field(
        default="",
        title="Layers",
        description="Names with commas; empty: end of down-sampling and of thirds of blocks.",
        json_schema_extra={"group": _DISTILL, "origin": "paper"},
    )


class Distilled(NamedTuple):
    """The taught student and the discriminator that it fooled."""

    generator: Generator
    discriminator: Discriminator


@node("cat.distill", title="CAT distill")
def cat_distill(
    ctx: Context,
    p: DistillParams,
    student: Generator,
    teacher: Generator,
    pairs: Pairs,
    start: Discriminator | None = None,
    real: Data | None = None,
) -> Distilled:
    """Train a student on pairs while its features are aligned with its teacher's.

    For a teacher without pairs of its own, make pairs with it first: its pictures are the target.
    Link its discriminator to start from it, as the paper does, and for a CycleGAN the pictures of
    its target set: they are what that discriminator takes for real.

    Source: Jin et al., Teachers Do More Than Teach (CAT), CVPR 2021, sec. 3.3
    """
    if p.loss in ("ka", "cka"):
        require_batch(p.batch // p.parts)
        _require_pairs(p, pairs)
    _require_size(p, pairs, teacher)
    module, master = copy.deepcopy(student.module), copy.deepcopy(teacher.module)
    side = least_trained_side(p, pairs.manifest)
    lesson = Lesson(ctx, p, module, master, side) if p.loss != "none" else None
    opponent = opponent_of(ctx, p, start)
    snapshots = Snapshots(ctx, student)
    pictures = LessonSheet(ctx, student, replace(teacher, module=master), pairs, p.shown)
    plan = p.plan()
    if pictures.has_targets:
        plan = replace(plan, shown=0)  # a second sheet would be the same

    def after(row: EditEpoch, kept: nn.Module) -> None:
        snapshots(row, kept)
        pictures(kept)

    epochs = fit_edits(
        ctx,
        edit_of(module, student),
        open_pairs(pairs.manifest, "train"),
        validation_of(pairs.manifest),
        plan,
        discriminator=opponent.module,
        conditional=opponent.conditional,
        distance=distance_of(ctx, p, DEEP if isinstance(master, SpadeGenerator) else None),
        extra=lesson,
        extra_parameters=lesson.parameters if lesson is not None else None,
        after_epoch=after,
        real=open_split(real.manifest, "train") if real is not None else None,
        state=lesson.state if lesson is not None else {},
    )
    if lesson is not None:
        lesson.close()
    facts = {
        "epochs": student.facts.get("epochs", 0) + len(epochs),
        "pairs": pairs.manifest.title,
        "teacher": teacher.label,
        **figures_of(epochs[-1]),
    }
    ctx.log(verdict_of(epochs[-1]))
    return Distilled(
        student.with_module(module.cpu(), **facts),
        opponent.with_module(opponent.module.cpu(), trained=p.adversarial > 0),
    )


def _require_pairs(p: DistillParams, pairs: Pairs) -> None:
    """Refuse so few training pairs that no batch has two for each of its parts."""
    count = pairs.manifest.count("train")
    if 0 < count * p.crops < 2 * p.parts:
        raise FretsawError(
            f"Kernel alignment compares pairs with each other; {pairs.manifest.title} has only "
            f"{count} to train on, for {p.parts} parts of a batch."
            if p.parts > 1
            else f"Kernel alignment compares pairs with each other, and {pairs.manifest.title} has "
            f"only {count} to train on.",
            "Link more pairs, take several crops of each, or choose MSE or no feature loss.",
        )


def _require_size(p: DistillParams, pairs: Pairs, teacher: Generator) -> None:
    """Refuse pictures that the teacher's largest kernels cannot be reflected on."""
    side = least_trained_side(p, pairs.manifest)
    least = least_side(teacher.module)
    if side < least:
        raise FretsawError(
            f"The teacher's largest kernels need pictures of {least} pixels; training sees {side}.",
            "Choose larger crops, no small start, or a teacher with smaller kernels.",
        )
    try:  # a network of the user's own may want other multiples
        with torch.no_grad():
            copy.deepcopy(teacher.module).cpu().eval()(torch.zeros(1, 3, side, side))
    except (RuntimeError, ValueError) as error:
        raise FretsawError(
            f"{teacher.label} cannot read pictures of {side} pixels, as training sees ({error}).",
            "Choose larger crops, or no small start.",
        ) from error


class Lesson:
    """The feature loss of a batch: runs the teacher on what the student has just seen."""

    def __init__(
        self,
        ctx: Context,
        p: DistillParams,
        student: nn.Module,
        teacher: nn.Module,
        side: int = 64,
    ) -> None:
        self.p = p
        self.teacher = teacher.to(ctx.device).eval().requires_grad_(False)
        names = [name.strip() for name in p.layers.split(",") if name.strip()]
        names = names or alignment_layers(teacher)
        channels_of(teacher, names), channels_of(student, names)  # both have these layers
        self.taps = Taps(self.teacher, names), Taps(student, names)
        self.adapters: Adapters | None = None
        if p.loss == "mse":
            wide = seen_channels(self.teacher, names, side)
            narrow = seen_channels(student, names, side)
            with seeded(ctx.seed):
                self.adapters = Adapters({n: (narrow[n], wide[n]) for n in names}).to(ctx.device)

    @property
    def parameters(self) -> list[nn.Parameter] | None:
        """Adapters are trained with the student."""
        return list(self.adapters.parameters()) if self.adapters is not None else None

    @property
    def state(self) -> Mapping[str, Any]:
        """What a checkpoint must hold beside the student."""
        return {"cat.adapters": self.adapters} if self.adapters is not None else {}

    def __call__(self, inputs: Tensor, made: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the weighted loss; 1 - KA of each layer for the curves."""
        with torch.no_grad():
            self.teacher(inputs)
        theirs, ours = self.taps[0].features, self.taps[1].features
        if self.adapters is not None:
            loss = self.adapters.loss(theirs, ours)
            return self.p.weight * loss, {"features": float(loss.detach())}
        kind: Any = self.p.loss
        loss, distance = alignment_loss(theirs, ours, kind=kind, parts=self.p.parts)
        return self.p.weight * loss, {f"1-KA {name}": value for name, value in distance.items()}

    def close(self) -> None:
        """Take the hooks off."""
        for taps in self.taps:
            taps.close()
