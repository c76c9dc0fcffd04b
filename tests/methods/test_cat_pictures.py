"""Pictures of a CAT lesson: input, teacher, student, difference, each what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.core.context import QuietContext
from backend.data.pairs import open_pairs
from backend.methods.cat import PlanParams, ShrinkParams, cat_plan, cat_shrink
from backend.methods.cat_distill import DistillParams, cat_distill
from backend.methods.cat_pictures import NAME
from backend.models.editing import edit_pictures
from backend.train.edit_judge import GRID, sheet
from backend.values import Generator, Pairs
from tests.methods.test_cat import pairs, teacher  # noqa: F401
from tests.methods.test_image_to_image import write_picture


class Looking(QuietContext):
    """Keeps the pictures that a node showed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(0, folder=folder)
        self.shown: list[tuple[str, np.ndarray]] = []

    def image(self, name: str, pixels: Any, step: int | None = None) -> None:
        self.shown.append((name, np.asarray(pixels)))


def edited(model: Generator, sources: np.ndarray) -> np.ndarray:
    return edit_pictures(
        model.module.eval(), sources, model.image, low=model.low, high=model.high,
        any_size=model.any_size, multiple=model.multiple,
    )[0]  # fmt: skip


def test_each_epoch_shows_what_teacher_and_student_make_of_the_same_inputs(
    pairs: Pairs,  # noqa: F811
    tmp_path: Path,
) -> None:
    model = teacher()
    plan = cat_plan(QuietContext(0), PlanParams(ratio=0.5, lower=2), model).plan
    student = cat_shrink(QuietContext(0), ShrinkParams(), model, plan)
    ctx = Looking(tmp_path)
    params = DistillParams(epochs=2, batch=2, adversarial=0.0, shown=2)
    made = cat_distill(ctx, params, student, model, pairs).generator
    assert [name for name, _ in ctx.shown] == [GRID, NAME] * 2
    val = open_pairs(pairs.manifest, "val")
    sources, targets = val.take(np.array([0, len(val) - 1]))
    last = ctx.shown[-1][1].reshape(2, 32, 4, 32, 3).transpose(0, 2, 1, 3, 4)
    assert np.array_equal(last[:, 0], sources)
    assert np.array_equal(last[:, 1], edited(model, sources))
    assert not np.array_equal(last[:, 1], targets), "these pairs were not made by the teacher"
    assert np.array_equal(last[:, 2], edited(made, sources))
    gap = np.abs(last[:, 2].astype(int) - last[:, 1])
    assert np.array_equal(last[:, 3], np.minimum(2 * gap, 255))


def test_pairs_that_the_teacher_made_are_shown_once(
    pairs: Pairs,  # noqa: F811
    tmp_path: Path,
) -> None:
    model = teacher()
    plan = cat_plan(QuietContext(0), PlanParams(ratio=0.5, lower=2), model).plan
    student = cat_shrink(QuietContext(0), ShrinkParams(), model, plan)
    made = []
    for pair in pairs.manifest.pairs:
        source = open_pairs(replace(pairs.manifest, pairs=(pair,)), pair.split).take(np.array([0]))
        entry = write_picture(edited(model, source[0])[0], tmp_path)
        made.append(replace(pair, target=entry))
    own = Pairs(replace(pairs.manifest, pairs=tuple(made)))
    ctx = Looking(tmp_path)
    params = DistillParams(epochs=1, batch=2, adversarial=0.0, shown=2)
    cat_distill(ctx, params, student, model, own)
    assert [name for name, _ in ctx.shown] == [NAME]


def test_the_sheet_changes_nothing_of_what_is_learned(
    pairs: Pairs,  # noqa: F811
    tmp_path: Path,
) -> None:
    model = teacher()
    plan = cat_plan(QuietContext(0), PlanParams(ratio=0.5, lower=2), model).plan
    student = cat_shrink(QuietContext(0), ShrinkParams(), model, plan)

    def learned(shown: int) -> dict[str, torch.Tensor]:
        folder = tmp_path / str(shown)
        folder.mkdir()
        params = DistillParams(epochs=2, batch=2, adversarial=0.0, shown=shown)
        made = cat_distill(Looking(folder), params, student, model, pairs)
        return made.generator.module.state_dict()

    with_it, without = learned(2), learned(0)
    assert all(torch.equal(with_it[name], tensor) for name, tensor in without.items())


def test_large_pictures_are_made_smaller_in_the_sheet() -> None:
    black = np.zeros((2, 256, 384, 3), np.uint8)
    assert sheet(black, black, black + 1).shape == (256, 4 * 192, 3)
