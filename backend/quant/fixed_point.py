"""Fixed-point numbers: format, quantizer, choice of the fraction length, integer shift.

A format is a word length WL (bits, sign included), a fraction length FL (bits behind the point) and
a sign. Its codes are ``-(2^(WL-1)-1) .. 2^(WL-1)-1`` when signed (symmetric: -2^(WL-1) is never
used) and ``0 .. 2^WL-1`` otherwise; the real value of a code is ``code / 2^FL``.

Source: Jin et al., F8Net: Fixed-Point 8-bit Only Multiplication for Network Quantization, ICLR
2022.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from backend.quant.describe import TensorFormat

# FL = floor(log2(c / metric)): c for 8-bit words. The unsigned std is that of a Gaussian *before*
# it is rectified; the unsigned mean and rms are those of the rectified one.
_RULE = {
    ("std", True): 40.0,
    ("std", False): 70.0,
    ("mae", True): 30.0,
    ("mae", False): 30.0,
    ("rms", True): 40.0,
    ("rms", False): 50.0,
}
RULES = ("std", "mae", "rms")

# A format is a choice between powers of two: this many elements decide it as well as millions do.
GRID_SAMPLE = 65_536


class QuantError(ValueError):
    """A network or a setting that cannot be quantized; the message is meant for the user."""

    for_user = True


@dataclass(frozen=True)
class FixedPoint:
    """A fixed-point format: ``wl`` bits, ``fl`` of them behind the point (may be negative)."""

    wl: int
    fl: int
    signed: bool

    @property
    def lo(self) -> int:
        """The smallest code."""
        return code_range(self.wl, self.signed)[0]

    @property
    def hi(self) -> int:
        """The largest code."""
        return code_range(self.wl, self.signed)[1]

    @property
    def integer_bits(self) -> int:
        """Bits before the point, without the sign."""
        return self.wl - int(self.signed) - self.fl

    @property
    def largest(self) -> float:
        """The largest real value."""
        return self.hi * 2.0**-self.fl

    def quantize(self, x: Tensor) -> Tensor:
        """Round ``x`` (any shape, float) to the format, with the straight-through gradient."""
        return fixed_quantize(x, self.fl, self.wl, self.signed)

    def tensor_format(self) -> TensorFormat:
        """Return the same format in the words of the exporter."""
        return TensorFormat(self.wl, (2.0**-self.fl,), self.signed)


def code_range(wl: int, signed: bool) -> tuple[int, int]:
    """Return the smallest and the largest code of a word of ``wl`` bits."""
    top = 2 ** (wl - 1) - 1 if signed else 2**wl - 1
    return (-top if signed else 0), top


def legal_fl(wl: int, signed: bool) -> tuple[int, int]:
    """Return the fraction lengths that leave the point inside the word: 0 .. WL - signed."""
    return 0, wl - int(signed)


class _FixedQuantize(torch.autograd.Function):
    """Round and clamp; the gradient passes strictly inside the clip levels.

    Only the result is kept for the backward pass (the convolution that reads it keeps it anyway): a
    code lies on a clip level exactly when the result does, so no mask is stored.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor | float, lo: int, hi: int, rounding: bool
    ) -> Tensor:
        y = x * scale
        if rounding:
            y.round_()
        y.clamp_(lo, hi).div_(scale)
        ctx.save_for_backward(y)
        ctx.bounds = lo / scale, hi / scale
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        lo, hi = ctx.bounds
        if isinstance(hi, Tensor):
            grad = grad * ((y > lo) & (y < hi))
        else:  # one fused pass: zero where y <= lo or y >= hi
            grad = torch.ops.aten.hardtanh_backward(grad, y, lo, hi)
        return grad, None, None, None, None


def fixed_quantize(
    x: Tensor, fl: Tensor | float, wl: int, signed: bool, *, rounding: bool = True
) -> Tensor:
    """Quantize to fixed point: ``clamp(round(x * 2^FL), lo, hi) / 2^FL``, ties to even.

    The gradient is straight-through where the *rounded* code lies strictly between the clip levels,
    and zero elsewhere; ``fl`` never receives one. An unsigned format is a ReLU too.

    Args:
        x: any shape, float32 or float64.
        fl: integer-valued fraction length: one number, or a tensor that broadcasts against ``x``.
        wl: word length in bits, sign included.
        signed: whether the format has a sign.
        rounding: False only clamps (the float network that is trained before the quantized one).

    Source: F8Net, sec. 3.1 and 4.1.
    """
    lo, hi = code_range(wl, signed)
    if isinstance(fl, Tensor) and fl.numel() > 1:
        return _FixedQuantize.apply(x, torch.exp2(fl.detach()).to(x), lo, hi, rounding)
    return _FixedQuantize.apply(x, 2.0 ** float(fl), lo, hi, rounding)


