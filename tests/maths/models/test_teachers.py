from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from backend.data.preprocess import ImageInput
from backend.models.editing import edit_pictures
from backend.models.from_onnx import import_onnx
from backend.models.packages import fetch
from backend.models.recipe import Recipe, RecipeError, build, load_network, save_network
from backend.models.teachers import (
    MULTISTYLE,
    TOLERANCE,
    VINTAGIFY,
    Teacher,
    check_edits,
    freeze_inputs,
    onnx_teacher,
    runtime_error,
    style_teacher,
    torch_teacher,
    vintage_teacher,
)
from tests.requirements import require


def pictures(count: int = 2, height: int = 32, width: int = 40) -> np.ndarray:
    dice = np.random.default_rng(0)
    coarse = dice.integers(0, 256, (count, height // 8, width // 8, 3), dtype=np.uint8)
    return coarse.repeat(8, 1).repeat(8, 2)


def edit(teacher: Teacher, pixels: np.ndarray) -> np.ndarray:
    image = ImageInput(3, 32, 32, (teacher.mean,) * 3, (teacher.std,) * 3)
    return edit_pictures(
        teacher.network, pixels, image, low=teacher.low, high=teacher.high, multiple=4
    )[0]


# -- the two that come in packages -----------------------------------------------------------------


def test_a_style_is_what_onnx_runtime_makes_of_the_published_file() -> None:
    """The published network with its second input, run by ONNX Runtime: the reference."""
    import onnxruntime

    session = onnxruntime.InferenceSession(fetch(MULTISTYLE).read_bytes())
    pixels = pictures()
    x = (pixels / 255).astype(np.float32).transpose(0, 3, 1, 2)
    weights = np.zeros(26, np.float32)
    weights[7] = 1
    expected = np.concatenate(
        [session.run(None, {"image": one[None], "style_weights": weights})[0] for one in x]
    )
    teacher = style_teacher(7)
    with torch.no_grad():
        found = teacher.network(torch.from_numpy(x)).numpy()
    assert np.abs(found - expected).max() < TOLERANCE
    assert runtime_error(teacher) < TOLERANCE
    edited = edit(teacher, pixels)
    u8 = np.rint(expected.clip(0, 1) * 255).transpose(0, 2, 3, 1)
    assert np.abs(edited.astype(int) - u8).max() <= 1
    assert np.abs(edited.astype(int) - pixels).mean() > 20, "it is no mild edit"


def test_styles_differ_and_travel_with_their_recipe(tmp_path: Path) -> None:
    pixels = pictures()
    seven, eight = style_teacher(7), style_teacher(8)
    assert np.abs(edit(seven, pixels).astype(int) - edit(eight, pixels)).mean() > 5
    assert seven.recipe.builder != eight.recipe.builder
    assert seven.recipe == style_teacher(7).recipe
    save_network(tmp_path, seven.recipe, seven.network)
    _, network = load_network(tmp_path)
    with torch.no_grad():
        x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        assert torch.equal(network(x), seven.network(x))
    with pytest.raises(RecipeError, match="There is no style 26"):
        style_teacher(26)


def test_the_vintage_network_is_published_weights_under_their_own_names() -> None:
    require("vintagify")
    teacher = vintage_teacher()
    assert sum(p.numel() for p in teacher.network.parameters()) == 11_388_675
    pixels = pictures(count=1)
    change = np.abs(edit(teacher, pixels).astype(int) - pixels).mean()
    assert 3 < change < 80, "a mild edit, and not none"


def test_weights_of_another_file_or_missing_are_told(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "multistyle26.onnx").write_bytes(b"something else")
    with pytest.raises(RecipeError, match="SHA-256"):
        style_teacher(1, tmp_path / "multistyle26.onnx")
    monkeypatch.setattr("backend.models.packages.distribution", _no_distribution)
    for make, package in ((lambda: style_teacher(1), MULTISTYLE), (vintage_teacher, VINTAGIFY)):
        with pytest.raises(RecipeError, match=f"allow the download.*{package.package}"):
            make()


def _no_distribution(name: str) -> None:
    from importlib.metadata import PackageNotFoundError

    raise PackageNotFoundError(name)


# -- any ONNX file ---------------------------------------------------------------------------------


def write_onnx(
    path: Path,
    shape: tuple[object, ...] = (1, 3, "h", "w"),
    *,
    last: bool = False,
    extra: bool = False,
    channels: int = 3,
    outputs: int = 1,
    operator: str = "Conv",
) -> Path:
    """A 3x3 convolution from picture to picture, colours first or last."""
    weight = np.random.default_rng(0).normal(0, 0.2, (channels, 3, 3, 3)).astype(np.float32)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    nodes = []
    entry = "x"
    if last:
        nodes.append(helper.make_node("Transpose", ["x"], ["first"], perm=[0, 3, 1, 2]))
        entry = "first"
    nodes.append(helper.make_node("Conv", [entry, "w"], ["y0"], pads=[1, 1, 1, 1]))
    result = "y0"
    if extra:
        inputs.append(helper.make_tensor_value_info("strength", TensorProto.FLOAT, [1]))
        nodes.append(helper.make_node("Mul", [result, "strength"], ["scaled"]))
        result = "scaled"
    if operator != "Conv":
        nodes.append(helper.make_node(operator, [result], ["odd"]))
        result = "odd"
    if last:
        nodes.append(helper.make_node("Transpose", [result], ["y"], perm=[0, 2, 3, 1]))
    else:
        nodes.append(helper.make_node("Identity", [result], ["y"]))
    names = ["y", *(f"more{i}" for i in range(outputs - 1))]
    nodes += [helper.make_node("Identity", ["y"], [name]) for name in names[1:]]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    graph = helper.make_graph(nodes, "g", inputs, made, [numpy_helper.from_array(weight, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


def test_a_file_with_colours_last_is_turned_and_agrees_with_the_runtime(tmp_path: Path) -> None:
    first = onnx_teacher(write_onnx(tmp_path / "first.onnx"))
    last = onnx_teacher(write_onnx(tmp_path / "last.onnx", (1, "h", "w", 3), last=True))
    assert np.array_equal(edit(first, pictures()), edit(last, pictures()))
    assert last.size is None
    assert runtime_error(last) < TOLERANCE
    fixed = onnx_teacher(write_onnx(tmp_path / "fixed.onnx", (1, 24, 32, 3), last=True))
    assert fixed.size == (24, 32)


def test_other_inputs_get_a_value(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "x.onnx", extra=True)
    with pytest.raises(RecipeError, match=r"more inputs than the picture: strength\. Give values"):
        onnx_teacher(path)
    whole = onnx_teacher(path, fixed={"strength": [1.0]})
    half = onnx_teacher(path, fixed={"strength": [0.5]})
    x = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(whole.network(x), 2 * half.network(x), atol=1e-6)
    with pytest.raises(RecipeError, match=r"takes 1 values, not \[2\]"):
        onnx_teacher(path, fixed={"strength": [1, 2]})
    with pytest.raises(RecipeError, match="is no list of numbers"):
        onnx_teacher(path, fixed={"strength": ["a"]})
    with pytest.raises(RecipeError, match='no input "power"; it has x, strength'):
        onnx_teacher(path, fixed={"power": [1]})


def test_ranges_scale_what_goes_in_and_comes_out(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "x.onnx")
    signed = onnx_teacher(path, input_range=(-1, 1), output_range=(-1, 1))
    levels = onnx_teacher(path, input_range=(0, 255), output_range=(0, 255))
    unit = onnx_teacher(path)
    assert (signed.mean, signed.std, signed.low) == (0.5, 0.5, -1)
    assert levels.std == pytest.approx(1 / 255)
    # A linear network does not care about the unit.
    assert np.abs(edit(levels, pictures()).astype(int) - edit(unit, pictures())).max() <= 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"shape": (1, 3)}, "no input of four axes"),
        ({"shape": (1, "a", "h", "w")}, "leaves open where the three colours are"),
        ({"shape": (1, 3, 8, 3)}, "leaves open where the three colours are"),
        ({"channels": 2}, "not with a picture of the same size"),
        ({"outputs": 2}, "has 2 outputs"),
        ({"operator": "Hardmax"}, "operators that are not understood: Hardmax"),
        ({"operator": "Log"}, "not finite"),
    ],
)
def test_files_that_do_not_edit_pictures_are_refused(
    tmp_path: Path, options: dict[str, object], reason: str
) -> None:
    path = write_onnx(tmp_path / "x.onnx", **options)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match=reason):
        onnx_teacher(path)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"\x00" * 50)
    with pytest.raises(RecipeError, match="no ONNX"):
        onnx_teacher(tmp_path / "x.onnx")
    with pytest.raises(RecipeError):
        onnx_teacher(tmp_path / "absent.onnx")
    with pytest.raises(RecipeError, match="no colour picture in nhwc"):
        onnx_teacher(write_onnx(tmp_path / "y.onnx", (1, 3, 16, 16)), layout="nhwc")


