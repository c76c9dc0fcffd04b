"""What a network costs: parameters, multiply-accumulates, bytes, activation memory, milliseconds.

One forward pass of one sample is watched from below, at the level of torch's dispatcher, so layers,
functional calls and attention count alike.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from backend.export.latency import compare_latency
from backend.export.require import require
from backend.export.single import single_batched_matmul, single_conv, single_matmul
from backend.quant.describe import Described, Lowerable, TensorFormat

MAC_CONVENTION = (
    "Multiply-accumulates of convolutions, linear layers and matrix products, for one sample; "
    "bias, batch norm, activations and pooling are not counted. What runs twice counts twice."
)
BYTES_CONVENTION = (
    "Parameters and floating-point buffers, each tensor once. Float: 4 bytes an element. "
    "Quantized: the described bits an element, packed; scales are not counted."
)
MEMORY_CONVENTION = (
    "Largest sum, over the operations of one forward pass of one sample in the network's own "
    "number type, of the tensors needed at it (its inputs and outputs included) or made "
    "before and needed later; weights and the workspace of kernels are not counted."
)

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerCost:
    """Costs of one module without those of its children."""

    name: str
    type: str
    calls: int
    input_shape: Shape
    """Of the first call, with N = 1."""
    output_shape: Shape
    params: int
    macs: int
    float_bytes: int
    bytes: int
    """At the described bit widths; equal to ``float_bytes`` where nothing is described."""
    weight_bits: int | None
    """Described bit width of its weight, 32 where nothing is described; None without a weight."""


@dataclass(frozen=True)
class Profile:
    """Costs of a network, by layer in order of execution, and in sum."""

    layers: tuple[LayerCost, ...]
    params: int
    macs: int
    float_bytes: int
    bytes: int
    peak_activation_bytes: int
    mac_convention: str = MAC_CONVENTION
    bytes_convention: str = BYTES_CONVENTION
    memory_convention: str = MEMORY_CONVENTION


@dataclass(frozen=True)
class Operation:
    """One kind of work on one shape: the key of a cost table."""

    name: str
    """``conv2d k3x3 s1x1 p1x1 d1x1 g1``, ``linear`` or ``matmul``."""
    shape: Shape
    """Convolution: (C_in, C_out, *spatial size of the input). Linear: (rows, in, out). Matrix
    product: (batch, rows, depth, columns)."""


@dataclass(frozen=True)
class CostTable:
    """Figures for operations, each measured or counted once."""

    unit: str
    provenance: str
    table: dict[Operation, float]
    layers: dict[str, tuple[Operation, ...]]
    """Operations of each module, one entry a call; its cost is the sum of their figures."""

    def total(self) -> float:
        """Sum over all layers and calls."""
        return sum(self.table[key] for keys in self.layers.values() for key in keys)


def profile(module: nn.Module, example: Tensor) -> Profile:
    """Count the costs of ``module`` on the first sample of ``example`` (N, C, H, W).

    A network that has a lowered form is counted in that form. The module is not changed.
    """
    plain = _plain(module)
    trace = _trace(plain, example)
    described = _formats(plain)
    seen: set[int] = set()
    layers = []
    for name, calls in _in_order(plain, trace).items():
        part = plain.get_submodule(name)
        sizes = [_size(t, described.get(id(t)), seen) for t in _own_tensors(part)]
        macs = sum(work.macs for work in trace.work if work.layer == name)
        is_leaf = not any(True for _ in part.children())
        if not (is_leaf or sizes or macs):
            continue
        layers.append(
            LayerCost(
                name=name,
                type=type(part).__name__,
                calls=len(calls),
                input_shape=calls[0][0] if calls else (),
                output_shape=calls[0][1] if calls else (),
                params=sum(size.params for size in sizes),
                macs=macs,
                float_bytes=sum(size.float_bytes for size in sizes),
                bytes=sum(size.bytes for size in sizes),
                weight_bits=_weight_bits(part, described),
            )
        )
    return Profile(
        layers=tuple(layers),
        params=sum(layer.params for layer in layers),
        macs=sum(layer.macs for layer in layers),
        float_bytes=sum(layer.float_bytes for layer in layers),
        bytes=sum(layer.bytes for layer in layers),
        peak_activation_bytes=trace.peak_bytes(),
    )


def macs_table(module: nn.Module, example: Tensor) -> CostTable:
    """Return the multiply-accumulates of every distinct operation, for one sample."""
    trace = _trace(_plain(module), example)
    return CostTable(
        unit="MAC",
        provenance=MAC_CONVENTION,
        table={work.operation: float(work.macs) for work in trace.work},
        layers=trace.operations(),
    )


def ort_table(
    module: nn.Module, example: Tensor, *, threads: int = 1, seconds: float = 0.2
) -> CostTable:
    """Measure every distinct operation alone in ONNX Runtime: float32, one sample, random weights.

    ``seconds`` is the time spent on each. Operations are timed in turn, so a busy moment falls on
    all. The sum is not the latency of the network: fusion and caches are not in it.
    """
    trace = _trace(_plain(module), example)
    distinct = {work.operation: work.file for work in trace.work}
    files = [file() for file in distinct.values()]
    timed = compare_latency(files, threads=threads, seconds=seconds)
    ort = require("onnxruntime")
    return CostTable(
        unit="ms",
        provenance=f"ONNX Runtime {ort.__version__} on the CPU, float32, {threads} thread(s), "
        "median of single operations",
        table={key: t.median_ms for key, t in zip(distinct, timed, strict=True)},
        layers=trace.operations(),
    )


@dataclass(frozen=True)
class _Work:
    """One convolution or matrix product."""

    layer: str
    operation: Operation
    macs: int
    file: Callable[[], bytes]


@dataclass(eq=False)
class _Trace(TorchDispatchMode):
    """Records every operation below it, with the storages it reads and writes."""

    weights: set[int]
    stack: list[str] = field(default_factory=lambda: [""])
    work: list[_Work] = field(default_factory=list)
    calls: dict[str, list[tuple[Shape, Shape]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[set[int], set[int]]] = []
        self.sizes: dict[int, int] = {}
        self.alive: list[Tensor] = []  # storages are told apart by address, so none may be freed

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        reads, writes = self._storages((args, kwargs)), self._storages(out)
        self.steps.append((reads, writes))
        packet = func._overloadpacket
        if packet in flop_registry:
            flops = flop_registry[packet](*args, **(kwargs or {}), out_val=out)
            operation, file = _describe_work(packet, args)
            self.work.append(_Work(self.stack[-1], operation, flops // 2, file))
        return out

    def operations(self) -> dict[str, tuple[Operation, ...]]:
        """Operations by layer, in order of execution."""
        layers: dict[str, tuple[Operation, ...]] = {}
        for work in self.work:
            layers[work.layer] = (*layers.get(work.layer, ()), work.operation)
        return layers

    def peak_bytes(self) -> int:
        """Largest sum of the storages that are alive at one operation."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for i, (reads, writes) in enumerate(self.steps):
            for key in reads | writes:
                first.setdefault(key, i)
                last[key] = i
        change = [0] * (len(self.steps) + 1)
        for key, size in self.sizes.items():
            change[first[key]] += size
            change[last[key] + 1] -= size
        live, peak = 0, 0
        for delta in change:
            live += delta
            peak = max(peak, live)
        return peak

    def _storages(self, values: object) -> set[int]:
        found = set()
        for value in torch.utils._pytree.tree_leaves(values):
            if not isinstance(value, Tensor):
                continue
            storage = value.untyped_storage()
            key = storage._cdata
            if key not in self.weights:
                if key not in self.sizes:
                    self.alive.append(value)
                    self.sizes[key] = storage.nbytes()
                found.add(key)
        return found


