"""A network as a recipe: a builder, then transforms; weights beside it, never a pickle.

A *builder* makes a network from a line of text: ``zoo:resnet(depth=20)``, ``hub:ID@COMMIT``,
``onnx:SHA256`` or ``python:SHA256#factory(args)``. A *transform* changes the structure of a network
as a
*plan* says. The plan is JSON and states the result, never how it was decided, so replaying needs no
data, no weights and no randomness. Loading is: build on the meta device, replay, put the saved
tensors in.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backend.models.errors import RecipeError, unknown
from backend.models.state import fit_state
from backend.models.tensors import pack, read_bytes, read_tensors, write_together

__all__ = [
    "Recipe",
    "RecipeError",
    "Step",
    "apply",
    "build",
    "builder",
    "load_network",
    "save_network",
    "transform",
]

Builder = Callable[[str, Mapping[str, bytes]], nn.Module]
Transform = Callable[[nn.Module, dict[str, Any]], nn.Module]

RECIPE_FILE = "recipe.json"
TENSOR_FILE = "model.safetensors"
TRANSFORM_GROUP = "fretsaw.transforms"

_FORMAT = "fretsaw-recipe"
_FORMAT_VERSION = 1
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")
# Own builders are imported when a recipe first names them.
_BUILDER_MODULES = {
    "zoo": "backend.models.registry",
    "hub": "backend.models.hub",
    "onnx": "backend.models.from_onnx",
    "python": "backend.models.python_file",
}
_builders: dict[str, Builder] = {}
_transforms: dict[str, dict[int, Transform]] = {}


@dataclass(frozen=True)
class Step:
    """One transform of a recipe; ``plan`` is JSON data that the transform of that name reads."""

    name: str
    version: int
    plan: dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """How to make a network: a builder, the transforms in order, the files the builder needs."""

    builder: str
    transforms: tuple[Step, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.files:
            _check_file_name(name)
        object.__setattr__(self, "files", dict(self.files))

    def then(self, name: str, plan: Mapping[str, Any]) -> Recipe:
        """Return this recipe and one more step, in the newest version of the transform ``name``."""
        step = Step(name, max(_versions(name)), _json_copy(plan, f"The plan of {name}"))
        return replace(self, transforms=(*self.transforms, step))

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as JSON data; of the files it tells names and SHA-256, not contents."""
        return {
            "format": _FORMAT,
            "version": _FORMAT_VERSION,
            "builder": self.builder,
            "transforms": [
                {"name": step.name, "version": step.version, "plan": step.plan}
                for step in self.transforms
            ],
            "files": {
                name: hashlib.sha256(self.files[name]).hexdigest() for name in sorted(self.files)
            },
        }

    @classmethod
    def from_json(cls, data: Any, files: Mapping[str, bytes] | None = None) -> Recipe:
        """Read what :meth:`to_json` gave; ``files`` are the contents of the files that it names.

        Raises:
            RecipeError: not a recipe, made by a newer program, or a file is missing or was changed.
        """
        if not isinstance(data, dict) or data.get("format") != _FORMAT:
            raise RecipeError(
                "This is not the recipe of a network; choose a folder that holds one."
            )
        if data.get("version") != _FORMAT_VERSION:
            raise RecipeError(
                f"The recipe has the format version {data.get('version')}; this program reads "
                f"{_FORMAT_VERSION}. Update Fretsaw to open it."
            )
        files = files or {}
        try:
            steps = tuple(
                Step(str(one["name"]), int(one["version"]), dict(one["plan"]))
                for one in data["transforms"]
            )
            text, hashes = str(data["builder"]), dict(data["files"])
        except (KeyError, TypeError, ValueError) as error:
            raise RecipeError(
                "The recipe of the network is damaged; take it from a copy."
            ) from error
        for name, sha256 in hashes.items():
            _check_file_name(name)
            if hashlib.sha256(files.get(name, b"")).hexdigest() != sha256:
                what = "was changed since it was saved" if name in files else "is missing"
                raise RecipeError(f"The file {name} that the network is built from {what}.")
        return cls(text, steps, {name: files[name] for name in hashes})


