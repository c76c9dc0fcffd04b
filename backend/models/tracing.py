"""Any network as a graph: symbolic tracing that says where and why it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_map

from backend.models.errors import RecipeError

_SHAPE_READERS = {"shape", "dtype", "device", "ndim"}


class TracingError(RecipeError):
    """A network whose computation cannot be written down as one fixed graph."""

    def __init__(self, module: str, kind: str, reason: str) -> None:
        place = f"{module} ({kind})" if module else f"its outermost module ({kind})"
        super().__init__(f"The network cannot be traced: in {place} {reason}")
        self.module = module
        self.reason = reason


def trace(
    module: nn.Module,
    *,
    example: Tensor | None = None,
    leaves: Callable[[nn.Module], bool] | None = None,
) -> fx.GraphModule:
    """Return ``module`` as a graph over its leaf modules; it shares the parameters and buffers.

    Layers of torch are leaves, and so is each module for which ``leaves`` says so. With an
    ``example`` input (N, ...) the code may ask for the shapes of tensors and decide by them; the
    graph then holds for this shape, the batch size aside where the code does not use it. Networks
    with several inputs are traced without one.

    Raises:
        TracingError: names the module and the reason.
    """
    tracer = _Tracer(leaves, example)
    try:
        graph = tracer.trace(module)
    except Exception as error:
        kind = type(module.get_submodule(tracer.place)).__name__
        raise TracingError(tracer.place, kind, _reason(error)) from error
    for node in graph.nodes:
        node.meta.pop("example", None)
    traced = fx.GraphModule(tracer.root, graph, type(module).__name__)
    traced.train(module.training)
    return traced


class _Tracer(fx.Tracer):
    """Remembers in which module it is, and with an example what shape every value has."""

    def __init__(self, leaves: Callable[[nn.Module], bool] | None, example: Tensor | None) -> None:
        super().__init__(param_shapes_constant=True)
        self.leaves = leaves
        self.example = None if example is None else torch.empty_like(example, device="meta")
        self.place = ""
        self.is_evaluating = False

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        chosen = self.leaves is not None and self.leaves(m)
        return chosen or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        if self.is_evaluating:
            return forward(*args, **kwargs)
        outside, self.place = self.place, self.path_of_module(m)
        result = super().call_module(m, forward, args, kwargs)
        # Not restored after an exception: the innermost module is the one to name.
        self.place = outside
        return result

    def create_proxy(
        self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **more: Any
    ) -> Any:
        proxy = super().create_proxy(kind, target, args, kwargs, *rest, **more)
        if self.example is not None and kind != "output":
            # While fx traces, every call of a module and every look-up of a parameter is its own.
            self.is_evaluating = True
            try:
                proxy.node.meta["example"] = self._evaluate(proxy.node)
            finally:
                self.is_evaluating = False
        return proxy

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if self.is_evaluating:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return super().proxy(node) if self.example is None else _ShapedProxy(node, self)

    def _evaluate(self, node: fx.Node) -> Any:
        """Compute the value of ``node`` on the meta device: shapes and types, no numbers."""
        if node.op == "placeholder":
            is_first = sum(one.op == "placeholder" for one in self.graph.nodes) == 1
            return self.example if is_first else None
        args, kwargs = (
            tree_map(lambda one: one.meta["example"] if isinstance(one, fx.Node) else one, one)
            for one in (_plain(node.args), _plain(node.kwargs))
        )
        if node.op == "get_attr":
            return _to_meta(_attribute(self.root, str(node.target)))
        if node.op == "call_module":
            return _on_meta(self.root.get_submodule(str(node.target)), args, kwargs)
        function = (
            getattr(torch.Tensor, str(node.target), None)
            if node.op == "call_method"
            else node.target
        )
        return function(*_to_meta(args), **_to_meta(kwargs))


class _ShapedProxy(fx.Proxy):
    """A proxy whose shape and other facts are plain Python values."""

    def __getattr__(self, name: str) -> Any:
        known = self.node.meta.get("example")
        if name in _SHAPE_READERS and isinstance(known, Tensor):
            return getattr(known, name)
        return super().__getattr__(name)

    def size(self, dim: int | None = None) -> Any:
        known = self.node.meta.get("example")
        return known.size() if dim is None else known.size(dim)

    def dim(self) -> int:
        return self.node.meta["example"].dim()

    def __len__(self) -> int:
        return len(self.node.meta["example"])


def _on_meta(module: nn.Module, args: Any, kwargs: Any) -> Any:
    state = {
        name: _to_meta(one) for name, one in (*module.named_parameters(), *module.named_buffers())
    }
    with torch.no_grad():
        return torch.func.functional_call(module, state, _to_meta(args), _to_meta(kwargs))


def _to_meta(value: Any) -> Any:
    return tree_map(lambda one: one.detach().to("meta") if isinstance(one, Tensor) else one, value)


def _plain(value: Any) -> Any:
    # fx keeps arguments in immutable lists and dictionaries of its own.
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(_plain(one) for one in value)
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _attribute(root: Any, path: str) -> Any:
    for name in path.split("."):
        root = getattr(root, name)
    return root


def _reason(error: Exception) -> str:
    text = str(error).strip().split("\n")[0]
    if "iterated" in text or "__len__" in text or "'len'" in text:
        return (
            "the code loops over a tensor, or asks for its length. Loop over a fixed range, or "
            "trace with an example input."
        )
    if "control flow" in text:
        return (
            "the path through the code depends on the values of a tensor (an if or while). Write "
            "both paths as tensor arithmetic, or trace with an example input if only a shape is "
            "asked."
        )
    if "'Proxy'" in text or "Proxy(" in text:
        return (
            "the code reads a value or a size of a tensor as a number. Compute with tensors, "
            "or trace with an example input if only a shape is asked."
        )
    return f"the code does something that a graph cannot hold: {type(error).__name__}: {text}"
