from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.data.manifest import DataError
from backend.data.splits import Pixels, Subset, balanced, choose, split_options

label_lists = st.lists(st.integers(0, 4), min_size=20, max_size=200).map(np.array)


@given(label_lists, st.integers(0, 10), st.floats(0.05, 0.5), st.floats(0.05, 0.5))
def test_splits_are_disjoint_and_complete(labels, seed, val, test):
    options = split_options(("train",), seed=seed, val_fraction=val, test_fraction=test)
    parts = [choose(labels, split, options) for split in ("train", "val", "test")]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    assert len(parts[2]) == round(test * len(labels))


@given(label_lists, st.integers(0, 10), st.floats(0.1, 0.5))
def test_validation_has_its_share_of_every_class(labels, seed, fraction):
    options = split_options(("train", "test"), seed=seed, val_fraction=fraction)
    chosen = choose(labels, "val", options)
    share = np.bincount(labels[chosen], minlength=5) - fraction * np.bincount(labels, minlength=5)
    assert np.abs(share).max() <= 1.0 + 1e-9


@given(label_lists, st.integers(1, 250), st.integers(0, 10))
def test_a_limit_is_balanced_and_nested(labels, limit, seed):
    chosen = balanced(labels, limit, seed)
    assert len(chosen) == min(limit, len(labels)) == len(set(chosen.tolist()))
    counts = np.bincount(labels[chosen], minlength=5)
    sizes = np.bincount(labels, minlength=5)
    # A class with pictures left is at most one behind the others.
    assert all(counts[c] + 1 >= counts.max() for c in range(5) if counts[c] < sizes[c])
    assert set(balanced(labels, max(1, limit // 2), seed).tolist()) <= set(chosen.tolist())


def test_seeds_choose_differently_and_repeatably():
    labels = np.repeat(np.arange(10), 30)
    options = [split_options(("train", "test"), seed=seed) for seed in (0, 0, 1)]
    first, again, other = (choose(labels, "val", o).tolist() for o in options)
    assert first == again != other


def test_existing_parts_are_taken_whole_and_limits_apply():
    labels = np.repeat(np.arange(4), 25)
    options = split_options(("train", "val", "test"), train_limit=12, test_limit=8)
    assert len(choose(labels, "train", options)) == 12
    assert len(choose(labels, "val", options)) == 100
    assert np.bincount(labels[choose(labels, "test", options)]).tolist() == [2, 2, 2, 2]


def test_a_train_limit_includes_the_validation_split():
    labels = np.repeat(np.arange(4), 250)
    options = split_options(("train", "test"), train_limit=200, val_fraction=0.2)
    train, val = (labels[choose(labels, split, options)] for split in ("train", "val"))
    assert np.bincount(train).tolist() == [40] * 4
    assert np.bincount(val).tolist() == [10] * 4


@pytest.mark.parametrize(
    "bad",
    [{"val_fraction": 0}, {"val_fraction": 1.0}, {"test_fraction": -1}, {"train_limit": 0},
     {"test_limit": -3}],
)  # fmt: skip
def test_options_out_of_bounds_get_a_sentence(bad):
    with pytest.raises(DataError, match=next(iter(bad))):
        split_options(("train",), **bad)


def test_too_few_pictures_get_a_sentence():
    options = split_options(("train", "test"))
    with pytest.raises(DataError, match='too few pictures for a "val"'):
        choose(np.array([0, 1]), "val", options)


def test_a_subset_reads_through():
    pixels = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    part = Subset(Pixels(pixels, np.arange(10)), np.array([7, 3, 5]))
    assert len(part) == 3
    assert part.shape == (1, 1, 1)
    assert part.labels.tolist() == [7, 3, 5]
    assert part.take(np.array([2, 0])).ravel().tolist() == [5, 7]