def _describe_work(packet: Any, args: tuple) -> tuple[Operation, Callable[[], bytes]]:
    """Name a counted operation and say how to build it as a file."""
    aten = torch.ops.aten
    if packet is aten.convolution:
        image, weight, bias, stride, padding, dilation, transposed, out_pad, groups = args
        numbers = {"k": weight.shape[2:], "s": stride, "p": padding, "d": dilation}
        words = [f"{letter}{'x'.join(map(str, sizes))}" for letter, sizes in numbers.items()]
        if transposed:
            words.append(f"o{'x'.join(map(str, out_pad))}")
        name = f"conv{'_transpose' if transposed else ''}{weight.ndim - 2}d"
        out = weight.shape[1] * groups if transposed else weight.shape[0]
        image_shape, weight_shape = tuple(image.shape), tuple(weight.shape)
        return (
            Operation(
                f"{name} {' '.join(words)} g{groups}", (image_shape[1], out, *image_shape[2:])
            ),
            lambda: single_conv(
                image_shape,
                weight_shape,
                stride=stride,
                padding=padding,
                dilation=dilation,
                groups=groups,
                transposed=transposed,
                output_padding=out_pad,
                bias=bias is not None,
            ),
        )
    if packet in (aten.mm, aten.addmm):
        a, b = args[-2:] if packet is aten.mm else args[1:3]
        rows, depth, columns = a.shape[0], a.shape[1], b.shape[1]
        bias = packet is aten.addmm
        return (
            Operation("linear", (rows, depth, columns)),
            lambda: single_matmul(rows, depth, columns, bias=bias),
        )
    if packet in (aten.bmm, aten.baddbmm):
        a, b = args[:2] if packet is aten.bmm else args[1:3]
        sizes = (a.shape[0], a.shape[1], a.shape[2], b.shape[2])
        return Operation("matmul", sizes), lambda: single_batched_matmul(*sizes)
    shapes = [tuple(arg.shape) for arg in args if isinstance(arg, Tensor)]

    def refuse() -> bytes:
        raise NotImplementedError(f"the operation {packet} cannot be timed alone")

    return Operation(str(packet), tuple(size for shape in shapes for size in shape)), refuse


