from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.data.augment import Augment
from backend.data.manifest import DataError

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (24, 12, 10, 3), dtype=np.uint8)
INDICES = RNG.permutation(1000)[:24]

augments = st.builds(
    Augment,
    shift=st.integers(0, 4),
    flip=st.booleans(),
    crop=st.none() | st.floats(0.1, 1.0),
    cutout=st.integers(0, 20),
    fill=st.integers(0, 255),
)


@given(augments, st.permutations(range(24)), st.integers(1, 23), st.integers(0, 9))
def test_a_picture_changes_the_same_in_any_batch(augment, order, cut, epoch):
    whole = augment(PICTURES, INDICES, 5, epoch)
    for part in (order[:cut], order[cut:]):
        assert np.array_equal(augment(PICTURES[part], INDICES[part], 5, epoch), whole[part])
    assert whole.dtype == np.uint8
    assert whole.shape == PICTURES.shape


def test_inputs_are_left_alone():
    before = PICTURES.copy()
    Augment(shift=2, flip=True, crop=0.5, cutout=4)(PICTURES, INDICES, 0, 0)
    assert np.array_equal(PICTURES, before)


@pytest.mark.parametrize(
    "augment", [Augment(shift=2), Augment(flip=True), Augment(crop=0.3), Augment(cutout=4)]
)
def test_seeds_and_epochs_differ(augment):
    draws = [augment(PICTURES, INDICES, s, e) for s, e in ((0, 0), (0, 1), (1, 0))]
    assert not np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    assert not np.array_equal(draws[1], draws[2])


def test_a_shift_is_a_crop_of_the_padded_picture():
    n, pad = 400, 2
    pictures = np.broadcast_to(PICTURES[:1], (n, *PICTURES.shape[1:]))
    moved = Augment(shift=pad, fill=9)(pictures, np.arange(n), 0, 0)
    padded = np.pad(PICTURES[0], ((pad, pad), (pad, pad), (0, 0)), constant_values=9)
    crops = {padded[y : y + 12, x : x + 10].tobytes(): (y, x) for y in range(5) for x in range(5)}
    places = [crops[picture.tobytes()] for picture in moved]
    counts = np.unique(places, axis=0, return_counts=True)[1]
    assert len(counts) == 25  # every shift occurs, about 16 times
    assert counts.max() < 40


def test_half_the_pictures_are_mirrored():
    n = 400
    pictures = np.broadcast_to(PICTURES[:1], (n, *PICTURES.shape[1:]))
    flipped = Augment(flip=True)(pictures, np.arange(n), 0, 0)
    mirrored = [np.array_equal(picture, PICTURES[0, :, ::-1]) for picture in flipped]
    straight = [np.array_equal(picture, PICTURES[0]) for picture in flipped]
    assert sum(mirrored) + sum(straight) == n
    assert 160 < sum(mirrored) < 240


def test_cutout_paints_one_square():
    white = np.full((300, 12, 10, 1), 255, np.uint8)
    cut = Augment(cutout=4)(white, np.arange(300), 0, 0)
    areas = (cut == 0).sum((1, 2, 3))
    assert areas.max() == 16
    assert areas.min() >= 4  # in a corner
    ys, xs = np.nonzero(cut[areas.argmax(), :, :, 0] == 0)
    assert np.ptp(ys) == np.ptp(xs) == 3


def test_a_crop_of_a_ramp_is_a_gentler_ramp():
    ramp = np.broadcast_to(
        np.arange(0, 256, 8, dtype=np.uint8)[None, None, :, None], (200, 32, 32, 1)
    )
    cropped = Augment(crop=0.25)(ramp, np.arange(200), 0, 0).astype(int)
    span = cropped[:, 0, -1, 0] - cropped[:, 0, 0, 0]
    assert (np.diff(cropped, axis=2) >= 0).all()
    assert (np.ptp(cropped, axis=1) == 0).all()  # it does not change downwards
    # The width is between sqrt(0.25 / (4/3)) and 1 of the picture, whose ramp spans 248.
    assert span.min() > 0.4 * 248
    assert span.max() <= 248
    assert span.std() > 20


def test_a_crop_of_everything_changes_nothing():
    assert np.array_equal(Augment(crop=1.0, ratio=1.0)(PICTURES, INDICES, 0, 0), PICTURES)


@pytest.mark.parametrize(
    "bad",
    [{"shift": -1}, {"cutout": -1}, {"fill": 256}, {"crop": 0.0}, {"crop": 1.5}, {"ratio": 0.5}],
)
def test_bounds(bad):
    with pytest.raises(DataError):
        Augment(**bad)
