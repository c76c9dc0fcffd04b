from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from backend.export.opset import OpsetError, to_opset_17
from backend.export.runtime import session

X = np.random.default_rng(0).standard_normal((2, 4, 6, 6)).astype(np.float32)


def _model(
    kind: str, constants: dict[str, np.ndarray], outputs: int = 1, **attributes: object
) -> onnx.ModelProto:
    """One node of opset 18; an empty name in ``constants`` is an input left out."""
    names = ["y", "z", "w"][:outputs]
    node = helper.make_node(kind, ["x", *constants], names, name=f"a/{kind}", **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names],
        [numpy_helper.from_array(a, n) for n, a in constants.items() if n.strip()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


AXES = {"axes": np.array([2, 3])}
SAME = {
    "ReduceMean": _model("ReduceMean", AXES, keepdims=0),
    "ReduceMax": _model("ReduceMax", {"axes": np.array([1])}, keepdims=1),
    "ReduceL2 over all": _model("ReduceL2", {}, keepdims=0),
    "Split by number": _model("Split", {}, 2, axis=1, num_outputs=2),
    "Split by sizes": _model("Split", {"sizes": np.array([1, 3])}, 2, axis=1),
    "Pad": _model("Pad", {"pads": np.array([0, 0, 1, 2, 0, 0, 1, 0]), "v": np.float32(3)}),
    "Resize": _model(
        "Resize",
        {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, 2, 2], np.float32)},
        mode="linear",
        antialias=0,
        keep_aspect_ratio_policy="stretch",
    ),
    "Relu": _model("Relu", {}),
}
REFUSED = {
    "pads chosen axes": _model(
        "Pad", {"pads": np.array([1, 1]), "v": np.float32(0), "axes": np.array([2])}
    ),
    "sets antialias": _model(
        "Resize",
        {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, 0.5, 0.5], np.float32)},
        mode="linear",
        antialias=1,
    ),
    "unequal size": _model("Split", {}, 2, axis=1, num_outputs=3),
    "reduces no axis": _model("ReduceSumSquare", {}, noop_with_empty_axes=1),
    "reduces by max": _model(
        "ScatterElements",
        {"i": np.zeros((1, 1, 1, 1), np.int64), "u": np.ones((1, 1, 1, 1), np.float32)},
        reduction="max",
    ),
    "does not exist": _model("Mish", {}),
}


@pytest.mark.parametrize("name", SAME)
def test_result_is_the_same_in_17(name: str) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(SAME[name])
    wanted = session(model.SerializeToString()).run(None, {"x": X})
    for value, array in zip(model.graph.output, wanted, strict=True):  # the checker wants shapes
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, array.shape))
    to_opset_17(model)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == 17
    have = session(model.SerializeToString()).run(None, {"x": X})
    for a, b in zip(have, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("why", REFUSED)
def test_what_17_lacks_is_refused_by_name(why: str) -> None:
    kind = REFUSED[why].graph.node[0].op_type
    with pytest.raises(OpsetError, match=rf"{kind} .*{why}.*opset=18"):
        to_opset_17(REFUSED[why])
