"""The layers of an F8Net network in training: input quantizer, folded convolution, classifier.

A tensor x travels as z = x / eta of the layer that reads it. A layer with weight W, batch norm
(gamma, beta, mu, sigma), own scale eta and the scale eta_next of its reader computes

    W_eff = W * gamma / sigma * eta / eta_next
    b_eff = (beta - gamma * mu / sigma) / eta_next
    out   = conv(fq(z), fq(W_eff), b_eff)                     in units of 1 / eta_next

so no multiplication is left between two layers but that by 8-bit weights.

Source: Jin et al., F8Net, ICLR 2022, sec. 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from backend.quant import fixed_point
from backend.quant.describe import TensorFormat
from backend.quant.f8_options import F8Options
from backend.quant.fake_quant import apply_layer
from backend.quant.fixed_point import QuantError, code_range, fixed_quantize

Mode = Literal["quantize", "floating", "off"]
MODES: tuple[Mode, ...] = ("quantize", "floating", "off")

BIAS_BITS = 32
_INITIAL_FL = 6.0
_FL_MOMENTUM = 0.1


@dataclass(frozen=True)
class InputSpec:
    """What the graph around a layer says about its input."""

    wl: int
    signed: bool
    behind_relu: bool = False
    """The tensor arrives from before its ReLU, which the quantizer does."""
    cap: float | None = None
    """The upper end of that ReLU (6 for ReLU6), in the float network's units."""
    fixed_fl: int | None = None
    """FL of a picture whose codes are used as they are."""


class _ChannelMoments(torch.autograd.Function):
    """Mean and biased variance of each channel; one pass forward, one backward."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> tuple[Tensor, Tensor]:
        mean, var = torch.batch_norm_update_stats(y, None, None, 0.0)
        ctx.save_for_backward(y, mean)
        return mean, var

    @staticmethod
    def backward(ctx: Any, grad_mean: Tensor, grad_var: Tensor) -> Tensor:
        y, mean = ctx.saved_tensors
        count = y.numel() / y.shape[1]
        shape = [1, -1] + [1] * (y.ndim - 2)
        slope = grad_var * (2 / count)
        offset = grad_mean / count - slope * mean
        return torch.addcmul(offset.view(shape), y, slope.view(shape))


def channel_moments(y: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance over all axes but the second, with gradient.

    Shapes: (N, C, ...) -> (C,), (C,).
    """
    return _ChannelMoments.apply(y)


def shift(x: Tensor, eta: Tensor, eta_next: Tensor) -> Tensor:
    """Bring ``x`` from units of 1 / eta to units of 1 / eta_next.

    Both scales share their clip level, so the factor is a power of two and carries no gradient.
    """
    factor = float(eta.detach() / eta_next.detach())
    return x if factor == 1.0 else x * factor


def to_real(x: Tensor, eta: Tensor) -> Tensor:
    """Bring ``x`` back to the float network's units: for an output that layers read, too."""
    return x * eta


