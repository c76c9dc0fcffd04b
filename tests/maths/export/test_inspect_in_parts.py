"""Looking into a file piece by piece, histograms, and what each layer of an ONNX graph costs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file

from backend.cli import main
from backend.export.inspect import inspect_file, inspect_in_parts
from backend.export.onnx_layers import layers_of
from backend.export.runtime import FileError
from tests.maths.export.conftest import Exported


def weights(tmp_path: Path) -> Path:
    state = {
        "a.weight": torch.tensor([[0.0, 1.0], [2.0, -3.0]]),
        "b": torch.linspace(-1, 1, 1000, dtype=torch.float16),
        "codes": torch.tensor([-7, -7, 0, 7], dtype=torch.int8),
        "empty": torch.zeros(0),
        "odd": torch.tensor([torch.nan, torch.inf, 1.0]),
        "same": torch.full((3,), 2.5),
        "same32": torch.full((3,), 2.0, dtype=torch.bfloat16),
        "flag": torch.tensor([True, False]),
    }
    save_file(state, tmp_path / "net.safetensors")
    torch.save(state, tmp_path / "net.pt")
    return tmp_path / "net.safetensors"


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_the_parts_make_the_whole(tmp_path: Path, suffix: str) -> None:
    path = weights(tmp_path).with_suffix(suffix)
    whole = inspect_file(path)
    first, *rest = inspect_in_parts(path)
    assert "min" not in first["tensors"][0]
    assert [part["tensor"] for part in rest] == list(range(len(first["tensors"])))
    for part in rest:
        place = part.pop("tensor")
        part.pop("histogram", None)
        first["tensors"][place].update(part)
    assert first == whole


def test_the_parts_of_an_onnx_file(four_bit_file: Exported) -> None:
    first, *rest = inspect_in_parts(four_bit_file.path)
    by_name = {first["tensors"][part["tensor"]]["name"]: part for part in rest}
    codes = by_name["conv1.weight.codes"]["histogram"]
    assert sum(codes["counts"]) == 6 * 3 * 3 * 3
    assert len(codes["counts"]) <= 15
    json.dumps([first, *rest], allow_nan=False)


def test_histograms(tmp_path: Path) -> None:
    first, *rest = inspect_in_parts(weights(tmp_path), bins=10)
    names = [tensor["name"] for tensor in first["tensors"]]
    found = {names[part["tensor"]]: part.get("histogram") for part in rest}
    assert found["a.weight"] == {"low": -3.5, "high": 2.5, "counts": [1, 0, 0, 1, 1, 1]}
    assert found["b"]["counts"] == [100] * 10
    assert found["codes"] == {"low": -7.5, "high": 7.5, "counts": [2, *[0] * 6, 1, *[0] * 6, 1]}
    assert found["empty"] is None
    assert found["odd"]["counts"] == [1]
    assert sum(found["same"]["counts"]) == 3
    assert found["flag"]["counts"] == [1, 1]


def test_numbers_at_the_end_of_the_range_have_no_bins(tmp_path: Path) -> None:
    save_file(
        {"w": torch.tensor([-1.7e308, 1.7e308], dtype=torch.float64)}, tmp_path / "w.safetensors"
    )
    _, part = inspect_in_parts(tmp_path / "w.safetensors")
    assert part["histogram"]["counts"] == []
    json.dumps(part, allow_nan=False)


def test_the_command_prints_a_line_a_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "--lines", str(weights(tmp_path))]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["format"] == "safetensors"
    assert len(lines) == 1 + len(lines[0]["tensors"])


def test_damage_behind_the_header_is_told_in_a_sentence(
    tmp_path: Path, float_file: Exported
) -> None:
    model = onnx.load(float_file.path)
    model.graph.initializer[0].raw_data = b"abc"
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    parts = inspect_in_parts(tmp_path / "net.onnx")
    assert next(parts)["format"] == "onnx"
    with pytest.raises(FileError, match=r"net\.onnx is damaged"):
        list(parts)


# -- layers ----------------------------------------------------------------------------------------


def model(nodes, inputs, weights, batch="batch") -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            helper.make_tensor(k, TensorProto.FLOAT, v, np.ones(v, np.float32).ravel())
            for k, v in weights.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


CASES = [
    # out 8x16x16, 3 channels in, 3x3: 8*16*16*27
    (
        helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1], strides=[2, 2]),
        {"x": ["batch", 3, 32, 32]},
        {"w": [8, 3, 3, 3]},
        8 * 16 * 16 * 27,
    ),
    # depthwise: one channel a filter
    (
        helper.make_node("Conv", ["x", "w"], ["y"], group=4),
        {"x": ["batch", 4, 6, 6]},
        {"w": [4, 1, 3, 3]},
        4 * 4 * 4 * 9,
    ),
    # each input entry meets 5 filters of 2x2
    (
        helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2]),
        {"x": ["batch", 3, 4, 4]},
        {"w": [3, 5, 2, 2]},
        3 * 4 * 4 * 5 * 4,
    ),
    (
        helper.make_node("Gemm", ["x", "w"], ["y"], transB=1),
        {"x": ["batch", 20]},
        {"w": [10, 20]},
        200,
    ),
    (helper.make_node("Gemm", ["x", "w"], ["y"]), {"x": ["batch", 20]}, {"w": [20, 10]}, 200),
    (
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        {"x": ["batch", 7, 20]},
        {"w": [20, 10]},
        7 * 10 * 20,
    ),
    (helper.make_node("Relu", ["x"], ["y"]), {"x": ["batch", 20]}, {}, 0),
    # the size of the picture is not known
    (
        helper.make_node("Conv", ["x", "w"], ["y"]),
        {"x": ["batch", 3, "height", "width"]},
        {"w": [8, 3, 3, 3]},
        None,
    ),
]


@pytest.mark.parametrize(("node", "inputs", "weights", "macs"), CASES)
def test_multiply_accumulates_of_one_sample(node, inputs, weights, macs) -> None:
    (layer,) = layers_of(model([node], inputs, weights), 0)
    assert layer["macs"] == macs
    assert layer["params"] == sum(int(np.prod(shape)) for shape in weights.values())
    assert layer["operator"] == node.op_type


def test_shapes_keep_the_name_of_an_open_size() -> None:
    node, inputs, weights_, _ = CASES[0]
    (layer,) = layers_of(model([node], inputs, weights_), 0)
    assert layer["shape"] == ["batch", 8, 16, 16]


def test_the_file_gives_the_sum_or_nothing(float_file: Exported) -> None:
    facts = inspect_file(float_file.path)
    assert facts["macs"] == sum(layer["macs"] for layer in facts["layers"]) > 0
    conv = next(layer for layer in facts["layers"] if layer["operator"] == "Conv")
    assert conv["shape"][0] == "batch"


def test_a_graph_that_no_shapes_can_be_inferred_for_keeps_its_layers() -> None:
    broken = model([helper.make_node("Gemm", ["x", "w"], ["y"])], {"x": [2, 3]}, {"w": [9, 9]})
    layers = layers_of(broken, 0)
    assert [layer["operator"] for layer in layers] == ["Gemm"]
    assert layers_of(broken, 10**12)[0]["params"] == 81
