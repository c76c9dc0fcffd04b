"""From any traced network to the wiring of an F8Net: who reads what, signs, shared clip levels.

The graph is first brought to a few kinds of operations, then ReLUs move behind pooling until they
stand directly before the layers that read them, where the unsigned quantizer does their work.
*Streams* are the tensors joined by ReLU, pooling, addition and the like: all readers of a stream
share one clip level, so that their scales differ by powers of two.

Source: Jin et al., F8Net, ICLR 2022, sec. 4.3 and its appendix (clipping-level sharing).
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field

import torch
from torch import fx

from backend.quant.f8_layers import InputSpec
from backend.quant.f8_operations import KIND, cap_of, classify, overshoots, place
from backend.quant.f8_options import F8Options
from backend.quant.fixed_point import QuantError

_PASSING = ("relu", "order", "average", "add", "cat")


@dataclass
class Reader:
    """A layer, or a clip, that quantizes its input; shared layers have several sites."""

    name: str
    sites: list[fx.Node]
    spec: InputSpec
    stream: int = -1
    """Index of its clip level; -1: the scale is the constant ``fixed_eta``."""
    fixed_eta: float = 1.0
    half: bool = False
    """Signed beside unsigned readers: M is half of theirs, so that ratios stay powers of two."""


@dataclass
class Wiring:
    """What the rewriting needs: readers in order, and the unit of each tensor."""

    graph: fx.Graph
    readers: list[Reader] = field(default_factory=list)
    alphas: list[float] = field(default_factory=list)
    units: dict[fx.Node, int | None] = field(default_factory=dict)
    """Index of the reader in whose units a tensor travels; None: the float network's units."""
    entry: float = 1.0
    """Factor on the picture before anything else."""


def analyse(traced: fx.GraphModule, options: F8Options) -> Wiring:
    """Canonicalise ``traced`` in place and wire it.

    Raises:
        QuantError: an operation that has no fixed-point form; names its place and the reason.
    """
    classify(traced)
    _functionalise(traced.graph)  # first: a bare ``x.relu_()`` looks dead until then
    traced.graph.eliminate_dead_code()
    _fuse_batch_norms(traced)
    _sink_relus(traced.graph)
    readers = _find_readers(traced, options)
    traced.graph.eliminate_dead_code()
    wiring = Wiring(traced.graph, readers)
    streams = _Streams(traced.graph, readers)
    _share_clip_levels(wiring, streams, options)
    _assign_units(wiring, streams)
    return wiring


def tensors(node: fx.Node) -> list[fx.Node]:
    """Return the inputs of ``node`` that carry activations."""
    return [one for one in node.all_input_nodes if one.meta[KIND] != "size"]


def _functionalise(graph: fx.Graph) -> None:
    # After an in-place operation the old name means the new value, too.
    for node in graph.nodes:
        if node.meta.get("in_place"):
            source = node.args[0]
            later = {one for one in source.users if one is not node and one > node}
            source.replace_all_uses_with(node, delete_user_cb=lambda user, keep=later: user in keep)


def _fuse_batch_norms(traced: fx.GraphModule) -> None:
    for node in list(traced.graph.nodes):
        if node.meta[KIND] != "norm":
            continue
        layer = node.args[0]
        if layer.meta[KIND] != "layer" or layer.meta.get("norm"):
            raise QuantError(
                f"{place(node)} is a batch norm that does not directly follow a convolution or "
                "linear layer, so it cannot be folded into weights; F8Net cannot quantize it."
            )
        if len(layer.users) > 1:
            raise QuantError(
                f"The output of {place(layer)} is used both before and after its batch norm "
                f"{place(node)}, so the two cannot become one; F8Net cannot quantize it."
            )
        layer.meta["norm"] = str(node.target)
        node.replace_all_uses_with(layer)
        traced.graph.erase_node(node)


def _sink_relus(graph: fx.Graph) -> None:
    """Move ReLUs behind pooling, reshaping and concatenation: they commute."""
    for node in list(graph.nodes):
        inputs = tensors(node) if node.meta[KIND] in ("order", "cat") else []
        if not inputs or any(one.meta[KIND] != "relu" for one in inputs):
            continue
        caps = {cap_of(one) for one in inputs}
        if len(caps) > 1:
            continue
        with graph.inserting_after(node):
            relu = graph.call_function(torch.relu, (node,))
        relu.meta = {**inputs[0].meta}
        node.replace_all_uses_with(relu, delete_user_cb=lambda user, new=relu: user is not new)
        bypass = {one: one.args[0] for one in inputs}
        node.args = fx.map_arg(node.args, lambda one, to=bypass: to.get(one, one))
        node.kwargs = fx.map_arg(node.kwargs, lambda one, to=bypass: to.get(one, one))


def _find_readers(traced: fx.GraphModule, options: F8Options) -> list[Reader]:
    graph = traced.graph
    positive = _non_negative(graph, options)
    pictures = _pure_pictures(graph)
    readers: dict[tuple[str, str | None], Reader] = {}
    for node in graph.nodes:
        if node.meta[KIND] != "layer":
            continue
        spec = _read(node, positive, pictures, options)
        key = str(node.target), node.meta.get("norm")
        names = {one.name for one in readers.values()}
        known = readers.setdefault(key, Reader(free_name(key[0], names), [], spec))
        if known.sites and known.spec != spec:
            raise QuantError(
                f"The shared layer {place(node)} reads different kinds of tensors (one behind a "
                "ReLU and one not, for instance), so it has no common input format; give each use "
                "a layer of its own."
            )
        known.sites.append(node)
    clips = [] if options.no_clipping else list(_clips(graph, options))
    order = {node: i for i, node in enumerate(graph.nodes)}
    return sorted([*readers.values(), *clips], key=lambda one: order[one.sites[0]])


