"""E2GAN: one base network, a tiny adapter for each edit; see e2gan_train for its training."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, model_validator

import assets
from backend.concept_values import Adapter, ConceptBase, Concepts
from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.core.views import Column, Table
from backend.data.preprocess import ImageInput
from backend.distill import lora
from backend.methods.e2gan_parts import attached, fixed, is_trained, require_texts
from backend.methods.image_to_image import ImageToImageParams, opponent_of
from backend.models.concept import Norm
from backend.models.recipe import Recipe, build
from backend.models.registry import zoo
from backend.models.seeded import seeded
from backend.models.tensors import read_bytes
from backend.values import Discriminator, Generator

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
    blocks_before: int = Field(
        default=2,
        ge=0,
        le=16,
        title="Blocks before",
        description="Residual blocks before the transformer block.",
        json_schema_extra={"origin": "paper"},
    )
    blocks_after: int = Field(
        default=1,
        ge=0,
        le=16,
        title="Blocks after",
        description="Residual blocks after it.",
        json_schema_extra={"origin": "paper"},
    )
    halved: bool = Field(
        default=True,
        title="Halve around it",
        description="The transformer block works at half the height and width; without it "
        "attention takes 16 times the work and memory.",
        json_schema_extra={"origin": "paper"},
    )
    norm: Norm = Field(
        default="instance",
        title="Norm",
        description="Behind convolutions: of each picture, with or without a scale of channels, "
        "or none.",
        json_schema_extra={"labels": {"plain": "Instance, no scale"}},
    )


@node("e2gan.generator", title="Concept generator")
def e2gan_generator(ctx: Context, p: ConceptGeneratorParams) -> ConceptBase:
    """Make the untrained generator that is told by text which edit to make.

    Source: Gong et al., E2GAN, ICML 2024, fig. 3
    """
    width, heads = _WIDTHS.get(p.preset, (p.width, p.heads))
    blocks = {"blocks_before": p.blocks_before, "blocks_after": p.blocks_after}
    others: dict[str, Any] = blocks if (p.blocks_before, p.blocks_after) != (2, 1) else {}
    others |= {} if p.halved else {"halved": False}
    others |= {} if p.norm == "instance" else {"norm": p.norm}
    recipe = Recipe(
        zoo("concept_generator", width=width, heads=heads, text_dim=p.text_dim, **others)
    )
    with seeded(ctx.seed):
        module = build(recipe, meta=False)
    weights = sum(parameter.numel() for parameter in module.parameters())
    ctx.log(f"{weights:,} weights, width {width}.")
    image = ImageInput(3, p.size, p.size, (0.5,) * 3, (0.5,) * 3)
    return ConceptBase(recipe, module, image, label=f"Concept base w{width}")


BUNDLED = assets.FOLDER / "models" / "e2gan_base"
"""The folder of the base that comes with Fretsaw."""


class LoadParams(Params):
    """Which base."""

    preset: Literal["bundled", "folder"] = Field(
        default="bundled",
        title="Base",
        description="The one that comes with Fretsaw, trained on painting styles, or your own.",
        json_schema_extra={"labels": {"bundled": "Bundled"}},
    )
    folder: Path | None = Field(
        default=None,
        title="Folder",
        description="Folder with a base that Train concept base made.",
    )

    @model_validator(mode="after")
    def _folder_goes_with_its_preset(self) -> LoadParams:
        if (self.preset == "folder") != (self.folder is not None):
            raise ValueError('the base "folder" and the folder go together; give both or neither')
        return self


def _base_files(p: LoadParams) -> Iterable[Path]:
    folder = _base_folder(p)
    return [folder, *_places(folder)]


def _base_folder(p: LoadParams) -> Path:
    return BUNDLED if p.folder is None else p.folder.expanduser()


def _places(folder: Path) -> list[Path]:
    """Return where a base's discriminator may lie: inside, or beside an output called base."""
    beside = [folder.parent / "discriminator"] if folder.name == "base" else []
    return [folder / "discriminator", *beside]


