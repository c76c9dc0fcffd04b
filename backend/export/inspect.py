"""Says what is in a model file, without running anything that it holds."""

from __future__ import annotations

import json
import math
import pickle
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backend.export.qdq import BITS_KEY
from backend.export.require import require
from backend.export.runtime import FileError

_HALF_BYTES = ("int4", "uint4", "float4e2m1")  # numpy gives each entry a byte of its own
_DEPTH = 20  # nesting that a checkpoint may have


def inspect_file(path: str | Path) -> dict[str, Any]:
    """Describe a ``.onnx``, ``.safetensors``, ``.pt`` or ``.pth`` file as JSON data.

    The answer holds ``format``, ``bytes``, ``metadata``, ``tensors`` (name, shape, dtype, bytes,
    bits, min, max, mean, share of zeros) and ``params``; for ONNX also ``opset``, ``ir_version``,
    ``producer``, ``inputs``, ``outputs``, ``operators`` and ``layers``.

    Raises:
        FileError: the file is missing, damaged, of another kind, or a pickle that would run code.
    """
    path = Path(path)
    readers = {
        ".onnx": _onnx,
        ".safetensors": _safetensors,
        ".pt": _checkpoint,
        ".pth": _checkpoint,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FileError(
            f"{path.name} is not inspected: only .onnx, .safetensors, .pt and .pth files are."
        )
    if path.is_dir():
        raise FileError(f"{path} is a folder; give a file.")
    if not path.is_file():
        raise FileError(f"There is no file {path}.")
    content = reader(path)
    tensors = content["tensors"]
    return {
        "file": path.name,
        "bytes": path.stat().st_size,
        "params": sum(math.prod(tensor["shape"]) for tensor in tensors),
        **content,
    }


def _safetensors(path: Path) -> dict[str, Any]:
    safetensors = require("safetensors")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = [_describe(name, file.get_tensor(name)) for name in sorted(file.keys())]
            metadata = dict(file.metadata() or {})
    except safetensors.SafetensorError as error:
        raise FileError(f"{path.name} is damaged or no safetensors file: {error}.") from error
    return {"format": "safetensors", "metadata": metadata, "tensors": tensors}


def _checkpoint(path: Path) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on protocols and archive kinds, decided below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except pickle.UnpicklingError as error:
        if _head(path).startswith((b"PK", b"\x80")):  # a zip of torch, or a pickle
            raise FileError(
                f"{path.name} is refused: it holds more than weights, and loading it would run "
                "code from the file. Save its state dict only, or better a .safetensors file."
            ) from error
        raise FileError(f"{path.name} is damaged or no PyTorch file.") from error
    except Exception as error:  # whatever the first wrong byte happens to lead to
        if "TorchScript" in str(error):
            raise FileError(
                f"{path.name} is a TorchScript program; only files of weights are read."
            ) from error
        raise FileError(f"{path.name} is damaged or no PyTorch file.") from error
    tensors, values = [], {}
    for name, value in _flatten(content):
        if isinstance(value, Tensor):
            tensors.append(_describe(name, value))
        else:
            values[name] = str(value)[:200]
    if not tensors:
        raise FileError(f"{path.name} holds no tensors.")
    return {"format": "pytorch", "metadata": values, "tensors": tensors}


def _flatten(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    if depth < _DEPTH and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(item, f"{name}.{key}" if name else str(key), depth + 1)
    elif depth < _DEPTH and isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _flatten(item, f"{name}.{i}" if name else str(i), depth + 1)
    else:
        yield name, value


def _onnx(path: Path) -> dict[str, Any]:
    onnx = require("onnx")
    try:
        # Tensors in other files stay there: their paths are the file's claim, not the user's.
        model = onnx.load(str(path), load_external_data=False)
    except OSError:
        raise
    except Exception as error:  # protobuf's own classes differ from version to version
        raise FileError(f"{path.name} is damaged or no ONNX file.") from error
    if not model.graph.node or not model.opset_import or not model.ir_version:
        raise FileError(f"{path.name} is damaged or no ONNX file.")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    bits = _described_bits(metadata)
    tensors = [_onnx_tensor(tensor, bits) for tensor in model.graph.initializer]
    return {
        "format": "onnx",
        "metadata": metadata,
        "opset": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        "ir_version": model.ir_version,
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "inputs": [_port(value) for value in model.graph.input],
        "outputs": [_port(value) for value in model.graph.output],
        "operators": dict(Counter(node.op_type for node in model.graph.node).most_common()),
        "layers": [
            {"name": node.name, "operator": node.op_type, "inputs": list(node.input)}
            for node in model.graph.node
        ],
        "tensors": tensors,
    }


def _described_bits(metadata: Mapping[str, str]) -> dict[str, int]:
    try:
        stored = json.loads(metadata.get(BITS_KEY, "{}"))
    except json.JSONDecodeError:
        return {}
    if not isinstance(stored, dict):
        return {}
    return {f"{name}.codes": bits for name, bits in stored.items() if isinstance(bits, int)}


def _onnx_tensor(tensor: Any, bits: Mapping[str, int]) -> dict[str, Any]:
    onnx = require("onnx")
    dtype = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return {"name": tensor.name, "shape": list(tensor.dims), "dtype": dtype, "external": True}
    array = onnx.numpy_helper.to_array(tensor)
    described = _describe(tensor.name, array, dtype)
    return {**described, "bits": bits.get(tensor.name, described["bits"])}


def _port(value: Any) -> dict[str, Any]:
    tensor = value.type.tensor_type
    onnx = require("onnx")
    return {
        "name": value.name,
        "dtype": onnx.TensorProto.DataType.Name(tensor.elem_type).lower(),
        "shape": [size.dim_param or size.dim_value for size in tensor.shape.dim],
    }


def _describe(name: str, values: Tensor | np.ndarray, dtype: str = "") -> dict[str, Any]:
    """Facts about one tensor; figures are over its finite entries, None if there are none."""
    tensor = values if isinstance(values, Tensor) else None
    size = values.element_size() if tensor is not None else values.dtype.itemsize
    count = int(np.prod(tuple(values.shape)))
    facts: dict[str, Any] = {
        "name": name,
        "shape": list(values.shape),
        "dtype": dtype or str(values.dtype).removeprefix("torch."),
        "bytes": count * size,
        "bits": 4 if dtype in _HALF_BYTES else 8 * size,
    }
    if tensor is not None:
        if tensor.is_sparse or tensor.is_quantized or tensor.is_complex():
            return facts
        numbers = tensor.detach().double().numpy()
    elif values.dtype.kind in "fiub" or "float" in dtype or "int" in dtype:
        numbers = values.astype(np.float64)
    else:
        return facts
    finite = numbers[np.isfinite(numbers)]
    return {
        **facts,
        "min": float(finite.min()) if finite.size else None,
        "max": float(finite.max()) if finite.size else None,
        "mean": float(finite.mean()) if finite.size else None,
        "zeros": float((numbers == 0).mean()) if count else None,
        "nonfinite": int(count - finite.size),
    }


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(2)