def _read(
    node: fx.Node, positive: set[fx.Node], pictures: set[fx.Node], options: F8Options
) -> InputSpec:
    """Let the layer ``node`` read what comes before a ReLU, and say what it reads."""
    source = node.args[0]
    if source in pictures:
        if options.image == "unit":
            return InputSpec(8, False, fixed_fl=8)
        return InputSpec(options.input_wl, True)
    if source.meta[KIND] == "relu" and not (options.no_clipping and cap_of(source) is not None):
        node.replace_input_with(source, source.args[0])
        return InputSpec(options.wl, False, behind_relu=True, cap=cap_of(source))
    return InputSpec(options.wl, source not in positive)


def _clips(graph: fx.Graph, options: F8Options) -> Iterator[Reader]:
    taken: set[str] = set()
    for node in graph.nodes:
        if node.meta[KIND] == "relu" and cap_of(node) is not None and node.users:
            node.meta[KIND] = "clip"
            name = free_name(str(node.target) if node.op == "call_module" else node.name, taken)
            taken.add(name)
            spec = InputSpec(options.wl, False, behind_relu=True, cap=cap_of(node))
            yield Reader(name, [node], spec)


def _non_negative(graph: fx.Graph, options: F8Options) -> set[fx.Node]:
    found: set[fx.Node] = set()
    for node in graph.nodes:
        kind = node.meta[KIND]
        is_image = kind == "image" and options.image == "unit"
        keeps_sign = kind in ("order", "average", "add", "cat") and not overshoots(node)
        passes = keeps_sign and all(one in found for one in tensors(node))
        if kind == "relu" or is_image or passes:
            found.add(node)
    return found


def _pure_pictures(graph: fx.Graph) -> set[fx.Node]:
    """The picture, and what pooling and reshaping make of it."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        is_view = node.meta[KIND] == "order" and all(one in found for one in tensors(node))
        if node.meta[KIND] == "image" or is_view:
            found.add(node)
    return found


def free_name(name: str, taken: Container[str]) -> str:
    """Return ``name``, with a number behind it if it is taken."""
    free, count = name, 2
    while free in taken:
        free, count = f"{name}_{count}", count + 1
    return free


class _Streams:
    """Union-find over the tensors of a graph."""

    def __init__(self, graph: fx.Graph, readers: list[Reader]) -> None:
        self._parent: dict[fx.Node, fx.Node] = {}
        for node in graph.nodes:
            if node.meta[KIND] in (*_PASSING, "clip"):
                for source in tensors(node):
                    self._join(source, node)
        for reader in readers:
            for site in reader.sites[1:]:
                self._join(reader.sites[0].args[0], site.args[0])

    def find(self, node: fx.Node) -> fx.Node:
        """Return the representative of the stream of ``node``."""
        while node in self._parent:
            node = self._parent[node]
        return node

    def _join(self, a: fx.Node, b: fx.Node) -> None:
        a, b = self.find(a), self.find(b)
        if a is not b:
            self._parent[b] = a


def _share_clip_levels(wiring: Wiring, streams: _Streams, options: F8Options) -> None:
    members: dict[fx.Node, list[Reader]] = {}
    for reader in wiring.readers:
        members.setdefault(streams.find(reader.sites[0].args[0]), []).append(reader)
    for node in wiring.graph.nodes:
        if node.meta[KIND] == "image":
            _pictures_scale(wiring, members.pop(streams.find(node), []), options)
    if options.no_clipping:
        return
    for together in members.values():
        is_mixed = len({one.spec.signed for one in together}) > 1
        caps = [one.spec.cap for one in together if one.spec.cap is not None]
        for reader in together:
            reader.stream = len(wiring.alphas)
            reader.half = is_mixed and reader.spec.signed
        wiring.alphas.append(max(caps, default=options.alpha))


def _pictures_scale(wiring: Wiring, readers: list[Reader], options: F8Options) -> None:
    """Readers of the picture have a constant scale: nothing comes before them to fold into."""
    if readers and all(one.spec.fixed_fl is not None for one in readers):
        # x = code / 255, and the code stands for code / 256 on the grid of FL 8.
        wiring.entry = 255 / 256
        for reader in readers:
            reader.fixed_eta = 256 / 255
    elif any(one.spec.fixed_fl is not None for one in readers):
        raise QuantError(
            "The picture is read by a layer and also averaged or added to other tensors, so its "
            "codes cannot be used as they are; choose the F8Net option image = 'signed'."
        )


def _assign_units(wiring: Wiring, streams: _Streams) -> None:
    """Give each tensor the units of its first reader downstream."""
    index = {site: i for i, reader in enumerate(wiring.readers) for site in reader.sites}
    first: dict[fx.Node, int] = {}
    for i, reader in enumerate(wiring.readers):
        first.setdefault(streams.find(reader.sites[0].args[0]), i)
    for node in reversed(wiring.graph.nodes):
        kind = node.meta[KIND]
        if kind == "clip":
            wiring.units[node] = index[node]
            continue
        if kind == "tail" and streams.find(node) in first:
            raise QuantError(
                f"A layer reads the result of {place(node)}, which has no fixed-point form; F8Net "
                "cannot quantize this network."
            )
        found = [index[user] for user in node.users if user in index]
        found += [wiring.units[user] for user in node.users if user.meta[KIND] in _PASSING]
        known = [one for one in found if one is not None]
        # Behind the last reader of a stream its first one serves as well as any.
        wiring.units[node] = min(known) if known else first.get(streams.find(node))