def builder(kind: str) -> Callable[[Builder], Builder]:
    """Register ``f(rest, files) -> nn.Module`` for builder texts ``kind:rest``.

    ``files`` are the recipe's attachments. The function is called under the wanted default device
    and must take every random number from torch's global generator.
    """

    def register(function: Builder) -> Builder:
        _refuse_second(_builders.get(kind), function, f"builder {kind!r}")
        _builders[kind] = function
        return function

    return register


def transform(name: str, version: int = 1) -> Callable[[Transform], Transform]:
    """Register ``f(module, plan) -> module`` as the transform ``name``.

    The function may change the module it gets and returns the result. It uses no data, no weights
    and no randomness, works on the meta device, and carries weights along when there are any. A new
    ``version`` stands beside the old one, so that old files keep loading.
    """

    def register(function: Transform) -> Transform:
        known = _transforms.setdefault(name, {})
        _refuse_second(known.get(version), function, f"transform {name!r} version {version}")
        known[version] = function
        return function

    return register


def build(recipe: Recipe, *, meta: bool = True) -> nn.Module:
    """Make the network of ``recipe`` on the meta device, or with initial values.

    The initial values come from torch's global generator, so a seed set before fixes them.

    Raises:
        RecipeError: an unknown builder, network, option or transform; the message names it.
    """
    kind, separator, rest = recipe.builder.partition(":")
    if not separator:
        raise RecipeError(
            f"{recipe.builder!r} is no builder; write for example 'zoo:resnet(depth=20)'."
        )
    make = _find_builder(kind)
    with torch.device("meta") if meta else nullcontext():
        module = make(rest, recipe.files)
        for step in recipe.transforms:
            module = _replay(module, step)
    return module


def apply(
    module: nn.Module, recipe: Recipe, name: str, plan: Mapping[str, Any]
) -> tuple[nn.Module, Recipe]:
    """Transform a copy of ``module``, weights carried along; return it with the longer recipe.

    ``module`` and ``recipe`` are left as they are.
    """
    longer = recipe.then(name, plan)
    return _replay(copy.deepcopy(module), longer.transforms[-1]), longer


def save_network(folder: str | Path, recipe: Recipe, module: nn.Module) -> None:
    """Write ``recipe.json``, ``model.safetensors`` and the recipe's files into ``folder``.

    Every parameter and buffer is saved, also buffers that a state dict leaves out. The files appear
    in one step; whatever fails leaves the files of before as they were.

    Raises:
        RecipeError: something in the network is no tensor, or the folder cannot be written.
    """
    tensors = module.state_dict(keep_vars=True)
    for name, value in tensors.items():
        if not isinstance(value, Tensor):
            raise RecipeError(
                f"{name} of the network is {type(value).__name__}, not a tensor: not saved."
            )
    extra = {name: tensor for name, tensor in module.named_buffers() if name not in tensors}
    data = recipe.to_json()
    notes = {"recipe": _fingerprint(data), "extra": sorted(extra)}
    text = json.dumps(data, indent=2, allow_nan=False) + "\n"
    write_together(
        Path(folder),
        {
            **recipe.files,
            TENSOR_FILE: pack({**tensors, **extra}, notes),
            RECIPE_FILE: text.encode(),
        },
    )


def load_network(folder: str | Path) -> tuple[Recipe, nn.Module]:
    """Read what :func:`save_network` wrote; the network is bit-equal and in evaluation mode.

    Raises:
        RecipeError: a file is missing, truncated or damaged, or a transform is not installed.
    """
    folder = Path(folder)
    recipe = _read_recipe(folder)
    file = read_tensors(folder / TENSOR_FILE)
    if file.notes.get("recipe", _fingerprint(recipe.to_json())) != _fingerprint(recipe.to_json()):
        raise RecipeError(
            f"{RECIPE_FILE} and {TENSOR_FILE} in {folder} belong to different networks; restore "
            "both from one copy, or save the network again."
        )
    module = build(recipe)
    extra = set(file.notes.get("extra", ()))
    state = {name: tensor for name, tensor in file.tensors.items() if name not in extra}
    fit_state(module, state, assign=True)
    for name in extra:
        owner, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(owner), leaf, file.tensors[name])
    _refuse_meta(module)
    return recipe, module.eval()


