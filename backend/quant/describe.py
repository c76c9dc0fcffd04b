"""What quantized layers tell the outside: number formats, not the method that found them.

An exporter, a simulator or a report needs three things from a quantized network and gets them here,
by duck typing:

* ``network.lowered()`` gives a module for inference in which every quantized layer is a plain
  convolution or linear layer with its weights on the grid (batch norm and scales folded in);
* each such layer answers ``describe()`` with the formats of its ``"weight"`` and ``"bias"``;
* each activation quantizer between them answers ``describe()`` with the format of its ``"output"``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn


@dataclass(frozen=True)
class TensorFormat:
    """An integer grid: real value = scale * (integer - zero_point).

    ``scale`` and ``zero_point`` hold one entry, or one for each index along ``axis``. ``lo`` and
    ``hi`` are the codes in use: a symmetric signed 8-bit format has -127 and 127, so -128 is never
    written.
    """

    bits: int
    scale: tuple[float, ...]
    signed: bool
    zero_point: tuple[int, ...] = (0,)
    axis: int | None = None
    narrow: bool = True

    @property
    def lo(self) -> int:
        """The smallest code."""
        return (-(2 ** (self.bits - 1)) + int(self.narrow)) if self.signed else 0

    @property
    def hi(self) -> int:
        """The largest code."""
        return 2 ** (self.bits - 1) - 1 if self.signed else 2**self.bits - 1

    def expand(self, values: tuple[float, ...] | tuple[int, ...], like: Tensor) -> Tensor:
        """Shape ``values`` so that they broadcast against ``like``; same dtype and device."""
        tensor = like.new_tensor(values)
        if self.axis is None:
            return tensor.reshape(())
        shape = [1] * like.ndim
        shape[self.axis] = len(values)
        return tensor.reshape(shape)

    def integers(self, real: Tensor) -> Tensor:
        """Return the codes of ``real`` (any shape): half to even, clamped, float dtype kept."""
        codes = (real / self.expand(self.scale, real)).round() + self.expand(self.zero_point, real)
        return codes.clamp(self.lo, self.hi)

    def reals(self, codes: Tensor) -> Tensor:
        """Return the real values of ``codes`` (any shape, float dtype)."""
        return (codes - self.expand(self.zero_point, codes)) * self.expand(self.scale, codes)


@runtime_checkable
class Described(Protocol):
    """A layer or quantizer that tells its formats, keyed by what they are for."""

    def describe(self) -> dict[str, TensorFormat]:
        """Return the formats: ``weight`` and ``bias`` of a layer, ``output`` of a quantizer."""
        ...


@runtime_checkable
class Lowerable(Protocol):
    """A network, or part of one, that has a plain form for inference."""

    def lowered(self) -> nn.Module:
        """Return the plain form; the receiver is not changed."""
        ...
