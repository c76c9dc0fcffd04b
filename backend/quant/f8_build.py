"""Write the graph of an F8Net network, and its plain form for inference."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from backend.quant.describe import TensorFormat
from backend.quant.f8_graph import Reader, Wiring, free_name, tensors
from backend.quant.f8_layers import F8Classifier, F8Clip, F8Layer, InputQuantizer, shift, to_real
from backend.quant.f8_operations import KIND, cap_of
from backend.quant.f8_options import F8Options
from backend.quant.fake_quant import FakeQuantize, GridConv2d, GridLinear


def write_training_graph(
    traced: fx.GraphModule, wiring: Wiring, options: F8Options
) -> fx.GraphModule:
    """Return ``forward(x, etas)``: layers get their scale and the next one as arguments.

    ``etas`` is a sequence with one scale (a tensor of shape ()) for each reader, in order.
    """
    return _Writer(traced, wiring, options).write()


class _Writer:
    """Rewrites one wired graph."""

    def __init__(self, traced: fx.GraphModule, wiring: Wiring, options: F8Options) -> None:
        self.traced = traced
        self.wiring = wiring
        self.options = options
        self.graph = fx.Graph()
        self.modules: dict[str, nn.Module] = {}
        self.new: dict[fx.Node, fx.Node] = {}
        self.reader_of = {
            site: i for i, reader in enumerate(wiring.readers) for site in reader.sites
        }
        self.etas: dict[int, fx.Node] = {}
        self.shortcuts = _shortcuts(traced.graph)

    def write(self) -> fx.GraphModule:
        for node in self.traced.graph.nodes:
            if node.op == "placeholder":
                self._placeholder(node)
        self.etas_input = self.graph.placeholder("etas")
        for node in self.traced.graph.nodes:
            if node.meta[KIND] == "image" and self.wiring.entry != 1.0:
                scaled = self.graph.call_function(operator.mul, (self.new[node], self.wiring.entry))
                self.new[node] = scaled
            elif node.op != "placeholder":
                self.new[node] = self._node(node)
        self.graph.lint()
        return fx.GraphModule(self.modules, self.graph, "F8NetGraph")

    def _placeholder(self, node: fx.Node) -> None:
        if node.meta[KIND] == "image":
            self.new[node] = self.graph.placeholder(node.name)

    def _node(self, node: fx.Node) -> fx.Node:
        kind = node.meta[KIND]
        if node in self.reader_of:
            return self._reader(node, self.reader_of[node])
        if kind == "relu":
            return self._relu(node)
        if kind == "add":
            return self.graph.call_function(operator.add, tuple(self._inputs(node)))
        if kind == "size":
            ready = {}
        elif kind in ("tail", "output"):
            ready = {one: self._real(one) for one in tensors(node)}
        else:
            ready = dict(zip(tensors(node), self._inputs(node), strict=True))
        if node.op == "call_module":
            module = self.traced.get_submodule(str(node.target))
            if hasattr(module, "inplace"):
                module.inplace = False
            self.modules[str(node.target)] = module
        return self.graph.node_copy(node, lambda one: ready.get(one) or self.new[one])

    def _relu(self, node: fx.Node) -> fx.Node:
        (source,) = self._inputs(node)
        cap = cap_of(node)
        if cap is None:
            return self.graph.call_function(torch.relu, (source,))
        return self.graph.call_function(torch.clamp, (source, 0.0, cap))  # scales are 1 here

    def _reader(self, node: fx.Node, index: int) -> fx.Node:
        reader = self.wiring.readers[index]
        source = self._in_units(node.args[0], index)
        if reader.name not in self.modules:
            self.modules[reader.name] = self._layer(node, reader)
        eta = self._eta(index)
        if node.meta[KIND] == "clip":
            return self.graph.call_module(reader.name, (source, eta))
        return self.graph.call_module(
            reader.name, (source, eta, self._eta(self.wiring.units[node]))
        )

    def _layer(self, node: fx.Node, reader: Reader) -> nn.Module:
        if node.meta[KIND] == "clip":
            like = next(self.traced.parameters()).detach()
            return F8Clip(reader.spec, self.options, like)
        op = self.traced.get_submodule(str(node.target))
        norm = node.meta.get("norm")
        if norm is None and self._is_classifier(node, op):
            return F8Classifier(op, reader.spec, self.options)
        bn = None if norm is None else self.traced.get_submodule(norm)
        return F8Layer(op, bn, reader.spec, self.options, reader.name)

    def _is_classifier(self, node: fx.Node, op: nn.Module) -> bool:
        if self.options.rescale == "off" or not isinstance(op, nn.Linear):
            return False
        return all(user.meta[KIND] in ("output", "tail") for user in node.users)

    def _inputs(self, node: fx.Node) -> list[fx.Node]:
        """The inputs of ``node`` in the units of its result."""
        unit = self.wiring.units[node]
        is_raw = self.options.paper_code_shortcut and node in self.shortcuts
        sources = node.args if node.meta[KIND] == "add" else tensors(node)
        return [self.new[one] if is_raw else self._in_units(one, unit) for one in sources]

    def _in_units(self, node: fx.Node, unit: int | None) -> fx.Node:
        own = self.wiring.units[node]
        if own == unit:
            return self.new[node]
        return self.graph.call_function(shift, (self.new[node], self._eta(own), self._eta(unit)))

    def _real(self, node: fx.Node) -> fx.Node:
        unit = self.wiring.units[node]
        if unit is None:
            return self.new[node]
        return self.graph.call_function(to_real, (self.new[node], self._eta(unit)))

    def _eta(self, index: int | None) -> fx.Node | float:
        if index is None:
            return 1.0
        if index not in self.etas:
            self.etas[index] = self.graph.call_function(operator.getitem, (self.etas_input, index))
        return self.etas[index]


def _shortcuts(graph: fx.Graph) -> set[fx.Node]:
    """Sums, and what only a ReLU or a reshaping separates from one."""
    found: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        is_view = node.meta[KIND] in ("relu", "order")
        if node.meta[KIND] == "add" or (is_view and any(user in found for user in node.users)):
            found.add(node)
    return found


def write_plain_graph(body: fx.GraphModule, etas: Sequence[Tensor]) -> fx.GraphModule:
    """Return the network for inference: fake quantizers, layers on grids, shifts, no scales left.

    ``body`` is what `write_training_graph` gave; ``etas`` are the scales of evaluation.
    """
    graph = fx.Graph()
    modules: dict[str, nn.Module] = {}
    values: dict[fx.Node, Any] = {}

    def add(name: str, module: nn.Module, source: fx.Node) -> fx.Node:
        free = free_name(name, modules)
        modules[free] = module
        return graph.call_module(free, (source,))

    for node in body.graph.nodes:
        if node.op == "placeholder":
            values[node] = etas if node.name == "etas" else graph.placeholder(node.name)
        elif node.target is operator.getitem and values[node.args[0]] is etas:
            values[node] = etas[node.args[1]]
        elif node.target in (shift, to_real):
            values[node] = _multiply(graph, *(values.get(one, one) for one in node.args))
        elif node.op == "call_module" and isinstance(
            layer := body.get_submodule(str(node.target)), F8Layer | F8Classifier | F8Clip
        ):
            source, *scales = (values.get(one, one) for one in node.args)
            values[node] = _plain_layer(add, str(node.target), layer, source, scales)
        else:
            if node.op == "call_module":
                modules[str(node.target)] = body.get_submodule(str(node.target))
            values[node] = graph.node_copy(node, lambda one: values[one])
    graph.lint()
    return fx.GraphModule(modules, graph, "F8NetPlain").eval()


def _plain_layer(
    add: Callable[[str, nn.Module, fx.Node], fx.Node],
    name: str,
    layer: F8Layer | F8Classifier | F8Clip,
    source: fx.Node,
    scales: list[Any],
) -> fx.Node:
    quantized = add(f"{name}_input", FakeQuantize(input_format(layer.input)), source)
    if isinstance(layer, F8Clip):
        return quantized
    folded = layer.folded(*scales)
    if isinstance(layer.op, nn.Linear):
        plain = GridLinear.from_values(folded.weight, folded.bias, folded.formats)
    else:
        plain = GridConv2d.from_conv(layer.op, folded.weight, folded.bias, folded.formats)
    return add(name, plain, quantized)


def input_format(quantizer: InputQuantizer) -> TensorFormat:
    """Return the format that evaluation uses for the input of a layer."""
    scale = 2.0 ** -float(quantizer.fl_run.round())
    return TensorFormat(quantizer.spec.wl, (scale,), quantizer.spec.signed)


def _multiply(graph: fx.Graph, x: fx.Node, eta: Any, eta_next: Any = 1.0) -> fx.Node:
    factor = float(eta / eta_next)
    return x if factor == 1.0 else graph.call_function(operator.mul, (x, factor))
