"""Which channels of a network belong together, what scores them and what each of them costs.

The network is traced once. Channels that are added to each other, normalised or convolved
depth-wise form one group. The first affine norm of a group scores its channels.
Source: Jin et al., Teachers Do More Than Teach (CAT), CVPR 2021, sec. 3.2: scores are the scales of
down- and up-sampling norms and of the first norm of every branch.
"""

from __future__ import annotations

import copy
import math
import operator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from backend.models.inception import InceptionBlock
from backend.models.spade import SpadeGenerator

Convention = Literal["output", "input"]
_CONV = (nn.Conv2d, nn.ConvTranspose2d)
_NORM = (nn.BatchNorm2d, nn.InstanceNorm2d)
_PLAIN = (
    nn.ReLU, nn.LeakyReLU, nn.ReLU6, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.GELU, nn.Hardswish, nn.ELU,
    nn.Identity, nn.Dropout, nn.Dropout2d, nn.ReflectionPad2d, nn.ReplicationPad2d, nn.ZeroPad2d,
    nn.ConstantPad2d, nn.Upsample, nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d,
)  # fmt: skip
_WHOLE = (nn.PixelShuffle, nn.PixelUnshuffle, nn.GroupNorm, nn.PReLU)  # no channel may leave
_PLAIN_CALLS = {
    F.relu, F.relu6, F.leaky_relu, F.silu, F.gelu, F.hardswish, F.pad, F.interpolate, F.dropout,
    F.avg_pool2d, F.max_pool2d, F.adaptive_avg_pool2d, F.elu, F.sigmoid, F.tanh,
    torch.relu, torch.tanh, torch.sigmoid,
    "relu", "tanh", "sigmoid", "contiguous", "clamp",
}  # fmt: skip
_BY_CHANNEL = {
    operator.add, operator.iadd, torch.add, "add", "add_",
    operator.sub, operator.isub, torch.sub, "sub", "sub_",
    operator.mul, operator.imul, torch.mul, "mul", "mul_",
    operator.truediv, operator.itruediv, torch.div, "div", "div_",
}  # fmt: skip


class ChannelError(ValueError):
    """A network whose channels cannot be grouped; the message names the layer and the reason."""

    for_user = True


@dataclass
class Group:
    """Channels that stay or go together.

    ``cuts`` lists (module, axis) whose channels they are: axis "out" or "in", with the offset of
    the group on it; ``norm`` is the module that scores them, ``can_vanish`` says that the whole
    group may go. A group without a norm, or fixed, keeps all channels. Its width stays a multiple
    of ``step``, rounded down.
    """

    name: str
    width: int
    fixed: bool = False
    norm: str = ""
    can_vanish: bool = False
    step: int = 1
    cuts: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Term:
    """factor x width(inputs) x width(outputs) MACs of ``layer``; a width is a group or a number.

    The layer goes when all groups that it ``needs`` have vanished.
    """

    layer: str
    factor: float
    inputs: str | int
    outputs: str | int
    needs: tuple[str, ...] = ()


@dataclass
class Tied:
    """Channels whose number is ``part`` of those of the group ``to``; the first ones stay."""

    name: str
    to: str
    part: float
    width: int
    cuts: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Channels:
    """All groups by name, and the MAC terms in the order of execution.

    Channels that are ``tied`` to a group have no scores of their own, and no terms: those name the
    group that they follow.
    """

    groups: dict[str, Group]
    terms: tuple[Term, ...]
    tied: tuple[Tied, ...] = ()

    def scores(self, module: nn.Module, group: str) -> list[float]:
        """Return |gamma| of the norm that scores ``group``; empty where nothing does."""
        norm = self.groups[group].norm
        if not norm or self.groups[group].fixed:
            return []
        weight = module.get_submodule(norm).weight
        return [float(x) for x in weight.detach().abs().cpu()]


class _Leaves(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, name: str) -> bool:
        return isinstance(m, (*_CONV, *_NORM, *_PLAIN, *_WHOLE)) or super().is_leaf_module(m, name)


