"""Kernel alignment; properties P1 to P5 of the CAT digest, and its layers' curves."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from backend.distill.alignment import (
    Adapters,
    AlignmentError,
    Taps,
    alignment_loss,
    kernel_alignment,
)


def features(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_cat_p1_alignment_with_itself_is_one_and_scale_does_not_matter() -> None:
    x, y = features(0, 6, 4, 5, 5), features(1, 6, 3, 7, 7)
    assert kernel_alignment(x, x).item() == pytest.approx(1, abs=1e-6)
    plain = kernel_alignment(x, y).item()
    assert kernel_alignment(3 * x, 0.01 * y).item() == pytest.approx(plain, abs=1e-6)
    assert 0 <= plain <= 1


def test_cat_p1_a_rotation_of_features_does_not_matter() -> None:
    x, y = features(0, 6, 20), features(1, 6, 12)
    q, _ = torch.linalg.qr(features(2, 20, 20))
    assert kernel_alignment(x @ q, y).item() == pytest.approx(
        kernel_alignment(x, y).item(), abs=1e-5
    )


@pytest.mark.parametrize("seed", range(20))
def test_cat_p1_alignment_lies_between_0_and_1(seed: int) -> None:
    value = kernel_alignment(features(seed, 5, 8), features(seed + 100, 5, 3)).item()
    assert 0 <= value <= 1 + 1e-6


def test_cat_p2_one_sample_is_always_aligned_and_teaches_nothing() -> None:
    x, y = features(0, 1, 8), features(1, 1, 8).requires_grad_()
    value = kernel_alignment(x, y)
    value.backward()
    assert value.item() == pytest.approx(1, abs=1e-6)
    assert y.grad is not None
    assert y.grad.abs().max() < 1e-6
    with pytest.raises(AlignmentError, match="batch size to 2 or more"):
        alignment_loss({"a": x}, {"a": y})


def test_cat_p2_two_samples_have_a_gradient() -> None:
    y = features(1, 2, 8).requires_grad_()
    kernel_alignment(features(0, 2, 8), y).backward()
    assert y.grad is not None
    assert y.grad.abs().max() > 1e-3


def test_cat_p3_hand_example() -> None:
    x, y = torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert kernel_alignment(x, y).item() == pytest.approx(1 / math.sqrt(2), abs=1e-6)


def test_cat_p4_a_constant_changes_the_uncentred_form_only() -> None:
    x, y = features(0, 6, 20), features(1, 6, 20)
    shifted = y + 2.0
    assert abs(kernel_alignment(x, y) - kernel_alignment(x, shifted)).item() > 0.05
    assert kernel_alignment(x, shifted, centred=True).item() == pytest.approx(
        kernel_alignment(x, y, centred=True).item(), abs=1e-5
    )


def test_cat_p5_pieces_of_a_batch_are_aligned_each_and_summed() -> None:
    x, y = features(0, 8, 20), features(1, 8, 20)
    whole, _ = alignment_loss({"a": x}, {"a": y})
    pieces, distance = alignment_loss({"a": x}, {"a": y}, parts=2)
    halves = [kernel_alignment(x[i : i + 4], y[i : i + 4]) for i in (0, 4)]
    assert pieces.item() == pytest.approx(-sum(halves).item(), abs=1e-6)
    assert abs(pieces.item() - whole.item()) > 0.1
    assert distance["a"] == pytest.approx(1 - sum(halves).item() / 2, abs=1e-6)


def test_half_precision_features_stay_finite() -> None:
    x = (features(0, 4, 256, 64, 64).abs() * 60).half()
    assert torch.isfinite(kernel_alignment(x, x))
    assert kernel_alignment(x, x).item() == pytest.approx(1, abs=1e-4)


def test_a_collapsed_student_is_named() -> None:
    with pytest.raises(AlignmentError, match="collapsed"):
        kernel_alignment(features(0, 4, 8), torch.zeros(4, 8))
    with pytest.raises(AlignmentError, match="same batch"):
        kernel_alignment(features(0, 4, 8), features(1, 3, 8))


def test_adapters_learn_to_match_the_teacher() -> None:
    torch.manual_seed(0)
    teacher, student = {"a": features(0, 4, 6, 8, 8)}, {"a": features(1, 4, 3, 8, 8)}
    adapters = Adapters({"a": (3, 6)})
    first = adapters.loss(teacher, student)
    optimizer = torch.optim.Adam(adapters.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        adapters.loss(teacher, student).backward()
        optimizer.step()
    assert adapters.loss(teacher, student) < first


def test_taps_collect_what_named_modules_give_until_closed() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    taps = Taps(network, ["0"])
    x = features(0, 2, 3)
    network(x)
    assert torch.equal(taps.features["0"], network[0](x))
    taps.close()
    network(x)
    assert not taps.features


@pytest.mark.parametrize("scale", [1e18, 1e30, 1e-18, 1e-30])
def test_cat_p1_huge_and_tiny_features_are_aligned_as_any_others(scale: float) -> None:
    x, y = features(0, 6, 4, 5, 5), features(1, 6, 3, 7, 7)
    for centred in (False, True):
        plain = kernel_alignment(x, y, centred=centred).item()
        value = kernel_alignment(x * scale, y * scale, centred=centred).item()
        assert value == pytest.approx(plain, abs=1e-5)
