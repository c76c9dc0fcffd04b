"""F8Net: networks whose only multiplication is that by 8-bit weights, trained as such.

``f8net`` turns any traced network of convolution, linear, batch norm, ReLU, ReLU6, pooling,
addition and concatenation into an `F8Net`; ``lowered()`` of the trained network is its plain form
for inference.

Source: Jin et al., F8Net: Fixed-Point 8-bit Only Multiplication for Network Quantization, ICLR
2022.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from backend.models.recipe import transform
from backend.models.tracing import trace
from backend.quant.f8_build import write_plain_graph, write_training_graph
from backend.quant.f8_graph import Reader, Wiring, analyse
from backend.quant.f8_layers import (
    MODES,
    F8Classifier,
    F8Clip,
    F8Layer,
    InputQuantizer,
    Mode,
    WeightQuantizer,
)
from backend.quant.f8_operations import is_leaf
from backend.quant.f8_options import F8Options
from backend.quant.f8_report import describe_formats
from backend.quant.fixed_point import QuantError, code_range

# A clip level of 0 would divide by zero.
_LEAST_LEVEL = 2.0**-24


class F8Net(nn.Module):
    """A network in fixed-point training: the scale of each layer is folded into its neighbours.

    ``body`` is the graph; each of its layers is an `F8Layer`. ``alpha`` (streams,) holds the clip
    levels, one for each stream of tensors (None without clipping). All scales are computed once at
    the start of a forward pass, so that the layer that writes a tensor and the one that reads it
    agree.
    """

    def __init__(
        self, body: fx.GraphModule, wiring: Wiring, options: F8Options, like: Tensor
    ) -> None:
        super().__init__()
        self.body = body
        self.options = options
        alpha = nn.Parameter(like.new_tensor(wiring.alphas)) if wiring.alphas else None
        self.register_parameter("alpha", alpha)
        self.readers = tuple(one.name for one in wiring.readers)
        self.streams = tuple(one.stream for one in wiring.readers)
        self._fixed = [one.fixed_eta for one in wiring.readers]
        self.largest = [_largest_code(one) for one in wiring.readers]

    @property
    def mode(self) -> Mode:
        """``quantize``, ``floating`` (clip, no rounding: pre-training) or ``off`` (neither)."""
        return self.quantizer(self.readers[0]).mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        if mode not in MODES:
            raise QuantError(f"There is no mode '{mode}' of F8Net; use one of {', '.join(MODES)}.")
        for part in self.modules():
            if isinstance(part, InputQuantizer | WeightQuantizer):
                part.mode = mode

    def forward(self, x: Tensor) -> Any:
        """Map pictures (N, C, H, W), float, to what the float network gives: logits."""
        return self.body(x, self.etas())

    def etas(self) -> tuple[Tensor, ...]:
        """Return the scale of each reader, shape (): ``2^(FL + octave) * |alpha| / M``."""
        quantizers = [self.quantizer(name) for name in self.readers]
        exponent = torch.stack([one.fl_run for one in quantizers]).round()
        fixed = exponent.new_tensor(self._fixed)
        if self.alpha is None:
            return fixed.unbind()
        exponent = exponent + torch.stack([one.octave for one in quantizers])
        streams = torch.tensor(self.streams, device=exponent.device)
        level = self.alpha.abs().clamp_min(_LEAST_LEVEL)[
            streams.clamp_min(0)
        ] / exponent.new_tensor(self.largest)
        # Times an exact power of two: the ratios within a stream are exact powers of two.
        learned = level * torch.exp2(exponent)
        return torch.where(streams < 0, fixed, learned).unbind()

    def layer(self, name: str) -> F8Layer | F8Classifier | F8Clip:
        """Return the layer that the float network calls ``name``."""
        return self.body.get_submodule(name)  # type: ignore[return-value]

    def quantizer(self, name: str) -> InputQuantizer:
        """Return the input quantizer of the layer ``name``."""
        return self.layer(name).input

    @torch.no_grad()
    def lowered(self) -> fx.GraphModule:
        """Return the network for inference; it computes what this one computes in evaluation.

        It consists of `FakeQuantize`, `GridConv2d` and `GridLinear`, ReLU, pooling, addition,
        reshaping and multiplications by powers of two; a ``unit`` picture is first multiplied by
        255/256. Layers keep their names; the quantizer before layer ``L`` is ``L_input``.

        Raises:
            QuantError: the quantizers are switched off.
        """
        if self.mode != "quantize":
            raise QuantError("Quantization is switched off; set mode = 'quantize' and try again.")
        return write_plain_graph(self.body, self.etas())

    @torch.no_grad()
    def formats(self, images: Tensor | None = None) -> list[dict[str, Any]]:
        """Return one row for each layer: formats, clipped shares, headroom, clip level.

        With ``images`` (N, C, H, W) the shares of activations at the end of their grid are
        measured.
        """
        return describe_formats(self, images)


@transform("quantize.f8net", version=1)
def f8net(module: nn.Module, plan: dict[str, Any]) -> F8Net:
    """Convert ``module`` to an F8Net network; its layers are used, not copied.

    ``plan`` holds the fields of `F8Options`. The function of the float network is kept up to
    quantization and clipping; ``mode = "off"`` computes it exactly.

    Raises:
        QuantError: an operation that has no fixed-point form, or a wrong option; names it.
        TracingError: the network's code is no fixed graph.
    """
    options = F8Options.from_plan(plan)
    was_training = module.training
    example = None if options.shape is None else torch.empty(1, *options.shape, device="meta")
    # In evaluation mode: a trace of training code would freeze auxiliary heads into the graph.
    traced = trace(module.eval(), example=example, leaves=is_leaf)
    wiring = analyse(traced, options)
    if not wiring.readers:
        raise QuantError("The network has no convolution and no linear layer to quantize.")
    body = write_training_graph(traced, wiring, options)
    like = next(module.parameters()).detach()
    return F8Net(body, wiring, options, like).train(was_training)


def _largest_code(reader: Reader) -> float:
    if reader.half:
        return code_range(reader.spec.wl, False)[1] / 2
    return code_range(reader.spec.wl, reader.spec.signed)[1]