def find_channels(
    module: nn.Module, size: tuple[int, int, int], *, convention: Convention = "output"
) -> Channels:
    """Group the channels of ``module`` for one picture of ``size`` (C, H, W).

    ``convention`` is how a transposed convolution counts: by its "output" size, as papers on GAN
    compression do (at stride 2 four times the true cost), or by its "input" size. Norms count
    H W C where they keep no running statistics.

    Raises:
        ChannelError: the network cannot be traced, or holds an operation that is not known here.
    """
    if isinstance(module, SpadeGenerator):  # its stages hang together by rules of their own
        from backend.prune.spade import spade_channels

        return spade_channels(module, size)
    try:
        graph = _Leaves().trace(module)
    except (fx.proxy.TraceError, TypeError) as error:
        raise ChannelError(
            f"This network cannot be traced ({error}); give one whose forward pass does not depend "
            "on its values."
        ) from error
    try:
        shapes = _shapes(module, graph, size)
    except (RuntimeError, TypeError, ValueError) as error:
        said = str(error).partition("\n")[0].rstrip(".")
        raise ChannelError(
            f"This network cannot be given one picture of {size[2]} x {size[1]} pixels ({said}); "
            "choose a size that it reads, and a network that reads nothing but a picture."
        ) from error
    return _Walk(module, shapes, convention).run(graph)


