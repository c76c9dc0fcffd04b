"""Whole ONNX graphs: layers, shape arithmetic, shared weights, refusals."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from backend.models.from_onnx import import_onnx
from backend.models.onnx_graph import OnnxError
from backend.models.recipe import (
    Recipe,
    RecipeError,
    apply,
    build,
    load_network,
    save_network,
    transform,
)
from backend.models.tracing import trace

RNG = np.random.default_rng(11)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def model(
    nodes: list[onnx.NodeProto],
    shape: list[int | str],
    constants: dict[str, np.ndarray],
    opset: int = 17,
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return made.SerializeToString()


def node(kind: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(
        kind, inputs.split(), outputs.split(), name=f"the_{outputs}", **attributes
    )


def assert_same(data: bytes, network: nn.Module, x: np.ndarray) -> None:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": x})[0]
    with torch.no_grad():
        found = network(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


def convnet(batch: int | str = "n") -> bytes:
    """What exporters write for a small net: convolution with norm, residual sum, pooled head."""
    nodes = [
        node("Conv", "x w1 b1", "a", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "a s t m v", "b"),
        node("Relu", "b", "c"),
        node("Conv", "c w2", "d", pads=[1, 1, 1, 1]),
        node("Add", "d c", "e"),
        node("Clip", "e zero six", "f"),
        node("GlobalAveragePool", "f", "g"),
        node("Reshape", "g shape", "h"),
        node("Gemm", "h w3 b3", "y", transB=1),
    ]
    constants = {
        "w1": normal(4, 3, 3, 3), "b1": normal(4), "w2": normal(4, 4, 3, 3), "w3": normal(5, 4),
        "b3": normal(5), "s": normal(4), "t": normal(4), "m": normal(4),
        "v": np.abs(normal(4)) + 0.5,
        "zero": np.float32(0), "six": np.float32(6),
        "shape": np.array([1 if batch == 1 else -1, 4]),
    }  # fmt: skip
    return model(nodes, [batch, 3, 8, 8], {k: np.asarray(v) for k, v in constants.items()})


@transform("test.drop_classes")
def drop_classes(module: nn.Module, plan: dict) -> nn.Module:
    layer = module.get_submodule(plan["layer"])
    layer.weight = nn.Parameter(layer.weight.detach()[plan["kept"]])
    layer.bias = nn.Parameter(layer.bias.detach()[plan["kept"]])
    layer.out_features = len(plan["kept"])
    return module


def test_layers_are_those_of_torch_and_values_agree() -> None:
    data = convnet()
    network, recipe = import_onnx(data)
    kinds = Counter(type(part).__name__ for part in network.children())
    assert kinds == {
        "Conv2d": 2, "BatchNorm2d": 1, "ReLU": 1, "ReLU6": 1, "AdaptiveAvgPool2d": 1, "Linear": 1,
    }  # fmt: skip
    assert_same(data, network, normal(3, 3, 8, 8))
    assert recipe.builder == f"onnx:{hashlib.sha256(data).hexdigest()}"
    assert not network.training


def test_recipe_saves_loads_and_takes_transforms(tmp_path: Path) -> None:
    network, recipe = import_onnx(convnet())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.01)
    smaller, longer = apply(
        network, recipe, "test.drop_classes", {"layer": "the_y", "kept": [0, 3]}
    )
    save_network(tmp_path, longer, smaller)
    again, loaded = load_network(tmp_path)
    assert again == longer
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(loaded(x), smaller(x))
    assert loaded(x).shape == (2, 2)
    assert torch.allclose(network(x)[:, [0, 3]], smaller(x), atol=1e-5)


def test_imported_network_trains() -> None:
    network, _ = import_onnx(convnet())
    network.train()
    network(torch.randn(4, 3, 8, 8)).square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_batch_of_one_fixed_by_the_export_becomes_free() -> None:
    data = convnet(batch=1)
    network, _ = import_onnx(data)
    one = normal(1, 3, 8, 8)
    assert_same(data, network, one)
    several = torch.from_numpy(np.concatenate([one, normal(2, 3, 8, 8)]))
    assert torch.allclose(network(several)[:1], network(torch.from_numpy(one)), atol=1e-6)


def test_shape_arithmetic_becomes_whole_numbers() -> None:
    # Reshape to (batch, channels * height, -1) with sizes taken from the input, as exporters write
    # it.
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s i0", "batch", axis=0),
        node("Gather", "s i1", "channels", axis=0),
        node("Slice", "s two three", "height"),
        node("Unsqueeze", "batch axis", "batch1"),
        node("Unsqueeze", "channels axis", "channels1"),
        node("Mul", "channels1 height", "rows"),
        node("Constant", "", "rest", value_ints=[-1]),
        node("Concat", "batch1 rows rest", "shape", axis=0),
        node("Cast", "shape", "shape64", to=TensorProto.INT64),
        node("Reshape", "x shape64", "y"),
    ]
    constants = {
        "i0": np.array(0), "i1": np.array(1), "two": np.array([2]), "three": np.array([3]),
        "axis": np.array([0]),
    }  # fmt: skip
    data = model(nodes, ["n", 3, "h", 4], constants)
    network, _ = import_onnx(data)
    for shape in ((2, 3, 5, 4), (1, 3, 2, 4)):
        assert_same(data, network, normal(*shape))


def test_constant_arithmetic_is_done_at_once() -> None:
    nodes = [
        node(
            "ConstantOfShape",
            "shape",
            "ones",
            value=numpy_helper.from_array(np.ones(1, np.float32)),
        ),
        node("Mul", "ones three", "threes"),
        node("Sqrt", "threes", "roots"),
        node("Mul", "x roots", "y"),
    ]
    data = model(nodes, ["n", 4], {"shape": np.array([4]), "three": np.array(3.0, np.float32)})
    network, _ = import_onnx(data)
    calls = [one for one in network.graph.nodes if one.op.startswith("call")]
    assert len(calls) == 1
    assert_same(data, network, normal(2, 4))


def test_shared_weights_stay_one_parameter(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x w", "a"), node("Relu", "a", "b"), node("MatMul", "b w", "y")]
    data = model(nodes, ["n", 4], {"w": normal(4, 4)})
    network, recipe = import_onnx(data)
    assert len(list(network.parameters())) == 1
    assert len(list(build(recipe).parameters())) == 1
    assert_same(data, network, normal(3, 4))
    save_network(tmp_path, recipe, network)
    assert len(list(load_network(tmp_path)[1].parameters())) == 1


def test_embedding_and_attention_agree() -> None:
    nodes = [
        node("Cast", "x", "index", to=TensorProto.INT64),
        node("Gather", "table index", "e"),
        node("MatMul", "e q", "queries"),
        node("Transpose", "e", "keys", perm=[0, 2, 1]),
        node("MatMul", "queries keys", "scores"),
        node("Softmax", "scores", "p", axis=-1),
        node("MatMul", "p e", "y"),
    ]
    data = model(nodes, ["n", 6], {"table": normal(9, 4), "q": normal(4, 4)})
    network, _ = import_onnx(data)
    assert isinstance(network.get_submodule("the_e"), nn.Embedding)
    assert_same(data, network, RNG.integers(0, 9, (2, 6)).astype(np.float32))


def test_unknown_operators_are_refused_with_their_nodes() -> None:
    nodes = [node("Sin", "x", "a"), node("Cos", "a", "b"), node("Sin", "b", "y")]
    words = r"not understood: Cos in the_b; Sin in the_a, the_y\."
    with pytest.raises(OnnxError, match=words):
        import_onnx(model(nodes, ["n", 4], {}))


def test_quantized_network_gets_a_hint() -> None:
    nodes = [node("QuantizeLinear", "x s", "q"), node("DequantizeLinear", "q s", "y")]
    with pytest.raises(OnnxError, match="quantized already"):
        import_onnx(model(nodes, ["n", 4], {"s": np.array(0.1, np.float32)}))


@pytest.mark.parametrize("opset", [10, 22])
def test_other_opsets_are_refused(opset: int) -> None:
    with pytest.raises(OnnxError, match=rf"has the opset {opset}; understood are 11 to 21"):
        import_onnx(model([node("Relu", "x", "y")], ["n", 4], {}, opset))


def test_unsupported_attribute_names_operator_and_node() -> None:
    nodes = [node("MaxPool", "x", "y places", kernel_shape=[2, 2])]
    with pytest.raises(OnnxError, match=r"MaxPool of the node 'the_y places' gives the places"):
        import_onnx(model(nodes, ["n", 3, 8, 8], {}))


@pytest.mark.parametrize("content", [b"", b"hello, this is no network", convnet()[:-500]])
def test_damaged_file_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(
        OnnxError, match=r"truncated, damaged or no ONNX|holds no nodes|cannot be read"
    ):
        import_onnx(tmp_path / "a.onnx")


def test_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read: No such file"):
        import_onnx(tmp_path / "none.onnx")


def test_value_that_nothing_computes_is_named() -> None:
    with pytest.raises(OnnxError, match=r"contradicts itself: .*ghost"):
        import_onnx(model([node("Add", "x ghost", "y")], ["n", 4], {}))


def test_imported_network_can_be_traced_again() -> None:
    network, _ = import_onnx(convnet())
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(trace(network)(x), network(x))


def test_tensors_beside_the_file_are_taken_in(tmp_path: Path) -> None:
    data = convnet()
    onnx.save_model(
        onnx.load_model_from_string(data),
        tmp_path / "a.onnx",
        save_as_external_data=True,
        size_threshold=0,
    )
    network, recipe = import_onnx(tmp_path / "a.onnx")
    assert_same(data, network, normal(1, 3, 8, 8))
    for file in tmp_path.iterdir():
        file.unlink()
    assert build(recipe, meta=False)(torch.zeros(1, 3, 8, 8)).shape == (1, 5)


def test_changed_or_missing_bytes_are_refused() -> None:
    _, recipe = import_onnx(convnet())
    name = next(iter(recipe.files))
    with pytest.raises(RecipeError, match="not the one"):
        build(Recipe(recipe.builder, files={name: convnet()}))
    with pytest.raises(RecipeError, match="is missing"):
        build(Recipe(recipe.builder))


def test_exported_zoo_network_comes_back_the_same() -> None:
    torch.manual_seed(0)
    source = build(
        Recipe("zoo:mobilenet_v2(width=0.25, stem='cifar', classes=4)"), meta=False
    ).eval()
    x = torch.randn(2, 3, 16, 16)
    program = torch.onnx.export(
        source, (x,), None, dynamo=True, opset_version=18, verbose=False,
        dynamic_shapes=({0: torch.export.Dim("n")},),
    )  # fmt: skip
    network, _ = import_onnx(program.model_proto.SerializeToString())
    several = torch.randn(3, 3, 16, 16)
    assert torch.allclose(network(several), source(several), atol=1e-5)
