"""What a node's result depends on, as one hash."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from backend.core.artifact import file_sha256
from backend.core.node import Definition

# Changes here do not change what a node computes, so they do not make results stale.
_NEUTRAL = ("backend.core", "backend.engine", "backend.cli", "backend.report", "backend.bench")


def fingerprint(
    definition: Definition,
    params: Any,
    seed: int,
    sources: Mapping[str, list[str]],
    *,
    device: str = "cpu",
    once: str = "",
) -> str:
    """Return the hash under which a node's outputs are stored; see :func:`facts`."""
    return digest(facts(definition, params, seed, sources, device=device, once=once))


def facts(
    definition: Definition,
    params: Any,
    seed: int,
    sources: Mapping[str, list[str]],
    *,
    device: str = "cpu",
    once: str = "",
) -> dict[str, Any]:
    """Return everything that a node's result depends on, as JSON data.

    Args:
        params: the validated parameters.
        sources: for each input port, ``fingerprint/port`` of what is linked to it.
        once: for a node that is not cached, the name of the run: its result is valid there only.
    """
    spec = definition.spec
    return {
        "type": spec.id,
        "version": spec.version,
        "params": params.model_dump(mode="json"),
        "seed": seed,
        "sources": dict(sorted(sources.items())),
        "code": source_hash(spec.module),
        "torch": _torch_version(),
        "device": device,
        "files": [_file_state(path) for path in _files_read(definition, params)],
        "once": once,
    }


def digest(facts: Mapping[str, Any]) -> str:
    """Return the hash of what :func:`facts` returned."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@functools.cache
def source_hash(module: str) -> str:
    """Hash the source of a module and of what it imports of its top package and of ours.

    Of a subpackage that it imports from, every file counts: some are imported by name only when
    they are needed, as the networks of the zoo are. Read once in a process, right after the
    import: an edit while a run goes on is not in the code that it runs.
    """
    digest = hashlib.sha256()
    for name, file in sorted(_closure(module).items()):
        digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def input_hashes(definition: Definition, params: Any) -> dict[str, str]:
    """Return a hash for each file and folder outside the graph that a node depends on."""
    return {
        str(path): hashlib.sha256(json.dumps(_file_state(path)).encode()).hexdigest()
        for path in _files_read(definition, params)
    }


def _files_read(definition: Definition, params: Any) -> Iterable[Path]:
    for name, field in definition.spec.params.get("properties", {}).items():
        options = [field, *field.get("anyOf", [])]
        given = getattr(params, name)
        if any("path" in option.get("format", "") for option in options) and given is not None:
            yield Path(given)
    if definition.reads is not None:
        yield from definition.reads(params)


def _file_state(path: Path) -> list[Any]:
    """Content hash of a file; path, size and time of all files of a folder."""
    if path.is_file():
        return [str(path), file_sha256(path)]
    if path.is_dir():
        entries = [(p, p.stat()) for p in sorted(path.rglob("*")) if p.is_file()]
        return [str(path), [[str(p), s.st_size, s.st_mtime_ns] for p, s in entries]]
    return [str(path), None]


@functools.cache
def _torch_version() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def _closure(module: str) -> dict[str, Path]:
    """Return ``{module: file}`` of ``module`` and what it imports from its own top package."""
    found: dict[str, Path] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        file = None if name in found or name.startswith(_NEUTRAL) else _module_file(name)
        if file is not None:
            found[name] = file
            package = name if file.stem == "__init__" else name.rpartition(".")[0]
            if "." in package and package != module.rpartition(".")[0]:
                stems = sorted(path.stem for path in file.parent.glob("*.py"))
                todo += [f"{package}.{stem}" for stem in stems if stem != "__init__"]
            todo += _imports(file, name, module.partition(".")[0])
            todo.append(name.rpartition(".")[0] or name)
    return found


def _module_file(name: str) -> Path | None:
    """Find a module's file from its top package's folder, importing nothing else."""
    top, _, rest = name.partition(".")
    loaded = sys.modules.get(top)
    origin = getattr(loaded, "__file__", None)
    if origin is None:
        spec = importlib.util.find_spec(top)
        origin = spec.origin if spec is not None else None
    if origin is None:
        return None
    if not rest:
        return Path(origin)
    base = Path(origin).parent.joinpath(*rest.split("."))
    return next((f for f in (base.with_suffix(".py"), base / "__init__.py") if f.is_file()), None)


@functools.lru_cache(maxsize=512)
def _parsed_imports(file: Path, mtime_ns: int) -> tuple[tuple[str, tuple[str, ...], int], ...]:
    found: list[tuple[str, tuple[str, ...], int]] = []
    for item in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(item, ast.Import):
            found += [(alias.name, (), 0) for alias in item.names]
        elif isinstance(item, ast.ImportFrom):
            names = tuple(alias.name for alias in item.names)
            found.append((item.module or "", names, item.level))
    return tuple(found)


def _imports(file: Path, module: str, top: str) -> list[str]:
    names = []
    package = module.split(".") if file.stem == "__init__" else module.split(".")[:-1]
    for origin, members, level in _parsed_imports(file, file.stat().st_mtime_ns):
        base = ".".join([*package[: len(package) - level + 1], origin]).strip(".")
        full = base if level else origin
        if full.partition(".")[0] in (top, "backend"):
            # A member may be a submodule; the ones that are not have no file and fall away.
            names += [full, *(f"{full}.{member}" for member in members)]
    return names
