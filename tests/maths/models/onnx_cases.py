"""One row an ONNX operator and variant: inputs by shape, constants by shape or value, attributes,
opset.

A shape tuple asks for seeded normal values; arrays are taken as they are. ``fixed`` inputs become
initializers, ``free`` ones inputs of the network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True)
class Case:
    op: str
    free: tuple[Any, ...] = ((2, 3, 8, 8),)
    fixed: tuple[Any, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 17
    outputs: int = 1
    note: str = ""

    @property
    def id(self) -> str:
        return "-".join(filter(None, [self.op, f"{self.opset}", self.note]))

    def arrays(self) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
        rng = np.random.default_rng(7)
        return [_array(one, rng) for one in self.free], [_array(one, rng) for one in self.fixed]

    def model(self, free_batch: bool = True) -> onnx.ModelProto:
        free, fixed = self.arrays()
        inputs = [
            helper.make_tensor_value_info(
                f"x{i}",
                helper.np_dtype_to_tensor_dtype(one.dtype),
                ["n" if free_batch and j == 0 else size for j, size in enumerate(one.shape)],
            )
            for i, one in enumerate(free)
        ]
        names = [f"c{i}" if one is not None else "" for i, one in enumerate(fixed)]
        constants = [
            numpy_helper.from_array(one, name)
            for one, name in zip(fixed, names, strict=True)
            if one is not None
        ]
        outputs = [f"y{i}" for i in range(self.outputs)]
        node = helper.make_node(
            self.op, [one.name for one in inputs] + names, outputs, "one", **self.attributes
        )
        kind = self.attributes["to"] if self.op == "Cast" else TensorProto.FLOAT
        infos = [helper.make_tensor_value_info(name, kind, None) for name in outputs]
        graph = helper.make_graph([node], "case", inputs, infos, constants)
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10
        )


def _array(one: Any, rng: np.random.Generator) -> np.ndarray | None:
    if isinstance(one, tuple):
        return rng.standard_normal(one).astype(np.float32)
    return one


def i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def scalar(value: float) -> np.ndarray:
    return np.array(value, np.float32)


POSITIVE = np.random.default_rng(3).uniform(0.1, 2.0, (2, 3, 4, 4)).astype(np.float32)
VARIANCE = f32(0.5, 1.0, 2.0)
K3 = {"kernel_shape": [3, 3]}
S2 = {"strides": [2, 2]}

CONVOLUTIONS = [
    Case("Conv", fixed=((4, 3, 3, 3), (4,)), note="bias"),
    Case("Conv", fixed=((4, 3, 3, 3),), attributes={"pads": [1, 1, 1, 1], **S2}, note="stride"),
    Case("Conv", fixed=((4, 3, 3, 3),), attributes={"pads": [0, 1, 2, 1]}, note="uneven"),
    Case("Conv", fixed=((4, 3, 3, 3),), attributes={"dilations": [2, 2]}, note="dilation"),
    Case("Conv", fixed=((6, 1, 3, 3), (6,)), attributes={"group": 3}, note="group"),
    Case("Conv", fixed=((4, 3, 3, 3),), attributes={"auto_pad": "SAME_UPPER", **S2}, note="upper"),
    Case("Conv", fixed=((4, 3, 4, 4),), attributes={"auto_pad": "SAME_LOWER"}, note="lower"),
    Case("Conv", fixed=((4, 3, 3, 3),), attributes={"auto_pad": "VALID"}, note="valid"),
    Case("Conv", ((2, 3, 9),), ((4, 3, 3), (4,)), {"pads": [1, 1]}, note="1d", opset=11),
    Case("Conv", ((1, 2, 5, 6, 4),), ((4, 2, 2, 3, 2),), note="3d", opset=21),
    Case("ConvTranspose", fixed=((3, 4, 3, 3), (4,)), attributes=S2, note="stride"),
    Case(
        "ConvTranspose",
        fixed=((3, 2, 3, 3),),
        attributes={"pads": [1, 1, 1, 1], "output_padding": [1, 1], "group": 3, **S2},
        note="group",
    ),
    Case("ConvTranspose", fixed=((3, 4, 3, 3),), attributes={"pads": [0, 1, 1, 0]}, note="uneven"),
    Case(
        "ConvTranspose",
        fixed=((3, 4, 3, 3),),
        attributes={"auto_pad": "SAME_UPPER", **S2},
        note="upper",
    ),
    Case(
        "ConvTranspose",
        fixed=((3, 4, 3, 3),),
        attributes={"output_shape": [16, 15], **S2},
        note="shape",
    ),
]
LINEAR = [
    Case("Gemm", ((5, 6),), ((6, 4), (4,))),
    Case(
        "Gemm", ((5, 6),), ((4, 6), (4,)), {"transB": 1, "alpha": 0.5, "beta": 2.0}, note="scaled"
    ),
    Case("Gemm", ((5, 6),), ((4, 6), scalar(0.3)), {"transB": 1}, note="scalar"),
    Case("Gemm", ((5, 6), (6, 4)), ((5, 4),), {"alpha": 2.0, "beta": 0.5}, note="free"),
    Case("Gemm", ((6, 5),), ((6, 4), (4,)), {"transA": 1}, note="transA"),
    Case("MatMul", ((2, 5, 6),), ((6, 4),), note="linear"),
    Case("MatMul", ((2, 5, 6), (2, 6, 3)), note="free"),
]
ARITHMETIC = [
    *(Case(op, ((2, 3, 4, 4), (2, 3, 4, 4))) for op in ("Add", "Sub", "Mul", "Min", "Max")),
    *(
        Case(op, ((2, 3, 4, 4),), (scalar(2.0),), note="number")
        for op in ("Add", "Sub", "Mul", "Min", "Div", "Pow")
    ),
    *(Case(op, ((2, 3, 4, 4),), ((3, 1, 1),), note="row") for op in ("Add", "Mul", "Max")),
    Case("Div", ((2, 3), POSITIVE[0, 0, :2, :3])),
    Case("Pow", (POSITIVE,), (f32(0.5),)),
    *(Case(op, (POSITIVE,)) for op in ("Sqrt", "Log", "Reciprocal")),
    *(Case(op, ((2, 3),)) for op in ("Exp", "Neg", "Abs", "Erf", "Floor", "Ceil")),
]
ACTIVATIONS = [
    *(
        Case(op, ((4, 9),))
        for op in ("Relu", "Sigmoid", "Tanh", "HardSwish", "Softplus", "HardSigmoid")
    ),
    Case("Mish", ((4, 9),), opset=18),
    Case("LeakyRelu", ((4, 9),), attributes={"alpha": 0.2}),
    Case("Elu", ((4, 9),), attributes={"alpha": 0.5}),
    Case("HardSigmoid", ((4, 9),), attributes={"alpha": 1 / 6, "beta": 0.5}, note="sixth"),
    Case("Gelu", ((4, 9),), opset=20),
    Case("Gelu", ((4, 9),), attributes={"approximate": "tanh"}, opset=20, note="tanh"),
    Case("PRelu", ((2, 3, 4, 4),), (f32(0.1, 0.2, 0.3).reshape(3, 1, 1),), note="channels"),
    Case("PRelu", ((2, 3, 4, 4),), (f32(0.25),), note="one"),
    Case("PRelu", ((2, 3, 4, 4),), ((4,),), note="columns"),
    Case("Clip", ((4, 9),), (scalar(0.0), scalar(6.0)), note="relu6"),
    Case("Clip", ((4, 9),), (scalar(-0.5), scalar(0.5)), note="both"),
    Case("Clip", ((4, 9),), (scalar(-0.5),), note="low"),
    Case("Clip", ((4, 9),), (None, scalar(0.5)), note="high"),
    *(
        Case(op, ((2, 3, 4),), opset=opset)
        for op in ("Softmax", "LogSoftmax")
        for opset in (11, 13)
    ),
    Case("Softmax", ((2, 3, 4),), attributes={"axis": 1}, note="axis"),
]
NORMS = [
    Case("BatchNormalization", fixed=((3,), (3,), (3,), VARIANCE), attributes={"epsilon": 1e-3}),
    Case("BatchNormalization", ((4, 3),), ((3,), (3,), (3,), VARIANCE), opset=11, note="1d"),
    Case("InstanceNormalization", fixed=((3,), (3,))),
    Case("LayerNormalization", ((2, 5, 6),), ((6,), (6,))),
    Case("LayerNormalization", ((2, 5, 6),), ((5, 6),), {"axis": 1}, note="axis"),
    Case("GroupNormalization", ((2, 4, 5, 5),), ((4,), (4,)), {"num_groups": 2}, opset=21),
]
POOLS = [
    Case("MaxPool", attributes={**K3, **S2}),
    Case("MaxPool", attributes={**K3, **S2, "pads": [1, 1, 1, 1]}, note="pads"),
    Case("MaxPool", attributes={**K3, **S2, "pads": [0, 0, 1, 1]}, note="uneven"),
    Case("MaxPool", attributes={**K3, **S2, "ceil_mode": 1}, note="ceil"),
    Case("MaxPool", attributes={**K3, "dilations": [2, 2]}, note="dilation"),
    Case("MaxPool", attributes={**K3, **S2, "auto_pad": "SAME_UPPER"}, note="upper"),
    Case("AveragePool", attributes={**K3, **S2}),
    Case("AveragePool", attributes={**K3, "pads": [1, 1, 1, 1]}, note="pads"),
    Case(
        "AveragePool",
        attributes={**K3, "pads": [1, 1, 1, 1], "count_include_pad": 1},
        note="counted",
    ),
    Case("AveragePool", attributes={**K3, **S2, "pads": [0, 0, 1, 1]}, note="uneven"),
    Case(
        "AveragePool",
        attributes={**K3, **S2, "pads": [0, 0, 1, 1], "count_include_pad": 1},
        note="uneven-counted",
    ),
    Case("AveragePool", attributes={**K3, **S2, "ceil_mode": 1}, note="ceil", opset=19),
    Case("AveragePool", attributes={**K3, **S2, "auto_pad": "SAME_LOWER"}, note="lower"),
    Case("GlobalAveragePool"),
    Case("GlobalAveragePool", ((2, 3, 7),), note="1d"),
    Case("GlobalMaxPool"),
]
REDUCTIONS = [
    Case("ReduceMean", attributes={"axes": [2, 3], "keepdims": 0}),
    Case("ReduceMean", fixed=(i64(-1, -2),), opset=18, note="input"),
    Case("ReduceMean", note="all"),
    Case("ReduceMean", attributes={"noop_with_empty_axes": 1}, opset=18, note="noop"),
    Case("ReduceSum", attributes={"axes": [1]}, opset=11),
    Case("ReduceSum", fixed=(i64(1, 2),), attributes={"keepdims": 0}, note="input"),
    Case("ReduceMax", attributes={"axes": [1]}),
    Case("ReduceMin", note="all"),
]
SHAPES = [
    Case("Reshape", fixed=(i64(0, -1),)),
    Case("Reshape", fixed=(i64(2, 3, 64),), note="fixed"),
    Case("Reshape", fixed=(i64(-1, 4, 4, 0),), note="behind"),
    *(Case("Flatten", attributes={"axis": axis}, note=f"{axis}") for axis in (0, 1, 2, -1)),
    Case("Transpose", attributes={"perm": [0, 2, 3, 1]}),
    Case("Transpose", note="reversed"),
    Case("Squeeze", ((2, 1, 4, 1),), (i64(1, -1),)),
    Case("Squeeze", ((2, 1, 4, 1),), opset=11, note="all"),
    Case("Unsqueeze", ((2, 3),), (i64(0, -1),)),
    Case("Unsqueeze", ((2, 3),), attributes={"axes": [1]}, opset=11),
    Case("Expand", ((2, 1, 4),), (i64(2, 3, 1),)),
    Case("Expand", ((2, 1, 4),), (i64(5, 1, 3, 4),), note="longer"),
    Case("Concat", ((2, 3, 4), (2, 2, 4)), attributes={"axis": 1}),
    Case("Concat", ((2, 3, 4),), ((2, 2, 4),), {"axis": -2}, note="constant"),
    Case("Slice", fixed=(i64(1, 2), i64(3, 2**63 - 1), i64(1, 2))),
    Case("Slice", fixed=(i64(-5), i64(-1), i64(-1), i64(2)), note="step"),
    Case("Slice", fixed=(i64(-1), i64(-(2**63)), i64(3), i64(-1)), note="backwards"),
    Case("Slice", fixed=(i64(6), i64(1), i64(2), i64(-2)), note="backwards-part"),
    Case("Split", ((2, 6, 4),), attributes={"axis": 1}, outputs=3),
    Case("Split", ((2, 6, 4),), (i64(1, 5),), {"axis": 1}, outputs=2, note="sizes"),
    Case("Split", ((2, 7, 4),), attributes={"axis": 1, "num_outputs": 3}, opset=18, outputs=3),
    Case("Split", ((2, 6, 4),), attributes={"axis": -1, "split": [3, 1]}, opset=11, outputs=2),
    Case("Gather", ((2, 3, 4),), (np.array(-1),), {"axis": 1}, note="scalar"),
    Case("Gather", ((2, 3, 4),), (np.array([[0, 2], [1, -1]]),), {"axis": 1}, note="table"),
    Case("Gather", ((2, 3, 4),), (i64(1, 1, 0),), {"axis": -1}, note="list"),
    Case("Pad", fixed=(i64(0, 0, 1, 2, 0, 0, 3, 0), scalar(0.5))),
    Case("Pad", fixed=(i64(0, 1, 0, 0, 0, 2, 0, 0),), note="channels"),
    *(
        Case("Pad", fixed=(i64(0, 0, 1, 2, 0, 0, 3, 1),), attributes={"mode": mode}, note=mode)
        for mode in ("reflect", "edge")
    ),
    Case("Pad", fixed=(i64(1, 2, 3, 1), scalar(0.0), i64(2, 3)), opset=18, note="axes"),
    Case(
        "Pad",
        fixed=(i64(0, 0, 1, 2, 0, 0, 3, 1),),
        attributes={"mode": "wrap"},
        opset=19,
        note="wrap",
    ),
    Case("Identity"),
    Case("Dropout", fixed=(scalar(0.3),)),
    Case("Cast", attributes={"to": TensorProto.INT32}),
    *(
        Case("DepthToSpace", ((2, 8, 3, 4),), attributes={"blocksize": 2, "mode": m}, note=m)
        for m in ("DCR", "CRD")
    ),
    Case("SpaceToDepth", ((2, 3, 4, 6),), attributes={"blocksize": 2}),
]


def _resize(mode: str, transform: str, size: Any, rounding: str = "", **more: Any) -> Case:
    attributes = {"mode": mode, "coordinate_transformation_mode": transform}
    if rounding:
        attributes["nearest_mode"] = rounding
    scales, sizes = (size, None) if size.dtype == np.float32 else (None, size)
    note = f"{mode}-{transform}-{rounding}-{'x'.join(str(one) for one in size.tolist())}"
    fixed = (None, scales) if sizes is None else (None, None, sizes)
    return Case("Resize", fixed=fixed, attributes=attributes, note=note, **more)


TWICE, HALF, ODD = f32(1, 1, 2, 2), f32(1, 1, 0.5, 0.5), i64(2, 3, 5, 13)
RESIZES = [
    *(_resize("nearest", "asymmetric", size, "floor") for size in (TWICE, HALF, ODD)),
    *(_resize("nearest", "half_pixel", size, "round_prefer_floor") for size in (TWICE, HALF, ODD)),
    _resize("nearest", "half_pixel", HALF, "round_prefer_ceil"),
    _resize("nearest", "align_corners", ODD, "round_prefer_ceil"),
    _resize("nearest", "asymmetric", ODD, "ceil"),
    *(
        _resize("linear", mode, size)
        for mode in ("half_pixel", "align_corners")
        for size in (TWICE, ODD)
    ),
    _resize("linear", "pytorch_half_pixel", HALF),
    *(_resize("cubic", mode, TWICE) for mode in ("half_pixel", "align_corners")),
    _resize("linear", "half_pixel", f32(1.5, 1.5), opset=18),
]
RESIZES[-1].attributes["axes"] = [2, 3]

CASES = [
    *CONVOLUTIONS,
    *LINEAR,
    *ARITHMETIC,
    *ACTIVATIONS,
    *NORMS,
    *POOLS,
    *REDUCTIONS,
    *SHAPES,
    *RESIZES,
]
