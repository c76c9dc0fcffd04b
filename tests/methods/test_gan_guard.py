"""Adversarial training that breaks: found within an epoch, and nothing that was good is lost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from backend.core.context import QuietContext
from backend.data.pairs import open_pairs
from backend.engine.checkpoint import Checkpoints, restore
from backend.methods.image_to_image import opponent_of
from backend.train import TrainError
from backend.train.edit_plan import EditPlan
from backend.train.edits import Edit, EditEpoch, fit_edits
from backend.train.gan_guard import CollapseError, GanGuard
from backend.values import Generator, Pairs
from tests.methods.test_image_to_image import (
    ImageToImageParams,
    Watching,
    pairs,
    start,
    trained,
)

__all__ = ["pairs"]  # a fixture

WILD = {"adversarial": 1.0, "l1": 10, "epochs": 12, "lr": 5e-3, "lr_discriminator": 1.0}
STEPS = 3  # of an epoch


class Poison:
    """A loss that is no number at one step; what is given with it is finite, or is not."""

    def __init__(self, at: int, *, in_gradient: bool = False) -> None:
        self.at, self.in_gradient, self.calls = at, in_gradient, 0

    def __call__(self, inputs: torch.Tensor, made: torch.Tensor) -> tuple[torch.Tensor, dict]:
        now, self.calls = self.calls, self.calls + 1
        if now != self.at:
            return 0 * made.sum(), {}
        if self.in_gradient:  # the root of 0 is 0, its slope is infinite
            return (0 * made).abs().sum().sqrt(), {}
        return made.sum() * math.nan, {}


def poisoned(
    folder: Path, pairs: Pairs, poison: Any, **more: Any
) -> tuple[Watching, torch.nn.Module, torch.nn.Module, tuple[EditEpoch, ...]]:
    ctx = Watching(folder)
    model = start(shortcut=True)
    opponent = opponent_of(ctx, ImageToImageParams(disc_layers=1, disc_width=4), None)
    plan = EditPlan(**{"epochs": 4, "batch": 2, "lr": 5e-3, "ema": 0.9, "shown": 0, **more})
    edit = Edit(model.module, model.image, multiple=model.multiple)
    sets = (open_pairs(pairs.manifest, split) for split in ("train", "val"))
    disc = opponent.module
    rows = fit_edits(ctx, edit, *sets, plan, discriminator=disc, extra=poison)
    return ctx, model.module, disc, rows


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


def test_a_discriminator_that_runs_away_stops_with_one_sentence_and_the_last_good_weights(
    pairs: Pairs, tmp_path: Path
) -> None:
    with pytest.raises(CollapseError) as caught:
        trained(tmp_path, pairs, start(shortcut=True), spectral=False, **WILD)
    said, good = str(caught.value), caught.value.good
    assert "discriminator's loss has run away" in said
    assert f"in epoch {caught.value.epoch} of 12" in said
    assert "Lower the learning rate of the discriminator or the adversarial weight." in said
    assert "Resuming would repeat" in said
    assert 0 < good < caught.value.epoch
    kept = load_file(tmp_path / "last_good" / "generator.safetensors")
    snapshot = Generator.load(tmp_path / "snapshots" / f"{good:04d}")
    assert same(kept, snapshot.module.state_dict())
    disc = load_file(tmp_path / "last_good" / "discriminator.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in disc.values())


def test_a_generator_without_contrast_is_found_in_its_first_epoch(
    pairs: Pairs, tmp_path: Path
) -> None:
    with pytest.raises(CollapseError, match=r"pictures of one colour only .* in epoch 2 of 12"):
        trained(tmp_path, pairs, start(shortcut=True), **{**WILD, "l1": 1})


@pytest.mark.parametrize("in_gradient", [False, True])
def test_a_number_that_is_none_is_found_in_its_epoch(
    in_gradient: bool, pairs: Pairs, tmp_path: Path
) -> None:
    at = 2 * STEPS + 2  # the last step of the third epoch: nothing reads the weights after it
    with pytest.raises(CollapseError) as caught:
        poisoned(tmp_path, pairs, Poison(at, in_gradient=in_gradient))
    assert (caught.value.epoch, caught.value.good) == (3, 2)
    words = "weights" if in_gradient else "loss became nan"
    assert words in str(caught.value)
    assert "in epoch 3 of 4 (step 9 of 12)" in str(caught.value)


def test_the_last_good_epoch_can_be_the_result(pairs: Pairs, tmp_path: Path) -> None:
    ctx, module, _, rows = poisoned(tmp_path, pairs, Poison(2 * STEPS), on_collapse="keep")
    two, wanted, _, two_rows = poisoned(tmp_path, pairs, None, epochs=4, on_collapse="keep")
    assert len(rows) == 2
    assert rows == two_rows[:2]
    assert "weights of epoch 2 are kept" in ctx.words[-1]
    assert not module.training
    assert two.words == []
    assert not same(module.state_dict(), wanted.state_dict())


def test_what_is_kept_is_announced_again_where_worse_epochs_followed(
    pairs: Pairs, tmp_path: Path
) -> None:
    options = {**WILD, "spectral": False, "on_collapse": "keep"}
    ctx, out = trained(tmp_path, pairs, start(shortcut=True), **options)
    folder, step, _ = ctx.snapshots[-1]
    assert step < max(number for _, number, _ in ctx.snapshots)
    assert out.generator.facts["epochs"] == step
    assert same(Generator.load(folder).module.state_dict(), out.generator.module.state_dict())
    assert f"weights of epoch {step} are kept" in ctx.words[-2]


def test_training_can_go_on_without_the_discriminator(pairs: Pairs, tmp_path: Path) -> None:
    ctx, module, disc, rows = poisoned(
        tmp_path, pairs, Poison(2 * STEPS + 1), on_collapse="without"
    )
    assert len(rows) == 4
    assert all(math.isfinite(row.loss) for row in rows)
    assert all(torch.isfinite(t).all() for t in module.state_dict().values())
    assert "goes on without the discriminator, from the weights of epoch 2" in ctx.words[0]
    assert len(ctx.words) == 1
    seen = [step for step, values in ctx.metrics if "adversarial" in values]
    assert max(seen) == 2 * STEPS
    _, _, at_two, _ = poisoned(tmp_path, pairs, Poison(2 * STEPS), on_collapse="keep")
    assert same(disc.state_dict(), at_two.state_dict())


def test_a_second_fault_stops_for_good(pairs: Pairs, tmp_path: Path) -> None:
    class Again(Poison):
        def __call__(self, inputs, made):
            self.at = max(self.at, self.calls)
            return super().__call__(inputs, made)

    with pytest.raises(CollapseError, match=r"in epoch 3 of 4.*weights of epoch 2 are in"):
        poisoned(tmp_path, pairs, Again(2 * STEPS), on_collapse="without")


def test_what_is_broken_from_the_start_has_nothing_to_keep(pairs: Pairs, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="No epoch before it is worth keeping"):
        poisoned(tmp_path, pairs, Poison(0), on_collapse="keep")


def test_what_was_put_back_survives_a_crash_bit_for_bit(pairs: Pairs, tmp_path: Path) -> None:
    class CrashError(Exception):
        pass

    class Crashing(Watching):
        """Saves after each step, and stops dead after one of them."""

        crash_after = 0

        def loop(self, total: int, state: Any = None, every: Any = "") -> Iterator[int]:
            kept = Checkpoints(tmp_path / "checkpoints")
            saved = kept.load(0)
            if saved is not None:
                restore(saved, state)
            for step in range(saved.done if saved else 0, total):
                yield step
                kept.save(0, step + 1, 0, state)
                if step == self.crash_after:
                    raise CrashError

    def run(ctx: QuietContext, poison: Poison) -> dict[str, torch.Tensor]:
        model = start(shortcut=True)
        opponent = opponent_of(ctx, ImageToImageParams(disc_layers=1, disc_width=4), None)
        plan = EditPlan(epochs=4, batch=2, lr=5e-3, ema=0.9, on_collapse="without")
        edit = Edit(model.module, model.image, multiple=model.multiple)
        sets = (open_pairs(pairs.manifest, split) for split in ("train", "val"))
        fit_edits(ctx, edit, *sets, plan, discriminator=opponent.module, extra=poison)
        return model.module.state_dict()

    plain = run(Watching(tmp_path), Poison(2 * STEPS + 1))
    for after in (2 * STEPS, 3 * STEPS):  # before the fault, and after it
        ctx = Crashing(tmp_path)
        ctx.crash_after = after
        made = Poison(2 * STEPS + 1 if after == 2 * STEPS else 0)
        with pytest.raises(CrashError):
            run(ctx, made)
    ctx = Crashing(tmp_path)
    ctx.crash_after = -1
    assert same(run(ctx, Poison(-1)), plain)


@pytest.mark.parametrize("kind", ["hinge", "lsgan", "vanilla"])
def test_a_healthy_run_is_left_alone(kind: str, pairs: Pairs, tmp_path: Path) -> None:
    options = {"epochs": 5, "lr": 5e-3, "adversarial": 1.0, "kind": kind, "ema": 0.9}
    results = []
    for policy in ("stop", "without"):
        ctx, out = trained(tmp_path, pairs, start(shortcut=True), on_collapse=policy, **options)
        assert len(ctx.words) == 1, "the verdict, and no warning"
        assert not (tmp_path / "last_good").exists()
        results.append(out.generator.module.state_dict())
    assert same(*results), "watching changes nothing"


def scores(kind: str, state: str) -> tuple[torch.Tensor, torch.Tensor, float]:
    noise = torch.linspace(-0.1, 0.1, 64)
    middle = 0.5 if kind == "lsgan" else 0.0
    losses = {"hinge": 1.0, "lsgan": 0.25, "vanilla": math.log(2)}
    if state == "won":
        return middle + 1 + noise, middle - 1 + noise, 1e-3
    if state == "idle":
        return torch.full((64,), middle), torch.full((64,), middle), losses[kind]
    if state == "away":
        return 40 * noise, 40 * noise, 20 * losses[kind]
    return middle + 0.2 + noise, middle - 0.2 + noise, 0.8 * losses[kind]


@pytest.mark.parametrize("kind", ["hinge", "lsgan", "vanilla"])
@pytest.mark.parametrize("state", ["won", "idle", "away", "well"])
def test_a_collapse_needs_bad_scores_and_worse_pictures(kind: Any, state: str) -> None:
    for errors in ([0.1, 0.2, 0.2, 0.2], [0.2, 0.15, 0.12, 0.1], [0.1, 0.2, 0.1, 0.2]):
        guard = GanGuard(kind, 3, {})
        found = None
        for i, error in enumerate(errors):
            guard.see_scores(*scores(kind, "well" if i == 0 else state))
            found = found or guard.end_epoch(error)
        assert (found is not None) == (state != "well" and errors[1:] == [0.2, 0.2, 0.2])


@pytest.mark.parametrize(("last", "is_found"), [(0.2, True), (0.11, False)])
def test_one_wild_epoch_is_a_collapse_if_the_error_stays_up(last: float, is_found: bool) -> None:
    """As seen on emoji: the loss ran away once, calmed down, and the pictures stayed broken."""
    guard = GanGuard("lsgan", 3, {})
    found = []
    for state, error in (("well", 0.1), ("away", 0.2), ("well", 0.2), ("well", last)):
        guard.see_scores(*scores("lsgan", state))
        found.append(guard.end_epoch(error))
        assert guard.is_good == (error < 0.2)
    assert found[:3] == [None] * 3
    assert (found[3] is not None) == is_found


def test_pictures_that_lose_their_contrast_or_their_differences_are_a_collapse() -> None:
    target = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for made, words in ((target * 0.01, "one colour"), (target[:1].repeat(4, 1, 1, 1), "same")):
        guard = GanGuard("hinge", 3, {})
        guard.see_pictures(target, target)
        assert guard.end_epoch(0.1) is None
        guard.see_pictures(made, target)
        found = guard.end_epoch(0.1)
        assert found is not None
        assert words in found.what
        fresh = GanGuard("hinge", 3, {})
        fresh.see_pictures(made, target)  # a network that has not learned yet is none
        assert fresh.end_epoch(0.1) is None
