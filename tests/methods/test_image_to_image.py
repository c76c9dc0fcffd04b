"""Training of generators on pairs, and the generators it starts from."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from backend.core import events as ev
from backend.core.context import QuietContext
from backend.core.errors import FretsawError
from backend.core.workspace import Workspace
from backend.data.pairs import Pair, PairsManifest, open_pairs, write_picture
from backend.engine import launch
from backend.methods.generators import GeneratorParams, generator
from backend.methods.image_to_image import (
    ImageToImageParams,
    Trained,
    train_image_to_image,
)
from backend.models.recipe import build
from backend.profile import profile
from backend.train import TrainError
from backend.train.edit_batches import EditBatches
from backend.train.edit_judge import GRID
from backend.train.edit_plan import EditPlan
from backend.train.edits import Edit, fit_edits
from backend.values import Generator, Pairs
from tests.methods.graphs import graph_of
from tests.requirements import require

SPLITS = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
QUICK: dict[str, Any] = {"epochs": 2, "batch": 2, "lr": 1e-3, "disc_layers": 1, "disc_width": 4}
SMALL = {"preset": "resnet", "size": 32, "width": 4, "blocks": 1, "halvings": 1, "norm": "none"}


def warm(pixels: np.ndarray) -> np.ndarray:
    """Swap red and blue and darken: no identity, but easy to learn."""
    return (pixels[..., ::-1] * 0.7).astype(np.uint8)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    folder = tmp_path_factory.mktemp("pairs")
    dice = np.random.default_rng(0)
    made = []
    for i, split in enumerate(SPLITS):
        coarse = dice.integers(0, 256, (5, 5, 3)).astype(np.uint8)
        source = np.ascontiguousarray(np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:36])
        entries = (write_picture(one, folder) for one in (source, warm(source)))
        made.append(Pair(*entries, split=split, concept="warm", photo=i))
    return Pairs(PairsManifest("warm", (36, 40), tuple(made)))


class Watching(QuietContext):
    """A quiet context that keeps pictures, words and snapshots."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        super().__init__(seed, folder=folder)
        self.pictures: list[tuple[str, np.ndarray]] = []
        self.words: list[str] = []
        self.snapshots: list[tuple[Path, int, float]] = []

    def image(self, name: str, pixels: Any) -> None:
        self.pictures.append((name, np.array(pixels)))

    def log(self, text: str, level: str = "info") -> None:
        self.words.append(text)

    def snapshot(self, path: Path, step: int) -> None:
        weight = next(Generator.load(path).module.parameters())
        self.snapshots.append((path, step, float(weight.detach().sum())))

    def named(self, name: str) -> list[float]:
        return [values[name] for _, values in self.metrics if name in values]


def start(**more: Any) -> Generator:
    return generator(QuietContext(3), GeneratorParams(**{**SMALL, **more}))


def trained(folder: Path, pairs: Pairs, model: Generator, **more: Any) -> tuple[Watching, Trained]:
    ctx = Watching(folder)
    params = ImageToImageParams(**{**QUICK, **more})
    return ctx, train_image_to_image(ctx, params, model, pairs)


def test_the_phone_generator_keeps_its_budget() -> None:
    model = generator(QuietContext(0), GeneratorParams())
    macs = profile(model.module, torch.zeros(1, 3, 256, 256)).macs
    assert macs <= 0.5e9
    assert model.facts["gmacs"] == pytest.approx(macs / 1e9)
    assert model.any_size
    assert model.multiple == 8
    again = build(model.recipe)
    assert sum(p.numel() for p in again.parameters()) == sum(
        p.numel() for p in model.module.parameters()
    )


@pytest.mark.parametrize(
    ("params", "multiple"),
    [
        ({"preset": "resnet", "width": 4, "blocks": 1, "shuffle": 2, "halvings": 1}, 4),
        ({"preset": "unet", "width": 4, "halvings": 3}, 8),
    ],
)
def test_generators_of_other_kinds(params: dict[str, Any], multiple: int) -> None:
    model = generator(QuietContext(0), GeneratorParams(size=32, **params))
    assert model.multiple == multiple
    with pytest.raises(FretsawError, match=f"multiples of {multiple}"):
        generator(QuietContext(0), GeneratorParams(size=33, **params))


