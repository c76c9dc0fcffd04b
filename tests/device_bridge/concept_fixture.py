"""An exported base with concepts, and what torch makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.concept_values import Adapter, ConceptBase
from backend.core.context import QuietContext
from backend.methods.e2gan import BlendParams, MergeParams, e2gan_blend, e2gan_merge
from backend.methods.export_concepts import ConceptsExportParams, export_concepts
from tests.methods.test_e2gan import adapter, base


class Exported:
    """One concept of the base, an adapter of either form, and what torch makes of them."""

    def __init__(self, folder: Path, **own: Any) -> None:
        """``own`` are parameters of the base's generator."""
        self.folder = folder
        self.base: ConceptBase = base(**own)
        matrix = adapter(self.base, 2, form="matrix")
        self.adapters: list[Adapter] = [adapter(self.base, 1, 0.5), matrix]
        made = folder / "made"
        made.mkdir()
        params = ConceptsExportParams(concepts="all")
        artifact = export_concepts(QuietContext(folder=made), params, self.base, self.adapters)
        artifact.save(folder)
        self.ids = [one["id"] for one in artifact.facts["concepts"]]
        assert artifact.golden is not None
        self.input = np.load(artifact.golden)["input"]

    @torch.no_grad()
    def output(self, one: Adapter | None) -> np.ndarray:
        module = e2gan_merge(QuietContext(), MergeParams(), self.base, one).module
        return module(torch.from_numpy(self.input)).numpy()

    def blend(self, share: float) -> np.ndarray:
        first, second = self.adapters
        return self.output(e2gan_blend(QuietContext(), BlendParams(share=share), first, second))
