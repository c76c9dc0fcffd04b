"""Says what is in a model file, without running anything that it holds."""

from __future__ import annotations

import json
import math
import pickle
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backend.export.onnx_layers import layers_of
from backend.export.qdq import BITS_KEY
from backend.export.require import require
from backend.export.runtime import FileError

_HALF_BYTES = ("int4", "uint4", "float4e2m1")  # numpy gives each entry a byte of its own
_DEPTH = 20  # nesting that a checkpoint may have
_WHOLE_RANGE = 128  # whole numbers up to this far apart get a bin each
_SAFETENSORS_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64",
    "I32": "int32", "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32",
    "U16": "uint16", "U8": "uint8", "BOOL": "bool", "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}  # fmt: skip


@dataclass(frozen=True)
class _Contents:
    """What a file says of itself, its tensors without figures, and how to read one of them."""

    facts: dict[str, Any]
    tensors: list[dict[str, Any]]
    read: Callable[[int], Tensor | np.ndarray | None]


def inspect_file(path: str | Path) -> dict[str, Any]:
    """Describe a ``.onnx``, ``.safetensors``, ``.pt`` or ``.pth`` file as JSON data.

    The answer holds ``format``, ``bytes``, ``metadata``, ``tensors`` (name, shape, dtype, bytes,
    bits, min, max, mean, share of zeros) and ``params``; for ONNX also ``opset``, ``ir_version``,
    ``producer``, ``inputs``, ``outputs``, ``operators``, ``macs`` and ``layers``.

    Raises:
        FileError: the file is missing, damaged, of another kind, or a pickle that would run code.
    """
    contents = _contents(Path(path))
    for place, tensor in enumerate(contents.tensors):
        tensor.update(_figures(contents.read(place), tensor["dtype"]))
    return {**contents.facts, "tensors": contents.tensors}


def inspect_in_parts(path: str | Path, bins: int = 48) -> Iterator[dict[str, Any]]:
    """Describe a file piece by piece, so that a large one shows at once what is in it.

    First comes what :func:`inspect_file` gives, without the figures of the tensors; then one
    record a tensor: its place in the list as ``tensor``, its figures, and ``histogram`` (low,
    high, counts) of its finite entries. Whole numbers of a small range get a bin each.

    Raises:
        FileError: as :func:`inspect_file`.
    """
    contents = _contents(Path(path))
    yield {**contents.facts, "tensors": contents.tensors}
    for place, tensor in enumerate(contents.tensors):
        figures = _figures(contents.read(place), tensor["dtype"], bins)
        yield {"tensor": place, **figures}


def _contents(path: Path) -> _Contents:
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
    contents = reader(path)
    facts = {
        "file": path.name,
        "bytes": path.stat().st_size,
        "params": sum(math.prod(tensor["shape"]) for tensor in contents.tensors),
        **contents.facts,
    }
    return replace(contents, facts=facts)


def _safetensors(path: Path) -> _Contents:
    safetensors = require("safetensors")

    def damaged(error: Exception) -> FileError:
        return FileError(f"{path.name} is damaged or no safetensors file: {error}.")

    def read(place: int) -> Tensor | None:
        try:
            tensor: Tensor = file.get_tensor(names[place])
        except safetensors.SafetensorError as error:
            raise damaged(error) from error
        return tensor

    try:
        # Stays open until the last tensor was read: the closure holds it.
        file = safetensors.safe_open(path, framework="pt").__enter__()
        names = sorted(file.keys())
        tensors = [_slice_facts(name, file.get_slice(name)) for name in names]
        metadata = dict(file.metadata() or {})
    except safetensors.SafetensorError as error:
        raise damaged(error) from error
    return _Contents({"format": "safetensors", "metadata": metadata}, tensors, read)