def test_freezing_is_the_same_every_time(tmp_path: Path) -> None:
    data = write_onnx(tmp_path / "x.onnx", extra=True).read_bytes()
    hashes = {
        hashlib.sha256(freeze_inputs(data, {"strength": [0.25]})).hexdigest() for _ in range(3)
    }
    assert len(hashes) == 1
    network, _ = import_onnx(freeze_inputs(data, {"strength": [0.25]}))
    assert not [n for n in network.graph.nodes if n.op == "placeholder" and n.name != "x"]


# -- networks of torch -----------------------------------------------------------------------------


def test_the_cyclegan_generator_keeps_the_size_and_stays_in_range() -> None:
    recipe = Recipe("zoo:cyclegan_generator(width=4, blocks=2)")
    torch.manual_seed(0)
    teacher = torch_teacher(build(recipe, meta=False), recipe, "mine")
    with torch.no_grad():
        y = teacher.network(torch.randn(2, 3, 24, 32))
    assert y.shape == (2, 3, 24, 32)
    assert y.abs().max() <= 1


def test_networks_that_do_not_edit_pictures_are_refused() -> None:
    recipe = Recipe("zoo:cyclegan_generator()")
    for network, reason in (
        (nn.Conv2d(4, 3, 1), "cannot read a picture of 3 x 16 x 16"),
        (nn.Conv2d(3, 3, 3), "not with a picture of the same size"),
        (nn.Sequential(nn.Identity(), nn.Flatten()), "not with a picture of the same size"),
    ):
        with pytest.raises(RecipeError, match=reason):
            check_edits(Teacher(network, recipe, "x"), "x", 16)


class Halve(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[2] % 4 == x.shape[3] % 4 == 0
        return x * 0.5


@settings(max_examples=25)
@given(st.integers(8, 25), st.integers(8, 25), st.booleans())
def test_any_size_is_padded_to_the_multiple_and_cut_back(
    height: int, width: int, any_size: bool
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    image = ImageInput(3, 16, 16, (0.0,) * 3, (1.0,) * 3)
    edited, finite = edit_pictures(
        Halve(), pixels, image, low=0, high=1, any_size=any_size, multiple=4
    )
    assert edited.shape == pixels.shape
    assert finite.all()
    if any_size:
        assert np.abs(edited - pixels / 2).max() <= 0.5 + 1e-3


class Blow(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.clone()
        y[0, 0, 0, 0] = float("nan")
        return y


def test_pictures_that_are_not_finite_are_told_and_black() -> None:
    image = ImageInput(3, 32, 40, (0.0,) * 3, (1.0,) * 3)
    edited, finite = edit_pictures(Blow(), pictures(), image, low=0, high=1)
    assert finite.tolist() == [False, True]
    assert edited[0].max() == 0
    assert np.array_equal(edited[1], pictures()[1])
