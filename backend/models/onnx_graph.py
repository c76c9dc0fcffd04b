"""From an ONNX graph to a torch.fx graph: values, constants, sizes, and ways to emit code.

Constants are torch tensors and operators of constants are computed at once. Shape arithmetic that
starts at an unknown size (a free batch) becomes :class:`Sizes`, plain integer arithmetic of the fx
graph.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor, fx, nn

from backend.models.errors import RecipeError


@dataclass(frozen=True)
class Sizes:
    """A whole-number tensor of rank 1 (or 0) of which some entries are only known when it runs."""

    items: tuple[int | fx.Node, ...]
    is_scalar: bool = False


Value = Tensor | fx.Node | Sizes | None


class OnnxError(RecipeError):
    """An ONNX file that cannot be read, or something in it that is not understood."""


class Target:
    """The torch module under construction and its graph."""

    def __init__(self) -> None:
        self.root = nn.Module()
        self.graph = fx.Graph()
        self.initializers: dict[int, str] = {}
        self._attributes: dict[int, fx.Node] = {}
        self._parameters: dict[tuple[int, str], nn.Parameter] = {}
        self._alive: list[Tensor] = []
        self._names: set[str] = set()

    def free_name(self, wanted: str) -> str:
        """Return an unused attribute name that resembles ``wanted``."""
        name = re.sub(r"\W+", "_", wanted).strip("_") or "value"
        name = f"n{name}" if name[0].isdigit() else name
        # Attributes of a module itself, such as "training" or "forward", are taken.
        taken = name in self._names or hasattr(self.root, name)
        number = 1
        while taken:
            number += 1
            taken = f"{name}_{number}" in self._names or hasattr(self.root, f"{name}_{number}")
        name = f"{name}_{number}" if number > 1 else name
        self._names.add(name)
        return name

    def parameter(
        self, tensor: Tensor, change: str = "", changed: Tensor | None = None
    ) -> nn.Parameter:
        """Return the one parameter of a constant, or of its form ``changed``, called ``change``."""
        key = (id(tensor), change)
        if key not in self._parameters:
            self._alive.append(tensor)
            source = tensor if changed is None else changed
            self._parameters[key] = nn.Parameter(source.clone(), source.is_floating_point())
        return self._parameters[key]

    def attribute(self, tensor: Tensor) -> fx.Node:
        """Return the node that reads a constant: a parameter if it was trained, else a buffer."""
        if id(tensor) not in self._attributes:
            self._alive.append(tensor)
            name = self.free_name(self.initializers.get(id(tensor), "constant"))
            if (
                id(tensor) in self.initializers
                and tensor.is_floating_point()
                and tensor.numel() > 1
            ):
                self.root.register_parameter(name, self.parameter(tensor))
            else:
                self.root.register_buffer(name, tensor.clone())
            self._attributes[id(tensor)] = self.graph.get_attr(name)
        return self._attributes[id(tensor)]


class Site:
    """One ONNX node while it is converted: inputs, attributes, and ways to emit torch code."""

    def __init__(
        self,
        target: Target,
        kind: str,
        label: str,
        inputs: list[Value],
        attributes: dict[str, Any],
        shapes: list[tuple[int | None, ...] | None],
        outputs: list[str],
        opset: int,
        batch: int | None,
    ) -> None:
        self.target = target
        self.kind = kind
        self.label = label
        self.inputs = inputs
        self.attributes = attributes
        self.shapes = shapes
        self.outputs = outputs
        self.opset = opset
        self.batch = batch

    def refuse(self, reason: str) -> NoReturn:
        """Stop: this node asks for something that is not understood."""
        raise OnnxError(f"The ONNX operator {self.kind} of the node {self.label!r} {reason}.")

    def input(self, index: int) -> Any:
        """Return an input, or None where the node leaves it out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int, what: str) -> Tensor:
        """Return an input that must be known beforehand."""
        value = self.input(index)
        if not isinstance(value, Tensor):
            self.refuse(f"computes its {what}; only a constant {what} is understood")
        return value

    def optional(self, index: int, what: str) -> Tensor | None:
        """Return a constant input, or None where the node leaves it out or it is empty."""
        if self.input(index) is None:
            return None
        value = self.constant(index, what)
        return value if value.numel() else None

    def ints(self, index: int, name: str) -> list[int] | None:
        """Return whole numbers, which newer opsets give as an input, older ones as an attribute."""
        if name in self.attributes:
            return list(self.attributes[name])
        value = self.optional(index, name)
        return None if value is None else [int(one) for one in value.reshape(-1).tolist()]

    def sizes(self, index: int, what: str) -> list[int | fx.Node]:
        """Return a list of whole numbers of which some may be computed from sizes."""
        value = self.input(index)
        if isinstance(value, Sizes):
            return list(value.items)
        return [int(one) for one in self.constant(index, what).reshape(-1).tolist()]

    def shape(self, index: int = 0) -> tuple[int | None, ...]:
        """Return the shape of an input, None for each unknown size; refuse an unknown rank."""
        value = self.input(index)
        if isinstance(value, Tensor):
            return tuple(value.shape)
        known = self.shapes[index]
        if known is None:
            self.refuse(
                "needs to know how many dimensions its input has, and the file does not tell"
            )
        return known

    def rank(self, index: int = 0) -> int:
        """Return the number of dimensions of an input."""
        return len(self.shape(index))

    def emit(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call ``function`` in the graph, or at once if everything it takes is known."""
        if not _has_node((args, kwargs)):
            with torch.no_grad():
                return function(*args, **kwargs)
        return self.target.graph.call_function(function, self._place(args), self._place(kwargs))

    def method(self, name: str, value: Value, *args: Any) -> Any:
        """Call a method of ``value`` in the graph, or at once if everything is known."""
        if not _has_node((value, args)):
            with torch.no_grad():
                return getattr(value, name)(*args)
        return self.target.graph.call_method(name, self._place((value, *args)))

    def module(self, module: nn.Module, value: Any) -> Any:
        """Put ``module`` into the network and apply it to ``value``."""
        module.eval()
        if isinstance(value, Tensor):
            with torch.no_grad():
                return module(value)
        if not isinstance(value, fx.Node):
            self.refuse("works on sizes in a way that is not understood")
        name = self.target.free_name(self.label)
        self.target.root.add_module(name, module)
        return self.target.graph.call_module(name, (value,))

    def size(self, value: Any, dim: int, known: int | None = None) -> int | fx.Node:
        """Return the size of ``value`` along ``dim``: a number if known, else a node."""
        return known if known is not None else self.method("size", value, dim)

    def index(self, value: Any, where: Any) -> Any:
        """Return ``value[where]``."""
        return self.emit(operator.getitem, value, where)

    def _place(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.item() if value.ndim == 0 else self.target.attribute(value)
        if isinstance(value, Sizes):
            self.refuse("works on sizes in a way that is not understood")
        if isinstance(value, (tuple, list)):
            return type(value)(self._place(one) for one in value)
        if isinstance(value, dict):
            return {key: self._place(one) for key, one in value.items()}
        return value


Handler = Callable[[Site], Any]
OPERATORS: dict[str, Handler] = {}


def operator_of(*kinds: str) -> Callable[[Handler], Handler]:
    """Register the conversion of ONNX operators; several outputs are returned as a list."""

    def register(function: Handler) -> Handler:
        for kind in kinds:
            OPERATORS[kind] = function
        return function

    return register


def _has_node(value: Any) -> bool:
    if isinstance(value, slice):
        return _has_node((value.start, value.stop, value.step))
    if isinstance(value, (tuple, list)):
        return any(_has_node(one) for one in value)
    if isinstance(value, dict):
        return any(_has_node(one) for one in value.values())
    return isinstance(value, (fx.Node, Sizes))


def as_value(items: Sequence[int | fx.Node], is_scalar: bool = False) -> Tensor | Sizes:
    """Return sizes as a constant if all are known."""
    if any(isinstance(one, fx.Node) for one in items):
        return Sizes(tuple(items), is_scalar)
    return torch.tensor(items[0] if is_scalar else list(items), dtype=torch.int64)
