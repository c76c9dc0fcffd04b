"""Says why a node failed, with what is known of the machine and of the node's settings."""

from __future__ import annotations

import re
from typing import Any

# Here and not where it is used: a process that is out of memory may not get it mapped any more.
import psutil

from backend.core.errors import sentence

_CPU = re.compile(
    r"(?:not enough memory|can't allocate memory): you tried to allocate (\d+)", re.IGNORECASE
)
# "Tried to allocate 2.00 GiB" of CUDA, "Unable to allocate 8.00 GiB" of numpy
_ALLOCATE = re.compile(r"(?:Tried|Unable) to allocate ([\d.]+) ([KMGT])iB", re.IGNORECASE)
_UNMAPPED = re.compile(r"failed to map segment|[Cc]annot allocate memory")
_DEVICE_FREE = re.compile(r"of which ([\d.]+) ([KMGT])iB is free", re.IGNORECASE)


def describe(error: BaseException, params: Any = None) -> str:
    """Return one or two sentences for the user; out of memory gets needed, free and remedies."""
    if _is_out_of_memory(error):
        return _out_of_memory(error, params)
    return sentence(error)


def _is_out_of_memory(error: BaseException) -> bool:
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ in ("OutOfMemoryError", "_ArrayMemoryError")
        or (isinstance(error, RuntimeError) and _CPU.search(str(error)) is not None)
        # What a library says that is first needed when there is no memory left for it.
        or (isinstance(error, ImportError) and _UNMAPPED.search(str(error)) is not None)
    )


def _out_of_memory(error: BaseException, params: Any) -> str:
    on_device = _DEVICE_FREE.search(str(error))
    free = _bytes(on_device) if on_device else psutil.virtual_memory().available
    needed = _needed(str(error))
    wanted = f"{_gib(needed)} more were needed, " if needed else ""
    remedies = []
    for name in ("batch", "batch_size"):
        value = getattr(params, name, None)
        if isinstance(value, int) and value > 1:
            remedies.append(f"set {name} to {max(1, value // 2)}")
    remedies += ["use smaller pictures or a narrower network", "close other programs"]
    return f"Out of memory: {wanted}{_gib(free)} are free. Remedies: {'; '.join(remedies)}."


def _needed(text: str) -> int:
    cpu, other = _CPU.search(text), _ALLOCATE.search(text)
    if cpu:
        return int(cpu[1])
    return _bytes(other) if other else 0


def _bytes(found: re.Match[str]) -> int:
    return int(float(found[1]) * 1024 ** ("KMGT".index(found[2].upper()) + 1))


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
