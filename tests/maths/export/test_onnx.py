from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from backend.export.onnx import ExportError, export_onnx, write_atomic
from tests.maths.export.conftest import Exported
from tests.maths.export.nets import images


def _run(path: Path, x: Tensor) -> np.ndarray:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": x.numpy()})[0]


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_any_batch_size_computes_what_torch_computes(float_file: Exported, batch: int) -> None:
    x = images(batch, 3, 16, 16, seed=batch)
    training = [part.training for part in float_file.net.modules()]
    with torch.no_grad():
        wanted = float_file.net.eval()(x)
    for part, was in zip(float_file.net.modules(), training, strict=True):
        part.training = was
    np.testing.assert_allclose(_run(float_file.path, x), wanted.numpy(), atol=1e-5)


def test_file_is_opset_17_ir_9_valid_and_names_its_ports(float_file: Exported) -> None:
    model = onnx.load(float_file.path)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert model.ir_version == 9
    (image,), (logits,) = model.graph.input, model.graph.output
    assert (image.name, logits.name) == ("image", "logits")
    sizes = [dim.dim_param or dim.dim_value for dim in image.type.tensor_type.shape.dim]
    assert sizes == ["batch", 3, 16, 16]
    assert {entry.key: entry.value for entry in model.metadata_props} == {"classes": "a,b"}


def test_batch_norm_is_folded_and_nodes_bear_module_names(float_file: Exported) -> None:
    nodes = onnx.load(float_file.path).graph.node
    assert "BatchNormalization" not in {node.op_type for node in nodes}
    names = [node.name for node in nodes]
    assert len(set(names)) == len(names)
    assert {"bn/Conv", "block.bn1/Conv", "block.bn2/Conv", "fc/Gemm"} <= set(names)


def test_module_is_left_as_it_was(float_file: Exported) -> None:
    assert all(part.training for part in float_file.net.modules())
    assert all(p.requires_grad and p.grad is None for p in float_file.net.parameters())


def test_file_tells_nothing_of_the_machine(float_file: Exported) -> None:
    content = float_file.path.read_bytes()
    assert b"site-packages" not in content
    assert os.getcwd().encode() not in content
    assert os.listdir(float_file.path.parent) == [float_file.path.name]  # no temporary file stays


def test_fixed_batch_and_a_higher_opset_without_a_word(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2))
    path = tmp_path / "deep" / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export_onnx(net, images(3, 3, 8, 8), path, opset=18, dynamic_batch=False, output_name="out")
    assert capfd.readouterr() == ("", "")
    model = onnx.load(path)
    assert model.opset_import[0].version == 18
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 3
    assert model.graph.output[0].name == "out"


class _Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.sum() > 0 else x


class _Two(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x + 1


@pytest.mark.parametrize(
    ("net", "words"),
    [(_Branching(), "cannot be traced"), (_Two(), "returns 2 tensors")],
    ids=["branch", "two outputs"],
)
def test_what_cannot_be_exported_is_refused_in_words(
    tmp_path: Path, net: nn.Module, words: str
) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"the previous file")
    with pytest.raises(ExportError, match=words) as caught:
        export_onnx(net, images(2, 3, 4, 4), path)
    assert caught.value.for_user
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"the previous file"


def test_opset_below_17_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="lowest is 17"):
        export_onnx(nn.Identity(), images(1, 3, 4, 4), tmp_path / "net.onnx", opset=11)


def test_interrupted_write_leaves_the_previous_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]
