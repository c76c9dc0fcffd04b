"""E2GAN's values and nodes: loading, merging, blending, saving, exporting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from backend.concept_values import TENSORS, Adapter, ConceptBase, Concepts
from backend.core.context import QuietContext
from backend.core.errors import FretsawError
from backend.distill import lora
from backend.methods import e2gan
from backend.methods.e2gan import (
    BlendParams,
    ConceptGeneratorParams,
    LoadParams,
    MergeParams,
    e2gan_blend,
    e2gan_generator,
    e2gan_load,
    e2gan_merge,
)
from backend.methods.e2gan_fit import first_opponent
from backend.methods.export import OnnxParams, export_float
from backend.methods.image_to_image import ImageToImageParams, opponent_of
from backend.models.errors import RecipeError
from backend.models.tensors import pack
from backend.profile import profile
from backend.values import Discriminator
from tests.methods.concepts import Telling, adapter, base

FORMS = pytest.mark.parametrize("form", ["conv", "matrix"])


@torch.no_grad()
def edited(of: ConceptBase, one: Adapter | None) -> torch.Tensor:
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return e2gan_merge(QuietContext(), MergeParams(), of, one).module(x)


def test_the_phone_preset_costs_at_most_one_and_a_half_gmac() -> None:
    made = e2gan_generator(QuietContext(), ConceptGeneratorParams())
    made = made.trained(made.module, Concepts({"a": "a"}, {"a": torch.zeros(16, 384)}, "random"))
    merged = e2gan_merge(QuietContext(), MergeParams(), made)
    assert profile(merged.module, torch.zeros(1, 3, 256, 256)).macs <= 1.5e9


def test_blocks_halving_and_norm_can_be_chosen() -> None:
    plain = e2gan_generator(QuietContext(), ConceptGeneratorParams(preset="own", width=4, heads=2))
    params = ConceptGeneratorParams(preset="own", width=4, heads=2, blocks_before=0, blocks_after=3)
    other = e2gan_generator(QuietContext(), params)
    assert [len(plain.module.rb_before), len(plain.module.rb_after)] == [2, 1]
    assert [len(other.module.rb_before), len(other.module.rb_after)] == [0, 3]
    assert "blocks" not in plain.recipe.builder, "bases of before keep their recipe"
    own = {"preset": "own", "width": 4, "heads": 2}
    params = ConceptGeneratorParams(**own, halved=False, norm="plain")
    third = e2gan_generator(QuietContext(), params)
    assert third.module.ds[1].stride == (1, 1)
    assert not third.module.ds[2].affine
    assert not {"halved", "norm"} & set(plain.recipe.builder.replace("=", " ").split())
    assert "halved=False" in third.recipe.builder


@FORMS
def test_e2gan_p10_switching_there_and_back_is_exact(form: lora.Form) -> None:
    of = base()
    one, two = adapter(of, 1, form=form), adapter(of, 2)
    first, other, again = edited(of, one), edited(of, two), edited(of, one)
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 1e-2


@FORMS
def test_a_blend_ends_at_both_concepts_whatever_scales_and_forms(form: lora.Form) -> None:
    of = base()
    one, two = adapter(of, 1, 0.5, form), adapter(of, 2, 2.0)
    for share, end in ((0.0, one), (1.0, two)):
        mixed = e2gan_blend(QuietContext(), BlendParams(share=share), one, two)
        assert lora.form_of(mixed.tensors) == form
        assert torch.allclose(edited(of, mixed), edited(of, end), atol=1e-4)


@FORMS
def test_e2gan_p4_values_load_as_they_were_and_the_file_holds_the_adapter_alone(
    form: lora.Form, tmp_path: Path
) -> None:
    of = base()
    one = adapter(of, 1, form=form)
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


def test_blends_of_texts_that_cannot_be_mixed_are_refused() -> None:
    of = base()
    one, two = adapter(of, 1), adapter(of, 2)
    with pytest.raises(FretsawError, match="two encoders"):
        e2gan_blend(QuietContext(), BlendParams(), one, replace(two, encoder="another"))
    with pytest.raises(FretsawError, match=r"5 tokens.* 3"):
        e2gan_blend(QuietContext(), BlendParams(), one, replace(two, text=two.text[:3]))


def test_a_base_brings_its_discriminator_where_one_was_trained_and_kept(tmp_path: Path) -> None:
    of, opponent = base(), opponent_of(QuietContext(3), ImageToImageParams(disc_width=4), None)
    folder = LoadParams(preset="folder", folder=tmp_path / "base")
    where = {"beside": tmp_path / "discriminator", "inside": tmp_path / "base" / "discriminator"}
    (tmp_path / "base").mkdir()
    of.save(tmp_path / "base")
    reads = set(e2gan._base_files(folder))
    assert set(where.values()) <= reads, "a result of before does not hide one that came later"

    def loaded() -> tuple[Discriminator, str]:
        ctx = Telling()
        return e2gan_load(ctx, folder).discriminator, " ".join(ctx.words)

    none, words = loaded()
    assert none.facts["trained"] is False
    assert "begins with a new one" in words
    for place in where.values():
        place.mkdir()
        opponent.with_module(opponent.module, trained=False).save(place)
        assert loaded()[0].facts["trained"] is False
        opponent.with_module(opponent.module, trained=True).save(place)
        found, words = loaded()
        assert "may begin with it" in words
        state = found.module.state_dict()
        assert all(torch.equal(state[k], t) for k, t in opponent.module.state_dict().items())
        (place / "recipe.json").unlink()
    params = ImageToImageParams(disc_width=8)
    assert first_opponent(QuietContext(), params, none).recipe.builder.count("width=8")
    assert first_opponent(QuietContext(), params, found).recipe == opponent.recipe


def test_a_saved_base_is_loaded_and_what_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx, of = QuietContext(), base()
    (tmp_path / "base").mkdir()
    of.save(tmp_path / "base")
    loaded, _ = e2gan_load(ctx, LoadParams(preset="folder", folder=tmp_path / "base"))
    assert loaded.digest() == of.digest()
    assert loaded.concepts is not None
    assert loaded.concepts.prompts == {"night": "make it night"}
    with pytest.raises(FretsawError, match="holds no concept base"):
        e2gan_load(ctx, LoadParams(preset="folder", folder=tmp_path))
    (tmp_path / "merged").mkdir()
    e2gan_merge(ctx, MergeParams(), of).save(tmp_path / "merged")
    with pytest.raises(FretsawError, match="no concept base"):
        e2gan_load(ctx, LoadParams(preset="folder", folder=tmp_path / "merged"))
    (tmp_path / "base" / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(RecipeError, match="damaged"):
        e2gan_load(ctx, LoadParams(preset="folder", folder=tmp_path / "base"))
    monkeypatch.setattr(e2gan, "BUNDLED", tmp_path / "nowhere")
    with pytest.raises(FretsawError, match="not part of this installation"):
        e2gan_load(ctx, LoadParams())
    with pytest.raises(ValueError, match="go together"):
        LoadParams(preset="folder")
