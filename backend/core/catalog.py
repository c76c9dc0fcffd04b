"""The list of all kinds of node, kept as JSON so that a window can read it without torch.

Packages offer nodes through the entry-point group ``fretsaw.nodes``; the value is a package (every
file in it is a module of nodes) or one module. A file that fails to import becomes a
:class:`Broken` row and disturbs nothing else.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from backend.core.errors import sentence
from backend.core.files import write_atomic
from backend.core.node import REGISTRY, NodeSpec
from backend.core.workspace import Workspace

GROUP = "fretsaw.nodes"
FILE_VERSION = 1


class Broken(BaseModel):
    """A node file that could not be imported: which, at which line, and why."""

    model_config = ConfigDict(frozen=True)

    module: str
    file: str
    line: int
    error: str
    details: str = ""


class Catalog(BaseModel):
    """Every kind of node by id, and the files that failed."""

    model_config = ConfigDict(frozen=True)

    key: list[Any]
    nodes: dict[str, NodeSpec]
    broken: list[Broken] = []

    def renamed(self) -> dict[str, str]:
        """Return ``{old id: id}`` for nodes that replace earlier ones."""
        return {old: spec.id for spec in self.nodes.values() for old in spec.replaces}


def current(workspace: Workspace | None = None) -> Catalog:
    """Return the catalogue: the cached one while no node file changed, else a new one."""
    workspace = workspace or Workspace.current()
    path = workspace.cache / "catalog.json"
    modules = _node_modules()
    key = _key(modules)
    cached = kept(workspace)
    # What was broken may be mended by installing something, which the key does not show.
    if cached is not None and cached.key == key and not cached.broken:
        return cached
    catalog = build(modules, key)
    # A catalogue that cannot be kept is still good for this process; other writes will complain.
    try:
        write_atomic(path, catalog.model_dump_json())
    except OSError:
        return catalog
    return catalog


def kept(workspace: Workspace) -> Catalog | None:
    """Return the cached catalogue, however old; None when there is none that can be read.

    Imports no node file, and neither does :func:`is_current`.
    """
    try:
        return Catalog.model_validate_json((workspace.cache / "catalog.json").read_bytes())
    except (OSError, ValidationError):
        return None  # there is none yet, or one of another version


def is_current(catalog: Catalog) -> bool:
    """Whether no file of the packages that offer nodes changed since ``catalog`` was built."""
    return bool(catalog.key == _key(_node_modules()))


def build(modules: dict[str, Path] | None = None, key: list[Any] | None = None) -> Catalog:
    """Import every node file and describe what it registers."""
    modules = _node_modules() if modules is None else modules
    broken = []
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            broken.append(_broken(module, modules[module], error))
    nodes = {d.spec.id: d.spec for d in REGISTRY.values() if d.spec.module in modules}
    ordered = {id: nodes[id] for id in sorted(nodes)}
    return Catalog(key=key or _key(modules), nodes=ordered, broken=broken)


def _node_modules() -> dict[str, Path]:
    """Return ``{module name: file}`` of the files that may register nodes; imports none."""
    found: dict[str, Path] = {}
    for point in entry_points(group=GROUP):
        spec = _located(point.value)
        if spec is None or spec.origin is None:
            found[point.value] = Path(point.value)
        elif spec.submodule_search_locations is None:
            found[point.value] = Path(spec.origin)
        else:
            for folder in spec.submodule_search_locations:
                for file in sorted(Path(folder).glob("*.py")):
                    if file.stem != "__init__":
                        found[f"{point.value}.{file.stem}"] = file
    return found


def _located(module: str) -> ModuleSpec | None:
    """Find a module without importing its parents, which a window must not do either."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
        name = top
        for part in rest:
            name = f"{name}.{part}"
            places = spec.submodule_search_locations if spec is not None else None
            spec = PathFinder.find_spec(name, places) if places else None
    except Exception:  # a finder of somebody else, or a module without a specification
        return None
    return spec


def _key(modules: dict[str, Path]) -> list[Any]:
    """Name, size and time of every file of the packages that the node files belong to.

    Not of the node files alone: a list of choices, or an error, may come from what they import.
    """
    files = {file for module, file in modules.items() for file in _package_files(module, file)}
    key: list[Any] = [FILE_VERSION, sys.version, sorted(modules)]
    for file in sorted(files):
        try:
            stat = file.stat()
            key.append([str(file), stat.st_size, stat.st_mtime_ns])
        except OSError:
            key.append([str(file), 0, 0])
    return key


def _package_files(module: str, file: Path) -> list[Path]:
    depth = module.count(".")
    if not depth or not file.is_file():
        return [file]
    return sorted(file.parents[depth - 1].rglob("*.py"))


def _broken(module: str, file: Path, error: Exception) -> Broken:
    line = error.lineno or 0 if isinstance(error, SyntaxError) else 0
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename) == file:
            line = frame.lineno or 0
    details = "".join(traceback.format_exception(error))
    return Broken(module=module, file=str(file), line=line, error=sentence(error), details=details)
