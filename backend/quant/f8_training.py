"""Around the training of an F8Net: parameter groups, calibration of formats and batch norm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from backend.quant.f8_layers import InputQuantizer
from backend.quant.f8net import F8Net
from backend.quant.fixed_point import (
    QuantError,
    fixed_quantize,
    in_single,
    legal_fl,
    spread_sample,
)

Scheme = Literal["all", "only_no_depthwise", "only_no_bn", "no_depthwise_no_bn"]
SCHEMES: tuple[Scheme, ...] = ("all", "only_no_depthwise", "only_no_bn", "no_depthwise_no_bn")

# Clip levels that calibration tries: quarter octaves from 2^-12 to 2^12.
_STEPS = 4
_OCTAVES = range(-12, 13)


def weight_decay_groups(
    network: nn.Module, weight_decay: float, scheme: Scheme = "all"
) -> list[dict[str, Any]]:
    """Return optimizer parameter groups: what decays, and what does not.

    Weight decay acts on raw weights while the quantizer sees effective ones, so decaying batch norm
    and depthwise filters moves fraction lengths. ``only_no_depthwise`` spares depthwise filters;
    ``only_no_bn`` spares batch norm, biases and clip levels; ``no_depthwise_no_bn`` both; ``all``
    none.

    Source: F8Net, appendix (the published runs: ``all`` for ResNet and MobileNetV1,
    ``no_depthwise_no_bn`` for MobileNetV2 and fine-tuning).
    """
    if scheme not in SCHEMES:
        raise QuantError(f"There is no scheme '{scheme}'; use one of {', '.join(SCHEMES)}.")
    depthwise = {
        id(part.weight)
        for part in network.modules()
        if isinstance(part, nn.Conv2d) and part.groups == part.in_channels > 1
    }
    decayed, spared = [], []
    for parameter in network.parameters():
        is_spared = (id(parameter) in depthwise and "no_depthwise" in scheme) or (
            parameter.ndim < 2 and "no_bn" in scheme
        )
        (spared if is_spared else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


@torch.no_grad()
def bn_calibration(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace all batch norm statistics by their plain mean over ``batches`` (N, C, H, W).

    Formats stay as they are: only the batch norms are in training mode meanwhile.
    """
    norms = [part for part in network.modules() if isinstance(part, _BatchNorm)]
    modes = {part: part.training for part in network.modules()}
    momenta = [part.momentum for part in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.training = True
    try:
        for images in batches:
            network(images)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for part, training in modes.items():
            part.training = training


@torch.no_grad()
def calibrate(network: F8Net, batches: Iterable[Tensor], *, octaves: bool = True) -> None:
    """Set clip levels and fraction lengths from data, without training, by least squared error.

    The activations of the unquantized network are gathered over ``batches`` (N, C, H, W). With
    learned clip levels, each stream gets the level whose relative error, summed over its readers,
    is least; with ``octaves`` a reader may clip at a power-of-two multiple of it (an average is
    smaller than what it averages), without it none does. Without clipping each reader gets its
    fraction length. Deterministic.
    """
    mode, was_training = network.mode, network.training
    tables = _tables(network)
    network.mode = "off"
    network.eval()
    if not octaves:
        for name in network.readers:
            network.quantizer(name).octave.zero_()
    handles = [
        network.quantizer(name).register_forward_pre_hook(tables[name].see) for name in tables
    ]
    try:
        for images in batches:
            network(images)
    finally:
        for handle in handles:
            handle.remove()
        network.mode = mode
        network.train(was_training)
    if any(not table.votes for table in tables.values()):
        raise QuantError("Calibration got no pictures; give it at least one batch.")
    if network.alpha is not None:
        _set_clip_levels(network, tables, octaves)
    for name, table in tables.items():
        table.set_fraction_length(network.quantizer(name), network.alpha is None)


def _tables(network: F8Net) -> dict[str, _Errors]:
    """Make a table for each reader; the caps of a stream's ReLU6 are among its candidates."""
    anchors: dict[int, float] = {}
    for name, stream in zip(network.readers, network.streams, strict=True):
        cap = network.quantizer(name).spec.cap
        if cap is not None:
            anchors[stream] = min(cap, anchors.get(stream, cap))
    parts = zip(network.readers, network.streams, network.largest, strict=True)
    return {
        name: _Errors(network.quantizer(name), largest, anchors.get(stream, 1.0))
        for name, stream, largest in parts
    }


class _Errors:
    """Squared error of one reader for each candidate clip level, in the float network's units.

    A candidate is ``anchor`` times a power of 2^(1/4); ``largest`` is the code that stands for it.
    """

    def __init__(self, quantizer: InputQuantizer, largest: float, anchor: float) -> None:
        self.quantizer = quantizer
        self.levels = [anchor * 2.0 ** (o + q / _STEPS) for o in _OCTAVES for q in range(_STEPS)]
        spec = quantizer.spec
        self.largest = largest
        lo, top = legal_fl(spec.wl, spec.signed)
        self.fls = list(range(-16, 25) if quantizer.options.inputs_any else range(lo, top + 1))
        self.by_level: Tensor | float = 0.0
        self.by_fl: Tensor | float = 0.0
        self.votes: list[float] = []

    def see(self, _: nn.Module, args: tuple[Tensor, Tensor]) -> None:
        z, eta = args
        rows = in_single(spread_sample((z * eta).reshape(1, -1)))
        spec = self.quantizer.spec
        # What the float network passes on: its ReLU6 is only a clip level here, which must not
        # rise above the cap for the sake of values that are cut off anyway.
        target = rows if spec.signed else rows.clamp(0, spec.cap)
        energy = target.square().sum().clamp_min(torch.finfo(rows.dtype).tiny)

        def error(step: float) -> Tensor:
            u = fixed_quantize(rows / step, 0, spec.wl, spec.signed).mul_(step)
            return u.sub_(target).square_().sum() / energy

        self.by_level = self.by_level + torch.stack(
            [error(one / self.largest) for one in self.levels]
        )
        self.by_fl = self.by_fl + torch.stack([error(2.0**-fl) for fl in self.fls])
        self.votes.append(float(self.quantizer.choose(z, eta)))

    def set_fraction_length(self, quantizer: InputQuantizer, is_free: bool) -> None:
        if quantizer.spec.fixed_fl is not None:
            return
        if is_free:
            quantizer.fl_run.fill_(self.fls[int(torch.as_tensor(self.by_fl).argmin())])
        else:
            quantizer.fl_run.fill_(sorted(self.votes)[len(self.votes) // 2])


def _set_clip_levels(network: F8Net, tables: dict[str, _Errors], octaves: bool) -> None:
    for stream in range(len(network.alpha)):
        names = [n for n, s in zip(network.readers, network.streams, strict=True) if s == stream]
        errors = torch.stack([torch.as_tensor(tables[name].by_level) for name in names])
        if not octaves:
            network.alpha[stream] = tables[names[0]].levels[int(errors.sum(0).argmin())]
            continue
        best = errors.view(len(names), len(_OCTAVES), _STEPS).min(1)  # each (readers, steps)
        step = int(best.values.sum(0).argmin())
        chosen = best.indices[:, step]
        network.alpha[stream] = tables[names[0]].levels[int(chosen[0]) * _STEPS + step]
        for name, octave in zip(names, chosen, strict=True):
            network.quantizer(name).octave.fill_(float(octave - chosen[0]))