def test_it_learns_the_edit_better_than_no_edit(pairs: Pairs, tmp_path: Path) -> None:
    model = start(shortcut=True)
    options = {"epochs": 60, "lr": 2e-2, "beta1": 0.9, "adversarial": 0, "ema": 0.9}
    ctx, out = trained(tmp_path, pairs, model, **options)
    psnr = ctx.named("val_psnr")
    assert len(psnr) == 60
    assert psnr[-1] > psnr[0] + 5
    assert psnr[-1] > ctx.named("val_psnr_identity")[-1] + 5
    assert out.generator.facts["val_psnr"] == psnr[-1]
    assert out.generator.facts["epochs"] == 60
    assert f"{psnr[-1]:.1f} dB" in ctx.words[-1]


def test_every_loss_is_reported_by_name(pairs: Pairs, tmp_path: Path) -> None:
    ctx, out = trained(tmp_path, pairs, start(), adversarial=1.0, matching=2.0, kind="lsgan")
    for name in ("loss", "l1", "adversarial", "matching", "discriminator", "val_psnr", "val_l1"):
        found = ctx.named(name)
        assert found, name
        assert all(map(math.isfinite, found)), name
    _, first = ctx.metrics[0]
    total = 100 * first["l1"] + first["adversarial"] + 2 * first["matching"]
    assert first["loss"] == pytest.approx(total, rel=1e-5)
    assert out.discriminator.facts == {"trained": True}
    assert not out.generator.module.training
    assert not out.discriminator.module.training
    assert all(p.requires_grad for p in out.discriminator.module.parameters())


def test_without_a_weight_no_discriminator_is_trained(pairs: Pairs, tmp_path: Path) -> None:
    ctx, out = trained(tmp_path, pairs, start(), adversarial=0)
    assert "discriminator" not in {name for _, values in ctx.metrics for name in values}
    assert out.discriminator.facts == {"trained": False}
    _, more = trained(tmp_path, pairs, start(), adversarial=1.0)
    before = out.discriminator.module.state_dict()
    after = more.discriminator.module.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_training_goes_on_from_a_linked_discriminator(pairs: Pairs, tmp_path: Path) -> None:
    _, first = trained(tmp_path, pairs, start(), adversarial=1.0)
    kept = {k: v.clone() for k, v in first.discriminator.module.state_dict().items()}
    params = ImageToImageParams(**QUICK, adversarial=1.0, lr_discriminator=0)
    ctx = Watching(tmp_path)
    again = train_image_to_image(ctx, params, first.generator, pairs, first.discriminator)
    found = dict(again.discriminator.module.named_parameters())
    assert all(torch.equal(kept[name], value) for name, value in found.items())
    after = first.discriminator.module.state_dict()
    assert all(torch.equal(kept[name], after[name]) for name in kept), "the input was changed"
    assert again.generator.facts["epochs"] == 4


def test_samples_are_the_same_pairs_each_epoch(pairs: Pairs, tmp_path: Path) -> None:
    ctx, _ = trained(tmp_path, pairs, start(), epochs=3, lr=1e-2)
    assert [name for name, _ in ctx.pictures] == [GRID] * 3
    grids = [pixels for _, pixels in ctx.pictures]
    source, target = open_pairs(pairs.manifest, "val").take(np.arange(2))
    for grid in grids:
        assert grid.shape == (2 * 36, 4 * 40, 3)
        assert grid.dtype == np.uint8
        assert np.array_equal(grid[:36, :40], source[0])
        assert np.array_equal(grid[36:, 40:80], target[1])
    assert not np.array_equal(grids[0][:, 80:120], grids[2][:, 80:120])
    gap = np.abs(grids[2][:36, 80:120].astype(int) - target[0])
    assert np.array_equal(grids[2][:36, 120:], np.minimum(2 * gap, 255))
    assert trained(tmp_path, pairs, start(), shown=0)[0].pictures == []


