"""The settings of a run: where, with how many threads, how far, how often to save."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from backend.core.errors import DocumentError, nearest
from backend.core.graph import Graph

_TIME = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h)\s*")
_UNITS = {"s": 1, "min": 60, "h": 3600}


def default_threads() -> int:
    """Return how many threads a run uses: all cores but one, at least one."""
    return max(1, (os.cpu_count() or 2) - 1)


def seconds(text: str) -> float:
    """Read a time such as ``"60s"``, ``"5min"`` or ``"1h"``.

    Raises:
        DocumentError: it is none.
    """
    match = _TIME.fullmatch(text)
    if not match:
        raise DocumentError(f'"{text}" is no time between checkpoints.', 'Write "60s" or "5min".')
    return float(match[1]) * _UNITS[match[2]]


def check_settings(settings: Mapping[str, Any], graph: Graph, where: str = "") -> None:
    """Refuse settings that no run can have; ``where`` is the file that they stand in, if any.

    Raises:
        DocumentError: names the setting and the remedy.
    """
    threads = settings.get("threads", 1)
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise DocumentError(f"{where}{threads!r} threads cannot compute.", "Give at least 1.")
    force = settings.get("force") or []
    target = settings.get("target") or []
    targets = [target] if isinstance(target, str) else target
    if not isinstance(force, list) or not isinstance(targets, list):
        raise DocumentError(f"{where}the nodes to compute are not named as they should be.")
    for name in [*force, *targets]:
        if name not in graph.nodes:
            raise DocumentError(f'{where}There is no node "{name}".', nearest(name, graph.nodes))
    every = settings.get("every")
    if isinstance(every, str):
        seconds(every)
    elif every is not None and (not isinstance(every, int) or every < 1):
        raise DocumentError(f"{where}{every!r} is no time between checkpoints.", 'Write "60s".')
    _check_device(str(settings.get("device", "cpu")))


def _check_device(device: str) -> None:
    kind = device.partition(":")[0]
    if kind == "cpu":
        return
    import torch

    usable = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if kind not in usable:
        raise DocumentError(f'There is no device "{device}".', nearest(kind, ["cpu", *usable]))
    if not usable[kind]:
        raise DocumentError(
            f'The device "{device}" cannot be used: this PyTorch or this computer has no {kind}.',
            "Use cpu, or install a PyTorch that is built for it.",
        )
