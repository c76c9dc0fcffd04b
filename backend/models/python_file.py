"""Networks built by a Python file of the user: ``python:SHA256#factory(args)``.

The file travels with the recipe as ``SHA256.py``. It runs only if the user allowed that very
content.
"""

from __future__ import annotations

import hashlib
import json
import linecache
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from backend.models.calls import format_call, parse_call
from backend.models.errors import RecipeError, unknown
from backend.models.recipe import Recipe, builder
from backend.models.state import to_meta
from backend.models.tensors import read_bytes
from backend.models.trust import UntrustedPython, is_trusted


def python_recipe(path: str | Path, factory: str, arguments: Mapping[str, Any]) -> Recipe:
    """Return the recipe that calls ``factory(**arguments)`` of the file; nothing runs yet.

    Raises:
        RecipeError: no such file, or the arguments are no JSON data.
    """
    source = read_bytes(Path(path))
    if not factory.isidentifier():
        raise RecipeError(
            f"{factory!r} is no name of a function; write for example 'make_network'."
        )
    try:
        plain = json.loads(json.dumps(dict(arguments), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"The arguments of {factory} are not plain JSON data: {error}."
        ) from error
    sha256 = hashlib.sha256(source).hexdigest()
    return Recipe(f"python:{sha256}#{format_call(factory, plain)}", files={f"{sha256}.py": source})


@builder("python")
def build_python(rest: str, files: Mapping[str, bytes]) -> nn.Module:
    """Build ``SHA256#factory(args)`` from the attached file.

    Raises:
        UntrustedPython: the user has not allowed this file.
        RecipeError: the file is missing or changed, or its code fails; names the line.
    """
    sha256, separator, call = rest.partition("#")
    if not separator:
        raise RecipeError(f"'python:{rest[:80]}' is not of the form python:SHA256#factory(args).")
    name = f"{sha256}.py"
    source = files.get(name)
    if source is None:
        raise RecipeError(f"The Python file {name} that the network is built by is missing.")
    if hashlib.sha256(source).hexdigest() != sha256:
        raise RecipeError(f"The Python file {name} is not the one that the network was made with.")
    if not is_trusted(sha256):
        raise UntrustedPython(sha256, name)
    factory, values, named = parse_call(call)
    return _call(_run(source, name), factory, values, named)


def _run(source: bytes, name: str) -> ModuleType:
    """Run the file as a module; its lines are kept for error messages.

    Classes look their module up in ``sys.modules`` (dataclasses, torch's own tracing), so it stays
    there under a name that no import statement can produce.
    """
    module = ModuleType(f"fretsaw-python-{name}")
    shown = f"<{name}>"
    module.__file__ = shown
    try:
        text = source.decode("utf-8")
        linecache.cache[shown] = (len(text), None, text.splitlines(keepends=True), shown)
        code = compile(text, shown, "exec")
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise RecipeError(f"The Python file {name} cannot be read{line}: {error}.") from error
    sys.modules[module.__name__] = module
    try:
        # Constants of the file keep their values, also while the network is built without any.
        with torch.device("cpu"):
            exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        raise RecipeError(_blame(error, name)) from error
    return module


def _call(
    module: ModuleType, factory: str, values: tuple[Any, ...], named: dict[str, Any]
) -> nn.Module:
    name = module.__name__.removeprefix("fretsaw-python-")
    function = getattr(module, factory, None)
    if not callable(function):
        offered = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        raise RecipeError(unknown(f"function in {name}", factory, offered))
    try:
        network = _on_meta_or_beside(lambda: function(*values, **named))
    except (Exception, SystemExit) as error:
        raise RecipeError(_blame(error, name)) from error
    if not isinstance(network, nn.Module):
        raise RecipeError(
            f"{factory} in {name} returned {type(network).__name__} instead of a torch.nn.Module."
        )
    return network


def _on_meta_or_beside(make: Any) -> Any:
    """Call ``make``; where it needs values that the meta device lacks, make it on the CPU first.

    Networks often compute a schedule with torch and read it back as numbers, which only real
    tensors can give. The second attempt leaves the global random numbers as they were.
    """
    if torch.get_default_device().type != "meta":
        return make()
    try:
        return make()
    except (RuntimeError, NotImplementedError, ValueError, TypeError):
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            network = make()
        return to_meta(network) if isinstance(network, nn.Module) else network


def _blame(error: BaseException, name: str) -> str:
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == f"<{name}>"
    ]
    where = f" at line {lines[-1]}" if lines else ""
    return f"The Python file {name} failed{where}: {type(error).__name__}: {error}"
