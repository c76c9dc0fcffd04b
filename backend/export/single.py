"""ONNX files of one operation, for timing it alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backend.export.require import require


def single_conv(
    image: Sequence[int],
    weight: Sequence[int],
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int = 1,
    transposed: bool = False,
    output_padding: Sequence[int] = (),
    bias: bool = True,
) -> bytes:
    """Return a convolution with random weights as an ONNX file.

    Shapes as in torch: ``image`` (N, C, *spatial), ``weight`` (C_out, C / groups, *kernel), or
    (C, C_out / groups, *kernel) when ``transposed``.
    """
    attributes = {
        "kernel_shape": list(weight[2:]),
        "strides": list(stride),
        "pads": [*padding, *padding],
        "dilations": list(dilation),
        "group": groups,
    }
    if transposed:
        attributes["output_padding"] = list(output_padding or [0] * len(stride))
    channels = weight[1] * groups if transposed else weight[0]
    constants = {"weight": tuple(weight), **({"bias": (channels,)} if bias else {})}
    kind = "ConvTranspose" if transposed else "Conv"
    return _file(kind, {"image": tuple(image)}, constants, attributes)


def single_matmul(rows: int, depth: int, columns: int, *, bias: bool = True) -> bytes:
    """Return a linear layer ``(rows, depth) -> (rows, columns)`` as an ONNX file."""
    constants = {"weight": (columns, depth), **({"bias": (columns,)} if bias else {})}
    return _file("Gemm", {"image": (rows, depth)}, constants, {"transB": 1})


def single_batched_matmul(batch: int, rows: int, depth: int, columns: int) -> bytes:
    """Return a product of two inputs ``(batch, rows, depth)`` and ``(batch, depth, columns)``."""
    inputs = {"a": (batch, rows, depth), "b": (batch, depth, columns)}
    return _file("MatMul", inputs, {}, {})


def _file(
    kind: str,
    inputs: dict[str, tuple[int, ...]],
    constants: dict[str, tuple[int, ...]],
    attributes: dict[str, object],
) -> bytes:
    onnx = require("onnx")
    helper = onnx.helper
    generator = np.random.default_rng(0)
    graph = helper.make_graph(
        [helper.make_node(kind, [*inputs, *constants], ["output"], name=kind, **attributes)],
        kind,
        [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, None)],
        [
            onnx.numpy_helper.from_array(generator.standard_normal(s).astype(np.float32), n)
            for n, s in constants.items()
        ],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()
