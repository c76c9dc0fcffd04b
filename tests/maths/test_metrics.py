from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from backend.data.preprocess import ImageInput
from backend.data.splits import Pixels
from backend.metrics import (
    MetricError,
    agreement,
    classify,
    logits,
    mcnemar,
    paired_difference,
    score,
    sqnr_db,
    wilson,
)
from tests.requirements import require

RNG = np.random.default_rng(0)


def test_score_by_hand():
    values = np.array([[3, 1, 0], [0, 2, 1], [5, 0, 4], [0, 0, 1]], np.float32)
    found = score(values, np.array([0, 1, 2, 0]))
    assert found.predictions.tolist() == [0, 1, 0, 2]
    assert found.top1 == 50
    assert found.top5 == 100  # three classes: all are among the first five
    assert found.samples == 4
    assert found.confusion.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert found.per_class.tolist() == [50, 100, 0]
    assert found.top1_interval == wilson(50, 4)
    assert found.top5_interval == wilson(100, 4)


def test_loss_is_torchs_cross_entropy():
    values = RNG.normal(0, 50, (30, 7)).astype(np.float32)
    labels = RNG.integers(0, 7, 30)
    expected = nn.functional.cross_entropy(
        torch.from_numpy(values).double(), torch.from_numpy(labels)
    )
    assert score(values, labels).loss == pytest.approx(float(expected), rel=1e-12)


def test_top5_counts_the_first_five():
    values = np.tile(-np.arange(10, dtype=np.float32), (10, 1))  # always in the order 0, 1, 2 ...
    found = score(values, np.arange(10))
    assert found.top1 == 10
    assert found.top5 == 50


def test_an_absent_class_has_no_accuracy():
    found = score(np.eye(3, dtype=np.float32), np.array([0, 1, 1]))
    assert math.isnan(found.per_class[2])
    assert found.per_class[:2].tolist() == [100, 50]


@given(st.integers(1, 60), st.integers(2, 8), st.integers(0, 99))
def test_score_is_consistent(n, classes, seed):
    rng = np.random.default_rng(seed)
    # Rounded, so that ties occur.
    values = rng.normal(size=(n, classes)).round(1).astype(np.float32)
    labels = rng.integers(0, classes, n)
    found = score(values, labels)
    assert found.confusion.sum() == n
    assert found.top1 == pytest.approx(100 * np.trace(found.confusion) / n)
    assert found.top1 <= found.top5 <= 100
    assert np.array_equal(found.predictions, values.argmax(1))
    low, high = found.top1_interval
    assert 0 <= low <= found.top1 + 1e-9
    assert found.top1 - 1e-9 <= high <= 100


