from __future__ import annotations

import json
import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from backend.export.inspect import inspect_file
from backend.export.runtime import FileError
from tests.maths.export.conftest import Exported


def test_onnx_file(four_bit_file: Exported) -> None:
    facts = inspect_file(four_bit_file.path)
    json.dumps(facts, allow_nan=False)
    assert facts["format"] == "onnx"
    assert facts["opset"] == {"ai.onnx": 17}
    assert facts["ir_version"] == 9
    assert facts["inputs"] == [{"name": "image", "dtype": "float", "shape": ["batch", 3, 8, 8]}]
    assert facts["outputs"][0]["name"] == "logits"
    assert facts["operators"]["Conv"] == 2
    assert facts["bytes"] == four_bit_file.path.stat().st_size
    assert any(layer["name"] == "conv1/Conv" for layer in facts["layers"])
    tensors = {tensor["name"]: tensor for tensor in facts["tensors"]}
    codes = tensors["conv1.weight.codes"]
    assert (codes["dtype"], codes["bits"], codes["shape"]) == ("int8", 4, [6, 3, 3, 3])
    assert -7 <= codes["min"] <= codes["max"] <= 7
    assert tensors["conv1.bias.codes"]["bits"] == 32


def test_safetensors_and_checkpoint_figures(tmp_path: Path) -> None:
    weight = torch.tensor([[0.0, 1.0], [2.0, -3.0]])
    state = {"a.weight": weight, "b": torch.ones(3, dtype=torch.bfloat16)}
    save_file(state, tmp_path / "n.safetensors", metadata={"by": "test"})
    torch.save({"epoch": 3, "model": state, "more": [torch.tensor(torch.nan)]}, tmp_path / "n.pt")
    plain = inspect_file(tmp_path / "n.safetensors")
    saved = inspect_file(tmp_path / "n.pt")
    json.dumps([plain, saved], allow_nan=False)
    assert plain["metadata"] == {"by": "test"}
    assert plain["params"] == 7
    a, b = plain["tensors"]
    assert (a["name"], a["shape"], a["dtype"], a["bytes"], a["bits"]) == (
        "a.weight", [2, 2], "float32", 16, 32,
    )  # fmt: skip
    assert (a["min"], a["max"], a["mean"], a["zeros"]) == (-3, 2, 0, 0.25)
    assert (b["dtype"], b["bits"], b["mean"]) == ("bfloat16", 16, 1)
    assert [t["name"] for t in saved["tensors"]] == ["model.a.weight", "model.b", "more.0"]
    assert saved["tensors"][0] == {**a, "name": "model.a.weight"}
    assert (saved["tensors"][2]["min"], saved["tensors"][2]["nonfinite"]) == (None, 1)
    assert saved["metadata"] == {"epoch": "3"}


class _RunsCode:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("how", ["torch", "pickle", "module"])
def test_a_file_that_would_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pt"
    if how == "torch":
        torch.save({"w": _RunsCode()}, path)
    elif how == "pickle":
        path.write_bytes(pickle.dumps({"w": _RunsCode()}))
    else:
        torch.save(nn.Linear(2, 2), path)
    with pytest.raises(FileError, match=r"is refused: .* run code") as caught:
        inspect_file(path)
    assert caught.value.for_user
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".onnx"])
@pytest.mark.parametrize("kind", ["random", "text", "empty", "truncated"])
def test_damaged_files_get_one_sentence(
    tmp_path: Path, suffix: str, kind: str, float_file: Exported
) -> None:
    path = tmp_path / f"net{suffix}"
    if kind == "truncated":
        whole = tmp_path / "whole"
        if suffix == ".pt":
            torch.save({"w": torch.ones(100)}, whole)
        elif suffix == ".safetensors":
            save_file({"w": torch.ones(100)}, whole)
        else:
            whole.write_bytes(float_file.path.read_bytes())
        path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    else:
        random = np.random.default_rng(0).bytes(600)
        path.write_bytes({"random": random, "text": b"hello, world\n" * 20, "empty": b""}[kind])
    with pytest.raises(FileError, match=rf"net\{suffix} is damaged or no") as caught:
        inspect_file(path)
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"only \.onnx"):
        inspect_file(tmp_path / "net.h5")
    with pytest.raises(FileError, match="no file"):
        inspect_file(tmp_path / "net.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated; its files are about
        script = torch.jit.script(nn.Linear(2, 2))
        torch.jit.save(script, tmp_path / "script.pt")
    with pytest.raises(FileError, match="TorchScript"):
        inspect_file(tmp_path / "script.pt")
    torch.save({"epoch": 1}, tmp_path / "none.pt")
    with pytest.raises(FileError, match="no tensors"):
        inspect_file(tmp_path / "none.pt")


def test_tensors_in_other_files_are_not_opened(float_file: Exported, tmp_path: Path) -> None:
    model = onnx.load(float_file.path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    facts = inspect_file(tmp_path / "net.onnx")
    assert facts["tensors"][0]["external"]
    assert "mean" not in facts["tensors"][0]