class InputQuantizer(nn.Module):
    """Quantize what arrives at a layer: clip, round, and the ReLU where the input is unsigned.

    Buffers: ``fl_run`` (), the running fraction length; ``octave`` (), by how many powers of two
    this reader's clip level lies above the one that it shares (0 unless calibrated).
    """

    mode: Mode = "quantize"

    def __init__(self, spec: InputSpec, options: F8Options, like: Tensor) -> None:
        super().__init__()
        self.spec = spec
        self.options = options
        legal = fixed_point.legal_fl(spec.wl, spec.signed)
        start = min(_INITIAL_FL, legal[1]) if spec.fixed_fl is None else spec.fixed_fl
        self.register_buffer("fl_run", like.new_full((), start))
        self.register_buffer("octave", like.new_zeros(()))

    def forward(self, z: Tensor, eta: Tensor) -> Tensor:
        """Quantize ``z``, any shape, in units of 1 / ``eta``."""
        spec = self.spec
        fl = self._fraction_length(z, eta)
        if self.mode == "off":
            y = z if spec.signed else z.relu()
            return y if spec.cap is None else torch.minimum(y, spec.cap / eta)
        rounding = self.mode == "quantize"
        return fixed_quantize(z, fl, spec.wl, spec.signed, rounding=rounding)

    @torch.no_grad()
    def _fraction_length(self, z: Tensor, eta: Tensor) -> Tensor:
        if self.spec.fixed_fl is not None or not self.training:
            return self.fl_run.round()
        batch = self.choose(z, eta)
        running = self.fl_run.round()
        mixed = self.fl_run.mul(1 - _FL_MOMENTUM).add_(batch, alpha=_FL_MOMENTUM)
        # A batch that overflowed must not stay in the average for ever.
        self.fl_run.copy_(torch.where(mixed.isfinite(), mixed, self.fl_run))
        return batch if self.options.train_fl == "batch" else running

    def choose(self, z: Tensor, eta: Tensor | float) -> Tensor:
        """Choose a fraction length, shape (), for ``z``, any shape, in units of 1 / ``eta``."""
        spec, rule = self.spec, self.options.rule
        unit = 1.0 if self.options.fl_units == "scaled" else eta
        if rule == "grid":
            legal = not self.options.inputs_any
            return fixed_point.grid_fl(z, spec.wl, spec.signed, legal=legal, unit=unit)
        raw = self.options.std_source == "raw_input"
        if rule == "std" and not (spec.signed or spec.behind_relu or raw):
            return fixed_point.rectified_fl(z, unit)
        return fixed_point.statistics_fl(z, spec.signed, rule, pre_relu=not raw, unit=unit)

    def extra_repr(self) -> str:
        """Show the format in ``print(network)``."""
        return f"wl={self.spec.wl}, signed={self.spec.signed}, mode={self.mode}"


@dataclass(frozen=True)
class Folded:
    """A layer as inference sees it: weight and bias on their grids, and the grids."""

    weight: Tensor
    bias: Tensor
    formats: dict[str, TensorFormat]


