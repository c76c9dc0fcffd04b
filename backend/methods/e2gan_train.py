"""E2GAN's training: the base on many concepts, an adapter or a whole network for one."""

from __future__ import annotations

import copy
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import nn

from backend.concept_values import Adapter, ConceptBase, Concepts, RankPlan
from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import node
from backend.distill import lora
from backend.methods.e2gan_cost import measured, saved_bytes
from backend.methods.e2gan_fit import (
    CONCEPT,
    ConvForm,
    GoalParams,
    fit_concepts,
    freeze_all_but,
    scratch,
    tell_goal,
)
from backend.methods.e2gan_parts import (
    attached,
    base_pairs,
    fixed,
    groups_of,
    lesson_of,
    ranks_for,
    require_texts,
)
from backend.methods.edit_snapshots import Snapshots, figures_of, verdict_of
from backend.methods.image_to_image import ImageToImageParams
from backend.models.concept import GROUPS, Prompted
from backend.train.edit import EditEpoch
from backend.values import Discriminator, Generator, Pairs


class TrainedBase(NamedTuple):
    """The base, and the discriminator that it fooled."""

    base: ConceptBase
    discriminator: Discriminator


@node("e2gan.base", title="Train concept base")
def e2gan_base(
    ctx: Context, p: ImageToImageParams, base: ConceptBase, concepts: Concepts, pairs: list[Pairs]
) -> TrainedBase:
    """Train the text-conditioned base on pairs of many concepts; others than those are left out.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.2
    """
    require_texts(base, concepts)
    manifest = base_pairs(ctx, concepts, pairs)
    names = [n for n in concepts.prompts if n in manifest.concepts()]
    place = {name: i for i, name in enumerate(names)}
    texts = torch.stack([concepts.text(name) for name in names])

    def told(module: nn.Module, source: Any, which: np.ndarray) -> None:
        module.which = torch.tensor([place[source.pairs[i].concept] for i in which])

    module = Prompted(copy.deepcopy(base.module), texts)
    text = concepts.text(names[0])
    shown = Snapshots(ctx, fixed(base, base.module, text, names[0]))

    def after(row: EditEpoch, kept: nn.Module) -> None:
        shown(row, fixed(base, kept.get_submodule("network"), text, names[0]).module)

    opponent, epochs = fit_concepts(ctx, p, base, module, manifest, None, after=after, told=told)
    kept = Concepts(
        {n: concepts.prompts[n] for n in names},
        {n: concepts.texts[n] for n in names},
        concepts.encoder,
    )
    ctx.log(verdict_of(epochs[-1]))
    return TrainedBase(
        base.trained(module.network.cpu(), kept, epochs=p.epochs, **figures_of(epochs[-1])),
        opponent,
    )


class AdaptParams(GoalParams):
    """How to train the adapter."""

    epochs: int = Field(
        default=3,
        ge=1,
        le=5000,
        title="Epochs",
        description="Passes over the training pairs; a good base needs few.",
    )
    lr: float = Field(
        default=2e-2,
        gt=0,
        le=1,
        title="Learning rate",
        description="Of the adapter, which starts at zero and bears more than a whole network.",
        json_schema_extra={"scale": "log"},
    )
    rank: int = Field(
        default=4,
        ge=1,
        le=64,
        title="Rank",
        description="Of every adapted layer; used without a plan of ranks.",
        json_schema_extra={"group": CONCEPT},
    )
    parts: str = Field(
        default="",
        title="Parts",
        description="Adapted parts, with commas between; empty: all but residual blocks. Used "
        "without a plan of ranks.",
        json_schema_extra={"group": CONCEPT, "origin": "paper"},
    )
    scale: float = Field(
        default=1.0,
        gt=0,
        title="Scale",
        description="Of the change of weights.",
        json_schema_extra={"group": CONCEPT},
    )
    form: ConvForm = "conv"
    meter: bool = Field(
        default=True,
        title="Cost meter",
        description="Time some steps of adapter and whole network first, for the table of costs.",
        json_schema_extra={"group": CONCEPT},
    )


class Adapted(NamedTuple):
    """The adapter, and the discriminator that it fooled."""

    adapter: Adapter
    discriminator: Discriminator


