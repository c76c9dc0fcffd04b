"""The base as it is, told a concept that it never saw: what an adapter is compared with."""

from __future__ import annotations

import pytest
import torch

from backend.concept_values import Concepts
from backend.core.context import QuietContext
from backend.core.errors import FretsawError
from backend.methods.e2gan import (
    ConceptGeneratorParams,
    MergeParams,
    e2gan_generator,
    e2gan_merge,
)

BASE = e2gan_generator(
    QuietContext(0), ConceptGeneratorParams(preset="own", size=32, width=4, heads=2, text_dim=8)
)


def texts(names: tuple[str, ...] = ("wave", "night"), length: int = 8) -> Concepts:
    dice = torch.Generator().manual_seed(1)
    made = {name: torch.randn(4, length, generator=dice) for name in names}
    return Concepts({name: f"make it {name}" for name in names}, made, "test")


def test_the_base_edits_as_it_does_when_it_is_told_the_text() -> None:
    concepts = texts()
    made = e2gan_merge(QuietContext(0), MergeParams(), BASE, None, concepts)
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    told = BASE.module.eval()(x, concepts.text("wave")[None])
    assert torch.allclose(made.module.eval()(x), told, atol=1e-6)
    assert made.label == "wave, untuned"
    other = e2gan_merge(QuietContext(0), MergeParams(concept="night"), BASE, None, concepts)
    assert other.label == "night, untuned"
    assert not torch.allclose(other.module.eval()(x), told, atol=1e-6)


def test_concepts_that_it_cannot_be_told_are_refused_in_words() -> None:
    with pytest.raises(FretsawError, match='no concept "snow"'):
        e2gan_merge(QuietContext(0), MergeParams(concept="snow"), BASE, None, texts())
    with pytest.raises(FretsawError, match="token vectors of 8 numbers"):
        e2gan_merge(QuietContext(0), MergeParams(), BASE, None, texts(length=6))
