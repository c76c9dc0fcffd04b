"""Networks without norms: what passes through them, and how they begin."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from backend.models.recipe import Recipe, apply, build, load_network, save_network
from backend.prune.norms import begin_without_norms

NETWORKS = {
    "cyclegan": "zoo:cyclegan_generator(width=4, blocks=9)",
    "inception": "zoo:inception_generator(width=6, blocks=3, reduction=4)",
    "resnet": "zoo:resnet_generator(width=4, blocks=3)",
}
WIDE = {
    "cyclegan": "zoo:cyclegan_generator(width=12, blocks=2)",
    "inception": "zoo:inception_generator(width=12, blocks=2)",
}


def made(name: str) -> tuple[nn.Module, Recipe]:
    torch.manual_seed(0)
    recipe = Recipe(NETWORKS[name])
    return apply(build(recipe, meta=False), recipe, "norm.drop", {})


@pytest.mark.parametrize("name", NETWORKS)
def test_no_norm_is_left_and_every_convolution_has_a_bias(name: str, tmp_path: Path) -> None:
    network, recipe = made(name)
    begin_without_norms(network)
    parts = list(network.modules())
    assert not any(isinstance(part, nn.BatchNorm2d | nn.InstanceNorm2d) for part in parts)
    convs = [part for part in parts if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)]
    assert all(conv.bias is not None and not conv.bias.any() for conv in convs)
    save_network(tmp_path, recipe, network.eval())
    _, again = load_network(tmp_path)
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(again.eval()(x), network(x))


def test_an_instance_norm_forgets_colours_and_a_network_without_norms_does_not() -> None:
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) - 0.5
    redder = picture.clone()
    redder[:, 0] += 0.5
    torch.manual_seed(0)
    normed = build(Recipe(NETWORKS["cyclegan"]), meta=False).eval()
    assert (normed(picture) - normed(redder)).abs().max() < 1e-3
    network, _ = made("cyclegan")
    begin_without_norms(network)
    assert (network(picture) - network(redder)).abs().mean() > 0.05


@pytest.mark.parametrize("name", ["cyclegan", "inception"])
def test_a_wide_network_begins_with_the_picture_itself_and_learns_from_there(name: str) -> None:
    recipe = Recipe(WIDE[name])
    torch.manual_seed(0)
    network, _ = apply(build(recipe, meta=False), recipe, "norm.drop", {})
    begin_without_norms(network)
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    made = network(x)
    assert torch.allclose(made, torch.tanh(1.3 * x), atol=1e-5)
    (made - x.flip(1)).abs().mean().backward()
    still = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    within = "block." if name == "cyclegan" else "branches."
    assert all(within in each for each in still), "only the inside of branches waits for their end"


def test_a_narrow_network_begins_with_noise_of_the_right_size() -> None:
    network, _ = made("cyclegan")
    begin_without_norms(network)
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    assert 0.02 < network(x).std() < 0.99
    assert not torch.allclose(network(x), torch.tanh(1.3 * x), atol=0.1)
