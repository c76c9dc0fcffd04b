"""Finds and runs benchmarks.

A benchmark is a module of a package in the entry-point group ``fretsaw.bench`` with a function
``bench(session) -> dict``. Its docstring's first line is its description. It prints what a reader
wants to see; :func:`run` prints the dictionary as one JSON object, the last line.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import pkgutil
import time
from datetime import date
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from backend.bench.session import Session
from backend.core.errors import FretsawError
from backend.engine.execute import commit

_QUIET_LOAD = 1.5


def names() -> dict[str, str]:
    """Return the benchmarks and their descriptions."""
    found = {}
    for name, module in sorted(_modules().items()):
        found[name] = (module.__doc__ or "").strip().split("\n")[0]
    return found


def run(
    name: str, *, full: bool = False, fresh: bool = False, write: bool = False
) -> dict[str, Any]:
    """Run one benchmark and print its figures.

    Raises:
        FretsawError: figures are to be kept but the machine is busy, or a figure is missing.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if write and load > _QUIET_LOAD:
        raise FretsawError(
            f"The load of this machine is {load:.1f}; figures above {_QUIET_LOAD} are not kept.",
            "Wait until it is idle.",
        )
    began = time.monotonic()
    session = Session(full=full, fresh=fresh)
    figures: dict[str, Any] = _modules()[name].bench(session)
    seconds = time.monotonic() - began
    result = {
        **figures,
        "commit": commit() or "none",
        "seconds": round(seconds, 1),
        "cached": session.cached,
    }
    _refuse_missing(name, result)
    if write:
        _keep(name, result, full)
    print(json.dumps(result))
    return result


def _modules() -> dict[str, ModuleType]:
    found: dict[str, ModuleType] = {}
    for point in entry_points(group="fretsaw.bench"):
        package = importlib.import_module(point.value)
        for entry in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{point.value}.{entry.name}")
            if hasattr(module, "bench"):
                found[entry.name] = module
    return found


def _refuse_missing(name: str, value: Any) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_missing(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_missing(name, inner)
    elif value is None or (isinstance(value, float) and not math.isfinite(value)):
        raise FretsawError(f"The benchmark figure {name} is missing.")


def _keep(name: str, result: dict[str, Any], full: bool) -> None:
    """Replace the section of this benchmark in BENCHMARKS.md."""
    path = Path(__file__).resolve().parents[2] / "BENCHMARKS.md"
    text = path.read_text(encoding="utf-8") if path.exists() else "# Benchmarks\n"
    head, *sections = text.split("\n## ")
    title = f"{name}{' (full)' if full else ''}"
    kept = {section.partition("\n")[0]: section.partition("\n")[2] for section in sections}
    command = f"python -m backend bench {name}{' --full' if full else ''}"
    figures = json.dumps(result, indent=1)
    kept[title] = f"\n`{command}`, {date.today()}\n\n```json\n{figures}\n```\n"
    parts = [
        head.rstrip() + "\n",
        *(f"## {key}\n{body.rstrip()}\n" for key, body in sorted(kept.items())),
    ]
    path.write_text("\n".join(parts), encoding="utf-8")
