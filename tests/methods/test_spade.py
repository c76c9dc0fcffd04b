"""SPADE with CAT's blocks as nodes: data, teacher, training, plan, shrink, distil."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from backend.core.context import QuietContext
from backend.core.errors import FretsawError
from backend.data.manifest import DataError
from backend.data.pairs import open_pairs
from backend.methods.cat import PlanParams, ShrinkParams, cat_plan, cat_shrink
from backend.methods.cat_distill import DistillParams, cat_distill
from backend.methods.pairs import PairFolderParams, pairs_folder
from backend.methods.spade import (
    LabelFolderParams,
    SpadeTeacherParams,
    SpadeTrainParams,
    cat_spade_teacher,
    label_pairs,
    train_spade,
)
from backend.profile import profile
from backend.train.edit_batches import EditBatches
from backend.train.edit_plan import EditPlan
from backend.train.plan import TrainError
from backend.values import Generator, Pairs
from tests.maths.data.test_label_pairs import sides, write_labels
from tests.methods.test_image_to_image import Watching

TINY: dict[str, Any] = {
    "width": 1, "upsampling": "normal", "reduction": 2, "spade_width": 8,
    "residual_kernels": "1,3", "depthwise_kernels": "3",
}  # fmt: skip
QUICK: dict[str, Any] = {"epochs": 1, "batch": 4, "disc_width": 4, "disc_layers": 1, "shown": 2}


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    """Brightness of the bundled photos in four steps, and the photos."""
    folder = tmp_path_factory.mktemp("labels")
    ctx = QuietContext(0, folder=folder / "made")
    return label_pairs(ctx, LabelFolderParams(folder=write_labels(folder / "p"), size=32))


def teacher(maps: Pairs, **more: Any) -> Generator:
    made = cat_spade_teacher(QuietContext(0), SpadeTeacherParams(**{**TINY, **more}), maps)
    dice = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part in made.module.modules():
            if isinstance(part, nn.BatchNorm2d) and part.affine:
                part.weight.copy_(torch.rand(part.weight.shape, generator=dice) + 0.1)
    return made


def test_the_teacher_reads_the_classes_of_its_data(maps: Pairs) -> None:
    made = teacher(maps)
    assert made.module.code.classes == 4
    assert made.multiple == 32
    x = made.image.batch(open_pairs(maps.manifest, "train").take(np.arange(2))[0])
    assert torch.allclose(made.module.code.one_hot(x[:, :1]).sum(1), torch.ones(2, 32, 32))
    assert made.module(x).shape == (2, 3, 32, 32)


def test_training_brings_pictures_nearer_to_the_real_ones(maps: Pairs, tmp_path: Path) -> None:
    rates = {"two_rates": False, "lr": 1e-2, "lr_discriminator": 1e-3, "adversarial": 0.01}
    params = SpadeTrainParams(**{**QUICK, "epochs": 8, **rates})
    ctx = Watching(tmp_path)
    out = train_spade(ctx, params, teacher(maps), maps)
    for name in ("loss", "matching", "adversarial", "discriminator", "l1"):
        assert all(math.isfinite(value) for value in ctx.named(name)), name
    assert ctx.named("val_l1")[-1] < 0.85 * ctx.named("val_l1")[0]
    assert out.discriminator.conditional
    assert out.generator.facts["epochs"] == 8
    (tmp_path / "saved").mkdir()
    out.generator.save(tmp_path / "saved")
    loaded = Generator.load(tmp_path / "saved").module.eval()
    x = torch.zeros(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(x), out.generator.module.eval()(x))


def test_one_step_moves_against_the_gradient_of_all_three_losses(
    maps: Pairs, tmp_path: Path
) -> None:
    """The same batch twice: after a small step the generator's loss is lower."""
    from backend.methods.spade import _judge
    from backend.train.edit import Edit
    from backend.train.edit_losses import EditLosses

    class Blur(nn.Module):
        def forward(self, made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
            return (nn.functional.avg_pool2d(made - wanted, 4)).abs().mean()

    params = SpadeTrainParams(**QUICK, perceptual=10, backbone="vgg16")
    model, judge = teacher(maps), _judge(QuietContext(0), params, 4).module
    losses = EditLosses(Edit(model.module, model.image), params.plan(), judge, True, Blur(), None)
    sources, targets = open_pairs(maps.manifest, "train").take(np.arange(4))
    x = model.image.batch(sources)
    signed = [torch.from_numpy(p).permute(0, 3, 1, 2) / 127.5 - 1 for p in (sources, targets)]
    optimizer = torch.optim.Adam(model.module.parameters(), 1e-4, betas=(0.0, 0.9))
    values = []
    for _ in range(2):
        loss, parts = losses.of_generator(x, *signed, model.module(x))
        values.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert {"matching", "adversarial", "perceptual"} <= parts.keys()
    expected = parts["adversarial"] + 10 * parts["matching"] + 10 * parts["perceptual"]
    assert values[1] == pytest.approx(expected, rel=1e-5)
    assert values[1] < values[0]


def test_the_rates_are_two_as_the_paper_has_them() -> None:
    plan = SpadeTrainParams().plan()
    assert (plan.lr, plan.lr_discriminator) == (1e-4, 4e-4)
    assert (plan.beta1, plan.beta2) == (0.0, 0.9)
    assert (plan.kind, plan.matching, plan.l1) == ("hinge", 10.0, 0.0)
    plain = SpadeTrainParams(two_rates=False, lr=3e-4, lr_discriminator=1e-3, beta1=0.5).plan()
    assert (plain.lr, plain.lr_discriminator, plain.beta1) == (3e-4, 1e-3, 0.5)


def test_half_the_size_never_mixes_labels(maps: Pairs) -> None:
    found = open_pairs(maps.manifest, "train")
    plan = EditPlan(epochs=1, batch=4, small=1.0)
    sources, targets = EditBatches(found, plan, 0, multiple=8, any_size=True).at(0)
    assert sources.shape == targets.shape == (4, 16, 16, 3)
    assert set(np.unique(sources)) <= {0, 85, 170, 255}


def test_the_plan_rounds_the_root_down_and_reaches_its_target(maps: Pairs) -> None:
    model = teacher(maps, width=4)
    example = torch.zeros(1, 3, 32, 32)
    plan = cat_plan(QuietContext(0), PlanParams(ratio=0.3, lower=1), model).plan
    full = plan.space.cost(plan.space.full_widths)
    assert plan.widths["fc"] % 16 == 0
    assert plan.space.cost(plan.widths) <= 0.3 * full
    for inherit in (False, True):
        student = cat_shrink(QuietContext(0), ShrinkParams(inherit=inherit), model, plan)
        assert student.module.eval()(example).shape == (1, 3, 32, 32)
        assert profile(student.module, example).macs <= plan.space.cost(plan.widths)
    assert profile(model.module, example).macs == pytest.approx(full, rel=1e-6)
    uniform = cat_plan(
        QuietContext(0), PlanParams(ratio=0.3, lower=1, choice="uniform"), model
    ).plan
    assert uniform.widths["fc"] % 16 == 0
    with pytest.raises(FretsawError, match="below the least"):
        cat_plan(QuietContext(0), PlanParams(ratio=0.001, lower=2), model)


def test_a_student_is_distilled_from_label_maps(maps: Pairs, tmp_path: Path) -> None:
    model = teacher(maps, width=2)
    (tmp_path / "teacher").mkdir()
    out = train_spade(Watching(tmp_path / "teacher"), SpadeTrainParams(**QUICK), model, maps)
    plan = cat_plan(QuietContext(0), PlanParams(ratio=0.5, lower=1), out.generator).plan
    student = cat_shrink(QuietContext(0), ShrinkParams(), out.generator, plan)
    params = DistillParams(**QUICK, small=0.0, l1=0.0, matching=10.0, weight=0.5)
    ctx = Watching(tmp_path)
    done = cat_distill(ctx, params, student, out.generator, maps, out.discriminator)
    for name in ("1-KA head_0", "1-KA G_middle_1", "1-KA up_1", "matching", "adversarial"):
        assert all(math.isfinite(value) for value in ctx.named(name)), name
        assert ctx.named(name)
    before, after = student.module.state_dict(), done.generator.module.state_dict()
    assert any(not torch.equal(before[k], after[k]) for k in before)


def test_pairs_of_pictures_are_no_label_maps(maps: Pairs, tmp_path: Path) -> None:
    from tests.methods.graphs import write_pairs

    plain = pairs_folder(
        QuietContext(0), PairFolderParams(folder=write_pairs(tmp_path / "p"), size=16)
    )
    with pytest.raises(DataError, match="not label maps"):
        cat_spade_teacher(QuietContext(0), SpadeTeacherParams(**TINY), plain)
    with pytest.raises(DataError, match="not label maps"):
        train_spade(QuietContext(0), SpadeTrainParams(**QUICK), teacher(maps), plain)


def test_norms_with_nothing_to_compare_are_refused(maps: Pairs, tmp_path: Path) -> None:
    words = r"more than one value of each channel, and 32 pixels.*2 pairs or more"
    ctx, one = Watching(tmp_path), SpadeTrainParams(**{**QUICK, "batch": 1})
    with pytest.raises(FretsawError, match=words):
        train_spade(ctx, one, teacher(maps), maps)
    with pytest.raises(FretsawError, match=words):
        train_spade(ctx, SpadeTrainParams(**QUICK), teacher(maps, norm="instance"), maps)
    few = sides(tmp_path / "few", np.arange(1024).astype(np.uint8).reshape(32, 32) % 4,
                np.zeros((32, 32, 3), np.uint8), count=3)  # fmt: skip
    alone = label_pairs(QuietContext(0, folder=tmp_path), LabelFolderParams(folder=few, size=32))
    with pytest.raises(FretsawError, match=words):
        train_spade(ctx, SpadeTrainParams(**QUICK), teacher(maps), alone)


def test_networks_of_other_classes_are_refused(maps: Pairs, tmp_path: Path) -> None:
    from backend.methods.image_to_image import ImageToImageParams, opponent_of

    def other(labels: np.ndarray) -> Pairs:
        folder = sides(tmp_path / str(labels.max()), labels, np.zeros((32, 32, 3), np.uint8))
        return label_pairs(QuietContext(0, folder=tmp_path), LabelFolderParams(folder=folder))

    six = other(np.arange(1024).reshape(32, 32).astype(np.uint8) % 6)
    params, ctx = SpadeTrainParams(**QUICK), QuietContext(0, folder=tmp_path)
    with pytest.raises(FretsawError, match=r"generator was made for 4 classes.*have 6"):
        train_spade(ctx, params, teacher(maps), six)
    blind = opponent_of(ctx, ImageToImageParams(disc_width=4, conditional=False), None)
    with pytest.raises(FretsawError, match="judges pictures alone"):
        train_spade(ctx, params, teacher(maps), maps, blind)


def test_a_discriminator_too_deep_for_the_pictures_is_refused(maps: Pairs, tmp_path: Path) -> None:
    params = SpadeTrainParams(**{**QUICK, "disc_layers": 6})
    with pytest.raises(TrainError, match=r"cannot score pictures of 32 x 32.*fewer layers"):
        train_spade(Watching(tmp_path), params, teacher(maps), maps)
