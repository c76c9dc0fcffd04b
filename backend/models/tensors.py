"""Tensors on disk: safetensors files, written in one step, each shared tensor once."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from backend.models.errors import RecipeError, first_names

_ALIASES = "fretsaw.aliases"
_DIGEST = "fretsaw.digest"
_STRIDES = "fretsaw.strides"
_NOTES = "fretsaw.notes"


@dataclass(frozen=True)
class TensorFile:
    """What a safetensors file holds; a shared tensor is one object under each of its names."""

    tensors: dict[str, Tensor]
    notes: dict[str, Any] = field(default_factory=dict)


def pack(tensors: Mapping[str, Tensor], notes: Mapping[str, Any] | None = None) -> bytes:
    """Return the bytes of a safetensors file with ``tensors``, of any shapes and dtypes.

    Tensors that are the same memory seen the same way are stored under the first name; the others
    stand in an alias table. ``notes`` (JSON) travels in the header, and so does a SHA-256 over all
    values.

    Raises:
        RecipeError: a tensor has no values (meta device) or a layout that the format lacks.
    """
    kept, aliases = _without_copies(tensors)
    for name, tensor in kept.items():
        if tensor.is_meta or tensor.layout != torch.strided:
            state = "has no values yet" if tensor.is_meta else f"has the layout {tensor.layout}"
            raise RecipeError(f"The tensor {name} {state} and cannot be saved.")
    strides = {
        name: one.stride()
        for name, one in kept.items()
        if one.stride() != torch.empty(one.shape, device="meta").stride() and not _has_gaps(one)
    }
    kept = _apart(kept)
    header = {
        "format": "pt",
        _ALIASES: json.dumps(aliases, sort_keys=True),
        _DIGEST: _digest(kept),
        _STRIDES: json.dumps(strides, sort_keys=True),
        _NOTES: json.dumps(dict(notes or {}), sort_keys=True, allow_nan=False),
    }
    return _ordered(save(kept, metadata=header))


def _ordered(data: bytes) -> bytes:
    """Put the header's notes in a fixed order: the library writes them in a random one."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the tensors behind it stay aligned
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def read_tensors(path: Path) -> TensorFile:
    """Read a safetensors file of any origin, aliases filled in.

    Raises:
        RecipeError: the file is missing, truncated, damaged, or not in this format.
    """
    data = read_bytes(path)
    try:
        header, tensors = _unpack(data)
        aliases = json.loads(header.get(_ALIASES, "{}"))
        notes = json.loads(header.get(_NOTES, "{}"))
        damaged = header.get(_DIGEST) not in {None, _digest(tensors)}
        tensors.update({name: tensors[source] for name, source in aliases.items()})
    except (
        SafetensorError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        RuntimeError,
    ) as error:
        raise RecipeError(
            f"{path.name} is truncated, damaged or no safetensors file ({_words(error)}); "
            f"take it from a copy, or save the network again. It lies in {path.parent}."
        ) from error
    if damaged:
        raise RecipeError(
            f"The values in {path.name} are not the ones that were saved: the file in "
            f"{path.parent} was damaged. Take it from a copy, or save the network again."
        )
    return TensorFile(tensors, notes)


def _unpack(data: bytes) -> tuple[dict[str, str], dict[str, Tensor]]:
    tensors = load(data)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length]).get("__metadata__") or {}
    strides = json.loads(header.get(_STRIDES, "{}"))
    # The kernels of torch round differently for another order or alignment in memory. In memory of
    # its own, laid out as it was, a loaded network computes exactly what the saved one did.
    for name, tensor in tensors.items():
        layout = tuple(strides[name]) if name in strides else tensor.stride()
        if _has_gaps(torch.empty_strided(tensor.shape, layout, device="meta")):
            raise ValueError(f"impossible strides of {name}")
        tensors[name] = torch.empty_strided(tensor.shape, layout, dtype=tensor.dtype).copy_(tensor)
    return header, tensors


def read_bytes(path: Path) -> bytes:
    """Return the content of ``path``; a file that cannot be read is one sentence."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror or error}.") from error


def write_together(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write ``files`` (name -> content) into ``folder``: under temporary names, then in place.

    Whatever goes wrong while writing (disk full, no permission) leaves the files of before as they
    were.
    """
    temporary: list[tuple[Path, Path]] = []
    mark = f".{secrets.token_hex(4)}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            part = folder / (name + mark)
            temporary.append((part, folder / name))
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for part, final in temporary:
            _replace(part, final)
    except OSError as error:
        raise RecipeError(
            f"The network could not be saved in {folder}: {error.strerror or error}. "
            "Free some space or choose another folder; the files of before are as they were."
        ) from error
    finally:
        for part, _ in temporary:
            part.unlink(missing_ok=True)


def _replace(source: Path, target: Path) -> None:
    # On Windows a reader or a virus scanner may hold the target for a moment.
    for _ in range(20):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(0.05)
    os.replace(source, target)


def _without_copies(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    kept: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    first: dict[tuple[Any, ...], str] = {}
    for name, tensor in tensors.items():
        key = _memory(tensor)
        if key in first:
            aliases[name] = first[key]
        else:
            first[key] = name
            kept[name] = tensor
    return kept, aliases


def _memory(tensor: Tensor) -> tuple[Any, ...]:
    if tensor.layout != torch.strided or tensor.is_meta or tensor.numel() == 0:
        return (id(tensor),)
    return (tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # The format wants each tensor in memory of its own; views of one storage are copied.
    apart: dict[str, Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        storage = plain.untyped_storage()
        is_view = storage.data_ptr() in storages or storage.nbytes() != plain.nbytes
        apart[name] = plain.clone() if is_view else plain
        storages.add(storage.data_ptr())
    return apart


def _has_gaps(tensor: Tensor) -> bool:
    order = sorted(range(tensor.ndim), key=tensor.stride, reverse=True)
    return not tensor.permute(order).is_contiguous()


def _digest(tensors: Mapping[str, Tensor]) -> str:
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        if tensor.numel():
            total.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _words(error: Exception) -> str:
    return first_names(str(error).splitlines() or [type(error).__name__], 1)
