"""Nodes: a typed function is all that there is to write; its signature is the specification."""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from backend.core.context import Context
from backend.core.value import VALUES, ancestry


class Params(BaseModel):
    """Settings of a node. Each field has a default, bounds, a short title and one description.

    The title is what the form calls it, in sentence case. ``json_schema_extra`` may carry ``unit``,
    ``scale`` (``"log"``), ``group`` (the heading that it stands under), ``labels`` (words for
    choices that are none: ``{"pre_relu": "Before the ReLU"}``) and ``origin`` (where the default
    comes from: ``paper``, ``code``, ``memory`` or ``choice``).
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


class Port(BaseModel):
    """An input or output. A link fits when the source's names and the target's ``accepts`` meet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: str
    accepts: tuple[str, ...]
    optional: bool = False
    many: bool = False
    follows: str | None = None
    """For an output that returns what came in: the input port whose type it takes."""


class NodeSpec(BaseModel):
    """All that an editor, a command line or a file check needs to know of a kind of node."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: str
    category: str
    doc: str
    source: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    params: dict[str, Any]
    views: tuple[str, ...] = ()
    version: int = 1
    cached: bool = True
    gpus: int = 0
    replaces: tuple[str, ...] = ()
    module: str = ""

    def input(self, name: str) -> Port | None:
        """Return the input port called ``name``."""
        return next((port for port in self.inputs if port.name == name), None)

    def output(self, name: str) -> Port | None:
        """Return the output port called ``name``."""
        return next((port for port in self.outputs if port.name == name), None)


class NodeDefinitionError(TypeError):
    """A node function whose signature does not say what it must; names file and line."""

    for_user = True


Migration = Callable[[dict[str, Any], int], dict[str, Any]]
Reads = Callable[[Any], Iterable[Path]]


@dataclass(frozen=True)
class Definition:
    """A registered node: its specification and the function behind it."""

    spec: NodeSpec
    function: Callable[..., Any]
    params: type[Params]
    context_name: str
    params_name: str | None
    migrate: Migration | None
    reads: Reads | None

    def outputs_of(self, result: Any) -> dict[str, Any]:
        """Pair what the function returned with its output ports."""
        if not self.spec.outputs:
            return {}
        if isinstance(result, tuple) and hasattr(result, "_fields"):
            return dict(zip((p.name for p in self.spec.outputs), result, strict=True))
        return {self.spec.outputs[0].name: result}


REGISTRY: dict[str, Definition] = {}
"""Nodes whose modules have been imported, by id."""

F = TypeVar("F", bound=Callable[..., Any])
_ID = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")


def node(
    id: str,
    *,
    title: str = "",
    version: int = 1,
    cached: bool = True,
    views: Sequence[str] = (),
    gpus: int = 0,
    replaces: Sequence[str] = (),
    migrate: Migration | None = None,
    reads: Reads | None = None,
) -> Callable[[F], F]:
    """Register the decorated function as a node and return it unchanged.

    A ``Params`` argument gives the form, arguments annotated with a value class are input ports
    (``list[...]`` takes many links, ``X | None`` is optional), the return annotation (one class or
    a NamedTuple) gives the output ports, the docstring the help, its ``Source:`` line the paper.

    Args:
        id: ``category.name``; it stands in documents, so it never changes without ``replaces``.
        title: what the palette shows.
        version: raised when the meaning of parameters changes; ``migrate`` lifts older ones.
        cached: False for a node that measures or pushes: it is computed in every run.
        views: kinds of view that it emits.
        gpus: how many it can make use of.
        replaces: ids under which it was known before.
        migrate: ``(parameters, old version) -> parameters``.
        reads: ``params -> files and folders`` outside the graph that the result depends on.

    Raises:
        NodeDefinitionError: the signature is incomplete; names file and line.
    """
    local_names = sys._getframe(1).f_locals

    def register(function: F) -> F:
        definition = _define(
            function,
            local_names,
            _Header(id, title, version, cached, tuple(views), gpus, tuple(replaces)),
            migrate,
            reads,
        )
        known = REGISTRY.get(id)
        if known is not None and _place(known.function) != _place(function):
            raise NodeDefinitionError(
                f'{_place(function)}: the node id "{id}" is already taken by '
                f"{_place(known.function)}. Choose another id."
            )
        REGISTRY[id] = definition
        return function

    return register


@dataclass(frozen=True)
class _Header:
    id: str
    title: str
    version: int
    cached: bool
    views: tuple[str, ...]
    gpus: int
    replaces: tuple[str, ...]


def _define(
    function: Callable[..., Any],
    local_names: dict[str, Any],
    header: _Header,
    migrate: Migration | None,
    reads: Reads | None,
) -> Definition:
    where = _place(function)
    if not _ID.fullmatch(header.id):
        raise NodeDefinitionError(
            f'{where}: the node id "{header.id}" is not of the form "category.name".'
        )
    doc = inspect.getdoc(function) or ""
    if not doc:
        raise NodeDefinitionError(f'{where}: node "{header.id}" has no docstring; it is the help.')
    hints = _hints(function, local_names, where)
    inputs: list[Port] = []
    context_name, params_name, params = "", None, Params
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in hints:
            raise NodeDefinitionError(f'{where}: argument "{name}" has no annotation.')
        hint = hints[name]
        if hint is Context:
            context_name = name
        elif inspect.isclass(hint) and issubclass(hint, Params):
            params_name, params = name, hint
        else:
            inputs.append(_input_port(name, hint, parameter, where))
    taken = sorted({"type", "name", "params", "at", "version"} & set(params.model_fields))
    if taken:  # Graph.add takes parameters as keywords beside these
        raise NodeDefinitionError(f'{where}: a parameter cannot be called "{taken[0]}".')
    if not context_name:
        raise NodeDefinitionError(f'{where}: node "{header.id}" needs an argument "ctx: Context".')
    text, source = _split_source(doc)
    spec = NodeSpec(
        id=header.id,
        title=header.title or header.id.split(".")[-1].replace("_", " ").capitalize(),
        category=header.id.split(".")[0],
        doc=text,
        source=source,
        inputs=tuple(inputs),
        outputs=_output_ports(hints, where, function),
        params=params.model_json_schema(),
        views=header.views,
        version=header.version,
        cached=header.cached,
        gpus=header.gpus,
        replaces=header.replaces,
        module=function.__module__,
    )
    return Definition(spec, function, params, context_name, params_name, migrate, reads)


def _hints(function: Callable[..., Any], local_names: dict[str, Any], where: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, localns=local_names, include_extras=True)
    except NameError as error:
        raise NodeDefinitionError(
            f"{where}: the annotation {error.name!r} is not known where the node is defined. "
            "Import it at module level, outside TYPE_CHECKING."
        ) from error


def _input_port(name: str, hint: Any, parameter: inspect.Parameter, where: str) -> Port:
    optional = many = False
    members = _union_members(hint)
    if type(None) in members:
        optional = True
        members = tuple(m for m in members if m is not type(None))
        if parameter.default is not None:
            raise NodeDefinitionError(f'{where}: optional input "{name}" needs the default None.')
    if len(members) == 1 and typing.get_origin(members[0]) is list:
        many = True
        members = _union_members(typing.get_args(members[0])[0])
    classes = [_value_class(member, f'argument "{name}"', where) for member in members]
    return Port(
        name=name,
        type=" | ".join(c.__name__ for c in classes),
        accepts=tuple(c.__name__ for c in classes),
        optional=optional,
        many=many,
    )


def _output_ports(
    hints: dict[str, Any], where: str, function: Callable[..., Any]
) -> tuple[Port, ...]:
    if "return" not in hints:
        raise NodeDefinitionError(f"{where}: the function has no return annotation.")
    hint = hints["return"]
    if hint is type(None):
        return ()
    if inspect.isclass(hint) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        fields = typing.get_type_hints(hint)
        return tuple(_output_port(name, fields[name], hints, where) for name in hint._fields)
    cls = _value_class(hint, "the return value", where)
    return (_output_port(cls.__name__.lower(), hint, hints, where),)


def _output_port(name: str, hint: Any, hints: dict[str, Any], where: str) -> Port:
    cls = _value_class(hint, f'output "{name}"', where)
    follows = None
    if isinstance(hint, TypeVar):
        follows = next((n for n, h in hints.items() if h is hint and n != "return"), None)
    return Port(name=name, type=cls.__name__, accepts=ancestry(cls), follows=follows)


def _value_class(hint: Any, what: str, where: str) -> type:
    cls = hint.__bound__ if isinstance(hint, TypeVar) else hint
    if isinstance(cls, type) and cls in VALUES.values():
        return cls
    raise NodeDefinitionError(
        f"{where}: {what} is annotated {getattr(cls, '__name__', cls)}, which is no value "
        "class. Use a class decorated with @value, or move a setting into Params."
    )


def _union_members(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _split_source(doc: str) -> tuple[str, str]:
    lines = doc.split("\n")
    source = " ".join(line.split("Source:", 1)[1].strip() for line in lines if "Source:" in line)
    return "\n".join(line for line in lines if "Source:" not in line).strip(), source


def _place(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    if code is None:
        return repr(function)
    return f"{code.co_filename}:{code.co_firstlineno}"