def statistics_fl(
    x: Tensor,
    signed: bool,
    metric: str = "std",
    *,
    pre_relu: bool = True,
    channel_axis: int | None = None,
    unit: Tensor | float = 1.0,
) -> Tensor:
    """Choose the fraction length of an 8-bit word from one statistic of the data.

    ``FL = clamp(floor(log2(c / metric(x))), 0, 8 - signed)``, c = 40 (signed) or 70 (unsigned) for
    the standard deviation, 30 / 30 for the mean absolute value, 40 / 50 for the root mean square.

    Args:
        x: any shape, float.
        signed: sign of the format.
        metric: ``std``, ``mae`` or ``rms``.
        pre_relu: unsigned only. True: ``x`` is what arrives before the ReLU, and mae and rms are
            taken behind it. False: the statistic is that of ``x`` as it is.
        channel_axis: one FL for each index along this axis instead of one for the tensor.
        unit: judge ``x * unit`` (every metric is homogeneous: no pass over the data for it).

    Returns: integer-valued float tensor, shape () or (channels,).
    Source: F8Net, sec. 3.2.
    """
    if metric not in RULES:
        raise QuantError(f"There is no statistic '{metric}'; use one of {', '.join(RULES)}.")
    rows = _rows(x.detach(), channel_axis)
    if not signed and pre_relu and metric != "std":
        rows = rows.relu()
    value = {"std": _std, "mae": _mean_abs, "rms": _rms}[metric](rows)
    fl = torch.log2(_RULE[metric, signed] / (value * unit)).floor_().clamp_(*legal_fl(8, signed))
    return fl if channel_axis is not None else fl.reshape(())


def rectified_fl(x: Tensor, unit: Tensor | float = 1.0) -> Tensor:
    """Choose the unsigned 8-bit fraction length of data >= 0 whose values before the ReLU are gone.

    A Gaussian of standard deviation s has rms s / sqrt(2) behind the ReLU, so ``sqrt(2) * rms``
    takes the place of s in the rule of `statistics_fl`. It serves averages, which no longer look
    rectified.
    """
    rms = _rms(_rows(x.detach(), None)).reshape(()) * unit
    return torch.log2(_RULE["std", False] / (math.sqrt(2.0) * rms)).floor_().clamp_(0, 8)


def grid_fl(
    x: Tensor,
    wl: int,
    signed: bool,
    *,
    legal: bool = True,
    channel_axis: int | None = None,
    sample: int | None = GRID_SAMPLE,
    unit: Tensor | float = 1.0,
) -> Tensor:
    """Choose the fraction length with the least squared error, for any word length.

    Args:
        x: any shape, float; an unsigned format sees it behind a ReLU.
        wl: word length in bits.
        signed: sign of the format.
        legal: only 0 .. WL - signed; otherwise every power of two is a candidate.
        channel_axis: one FL for each index along this axis instead of one for the tensor.
        sample: look at about this many elements, evenly spread (None: at all of them).
        unit: judge ``x * unit``.

    Returns: integer-valued float tensor, shape () or (channels,); the smallest of equally good
    ones.
    """
    rows = _rows(x.detach(), channel_axis)
    if sample is not None and channel_axis is None:
        rows = spread_sample(rows, sample)
    rows = rows * unit
    if not signed:
        rows = rows.relu()
    first = _finest_without_clipping(rows, wl, signed)
    if legal:
        lo, hi = legal_fl(wl, signed)
        candidates = torch.arange(lo, hi + 1, device=x.device, dtype=rows.dtype)[:, None].expand(
            -1, len(rows)
        )
    else:
        # Grids are nested: one coarser than the finest that does not clip is never better.
        candidates = first + torch.arange(wl + 1, device=x.device, dtype=rows.dtype)[:, None]
    errors = torch.stack([_squared_error(rows, fl, wl, signed) for fl in candidates])  # (F, rows)
    best = candidates.gather(0, errors.argmin(0, keepdim=True))[0]
    return best if channel_axis is not None else best.reshape(())


