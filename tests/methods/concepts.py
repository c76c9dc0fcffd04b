"""A small base, its concepts, and pairs of edits that are easy to learn, for tests of E2GAN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.concept_values import Adapter, ConceptBase, Concepts
from backend.core.context import QuietContext
from backend.core.views import AnyPayload
from backend.data.pairs import Pair, PairsManifest
from backend.distill import lora
from backend.methods.e2gan import ConceptGeneratorParams, e2gan_generator
from backend.methods.e2gan_parts import attached
from backend.values import Pairs
from tests.methods.test_image_to_image import SPLITS, write_picture

OWN = {"preset": "own", "width": 4, "heads": 2, "text_dim": 6, "size": 32}
QUICK: dict[str, Any] = {"epochs": 2, "batch": 3, "small": 0.0, "shown": 0, "lr": 5e-3}


class Telling(QuietContext):
    """Remembers views, pictures and words, too."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.views: dict[str, AnyPayload] = {}
        self.pictures: dict[str, np.ndarray] = {}
        self.words: list[str] = []

    def view(self, payload: AnyPayload, name: str = "", step: int | None = None) -> None:
        self.views[name] = payload

    def image(self, name: str, pixels: Any) -> None:
        self.pictures[name] = pixels

    def log(self, text: str, level: str = "info") -> None:
        self.words.append(text)

    def last(self, name: str) -> float:
        return [row[name] for _, row in self.metrics if name in row][-1]


def texts(*names: str, encoder: str = "random", length: int = 5, dim: int = 6) -> Concepts:
    dice = torch.Generator().manual_seed(9)
    made = {name: torch.randn(length, dim, generator=dice) for name in names}
    return Concepts({name: f"make it {name}" for name in names}, made, encoder)


def base(seed: int = 0, **own: Any) -> ConceptBase:
    made = e2gan_generator(QuietContext(seed), ConceptGeneratorParams(**{**OWN, **own}))
    return made.trained(made.module, texts("night"))


def adapter(of: ConceptBase, seed: int, scale: float = 1.0, form: lora.Form = "conv") -> Adapter:
    dice = torch.Generator().manual_seed(seed)
    ranks = lora.rank_plan(lora.adaptable(of.module), 2, form)
    state = lora.adapter_state(attached(of, ranks, scale, 0, form))
    state = {k: 0.2 * torch.randn(t.shape, generator=dice) for k, t in state.items()}
    text = torch.randn(5, 6, generator=dice)
    return Adapter(state, text, ranks, scale, f"c{seed}", f"p{seed}", "random", of.digest())


def negative(pixels: np.ndarray) -> np.ndarray:
    return 255 - pixels


def pairs_of(
    folder: Path, name: str, edit: Callable[[np.ndarray], np.ndarray], *, prompt: str = ""
) -> Pairs:
    """Ten pairs of blocks of colour, 32 x 32: 6 to train, 2 of validation, 2 of test."""
    dice = np.random.default_rng(0)
    made = []
    for i, split in enumerate(SPLITS):
        coarse = dice.integers(0, 256, (4, 4, 3)).astype(np.uint8)
        source = np.ascontiguousarray(np.kron(coarse, np.ones((8, 8, 1), np.uint8)))
        entries = (
            write_picture(np.ascontiguousarray(one), folder) for one in (source, edit(source))
        )
        made.append(Pair(*entries, split=split, concept=name, photo=i, prompt=prompt))
    return Pairs(PairsManifest(name, (32, 32), tuple(made)))
