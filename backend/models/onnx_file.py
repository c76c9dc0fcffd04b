"""Small changes to ONNX files before they are imported, and what ONNX Runtime makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backend.models.errors import RecipeError
from backend.models.from_onnx import load_model
from backend.models.recipe import Recipe


def decode(data: bytes, folder: Path | None = None) -> Any:
    """Return the model of an ONNX file; tensors in files in ``folder`` are taken in.

    Raises:
        OnnxError: no ONNX file, or a tensor beside it is missing.
    """
    return load_model(data, folder)


def encode(model: Any) -> bytes:
    """Return the bytes of a model, the same for the same model."""
    return model.SerializeToString(deterministic=True)


def shape_of(port: Any) -> tuple[int | None, ...]:
    """Return the sizes of an input or output, None where the file leaves them open."""
    dims = port.type.tensor_type.shape.dim
    return tuple(one.dim_value if one.HasField("dim_value") else None for one in dims)


def to_nchw(model: Any) -> None:
    """Put transpositions around a network that has its colours last: (N, 3, H, W) on both sides."""
    import onnx

    given = {one.name for one in model.graph.initializer}
    first = next(one for one in model.graph.input if one.name not in given)
    last = model.graph.output[0]
    enter = onnx.helper.make_node(
        "Transpose", ["picture"], [first.name], "enter", perm=[0, 2, 3, 1]
    )
    leave = onnx.helper.make_node("Transpose", [last.name], ["edited"], "leave", perm=[0, 3, 1, 2])
    model.graph.node.insert(0, enter)
    model.graph.node.append(leave)
    for port, name in ((first, "picture"), (last, "edited")):
        dims = port.type.tensor_type.shape.dim
        if len(dims) == 4:
            colours = type(dims[3])()
            colours.CopyFrom(dims[3])
            for to, source in ((3, 2), (2, 1)):
                dims[to].CopyFrom(dims[source])
            dims[1].CopyFrom(colours)
        port.name = name


def runtime_answer(recipe: Recipe, x: np.ndarray) -> np.ndarray:
    """Return what ONNX Runtime answers with the file of an imported network.

    Raises:
        RecipeError: the recipe has no ONNX file, or the runtime is not installed.
    """
    data = next((data for name, data in recipe.files.items() if name.endswith(".onnx")), None)
    if data is None:
        raise RecipeError("The network does not come from an ONNX file; nothing can be compared.")
    try:
        import onnxruntime
    except ImportError as error:
        raise RecipeError(
            "The comparison needs the package onnxruntime; install it with "
            "'pip install onnxruntime'."
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x.astype(np.float32)})[0]
