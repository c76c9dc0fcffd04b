"""Writes a quantized network as ONNX QDQ: integers with their scales, in a graph any runtime reads.

The network is known only through ``describe()`` (`backend.quant.describe`). Weights become integer
initializers behind ``DequantizeLinear``, activation quantizers a pair of ``QuantizeLinear`` and
``DequantizeLinear``, with an integer ``Clip`` between them (the QCDQ form) where the codes in use
are fewer than the storage type holds. Nothing is requantized: a runtime that executes the graph as
it stands computes what the torch module computes.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from backend.export.onnx import ExportError, trace, write_model
from backend.export.qdq_graph import fuse_transposes, match_bias_scales, own_constants
from backend.quant.describe import Described, Lowerable, TensorFormat

_WRAPPED = "described"  # name under which a wrapper holds the layer; never part of a node name
_TYPES = {  # storage type: smallest and largest code
    torch.int8: (-128, 127),
    torch.uint8: (0, 255),
    torch.int16: (-(2**15), 2**15 - 1),
    torch.uint16: (0, 2**16 - 1),
    torch.int32: (-(2**31), 2**31 - 1),
}
BITS_KEY = "quantized_bits"
NOTES_KEY = "notes"


class QdqError(ExportError):
    """A layer contradicts the formats it describes, or ONNX cannot express them."""


def export_qdq(
    network: nn.Module,
    example: Tensor,
    path: str | Path,
    *,
    weight_type: Literal["int8", "uint8"] = "int8",
    opset: int = 17,
    dynamic_batch: bool = True,
    input_name: str = "image",
    output_name: str = "logits",
    metadata: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Write ``network`` as a QDQ file and return notes for the user (also stored in the file).

    Args:
        network: a network with ``lowered()``, or one already in that form.
        example: an input ``(N, C, H, W)`` on which every quantizer is compared with its format.
        path: the file to write; it appears whole or not at all.
        weight_type: how weights are stored. ``uint8`` moves signed codes up by 128, zero point
            included: the same values, and no 16-bit saturation on x86 without VNNI.
        opset: 17 holds up to 8 bits, 21 up to 16.
        dynamic_batch: leave N open.
        input_name: name of the input.
        output_name: name of the output.
        metadata: strings to store in the file.

    Raises:
        QdqError: a weight is off its grid, a quantizer does not do what it describes, the bit width
            does not fit ``opset``, or nothing in the network is quantized.
        ExportError: the network cannot be traced.
    """
    if weight_type not in ("int8", "uint8"):
        raise QdqError(f"weight_type is {weight_type!r}; it must be 'int8' or 'uint8'.")
    plain, described = _plain(network)
    _check_quantizers(plain, example.detach().cpu(), described)
    storage = _Storage(weight_type, opset)
    wrapped = _replace(plain, {m: storage.wrap(name, m) for name, m in described.items()})
    model = trace(
        wrapped,
        example,
        opset=opset,
        dynamic_batch=dynamic_batch,
        input_name=input_name,
        output_name=output_name,
        erase=_WRAPPED,
    )
    own_constants(model)
    fuse_transposes(model)
    notes = (*_notes(described), *match_bias_scales(model))
    stored = {BITS_KEY: _bits(described), NOTES_KEY: "\n".join(notes)}
    write_model(model, path, metadata={**(metadata or {}), **stored})
    return notes


def _plain(network: nn.Module) -> tuple[nn.Module, dict[str, nn.Module]]:
    """Copy the form for inference, and find the parts of it that describe formats, by path."""
    lowered = network.lowered() if isinstance(network, Lowerable) else network
    plain = copy.deepcopy(lowered).cpu().eval()
    described = dict(_described(plain))
    if not described:
        raise QdqError(
            "No layer of the network describes a number format: quantize it first, "
            "or export it as float ONNX."
        )
    return plain, described


