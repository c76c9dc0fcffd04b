from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from backend.export.qdq import export_qdq
from backend.export.runtime import FileError, has_saturating_int8
from backend.export.verify import Parity, ParityError, golden, layer_errors, verify
from backend.quant.describe import TensorFormat
from tests.maths.export.conftest import Exported
from tests.maths.export.nets import QConv, Quantizer, images, on_grid


def _disturb(source: Path, target: Path, name: str, change: float) -> None:
    model = onnx.load(source)
    for tensor in model.graph.initializer:
        if tensor.name == name:
            array = numpy_helper.to_array(tensor).copy()
            array.reshape(-1)[::9] += np.asarray(change, array.dtype)
            tensor.CopyFrom(numpy_helper.from_array(array, name))
            break
    else:
        pytest.fail(f"no initializer {name}")
    onnx.save(model, target)


def test_float_file_passes(float_file: Exported) -> None:
    parity = verify(float_file.net, float_file.path, images(40, 3, 16, 16, seed=3))
    assert parity.passed
    assert parity.samples == 40
    assert 0 <= parity.mean_error <= parity.max_error < 1e-5
    assert parity.optimized_max_error < 1e-5
    assert parity.argmax_agreement == 1
    assert not parity.saturates
    assert parity.warning is None
    assert all(part.training for part in float_file.net.modules())


def test_every_kind_of_layer_is_matched(float_file: Exported) -> None:
    errors = layer_errors(float_file.net, onnx.load(float_file.path), images(2, 3, 16, 16))
    # Convolutions are folded with the batch norm behind them and bear its name.
    assert list(errors) == ["bn", "block.bn1", "block.bn2", "act", "tokens", "pool", "fc"]
    assert max(errors.values()) < 1e-5


@pytest.mark.parametrize(
    ("weight", "layer"),
    [
        ("stem.weight", "bn"),
        ("block.conv2.weight", "block.bn2"),
        ("tokens.bias", "tokens"),
        ("fc.weight", "fc"),
    ],
)
def test_failure_names_the_layer_where_the_error_enters(
    float_file: Exported, tmp_path: Path, weight: str, layer: str
) -> None:
    path = tmp_path / "bad.onnx"
    _disturb(float_file.path, path, weight, 0.5)
    with pytest.raises(ParityError, match=rf"enters at layer '{layer}'") as caught:
        verify(float_file.net, path, images(8, 3, 16, 16))
    assert caught.value.for_user
    assert "allowed" in str(caught.value)


def test_quantized_file_is_judged_as_written_and_by_layer(
    po2_file: Exported, tmp_path: Path
) -> None:
    parity = verify(po2_file.net, po2_file.path, images(16, 3, 8, 8))
    assert parity.max_error == 0
    assert (parity.worst_layer, parity.worst_layer_error) == (None, 0)
    path = tmp_path / "bad.onnx"
    _disturb(po2_file.path, path, "tokens.weight.codes", 40)
    with pytest.raises(ParityError, match="'tokens'"):
        verify(po2_file.net, path, images(16, 3, 8, 8))


def test_not_a_number_is_an_error(float_file: Exported, tmp_path: Path) -> None:
    path = tmp_path / "nan.onnx"
    _disturb(float_file.path, path, "fc.bias", float("nan"))
    with pytest.raises(ParityError, match="largest error inf"):
        verify(float_file.net, path, images(2, 3, 16, 16))


def test_saturation_is_the_processors_fault_not_the_files(tmp_path: Path) -> None:
    torch.manual_seed(0)
    conv = QConv(16, 4, 3)
    with torch.no_grad():
        conv.weight.fill_(127 / 128)
    net = nn.Sequential(
        Quantizer(TensorFormat(8, (2.0**-5,), signed=False)),
        on_grid(conv, 8, (2.0**-7,), 2.0**-5),
        Quantizer(TensorFormat(8, (8.0,), signed=False)),
    )
    x = images(4, 16, 6, 6).abs() + 8  # every code is 255
    found = {}
    for kind in ("int8", "uint8"):
        path = tmp_path / f"{kind}.onnx"
        export_qdq(net, x, path, weight_type=kind)
        found[kind] = verify(net, path, x)
    assert all(parity.passed for parity in found.values())
    assert not found["uint8"].saturates
    assert found["uint8"].optimized_max_error == 0
    assert found["int8"].saturates == has_saturating_int8()
    if has_saturating_int8():
        assert found["int8"].optimized_max_error >= 8
        assert "weight_type='uint8'" in (found["int8"].warning or "")


def test_kernels_that_round_differently_are_mentioned() -> None:
    parity = Parity(1e-6, 1e-7, 1.0, 8, 1e-4, 0.01, False, None, 0.0)
    assert "round differently" in (parity.warning or "")


def test_golden_pair_lies_beside_the_file(float_file: Exported, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(float_file.path.read_bytes())
    x = images(3, 3, 16, 16)
    image, output = golden(path, x)
    with np.load(tmp_path / "net.golden.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["input"], image)
        np.testing.assert_array_equal(stored["output"], output)
    np.testing.assert_array_equal(image, x.numpy())
    assert output.shape == (3, 5)


def test_wrong_inputs_and_files_get_a_sentence(float_file: Exported, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="wants inputs"):
        verify(float_file.net.eval(), float_file.path, images(2, 3, 20, 20))
    with pytest.raises(FileError, match="no file"):
        verify(float_file.net, tmp_path / "none.onnx", images(2, 3, 16, 16))
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(FileError, match="cannot be opened"):
        verify(float_file.net, tmp_path / "bad.onnx", images(2, 3, 16, 16))
    float_file.net.train()
