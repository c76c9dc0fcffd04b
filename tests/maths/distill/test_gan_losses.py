"""Adversarial losses: values by hand, optima, gradients of the right sign."""

from __future__ import annotations

import math

import pytest
import torch

from backend.distill.gan_losses import discriminator_loss, feature_matching, generator_loss

KINDS = ("hinge", "lsgan", "vanilla")
LOG2 = math.log(2)


def scores(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32, requires_grad=True)


# Scores real (2, 0), fake (-1, 3), by hand:
#   hinge: (0 + 1) / 2 and (0 + 4) / 2; lsgan: (1 + 1) / 2 and (1 + 9) / 2;
#   vanilla: log(1 + e^-2), log 2 and log(1 + e^-1), log(1 + e^3).
BY_HAND = {
    "hinge": (0.5 + 2) / 2,
    "lsgan": (1 + 5) / 2,
    "vanilla": (
        math.log1p(math.exp(-2)) + LOG2 + math.log1p(math.exp(-1)) + math.log1p(math.exp(3))
    )
    / 4,
}


@pytest.mark.parametrize("kind", KINDS)
def test_discriminator_loss_by_hand(kind: str) -> None:
    found = discriminator_loss(kind, scores(2, 0), scores(-1, 3))
    assert found.item() == pytest.approx(BY_HAND[kind], rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("hinge", -1.0),
        ("lsgan", (4 + 4) / 2),
        ("vanilla", (math.log1p(math.e) + math.log1p(math.exp(-3))) / 2),
    ],
)
def test_generator_loss_by_hand(kind: str, value: float) -> None:
    assert generator_loss(kind, scores(-1, 3)).item() == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_two_pull_a_made_picture_in_opposite_directions(kind: str) -> None:
    real, fake = scores(0.2, -0.4), scores(0.3, -0.2)
    discriminator_loss(kind, real, fake).backward()
    push = fake.grad if kind != "lsgan" else fake.grad * fake.detach().sign()
    assert (push > 0).all()
    assert (real.grad < 0).all()
    again = scores(0.3, -0.2)
    generator_loss(kind, again).backward()
    assert (again.grad < 0).all()


def test_a_sure_discriminator_has_no_hinge_loss_and_no_gradient() -> None:
    real, fake = scores(1.5, 4), scores(-1.5, -9)
    loss = discriminator_loss("hinge", real, fake)
    loss.backward()
    assert loss.item() == 0
    assert not real.grad.any()
    assert not fake.grad.any()


def test_vanilla_stays_finite_far_out() -> None:
    far = scores(-1e4, 1e4)
    loss = discriminator_loss("vanilla", far, far) + generator_loss("vanilla", far)
    loss.backward()
    assert math.isfinite(loss.item())
    assert far.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_any_shape_of_scores_is_a_mean(kind: str) -> None:
    real, fake = torch.randn(2, 1, 5, 7), torch.randn(2, 1, 5, 7)
    whole = discriminator_loss(kind, real, fake)
    parts = [discriminator_loss(kind, real[i], fake[i]) for i in range(2)]
    assert whole.item() == pytest.approx(sum(p.item() for p in parts) / 2, rel=1e-5)


def test_feature_matching_leaves_the_score_out_and_the_target_alone() -> None:
    real = [torch.ones(1, 2, 3, 3, requires_grad=True), torch.ones(1, 4), torch.zeros(1, 1)]
    fake = [torch.zeros(1, 2, 3, 3, requires_grad=True), torch.full((1, 4), 3.0), torch.ones(1, 1)]
    loss = feature_matching(real, fake)
    assert loss.item() == pytest.approx((1 + 2) / 2)
    loss.backward()
    assert real[0].grad is None
    assert (fake[0].grad < 0).all()


def test_refuses_what_is_no_loss() -> None:
    with pytest.raises(ValueError, match="hinge, lsgan or vanilla"):
        discriminator_loss("wasserstein", scores(0), scores(0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="hinge, lsgan or vanilla"):
        generator_loss("wasserstein", scores(0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot be matched"):
        feature_matching([torch.zeros(1)], [torch.zeros(1)])
