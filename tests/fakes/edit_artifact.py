"""A tiny exported edit: y = gain x of pictures in -1 .. 1, with golden pair and description."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from backend.core.artifact import Artifact, TensorSpec, file_sha256


def edit_artifact(
    folder: Path,
    gain: float = -1.0,
    size: int = 64,
    *,
    operator: str = "Mul",
    external: bool = False,
    layers: int = 0,
) -> Path:
    """Write an artefact that multiplies pictures by ``gain``; return its folder.

    ``operator`` other than "Mul" is taken in an unknown domain, which no runtime has. ``layers``
    adds that many 3 x 3 convolutions of 16 channels that change nothing, to take time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "made"
    source.mkdir(exist_ok=True)
    path = source / "edit.onnx"
    shape = [1, 3, size, size]
    x = helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("edited", TensorProto.FLOAT, shape)
    weights = [numpy_helper.from_array(np.full((1, 3, 1, 1), gain, np.float32), "gain")]
    nodes, last = [], "image"
    if layers:
        nodes, weights, last = _convolutions(layers, weights)
    domain = "" if operator == "Mul" else "made.up"
    nodes.append(helper.make_node(operator, [last, "gain"], ["edited"], domain=domain))
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    graph = helper.make_graph(nodes, "edit", [x], [y], weights)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    facts = {"task": "image_to_image", "output": {"low": -1.0, "high": 1.0}, "gmacs": 0.0}
    facts["image"] = {"mean": [0.5] * 3, "std": [0.5] * 3, "height": size, "width": size}
    if external:
        onnx.save_model(
            model, path, save_as_external_data=True, location="weights.bin", size_threshold=0
        )
        data = source / "weights.bin"
        facts["weights"] = {
            "path": "weights.bin", "sha256": file_sha256(data), "bytes": data.stat().st_size,
        }  # fmt: skip
    else:
        onnx.save_model(model, path)
    values = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    golden = source / "edit.golden.npz"
    np.savez(golden, input=values, output=(values * np.float32(gain)).astype(np.float32))
    spec = (
        TensorSpec("image", tuple(shape), "float32"),
        TensorSpec("edited", tuple(shape), "float32"),
    )
    Artifact.of(path, "onnx", *spec, golden=golden, facts=facts).save(folder)
    if external and not (folder / "weights.bin").exists():
        (folder / "weights.bin").write_bytes((source / "weights.bin").read_bytes())
    return folder


def _convolutions(count: int, weights: list) -> tuple[list, list, str]:
    """Return nodes from 3 to 16 channels, ``count`` identities of 16, and back to 3."""
    nodes, last = [], "image"
    sizes = [(3, 16), *[(16, 16)] * count, (16, 3)]
    for i, (inputs, outputs) in enumerate(sizes):
        kernel = np.zeros((outputs, inputs, 3, 3), np.float32)
        for c in range(min(inputs, outputs)):
            kernel[c, c, 1, 1] = 1
        weights.append(numpy_helper.from_array(kernel, f"k{i}"))
        shape = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
        nodes.append(helper.make_node("Conv", [last, f"k{i}"], [f"t{i}"], **shape))
        last = f"t{i}"
    return nodes, weights, last
