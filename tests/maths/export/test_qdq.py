from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from backend.export.qdq import BITS_KEY, QdqError, export_qdq
from backend.export.runtime import session
from backend.quant.describe import TensorFormat
from backend.quant.fake_quant import FakeQuantize, GridConv2d
from tests.maths.export.conftest import Exported
from tests.maths.export.nets import QConv, Quantizer, QuantNet, Trained, images, on_grid

LAYERS = ("conv1", "conv2", "tokens", "fc")


def _constants(path: Path) -> dict[str, np.ndarray]:
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def _both(exported: Exported, *, optimize: bool = False, n: int = 16) -> tuple[Tensor, Tensor]:
    x = images(n, 3, 8, 8, seed=7)
    run = session(exported.path, optimize=optimize)
    with torch.no_grad():
        return torch.from_numpy(run.run(None, {"image": x.numpy()})[0]), exported.net(x)


def test_power_of_two_network_is_bit_equal(po2_file: Exported) -> None:
    have, wanted = _both(po2_file)
    assert torch.equal(have, wanted)
    assert wanted.std() > 0.01


@pytest.mark.parametrize("fixture", ["po2_file", "uint8_file", "four_bit_file"])
def test_files_are_valid_and_small(fixture: str, request: pytest.FixtureRequest) -> None:
    exported: Exported = request.getfixturevalue(fixture)
    model = onnx.load(exported.path)
    onnx.checker.check_model(model, full_check=True)
    assert (model.opset_import[0].version, model.ir_version) == (17, 9)
    floats = [n for n, a in _constants(exported.path).items() if a.dtype == np.float32]
    assert all(name.endswith(".scale") for name in floats), floats


@pytest.mark.parametrize("layer", LAYERS)
def test_codes_scales_and_bias_read_back(po2_file: Exported, layer: str) -> None:
    constants, module = _constants(po2_file.path), po2_file.net.get_submodule(layer)
    weight, bias = module.formats["weight"], module.formats["bias"]
    codes = constants[f"{layer}.weight.codes"]
    wanted = weight.integers(module.weight.detach()).numpy()
    assert codes.dtype == np.int8
    # The linear layer on three axes becomes a MatMul, whose weight is stored turned.
    np.testing.assert_array_equal(codes.T if layer == "tokens" else codes, wanted)
    scale = constants[f"{layer}.weight.scale"]
    assert scale.shape == ()
    assert scale == weight.scale[0]
    assert np.frexp(scale)[0] == 0.5  # a power of two
    codes = constants[f"{layer}.bias.codes"]
    assert codes.dtype == np.int32
    np.testing.assert_array_equal(codes, bias.integers(module.bias.detach().double()).numpy())
    assert constants[f"{layer}.bias.scale"] == bias.scale[0]


def test_every_tensor_has_constants_of_its_own(po2_file: Exported) -> None:
    model = onnx.load(po2_file.path)
    pairs = {node.input[1]: node.input[0] for node in model.graph.node if "uantize" in node.op_type}
    names = [n for n in pairs if n.endswith(".scale")]
    assert len(names) == 2 * len(LAYERS) + 4  # weights and biases, four quantizers
    assert {"image.scale", "act1.scale", "conv1.weight.scale"} <= set(names)
    limits = [list(node.input[1:]) for node in model.graph.node if node.op_type == "Clip"]
    assert limits == [["image.lo", "image.hi"], ["act3.lo", "act3.hi"]]


def test_no_clip_where_all_codes_are_used(po2_file: Exported) -> None:
    clips = [n.name for n in onnx.load(po2_file.path).graph.node if n.op_type == "Clip"]
    # Unsigned 8-bit codes fill uint8; symmetric signed ones leave -128 out.
    assert clips == ["image/Clip", "act3/Clip"]


def test_uint8_weights_hold_the_same_values(uint8_file: Exported, po2_file: Exported) -> None:
    have, plain = _constants(uint8_file.path), _constants(po2_file.path)
    codes = have["conv1.weight.codes"]
    assert codes.dtype == np.uint8
    assert have["conv1.weight.zero_point"] == 128
    np.testing.assert_array_equal(codes.astype(int) - 128, plain["conv1.weight.codes"])
    assert torch.equal(*_both(uint8_file))


def test_uint8_weights_survive_the_optimised_kernels(uint8_file: Exported) -> None:
    # Power-of-two scales: integer kernels have nothing to round differently.
    have, wanted = _both(uint8_file, optimize=True)
    np.testing.assert_allclose(have.numpy(), wanted.numpy(), atol=1e-5)


def test_four_bits_are_clipped_and_said_not_to_shrink(four_bit_file: Exported) -> None:
    model, constants = onnx.load(four_bit_file.path), _constants(four_bit_file.path)
    assert len([node for node in model.graph.node if node.op_type == "Clip"]) == 4
    for layer in LAYERS:
        codes = constants[f"{layer}.weight.codes"]
        assert codes.min() >= -7
        assert codes.max() <= 7
    assert any("4 bits" in note and "8-bit" in note for note in four_bit_file.notes)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata[BITS_KEY])["conv1.weight"] == 4
    assert "8-bit integers" in metadata["notes"]


def test_four_bits_per_axis_agree(four_bit_file: Exported) -> None:
    constants = _constants(four_bit_file.path)
    assert constants["conv1.weight.scale"].shape == (6,)
    have, wanted = _both(four_bit_file, n=64)
    # Scales are no powers of two: a sum half way between two codes may go either way.
    close = (have - wanted).abs() < 1e-4
    assert close.float().mean() > 0.95
    assert (have - wanted).abs().max() < 0.2