@dataclass(frozen=True)
class _Storage:
    """Chooses the ONNX types of codes."""

    weight_type: str
    opset: int

    def wrap(self, name: str, module: nn.Module) -> nn.Module:
        """Return what stands for the described ``module`` while the graph is traced."""
        formats = module.describe()
        unknown = set(formats) - {"weight", "bias", "output"}
        if unknown:
            raise QdqError(f"Layer {name!r} describes {sorted(unknown)}, which QDQ cannot express.")
        output = None
        if "output" in formats:
            output = _QuantizeDequantize(formats["output"], self._type(name, formats["output"]))
        own = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        if "weight" in formats and "weight" not in own:
            raise QdqError(
                f"Layer {name!r} describes a weight, but has no parameter or buffer of that name."
            )
        constants = {
            role: self._constant(f"{name}.{role}".removeprefix("."), role, own[role], formats[role])
            for role in ("weight", "bias")
            if role in formats and role in own
        }
        if not constants:
            return output if output is not None else module
        return _Layer(module, constants, output)

    def _constant(self, name: str, role: str, value: Tensor, fmt: TensorFormat) -> _Dequantize:
        codes = _codes(name, value.detach(), fmt)
        if role == "bias":
            if fmt.bits > 32 or not fmt.signed or any(fmt.zero_point):
                raise QdqError(
                    f"{name} describes {fmt.bits} bits, signed={fmt.signed}, zero point "
                    f"{fmt.zero_point[0]}; a bias must be signed, of at most 32 bits, without one."
                )
            return _Dequantize(codes, fmt, torch.int32)
        dtype = self._type(name, fmt)
        if fmt.bits <= 8:
            dtype = getattr(torch, self.weight_type)
            low, high = _TYPES[dtype]
            shift = 128 if fmt.lo < low else -128 if fmt.hi > high else 0
            return _Dequantize(codes, fmt, dtype, shift)
        return _Dequantize(codes, fmt, dtype)

    def _type(self, name: str, fmt: TensorFormat) -> torch.dtype:
        if fmt.bits <= 8:
            return torch.int8 if fmt.signed else torch.uint8
        if fmt.bits <= 16 and self.opset >= 21:
            return torch.int16 if fmt.signed else torch.uint16
        raise QdqError(
            f"{name or 'The network'} uses {fmt.bits} bits; ONNX QDQ holds 8 at opset {self.opset} "
            "and 16 from opset 21 on. Choose fewer bits, a higher opset or float ONNX."
        )


class _Dequantize(nn.Module):
    """A constant tensor as codes, scale and zero point.

    ``shift`` is added to codes and zero point alike, which leaves every value as it was.
    """

    def __init__(
        self, codes: Tensor, fmt: TensorFormat, dtype: torch.dtype, shift: int = 0
    ) -> None:
        super().__init__()
        scale, zero = _grid(fmt)
        self.axis = None if fmt.axis is None else fmt.axis % codes.ndim
        self.register_buffer("codes", (codes + shift).to(dtype))
        self.register_buffer("scale", scale)
        self.register_buffer("zero_point", (zero + shift).to(dtype))

    def forward(self) -> Tensor:
        return _dequantize(self.codes, self.scale, self.zero_point, self.axis)


class _QuantizeDequantize(nn.Module):
    """An activation quantizer: quantize, clip where codes are left unused, dequantize."""

    def __init__(self, fmt: TensorFormat, dtype: torch.dtype) -> None:
        super().__init__()
        scale, zero = _grid(fmt)
        self.axis, self.dtype = fmt.axis, dtype
        clips = (fmt.lo, fmt.hi) != _TYPES[dtype]
        # ONNX Runtime has no integer Clip of 16 bits: clip the reals, which gives the same codes.
        self.clips_codes = clips and dtype in (torch.int8, torch.uint8)
        self.clips_reals = clips and not self.clips_codes
        self.register_buffer("scale", scale)
        self.register_buffer("zero_point", zero.to(dtype))
        self.register_buffer("lo", torch.tensor(fmt.lo, dtype=dtype))
        self.register_buffer("hi", torch.tensor(fmt.hi, dtype=dtype))
        self.register_buffer("real_lo", (fmt.lo - zero) * scale)
        self.register_buffer("real_hi", (fmt.hi - zero) * scale)

    def forward(self, x: Tensor) -> Tensor:
        axis = None if self.axis is None else self.axis % x.ndim
        if self.clips_reals:
            shape = [1] * x.ndim
            if axis is not None:
                shape[axis] = -1
            low, high = self.real_lo.reshape(shape), self.real_hi.reshape(shape)
            x = torch.minimum(torch.maximum(x, low), high)
        codes = torch.onnx.ops.symbolic(
            "QuantizeLinear",
            (x, self.scale, self.zero_point),
            {} if axis is None else {"axis": axis},
            dtype=self.dtype,
            shape=x.shape,
        )
        if self.clips_codes:
            codes = torch.onnx.ops.symbolic(
                "Clip", (codes, self.lo, self.hi), dtype=self.dtype, shape=x.shape
            )
        return _dequantize(codes, self.scale, self.zero_point, axis)


