"""Recipes: what is saved comes back bit-equal, and everything damaged is one clear sentence."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from backend.models.recipe import (
    Recipe,
    RecipeError,
    Step,
    apply,
    build,
    builder,
    load_network,
    save_network,
    transform,
)

SMALL = Recipe("zoo:resnet(depth=8, width=4)")


class Tied(nn.Module):
    """Shares a parameter, a whole layer and a buffer; has a buffer that a state dict leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.third = self.first
        self.register_buffer("mask", torch.ones(4))
        self.second.register_buffer("mask", self.mask)
        self.register_buffer("hidden", torch.zeros(2), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.third(self.second(self.first(x))) * self.mask


@builder("test_tied")
def build_tied(rest: str, files: object) -> nn.Module:
    return Tied()


@transform("test.widen_head", version=1)
def widen_head(module: nn.Module, plan: dict) -> nn.Module:
    module.fc = nn.Linear(module.fc.in_features, plan["classes"])
    return module


@transform("test.halve", version=1)
def halve(module: nn.Module, plan: dict) -> nn.Module:
    for name in plan["layers"]:
        layer = module.get_submodule(name)
        layer.weight = nn.Parameter(layer.weight[: layer.weight.shape[0] // 2].detach())
        layer.bias = nn.Parameter(layer.bias[: layer.bias.shape[0] // 2].detach())
        layer.out_features //= 2
    return module


def made(recipe: Recipe) -> nn.Module:
    torch.manual_seed(5)
    network = build(recipe, meta=False)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(torch.randn_like(tensor) * 0.1)
    return network.eval()


def equal(a: nn.Module, b: nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_saved_and_loaded_network_is_bit_equal(tmp_path: Path) -> None:
    network = made(SMALL)
    save_network(tmp_path, SMALL, network)
    recipe, loaded = load_network(tmp_path)
    assert recipe == SMALL
    assert equal(network, loaded)
    assert not loaded.training
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(network(x), loaded(x))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", "recipe.json"]


def test_build_on_meta_takes_no_values_and_no_random_numbers() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert all(p.is_meta for p in build(SMALL).parameters())
    assert torch.equal(before, torch.get_rng_state())


def test_build_with_values_follows_the_seed() -> None:
    assert equal(made(SMALL), made(SMALL))


def test_shared_tensors_are_stored_once_and_shared_again(tmp_path: Path) -> None:
    recipe = Recipe("test_tied:")
    network = made(recipe)
    network.hidden.fill_(3.0)
    save_network(tmp_path, recipe, network)
    # 4 x 4 weight, two biases of 4, mask of 4, hidden of 2, in float32.
    header = int.from_bytes((tmp_path / "model.safetensors").read_bytes()[:8], "little")
    values = (tmp_path / "model.safetensors").stat().st_size - 8 - header
    assert values == 4 * (16 + 4 + 4 + 4 + 2)
    _, loaded = load_network(tmp_path)
    assert equal(network, loaded)
    assert loaded.second.weight is loaded.first.weight
    assert loaded.third is loaded.first
    assert loaded.second.mask.data_ptr() == loaded.mask.data_ptr()
    assert loaded.hidden.tolist() == [3.0, 3.0]


def test_views_of_one_storage_are_saved(tmp_path: Path) -> None:
    network = made(SMALL)
    whole = torch.randn(2, 4)
    network.layer1[0].bn1.weight.data = whole[0]
    network.layer1[0].bn1.bias.data = whole[1]
    network.layer1[0].bn2.weight.data = whole.view(8)[2:6]
    save_network(tmp_path, SMALL, network)
    assert equal(network, load_network(tmp_path)[1])


def test_order_in_memory_comes_back(tmp_path: Path) -> None:
    network = made(SMALL).to(memory_format=torch.channels_last)
    network.fc.weight.data = network.fc.weight.data.t().contiguous().t()
    save_network(tmp_path, SMALL, network)
    _, loaded = load_network(tmp_path)
    assert equal(network, loaded)
    for ours, theirs in zip(network.parameters(), loaded.parameters(), strict=True):
        assert ours.stride() == theirs.stride()
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(network(x), loaded(x))


def test_apply_leaves_its_input_and_replays_equal(tmp_path: Path) -> None:
    network = made(SMALL)
    before = copy.deepcopy(network)
    plan = {"layers": ["fc"]}
    smaller, recipe = apply(network, SMALL, "test.halve", plan)
    plan["layers"].append("gone")
    assert equal(network, before)
    assert SMALL.transforms == ()
    assert recipe.transforms == (Step("test.halve", 1, {"layers": ["fc"]}),)
    assert torch.equal(smaller.fc.weight, network.fc.weight[:5])
    save_network(tmp_path, recipe, smaller)
    again, loaded = load_network(tmp_path)
    assert again == recipe
    assert equal(smaller, loaded)


def test_unknown_transform_is_named_and_the_file_stays(tmp_path: Path) -> None:
    save_network(tmp_path, SMALL, made(SMALL))
    path = tmp_path / "recipe.json"
    data = json.loads(path.read_text())
    data["transforms"] = [{"name": "prune.nowhere", "version": 1, "plan": {}}]
    path.write_text(json.dumps(data))
    (tmp_path / "model.safetensors").write_bytes(_renoted(tmp_path, data))
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    with pytest.raises(RecipeError, match=r"'prune\.nowhere'.*not installed"):
        load_network(tmp_path)
    assert before == {one.name: one.read_bytes() for one in tmp_path.iterdir()}


def _renoted(folder: Path, data: dict) -> bytes:
    from backend.models.recipe import _fingerprint
    from backend.models.tensors import pack, read_tensors

    file = read_tensors(folder / "model.safetensors")
    return pack(file.tensors, {"recipe": _fingerprint(data), "extra": []})


def test_unknown_version_of_a_transform_is_named() -> None:
    recipe = Recipe(SMALL.builder, (Step("test.halve", 9, {"layers": []}),))
    with pytest.raises(
        RecipeError, match=r"version 9 of the transform 'test\.halve'; installed is 1"
    ):
        build(recipe)


def test_old_versions_stay_loadable_beside_new_ones() -> None:
    @transform("test.two", version=1)
    def first(module: nn.Module, plan: dict) -> nn.Module:
        module.version = 1
        return module

    @transform("test.two", version=2)
    def second(module: nn.Module, plan: dict) -> nn.Module:
        module.version = 2
        return module

    assert build(SMALL.then("test.two", {})).version == 2
    assert build(Recipe(SMALL.builder, (Step("test.two", 1, {}),))).version == 1
    with pytest.raises(ValueError, match="already"):
        transform("test.two", version=2)(first)


def test_transforms_of_other_packages_are_found_by_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other_package.py").write_text(
        "from backend.models.recipe import transform\n"
        "@transform('other.mark')\n"
        "def mark(module, plan):\n    module.mark = plan['mark']\n    return module\n"
    )
    (tmp_path / "broken_package.py").write_text("import a_package_that_does_not_exist\n")
    info = tmp_path / "other_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[fretsaw.transforms]\nother.mark = other_package\nother.broken = broken_package\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert build(SMALL.then("other.mark", {"mark": 3})).mark == 3
    with pytest.raises(
        RecipeError, match=r"'other\.broken' is in broken_package, .*a_package_that"
    ):
        SMALL.then("other.broken", {})


def test_plan_must_be_plain_json() -> None:
    with pytest.raises(RecipeError, match="not plain JSON"):
        SMALL.then("test.halve", {"layers": {1, 2}})
    with pytest.raises(RecipeError, match="not plain JSON"):
        SMALL.then("test.halve", {"scale": float("nan")})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("resnet", "is no builder"),
        ("zooo:resnet", "did you mean 'zoo'"),
        ("zoo:resnett", "did you mean 'resnet'"),
        ("zoo:resnet(deepth=20)", "did you mean 'depth'"),
        ("zoo:resnet(depth=21)", "one of 8, 20, 32"),
        ("zoo:resnet(depth=20.0)", "one of 8, 20, 32"),
        ("zoo:resnet(width=-1)", "width of resnet must be above 0"),
        ("zoo:resnet(width=True)", "a whole number or None"),
        ("zoo:resnet(depth=open('x'))", "must be a plain value"),
        ("zoo:resnet(**{})", "may not use"),
        ("zoo:resnet(20, depth=20)", "given twice"),
        ("zoo:resnet(1, 2, 3, 4, 5, 6)", "has 5 options"),
        ("zoo:resnet(", "not of the form"),
        ("zoo:a.b()", "not of the form"),
    ],
)
def test_wrong_builder_says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words.replace("(", r"\(")):
        build(Recipe(text))


BAD_NAMES = ["../x", "a/b", "", ".hidden", "a\\b", "recipe.json", "C:x", "Model.safetensors"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_attachments_stay_in_their_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no name for a file"):
        Recipe("zoo:resnet", files={name: b"x"})
    save_network(tmp_path, SMALL, made(SMALL))
    data = json.loads((tmp_path / "recipe.json").read_text())
    data["files"] = {name: "0" * 64}
    (tmp_path / "recipe.json").write_text(json.dumps(data))
    with pytest.raises(RecipeError, match="no name for a file"):
        load_network(tmp_path)


def test_changed_or_missing_attachment_is_named(tmp_path: Path) -> None:
    recipe = Recipe(SMALL.builder, files={"notes.txt": b"hello"})
    save_network(tmp_path, recipe, made(recipe))
    assert load_network(tmp_path)[0].files == {"notes.txt": b"hello"}
    (tmp_path / "notes.txt").write_bytes(b"other")
    with pytest.raises(RecipeError, match=r"notes\.txt .* was changed"):
        load_network(tmp_path)
    (tmp_path / "notes.txt").unlink()
    with pytest.raises(RecipeError, match=r"notes\.txt .* is missing"):
        load_network(tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "foreign", "empty", "missing"])
def test_damaged_tensors_are_one_sentence(damage: str, tmp_path: Path) -> None:
    save_network(tmp_path, SMALL, made(SMALL))
    path = tmp_path / "model.safetensors"
    data = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "flipped":
        data[-3] ^= 0x10
        path.write_bytes(data)
    else:
        path.write_bytes(
            {"truncated": data[:-100], "foreign": b"PK\x03\x04" * 30, "empty": b""}[damage]
        )
    with pytest.raises(RecipeError, match=r"model\.safetensors") as error:
        load_network(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": "fretsaw-recipe", "version": 1}']
)
def test_damaged_recipe_is_one_sentence(text: str, tmp_path: Path) -> None:
    save_network(tmp_path, SMALL, made(SMALL))
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(RecipeError, match=r"damaged|not the recipe"):
        load_network(tmp_path)


def test_recipe_of_a_newer_program_is_refused() -> None:
    with pytest.raises(RecipeError, match="Update Fretsaw"):
        Recipe.from_json({**SMALL.to_json(), "version": 2})


def test_halves_of_two_networks_are_refused(tmp_path: Path) -> None:
    other = Recipe("zoo:resnet(depth=20, width=4)")
    save_network(tmp_path / "a", SMALL, made(SMALL))
    save_network(tmp_path / "b", other, made(other))
    (tmp_path / "a" / "recipe.json").write_bytes((tmp_path / "b" / "recipe.json").read_bytes())
    with pytest.raises(RecipeError, match="different networks"):
        load_network(tmp_path / "a")


def test_failed_write_leaves_the_old_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = made(SMALL)
    save_network(tmp_path, SMALL, network)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RecipeError, match="No space left on device"):
        save_network(tmp_path, SMALL.then("test.widen_head", {"classes": 3}), network)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", "recipe.json"]
    assert equal(load_network(tmp_path)[1], network)


def test_network_that_does_not_fit_its_recipe_is_refused(tmp_path: Path) -> None:
    save_network(tmp_path, SMALL, made(SMALL.then("test.widen_head", {"classes": 3})))
    with pytest.raises(RecipeError, match=r"2 of another shape \(fc\.weight: \(3, 16\) instead of"):
        load_network(tmp_path)


def test_meta_network_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="has no values yet"):
        save_network(tmp_path, SMALL, build(SMALL))