def test_lowered_form_is_exported_and_nothing_changed(tmp_path: Path) -> None:
    torch.manual_seed(2)
    fmt = TensorFormat(8, (0.0625,), signed=False, zero_point=(100,))
    conv = on_grid(QConv(3, 4, 3), 8, (2.0**-8,), 2.0**-4)
    net = Trained(nn.Sequential(Quantizer(fmt), conv, nn.Flatten()))
    before = copy.deepcopy(net.state_dict())
    path = tmp_path / "net.onnx"
    x = images(2, 3, 6, 6)
    export_qdq(net, x, path, metadata={"made": "today"})
    have = session(path, optimize=False).run(None, {"image": x.numpy()})[0]
    np.testing.assert_array_equal(have, net.lowered()(x).detach().numpy())
    assert all(torch.equal(a, before[n]) for n, a in net.state_dict().items())
    assert type(net.plain[0]) is Quantizer
    constants = _constants(path)
    assert constants["0.zero_point"] == 100
    assert {e.key for e in onnx.load(path).metadata_props} == {"made", "notes", BITS_KEY}


def test_pieces_of_the_quant_package_and_a_shared_layer(tmp_path: Path) -> None:
    torch.manual_seed(4)
    like = on_grid(QConv(3, 3, 3, padding=1), 8, tuple(2.0**-k for k in (8, 9, 10)), 2.0**-4)
    conv = GridConv2d.from_conv(like, like.weight, like.bias, like.formats)
    quantize = FakeQuantize(TensorFormat(8, (2.0**-4,), signed=True))
    net = nn.Sequential(quantize, conv, quantize, conv)  # both run twice
    path, x = tmp_path / "net.onnx", images(2, 3, 6, 6)
    export_qdq(net, x, path)
    have = session(path, optimize=False).run(None, {"image": x.numpy()})[0]
    np.testing.assert_array_equal(have, net(x).detach().numpy())
    assert sum(name.endswith(".weight.codes") for name in _constants(path)) == 1


class _Hidden(nn.Module):
    """Describes a weight that it computes."""

    def describe(self) -> dict[str, TensorFormat]:
        return {"weight": TensorFormat(8, (0.25,), signed=True)}

    @property
    def weight(self) -> Tensor:
        return torch.ones(3, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(x, self.weight)


def test_bias_on_another_grid_is_stored_as_float(tmp_path: Path) -> None:
    torch.manual_seed(3)
    quantizer = Quantizer(TensorFormat(8, (2.0**-4,), signed=False))
    conv = on_grid(QConv(3, 4, 3), 8, (2.0**-8,), 2.0**-2)  # 2**-4 would match
    net, path, x = (
        nn.Sequential(quantizer, conv, nn.Flatten()),
        tmp_path / "n.onnx",
        images(2, 3, 6, 6),
    )
    last = Quantizer(TensorFormat(8, (2.0**-5,), signed=True))
    net.insert(2, last)
    notes = export_qdq(net, x, path, weight_type="uint8")
    assert any("1.bias" in note for note in notes)
    constants = _constants(path)
    np.testing.assert_array_equal(constants["1.bias"], conv.bias.detach().numpy())
    wanted = net(x).detach().numpy()
    for optimize in (False, True):
        have = session(path, optimize=optimize).run(None, {"image": x.numpy()})[0]
        assert np.abs(have - wanted).max() <= 2.0**-5  # the runtime rounds the bias: one step
        assert (have == wanted).mean() > 0.9


class _Liar(Quantizer):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 1.5


def _off_grid() -> nn.Module:
    net = QuantNet(8, po2=True, per_axis=False)
    with torch.no_grad():
        net.conv2.weight[0, 0, 0, 0] += 0.3 * net.conv2.formats["weight"].scale[0]
    return net


def _nan() -> nn.Module:
    net = QuantNet(8, po2=True, per_axis=False)
    with torch.no_grad():
        net.fc.weight[0, 0] = torch.nan
    return net


def _wide() -> nn.Module:
    return nn.Sequential(Quantizer(TensorFormat(12, (2.0**-8,), signed=True)))


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (_off_grid(), r"1 of 54 entries of conv2\.weight are not on the 8-bit grid"),
        (_nan(), r"entries of fc\.weight are not on"),
        (nn.Sequential(_Liar(TensorFormat(8, (0.25,), signed=True))), "'0' does not compute"),
        (nn.Sequential(_Hidden()), "no parameter or buffer of that name"),
        (_wide(), "12 bits; ONNX QDQ holds 8 at opset 17"),
        (nn.Sequential(nn.Conv2d(3, 2, 1)), "quantize it first"),
    ],
    ids=["off grid", "nan", "liar", "hidden", "12 bits", "float"],
)
def test_contradictions_are_refused(tmp_path: Path, net: nn.Module, words: str) -> None:
    with pytest.raises(QdqError, match=words):
        export_qdq(net, images(2, 3, 8, 8), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_unknown_weight_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QdqError, match="'int8' or 'uint8'"):
        export_qdq(QuantNet(8, True, False), images(2, 3, 8, 8), tmp_path / "n", weight_type="int4")


def test_sixteen_bits_from_opset_21_on(tmp_path: Path) -> None:
    path, x = tmp_path / "net.onnx", images(2, 3, 8, 8)
    export_qdq(_wide(), x, path, opset=21)
    x = torch.cat([x, 20 * x])  # some beyond the range
    have = session(path, optimize=False).run(None, {"image": x.numpy()})[0]
    np.testing.assert_array_equal(have, _wide()(x).numpy())