def test_each_epoch_is_a_snapshot_that_loads_and_the_last_is_the_result(
    pairs: Pairs, tmp_path: Path
) -> None:
    ctx, out = trained(tmp_path, pairs, start(), epochs=10)
    assert [step for _, step, _ in ctx.snapshots] == list(range(1, 11))
    assert len({weight for _, _, weight in ctx.snapshots}) == 10
    folders = sorted(path.name for path in (tmp_path / "snapshots").iterdir())
    assert folders == [f"{n:04d}" for n in range(3, 11)]
    last = Generator.load(ctx.snapshots[-1][0])
    for name, value in out.generator.module.state_dict().items():
        assert torch.equal(last.module.state_dict()[name], value)
    assert last.facts["epochs"] == 10
    assert last.image == out.generator.image


def test_the_average_of_the_weights_is_what_is_kept(pairs: Pairs, tmp_path: Path) -> None:
    lag, now = (
        trained(tmp_path, pairs, start(), ema=ema, lr=1e-2)[1].generator for ema in (0.99, None)
    )
    model = start()
    first, end, mean = (
        torch.cat([p.detach().flatten() for p in m.module.parameters()]) for m in (model, now, lag)
    )
    assert 0 < (mean - end).norm() < (first - end).norm()


def test_teachers_of_another_range_can_be_trained_on(pairs: Pairs, tmp_path: Path) -> None:
    """A network whose black is 0 and white 1 learns to give those."""
    model = start(shortcut=True)
    model.module.tanh = torch.nn.Sigmoid()
    model = replace(model, low=0.0)
    ctx, _ = trained(tmp_path, pairs, model, epochs=40, lr=2e-2, beta1=0.9, ema=0.9)
    assert ctx.named("val_psnr")[-1] > ctx.named("val_psnr_identity")[-1] + 3


def test_a_loss_that_is_not_finite_stops_with_a_sentence(pairs: Pairs, tmp_path: Path) -> None:
    model = start()
    with torch.no_grad():
        next(model.module.parameters()).fill_(float("nan"))
    words = r"generator's loss became nan in epoch 1 of 2 \(step 1 of 6\)\. Lower"
    with pytest.raises(TrainError, match=words):
        trained(tmp_path, pairs, model, adversarial=0)


def test_crops_that_do_not_fit_are_refused_with_one_that_does(pairs: Pairs, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"a crop of 15 is none\. Choose 14"):
        trained(tmp_path, pairs, start(), crop=15)
    with pytest.raises(TrainError, match=r"cannot score pictures of 8 x 8\. Give it fewer layers"):
        trained(tmp_path, pairs, start(), crop=8, adversarial=1.0, disc_layers=4, small=0)


def test_a_network_of_one_size_wants_pairs_of_it(pairs: Pairs, tmp_path: Path) -> None:
    model = replace(start(), any_size=False)
    with pytest.raises(TrainError, match=r"32 x 32 only, the pairs are 36 x 40\. Make pairs"):
        trained(tmp_path, pairs, model)
    fitting = replace(model, image=replace(model.image, height=36, width=40))
    ctx, _ = trained(tmp_path, pairs, fitting, crop=16)
    assert math.isfinite(ctx.named("val_psnr")[-1])


def test_features_of_a_trained_network_are_compared_and_named(pairs: Pairs, tmp_path: Path) -> None:
    require("mobilenet")
    ctx, out = trained(
        tmp_path, pairs, start(), epochs=1, crop=32, perceptual=1.0, backbone="mobilenet_v2"
    )
    assert all(0 < value < 10 for value in ctx.named("perceptual"))
    assert "MobileNetV2" in out.generator.facts["features"]
    assert any("MobileNetV2" in text for text in ctx.words)


