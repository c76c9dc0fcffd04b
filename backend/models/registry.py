"""The zoo: networks by name, each option with a sentence; the builder ``zoo:NAME(options)``."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from torch import nn

from backend.models.calls import format_call, parse_call
from backend.models.errors import RecipeError, unknown
from backend.models.recipe import builder

# Modules that register networks; imported at the first look-up.
_MODULES = (
    "resnet",
    "vgg",
    "mobilenet",
    "efficientnet",
    "cyclegan",
    "inception",
    "spade",
    "generators",
    "discriminators",
    "scaled_discriminator",
    "concept",
)

_networks: dict[str, Callable[..., nn.Module]] = {}


@dataclass(frozen=True)
class Option:
    """One option of a network: its type (an annotation), its default and a sentence about it."""

    name: str
    type: Any
    default: Any
    doc: str


def network(name: str) -> Callable[[Callable[..., nn.Module]], Callable[..., nn.Module]]:
    """Register a function as the zoo network ``name``.

    Its parameters are the options: each has a default and an annotation ``Annotated[type,
    sentence]`` with a type of int, float, bool, str, a ``Literal``, or one of them ``| None``.
    """

    def register(function: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        known = _networks.setdefault(name, function)
        if (known.__module__, known.__qualname__) != (function.__module__, function.__qualname__):
            raise ValueError(
                f"The network {name!r} is already {known.__module__}.{known.__qualname__}."
            )
        _networks[name] = function
        return function

    return register


def network_names() -> list[str]:
    """Return the names of all networks of the zoo."""
    for module in _MODULES:
        importlib.import_module(f"backend.models.{module}")
    return sorted(_networks)


def options(name: str) -> tuple[Option, ...]:
    """Return the options of the network ``name``, in the order of its signature."""
    function = _find(name)
    hints = get_type_hints(function, include_extras=True)
    found = []
    for parameter in inspect.signature(function).parameters.values():
        kind, doc = get_args(hints[parameter.name])
        found.append(Option(parameter.name, kind, parameter.default, doc))
    return tuple(found)


def zoo(name: str, **chosen: Any) -> str:
    """Return the builder text ``zoo:name(option=value, ...)``, checked; defaults are left out."""
    checked = _check(name, (), chosen)
    defaults = {option.name: option.default for option in options(name)}
    # The type counts too: 1 == True == 1.0, but not in a text.
    kept = {
        key: value
        for key, value in checked.items()
        if value != defaults[key] or type(value) is not type(defaults[key])
    }
    return f"zoo:{format_call(name, kept)}"


@builder("zoo")
def build_zoo(rest: str, files: Mapping[str, bytes]) -> nn.Module:
    """Build ``resnet(depth=20)`` and the like; arguments are literals only."""
    name, values, named = parse_call(rest)
    return _find(name)(**_check(name, values, named))


def _find(name: str) -> Callable[..., nn.Module]:
    names = network_names()
    if name not in _networks:
        raise RecipeError(unknown("network", name, names))
    return _networks[name]


def _check(name: str, values: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    known = {option.name: option for option in options(name)}
    if len(values) > len(known):
        raise RecipeError(f"{name} has {len(known)} options; {len(values)} values were given.")
    chosen = dict(zip(known, values, strict=False))
    for key, value in named.items():
        if key not in known:
            raise RecipeError(unknown(f"option of {name}", key, known))
        if key in chosen:
            raise RecipeError(f"The option {key} of {name} is given twice.")
        chosen[key] = value
    for key, value in chosen.items():
        if not _fits(value, known[key].type):
            raise RecipeError(
                f"The option {key} of {name} cannot be {value!r}; it is {_words(known[key].type)}. "
                f"{known[key].doc}"
            )
    return chosen


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return any(value == choice and type(value) is type(choice) for choice in get_args(kind))
    if get_args(kind):
        return any(_fits(value, one) for one in get_args(kind))
    if kind is float:
        return type(value) in (int, float)
    return type(value) is kind


def _words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(repr, get_args(kind)))
    if get_args(kind):
        return " or ".join(_words(one) for one in get_args(kind))
    names = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
    return names.get(kind, "None")
