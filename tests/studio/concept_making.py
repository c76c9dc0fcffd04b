"""Makes bases and concepts for tests of windows, in a process of its own: these stay without torch.

python -m tests.studio.concept_making base FOLDER
python -m tests.studio.concept_making export FOLDER WORK
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.fakes import ROOT

NAMES = ("plain", "candy", "night")


def make(*words: str | Path) -> None:
    """Run this file on `words`."""
    command = [sys.executable, "-m", "tests.studio.concept_making", *map(str, words)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)


def base(folder: Path) -> None:
    """Save a base of a few weights for pictures of 32 px, so that a run takes seconds."""
    import torch

    from backend.concept_values import ConceptBase, Concepts
    from backend.data.preprocess import ImageInput
    from backend.models.recipe import Recipe, build
    from backend.models.registry import zoo

    recipe = Recipe(zoo("concept_generator", width=4, heads=2, text_dim=384))
    torch.manual_seed(0)
    texts = {"Style 19": torch.randn(16, 384)}
    concepts = Concepts({"Style 19": "a starry night"}, texts, "minilm-l6-v2")
    image = ImageInput(3, 32, 32, (0.5,) * 3, (0.5,) * 3)
    folder.mkdir()
    ConceptBase(recipe, build(recipe, meta=False), image, "Small base", {}, concepts).save(folder)


def export(folder: Path, work: Path) -> None:
    """Export one base and two adapters whose pictures differ a lot."""
    import torch

    from backend.concept_values import Adapter, ConceptBase, Concepts
    from backend.core.context import QuietContext
    from backend.data.preprocess import ImageInput
    from backend.distill import lora
    from backend.methods.export_concepts import ConceptsExportParams, export_concepts
    from backend.models.recipe import Recipe, build
    from backend.models.registry import zoo

    recipe = Recipe(zoo("concept_generator", width=4, heads=2, text_dim=8))
    torch.manual_seed(0)
    texts = {name: torch.randn(4, 8) for name in NAMES}
    known = Concepts({"plain": "leave it"}, {"plain": texts["plain"]}, "test")
    image = ImageInput(3, 64, 64, (0.5,) * 3, (0.5,) * 3)
    base = ConceptBase(recipe, build(recipe, meta=False), image, "Base", {}, known)
    layers = lora.adaptable(base.module)
    ranks = lora.rank_plan(layers, 1)
    adapters = []
    for name in NAMES[1:]:
        tensors = {}
        for layer, module in layers.items():
            shape = module.weight.shape
            ends = (1, 1) if len(shape) == 4 else ()
            tensors[f"{layer}.A"] = torch.randn(1, *shape[1:])
            tensors[f"{layer}.B"] = 0.1 * torch.randn(shape[0], 1, *ends)
        about = (name, f"make it {name}", "test", base.digest(), {"val_l1": 0.05})
        adapters.append(Adapter(tensors, texts[name], ranks, 1.0, *about))
    ctx = QuietContext(0, folder=work)
    folder.mkdir(parents=True)
    export_concepts(ctx, ConceptsExportParams(concepts="plain"), base, adapters).save(folder)


if __name__ == "__main__":
    kind, *places = sys.argv[1:]
    {"base": base, "export": export}[kind](*map(Path, places))