def nearest_power_of_two(x: Tensor, wl: int, signed: bool) -> FixedPoint:
    """Return the format of least squared error among all powers of two: plain rounding."""
    return FixedPoint(wl, int(grid_fl(x, wl, signed, legal=False, sample=None)), signed)


def eta(fl: Tensor | float, alpha: Tensor | float, wl: int, signed: bool) -> Tensor | float:
    """Return the scale between fixed point and PACT: ``2^FL * |alpha| / M``, M the largest code.

    Source: F8Net, sec. 4.2 (there "fix scaling").
    """
    return 2.0**fl * abs(alpha) / code_range(wl, signed)[1]


def pact(x: Tensor, alpha: Tensor | float, wl: int, signed: bool, fl: float = 0) -> Tensor:
    """Clip at a learned level and quantize: ``eta * fq(x / eta)``, equal for every ``fl``.

    It is ``alpha/M * round(clip(x, 0 or -alpha, alpha) * M/alpha)``. The gradient for alpha is
    ``eta/alpha * (fq(u) - u * inside)`` with u = x / eta: 1 above the clip level, the rounding
    residual inside, 0 (unsigned) or -1 (signed) below.

    Source: Choi et al., PACT, 2018; F8Net, sec. 4.2.
    """
    scale = eta(fl, alpha, wl, signed)
    return scale * fixed_quantize(x / scale, fl, wl, signed)


def requantize(acc: Tensor, shift: int, wl: int, signed: bool) -> Tensor:
    """Shift integer accumulators right by ``shift`` bits, ties to even, and clamp to a word.

    Integers only: this is what the hardware does between two layers. A negative ``shift`` goes
    left.

    Args:
        acc: any shape, int32 or int64.
        shift: FL of the accumulator - FL of the result.
        wl: word length of the result.
        signed: sign of the result; an unsigned clamp is the ReLU.
    """
    if shift > 0:
        half = 1 << (shift - 1)
        codes = (acc + half) >> shift
        is_tie = (acc & ((1 << shift) - 1)) == half
        codes = torch.where(is_tie, codes & ~1, codes)
    else:
        codes = acc << -shift
    return codes.clamp(*code_range(wl, signed))


def spread_sample(rows: Tensor, sample: int = GRID_SAMPLE) -> Tensor:
    """Return about ``sample`` columns of ``rows`` (R, n), evenly spread."""
    if rows.shape[1] <= 2 * sample:
        return rows
    # An odd stride visits every channel and column of the usual, even sizes.
    return rows[:, :: (rows.shape[1] // sample) | 1]


def in_single(x: Tensor) -> Tensor:
    """Return half-precision data (any shape) as float32: sums of squares overflow in it."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _rows(x: Tensor, channel_axis: int | None) -> Tensor:
    """(1, elements), or (channels, elements of a channel), in float32 at least."""
    x = in_single(x)
    if channel_axis is not None:
        return x.movedim(channel_axis, 0).flatten(1)
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return x.permute(0, 2, 3, 1).reshape(
            1, -1
        )  # a view: the order of the elements is no matter
    return x.reshape(1, -1)


def _std(rows: Tensor) -> Tensor:
    # Two fast passes instead of the exact, slow one; they lose digits only where the mean
    # dominates.
    mean = rows.mean(1)
    square = torch.linalg.vector_norm(rows, dim=1).square_().div_(rows.shape[1])
    variance = square - mean.square()
    if bool((variance < 1e-3 * square).any()):
        return rows.std(1, correction=0)
    return variance.sqrt_()


def _mean_abs(rows: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows, ord=1, dim=1) / rows.shape[1]


def _rms(rows: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows, dim=1) / math.sqrt(rows.shape[1])


def _finest_without_clipping(rows: Tensor, wl: int, signed: bool) -> Tensor:
    top = rows.abs().amax(1).clamp_min(torch.finfo(rows.dtype).tiny)
    # Beyond 2^24 a float32 holds no fraction of a code: finer grids change nothing.
    return torch.log2(code_range(wl, signed)[1] / top).floor_().clamp_(-24, 24)


def _squared_error(rows: Tensor, fl: Tensor, wl: int, signed: bool) -> Tensor:
    quantized = fixed_quantize(rows, fl[:, None], wl, signed)
    return quantized.sub_(rows).square_().mean(1)