def _slice_facts(name: str, part: Any) -> dict[str, Any]:
    """Facts about a tensor of a safetensors file from its header alone."""
    short = str(part.get_dtype())
    dtype = _SAFETENSORS_DTYPES.get(short, short.lower())
    digits = re.search(r"\d+", dtype)
    bits = int(digits[0]) if digits else 8
    shape = list(part.get_shape())
    return _named(name, shape, dtype, math.prod(shape) * bits // 8, bits)


def _checkpoint(path: Path) -> _Contents:
    content = _load_checkpoint(path)
    values, metadata = [], {}
    names = []
    for name, value in _flatten(content):
        if isinstance(value, Tensor):
            names.append(name)
            values.append(value)
        else:
            metadata[name] = str(value)[:200]
    if not values:
        raise FileError(f"{path.name} holds no tensors.")
    tensors = [_describe(name, value) for name, value in zip(names, values, strict=True)]
    facts = {"format": "pytorch", "metadata": metadata}
    return _Contents(facts, tensors, lambda place: values[place])


def _load_checkpoint(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on protocols and archive kinds, decided below
            return torch.load(path, map_location="cpu", weights_only=True)
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


def _flatten(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    if depth < _DEPTH and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(item, f"{name}.{key}" if name else str(key), depth + 1)
    elif depth < _DEPTH and isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _flatten(item, f"{name}.{i}" if name else str(i), depth + 1)
    else:
        yield name, value


def _onnx(path: Path) -> _Contents:
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
    stored = list(model.graph.initializer)
    layers = layers_of(model, path.stat().st_size)
    macs = [layer["macs"] for layer in layers]
    facts = {
        "format": "onnx",
        "metadata": metadata,
        "opset": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        "ir_version": model.ir_version,
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "inputs": [_port(value) for value in model.graph.input],
        "outputs": [_port(value) for value in model.graph.output],
        "operators": dict(Counter(node.op_type for node in model.graph.node).most_common()),
        "macs": None if None in macs else sum(macs),
        "layers": layers,
    }
    tensors = [_onnx_tensor(tensor, bits) for tensor in stored]
    return _Contents(facts, tensors, lambda place: _onnx_values(stored[place], path))


def _onnx_values(tensor: Any, path: Path) -> np.ndarray | None:
    onnx = require("onnx")
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return None
    try:
        values: np.ndarray = onnx.numpy_helper.to_array(tensor)
    except Exception as error:  # a size that is not that of the data, an unknown kind of number
        raise FileError(f"{path.name} is damaged or no ONNX file.") from error
    return values


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
    shape = list(tensor.dims)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return {"name": tensor.name, "shape": shape, "dtype": dtype, "external": True}
    try:
        size = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, TypeError):
        size = 1
    own = 4 if dtype in _HALF_BYTES else 8 * size
    facts = _named(tensor.name, shape, dtype, math.prod(shape) * size, own)
    return {**facts, "bits": bits.get(tensor.name, own)}


def _port(value: Any) -> dict[str, Any]:
    tensor = value.type.tensor_type
    onnx = require("onnx")
    return {
        "name": value.name,
        "dtype": onnx.TensorProto.DataType.Name(tensor.elem_type).lower(),
        "shape": [size.dim_param or size.dim_value for size in tensor.shape.dim],
    }


def _named(name: str, shape: list[int], dtype: str, size: int, bits: int) -> dict[str, Any]:
    return {"name": name, "shape": shape, "dtype": dtype, "bytes": size, "bits": bits}


def _describe(name: str, values: Tensor) -> dict[str, Any]:
    """Facts about one tensor without its figures."""
    size = values.element_size()
    shape = list(values.shape)
    dtype = str(values.dtype).removeprefix("torch.")
    return _named(name, shape, dtype, math.prod(shape) * size, 8 * size)


def _figures(
    values: Tensor | np.ndarray | None, dtype: str, bins: int | None = None
) -> dict[str, Any]:
    """Figures over the finite entries of a tensor, None if there are none; {} for no numbers."""
    if isinstance(values, Tensor):
        if values.is_sparse or values.is_quantized or values.is_complex():
            return {}
        numbers = values.detach().double().numpy()
    elif values is not None and (values.dtype.kind in "fiub" or "float" in dtype or "int" in dtype):
        numbers = values.astype(np.float64)
    else:
        return {}
    finite = numbers[np.isfinite(numbers)]
    figures: dict[str, Any] = {
        "min": float(finite.min()) if finite.size else None,
        "max": float(finite.max()) if finite.size else None,
        "mean": float(finite.mean()) if finite.size else None,
        "zeros": float((numbers == 0).mean()) if numbers.size else None,
        "nonfinite": int(numbers.size - finite.size),
    }
    if bins and finite.size:
        figures["histogram"] = _histogram(finite, bins, figures["min"], figures["max"])
    return figures


def _histogram(finite: np.ndarray, bins: int, low: float, high: float) -> dict[str, Any]:
    if not math.isfinite(high - low):
        return {"low": low, "high": high, "counts": []}
    whole = high - low < _WHOLE_RANGE and bool((finite == np.round(finite)).all())
    if whole:
        bins, low, high = int(high - low) + 1, low - 0.5, high + 0.5
    elif low == high:
        low, high = low - abs(low) / 2, high + abs(high) / 2
    counts, edges = np.histogram(finite, bins=bins, range=(low, high))
    return {"low": float(edges[0]), "high": float(edges[-1]), "counts": counts.tolist()}


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(2)