class _Recorder(nn.Module):
    """Answers with the mean of the picture as the logit of class 1."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.sizes = []

    def forward(self, x):
        assert not self.training
        assert not torch.is_grad_enabled()
        self.sizes.append(len(x))
        return torch.stack([torch.zeros(len(x)), self.norm(x).mean((1, 2, 3))], 1)


def _pictures(n):
    labels = RNG.integers(0, 2, n)
    pixels = np.broadcast_to((labels * 255)[:, None, None, None], (n, 4, 4, 1)).astype(np.uint8)
    return Pixels(pixels, labels)


IMAGE = ImageInput(1, 4, 4, (0.5,), (0.5,))


def test_classify_runs_batches_in_evaluation_mode():
    module = _Recorder().train()
    module.norm.eval()
    done = []
    images = _pictures(25)
    found = classify(module, images, IMAGE, batch=10, progress=lambda i, n: done.append((i, n)))
    assert found.top1 == 100
    assert module.sizes == [10, 10, 5]
    assert done == [(10, 25), (20, 25), (25, 25)]
    assert module.training
    assert not module.norm.training
    assert module.norm.num_batches_tracked == 0


def test_modes_come_back_after_an_error():
    module = nn.Sequential(nn.Flatten(), nn.Linear(3, 2)).train()
    with pytest.raises(RuntimeError):
        classify(module, _pictures(3), IMAGE)
    assert module.training


def test_logits_keep_the_order():
    images = _pictures(9)
    assert np.array_equal(logits(_Recorder(), images, IMAGE, batch=4)[:, 1] > 0, images.labels == 1)


def test_bad_input_gets_a_sentence():
    with pytest.raises(MetricError, match="no pictures"):
        classify(_Recorder(), _pictures(0), IMAGE)
    with pytest.raises(MetricError, match="label 3; choose a network with at least 4 outputs"):
        score(np.zeros((2, 3)), np.array([0, 3]))
    with pytest.raises(MetricError, match="1 of 2 pictures with not-a-number"):
        score(np.array([[0.0, math.nan], [1, 2]]), np.array([0, 1]))
    with pytest.raises(MetricError, match="same samples"):
        agreement(np.zeros(3), np.zeros(4))
    with pytest.raises(MetricError, match="same samples"):
        sqnr_db(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(MetricError, match="same samples"):
        paired_difference([], [])


def test_an_infinite_logit_makes_the_loss_not_a_number():
    found = score(np.array([[math.inf, 0.0], [0.0, 1.0]]), np.array([0, 1]))
    assert found.top1 == 100
    assert math.isnan(found.loss)


def test_agreement():
    a = np.array([[1, 0], [0, 1], [1, 0], [0, 1.0]])
    assert agreement(a, a) == 100
    assert agreement(a, np.array([0, 1, 1, 1])) == 75


def test_sqnr():
    signal = RNG.normal(size=1000)
    assert sqnr_db(signal, signal * 1.1) == pytest.approx(20)
    assert sqnr_db(signal, signal) == math.inf
    assert sqnr_db(np.zeros(3), np.ones(3)) == -math.inf
    # Theory: a uniform quantizer of step d has the noise d^2 / 12.
    uniform = RNG.uniform(-1, 1, 100_000)
    step = 2 / 256
    expected = 10 * math.log10((1 / 3) / (step**2 / 12))
    assert sqnr_db(uniform, np.round(uniform / step) * step) == pytest.approx(expected, abs=0.05)


def test_wilson_against_scipy():
    require("scipy")
    from scipy.stats import binomtest

    for right, n in ((0, 10), (10, 10), (5, 10), (923, 1000), (1, 3)):
        expected = binomtest(right, n).proportion_ci(0.95, "wilson")
        assert wilson(100 * right / n, n) == pytest.approx(
            (100 * expected.low, 100 * expected.high), abs=1e-9
        )


def test_paired_difference():
    found = paired_difference([91.0, 92.0, 93.5], [90.0, 91.5, 92.0])
    assert found.mean == pytest.approx(1.0)
    assert found.stderr == pytest.approx(0.5 / math.sqrt(3))
    assert found.n == 3
    assert math.isnan(paired_difference([1.0], [0.0]).stderr)


def _right(both, only_a, only_b, none):
    a = [True] * both + [True] * only_a + [False] * only_b + [False] * none
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * none
    return np.array(a), np.array(b)


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(0, 0), (1, 0), (3, 9), (10, 10), (40, 61), (900, 1100)]
)
def test_mcnemar_against_scipy(only_a, only_b):
    require("scipy")
    from scipy.stats import binom, binomtest

    found = mcnemar(*_right(50, only_a, only_b, 7))
    assert (found.only_a, found.only_b) == (only_a, only_b)
    n, k = only_a + only_b, min(only_a, only_b)
    exact = binomtest(only_a, n).pvalue if n else 1.0
    assert found.p_exact == pytest.approx(exact, rel=1e-9)
    mid = exact - binom.pmf(k, n, 0.5) if only_a != only_b else 1.0
    assert found.p_mid == pytest.approx(mid, rel=1e-9)


def test_mcnemar_on_the_paper_s_example():
    # Bentur et al., airway hyper-responsiveness before and after stem cell transplantation: 1 and 7
    # discordant children; Fagerland et al. give exact 0.070 and mid-p 0.039 for it.
    found = mcnemar(*_right(1, 1, 7, 12))
    assert round(found.p_exact, 3) == 0.070
    assert round(found.p_mid, 3) == 0.039


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_symmetric_and_ordered(only_a, only_b):
    there, back = mcnemar(*_right(3, only_a, only_b, 3)), mcnemar(*_right(3, only_b, only_a, 3))
    assert there[2:] == back[2:]
    assert 0 < there.p_mid <= there.p_exact <= 1
