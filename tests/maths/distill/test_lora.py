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

FORMS = pytest.mark.parametrize("form", ["conv", "matrix"])
BASE = Recipe(zoo("concept_generator", width=4, heads=2, text_dim=6))


def base(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build(BASE, meta=False).eval()


def inputs(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, 16, 16, generator=made), torch.randn(2, 5, 6, generator=made)


def adapted(network: nn.Module, wanted=2, scale: float = 1.0, form: lora.Form = "conv"):
    ranks = lora.rank_plan(lora.adaptable(network), wanted, form)
    plan = {"ranks": ranks, "scale": scale, "form": form}
    return (*apply(network, BASE, "lora.attach", plan), ranks)


def shaken(network: nn.Module, seed: int = 5, by: float = 0.3) -> None:
    made = torch.Generator().manual_seed(seed)
    state = {
        k: by * torch.randn(t.shape, generator=made) for k, t in lora.adapter_state(network).items()
    }
    lora.load_adapter_state(network, state)


@FORMS
@torch.no_grad()
def test_e2gan_p1_a_fresh_adapter_changes_nothing(form: lora.Form) -> None:
    network = base()
    fresh, _, _ = adapted(network, form=form)
    assert torch.equal(fresh.eval()(*inputs()), network(*inputs()))


@FORMS
def test_e2gan_p2_trained_parameters_are_counted_and_the_rest_is_frozen(form: lora.Form) -> None:
    network = base()
    layers = lora.adaptable(network)
    wanted = {"down": 1, "ds": 2, "tb": 3, "us": 2, "up": 1}
    fresh, _, ranks = adapted(network, wanted, form=form)
    own = lora.trainable(fresh)
    sides = {n: m.weight.shape[2] if m.weight.ndim == 4 else 1 for n, m in layers.items()}
    expected = 0
    for name, rank in ranks.items():
        out, into, k = *layers[name].weight.shape[:2], sides[name]
        expected += rank * (k**2 * (into + out) if form == "matrix" else k**2 * into + out)
    assert sum(p.numel() for p in own.values()) == expected == lora.count(layers, ranks, form)
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


@FORMS
@torch.no_grad()
def test_e2gan_p3_merged_and_unmerged_agree_and_the_base_is_untouched(form: lora.Form) -> None:
    network = base()
    fresh, _, _ = adapted(network, form=form)
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


@FORMS
@torch.no_grad()
def test_e2gan_p4_a_stored_adapter_is_small_and_works_on_a_second_base(
    form: lora.Form, tmp_path
) -> None:
    network = base()
    layers = lora.adaptable(network)
    fresh, _, ranks = adapted(network, form=form)
    shaken(fresh)
    path = tmp_path / "concept.safetensors"
    lora.save_adapter(path, lora.adapter_state(fresh), ranks, prompt="as snow")
    weights = 4 * lora.count(layers, ranks, form)
    assert weights < path.stat().st_size < weights + 8192
    second, _, _ = adapted(base(), form=form)
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


@FORMS
def test_fused_layers_compute_and_learn_as_layers_of_peft_do(form: lora.Form) -> None:
    network, _, _ = adapted(base(), scale=1.5, form=form)
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


@FORMS
@torch.no_grad()
def test_e2gan_p6_growth_leaves_the_output_as_it_was(form: lora.Form) -> None:
    small, _, ranks = adapted(base(), 2, scale=2.0, form=form)
    shaken(small)
    large, _, wider = adapted(base(), 4, scale=2.0, form=form)
    assert any(wider[name] > rank for name, rank in ranks.items())
    lora.load_grown(large, lora.adapter_state(small))
    x = [t.double() for t in inputs()]  # the norms magnify what float32 rounds
    assert (large.double().eval()(*x) - small.double().eval()(*x)).abs().max() < 1e-10
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


@FORMS
@torch.no_grad()
def test_e2gan_p10_switching_there_and_back_gives_the_same_picture(form: lora.Form) -> None:
    network, _, _ = adapted(base(), form=form)
    shaken(network, 1)
    first, picture = lora.adapter_state(network), network.eval()(*inputs())
    shaken(network, 2)
    assert (network(*inputs()) - picture).abs().max() > 1e-4
    lora.load_adapter_state(network, first)
    assert torch.equal(network(*inputs()), picture)


@FORMS
@torch.no_grad()
def test_a_blend_adds_the_changes_and_is_no_average_of_factors(form: lora.Form) -> None:
    network, _, ranks = adapted(base(), form=form)
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


@FORMS
def test_an_adapted_network_is_saved_and_loaded_the_same(form: lora.Form, tmp_path) -> None:
    network, recipe, _ = adapted(base(), form=form)
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


def test_ranks_by_energy_of_two_matrices_are_those_of_the_kernel_as_a_matrix() -> None:
    before, after = base(), base()
    name = "ds.1"
    layer = after.get_submodule(name)
    made = torch.Generator().manual_seed(3)
    a, b = torch.randn(2, 3, 48, generator=made), torch.randn(16, 2, 3, 3, generator=made)
    with torch.no_grad():
        layer.weight += lora.delta(a, b, tuple(layer.weight.shape))
    assert lora.ranks_by_energy(before, after, [name], 0.9999, "matrix") == {name: 2}
    assert lora.ranks_by_energy(before, after, [name], 0.9999)[name] > 2


def test_the_change_of_two_matrices_is_loralibs() -> None:
    """The product of B (out k, r k) and A (r k, in k) as it lies in memory is the kernel."""
    fresh, _, ranks = adapted(base(), 2, scale=1.5, form="matrix")
    shaken(fresh)
    layer = fresh.get_submodule("down.5")
    out, inputs, k, _ = layer.get_base_layer().weight.shape
    r = ranks["down.5"]
    a = layer.lora_A[lora.ADAPTER].weight.reshape(r * k, inputs * k)
    b = layer.lora_B[lora.ADAPTER].weight.permute(0, 2, 1, 3).reshape(out * k, r * k)
    expected = 1.5 * (b @ a).view(out, inputs, k, k)
    assert torch.allclose(lora.deltas(fresh)["down.5"], expected, atol=1e-6)
    assert torch.linalg.matrix_rank(expected.reshape(out * k, -1)) == r * k
    x = torch.randn(1, inputs, 8, 8)
    before, whole = layer.get_base_layer().weight.clone(), layer(x)
    layer.merge()
    assert torch.equal(layer.get_base_layer().weight, before + lora.deltas(fresh)["down.5"])
    assert torch.allclose(layer(x), whole, atol=1e-5), "merged by peft, it is not added twice"
    layer.unmerge()
    assert torch.allclose(layer.get_base_layer().weight, before, atol=1e-6)


@pytest.mark.parametrize(
    ("form", "numbers"), [("conv", (21_910, 87_640)), ("matrix", (33_830, 135_320))]
)
def test_both_forms_have_the_numbers_of_the_papers_network(form: lora.Form, numbers) -> None:
    """Ranks 1 and 4 in every layer: sums of r (k^2 in + out) and r k^2 (in + out) by hand."""
    wide = Recipe(zoo("concept_generator", width=64, heads=8, text_dim=768))
    layers = lora.adaptable(build(wide))
    found = [lora.count(layers, dict.fromkeys(layers, rank), form) for rank in (1, 4)]
    assert tuple(found) == numbers


def test_two_matrices_cannot_have_more_rank_than_channels() -> None:
    layers = lora.adaptable(base())
    ranks = lora.rank_plan(layers, 64, "matrix")
    assert ranks["down.1"] == 3
    assert ranks["ds.1"] == 16
    assert lora.rank_plan(layers, 64)["down.1"] == 4


@torch.no_grad()
def test_two_convolutions_as_two_matrices_change_the_same() -> None:
    network, _, ranks = adapted(base())
    shaken(network)
    state, changes = lora.adapter_state(network), lora.deltas(network)
    wider = lora.as_matrices(state)
    assert lora.form_of(state) == "conv"
    assert lora.form_of(wider) == "matrix"
    assert lora.ranks_of(wider) == ranks
    for name, change in changes.items():
        found = lora.delta(wider[f"{name}.A"], wider[f"{name}.B"], tuple(change.shape))
        assert torch.allclose(found, change, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("turned", [False, True])
def test_a_blend_of_both_forms_adds_their_changes(turned: bool) -> None:
    sides = []
    for form, seed in (("conv", 1), ("matrix", 2)):
        network, _, _ = adapted(base(), {"down": 2, "ds" if form == "conv" else "us": 1}, 1.0, form)
        shaken(network, seed)
        sides.append((lora.adapter_state(network), lora.deltas(network)))
    (first, one), (second, two) = reversed(sides) if turned else sides
    mixed = lora.blend(first, second, 0.25)
    assert lora.ranks_of(mixed).keys() == one.keys() | two.keys()
    for name in lora.ranks_of(mixed):
        parts = [w * side[name] for side, w in ((one, 0.75), (two, 0.25)) if name in side]
        change = lora.delta(mixed[f"{name}.A"], mixed[f"{name}.B"], tuple(parts[0].shape))
        assert torch.allclose(change, sum(parts), atol=1e-5)


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
    ranks = {"0": 1}
    oblong = nn.Sequential(nn.Conv2d(3, 4, (3, 5)))
    with pytest.raises(RecipeError, match=r"3 x 5 is no square"):
        lora.attach(oblong, {"ranks": ranks, "form": "matrix"})
    with pytest.raises(RecipeError, match='no form "odd"'):
        lora.attach(nn.Sequential(nn.Conv2d(3, 4, 3)), {"ranks": ranks, "form": "odd"})
    matrices, _, _ = adapted(base(), form="matrix")
    for odd in (lora.load_adapter_state, lora.load_grown):
        with pytest.raises(AdapterError, match=r"another plan|cannot be grown"):
            odd(matrices, state)


def test_a_broken_adapter_file_is_named(tmp_path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(AdapterError, match=r"x\.safetensors"):
        lora.load_adapter(path)