def _trace(module: nn.Module, example: Tensor) -> _Trace:
    weights = {t.untyped_storage()._cdata for t in (*module.parameters(), *module.buffers())}
    trace = _Trace(weights)
    first = next(module.parameters(), None)
    # A copy: of one sample's size, and free to be written to by layers in place.
    sample = example[:1].detach().clone().to(first.device if first is not None else "cpu")
    # The other implementations of attention are one opaque operation on some devices.
    attention = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
    with _following(module, trace), torch.no_grad(), attention, trace:
        module(sample)
    return trace


@contextmanager
def _following(module: nn.Module, trace: _Trace) -> Iterator[None]:
    """Keep ``trace.stack`` at the path of the module that is running."""
    handles = []
    for name, part in module.named_modules():

        def enter(_module: nn.Module, _inputs: Any, *, name: str = name) -> None:
            trace.stack.append(name)
            trace.calls.setdefault(name, [])

        def leave(_module: nn.Module, inputs: Any, output: Any, *, name: str = name) -> None:
            trace.stack.pop()
            trace.calls[name].append((_shape(inputs), _shape(output)))

        handles.append(part.register_forward_pre_hook(enter))
        handles.append(part.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _shape(values: Any) -> Shape:
    leaves = torch.utils._pytree.tree_leaves(values)
    return next((tuple(leaf.shape) for leaf in leaves if isinstance(leaf, Tensor)), ())


@dataclass(frozen=True)
class _Size:
    params: int
    float_bytes: int
    bytes: int


def _plain(module: nn.Module) -> nn.Module:
    """The form that is deployed, in evaluation mode; a copy."""
    lowered = module.lowered() if isinstance(module, Lowerable) else module
    return copy.deepcopy(lowered).eval()


def _formats(module: nn.Module) -> dict[int, TensorFormat]:
    """Described formats by the identity of the tensor they are for."""
    found = {}
    for part in module.modules():
        if not isinstance(part, Described):
            continue
        for role, fmt in part.describe().items():
            value = getattr(part, role, None)
            if role != "output" and isinstance(value, Tensor):
                found[id(value)] = fmt
    return found


def _own_tensors(module: nn.Module) -> list[Tensor]:
    buffers = [b for b in module.buffers(recurse=False) if b.is_floating_point()]
    return [*module.parameters(recurse=False), *buffers]


def _size(tensor: Tensor, fmt: TensorFormat | None, seen: set[int]) -> _Size:
    if id(tensor) in seen:
        return _Size(0, 0, 0)
    seen.add(id(tensor))
    count = tensor.numel()
    bits = fmt.bits if fmt else 32
    params = count if isinstance(tensor, nn.Parameter) else 0
    return _Size(params, 4 * count, math.ceil(count * bits / 8))


def _weight_bits(module: nn.Module, described: Mapping[int, TensorFormat]) -> int | None:
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor):
        return None
    fmt = described.get(id(weight))
    return fmt.bits if fmt else 32


def _in_order(module: nn.Module, trace: _Trace) -> dict[str, list[tuple[Shape, Shape]]]:
    """Calls by module in order of execution; modules that did not run come last."""
    names = [name for name, _ in module.named_modules()]
    return {**trace.calls, **{name: [] for name in names if name not in trace.calls}}
