"""The plain pieces of a quantized network at inference: a fake quantizer and layers on a grid.

``lowered()`` networks consist of these, of ReLU, pooling, addition and multiplications by powers of
two.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.quant.describe import TensorFormat

Layer = TypeVar("Layer", bound="GridConv2d | GridLinear")


class _PassInside(torch.autograd.Function):
    """Quantize to any integer grid; the gradient passes strictly between the outermost codes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, fmt: TensorFormat) -> Tensor:
        codes = fmt.integers(x)
        ctx.save_for_backward((codes > fmt.lo) & (codes < fmt.hi))
        return fmt.reals(codes)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.saved_tensors[0], None


class FakeQuantize(nn.Module):
    """Round activations to a fixed integer grid: (N, ...) -> same shape, same dtype.

    The gradient is straight-through strictly inside the range. An unsigned grid without a zero
    point clamps at zero, so it is the ReLU as well.
    """

    def __init__(self, fmt: TensorFormat) -> None:
        super().__init__()
        self.format = fmt

    def describe(self) -> dict[str, TensorFormat]:
        """Return the format of the ``output``."""
        return {"output": self.format}

    def forward(self, x: Tensor) -> Tensor:
        """Quantize ``x``."""
        if torch.is_grad_enabled() and x.requires_grad:
            return _PassInside.apply(x, self.format)
        return self.format.reals(self.format.integers(x))

    def extra_repr(self) -> str:
        """Show the grid in ``print(network)``."""
        return f"bits={self.format.bits}, signed={self.format.signed}, scale={self.format.scale}"


class GridConv2d(nn.Conv2d):
    """A convolution (N, Cin, H, W) -> (N, Cout, H', W') whose weight lies on an integer grid.

    It computes like any convolution; ``formats`` tells which grid, keys ``weight`` and perhaps
    ``bias``.
    """

    formats: dict[str, TensorFormat]

    @classmethod
    def from_conv(
        cls, conv: nn.Conv2d, weight: Tensor, bias: Tensor, formats: dict[str, TensorFormat]
    ) -> GridConv2d:
        """Give ``conv``'s geometry to values already on the grid (they are not rounded again)."""
        layer = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            stride=conv.stride,  # type: ignore[arg-type]
            padding=conv.padding,  # type: ignore[arg-type]
            dilation=conv.dilation,  # type: ignore[arg-type]
            groups=conv.groups,
            device="meta",
        )
        return _with_values(layer, weight, bias, formats)

    def describe(self) -> dict[str, TensorFormat]:
        """Return the formats of ``weight`` and, where it is on a grid, ``bias``."""
        return dict(self.formats)


class GridLinear(nn.Linear):
    """A linear layer (..., Fin) -> (..., Fout) whose weight lies on an integer grid."""

    formats: dict[str, TensorFormat]

    @classmethod
    def from_values(
        cls, weight: Tensor, bias: Tensor, formats: dict[str, TensorFormat]
    ) -> GridLinear:
        """Build the layer from values already on the grid: weight (Fout, Fin), bias (Fout,)."""
        layer = cls(weight.shape[1], weight.shape[0], device="meta")
        return _with_values(layer, weight, bias, formats)

    def describe(self) -> dict[str, TensorFormat]:
        """Return the formats of ``weight`` and, where it is on a grid, ``bias``."""
        return dict(self.formats)


def _with_values(
    layer: Layer, weight: Tensor, bias: Tensor, formats: dict[str, TensorFormat]
) -> Layer:
    layer.weight = nn.Parameter(weight.detach().clone())
    layer.bias = nn.Parameter(bias.detach().clone())
    layer.formats = dict(formats)
    return layer


def is_on_grid(values: Tensor, fmt: TensorFormat) -> bool:
    """Tell whether every value (any shape, float) is one of the format's."""
    return bool(torch.equal(fmt.reals(fmt.integers(values)), values))


def apply_layer(
    op: nn.Conv2d | nn.Linear, x: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    """Compute ``op`` with another weight and bias of the same shapes."""
    if isinstance(op, nn.Linear):
        return F.linear(x, weight, bias)
    return F.conv2d(x, weight, bias, op.stride, op.padding, op.dilation, op.groups)
