"""ONNX Runtime sessions as this package wants them: quiet, few threads, no spinning."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.export.require import require

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

PROVIDER = "CPUExecutionProvider"


class FileError(ValueError):
    """A file is not what it is taken for."""

    for_user = True


def session(
    source: str | Path | bytes, *, optimize: bool = True, threads: int = 1
) -> InferenceSession:
    """Open an ONNX file, or the bytes of one, on the CPU.

    Without ``optimize`` the graph runs as it is written: QDQ pairs are computed in float, which is
    what they mean. Threads do not spin between runs, since that takes time from everyone else.

    Raises:
        FileError: the file is missing, damaged, or no ONNX model.
    """
    ort = require("onnxruntime")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimize else levels.ORT_DISABLE_ALL
    if not isinstance(source, bytes) and not Path(source).is_file():
        raise FileError(f"There is no file {source}.")
    try:
        return ort.InferenceSession(
            source if isinstance(source, bytes) else str(source), options, providers=[PROVIDER]
        )
    except Exception as error:  # the classes that ORT raises are not part of its interface
        name = "The model" if isinstance(source, bytes) else Path(source).name
        reason = str(error).splitlines()[0][:300]
        raise FileError(f"{name} cannot be opened by ONNX Runtime: {reason}") from error


@cache
def has_saturating_int8() -> bool:
    """Whether ONNX Runtime's 8-bit kernels saturate in 16 bits here, as on x86 without VNNI.

    Found out by asking: a product of rows of 255 and of 127 is exact or it is not.
    """
    onnx = require("onnx")
    depth, width = 64, 32
    helper, types = onnx.helper, onnx.TensorProto
    constants = [
        onnx.numpy_helper.from_array(np.full((depth, width), 127, np.int8), "b"),
        onnx.numpy_helper.from_array(np.array(0, np.uint8), "zero_a"),
        onnx.numpy_helper.from_array(np.array(0, np.int8), "zero_b"),
    ]
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b", "zero_a", "zero_b"], ["y"])],
        "probe",
        [helper.make_tensor_value_info("a", types.UINT8, [4, depth])],
        [helper.make_tensor_value_info("y", types.INT32, [4, width])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    probe = session(model.SerializeToString())
    product = probe.run(None, {"a": np.full((4, depth), 255, np.uint8)})[0]
    return bool((product != 255 * 127 * depth).any())
