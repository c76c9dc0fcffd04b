"""Adapters; properties P1 to P5 and P10 of the E2GAN digest, blending and what is refused."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from backend.distill import lora
from backend.distill.lora import AdapterError
from backend.models.recipe import Recipe, RecipeError, apply, build, load_network, save_network
from backend.models.registry import zoo

BASE = Recipe(zoo("concept_generator", width=4, heads=2, text_dim=6))


def base(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build(BASE, meta=False).eval()


def inputs(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, 16, 16, generator=made), torch.randn(2, 5, 6, generator=made)


def adapted(network: nn.Module, wanted=2, scale: float = 1.0):
    ranks = lora.rank_plan(lora.adaptable(network), wanted)
    return (*apply(network, BASE, "lora.attach", {"ranks": ranks, "scale": scale}), ranks)


def shaken(network: nn.Module, seed: int = 5, by: float = 0.3) -> None:
    made = torch.Generator().manual_seed(seed)
    state = {
        k: by * torch.randn(t.shape, generator=made) for k, t in lora.adapter_state(network).items()
    }
    lora.load_adapter_state(network, state)


@torch.no_grad()
def test_e2gan_p1_a_fresh_adapter_changes_nothing() -> None:
    network = base()
    fresh, _, _ = adapted(network)
    assert torch.equal(fresh.eval()(*inputs()), network(*inputs()))


def test_e2gan_p2_trained_parameters_are_counted_and_the_rest_is_frozen() -> None:
    network = base()
    layers = lora.adaptable(network)
    fresh, _, ranks = adapted(network, {"down": 1, "ds": 2, "tb": 3, "us": 2, "up": 1})
    own = lora.trainable(fresh)
    expected = sum(ranks[n] * (m.weight[0].numel() + m.weight.shape[0]) for n, m in layers.items())
    assert sum(p.numel() for p in own.values()) == expected == lora.count(layers, ranks)
    before = {n: p.clone() for n, p in fresh.named_parameters() if "rb_" in n}
    assert before
    optimizer = torch.optim.Adam(own.values(), 1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        (fresh(*inputs()) - 0.5).square().mean().backward()
        optimizer.step()
    after = dict(fresh.named_parameters())
    assert all(torch.equal(after[n], p) for n, p in before.items())
    assert any(t.abs().max() > 0 for n, t in lora.adapter_state(fresh).items() if n[-1] == "B")


def test_a_base_that_was_unfrozen_by_mistake_is_noticed() -> None:
    fresh, _, _ = adapted(base())
    fresh.requires_grad_(True)
    with pytest.raises(AdapterError, match="freeze the base"):
        lora.trainable(fresh)


@torch.no_grad()
def test_e2gan_p3_merged_and_unmerged_agree_and_the_base_is_untouched() -> None:
    network = base()
    fresh, _, _ = adapted(network)
    shaken(fresh, by=0.1)
    # In double precision the algebra shows; the norms magnify what float32 rounds.
    network, fresh = network.double(), fresh.double()
    one = lora.merged(fresh).eval()
    assert set(one.state_dict()) == set(network.state_dict())
    x = [t.double() for t in inputs()]
    assert (one(*x) - fresh.eval()(*x)).abs().max() < 1e-10
    assert (one.float()(*inputs()) - fresh.float()(*inputs())).abs().max() < 1e-4
    assert (one.double()(*x) - network(*x)).abs().max() > 1e-3
    restored = copy.deepcopy(one)
    for name, change in lora.deltas(fresh).items():
        restored.get_submodule(name).weight.sub_(change)
    for name, tensor in network.state_dict().items():
        assert torch.allclose(restored.state_dict()[name], tensor, atol=1e-6)


@torch.no_grad()
def test_e2gan_p4_a_stored_adapter_is_small_and_works_on_a_second_base(tmp_path) -> None:
    network = base()
    layers = lora.adaptable(network)
    fresh, _, ranks = adapted(network)
    shaken(fresh)
    path = tmp_path / "concept.safetensors"
    lora.save_adapter(path, lora.adapter_state(fresh), ranks, prompt="as snow")
    weights = 4 * lora.count(layers, ranks)
    assert weights < path.stat().st_size < weights + 8192
    second, _, _ = adapted(base())
    lora.load_adapter_state(second, lora.load_adapter(path))
    assert torch.equal(second.eval()(*inputs()), fresh.eval()(*inputs()))
    assert not any("base" in key for key in lora.load_adapter(path))


def test_e2gan_p5_each_layer_has_its_rank_and_caps_hold() -> None:
    network = base()
    layers = lora.adaptable(network)
    wanted = {"down": 64, "tb.q1": 3, "tb": 2}
    ranks = lora.rank_plan(layers, wanted)
    assert ranks["tb.q1"] == 3
    assert ranks["tb.q2"] == 2
    assert ranks["down.1"] == min(layers["down.1"].weight.shape[0], 3 * 49)
    assert not any(name.startswith("up") for name in ranks)
    fresh, recipe = apply(network, BASE, "lora.attach", {"ranks": ranks})
    for name, rank in ranks.items():
        assert fresh.get_submodule(name).r == {lora.ADAPTER: rank}
    assert not hasattr(fresh.get_submodule("up.2"), "lora_A")
    assert recipe.transforms[-1].name == "lora.attach"


def test_fused_layers_compute_and_learn_as_peft_has_it() -> None:
    network, _, _ = adapted(base(), scale=1.5)
    shaken(network, by=0.1)
    network = network.double().eval()
    fused = lora.fuse(copy.deepcopy(network))
    x = [t.double() for t in inputs()]
    found = []
    for one in (network, fused):
        made = one(*x)
        made.square().mean().backward()
        found.append((made.detach(), {n: p.grad for n, p in lora.trainable(one).items()}))
    (plain, slopes), (made, others) = found
    assert (made - plain).abs().max() < 1e-10
    assert all((others[n] - slope).abs().max() < 1e-10 for n, slope in slopes.items())
    again = copy.deepcopy(fused)
    shaken(again, 6)
    assert (fused(*x) - made).abs().max() == 0, "a copy has layers of its own"
    assert (again(*x) - made).abs().max() > 1e-3


@torch.no_grad()
def test_e2gan_p6_growth_leaves_the_output_as_it_was() -> None:
    small, _, ranks = adapted(base(), 2, scale=2.0)
    shaken(small)
    large, _, wider = adapted(base(), 4, scale=2.0)
    assert any(wider[name] > rank for name, rank in ranks.items())
    lora.load_grown(large, lora.adapter_state(small))
    assert torch.allclose(large.eval()(*inputs()), small.eval()(*inputs()), atol=1e-5)
    new = lora.adapter_state(large)["tb.q1.A"][2:]
    assert new.abs().min() > 0, "new rows of A can learn"
    with pytest.raises(AdapterError, match="cannot be grown"):
        lora.load_grown(small, lora.adapter_state(large))


@torch.no_grad()
def test_the_scale_is_held_whatever_the_rank() -> None:
    small, _, _ = adapted(base(), 1, scale=2.0)
    large, _, _ = adapted(base(), 2, scale=2.0)
    shaken(small)
    state = {}
    for name, tensor in lora.adapter_state(small).items():
        full = lora.adapter_state(large)[name]
        grown = torch.zeros_like(full)
        grown[: tensor.shape[0], : tensor.shape[1]] = tensor
        if name.endswith("A"):  # a new row of A with a zero column of B adds nothing
            grown[tensor.shape[0] :] = full[tensor.shape[0] :]
        state[name] = grown
    lora.load_adapter_state(large, state)
    assert torch.allclose(large.eval()(*inputs()), small.eval()(*inputs()), atol=1e-5)


@torch.no_grad()
def test_e2gan_p10_switching_there_and_back_gives_the_same_picture() -> None:
    network, _, _ = adapted(base())
    shaken(network, 1)
    first, picture = lora.adapter_state(network), network.eval()(*inputs())
    shaken(network, 2)
    assert (network(*inputs()) - picture).abs().max() > 1e-4
    lora.load_adapter_state(network, first)
    assert torch.equal(network(*inputs()), picture)


@torch.no_grad()
def test_a_blend_adds_the_changes_and_is_no_average_of_factors() -> None:
    network, _, ranks = adapted(base())
    shaken(network, 1)
    first, one = lora.adapter_state(network), lora.deltas(network)
    shaken(network, 2)
    second, two = lora.adapter_state(network), lora.deltas(network)
    mixed = lora.blend(first, second, 0.25)
    assert lora.ranks_of(mixed) == {name: 2 * rank for name, rank in ranks.items()}
    for name in ranks:
        shape = tuple(one[name].shape)
        change = lora.delta(mixed[f"{name}.A"], mixed[f"{name}.B"], shape)
        assert torch.allclose(change, 0.75 * one[name] + 0.25 * two[name], atol=1e-5)
        wrong = lora.delta(
            0.75 * first[f"{name}.A"] + 0.25 * second[f"{name}.A"],
            0.75 * first[f"{name}.B"] + 0.25 * second[f"{name}.B"],
            shape,
        )
        assert (wrong - change).abs().max() > 1e-3


def test_an_adapted_network_is_saved_and_loaded_the_same(tmp_path) -> None:
    network, recipe, _ = adapted(base())
    shaken(network)
    save_network(tmp_path, recipe, network)
    _, loaded = load_network(tmp_path)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(*inputs()), network.eval()(*inputs()))


def test_ranks_by_energy_finds_a_planted_rank() -> None:
    before, after = base(), base()
    layer = after.get_submodule("tb.q1")
    made = torch.Generator().manual_seed(3)
    with torch.no_grad():
        layer.weight += torch.randn(16, 3, generator=made) @ torch.randn(3, 16, generator=made)
    assert lora.ranks_by_energy(before, after, ["tb.q1", "tb.k1"], 0.9999) == {"tb.q1": 3}


def test_what_cannot_carry_an_adapter_is_named() -> None:
    turned = nn.ModuleDict({"up": nn.Sequential(nn.ConvTranspose2d(3, 3, 3))})
    with pytest.raises(AdapterError, match="transposed"):
        lora.adaptable(turned)
    with pytest.raises(AdapterError, match="grouped"):
        lora.adaptable(nn.ModuleDict({"up": nn.Sequential(nn.Conv2d(4, 4, 3, groups=4))}))
    padded = nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")
    for odd in (padded, nn.Conv2d(4, 4, 3, dilation=2)):
        with pytest.raises(AdapterError, match="module of its own"):
            lora.adaptable(nn.ModuleDict({"up": nn.Sequential(odd)}))
    with pytest.raises(AdapterError, match="No layer of"):
        lora.adaptable(base(), ["nothing"])
    with pytest.raises(RecipeError, match="does not have"):
        apply(base(), BASE, "lora.attach", {"ranks": {"tb.q9": 2}})
    network, _, _ = adapted(base())
    state = lora.adapter_state(network)
    other, _, _ = adapted(base(), 1)
    with pytest.raises(AdapterError, match="another plan"):
        lora.load_adapter_state(other, state)
    with pytest.raises(AdapterError, match="one side only"):
        lora.load_adapter_state(network, {"tb.q1.A": state["tb.q1.A"]})


def test_a_broken_adapter_file_is_named(tmp_path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(AdapterError, match=r"x\.safetensors"):
        lora.load_adapter(path)
