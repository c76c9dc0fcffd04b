"""CAT's nodes: plan, shrink, distil; what the digest's small experiment expects of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from backend.core.channel_plan import ChannelSpace, CostTerm
from backend.core.context import QuietContext
from backend.core.errors import FretsawError
from backend.core.graph import Graph
from backend.core.node import REGISTRY
from backend.core.views import Plan, parse_payload
from backend.data.pairs import Pair, PairsManifest
from backend.data.preprocess import ImageInput
from backend.distill.alignment import AlignmentError
from backend.methods.cat import (
    PlanParams,
    ShrinkParams,
    TeacherParams,
    cat_plan,
    cat_shrink,
    cat_teacher,
    initialise,
)
from backend.methods.cat_distill import DistillParams, cat_distill
from backend.methods.phone import NETWORK
from backend.methods.profile import OrtCostParams, cost_macs, cost_ort
from backend.models.recipe import Recipe, build
from backend.models.registry import zoo
from backend.profile import profile
from backend.prune.channels import find_channels
from backend.values import Cost, CutPlan, Generator, Pairs
from tests.methods.test_image_to_image import SPLITS, warm, write_picture

QUICK = {"epochs": 1, "batch": 2, "adversarial": 0.0, "shown": 0, "small": 0.0}
TINY = {"size": 32, "width": 8, "blocks": 3, "reduction": 2}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    folder = tmp_path_factory.mktemp("pairs")
    dice = np.random.default_rng(0)
    made = []
    for i, split in enumerate(SPLITS):
        coarse = dice.integers(0, 256, (4, 4, 3)).astype(np.uint8)
        source = np.ascontiguousarray(np.kron(coarse, np.ones((8, 8, 1), np.uint8)))
        entries = (write_picture(one, folder) for one in (source, warm(source)))
        made.append(Pair(*entries, split=split, concept="warm", photo=i))
    return Pairs(PairsManifest("warm", (32, 32), tuple(made)))


def context(seed: int = 0, folder: Path | None = None) -> QuietContext:
    return QuietContext(seed, folder=folder)


def teacher(**more) -> Generator:
    """A teacher whose scales differ as those of a trained one do."""
    made = cat_teacher(context(), TeacherParams(**{**TINY, **more}))
    dice = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part in made.module.modules():
            if isinstance(part, nn.BatchNorm2d | nn.InstanceNorm2d):
                part.weight.copy_(torch.rand(part.weight.shape, generator=dice) + 0.1)
    return made


def test_the_plan_reaches_its_ratio_and_counts_as_the_profile_does() -> None:
    model = teacher(resize="nearest")
    ctx = context()
    params = PlanParams(ratio=0.25, lower=2, convention="input")
    plan = cat_plan(ctx, params, model).plan
    student = cat_shrink(ctx, ShrinkParams(), model, plan)
    example = torch.zeros(1, 3, 32, 32)
    whole, small = profile(model.module, example).macs, profile(student.module, example).macs
    assert plan.space.cost(plan.space.full_widths) == whole
    assert plan.space.cost(plan.widths) == small
    assert small <= 0.25 * whole
    assert small > 0.15 * whole
    assert dict(ctx.metrics[0][1])["ratio"] == pytest.approx(small / whole)


def test_the_view_holds_all_that_planning_again_needs() -> None:
    shown = []

    class Showing(QuietContext):
        def view(self, payload, name: str = "", step: int | None = None) -> None:
            shown.append(payload)

    plan = cat_plan(Showing(), PlanParams(lower=2, ratio=0.3), teacher()).plan
    again = parse_payload(shown[0].model_dump_json())
    assert isinstance(again, Plan)
    assert again.space is not None
    found = again.space.search(again.target)
    assert (found.widths, found.threshold) == (plan.widths, plan.threshold)
    assert again.space.search(again.target / 2).cost <= again.target / 2


def test_a_plan_is_saved_and_loaded_the_same(tmp_path: Path) -> None:
    plan = cat_plan(context(), PlanParams(lower=2, ratio=0.3), teacher()).plan
    plan.save(tmp_path)
    assert CutPlan.load(tmp_path) == plan


def test_inherited_weights_are_the_teachers_and_new_ones_are_not() -> None:
    model = teacher()
    plan = cat_plan(context(), PlanParams(ratio=0.4, lower=2), model).plan
    inherited = cat_shrink(context(), ShrinkParams(inherit=True), model, plan)
    fresh = cat_shrink(context(), ShrinkParams(), model, plan)
    kept = plan.keep["down_sampling.1"]
    stem = model.module.get_submodule("down_sampling.1").weight
    assert torch.equal(inherited.module.get_submodule("down_sampling.1").weight, stem[kept])
    other = fresh.module.get_submodule("down_sampling.1").weight
    assert other.shape == stem[kept].shape
    assert not torch.equal(other, stem[kept])
    again = cat_shrink(context(), ShrinkParams(), model, plan)
    assert torch.equal(other, again.module.get_submodule("down_sampling.1").weight)


def test_norms_may_be_left_out_of_new_students_only(tmp_path: Path) -> None:
    model = teacher()
    plan = cat_plan(context(), PlanParams(ratio=0.4, lower=2), model).plan
    student = cat_shrink(context(), ShrinkParams(norms="drop"), model, plan)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in student.module.modules())
    student.save(tmp_path)
    again = Generator.load(tmp_path)
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(again.module.eval()(x), student.module.eval()(x))
    with pytest.raises(ValidationError, match="worth nothing without their norms"):
        ShrinkParams(inherit=True, norms="drop")


def test_a_linked_cost_replaces_macs() -> None:
    model = teacher(norm="batch", resize="nearest")
    macs = cost_macs(context(), model)
    example = torch.zeros(1, 3, 32, 32)
    params = PlanParams(target=0.3 * profile(model.module, example).macs, lower=2)
    plan = cat_plan(context(), params, model, macs).plan
    student = cat_shrink(context(), ShrinkParams(), model, plan)
    assert profile(student.module, example).macs <= params.target
    assert plan.space.unit == macs.unit
    measured = cost_ort(context(), OrtCostParams(seconds=0.002), model)
    found = cat_plan(context(), PlanParams(ratio=0.5, lower=2), model, measured).plan
    assert found.space.unit == "ms"
    assert found.space.cost(found.widths) <= 0.5 * found.space.bounds()[1]
    with pytest.raises(FretsawError, match="same network"):
        cat_plan(context(), PlanParams(), teacher(width=12, resize="nearest"), measured)


def test_a_plain_pretrained_generator_is_cut_too() -> None:
    recipe = Recipe(zoo("cyclegan_generator", width=8, blocks=3))
    torch.manual_seed(0)
    module = build(recipe, meta=False)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.InstanceNorm2d):
                part.weight.uniform_(0.1, 1)
    image = ImageInput(3, 32, 32, (0.5,) * 3, (0.5,) * 3)
    model = Generator(recipe, module, image, "vintage")
    plan = cat_plan(context(), PlanParams(ratio=0.2, lower=2), model).plan
    student = cat_shrink(context(), ShrinkParams(inherit=True), model, plan)
    assert student.module(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)
    assert plan.space.cost(plan.widths) <= 0.2 * plan.space.cost(plan.space.full_widths)


def test_a_uniform_plan_costs_no_more() -> None:
    model = teacher()
    plan = cat_plan(context(), PlanParams(ratio=0.25, lower=2, choice="uniform"), model).plan
    assert plan.space.cost(plan.widths) <= 0.25 * plan.space.cost(plan.space.full_widths)
    parts = [plan.widths[g.name] / g.width for g in plan.space.groups if g.scores and g.width > 8]
    assert max(parts) - min(parts) < 0.2


def test_distillation_brings_the_features_nearer(pairs: Pairs, tmp_path: Path) -> None:
    model = teacher()
    initialise(model.module)
    plan = cat_plan(context(), PlanParams(ratio=0.5, lower=2), model).plan
    student = cat_shrink(context(), ShrinkParams(), model, plan)
    quick = {"epochs": 12, "batch": 4, "lr": 2e-3, "adversarial": 0.0, "l1": 1.0, "shown": 0}

    def last(**more) -> float:
        ctx = context(folder=tmp_path / str(len(list(tmp_path.iterdir()))))
        ctx.folder.mkdir()
        result = cat_distill(ctx, DistillParams(**quick, **more), student, model, pairs)
        assert result.generator.facts["teacher"] == model.label
        rows = [v for _, v in ctx.metrics if "1-KA down_sampling.9" in v]
        assert len(rows[0]) >= 4
        return float(np.mean([v for k, v in rows[-1].items() if k.startswith("1-KA")]))

    taught, watched = last(weight=20.0), last(weight=0.0)
    assert taught < 0.7 * watched


@pytest.mark.parametrize("loss", ["mse", "cka", "none"])
def test_the_other_losses_train(loss: str, pairs: Pairs, tmp_path: Path) -> None:
    model = teacher()
    plan = cat_plan(context(), PlanParams(ratio=0.5, lower=2), model).plan
    student = cat_shrink(context(), ShrinkParams(), model, plan)
    before = {k: t.clone() for k, t in student.module.state_dict().items()}
    params = DistillParams(epochs=1, batch=2, adversarial=0.0, loss=loss)
    result = cat_distill(context(folder=tmp_path), params, student, model, pairs)
    after = result.generator.module.state_dict()
    assert any(not torch.equal(after[k], t) for k, t in before.items())
    assert all(torch.equal(student.module.state_dict()[k], t) for k, t in before.items())


def test_what_cannot_be_done_is_said(pairs: Pairs, tmp_path: Path) -> None:
    model = teacher()
    plan = cat_plan(context(), PlanParams(ratio=0.5, lower=2), model).plan
    student = cat_shrink(context(), ShrinkParams(), model, plan)
    ctx = context(folder=tmp_path)
    with pytest.raises(AlignmentError, match="batch size to 2"):
        cat_distill(ctx, DistillParams(batch=1), student, model, pairs)
    with pytest.raises(FretsawError, match="largest kernels"):
        cat_distill(ctx, DistillParams(crop=8), student, model, pairs)
    with pytest.raises(AlignmentError, match='no layer "nothing"'):
        cat_distill(ctx, DistillParams(layers="nothing"), student, model, pairs)
    with pytest.raises(FretsawError, match="below the least"):
        cat_plan(ctx, PlanParams(ratio=0.001, lower=8), model)
    with pytest.raises(FretsawError, match="another network"):
        cat_shrink(ctx, ShrinkParams(), teacher(width=12), plan)
    bare = Recipe(zoo("resnet_generator", width=4, blocks=1, norm="none"))
    module = build(bare, meta=False)
    flat = Generator(bare, module, model.image, "flat")
    with pytest.raises(FretsawError, match="no norm with a scale"):
        cat_plan(ctx, PlanParams(), flat)


class Foreign(nn.Module):
    """A generator that is not of this project; halves its pictures so often as is said."""

    def __init__(self, halvings: int = 1) -> None:
        super().__init__()
        self.a = nn.Sequential(
            *[nn.Conv2d(3 if i == 0 else 8, 8, 4, 2, 1) for i in range(halvings)],
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 8 * 4**halvings, 1),
            nn.PixelShuffle(2**halvings),
        )
        self.b = nn.Conv2d(8, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.b(self.a(x)))


def foreign(halvings: int = 1) -> Generator:
    torch.manual_seed(0)
    image = ImageInput(3, 32, 32, (0.5,) * 3, (0.5,) * 3)
    return Generator(Recipe("python:own"), Foreign(halvings), image, "Own")


def test_a_network_of_ones_own_is_taught(pairs: Pairs, tmp_path: Path) -> None:
    model = foreign()
    ctx = context(folder=tmp_path)
    plain = DistillParams(**{**QUICK, "loss": "none"})
    cat_distill(ctx, plain, model, model, pairs)  # aligns nothing, so no layer is asked for
    with pytest.raises(AlignmentError, match=r'such as "a\.0, a\.2, b"'):
        cat_distill(ctx, DistillParams(**QUICK), model, model, pairs)
    shuffled = DistillParams(**{**QUICK, "loss": "mse", "layers": "a"})
    cat_distill(ctx, shuffled, model, model, pairs)  # 8 channels, though its last weight gives 32


def test_pictures_that_a_network_of_ones_own_cannot_read_are_refused(pairs: Pairs) -> None:
    model = foreign(halvings=5)
    params = DistillParams(**{**QUICK, "loss": "none", "small": 0.5})
    with pytest.raises(FretsawError, match="Own cannot read pictures of 16 pixels"):
        cat_distill(context(), params, model, model, pairs)


def test_a_phones_figure_for_the_whole_network_is_a_target() -> None:
    model = teacher()
    phone = Cost("ms", "Pixel 7", {NETWORK: 40.0, "0" * 64: 40.0})
    plan = cat_plan(context(), PlanParams(target=10.0, lower=2), model, phone).plan
    least, full = plan.space.bounds()
    assert full == pytest.approx(40.0)
    assert least < plan.space.cost(plan.widths) <= 10.0
    work = find_channels(model.module, (3, 32, 32), convention="input")
    terms = [CostTerm(layer=t.layer, factor=t.factor, inputs=t.inputs, outputs=t.outputs)
             for t in work.terms]  # fmt: skip
    macs = ChannelSpace(groups=plan.space.groups, terms=tuple(terms))
    part = macs.cost(plan.widths) / macs.cost(macs.full_widths)
    assert part == pytest.approx(plan.space.cost(plan.widths) / 40.0)


@pytest.mark.parametrize("cost", ["cost.ort", "cost.macs"])
def test_a_graph_may_link_a_generators_cost_to_its_plan(cost: str) -> None:
    graph = Graph()
    for kind in ("cat.teacher", cost, "cat.plan"):
        graph.add(kind, kind.replace(".", "_"))
    of = cost.replace(".", "_")
    graph.connect("cat_teacher.generator", f"{of}.model")
    graph.connect("cat_teacher.generator", "cat_plan.model")
    graph.connect(f"{of}.cost", "cat_plan.cost")
    specs = {name: definition.spec for name, definition in REGISTRY.items()}
    assert graph.problems(specs) == []


def test_too_few_pairs_to_align_are_named(pairs: Pairs) -> None:
    kept = [p for p in pairs.manifest.pairs if p.split == "train"][:1]
    one = Pairs(PairsManifest("mine", (32, 32), tuple(kept)))
    model = teacher()
    with pytest.raises(FretsawError, match="mine has only 1 to train on"):
        cat_distill(context(), DistillParams(**{**QUICK, "batch": 8}), model, model, one)
    params = DistillParams(**{**QUICK, "batch": 8, "parts": 2, "crops": 2})
    with pytest.raises(FretsawError, match="for 2 parts of a batch"):
        cat_distill(context(), params, model, model, one)
    cat_distill(context(), DistillParams(**{**QUICK, "crops": 4}), model, model, one)
