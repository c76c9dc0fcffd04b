"""Every transform on a network of every builder: what is loaded computes what was saved."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from backend.models.errors import RecipeError
from backend.models.head import last_linear
from backend.models.recipe import Recipe, apply, build, load_network, save_network
from backend.models.trust import trust
from backend.quant.f8_training import calibrate
from tests.methods.graphs import PYTHON_NETWORK

SHAPE = (1, 8, 8)


def zoo(tmp_path: Path) -> tuple[nn.Module, Recipe]:
    recipe = Recipe("zoo:resnet(depth=8, width=8, in_channels=1)")
    return build(recipe, meta=False), recipe


def python(tmp_path: Path) -> tuple[nn.Module, Recipe]:
    from backend.core.artifact import file_sha256
    from backend.models.python_file import python_recipe

    (tmp_path / "net.py").write_text(PYTHON_NETWORK)
    trust(file_sha256(tmp_path / "net.py"))
    recipe = python_recipe(tmp_path / "net.py", "make_network", {"width": 3})
    return build(recipe, meta=False), recipe


def onnx(tmp_path: Path) -> tuple[nn.Module, Recipe]:
    from backend.export.onnx import export_onnx
    from backend.models.from_onnx import import_onnx

    export_onnx(zoo(tmp_path)[0].eval(), torch.zeros(2, *SHAPE), tmp_path / "net.onnx")
    return import_onnx(tmp_path / "net.onnx")


BUILDERS = {"zoo": zoo, "python": python, "onnx": onnx}
PLANS = {
    "w8": {"image": "unit"},
    "w4 per channel": {"image": "unit", "wl": 4, "granularity": "channel"},
    "no clipping": {"image": "signed", "no_clipping": True},
}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("builder", BUILDERS)
def test_f8net_is_loaded_bit_equal(builder: str, plan: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, recipe = BUILDERS[builder](tmp_path)
    images = torch.rand(16, *SHAPE)
    before = module.eval()(images)
    network, longer = apply(module, recipe, "quantize.f8net", PLANS[plan])
    calibrate(network, [images])
    network.train()
    network(images)
    expected = network.eval()(images)
    save_network(tmp_path / "saved", longer, network)
    again, loaded = load_network(tmp_path / "saved")
    assert again == longer
    assert torch.equal(loaded(images), expected)
    assert torch.equal(loaded.lowered()(images), expected)
    assert torch.equal(module.eval()(images), before), "the float network is as it was"


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_new_head_is_loaded_bit_equal_and_starts_at_zero(builder: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, recipe = BUILDERS[builder](tmp_path)
    images = torch.rand(4, *SHAPE)
    plan = {"layer": last_linear(module, 10), "outputs": 3}
    changed, longer = apply(module, recipe, "head.replace", plan)
    assert torch.equal(changed.eval()(images), torch.zeros(4, 3))
    torch.nn.init.normal_(changed.get_submodule(plan["layer"]).weight)
    save_network(tmp_path / "saved", longer, changed)
    assert torch.equal(load_network(tmp_path / "saved")[1](images), changed(images))


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_new_head_then_f8net(builder: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, recipe = BUILDERS[builder](tmp_path)
    images = torch.rand(4, *SHAPE)
    plan = {"layer": last_linear(module, 10), "outputs": 3}
    changed, recipe = apply(module, recipe, "head.replace", plan)
    torch.nn.init.normal_(changed.get_submodule(plan["layer"]).weight)
    network, recipe = apply(changed, recipe, "quantize.f8net", PLANS["w8"])
    calibrate(network, [images])
    save_network(tmp_path / "saved", recipe, network)
    assert torch.equal(load_network(tmp_path / "saved")[1](images), network.eval()(images))


def test_a_network_without_a_linear_end_says_so() -> None:
    with pytest.raises(RecipeError, match="does not end in a linear layer with 10 outputs"):
        last_linear(nn.Sequential(nn.Linear(4, 10), nn.Linear(10, 5)), 10)