def _shapes(module: nn.Module, graph: fx.Graph, size: tuple[int, int, int]) -> dict[str, Any]:
    meta = copy.deepcopy(module).to("meta").eval()
    shapes: dict[str, Any] = {}

    class Record(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            result = super().run_node(n)
            shapes[n.name] = tuple(result.shape) if isinstance(result, Tensor) else None
            return result

    traced = fx.GraphModule(meta, copy.deepcopy(graph))
    Record(traced).run(torch.empty(1, *size, device="meta"))
    return shapes


class _Walk:
    """Follows channels through the graph; a value is a list of groups, one after the other."""

    def __init__(self, module: nn.Module, shapes: dict[str, Any], convention: Convention) -> None:
        self.module, self.shapes, self.convention = module, shapes, convention
        self.groups: dict[str, Group] = {}
        self.same: dict[str, str] = {}
        self.raw: list[tuple[str, float, str | int, str | int]] = []
        self.values: dict[str, list[str]] = {}
        self.used: set[str] = set()

    def run(self, graph: fx.Graph) -> Channels:
        for node in graph.nodes:
            if node.op == "placeholder":
                width = self.shapes[node.name][1]
                self.values[node.name] = [self._new("input", width, fixed=True)]
            elif node.op == "call_module":
                self._module(node)
            elif node.op == "output":
                for name in self.values[node.args[0].name]:
                    self._root(name).fixed = True
            else:
                self._call(node)
        groups = self._merged()
        terms = tuple(
            Term(n, f, self._side(i), self._side(o), self._needs(n, groups))
            for n, f, i, o in self.raw
        )
        return Channels(groups, terms)

    def _needs(self, layer: str, groups: dict[str, Group]) -> tuple[str, ...]:
        """The branches of a block, for the norm of their sum."""
        path, _, last = layer.rpartition(".")
        if last != "norm_pw" or not isinstance(self.module.get_submodule(path), InceptionBlock):
            return ()
        inside = [group for name, group in groups.items() if name.startswith(f"{path}.branches.")]
        return tuple(g.name for g in inside) if all(g.can_vanish for g in inside) else ()

    def _new(self, name: str, width: int, *, fixed: bool = False) -> str:
        self.groups[name] = Group(name, width, fixed)
        self.same[name] = name
        return name

    def _find(self, name: str) -> str:
        while self.same[name] != name:
            name = self.same[name]
        return name

    def _root(self, name: str) -> Group:
        return self.groups[self._find(name)]

    def _side(self, side: str | int) -> str | int:
        return side if isinstance(side, int) else self._find(side)

    def _unify(self, a: str, b: str) -> None:
        first, second = self._root(a), self._root(b)
        if first is second:
            return
        order = list(self.groups)
        if order.index(second.name) < order.index(first.name):
            first, second = second, first
        if first.width != second.width:
            raise ChannelError(
                f"{first.name} has {first.width} channels and {second.name} {second.width}, but "
                "they are added or multiplied."
            )
        first.fixed |= second.fixed
        first.norm = first.norm or second.norm
        first.cuts += second.cuts
        self.same[second.name] = first.name

    def _merged(self) -> dict[str, Group]:
        kept = {name: group for name, group in self.groups.items() if self.same[name] == name}
        for group in kept.values():
            group.fixed = group.fixed or not group.norm
            group.can_vanish = not group.fixed and self._is_branch(group)
        return kept

    def _is_branch(self, group: Group) -> bool:
        parts = {name.rsplit(".", 1)[0] for name, _, _ in group.cuts}
        if len(parts) != 1:
            return False
        path = parts.pop().split(".")
        if len(path) < 3 or path[-2] != "branches":
            return False
        return isinstance(self.module.get_submodule(".".join(path[:-2])), InceptionBlock)

    def _module(self, node: fx.Node) -> None:
        name, part = str(node.target), self.module.get_submodule(str(node.target))
        value = self.values[node.all_input_nodes[0].name]
        if name in self.used and part.state_dict():
            raise ChannelError(
                f'The layer "{name}" is used more than once, so its channels cannot be told apart; '
                "give every use a layer of its own."
            )
        self.used.add(name)
        if isinstance(part, _CONV):
            self.values[node.name] = self._conv(node, name, part, value)
        elif isinstance(part, _NORM):
            self._norm(node, name, part, value)
            self.values[node.name] = value
        elif isinstance(part, _PLAIN):
            self.values[node.name] = value
        elif isinstance(part, _WHOLE):
            for one in value:
                self._root(one).fixed = True
            width = self.shapes[node.name][1]
            is_moved = isinstance(part, nn.PixelShuffle | nn.PixelUnshuffle)
            self.values[node.name] = [self._new(name, width, fixed=True)] if is_moved else value
        else:
            raise _unknown(f'The layer "{name}" ({type(part).__name__})')

    def _conv(
        self, node: fx.Node, name: str, conv: nn.Conv2d | nn.ConvTranspose2d, value: list[str]
    ) -> list[str]:
        area = self._area(node, conv)
        kernel = conv.kernel_size[0] * conv.kernel_size[1]
        if conv.groups > 1:
            if not (conv.groups == conv.in_channels == conv.out_channels):
                for one in value:
                    self._root(one).fixed = True
                out = self._new(name, conv.out_channels, fixed=True)
                cost = area * kernel * conv.in_channels * conv.out_channels / conv.groups
                self.raw.append((name, cost, 1, 1))
                return [out]
            self._cut(name, "depthwise", value)
            self.raw += [(name, area * kernel, 1, one) for one in value]
            return value
        out = self._new(name, conv.out_channels)
        self._cut(name, "in", value)
        self._cut(name, "out", [out])
        self.raw += [(name, area * kernel, one, out) for one in value]
        return [out]

    def _area(self, node: fx.Node, conv: nn.Module) -> float:
        by_input = self.convention == "input" and isinstance(conv, nn.ConvTranspose2d)
        shape = self.shapes[node.all_input_nodes[0].name if by_input else node.name]
        return float(shape[2] * shape[3])

    def _cut(self, name: str, axis: str, value: list[str]) -> None:
        offset = 0
        for one in value:
            group = self._root(one)
            group.cuts.append((name, axis, offset))
            offset += group.width

    def _norm(self, node: fx.Node, name: str, norm: nn.Module, value: list[str]) -> None:
        shape = self.shapes[node.name]
        self._cut(name, "norm", value)
        if not norm.track_running_stats:
            self.raw += [(name, float(shape[2] * shape[3]), 1, one) for one in value]
        if norm.affine and len(value) == 1 and not self._root(value[0]).norm:
            self._root(value[0]).norm = name

    def _call(self, node: fx.Node) -> None:
        if node.op == "get_attr" or self.shapes.get(node.name) is None:
            return
        target: Any = node.target
        shown = f'The operation "{getattr(target, "__name__", target)}"'
        used: list[fx.Node] = []  # with repetitions: a map may be joined to itself
        fx.map_arg((node.args, node.kwargs), used.append)
        if target in _BY_CHANNEL or target is torch.cat:
            used = [one for one in used if math.prod(self.shapes.get(one.name) or ()) > 1]
            if any(one.name not in self.values for one in used):
                raise _unknown(f"{shown} with a tensor of the network's own")
        inputs = [self.values[one.name] for one in used if one.name in self.values]
        if target in _BY_CHANNEL and inputs:
            for other in inputs[1:]:
                if len(inputs[0]) != len(other):
                    raise ChannelError(
                        f"{node.name} combines channels that were joined differently; join them "
                        "alike, or convolve first."
                    )
                for a, b in zip(inputs[0], other, strict=True):
                    self._unify(a, b)
            self.values[node.name] = inputs[0]
        elif target is torch.cat and _axis(node) in (1, -3):
            self.values[node.name] = [one for value in inputs for one in value]
        elif target in _PLAIN_CALLS:
            self.values[node.name] = inputs[0]
        else:
            raise _unknown(shown)


def _axis(node: fx.Node) -> Any:
    named = node.kwargs.get("dim", node.kwargs.get("axis", 0))
    return node.args[1] if len(node.args) > 1 else named


def _unknown(what: str) -> ChannelError:
    return ChannelError(
        f"{what} is not known to channel pruning; build the network of convolutions, batch or "
        "instance norms, activations, pooling, enlarging, sums and joins of channels."
    )
