"""E2GAN's values and nodes: training, merging, blending, saving, exporting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.concept_values import TENSORS, Adapter, ConceptBase, Concepts
from backend.core.context import QuietContext
from backend.core.errors import FretsawError
from backend.data.pairs import Pair, PairsManifest
from backend.distill import lora
from backend.methods.e2gan import (
    BlendParams,
    ConceptGeneratorParams,
    MergeParams,
    e2gan_blend,
    e2gan_generator,
    e2gan_merge,
)
from backend.methods.e2gan_parts import attached
from backend.methods.e2gan_train import AdaptParams, e2gan_adapt, e2gan_base
from backend.methods.export import OnnxParams, export_float
from backend.methods.image_to_image import ImageToImageParams
from backend.models.errors import RecipeError
from backend.models.tensors import pack
from backend.profile import profile
from backend.values import Pairs
from tests.methods.test_image_to_image import SPLITS, warm, write_picture

OWN = {"preset": "own", "width": 4, "heads": 2, "text_dim": 6, "size": 32}


def base(seed: int = 0) -> ConceptBase:
    made = e2gan_generator(QuietContext(seed), ConceptGeneratorParams(**OWN))
    texts = {"night": torch.randn(5, 6, generator=torch.Generator().manual_seed(9))}
    return made.trained(made.module, Concepts({"night": "at night"}, texts, "random"))


def adapter(of: ConceptBase, seed: int, scale: float = 1.0) -> Adapter:
    dice = torch.Generator().manual_seed(seed)
    ranks = lora.rank_plan(lora.adaptable(of.module), 2)
    state = lora.adapter_state(attached(of, ranks, scale, 0))
    state = {k: 0.2 * torch.randn(t.shape, generator=dice) for k, t in state.items()}
    text = torch.randn(5, 6, generator=dice)
    return Adapter(state, text, ranks, scale, f"c{seed}", f"p{seed}", "random", of.digest())


@torch.no_grad()
def edited(of: ConceptBase, one: Adapter | None) -> torch.Tensor:
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return e2gan_merge(QuietContext(), MergeParams(), of, one).module(x)


def test_the_phone_preset_costs_at_most_one_and_a_half_gmac() -> None:
    made = e2gan_generator(QuietContext(), ConceptGeneratorParams())
    made = made.trained(made.module, Concepts({"a": "a"}, {"a": torch.zeros(16, 384)}, "random"))
    merged = e2gan_merge(QuietContext(), MergeParams(), made)
    assert profile(merged.module, torch.zeros(1, 3, 256, 256)).macs <= 1.5e9


def test_e2gan_p10_switching_there_and_back_is_exact() -> None:
    of = base()
    one, two = adapter(of, 1), adapter(of, 2)
    first, other, again = edited(of, one), edited(of, two), edited(of, one)
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 1e-2


def test_a_blend_ends_at_both_concepts_whatever_their_scales() -> None:
    of = base()
    one, two = adapter(of, 1, scale=0.5), adapter(of, 2, scale=2.0)
    for share, end in ((0.0, one), (1.0, two)):
        mixed = e2gan_blend(QuietContext(), BlendParams(share=share), one, two)
        assert torch.allclose(edited(of, mixed), edited(of, end), atol=1e-4)


def test_e2gan_p4_values_load_as_they_were_and_the_file_holds_the_adapter_alone(
    tmp_path: Path,
) -> None:
    of = base()
    one = adapter(of, 1)
    for name, value in (("base", of), ("adapter", one)):
        (tmp_path / name).mkdir()
        value.save(tmp_path / name)
    loaded = Adapter.load(tmp_path / "adapter")
    again = ConceptBase.load(tmp_path / "base")
    assert torch.equal(edited(again, loaded), edited(of, one))
    assert torch.equal(edited(again, None), edited(of, None))
    size = (tmp_path / "adapter" / TENSORS).stat().st_size
    header = int.from_bytes((tmp_path / "adapter" / TENSORS).read_bytes()[:8], "little")
    assert size == 4 * one.parameters + 8 + header
    swapped = pack(adapter(of, 3).tensors, {"base": "another"})
    (tmp_path / "adapter" / TENSORS).write_bytes(swapped)
    with pytest.raises(RecipeError, match="two adapters"):
        Adapter.load(tmp_path / "adapter")


def test_a_merged_concept_exports_within_1e_4(tmp_path: Path) -> None:
    of = base()
    ctx = QuietContext(folder=tmp_path)
    made = e2gan_merge(ctx, MergeParams(), of, adapter(of, 1))
    artifact = export_float(ctx, OnnxParams(), made)
    assert artifact.facts["parity"]["max_error"] <= 1e-4


def test_what_does_not_belong_together_is_refused() -> None:
    of, other = base(), base(7)
    with pytest.raises(FretsawError, match="another base"):
        e2gan_merge(QuietContext(), MergeParams(), other, adapter(of, 1))
    with pytest.raises(FretsawError, match="two bases"):
        e2gan_blend(QuietContext(), BlendParams(), adapter(of, 1), adapter(other, 2))
    with pytest.raises(FretsawError, match='no concept "day"'):
        e2gan_merge(QuietContext(), MergeParams(concept="day"), of)


def pairs_of(folder: Path, name: str, edit) -> Pairs:
    dice = np.random.default_rng(0)
    made = []
    for i, split in enumerate(SPLITS):
        coarse = dice.integers(0, 256, (4, 4, 3)).astype(np.uint8)
        source = np.ascontiguousarray(np.kron(coarse, np.ones((8, 8, 1), np.uint8)))
        entries = (
            write_picture(np.ascontiguousarray(one), folder) for one in (source, edit(source))
        )
        made.append(Pair(*entries, split=split, concept=name, photo=i))
    return Pairs(PairsManifest(name, (32, 32), tuple(made)))


def test_e2gan_p2_a_base_learns_two_concepts_and_an_adapter_leaves_its_base_frozen(
    tmp_path: Path,
) -> None:
    sets = [pairs_of(tmp_path, "warm", warm), pairs_of(tmp_path, "negative", lambda x: 255 - x)]
    dice = torch.Generator().manual_seed(4)
    # Not a plain one: instance norms take out what a text adds to a picture of one colour.
    picture = torch.rand(1, 3, 32, 32, generator=dice) * 2 - 1
    texts = {n: torch.randn(5, 6, generator=dice) for n in ("warm", "negative")}
    known = Concepts({"warm": "warmer", "negative": "inverted"}, texts, "random")
    quick = {"epochs": 40, "batch": 4, "lr": 5e-3, "small": 0.0, "shown": 0}
    ctx = QuietContext(folder=tmp_path)
    of = e2gan_base(ctx, ImageToImageParams(**quick), base(), known, sets).base
    results = [
        e2gan_merge(ctx, MergeParams(concept=name), of).module(picture) for name in known.prompts
    ]
    assert (results[0] - results[1]).abs().max() > 1e-2, "the text says which edit to make"
    losses = [row["l1"] for _, row in ctx.metrics if "l1" in row]
    assert losses[-1] < 0.8 * losses[0]
    before = {k: t.clone() for k, t in of.module.state_dict().items()}
    one = Concepts({"warm": "warmer"}, {"warm": texts["warm"]}, "random")
    made = e2gan_adapt(ctx, AdaptParams(**{**quick, "epochs": 2}), of, one, sets[0]).adapter
    assert made.parameters == lora.count(lora.adaptable(of.module), made.ranks)
    merged = e2gan_merge(ctx, MergeParams(), of, made).module.state_dict()
    assert all(torch.equal(of.module.state_dict()[k], t) for k, t in before.items())
    assert all(torch.equal(merged[k], t) for k, t in before.items() if k.startswith("rb_"))
    assert any(not torch.equal(merged[k], t) for k, t in before.items())
    with pytest.raises(FretsawError, match="for one concept"):
        e2gan_adapt(ctx, AdaptParams(), of, known, Pairs(PairsManifest("x", (32, 32), ())))
