"""E2GAN: one base network, a tiny adapter for each edit; see e2gan_train for its training."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field

from backend.concept_values import Adapter, ConceptBase
from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.data.preprocess import ImageInput
from backend.distill import lora
from backend.methods.e2gan_parts import attached, fixed
from backend.models.recipe import Recipe, build
from backend.models.registry import zoo
from backend.values import Generator

_WIDTHS = {"phone": (12, 4), "paper": (64, 8)}


class ConceptGeneratorParams(Params):
    """Which text-conditioned generator."""

    preset: Literal["phone", "paper", "own"] = Field(
        default="phone",
        title="Network",
        description="For phones (width 12), as in the paper (64), or as you say below.",
        json_schema_extra={"labels": {"phone": "For phones", "own": "As below"}},
    )
    size: int = Field(
        default=256,
        ge=16,
        le=2048,
        multiple_of=8,
        title="Picture size",
        description="Height and width that it is exported for; others fit, too.",
        json_schema_extra={"unit": "px"},
    )
    width: int = Field(
        default=12, ge=1, le=256, title="Width", description="Channels of the first layer."
    )
    heads: int = Field(default=4, ge=1, le=64, title="Heads", description="Attention heads.")
    text_dim: int = Field(
        default=384,
        ge=1,
        le=4096,
        title="Text vector",
        description="Length of a token's vector: 384 for MiniLM, 512 for CLIP ViT-B/32.",
    )


@node("e2gan.generator", title="Concept generator")
def e2gan_generator(ctx: Context, p: ConceptGeneratorParams) -> ConceptBase:
    """Make the untrained generator that is told by text which edit to make.

    Source: Gong et al., E2GAN, ICML 2024, fig. 3
    """
    width, heads = _WIDTHS.get(p.preset, (p.width, p.heads))
    recipe = Recipe(zoo("concept_generator", width=width, heads=heads, text_dim=p.text_dim))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(ctx.seed)
        module = build(recipe, meta=False)
    weights = sum(parameter.numel() for parameter in module.parameters())
    ctx.log(f"{weights:,} weights, width {width}.")
    image = ImageInput(3, p.size, p.size, (0.5,) * 3, (0.5,) * 3)
    return ConceptBase(recipe, module, image, label=f"Concept base w{width}")


class MergeParams(Params):
    """Which concept, where no adapter is linked."""

    concept: str = Field(
        default="",
        title="Concept",
        description="One that the base was trained on; used without an adapter, empty: its first.",
    )


@node("e2gan.merge", title="Merge adapter")
def e2gan_merge(
    ctx: Context, p: MergeParams, base: ConceptBase, adapter: Adapter | None = None
) -> Generator:
    """Add an adapter to its base and fix the text: a plain generator that can be exported.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.3
    """
    if adapter is None:
        if not base.concepts:
            raise FretsawError(
                f"{base.label} was trained on no concept.", "Train it, or link an adapter."
            )
        name = p.concept or next(iter(base.concepts.prompts))
        return fixed(base, base.module, base.concepts.text(name), name)
    adapter.require_base(base)
    network = attached(base, adapter.ranks, adapter.scale, ctx.seed)
    lora.load_adapter_state(network, adapter.tensors)
    return fixed(base, lora.merged(network), adapter.text, adapter.concept)


class BlendParams(Params):
    """How much of each."""

    share: float = Field(
        default=0.5, ge=0, le=1, title="Share", description="Part of the second concept."
    )


@node("e2gan.blend", title="Blend adapters")
def e2gan_blend(ctx: Context, p: BlendParams, first: Adapter, second: Adapter) -> Adapter:
    """Mix two concepts of one base; the changes of the weights are mixed, ranks are stacked.

    The text is mixed in the same shares.
    """
    if first.base != second.base:
        raise FretsawError(
            f'"{first.concept}" and "{second.concept}" belong to two bases.',
            "Blend adapters of one base.",
        )
    one, two = (
        {k: t * (a.scale if k.endswith(".B") else 1) for k, t in a.tensors.items()}
        for a in (first, second)
    )
    tensors = lora.blend(one, two, p.share)
    return Adapter(
        tensors,
        (1 - p.share) * first.text + p.share * second.text,
        lora.ranks_of(tensors),
        1.0,
        f"{first.concept} + {second.concept}",
        f"{first.prompt} + {second.prompt}",
        first.encoder,
        first.base,
        {"share": p.share},
    )
