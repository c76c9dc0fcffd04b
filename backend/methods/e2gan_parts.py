"""What E2GAN's nodes have in common: adapters put on, concepts fixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from backend.concept_values import ConceptBase
from backend.models.concept import fix_concept
from backend.models.recipe import apply
from backend.values import Generator


def attached(base: ConceptBase, ranks: Mapping[str, int], scale: float, seed: int) -> nn.Module:
    """Return a copy of the base network with fresh adapters; only these can be trained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        plan = {"ranks": dict(ranks), "scale": scale}
        return apply(base.module, base.recipe, "lora.attach", plan)[0]


def fixed(
    base: ConceptBase, network: nn.Module, text: Tensor, label: str, **facts: Any
) -> Generator:
    """Return ``network``, of the base's recipe, as a generator of one concept."""
    module, recipe = apply(network, base.recipe, "concept.fix", {"tokens": len(text)})
    fix_concept(module, text)
    found = {**base.facts, **facts}
    return Generator(recipe, module.eval(), base.image, label, found, multiple=8)
