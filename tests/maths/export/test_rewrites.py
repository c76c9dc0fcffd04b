"""Faster graphs compute the same, whatever their weights; what only looks alike is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from backend.export.rewrites import attend_in_parts, compute_in_rows, join_upsampling
from backend.export.runtime import session
from backend.export.stages import stages

SIDE = 6


def graph(kernel: int, out: int, *, told: bool = False, **odd: Any) -> onnx.ModelProto:
    """Return up-sampling, padding and a convolution; ``odd`` changes one of their attributes."""
    dice = np.random.default_rng(0)
    weight = dice.standard_normal((out, 5, kernel, kernel)).astype(np.float32)
    edge = kernel // 2 + odd.get("more", 0)
    constants = {
        "scales": np.array([1, 1, odd.get("scale", 2), 2], np.float32),
        "pads": np.array([0, 0, edge, edge, 0, 0, edge, edge]),
        "bias": dice.standard_normal(out).astype(np.float32),
        "weight": weight,
    }
    nodes = [
        helper.make_node(
            "Resize", ["image", "", "scales"], ["large"], "up/Resize", mode="nearest",
            nearest_mode=odd.get("nearest", "floor"),
            coordinate_transformation_mode=odd.get("coordinates", "asymmetric"),
        ),
        helper.make_node(
            "Pad", ["large", "pads"], ["wide"], "pad/Pad", mode=odd.get("edge", "reflect")
        ),
        helper.make_node(
            "Conv", ["wide", "weight", "bias"], ["made"], "conv/Conv",
            kernel_shape=[kernel] * 2, strides=[odd.get("stride", 1)] * 2,
        ),
        helper.make_node("Tanh", ["made"], ["edited"], "tanh/Tanh"),
    ]  # fmt: skip
    if odd.get("read_twice"):
        nodes.append(helper.make_node("Relu", ["large"], ["seen"], "see/Relu"))
    if told:
        del constants["weight"]
    inputs = [helper.make_tensor_value_info("image", 1, [1, 5, SIDE, SIDE])]
    if told:
        inputs.append(helper.make_tensor_value_info("weight", 1, list(weight.shape)))
    made = helper.make_graph(
        nodes, "g", inputs, [helper.make_tensor_value_info("edited", 1, ["n", "c", "h", "w"])],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def answer(model: onnx.ModelProto, **feeds: np.ndarray) -> np.ndarray:
    image = np.random.default_rng(1).standard_normal((1, 5, SIDE, SIDE)).astype(np.float32)
    run = session(model.SerializeToString(), optimize=False)
    return run.run(["edited"], {"image": image, **feeds})[0]


@pytest.mark.parametrize("out", [1, 3, 8])
def test_an_up_sampling_joins_its_convolution(out: int) -> None:
    model = graph(3, out)
    before = answer(model)
    assert join_upsampling(model) == 1
    onnx.checker.check_model(model)
    assert "Resize" not in {node.op_type for node in model.graph.node}
    assert np.abs(answer(model) - before).max() <= 1e-5


@pytest.mark.parametrize("kernel", [5, 7])
def test_few_outputs_are_computed_row_by_row(kernel: int) -> None:
    model = graph(kernel, 3)
    before = answer(model)
    assert compute_in_rows(model) == 1
    onnx.checker.check_model(model)
    shapes = [a.ints[:] for n in model.graph.node for a in n.attribute if a.name == "kernel_shape"]
    assert shapes == [[1, kernel]]
    assert np.abs(answer(model) - before).max() <= 1e-5


@pytest.mark.parametrize(("kernel", "rewrite"), [(3, join_upsampling), (7, compute_in_rows)])
def test_weights_that_come_with_the_picture_are_used(kernel: int, rewrite: Any) -> None:
    model = graph(kernel, 3, told=True)
    weight = np.random.default_rng(2).standard_normal((3, 5, kernel, kernel)).astype(np.float32)
    before = answer(model, weight=weight)
    assert rewrite(model) == 1
    assert np.abs(answer(model, weight=weight) - before).max() <= 1e-5
    assert np.abs(answer(model, weight=2 * weight) - before).max() > 1e-2


@pytest.mark.parametrize(
    "odd",
    [{"scale": 3}, {"nearest": "ceil"}, {"coordinates": "half_pixel"}, {"edge": "edge"},
     {"stride": 2}, {"more": 1}, {"read_twice": True}],
    ids=lambda odd: next(iter(odd)),
)  # fmt: skip
def test_what_only_looks_like_an_up_sampling_by_two_is_left_alone(odd: dict[str, Any]) -> None:
    model = graph(3, 4, **odd)
    before = model.SerializeToString()
    assert join_upsampling(model) == 0
    assert model.SerializeToString() == before


@pytest.mark.parametrize(("kernel", "out", "odd"), [(7, 3, {"stride": 2}), (3, 3, {}), (7, 8, {})])
def test_other_convolutions_stay_whole(kernel: int, out: int, odd: dict[str, Any]) -> None:
    model = graph(kernel, out, **odd)
    assert compute_in_rows(model) == 0


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_stages_one_after_the_other_are_the_whole(count: int) -> None:
    model = graph(3, 3, told=True)
    join_upsampling(model)
    weight = np.random.default_rng(2).standard_normal((3, 5, 3, 3)).astype(np.float32)
    whole = answer(model, weight=weight)
    values = np.random.default_rng(1).standard_normal((1, 5, SIDE, SIDE)).astype(np.float32)
    found = stages(model, count)
    assert len(found) == min(count, 5)  # where one tensor alone is alive
    for stage in found:
        onnx.checker.check_model(stage)
        run = session(stage.SerializeToString(), optimize=False)
        first, *more = [entry.name for entry in run.get_inputs()]
        assert set(more) <= {"weight"}
        values = run.run(None, {first: values, **dict.fromkeys(more, weight)})[0]
    assert np.array_equal(values, whole)
    asked = ["weight" in [entry.name for entry in stage.graph.input] for stage in found]
    assert sum(asked) == 1, "a weight goes to the stage that needs it"


def attention(tokens: int, **odd: Any) -> onnx.ModelProto:
    """Return softmax(X X^T) X of (1, 2, tokens, 4)."""
    nodes = [
        helper.make_node("Transpose", ["image"], ["turned"], "k/Transpose", perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["image", "turned"], ["scores"], "qk/MatMul"),
        helper.make_node("Softmax", ["scores"], ["shares"], "softmax", axis=odd.get("axis", -1)),
        helper.make_node("MatMul", ["shares", "image"], ["edited"], "v/MatMul"),
    ]
    if odd.get("read_twice"):
        nodes.append(helper.make_node("Relu", ["scores"], ["seen"], "see/Relu"))
    shape = [1, 2, tokens, 4]
    ends = [helper.make_tensor_value_info(name, 1, shape) for name in ("image", "edited")]
    made = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_large_attention_is_computed_in_parts() -> None:
    model = attention(1024)
    x = np.random.default_rng(0).standard_normal((1, 2, 1024, 4)).astype(np.float32)
    before = session(model.SerializeToString(), optimize=False).run(None, {"image": x})[0]
    assert attend_in_parts(model) == 1
    onnx.checker.check_model(model)
    assert sum(node.op_type == "Softmax" for node in model.graph.node) == 4
    after = session(model.SerializeToString(), optimize=False).run(None, {"image": x})[0]
    assert np.abs(after - before).max() <= 1e-6


@pytest.mark.parametrize(
    ("tokens", "odd"), [(64, {}), (1022, {}), (1024, {"axis": 2}), (1024, {"read_twice": True})]
)
def test_other_attention_stays_whole(tokens: int, odd: dict[str, Any]) -> None:
    assert attend_in_parts(attention(tokens, **odd)) == 0
