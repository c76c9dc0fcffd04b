"""E2GAN's concepts: prompts read by a text encoder, the most different ones kept."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from backend.concept_values import Concepts
from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.core.views import Column, Table
from backend.distill.clusters import choose
from backend.methods.diffusers import parse_prompts
from backend.models.text_encoder import TOKENS


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
    tokens: int = Field(
        default=TOKENS,
        ge=1,
        le=77,
        title="Tokens",
        description="Of a prompt that the generator sees; longer ones are cut. A base and its "
        "adapters have the same number.",
        json_schema_extra={"unit": "tokens"},
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

    Give a concept the name that its pairs have; the list of the node "Pairs by prompt" fits as it
    is.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.2
    """
    from backend.models.text_encoder import clip, minilm

    known = {one.name: one.prompt for one in parse_prompts(p.prompts)}
    if p.count is not None and p.count > len(known):
        raise FretsawError(
            f"{p.count} of {len(known)} concepts cannot be chosen.",
            "Write more prompts, or choose fewer.",
        )
    if p.encoder == "clip" and not p.source.strip():
        raise FretsawError(
            "The text encoder CLIP has no source.", "Give its folder or hub id, or choose MiniLM."
        )
    encoder = minilm(download=p.download) if p.encoder == "minilm" else clip(p.source)
    names, prompts = list(known), list(known.values())
    chosen = np.arange(len(names))
    if p.count is not None:
        chosen = choose(encoder.embed(prompts), p.count, seed=ctx.seed)
    rows: list[list[str | float | int | None]] = [
        [names[i], prompts[i], "yes" if i in chosen else "no"] for i in range(len(names))
    ]
    columns = [Column(name="Concept"), Column(name="Prompt"), Column(name="Chosen")]
    ctx.view(Table(title="Concepts", columns=columns, rows=rows), "table")
    kept = {names[i]: prompts[i] for i in chosen}
    texts = encoder.tokens(list(kept.values()), p.tokens)
    for name, prompt in kept.items():
        if encoder.count(prompt) > p.tokens:
            ctx.log(
                f'"{name}": only the first {p.tokens} tokens of its prompt are read.', "warning"
            )
    _require_apart(list(kept), texts)
    return Concepts(kept, {name: texts[i].clone() for i, name in enumerate(kept)}, encoder.name)


def _require_apart(names: list[str], texts: Tensor) -> None:
    """Refuse concepts whose texts are equal: no network could tell them apart."""
    for i, name in enumerate(names):
        for j in range(i):
            if texts[i].equal(texts[j]):
                raise FretsawError(
                    f'The text encoder reads the prompts of "{names[j]}" and "{name}" alike.',
                    "Say them in other words, in English, the difference first; or raise Tokens.",
                )