def test_one_more_loss_trains_the_generator_and_what_belongs_to_it(
    pairs: Pairs, tmp_path: Path
) -> None:
    """The extra loss alone is felt: it draws pictures to a grey that it learns itself."""
    model, grey = start(), torch.nn.Parameter(torch.zeros(()))

    def extra(inputs: torch.Tensor, made: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
        assert inputs.shape == made.shape
        value = 500 * ((made - grey).square().mean() + (grey - 0.5).square())
        return value, {"grey": float(value.detach())}

    ctx = Watching(tmp_path)
    plan = EditPlan(epochs=10, batch=2, lr=1e-2, adversarial=0, l1=0.001, ema=None)
    edit = Edit(model.module, model.image, multiple=model.multiple)
    train = open_pairs(pairs.manifest, "train")
    rows = fit_edits(ctx, edit, train, None, plan, extra=extra, extra_parameters=[grey])
    assert ctx.named("grey")[-1] < 0.5 * ctx.named("grey")[0]
    assert 0.05 < grey.item() < 0.55
    assert [row.val_psnr for row in rows] == [None] * 10


def test_the_norm_of_the_phone_generator_is_open() -> None:
    models = [generator(QuietContext(0), GeneratorParams(norm=n)) for n in ("instance", "none")]
    kinds = [{type(part) for part in model.module.modules()} for model in models]
    assert torch.nn.InstanceNorm2d in kinds[0]
    assert torch.nn.InstanceNorm2d not in kinds[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"l1": 0, "adversarial": 0}, "weight 0"),
        ({"perceptual": 1.0}, "feature network"),
        ({"matching": 1.0, "adversarial": 0}, "discriminator"),
    ],
)
def test_losses_that_cannot_be_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ImageToImageParams(**options)


def test_source_and_target_are_cut_and_turned_alike(pairs: Pairs) -> None:
    found = open_pairs(pairs.manifest, "train")
    plan = EditPlan(epochs=4, batch=3, crop=16, crops=2, small=0.5)
    batches = EditBatches(found, plan, 7, multiple=2, any_size=True)
    again = EditBatches(found, plan, 7, multiple=2, any_size=True)
    assert batches.per_epoch == 4
    assert batches.total == 16
    seen = []
    for step in range(batches.total):
        source, target = batches.at(step)
        side = 8 if step < 8 else 16
        assert source.shape == target.shape == (3, side, side, 3)
        assert np.abs(target.astype(int) - warm(source)).max() <= 1
        seen.append(source)
    for step in (15, 3, 9):  # any order, as after a checkpoint
        assert np.array_equal(again.at(step)[0], seen[step])
    assert not np.array_equal(seen[8], seen[12]), "another epoch has other crops"


@pytest.mark.parametrize(("step", "rate"), [(0, 0.25), (3, 1.0), (50, 1.0), (75, 0.5), (99, 0.02)])
def test_rates_rise_stay_and_fall(step: int, rate: float) -> None:
    assert EditPlan(warmup=3, decay=0.5).rate(step, 100) == pytest.approx(rate)


def test_a_run_writes_grids_snapshots_and_figures(files) -> None:
    run = launch.run(graph_of("train.image_to_image", files, epochs=3), threads=1, force=["it"])
    events = [e for e in run.events() if getattr(e, "node", "") == "it"]
    assert [e.name for e in events if isinstance(e, ev.Image)] == [GRID] * 3
    snapshots = [e for e in events if isinstance(e, ev.Snapshot)]
    assert [e.step for e in snapshots] == [1, 2, 3]
    link = json.loads((run.node_folder("it") / "outputs.json").read_text())
    assert sorted(link["outputs"]) == ["discriminator", "generator"]
    stored = Workspace.current().store / link["fingerprint"] / "generator"
    result, last = Generator.load(stored), Generator.load(run.path / snapshots[-1].path)
    assert result.facts["val_psnr"] == last.facts["val_psnr"]