def _read_recipe(folder: Path) -> Recipe:
    if not (folder / RECIPE_FILE).is_file():
        raise RecipeError(f"{folder} holds no network: it has no {RECIPE_FILE}.")
    try:
        data = json.loads(read_bytes(folder / RECIPE_FILE))
    except (ValueError, RecursionError) as error:
        raise RecipeError(
            f"{RECIPE_FILE} in {folder} is truncated or damaged; take it from a copy."
        ) from error
    names = data.get("files") if isinstance(data, dict) else None
    files = {}
    for name in names if isinstance(names, dict) else ():
        _check_file_name(name)
        if (folder / name).is_file():
            files[name] = read_bytes(folder / name)
    return Recipe.from_json(data, files)


def _find_builder(kind: str) -> Builder:
    if kind not in _builders and kind in _BUILDER_MODULES:
        importlib.import_module(_BUILDER_MODULES[kind])
    if kind not in _builders:
        raise RecipeError(unknown("builder", kind, {*_builders, *_BUILDER_MODULES}))
    return _builders[kind]


def _versions(name: str) -> dict[int, Transform]:
    if name not in _transforms:
        for point in entry_points(group=TRANSFORM_GROUP, name=name):
            try:
                point.load()
            except Exception as error:
                raise RecipeError(
                    f"The transform {name!r} is in {point.value}, which cannot be imported: "
                    f"{error}."
                ) from error
    if name not in _transforms:
        raise RecipeError(
            f"The network needs the transform {name!r}, which is not installed; install the "
            "package that offers it. The network's files are left as they are."
        )
    return _transforms[name]


def _replay(module: nn.Module, step: Step) -> nn.Module:
    versions = _versions(step.name)
    if step.version not in versions:
        raise RecipeError(
            f"The network needs version {step.version} of the transform {step.name!r}; installed "
            f"is {', '.join(map(str, sorted(versions)))}. Update the package that offers it; the "
            "network's files are left as they are."
        )
    return versions[step.version](module, copy.deepcopy(step.plan))


def _refuse_second(
    known: Callable[..., Any] | None, function: Callable[..., Any], what: str
) -> None:
    # The same function again is a module that was reloaded; another one is a clash of two packages.
    if known is None:
        return
    if (known.__module__, known.__qualname__) != (function.__module__, function.__qualname__):
        raise ValueError(f"The {what} is already {known.__module__}.{known.__qualname__}.")


def _refuse_meta(module: nn.Module) -> None:
    for path, part in module.named_modules():
        for name, value in {**part._parameters, **part._buffers, **part.__dict__}.items():
            if isinstance(value, Tensor) and value.is_meta:
                where = f"{path}.{name}".lstrip(".")
                raise RecipeError(
                    f"The tensor {where} of the network was not saved, since it is neither a "
                    "parameter nor a buffer; use register_buffer for it in the network's code."
                )


def _check_file_name(name: Any) -> None:
    is_plain = isinstance(name, str) and _FILE_NAME.fullmatch(name) is not None
    if not is_plain or name.lower() in {RECIPE_FILE, TENSOR_FILE}:
        raise RecipeError(
            f"{name!r} is no name for a file of a network; use letters, digits, '.', '-' and '_' "
            "only."
        )


def _json_copy(data: Mapping[str, Any], what: str) -> dict[str, Any]:
    try:
        return json.loads(json.dumps(dict(data), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{what} is not plain JSON data: {error}.") from error


def _fingerprint(data: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
