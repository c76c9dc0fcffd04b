"""E2GAN's plans of ranks and its study of crucial parts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.concept_values import RankPlan, recipe_digest
from backend.core.errors import FretsawError
from backend.distill import lora
from backend.methods import e2gan_crucial as study
from backend.methods import e2gan_ranks as planning
from backend.methods import e2gan_search as searching
from backend.methods.e2gan_crucial import CrucialParams, e2gan_crucial
from backend.methods.e2gan_fit import trial
from backend.methods.e2gan_ranks import RanksParams, e2gan_ranks
from backend.methods.e2gan_train import TuneParams, e2gan_tune
from backend.models.errors import RecipeError
from backend.train.edit import EditEpoch
from backend.train.gan_guard import CollapseError
from backend.values import Pairs
from tests.methods.concepts import QUICK, Telling, base, pairs_of, texts
from tests.methods.test_image_to_image import warm

LAYERS = lora.adaptable(base().module)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    return pairs_of(tmp_path_factory.mktemp("warm"), "warm", warm)


def test_e2gan_p5_plans_without_a_search_give_each_layer_its_rank() -> None:
    ctx = Telling()
    same = e2gan_ranks(ctx, RanksParams(mode="uniform", rank=4, budget_percent=50), base())
    assert same.ranks == {n: min(4, lora.most_rank(m)) for n, m in LAYERS.items()}
    assert same.parameters == lora.count(LAYERS, same.ranks) == ctx.last("parameters")
    capped = e2gan_ranks(ctx, RanksParams(mode="uniform", rank=4, most=2), base())
    assert set(capped.ranks.values()) == {2}
    params = RanksParams(mode="by hand", by_hand="tb: 2, tb.q1: 5, rb_after: 3")
    mine = e2gan_ranks(ctx, params, base())
    assert mine.ranks["tb.q1"] == 5
    assert mine.ranks["tb.k1"] == 2
    assert {n.split(".")[0] for n in mine.ranks} == {"tb", "rb_after"}
    for text, words in (("tb", "no rank"), ("tb: 0", "no rank"), ("head: 2", "is called")):
        with pytest.raises(FretsawError, match=words):
            e2gan_ranks(ctx, RanksParams(mode="by hand", by_hand=text), base())


def test_a_plan_of_two_matrices_counts_and_caps_them(pairs: Pairs, monkeypatch) -> None:
    ctx, of = Telling(), base()
    params = RanksParams(mode="uniform", rank=4, form="matrix", budget_percent=90)
    plan = e2gan_ranks(ctx, params, of)
    assert plan.form == "matrix"
    assert plan.ranks["down.1"] == 3, "no more than it has channels"
    assert plan.parameters == lora.count(LAYERS, plan.ranks, "matrix") == ctx.last("parameters")
    assert plan.parameters > lora.count(LAYERS, plan.ranks)
    rows = {row[0]: row[1:] for row in ctx.views["ranks"].rows}
    assert rows["ds.1"] == [4, 16, 4 * 9 * (16 + 16)]
    tried: list[str] = []

    def judged(ctx, p, base, network, text, manifest, start) -> EditEpoch:
        tried.append(lora.form_of(lora.adapter_state(network)))
        return EditEpoch(0, 0.0, 0.0, val_l1=0.3)

    monkeypatch.setattr(searching, "trial", judged)
    limit = int(1.2 * lora.count(LAYERS, lora.rank_plan(LAYERS, 1, "matrix"), "matrix"))
    found = e2gan_ranks(
        ctx, RanksParams(**QUICK, form="matrix", budget=limit), of, texts("warm"), [pairs]
    )
    assert found.form == "matrix"
    assert len(tried) > 1
    assert set(tried) == {"matrix"}
    assert max(one["parameters"] for one in found.trials) <= limit
    monkeypatch.setattr(study, "trial", judged)
    parts = CrucialParams(**QUICK, form="matrix", trained="adapters", alone=False)
    assert e2gan_crucial(ctx, parts, of, texts("warm"), pairs).form == "matrix"
    assert set(tried) == {"matrix"}


def test_e2gan_p6_the_search_keeps_to_its_budget_and_records_every_trial(pairs: Pairs) -> None:
    of, ctx = base(), Telling()
    layers = {n: m for n, m in LAYERS.items() if n.split(".")[0] in ("tb", "up")}
    limit = int(1.7 * lora.count(layers, lora.rank_plan(layers, 1)))
    quick = {**QUICK, "epochs": 1}
    params = RanksParams(**quick, budget=limit, tau=0.0, most=4, parts="tb,up")
    found = e2gan_ranks(ctx, params, of, texts("warm"), [pairs])
    assert found.mode == "searched"
    assert found.parameters == lora.count(layers, found.ranks) <= limit
    assert all(one["parameters"] <= limit for one in found.trials)
    kept = [one for one in found.trials if one["accepted"]]
    assert kept[0]["grown"] == ""
    scores = [one["score"] for one in kept]
    assert scores == sorted(scores, reverse=True)
    assert lora.rank_plan(layers, kept[-1]["ranks"]) == found.ranks
    assert len(ctx.views["trials"].rows) == len(found.trials)
    assert [one.name for one in ctx.views["curve"].series] == ["kept", "tried"]
    assert sum(row[-1] == "yes" for row in ctx.views["trials"].rows) == len(kept)
    again = e2gan_ranks(Telling(), params, of, texts("warm"), [pairs])
    assert again == found


def test_e2gan_p6_the_part_that_helps_is_grown(pairs: Pairs, monkeypatch) -> None:
    """The search itself is tested on its own; here the node must hand it the right plans."""

    def judged(ctx, p, base, network, text, manifest, start) -> EditEpoch:
        rank = network.get_submodule("tb.q1").r[lora.ADAPTER]
        return EditEpoch(0, 0.0, 0.0, val_l1=1 / rank)

    monkeypatch.setattr(searching, "trial", judged)
    params = RanksParams(**QUICK, tau=0.1, most=4, budget_percent=90)
    found = e2gan_ranks(Telling(), params, base(), texts("warm"), [pairs])
    assert found.ranks["tb.q1"] == 4
    assert found.ranks["down.1"] == 1


def test_a_warm_start_goes_on_from_the_grown_adapter(pairs: Pairs, monkeypatch) -> None:
    begun: list[dict] = []

    def told(ctx, p, base, network, text, manifest, start) -> EditEpoch:
        begun.append(lora.adapter_state(network))
        return trial(ctx, p, base, network, text, manifest, start)

    monkeypatch.setattr(searching, "trial", told)
    params = RanksParams(**QUICK, tau=0.0, most=2, parts="tb", warm=True, budget_percent=90)
    found = e2gan_ranks(Telling(), params, base(), texts("warm"), [pairs])
    assert found.trials[0]["accepted"]
    assert [one["grown"] for one in found.trials[:3]] == ["", "", "tb"], "with a control"
    start, control, grown = begun[:3]
    assert start["tb.q1.B"].abs().max() == 0
    assert control["tb.q1.B"].abs().max() > 0
    assert grown["tb.q1.B"].shape[1] == 2
    assert (grown["tb.q1.B"][:, :1] == control["tb.q1.B"]).all()
    assert grown["tb.q1.B"][:, 1:].abs().max() == 0


def test_a_trial_that_breaks_does_not_end_the_search(
    pairs: Pairs, tmp_path: Path, monkeypatch
) -> None:
    def breaking(ctx, p, base, network, text, manifest, start) -> EditEpoch:
        if network.get_submodule("tb.q1").r[lora.ADAPTER] > 1:
            raise CollapseError("The loss became nan.", 1, 0)
        return EditEpoch(0, 0.0, 0.0, val_l1=0.3 - 0.1 * network.get_submodule("up.2").r["concept"])

    monkeypatch.setattr(searching, "trial", breaking)
    ctx = Telling()
    params = RanksParams(**QUICK, parts="tb,up", most=2, budget_percent=90)
    found = e2gan_ranks(ctx, params, base(), texts("warm"), [pairs])
    assert found.ranks["up.2"] == 2
    assert found.ranks["tb.q1"] == 1
    assert [row[-2] for row in ctx.views["trials"].rows].count("broke") == 2
    assert any("A trial broke" in one for one in ctx.words)
    found.save(tmp_path)
    assert RankPlan.load(tmp_path) == found
    record = json.loads((tmp_path / "ranks.json").read_text())
    del record["form"]
    (tmp_path / "ranks.json").write_text(json.dumps(record))
    assert RankPlan.load(tmp_path) == found, "plans of before say no form"
    (tmp_path / "ranks.json").write_text(json.dumps({**record, "form": "odd"}))
    with pytest.raises(RecipeError, match="unknown form"):
        RankPlan.load(tmp_path)
    with pytest.raises(CollapseError):
        e2gan_ranks(ctx, params.model_copy(update={"rank": 2}), base(), texts("warm"), [pairs])


def test_two_concepts_share_a_plan_and_are_judged_together(
    pairs: Pairs, tmp_path: Path, monkeypatch
) -> None:
    scores = {"warm": 0.2, "negative": 0.6}
    known = texts(*scores)

    def judged(ctx, p, base, network, text, manifest, start) -> EditEpoch:
        name = next(n for n in scores if known.text(n) is text)
        return EditEpoch(0, 0.0, 0.0, val_l1=scores[name])

    monkeypatch.setattr(searching, "trial", judged)
    other = pairs_of(tmp_path, "negative", lambda x: 255 - x)
    found = e2gan_ranks(Telling(), RanksParams(**QUICK), base(), known, [pairs, other])
    assert found.trials[0]["score"] == pytest.approx(0.4)


def test_ranks_by_energy_follow_a_full_fine_tune(pairs: Pairs, tmp_path: Path) -> None:
    of, ctx = base(), Telling(folder=tmp_path)
    tuned = e2gan_tune(ctx, TuneParams(**QUICK), of, texts("warm"), pairs).generator
    full = e2gan_ranks(
        ctx, RanksParams(mode="energy", budget_percent=100, most=256), of, tuned=tuned
    )
    wanted = lora.ranks_by_energy(of.module, tuned.module, LAYERS, 0.9)
    assert full.ranks == wanted
    tight = e2gan_ranks(ctx, RanksParams(mode="energy", budget_percent=12), of, tuned=tuned)
    weights = sum(one.numel() for one in of.module.parameters())
    assert tight.parameters <= 0.12 * weights
    assert all(rank <= full.ranks[name] for name, rank in tight.ranks.items())
    with pytest.raises(FretsawError, match="full fine-tune"):
        e2gan_ranks(ctx, RanksParams(mode="energy"), of)
    with pytest.raises(FretsawError, match="above the budget of 5"):
        e2gan_ranks(ctx, RanksParams(mode="energy", budget=5), of, tuned=tuned)
    alike = tuned.with_module(of.module)
    with pytest.raises(FretsawError, match="same weights"):
        e2gan_ranks(ctx, RanksParams(mode="energy"), of, tuned=alike)


def test_the_bundled_plan_is_for_its_base_alone(tmp_path: Path, monkeypatch) -> None:
    of, ctx = base(), Telling()
    monkeypatch.setattr(planning, "BUNDLED", tmp_path)
    params = RanksParams(mode="bundled")
    with pytest.raises(FretsawError, match="not part of this installation"):
        e2gan_ranks(ctx, params, of)
    plan = RankPlan({"tb.q1": 3}, recipe_digest(of.recipe), "searched", 96, [{"score": 0.1}])
    plan.save(tmp_path)
    assert e2gan_ranks(ctx, params, of) == plan
    with pytest.raises(FretsawError, match="another form"):
        e2gan_ranks(ctx, RanksParams(mode="bundled", form="matrix"), of)
    RankPlan(plan.ranks, "another", "searched", 96).save(tmp_path)
    with pytest.raises(FretsawError, match="for the bundled base"):
        e2gan_ranks(ctx, params, of)


def test_searches_that_cannot_begin_are_told(pairs: Pairs) -> None:
    of, ctx = base(), Telling()
    with pytest.raises(FretsawError, match="needs concepts and pairs"):
        e2gan_ranks(ctx, RanksParams(), of)
    with pytest.raises(FretsawError, match="raise the budget"):
        e2gan_ranks(ctx, RanksParams(**QUICK, budget=10), of, texts("warm"), [pairs])
    left = tuple(one for one in pairs.manifest.pairs if one.split != "val")
    blind = Pairs(type(pairs.manifest)("x", (32, 32), left))
    with pytest.raises(FretsawError, match="there are none"):
        e2gan_ranks(ctx, RanksParams(**QUICK), of, texts("warm"), [blind])
    other = RankPlan({"tb.q1": 1}, "another", "crucial parts", 0)
    with pytest.raises(FretsawError, match="another network"):
        e2gan_ranks(ctx, RanksParams(mode="uniform"), of, groups=other)


# -- crucial parts ---------------------------------------------------------------------------------


def test_a_part_that_is_missed_when_frozen_is_crucial(pairs: Pairs, monkeypatch) -> None:
    """Training is replaced by a known cost of freezing each part: the study must find it again."""
    cost = {"down": 0.5, "tb": 0.2, "rb": 0.01, "up": 0.031}

    def judged(ctx, p, base, network, text, manifest, start) -> EditEpoch:
        frozen = {n.split(".")[0] for n, x in network.named_parameters() if not x.requires_grad}
        frozen = {"rb" if name.startswith("rb") else name for name in frozen}
        rise = sum(cost.get(name, 0.0) for name in frozen)
        return EditEpoch(0, 0.0, 0.0, 20.0 - rise, 0.0, 0.1 * (1 + rise))

    monkeypatch.setattr(study, "trial", judged)
    ctx, of = Telling(), base()
    plan = e2gan_crucial(ctx, CrucialParams(**QUICK), of, texts("warm"), pairs)
    assert {name.split(".")[0] for name in plan.ranks} == {"down", "tb", "up"}
    found = {one["part"]: one for one in plan.trials}
    assert list(found) == ["down", "rb", "ds", "tb", "us", "up"]
    for part, one in found.items():
        assert one["frozen"] == pytest.approx(cost.get(part, 0.0))
        assert one["alone"] == pytest.approx(sum(cost.values()) - cost.get(part, 0.0))
    assert ctx.views["verdict"].holds is True
    assert [row[-1] for row in ctx.views["damage"].rows] == ["yes", "no", "no", "yes", "no", "yes"]
    linked = e2gan_ranks(ctx, RanksParams(mode="uniform", rank=2), of, groups=plan)
    assert set(linked.ranks) == set(plan.ranks)
    strict = CrucialParams(**QUICK, tau=0.9, alone=False)
    none = e2gan_crucial(ctx, strict, of, texts("warm"), pairs)
    assert set(none.ranks) == set(LAYERS), "the paper's choice where nothing stands out"
    assert none.trials[0]["alone"] is None


@pytest.mark.parametrize("trained", ["weights", "adapters"])
def test_the_study_trains_what_it_says(trained: str, pairs: Pairs, monkeypatch) -> None:
    learned: list[set[str]] = []

    def told(ctx, p, base, network, text, manifest, start) -> EditEpoch:
        before = {n: t.clone() for n, t in network.state_dict().items()}
        row = trial(ctx, p, base, network, text, manifest, start)
        moved = {n for n, t in network.state_dict().items() if not t.equal(before[n])}
        learned.append({n.split(".")[0].split("_")[0] for n in moved})
        assert (trained == "adapters") == all(f".{lora.ADAPTER}." in n for n in moved)
        return row

    monkeypatch.setattr(study, "trial", told)
    params = CrucialParams(**{**QUICK, "epochs": 1}, trained=trained)
    of = base()
    before = of.digest()
    e2gan_crucial(Telling(), params, of, texts("warm"), pairs)
    assert learned[0] == set(study.PARTS)
    assert [set(study.PARTS) - one for one in learned[1:7]] == [{part} for part in study.PARTS]
    assert learned[7:] == [{part} for part in study.PARTS]
    assert of.digest() == before