def _is_base(folder: Path) -> bool:
    try:
        recipe = json.loads(read_bytes(folder / "recipe.json"))
        is_concept = recipe["builder"].startswith("zoo:concept_generator")
        return is_concept and not recipe["transforms"]  # a fixed concept is one
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _discriminator(ctx: Context, folder: Path) -> Discriminator:
    """Return the discriminator of a base; an untrained one where none was kept or trained."""
    for place in _places(folder):
        if (place / "recipe.json").is_file():
            found = Discriminator.load(place)
            if is_trained(found):
                ctx.log("Its discriminator is here: an adapter may begin with it.")
                return found
    ctx.log(
        "The base has no trained discriminator; a training that needs one begins with a new one."
    )
    return _untrained(ctx)


def _untrained(ctx: Context) -> Discriminator:
    made = opponent_of(ctx, ImageToImageParams(), None)
    return made.with_module(made.module, trained=False)


class LoadedBase(NamedTuple):
    """The base, and the discriminator that it fooled."""

    conceptbase: ConceptBase
    discriminator: Discriminator


@node("e2gan.load", title="Load concept base", views=("table",), reads=_base_files)
def e2gan_load(ctx: Context, p: LoadParams) -> LoadedBase:
    """Load a trained base: the bundled one, or the output of a training of your own.

    Its discriminator comes with it where it was trained and kept: in the same folder, or beside it
    as Train concept base leaves it. Else an untrained one comes out, which counts as none where it
    is linked.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.2: one base is trained once for all concepts
    """
    folder = _base_folder(p)
    if not (folder / "recipe.json").is_file():
        raise FretsawError(
            "The bundled base is not part of this installation."
            if p.folder is None
            else f'The folder "{folder}" holds no concept base.',
            "Choose the folder of a base, or train one with Train concept base.",
        )
    if not _is_base(folder):
        raise FretsawError(
            f'The network in "{folder}" is no concept base.',
            "Choose the folder of a base, or train one with Train concept base.",
        )
    base = ConceptBase.load(folder)
    known = base.concepts.prompts if base.concepts is not None else {}
    columns = [Column(name="Concept"), Column(name="Prompt")]
    rows: list[list[str | float | int | None]] = [[name, text] for name, text in known.items()]
    ctx.view(Table(title="Concepts of the base", columns=columns, rows=rows), "table")
    weights = sum(parameter.numel() for parameter in base.module.parameters())
    ctx.log(f"{base.label}: {weights:,} weights, trained on {len(known)} concepts.")
    return LoadedBase(base, _discriminator(ctx, folder))


class MergeParams(Params):
    """Which concept, where no adapter is linked."""

    concept: str = Field(
        default="",
        title="Concept",
        description="Of the linked ones, else of the base; used without an adapter, empty: the "
        "first.",
    )


@node("e2gan.merge", title="Merge adapter")
def e2gan_merge(
    ctx: Context,
    p: MergeParams,
    base: ConceptBase,
    adapter: Adapter | None = None,
    concepts: Concepts | None = None,
) -> Generator:
    """Add an adapter to its base and fix the text: a plain generator that can be exported.

    Without an adapter it is the base as it is, told a concept that it was trained on, or one of
    linked concepts that it never saw.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.3
    """
    if adapter is None and concepts is not None:
        require_texts(base, concepts)
        name = p.concept or next(iter(concepts.prompts))
        return fixed(base, base.module, concepts.text(name), f"{name}, untuned")
    if adapter is None:
        if not base.concepts:
            raise FretsawError(
                f"{base.label} was trained on no concept.", "Train it, or link an adapter."
            )
        name = p.concept or next(iter(base.concepts.prompts))
        return fixed(base, base.module, base.concepts.text(name), name)
    adapter.require_base(base)
    form = lora.form_of(adapter.tensors)
    network = attached(base, adapter.ranks, adapter.scale, ctx.seed, form)
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
    if first.encoder != second.encoder:
        raise FretsawError(
            f'"{first.concept}" has a text of {first.encoder}, "{second.concept}" one of '
            f"{second.encoder}; texts of two encoders cannot be mixed.",
            "Train both adapters with the same text encoder.",
        )
    if first.text.shape != second.text.shape:
        raise FretsawError(
            f'The text of "{first.concept}" has {len(first.text)} tokens, that of '
            f'"{second.concept}" {len(second.text)}; they cannot be mixed.',
            "Let one node read both prompts, and train the adapters again.",
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
