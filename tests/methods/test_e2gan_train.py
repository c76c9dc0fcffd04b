"""E2GAN's training: the base, adapters, whole networks; what it costs and when it stops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from backend.concept_values import TENSORS, Adapter, RankPlan, recipe_digest
from backend.core.context import QuietContext
from backend.core.errors import FretsawError
from backend.data.pairs import PairsManifest
from backend.distill import lora
from backend.distill.lora import AdapterError
from backend.methods import e2gan_cost, image_to_image
from backend.methods.e2gan import MergeParams, e2gan_merge
from backend.methods.e2gan_concepts import ConceptsParams, e2gan_concepts
from backend.methods.e2gan_parts import attached, joined
from backend.methods.e2gan_train import (
    AdaptParams,
    TuneParams,
    e2gan_adapt,
    e2gan_base,
    e2gan_tune,
)
from backend.methods.image_to_image import ImageToImageParams
from backend.models.errors import RecipeError
from backend.train.gan_guard import CollapseError
from backend.values import Pairs
from tests.methods.concepts import QUICK, Telling, adapter, base, negative, pairs_of, texts
from tests.methods.test_image_to_image import warm
from tests.requirements import require

PLAIN = {**QUICK, "meter": False}
FORMS = pytest.mark.parametrize("form", ["conv", "matrix"])


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    return pairs_of(tmp_path_factory.mktemp("warm"), "warm", warm)


def picture(seed: int = 1) -> torch.Tensor:
    # Not a plain one: instance norms take out what a text adds to a picture of one colour.
    return torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_a_base_learns_two_concepts_by_their_texts(tmp_path: Path, pairs: Pairs) -> None:
    sets = [pairs, pairs_of(tmp_path, "negative", negative), pairs_of(tmp_path, "odd", warm)]
    ctx = Telling(folder=tmp_path)
    params = ImageToImageParams(**{**QUICK, "epochs": 20, "batch": 4})
    known = texts("warm", "negative", "dawn")
    of = e2gan_base(ctx, params, base(), known, sets).base
    assert of.concepts is not None
    assert list(of.concepts.prompts) == ["warm", "negative"]
    assert any('pairs of "odd" have no prompt' in one for one in ctx.words)
    assert any('concept "dawn" has no pairs' in one for one in ctx.words)
    made = [
        e2gan_merge(ctx, MergeParams(concept=name), of).module(picture())
        for name in ("warm", "negative")
    ]
    assert (made[0] - made[1]).abs().max() > 1e-2, "the text says which edit to make"
    losses = [row["l1"] for _, row in ctx.metrics if "l1" in row]
    assert losses[-1] < 0.8 * losses[0]


@FORMS
def test_e2gan_p1_p2_an_adapter_begins_as_the_base_and_leaves_it_frozen(
    form: lora.Form, tmp_path: Path, pairs: Pairs
) -> None:
    of, ctx = base(), Telling(folder=tmp_path)
    ranks = lora.rank_plan(lora.adaptable(of.module), 2, form)
    fresh = attached(of, ranks, 1.0, 0, form)
    text = texts("warm").text("warm")[None]
    with torch.no_grad():
        same = fresh.eval()(picture(), text) - of.module.eval()(picture(), text)
    assert same.abs().max() < 1e-5, "B is zero"
    before = {k: t.clone() for k, t in of.module.state_dict().items()}
    params = AdaptParams(**PLAIN, rank=2, form=form)
    made = e2gan_adapt(ctx, params, of, texts("warm"), pairs).adapter
    layers = lora.adaptable(of.module)
    assert made.parameters == lora.count(layers, ranks, form) == ctx.last("trained_parameters")
    assert lora.form_of(made.tensors) == form
    assert ctx.last("stored_parameters") == made.parameters
    assert ctx.last("train_seconds") > 0
    merged = e2gan_merge(ctx, MergeParams(), of, made).module.state_dict()
    assert all(torch.equal(of.module.state_dict()[k], t) for k, t in before.items())
    adapted = {f"{name}.weight" for name in layers}
    assert all(torch.equal(merged[k], t) for k, t in before.items() if k not in adapted)
    assert all(not torch.equal(merged[k], before[k]) for k in adapted)


@FORMS
def test_e2gan_p4_p10_a_trained_adapter_works_on_a_second_base_and_after_another_one(
    form: lora.Form, tmp_path: Path, pairs: Pairs
) -> None:
    of, ctx = base(), Telling(folder=tmp_path)
    params = AdaptParams(**{**PLAIN, "epochs": 1}, form=form)
    made = e2gan_adapt(ctx, params, of, texts("warm"), pairs).adapter
    (tmp_path / "a").mkdir()
    made.save(tmp_path / "a")
    header = int.from_bytes((tmp_path / "a" / TENSORS).read_bytes()[:8], "little")
    assert (tmp_path / "a" / TENSORS).stat().st_size == 4 * made.parameters + 8 + header
    files = (tmp_path / "a").glob("*.safetensors")
    assert ctx.last("stored_bytes") == sum(one.stat().st_size for one in files)
    with torch.no_grad():
        first = e2gan_merge(ctx, MergeParams(), of, made).module(picture())
        other = e2gan_merge(ctx, MergeParams(), of, adapter(of, 2, form=form)).module(picture())
        again = e2gan_merge(ctx, MergeParams(), base(), Adapter.load(tmp_path / "a"))
    assert torch.equal(again.module(picture()), first)
    assert (first - other).abs().max() > 1e-2


def test_e2gan_p5_a_linked_plan_decides_every_rank(tmp_path: Path, pairs: Pairs) -> None:
    of, ctx = base(), Telling(folder=tmp_path)
    plan = RankPlan({"tb.q1": 3, "up.2": 2}, recipe_digest(of.recipe), "by hand", 0)
    params = AdaptParams(**PLAIN, rank=5)
    made = e2gan_adapt(ctx, params, of, texts("warm"), pairs, ranks=plan).adapter
    assert made.ranks == plan.ranks == lora.ranks_of(made.tensors)
    matrices = replace(plan, form="matrix")
    of_two = AdaptParams(**{**PLAIN, "epochs": 1})
    two = e2gan_adapt(ctx, of_two, of, texts("warm"), pairs, ranks=matrices).adapter
    assert two.ranks == plan.ranks
    assert lora.form_of(two.tensors) == "matrix", "the plan brings the form"
    blocks = AdaptParams(**{**PLAIN, "epochs": 1}, rank=64, parts="rb")
    capped = e2gan_adapt(ctx, blocks, of, texts("warm"), pairs).adapter
    assert {name.split(".")[0] for name in capped.ranks} == {"rb_before", "rb_after"}
    assert set(capped.ranks.values()) == {16}, "as many as a layer has channels"
    other = RankPlan(plan.ranks, "another", "by hand", 0)
    with pytest.raises(FretsawError, match="another network"):
        e2gan_adapt(ctx, params, of, texts("warm"), pairs, ranks=other)


def test_the_cost_meter_measures_on_copies_and_counts_exactly(tmp_path: Path, pairs: Pairs) -> None:
    of, quiet, ctx = base(), Telling(folder=tmp_path), Telling(folder=tmp_path)
    plain = e2gan_adapt(quiet, AdaptParams(**PLAIN), of, texts("warm"), pairs).adapter
    params = AdaptParams(**{**QUICK, "small": 0.5, "epochs": 4})
    with_meter = e2gan_adapt(ctx, AdaptParams(**QUICK), of, texts("warm"), pairs).adapter
    assert "cost" not in quiet.views
    assert all(torch.equal(plain.tensors[k], t) for k, t in with_meter.tensors.items())
    rows = {row[0]: row[1:] for row in ctx.views["cost"].rows}
    weights = sum(one.numel() for one in of.module.parameters())
    assert rows["Numbers trained"][:2] == [plain.parameters, weights]
    assert rows["Bytes stored, text included"][0] == ctx.last("stored_bytes")
    tuned = e2gan_tune(ctx, TuneParams(**{**QUICK, "epochs": 1}), of, texts("warm"), pairs)
    assert rows["Bytes stored, text included"][1] == ctx.last("stored_bytes")
    assert tuned.generator.label == "warm"
    step, total = rows["Seconds a step, measured"], rows["Seconds for all 4 steps"]
    assert min(step[:2]) > 0
    assert total[0] == pytest.approx(4 * step[0], abs=0.06)
    assert rows["Seconds taken by 4 steps"][0] >= 0
    e2gan_adapt(ctx, params, of, texts("warm"), pairs)  # small and large pictures, timed apart
    assert "Seconds for all 8 steps" in {row[0] for row in ctx.views["cost"].rows}


def test_an_adapter_is_trained_even_where_the_steps_to_be_timed_break(
    tmp_path: Path, pairs: Pairs, monkeypatch
) -> None:
    def broken(*arguments, **options):
        raise CollapseError("The loss became nan.", 1, 0)

    monkeypatch.setattr(e2gan_cost, "fit_edits", broken)
    ctx = Telling(folder=tmp_path)
    made = e2gan_adapt(ctx, AdaptParams(**{**QUICK, "epochs": 1}), base(), texts("warm"), pairs)
    assert made.adapter.facts["epochs"] == 1
    assert "cost" not in ctx.views
    assert any("cost was not measured" in one for one in ctx.words)


def test_a_whole_network_is_tuned_from_the_base_or_from_scratch(
    tmp_path: Path, pairs: Pairs
) -> None:
    of, ctx = base(7), Telling(folder=tmp_path)
    before = of.digest()
    weights = sum(one.numel() for one in of.module.parameters())
    start = of.module.state_dict()["up.2.weight"]
    drift = {}
    for begin in ("base", "scratch"):
        params = TuneParams(**{**QUICK, "lr": 1e-5, "epochs": 1}, begin=begin)
        made = e2gan_tune(ctx, params, of, texts("warm"), pairs).generator
        assert ctx.last("trained_parameters") == ctx.last("stored_parameters") == weights
        drift[begin] = (made.module.state_dict()["up.2.weight"] - start).abs().max()
        assert made.facts["begin"] == begin
        assert all(one.requires_grad for one in made.module.parameters())
    assert drift["base"] < 1e-3 < drift["scratch"]
    part = TuneParams(**{**QUICK, "epochs": 1}, parts="up")
    tuned = e2gan_tune(ctx, part, of, texts("warm"), pairs).generator.module.state_dict()
    kept = of.module.state_dict()
    changed = {k.split(".")[0] for k, t in kept.items() if not torch.equal(t, tuned[k])}
    assert changed == {"up"}
    assert of.digest() == before


def test_training_stops_at_a_validation_l1_or_at_that_of_a_linked_adapter(
    tmp_path: Path, pairs: Pairs
) -> None:
    of, ctx = base(), Telling(folder=tmp_path)
    easy = AdaptParams(**{**PLAIN, "epochs": 5}, stop_at_l1=0.9)
    first = e2gan_adapt(ctx, easy, of, texts("warm"), pairs).adapter
    assert first.facts["epochs"] == 1
    assert ctx.last("reached") == 1
    hard = TuneParams(**QUICK, stop_at_l1=1e-6)
    assert e2gan_tune(ctx, hard, of, texts("warm"), pairs).generator.facts["epochs"] == 2
    assert ctx.last("reached") == 0
    many = TuneParams(**{**QUICK, "epochs": 60, "begin": "scratch"})
    tuned = e2gan_tune(ctx, many, of, texts("warm"), pairs, goal=first).generator
    assert tuned.facts["val_l1"] <= first.facts["val_l1"]
    assert tuned.facts["epochs"] < 60
    blind = replace(first, facts={})
    with pytest.raises(FretsawError, match="not judged"):
        e2gan_tune(ctx, many, of, texts("warm"), pairs, goal=blind)
    left = tuple(one for one in pairs.manifest.pairs if one.split != "val")
    with pytest.raises(FretsawError, match="no validation pairs"):
        e2gan_adapt(ctx, easy, of, texts("warm"), Pairs(replace(pairs.manifest, pairs=left)))


def test_features_can_be_compared_and_a_discriminator_be_gone_on_with(
    tmp_path: Path, pairs: Pairs, monkeypatch
) -> None:
    monkeypatch.setattr(image_to_image, "perceptual_loss", lambda *a, **k: torch.nn.L1Loss())
    of, ctx = base(), Telling(folder=tmp_path)
    more = {"perceptual": 1.0, "backbone": "mobilenet_v2", "adversarial": 1.0}
    params = AdaptParams(**{**QUICK, "epochs": 1}, **more, disc_layers=1, disc_width=4)
    first = e2gan_adapt(ctx, params, of, texts("warm"), pairs)
    assert {"perceptual", "adversarial", "train_seconds"} <= {k for _, r in ctx.metrics for k in r}
    second = e2gan_adapt(ctx, params, of, texts("warm"), pairs, start=first.discriminator)
    assert second.discriminator.facts["trained"] is True
    frozen = params.model_copy(update={"lr_discriminator": 0.0})
    third = e2gan_adapt(ctx, frozen, of, texts("warm"), pairs, start=first.discriminator)
    states = [dict(one.discriminator.module.named_parameters()) for one in (first, second, third)]
    assert any(not torch.equal(states[0][k], t) for k, t in states[1].items())
    assert all(torch.equal(states[0][k], t) for k, t in states[2].items()), "no rate freezes it"


def test_one_list_of_prompts_serves_pairs_and_concepts(tmp_path: Path, pairs: Pairs) -> None:
    of, ctx = base(), Telling(folder=tmp_path)
    quick = {**PLAIN, "epochs": 1}
    both = Pairs(joined([pairs, pairs_of(tmp_path, "negative", negative)], ["warm", "negative"]))
    made = e2gan_adapt(ctx, AdaptParams(**quick, concept="negative"), of,
                       texts("warm", "negative"), both).adapter  # fmt: skip
    assert made.concept == "negative"
    with pytest.raises(FretsawError, match='share 2: the pairs are of "warm", "negative"'):
        e2gan_adapt(ctx, AdaptParams(**quick), of, texts("warm", "negative"), both)
    with pytest.raises(FretsawError, match="Did you mean"):
        e2gan_adapt(ctx, AdaptParams(**quick, concept="negativ"), of,
                    texts("warm", "negative"), both)  # fmt: skip
    alone = e2gan_adapt(ctx, AdaptParams(**quick), of, texts("oil"), pairs).adapter
    assert alone.concept == "oil", "one set of pairs, one prompt: they belong together"
    assert any('pairs are of "warm"; they teach the concept "oil"' in one for one in ctx.words)
    said = pairs_of(tmp_path / "said", "warm", warm, prompt="as at dusk")
    e2gan_adapt(ctx, AdaptParams(**quick), of, texts("warm"), said)
    assert any('the concept says "make it warm"' in one for one in ctx.words)
    assert any("learned by heart" in one for one in ctx.words)


def test_what_cannot_be_trained_is_told_in_a_sentence(tmp_path: Path, pairs: Pairs) -> None:
    of, ctx = base(), Telling(folder=tmp_path)
    go = AdaptParams(**PLAIN)
    cases = [
        (texts("warm", encoder="clip"), pairs, go, "trained on texts of random"),
        (texts("warm", dim=8), pairs, go, "reads token vectors of 6"),
        (texts("warm", length=4), pairs, go, "texts of 5 tokens, these have 4"),
        (texts(), pairs, go, "share 0"),
        (texts("a", "b"), pairs, go, "share 0"),
        (texts("warm"), Pairs(PairsManifest("x", (32, 32), ())), go, "pairs are of nothing"),
        (texts("warm"), pairs, AdaptParams(**PLAIN, crop=8), "needs pictures of 16"),
        (texts("warm"), pairs, AdaptParams(**{**PLAIN, "small": 0.5}, crop=16), "sees 8"),
        (texts("warm"), pairs, AdaptParams(**PLAIN, parts="tb,head"), 'no part "head"'),
    ]
    for concepts, one, params, words in cases:
        with pytest.raises(FretsawError, match=words):
            e2gan_adapt(ctx, params, of, concepts, one)
    uneven = replace(texts("warm", "night"), texts={
        "warm": torch.zeros(5, 6), "night": torch.zeros(4, 6)})  # fmt: skip
    with pytest.raises(FretsawError, match="several lengths"):
        e2gan_base(ctx, ImageToImageParams(**QUICK), of, uneven, [pairs])
    with pytest.raises(FretsawError, match='of a linked concept: the pairs are of "warm"'):
        e2gan_base(ctx, ImageToImageParams(**QUICK), of, texts("dawn"), [pairs])


def test_a_transposed_convolution_in_the_target_is_named(tmp_path: Path, pairs: Pairs) -> None:
    of = base()
    of.module.us[1] = torch.nn.ConvTranspose2d(16, 16, 3)
    with pytest.raises(AdapterError, match=r"us\.1.* transposed"):
        e2gan_adapt(Telling(), AdaptParams(**PLAIN), of, texts("warm"), pairs)


def test_sets_that_do_not_belong_together_are_refused(pairs: Pairs) -> None:
    manifest = pairs.manifest
    moved = tuple(replace(one, split="test") for one in manifest.pairs)
    with pytest.raises(FretsawError, match='in the "train" pairs of one set and in the "test"'):
        joined([pairs, Pairs(replace(manifest, pairs=moved))], ["warm"])
    halves = replace(manifest, options={"halves": True})
    with pytest.raises(FretsawError, match="read in several ways"):
        joined([pairs, Pairs(halves)], ["warm"])
    with pytest.raises(FretsawError, match="several sizes"):
        joined([pairs, Pairs(replace(manifest, size=(16, 16)))], ["warm"])


def test_missing_prompts_and_encoders_are_told() -> None:
    ctx = QuietContext()
    for prompts, words in (
        ("", "no prompts"),
        ("night", "needs a name and a prompt"),
        ("a: x; a: y", "Two edits"),
    ):
        with pytest.raises(FretsawError, match=words):
            e2gan_concepts(ctx, ConceptsParams(prompts=prompts))
    with pytest.raises(FretsawError, match="3 of 1 concepts"):
        e2gan_concepts(ctx, ConceptsParams(prompts="a: x", count=3))
    with pytest.raises(FretsawError, match="CLIP has no source"):
        e2gan_concepts(ctx, ConceptsParams(encoder="clip"))
    with pytest.raises(RecipeError, match="cannot be loaded"):
        e2gan_concepts(ctx, ConceptsParams(encoder="clip", source="/nowhere/clip"))


def test_prompts_that_are_read_alike_or_cut_are_told() -> None:
    require("minilm")
    ctx = Telling()
    long = " ".join(["very"] * 20)
    alike = f"a: {long} red; b: {long} blue"
    for prompts in ("a: same; b: same", "a: \U0001f642; b: \U0001f3a8", alike):
        with pytest.raises(FretsawError, match='prompts of "a" and "b" alike'):
            e2gan_concepts(ctx, ConceptsParams(prompts=prompts))
    found = e2gan_concepts(ctx, ConceptsParams(prompts=f"a: red {long}; b: blue {long}"))
    assert not found.text("a").equal(found.text("b"))
    assert "only the first 16 tokens" in ctx.words[-1]