class WeightQuantizer(nn.Module):
    """Quantize an effective weight; the fraction length follows the weight at every call."""

    mode: Mode = "quantize"

    def __init__(self, options: F8Options) -> None:
        super().__init__()
        self.options = options

    def choose(self, weight: Tensor) -> Tensor:
        """Choose fraction lengths for ``weight`` (Cout, ...): shape () or (Cout,)."""
        axis = 0 if self.options.granularity == "channel" else None
        rule = self.options.weight_rule
        if rule == "grid":
            legal = not self.options.weights_any
            return fixed_point.grid_fl(
                weight, self.options.wl, True, legal=legal, channel_axis=axis, sample=None
            )
        return fixed_point.statistics_fl(weight, True, rule, channel_axis=axis)

    def forward(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the quantized ``weight`` and its fraction lengths."""
        fl = self.choose(weight.detach())
        if self.mode == "off":
            return weight, fl
        spread = fl.view(-1, *[1] * (weight.ndim - 1)) if fl.ndim else fl
        rounding = self.mode == "quantize"
        return fixed_quantize(weight, spread, self.options.wl, True, rounding=rounding), fl


class F8Layer(nn.Module):
    """A convolution or linear layer, its batch norm folded in, its input quantized.

    ``op`` holds the raw weight that weight decay acts on; ``bn`` is None or the batch norm behind
    it. The batch norm's own train/eval flag decides between batch and running statistics.
    """

    def __init__(
        self,
        op: nn.Conv2d | nn.Linear,
        bn: nn.Module | None,
        spec: InputSpec,
        options: F8Options,
        name: str = "",
    ) -> None:
        super().__init__()
        self.name = name
        self.op = op
        self.bn = bn
        self.input = InputQuantizer(spec, options, op.weight.detach())
        self.weight_quantizer = WeightQuantizer(options)
        self.options = options

    def forward(self, x: Tensor, eta: Tensor, eta_next: Tensor | float) -> Tensor:
        """Map (N, Cin, H, W) in units of 1 / eta to (N, Cout, H', W') in units of 1 / eta_next.

        Raises:
            QuantError: batch norm behind a linear layer that reads anything but (N, Fin).
        """
        if self.bn is not None and isinstance(self.op, nn.Linear) and x.ndim != 2:
            raise QuantError(
                f"The linear layer {self.name} with a batch norm behind it reads {x.ndim} axes, so "
                "that norm acts along another axis than the layer's outputs and cannot be folded "
                "into weights; flatten its input to (pictures, features)."
            )
        z = self.input(x, eta)
        is_folding = self.training or (self.bn is not None and self.bn.training)
        if is_folding or self.weight_quantizer.mode != "quantize":
            scale, offset = self._fold(z, eta)
            weight, _ = self.weight_quantizer(self._effective(scale, eta, eta_next))
            bias = None if offset is None else offset / eta_next
        else:
            folded = self.folded(eta, eta_next)
            weight, bias = folded.weight, folded.bias
        return apply_layer(self.op, z, weight, bias)

    def folded(self, eta: Tensor, eta_next: Tensor | float) -> Folded:
        """Return the layer as evaluation uses it, from running statistics and formats."""
        scale, offset = self._fold(None, eta)
        weight, fl = self.weight_quantizer(self._effective(scale, eta, eta_next))
        bias = (
            weight.new_zeros(weight.shape[0]) if offset is None else offset.detach() / eta_next
        ).detach()
        return finish(weight.detach(), fl, bias, self.input, self.options)

    def _effective(self, scale: Tensor | None, eta: Tensor, eta_next: Tensor | float) -> Tensor:
        weight = self.op.weight
        factor = eta / eta_next
        if scale is None:
            return weight * factor
        return weight * (scale * factor).view(-1, *[1] * (weight.ndim - 1))

    def _fold(self, z: Tensor | None, eta: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return gamma / sigma and the offset, (Cout,) each, in the float network's units."""
        bias, bn = self.op.bias, self.bn
        if bn is None:
            return None, bias
        if z is not None and bn.training:
            mean, var = self._batch_statistics(z, eta)
        else:
            mean, var = bn.running_mean, bn.running_var
            mean = mean if bias is None else mean - bias
        scale = torch.rsqrt(var + bn.eps)
        if bn.weight is not None:
            scale = scale * bn.weight
        offset = -mean * scale if bn.bias is None else bn.bias - mean * scale
        return scale, offset

    def _batch_statistics(self, z: Tensor, eta: Tensor) -> tuple[Tensor, Tensor]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.options.bn_gradient):
            # conv(eta * z) = eta * conv(z): the large tensor is never multiplied by the scale.
            y = apply_layer(self.op, z, self.op.weight, None)
            mean, var = channel_moments(y)
            mean, var = mean * eta, var * eta.square()
        _update_running(self.bn, mean.detach(), var.detach(), y.numel() // len(mean), self.op.bias)
        return mean, var


class F8Classifier(nn.Module):
    """The last linear layer with rescaled weights: ``logits = (eta z) (s W_q)^T + b`` in training.

    s = 1 / (sqrt(Fout) * std(W_q)) (``constant``) or std(W) / std(W_q) (``stddev``). Evaluation
    computes ``z W_q^T + b / (eta s)``: the same logits divided by eta * s, by 8-bit weights only.

    Source: Jin et al., Towards Efficient Training for Neural Network Quantization (SAT), 2019;
    F8Net, appendix.
    """

    def __init__(self, op: nn.Linear, spec: InputSpec, options: F8Options) -> None:
        super().__init__()
        self.op = op
        self.bn = None
        self.input = InputQuantizer(spec, options, op.weight.detach())
        self.weight_quantizer = WeightQuantizer(options)
        self.options = options

    def forward(self, x: Tensor, eta: Tensor, eta_next: float = 1.0) -> Tensor:
        """Map (N, Fin) in units of 1 / eta to logits (N, Fout)."""
        z = self.input(x, eta)
        if self.training:
            weight, _ = self.weight_quantizer(self.op.weight)
            factor = eta * self._rescale(weight.detach())
            return apply_layer(self.op, z, weight * factor, self.op.bias)
        folded = self.folded(eta)
        return apply_layer(self.op, z, folded.weight, folded.bias)

    def logit_factor(self, eta: Tensor) -> Tensor:
        """Return eta * s: training logits divided by evaluation logits."""
        return eta * self._rescale(self.weight_quantizer(self.op.weight.detach())[0])

    def folded(self, eta: Tensor, eta_next: float = 1.0) -> Folded:
        """Return the layer as evaluation uses it."""
        weight, fl = self.weight_quantizer(self.op.weight.detach())
        bias = weight.new_zeros(weight.shape[0]) if self.op.bias is None else self.op.bias.detach()
        return finish(weight, fl, bias / self.logit_factor(eta).detach(), self.input, self.options)

    def _rescale(self, quantized: Tensor) -> Tensor:
        if self.options.rescale == "stddev":
            return self.op.weight.detach().std() / quantized.std()
        return 1 / (self.op.out_features**0.5 * quantized.std())


class F8Clip(nn.Module):
    """A quantizer where a ReLU6 is added or averaged: its clip cannot move past a sum."""

    def __init__(self, spec: InputSpec, options: F8Options, like: Tensor) -> None:
        super().__init__()
        self.input = InputQuantizer(spec, options, like)

    def forward(self, x: Tensor, eta: Tensor) -> Tensor:
        """Quantize ``x`` in units of 1 / eta; the result stays in them."""
        return self.input(x, eta)


def finish(
    weight: Tensor, fl: Tensor, bias: Tensor, quantizer: InputQuantizer, options: F8Options
) -> Folded:
    """Put the bias on its 32-bit grid (FL_input + FL_weight) and name all formats.

    That grid is the one of the accumulator, so its FL is not free. A layer some of whose biases
    would saturate on it (words of about 14 bits or more) keeps its bias as it is, without a format.
    """
    axis = 0 if fl.ndim else None
    scales = tuple(2.0**-one for one in fl.reshape(-1).tolist())
    formats = {
        "weight": TensorFormat(options.wl, scales, True, axis=axis, zero_point=_zeros(scales))
    }
    total = fl + quantizer.fl_run.round()
    is_wanted = options.quant_bias and quantizer.mode == "quantize"
    if is_wanted and _fits_bias_word(bias, total):
        # In double precision: a 32-bit code does not fit the mantissa of a float32.
        bias = fixed_quantize(bias.double(), total.double(), BIAS_BITS, True).to(bias.dtype)
        scales = tuple(2.0**-one for one in total.reshape(-1).tolist())
        formats["bias"] = TensorFormat(
            BIAS_BITS, scales, True, axis=axis, zero_point=_zeros(scales)
        )
    return Folded(weight, bias, formats)


def _fits_bias_word(bias: Tensor, total: Tensor) -> bool:
    codes = bias.double().abs() * torch.exp2(total.double())
    return not bool((codes.round() > code_range(BIAS_BITS, True)[1]).any())


def _zeros(scales: tuple[float, ...]) -> tuple[int, ...]:
    return (0,) * len(scales)


@torch.no_grad()
def _update_running(
    bn: nn.Module, mean: Tensor, var: Tensor, count: int, bias: Tensor | None
) -> None:
    if bias is not None:
        mean = mean + bias
    bn.num_batches_tracked.add_(1)
    momentum = 1 / float(bn.num_batches_tracked) if bn.momentum is None else bn.momentum
    bn.running_mean.lerp_(mean, momentum)
    bn.running_var.lerp_(var * (count / max(count - 1, 1)), momentum)
