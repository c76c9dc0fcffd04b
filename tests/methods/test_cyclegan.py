"""CycleGAN: unpaired training, what comes of it, and CAT's lesson after it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from backend.core.context import QuietContext
from backend.core.errors import FretsawError
from backend.data.photos import photos
from backend.data.vision import open_split
from backend.methods.cat import (
    PlanParams,
    ShrinkParams,
    TeacherParams,
    cat_plan,
    cat_shrink,
    cat_teacher,
)
from backend.methods.cat_distill import DistillParams, cat_distill
from backend.methods.cyclegan import CycleParams, CycleTrained, train_cyclegan
from backend.methods.generators import GeneratorParams, generator
from backend.methods.pairs import PairsParams, pairs
from backend.train.cycle_judge import GRID, CycleJudge
from backend.train.cycle_losses import Cycle, CyclePlan, PicturePool, of_generators
from backend.train.cycles import fit_cycles
from backend.train.edit import Edit
from backend.train.edit_plan import EditPlan
from backend.train.gan_guard import CollapseError
from backend.train.plan import TrainError
from backend.values import Data, Generator
from tests.methods.test_image_to_image import Watching

QUICK: dict[str, Any] = {
    "epochs": 2, "batch": 2, "lr": 1e-3, "disc_layers": 1, "disc_width": 4, "pool": 4,
    "kid": "off",
}  # fmt: skip
NET = {"preset": "resnet", "size": 16, "width": 4, "blocks": 1, "halvings": 1}


def folder_of(folder: Path, *, warm: bool, count: int = 10) -> Data:
    """Soft pictures of one tint: all that A and B differ by."""
    folder.mkdir()
    dice = np.random.default_rng(int(warm))
    for i in range(count):
        coarse = dice.integers(60, 196, (4, 4, 1)).repeat(3, 2).astype(float)
        tint = (1.25, 1.0, 0.6) if warm else (0.6, 1.0, 1.25)
        pixels = np.clip(coarse * tint, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).resize((24, 24), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return Data(photos("folder", folder, size=16))


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Data, Data]:
    folder = tmp_path_factory.mktemp("sets")
    return folder_of(folder / "cold", warm=False), folder_of(folder / "warm", warm=True, count=8)


def start(**more: Any) -> Generator:
    return generator(QuietContext(3), GeneratorParams(**{**NET, **more}))


def trained(folder: Path, sets: tuple[Data, Data], model: Generator, **more: Any):
    ctx = Watching(folder)
    return ctx, train_cyclegan(ctx, CycleParams(**{**QUICK, **more}), model, *sets)


def test_it_learns_the_tint_that_the_sets_differ_by(
    sets: tuple[Data, Data], tmp_path: Path
) -> None:
    model = start(norm="none", shortcut=True)
    ctx, out = trained(
        tmp_path, sets, model, epochs=12, lr=1e-2, identity=0.0, cycle_a=2, cycle_b=2
    )
    cold = open_split(sets[0].manifest, "test")
    pixels = cold.take(np.arange(len(cold)))
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        made, back = out.generator.module(x), out.back.module(out.generator.module(x))
    warmth = (made[:, 0] - made[:, 2]).mean() - (x[:, 0] - x[:, 2]).mean()
    assert warmth > 0.2, "red came up against blue, as in set B"
    assert (back - x).abs().mean() < 0.5 * (made - x).abs().mean()
    errors = ctx.named("val_cycle")
    assert len(errors) == 12
    assert errors[-1] < errors[0]


def test_what_is_shown_and_handed_on(sets: tuple[Data, Data], tmp_path: Path) -> None:
    ctx, out = trained(tmp_path, sets, start(), shown=1)
    names = ("loss", "adversarial_a", "adversarial_b", "cycle_a", "cycle_b", "identity_a",
             "identity_b", "discriminator_a", "discriminator_b", "lr", "val_cycle")  # fmt: skip
    assert all(math.isfinite(value) for name in names for value in ctx.named(name))
    assert all(ctx.named(name) for name in names)
    assert [name for name, _ in ctx.pictures] == [GRID] * 2
    assert ctx.pictures[0][1].shape == (16, 5 * 16, 3)
    assert [step for _, step, _ in ctx.snapshots] == [1, 2]
    assert not out.discriminator.conditional
    assert out.discriminator.facts["trained"]
    assert out.generator.facts["epochs"] == 2
    assert "back" in out.back.label
    assert "KID was not measured" in ctx.words[-1]
    for one in (out.generator, out.back, out.discriminator):
        folder = tmp_path / one.label
        folder.mkdir()
        one.save(folder)
        loaded = type(one).load(folder)
        for name, value in one.module.state_dict().items():
            assert torch.equal(loaded.module.state_dict()[name], value)


def test_the_loss_is_that_of_the_paper() -> None:
    """Hand example: generators that add 0.1 and take 0.2, opponents that score the mean."""

    class Add(torch.nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.value = value

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.value

    class Mean(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((1, 2, 3), keepdim=True)

    a, b = torch.full((1, 3, 2, 2), 0.3), torch.full((1, 3, 2, 2), 0.7)
    total, parts, made = of_generators(
        Cycle(Add(0.1), Add(-0.2), Mean(), Mean()), CyclePlan(cycle_a=10, cycle_b=20), a, b
    )
    assert made.b.mean() == pytest.approx(0.4)
    assert made.a.mean() == pytest.approx(0.5)
    gan = (0.4 - 1) ** 2 + (0.5 - 1) ** 2
    cycles = 10 * 0.1 + 20 * 0.1
    identity = 0.5 * (20 * 0.1 + 10 * 0.2)
    assert total.item() == pytest.approx(gan + cycles + identity, rel=1e-5)
    assert parts["cycle_a"] == pytest.approx(0.1, rel=1e-5)


def test_the_pool_gives_old_pictures_half_of_the_time() -> None:
    progress: dict[str, Any] = {}
    pool = PicturePool(50, 0, "pool", progress)
    old = 0
    for step in range(400):
        given = pool.exchanged(torch.full((1, 1, 1, 1), float(step)), step)
        if step < 50:
            assert given.item() == step, "a pool that is not full gives what it gets"
        old += int(given.item() < step)
    assert len(progress["pool"]) == 50
    assert 0.4 < old / 350 < 0.6
    assert PicturePool(0, 0, "none", {}).exchanged(torch.ones(1, 1, 1, 1), 0).item() == 1


def test_kid_chooses_the_epoch_of_each_direction(sets: tuple[Data, Data], tmp_path: Path) -> None:
    """With features that are mean colours: the real ones need no weights of another network."""
    model, back = start(), start(width=6)
    ctx = Watching(tmp_path)
    kept: list[dict[str, torch.Tensor]] = []
    opened = [tuple(open_split(one.manifest, split) for one in sets) for split in ("train", "val")]
    more = {"val": (opened[0][0], opened[0][1])}  # more than one picture each
    judges = [torch.nn.Conv2d(3, 1, 4, 2, 1) for _ in range(2)]
    plan = CyclePlan(EditPlan(epochs=4, batch=2, lr=3e-2, kind="lsgan", l1=0, ema=None, decay=0),
                     keep="best")  # fmt: skip
    edits = [Edit(one.module, one.image, multiple=one.multiple) for one in (model, back)]
    rows = fit_cycles(
        ctx, *edits, *judges, opened[0], more["val"], plan,
        features=lambda x: x.mean((1, 2)) / 64,
        after_epoch=lambda row, module: kept.append(
            {k: v.clone() for k, v in module.state_dict().items()}
        ),
    )  # fmt: skip
    values = [row.val_kid_b for row in rows]
    best = kept[int(np.argmin(values))]
    assert len(set(values)) == 4
    assert all(torch.equal(model.module.state_dict()[k], v) for k, v in best.items())


@pytest.mark.parametrize("policy", ["stop", "keep"])
def test_a_broken_training_keeps_its_last_good_epoch(
    policy: Any, sets: tuple[Data, Data], tmp_path: Path
) -> None:
    model, back = start(norm="none"), start(norm="none")
    ctx, calls = Watching(tmp_path), [0]

    def spoil(module: torch.nn.Module, _: Any, made: torch.Tensor) -> torch.Tensor:
        calls[0] += module.training
        return made * math.nan if calls[0] > 3 * 3 * 2 else made  # 3 calls a step, 3 steps

    model.module.register_forward_hook(spoil)
    train = tuple(open_split(one.manifest, "train") for one in sets)
    judges = [torch.nn.Conv2d(3, 1, 4, 2, 1) for _ in range(2)]
    steps = EditPlan(epochs=6, batch=2, lr=1e-3, l1=0, ema=None, kind="lsgan", on_collapse=policy)
    edits = [Edit(one.module, one.image, multiple=one.multiple) for one in (model, back)]
    if policy == "keep":
        rows = fit_cycles(ctx, *edits, *judges, train, None, CyclePlan(steps))
        assert len(rows) == 2
        assert "weights of epoch 2 are kept" in ctx.words[-1]
        assert all(torch.isfinite(p).all() for p in back.module.parameters())
        return
    with pytest.raises(CollapseError, match=r"became nan in epoch 3 of 6.*weights of epoch 2 are"):
        fit_cycles(ctx, *edits, *judges, train, None, CyclePlan(steps))
    names = sorted(path.stem for path in (tmp_path / "last_good").iterdir())
    assert names == ["back", "discriminator", "discriminator_a", "generator"]


def test_networks_that_cannot_undo_each_other_are_refused(
    sets: tuple[Data, Data], tmp_path: Path
) -> None:
    from dataclasses import replace

    with pytest.raises(TrainError, match="black is -1"):
        trained(tmp_path, sets, replace(start(), low=0.0))
    with pytest.raises(TrainError, match="too small"):
        trained(tmp_path, sets, replace(start(), multiple=64))


def test_what_cannot_be_trained_on_or_judged_is_said(
    sets: tuple[Data, Data], tmp_path: Path
) -> None:
    teacher = cat_teacher(
        QuietContext(0), TeacherParams(size=16, width=4, blocks=1, reduction=1, norm="instance")
    )
    with pytest.raises(FretsawError, match="need pictures of 12 pixels; training sees 8"):
        trained(tmp_path, sets, teacher, crop=8)
    with pytest.raises(TrainError, match=r"cannot score pictures of 16 x 16.*fewer layers"):
        trained(tmp_path, sets, start(), disc_layers=6)
    ctx, _ = trained(tmp_path, (sets[0], sets[0]), start(), epochs=1)
    assert any("are the same pictures" in words for words in ctx.words)


def test_kid_stands_beside_that_of_untouched_pictures(
    sets: tuple[Data, Data], tmp_path: Path
) -> None:
    opened = tuple(open_split(one.manifest, "test") for one in sets)
    ctx, same = Watching(tmp_path), torch.nn.Identity()
    edit = Edit(same, start().image)
    found = CycleJudge(ctx, edit, edit, opened, 0, lambda x: x.mean((1, 2)) / 64)(
        Cycle(same, same, same, same), 0
    )
    assert found["val_kid_untouched"] > 0
    assert found["val_kid_b"] == pytest.approx(found["val_kid_untouched"]), "it leaves A alone"
    assert ctx.named("val_kid_untouched")


def test_the_grid_is_spread_over_the_photos(sets: tuple[Data, Data], tmp_path: Path) -> None:
    """Four crops of each photo lie side by side: the first two rows would be one photo."""
    where = folder_of(tmp_path / "crops", warm=True).manifest.files
    options: dict[str, Any] = {"size": 16, "crops": 4, "test_fraction": 0.2, "fit": "stretch"}
    many = open_split(photos("folder", Path(where[0].path).parent, **options), "test")
    pixels = many.take(np.arange(len(many)))
    assert len(pixels) == 8
    ctx, same = Watching(tmp_path), torch.nn.Identity()
    edit = Edit(same, start().image)
    CycleJudge(ctx, edit, edit, (many, many), 2, None)(Cycle(same, same, same, same), 0)
    grid = ctx.pictures[0][1]
    assert np.array_equal(grid[:16, :16], pixels[0])
    assert np.array_equal(grid[16:, :16], pixels[-1])


def test_cat_distils_one_direction_of_it_with_the_real_pictures_of_its_target(
    sets: tuple[Data, Data], tmp_path: Path
) -> None:
    """Target is the teacher's picture, real is set B, the opponent begins as the teacher's."""
    params = TeacherParams(size=16, width=4, blocks=1, reduction=2, norm="instance",
                           residual_kernels="1,3", depthwise_kernels="3")  # fmt: skip
    model = cat_teacher(QuietContext(0), params)
    (tmp_path / "cycle").mkdir()
    out: CycleTrained = trained(tmp_path / "cycle", sets, model)[1]
    made = pairs(QuietContext(0, folder=tmp_path), PairsParams(least_change=0), sets[0],
                 out.generator)  # fmt: skip
    plan = cat_plan(QuietContext(0), PlanParams(ratio=0.5, lower=2), out.generator).plan
    student = cat_shrink(QuietContext(0), ShrinkParams(), out.generator, plan)
    quick = DistillParams(epochs=2, batch=2, small=0.0, l1=5.0, disc_layers=1, disc_width=4)
    results = []
    for real in (sets[1], None):
        ctx = Watching(tmp_path / f"distilled {real is None}")
        ctx.folder.mkdir()
        done = cat_distill(ctx, quick, student, out.generator, made, out.discriminator, real)
        assert not done.discriminator.conditional
        assert any("1-KA" in name for _, values in ctx.metrics for name in values)
        results.append((ctx.named("discriminator")[0], done.generator.module.state_dict()))
    assert results[0][0] != results[1][0], "real pictures are others"
    conditional = quick.model_copy(update={"conditional": True})
    with pytest.raises(TrainError, match="sees the picture alone"):
        cat_distill(Watching(tmp_path), conditional, student, out.generator, made, None, sets[1])
