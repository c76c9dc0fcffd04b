from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.data import counter


def test_numbers_do_not_depend_on_what_else_is_asked():
    indices = np.arange(1000)
    together = counter.bits(7, "a", 3, indices)
    one_by_one = [int(counter.bits(7, "a", 3, int(i))[0]) for i in indices[::97]]
    assert together[::97].tolist() == one_by_one


def test_every_coordinate_matters():
    i = np.arange(200)
    draws = [
        counter.bits(0, "a", 1, i),
        counter.bits(1, "a", 1, i),
        counter.bits(0, "b", 1, i),
        counter.bits(0, "a", 2, i),
        counter.bits(0, "a", i, 1),
        counter.bits(0, "a", i),
    ]
    # The fifth meets the first at (1, 1) and the fourth at (2, 1); there are no other repeats.
    assert len(np.unique(np.concatenate(draws))) == 6 * 200 - 2


def test_uniform_is_uniform_and_uncorrelated():
    u = counter.uniform(5, "u", np.arange(100)[:, None], np.arange(1000))
    assert u.shape == (100, 1000)
    assert u.min() >= 0
    assert u.max() < 1
    counts = np.histogram(u, bins=50, range=(0, 1))[0]
    # Chi-squared with 49 degrees of freedom exceeds 85 once in a thousand.
    assert ((counts - 2000) ** 2 / 2000).sum() < 85
    assert abs(np.corrcoef(u[:, :-1].ravel(), u[:, 1:].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(u[:-1].ravel(), u[1:].ravel())[0, 1]) < 0.01


def test_integers_cover_the_range_evenly():
    draws = counter.integers(5, 0, "i", np.arange(50_000))
    assert np.bincount(draws).tolist() == [n for n in np.bincount(draws) if abs(n - 10_000) < 500]
    assert len(np.bincount(draws)) == 5


@given(st.integers(0, 500), st.integers(-(2**70), 2**70), st.integers(0, 100))
def test_permutation_is_one_for_any_seed(n, seed, epoch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        order = counter.permutation(n, seed, "order", epoch)
    assert sorted(order.tolist()) == list(range(n))


def test_known_values():
    # The first outputs of SplitMix64 from state 0, from the published algorithm in plain integers.
    mask = 2**64 - 1

    def mix(z):
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        return z ^ (z >> 31)

    assert mix(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF
    assert counter._mix(counter._word(0x9E3779B97F4A7C15))[0] == 0xE220A8397B1DCDAF
