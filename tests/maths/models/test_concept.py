"""The text-conditioned generator; property P9 of the E2GAN digest, and its cost on a phone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from backend.models.concept import GROUPS, fix_concept
from backend.models.recipe import Recipe, RecipeError, apply, build
from backend.models.registry import zoo
from backend.profile import profile

SMALL = Recipe(zoo("concept_generator", width=4, heads=2, text_dim=6))


def small() -> nn.Module:
    torch.manual_seed(0)
    return build(SMALL, meta=False).eval()


@torch.no_grad()
def test_e2gan_p9_the_transformer_block_keeps_the_shape_at_an_eighth_of_the_size() -> None:
    network = small()
    seen = []
    network.tb.register_forward_hook(lambda _, args, out: seen.append((args[0].shape, out.shape)))
    out = network(torch.randn(2, 3, 32, 24), torch.randn(2, 5, 6))
    assert out.shape == (2, 3, 32, 24)
    assert seen == [(torch.Size([2, 16, 4, 3]), torch.Size([2, 16, 4, 3]))]


@torch.no_grad()
def test_e2gan_p9_without_halving_it_works_at_a_quarter_of_the_size() -> None:
    wide = Recipe(zoo("concept_generator", width=4, heads=2, text_dim=6, halved=False))
    network = build(wide, meta=False).eval()
    seen = []
    network.tb.register_forward_hook(lambda _, args, out: seen.append((args[0].shape, out.shape)))
    assert network(torch.randn(2, 3, 32, 24), torch.randn(2, 5, 6)).shape == (2, 3, 32, 24)
    assert seen == [(torch.Size([2, 16, 8, 6]), torch.Size([2, 16, 8, 6]))]
    assert network.state_dict().keys() == small().state_dict().keys()


@pytest.mark.parametrize("norm", ["instance", "plain", "none"])
def test_its_norms_have_a_scale_have_none_or_are_not_there(norm: str) -> None:
    network = build(Recipe(zoo("concept_generator", width=4, heads=2, text_dim=6, norm=norm)))
    norms = [m for m in network.modules() if isinstance(m, nn.InstanceNorm2d)]
    assert len(norms) == (0 if norm == "none" else 13)
    assert all(one.affine == (norm == "instance") for one in norms)
    names = {name for name, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert names == {n for n, m in small().named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}


@torch.no_grad()
def test_e2gan_p9_a_fixed_concept_equals_the_full_path() -> None:
    network = small()
    x, text = torch.randn(2, 3, 16, 16), torch.randn(5, 6)
    fixed, recipe = apply(network, SMALL, "concept.fix", {"tokens": 5})
    fix_concept(fixed, text)
    expected = network(x, text.expand(2, 5, 6))
    assert torch.allclose(fixed.eval()(x), expected, atol=1e-6)
    assert "tb.key" in fixed.state_dict()
    assert recipe.transforms[-1].plan == {"tokens": 5}
    with pytest.raises(ValueError, match="needs a text"):
        network(x)


def test_the_text_changes_the_picture_and_gets_a_gradient() -> None:
    network = small()
    x, text = torch.randn(1, 3, 16, 16), torch.randn(1, 5, 6, requires_grad=True)
    network(x, text).square().mean().backward()
    assert text.grad is not None
    assert text.grad.abs().max() > 0


def test_the_phone_size_is_within_its_budget() -> None:
    network = build(Recipe(zoo("concept_generator", width=12, heads=4)), meta=False)
    fixed, _ = apply(network, Recipe(zoo("concept_generator", width=12, heads=4)),
                     "concept.fix", {"tokens": 16})  # fmt: skip
    cost = profile(fixed, torch.zeros(1, 3, 256, 256))
    assert cost.macs <= 1.5e9


def test_children_are_the_groups_that_adapters_name() -> None:
    assert tuple(name for name, _ in small().named_children()) == GROUPS


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(RecipeError, match="heads"):
        build(Recipe(zoo("concept_generator", width=5, heads=8)))
    with pytest.raises(RecipeError, match="Only a concept generator"):
        apply(nn.Conv2d(3, 3, 1), SMALL, "concept.fix", {"tokens": 5})