@node("e2gan.adapt", title="Train adapter", views=("table",))
def e2gan_adapt(
    ctx: Context,
    p: AdaptParams,
    base: ConceptBase,
    concepts: Concepts,
    pairs: Pairs,
    start: Discriminator | None = None,
    ranks: RankPlan | None = None,
) -> Adapted:
    """Teach a base one new concept: low-rank adapters are trained, all else stays frozen.

    Without a plan of ranks every layer has the same. The table tells what the concept costs, and
    what a network of its own would.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.3
    """
    lesson = lesson_of(ctx, base, concepts, pairs, p.concept)
    chosen, form = ranks_for(base, p.rank, p.parts, p.form, ranks)
    module = Prompted(attached(base, chosen, p.scale, ctx.seed, form), lesson.text[None])
    shown = Snapshots(ctx, fixed(base, base.module, lesson.text, lesson.name))

    def made(**facts: Any) -> Adapter:
        state = lora.adapter_state(module.network.cpu())
        about = (lesson.name, lesson.prompt, concepts.encoder, base.digest())
        return Adapter(state, lesson.text, chosen, p.scale, *about, facts)

    meter = None
    if p.meter:
        meter = measured(ctx, p, base, lesson, module.network, made(), start)

    def after(row: EditEpoch, kept: nn.Module) -> None:
        lora.trainable(module.network)
        shown(
            row,
            fixed(
                base, lora.merged(kept.get_submodule("network")), lesson.text, lesson.name
            ).module,
        )
        if meter is not None:
            meter.show(row)

    opponent, epochs = fit_concepts(
        ctx, p, base, module, lesson.manifest, start, after=after, stop_at=p.stop_at_l1
    )
    adapter = made(epochs=len(epochs), **figures_of(epochs[-1]))
    _tell(ctx, lesson.name, epochs, adapter.parameters, adapter)
    tell_goal(ctx, epochs, p.stop_at_l1)
    return Adapted(adapter, opponent)


class TuneParams(GoalParams):
    """How to train the whole network."""

    begin: Literal["base", "scratch"] = Field(
        default="base",
        title="Begin with",
        description="The weights of the base, or new ones.",
        json_schema_extra={"group": CONCEPT, "labels": {"base": "The base", "scratch": "Scratch"}},
    )
    parts: str = Field(
        default="",
        title="Parts",
        description="Trained parts, with commas between; empty: the whole network.",
        json_schema_extra={"group": CONCEPT},
    )


class Tuned(NamedTuple):
    """The generator of one concept, and the discriminator that it fooled."""

    generator: Generator
    discriminator: Discriminator


@node("e2gan.tune", title="Tune whole network")
def e2gan_tune(
    ctx: Context,
    p: TuneParams,
    base: ConceptBase,
    concepts: Concepts,
    pairs: Pairs,
    start: Discriminator | None = None,
    goal: Adapter | None = None,
) -> Tuned:
    """Train all weights of the concept generator for one concept, which an adapter is compared to.

    From the base it is the full fine-tune, from new weights a network of its own. With a linked
    goal it stops once it is as near to the validation pairs as that adapter.

    Source: Gong et al., E2GAN, ICML 2024, sec. 4
    """
    lesson = lesson_of(ctx, base, concepts, pairs, p.concept)
    groups = groups_of(p.parts) if p.parts.strip() else GROUPS
    network = copy.deepcopy(base.module) if p.begin == "base" else scratch(base, ctx.seed)
    trained = freeze_all_but(network, groups)
    module = Prompted(network, lesson.text[None])
    shown = Snapshots(ctx, fixed(base, base.module, lesson.text, lesson.name))

    def after(row: EditEpoch, kept: nn.Module) -> None:
        shown(row, fixed(base, kept.get_submodule("network"), lesson.text, lesson.name).module)

    wanted = p.stop_at_l1 or _reached_by(goal)
    opponent, epochs = fit_concepts(
        ctx, p, base, module, lesson.manifest, start, after=after, stop_at=wanted
    )
    network.cpu().requires_grad_(True)
    facts = {"epochs": len(epochs), "begin": p.begin, **figures_of(epochs[-1])}
    generator = fixed(base, network, lesson.text, lesson.name, **facts)
    _tell(ctx, lesson.name, epochs, trained, generator)
    tell_goal(ctx, epochs, wanted)
    return Tuned(generator, opponent)


def _reached_by(goal: Adapter | None) -> float | None:
    if goal is None:
        return None
    if "val_l1" not in goal.facts:
        raise FretsawError(
            f'The adapter "{goal.concept}" was not judged on validation pairs.',
            "Train it with some, or give the L1 to stop at.",
        )
    return float(goal.facts["val_l1"])


def _tell(
    ctx: Context, name: str, epochs: tuple[EditEpoch, ...], trained: int, made: Adapter | Generator
) -> None:
    last = epochs[-1]
    stored = (
        made.parameters
        if isinstance(made, Adapter)
        else sum(one.numel() for one in made.module.parameters())
    )
    size = saved_bytes(made)
    ctx.metric(
        last.steps - 1,
        trained_parameters=trained,
        stored_parameters=stored,
        stored_bytes=size,
        train_seconds=last.seconds,
    )
    ctx.log(
        f"{name}: {trained:,} numbers were trained in {last.seconds:.1f} s; {stored:,} numbers are "
        f"stored, {size:,} bytes."
    )
    ctx.log(verdict_of(last))