class _Layer(nn.Module):
    """A layer that computes with dequantized constants, by its own forward."""

    def __init__(
        self, layer: nn.Module, constants: dict[str, _Dequantize], output: nn.Module | None
    ) -> None:
        super().__init__()
        self.add_module(_WRAPPED, layer)
        for role, constant in constants.items():
            self.add_module(role, constant)
        self.roles = tuple(constants)
        self.output = output

    def forward(self, *inputs: Tensor) -> Tensor:
        values = {role: self.get_submodule(role)() for role in self.roles}
        y = torch.func.functional_call(self.get_submodule(_WRAPPED), values, inputs)
        return y if self.output is None else self.output(y)


def _grid(fmt: TensorFormat) -> tuple[Tensor, Tensor]:
    """Scale (float32) and zero point (int64): scalars, or one entry for each index of the axis."""
    count = len(fmt.scale)
    shape = (count,) if fmt.axis is not None else ()
    zero = torch.tensor(fmt.zero_point).expand(count).clone()
    return torch.tensor(fmt.scale, dtype=torch.float32).reshape(shape), zero.reshape(shape)


def _dequantize(codes: Tensor, scale: Tensor, zero_point: Tensor, axis: int | None) -> Tensor:
    return torch.onnx.ops.symbolic(
        "DequantizeLinear",
        (codes, scale, zero_point),
        {} if axis is None else {"axis": axis},
        dtype=torch.float32,
        shape=codes.shape,
    )


def _codes(name: str, value: Tensor, fmt: TensorFormat) -> Tensor:
    """Integer codes (int64) of ``value``, which must lie on the grid of ``fmt``."""
    real = value.double()
    codes = fmt.integers(real)
    # A value computed in float32 as code * scale is off the grid by a rounding at most.
    slack = 2.0**-22 * torch.maximum(real.abs(), fmt.expand(fmt.scale, real))
    off = (fmt.reals(codes) - real).abs() > slack
    if not torch.isfinite(real).all() or off.any():
        raise QdqError(
            f"{int(off.sum())} of {off.numel()} entries of {name} are not on the {fmt.bits}-bit "
            "grid that the layer describes: export the lowered network as it is."
        )
    return codes.long()


def _described(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Outermost modules that describe something; what they are made of is theirs to speak for."""
    inside: tuple[str, ...] = ()
    for name, module in network.named_modules():
        if inside and name.startswith(inside):
            continue
        if isinstance(module, Described) and module.describe():
            inside = (*inside, f"{name}." if name else "")
            yield name, module


def _replace(network: nn.Module, substitutes: dict[nn.Module, nn.Module]) -> nn.Module:
    """Put substitutes in the place of modules, in every place where one is used."""
    if network in substitutes:
        return substitutes[network]
    for parent in list(network.modules()):
        if parent in substitutes:
            continue
        for name, child in parent._modules.items():
            if child in substitutes:
                parent._modules[name] = substitutes[child]
    return network


def _check_quantizers(
    network: nn.Module, example: Tensor, described: Mapping[str, nn.Module]
) -> None:
    """Run ``example`` and compare each quantizer with the format it describes."""

    def check(name: str, fmt: TensorFormat):
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            wanted = fmt.reals(fmt.integers(inputs[0]))
            step = fmt.expand(fmt.scale, output)
            # A tie may fall to the other side: by one step, and seldom.
            apart = (output - wanted).abs()
            ties = int((apart > 1e-3 * step).sum())
            if ties > 1 + 0.01 * apart.numel() or (apart > 1.001 * step).any():
                raise QdqError(
                    f"The quantizer {name!r} does not compute the {fmt.bits}-bit format that it "
                    "describes: export the lowered network."
                )

        return hook

    handles = [
        module.register_forward_hook(check(name, module.describe()["output"]))
        for name, module in described.items()
        if set(module.describe()) == {"output"}
    ]
    try:
        with torch.no_grad():
            network(example)
    finally:
        for handle in handles:
            handle.remove()


def _bits(described: Mapping[str, nn.Module]) -> str:
    """Bit width of each described tensor, as JSON."""
    bits = {
        f"{name}.{role}".removeprefix("."): fmt.bits
        for name, module in described.items()
        for role, fmt in module.describe().items()
    }
    return json.dumps(bits)


def _notes(described: Mapping[str, nn.Module]) -> Iterator[str]:
    formats = [fmt for module in described.values() for fmt in module.describe().values()]
    narrow = sorted({fmt.bits for fmt in formats if fmt.bits < 8})
    if narrow:
        words = ", ".join(str(bits) for bits in narrow)
        yield (
            f"Tensors of {words} bits are stored as 8-bit integers within the smaller range: "
            "the values are exact, but the file and its speed are those of 8 bits."
        )
