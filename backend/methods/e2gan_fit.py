"""How E2GAN's nodes train: whole networks, adapters, and short trials, all in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from backend.concept_values import ConceptBase
from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.data.pairs import PairsManifest, open_pairs
from backend.distill.lora import Form
from backend.fields import AUGMENTATION
from backend.methods.e2gan_parts import is_trained
from backend.methods.image_to_image import (
    ImageToImageParams,
    distance_of,
    least_trained_side,
    opponent_of,
    validation_of,
)
from backend.models.concept import Prompted
from backend.models.recipe import build
from backend.models.seeded import seeded
from backend.train.edit import Edit, EditEpoch
from backend.train.edits import fit_edits
from backend.values import Discriminator

LEAST_SIDE = 16
"""Pixels: at an eighth of less, norms have a single number to look at."""
CONCEPT = "Concept"

ConvForm = Annotated[
    Form,
    Field(
        title="On convolutions",
        description="An adapter is a k x k convolution to its rank and a 1 x 1 one, or two "
        "matrices whose product is reshaped to the kernel: more numbers at one rank. A linked plan "
        "of ranks brings its own.",
        json_schema_extra={
            "group": CONCEPT,
            "labels": {"conv": "Two convolutions", "matrix": "Two matrices"},
        },
    ),
]
After = Callable[[EditEpoch, nn.Module], None]


class ConceptParams(ImageToImageParams):
    """How to train on one concept."""

    concept: str = Field(
        default="",
        title="Concept",
        description="Which of the linked ones; empty: the one that the pairs are of.",
        json_schema_extra={"group": CONCEPT},
    )
    epochs: int = Field(
        default=10, ge=1, le=5000, title="Epochs", description="Passes over the training pairs."
    )
    small: float = Field(
        default=0.0,
        ge=0,
        le=1,
        title="Small start",
        description="First part of the training on half the height and width; misleads fine edits.",
        json_schema_extra={"group": AUGMENTATION},
    )
    lr_discriminator: float = Field(
        default=2e-4,
        ge=0,
        le=1,
        title="Its learning rate",
        description="Learning rate of the discriminator.",
        json_schema_extra={"group": "Discriminator", "scale": "log"},
    )


class GoalParams(ConceptParams):
    """When to stop."""

    stop_at_l1: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        title="Stop at L1",
        description="Stop once the validation pairs are this near, on a scale of 0 to 1.",
        json_schema_extra={"group": CONCEPT},
    )


def fit_concepts(
    ctx: Context,
    p: ImageToImageParams,
    base: ConceptBase,
    module: Prompted,
    manifest: PairsManifest,
    start: Discriminator | None,
    *,
    after: After | None = None,
    told: Callable[[nn.Module, Any, np.ndarray], None] | None = None,
    stop_at: float | None = None,
) -> tuple[Discriminator, tuple[EditEpoch, ...]]:
    """Train ``module`` in place; return the discriminator that it fooled, and all epochs.

    The time of training without judging is reported after each epoch as ``train_seconds``.

    Raises:
        FretsawError: pictures that are too small, or a goal without validation pairs.
    """
    require_size(p, manifest)
    validation = validation_of(manifest)
    if stop_at is not None and validation is None:
        raise FretsawError(
            "There are no validation pairs to tell when the goal is reached.",
            "Give the photos a validation share, or leave the goal empty.",
        )
    opponent = first_opponent(ctx, p, start)
    distance = distance_of(ctx, p)

    def ended(row: EditEpoch, kept: nn.Module) -> None:
        ctx.metric(row.steps - 1, train_seconds=row.seconds)
        if after is not None:
            after(row, kept)

    epochs = fit_edits(
        ctx,
        Edit(module, base.image, multiple=8, told=told),
        open_pairs(manifest, "train"),
        validation,
        p.plan(),
        discriminator=opponent.module,
        conditional=opponent.conditional,
        distance=distance,
        after_epoch=ended,
        until=None if stop_at is None else lambda row: is_reached(row, stop_at),
    )
    return opponent.with_module(opponent.module.cpu(), trained=p.adversarial > 0), epochs


def first_opponent(
    ctx: Context, p: ImageToImageParams, start: Discriminator | None
) -> Discriminator:
    """Return the discriminator to train: a copy of ``start`` if that was trained, or a new one."""
    return opponent_of(ctx, p, start if start is not None and is_trained(start) else None)


def is_reached(row: EditEpoch, goal: float) -> bool:
    """Whether the validation pairs of an epoch are as near as wanted."""
    return row.val_l1 is not None and row.val_l1 <= goal


def tell_goal(ctx: Context, epochs: Iterable[EditEpoch], goal: float | None) -> None:
    """Say whether and when the goal was reached; nothing without one."""
    last = tuple(epochs)[-1]
    if goal is None or last.val_l1 is None:
        return
    reached = is_reached(last, goal)
    ctx.metric(last.steps - 1, reached=float(reached))
    ctx.log(
        f"L1 {last.val_l1:.4f} on validation pairs {'reached' if reached else 'did not reach'} "
        f"the goal of {goal:.4f} in {last.epoch + 1} epochs, {last.seconds:.1f} s of training.",
        "info" if reached else "warning",
    )


def trial(
    ctx: Context,
    p: ImageToImageParams,
    base: ConceptBase,
    network: nn.Module,
    text: Tensor,
    manifest: PairsManifest,
    start: Discriminator | None,
) -> EditEpoch:
    """Train ``network`` shortly on one concept, in place; return its last epoch.

    Raises:
        FretsawError: no validation pairs.
    """
    module = Prompted(network, text[None])
    quick = p.model_copy(update={"shown": 0})
    _, epochs = fit_concepts(ctx, quick, base, module, manifest, start)
    if epochs[-1].val_l1 is None:
        raise FretsawError(
            "Trials are compared on validation pairs, and there are none.",
            "Give the photos a validation share.",
        )
    network.cpu()
    return epochs[-1]


def require_size(p: ImageToImageParams, manifest: PairsManifest) -> None:
    """Check that the generator can be trained on pictures of this size.

    Raises:
        FretsawError: it cannot.
    """
    side = least_trained_side(p, manifest)
    if side < LEAST_SIDE:
        raise FretsawError(
            f"The generator needs pictures of {LEAST_SIDE} pixels; training sees {side}.",
            "Choose larger crops or no small start.",
        )


def freeze_all_but(module: nn.Module, groups: Iterable[str]) -> int:
    """Let only the parts ``groups`` be trained; return how many numbers they hold."""
    wanted = set(groups)
    total = 0
    for name, parameter in module.named_parameters():
        is_wanted = name.split(".")[0] in wanted
        parameter.requires_grad_(is_wanted)
        total += parameter.numel() if is_wanted else 0
    return total


def judged_only(manifest: PairsManifest, most: int) -> PairsManifest:
    """Return the pairs with ``most`` of validation, evenly spread, so that judging is quick."""
    val = [i for i, pair in enumerate(manifest.pairs) if pair.split == "val"]
    picked = np.unique(np.linspace(0, len(val) - 1, min(most, len(val))).round().astype(int))
    kept = {val[i] for i in picked.tolist()}
    pairs = tuple(x for i, x in enumerate(manifest.pairs) if x.split != "val" or i in kept)
    return replace(manifest, pairs=pairs)


def scratch(base: ConceptBase, seed: int) -> nn.Module:
    """Return an untrained network of the base's recipe."""
    with seeded(seed):
        return build(base.recipe, meta=False)
