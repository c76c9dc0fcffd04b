"""F8Net: networks whose only multiplication is of fixed-point numbers of 8 bits."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from backend.core.context import Context
from backend.core.node import Params, node
from backend.core.views import LayerRow, Layers
from backend.data.augment import Augment
from backend.data.batches import spread_batches, spread_pictures
from backend.data.manifest import ImageSet
from backend.data.preprocess import ImageInput
from backend.data.vision import open_split
from backend.fields import OPTIMIZATION, BatchSize, Flip, KeptEpoch, Shift
from backend.quant.f8_layers import Mode
from backend.quant.f8_options import PRESETS
from backend.quant.f8_training import bn_calibration, calibrate, weight_decay_groups
from backend.quant.f8net import F8Net
from backend.train import Epoch, Hooks, Moment, TrainPlan, fit
from backend.values import Classifier, Data

FORMATS = "Formats"
CLIP_LEVELS = "Clip levels"

_STAGES: dict[Mode, str] = {"floating": "clip only", "quantize": "fixed point"}
_SELECTORS = {
    "std": "Standard deviation",
    "mae": "Mean magnitude",
    "rms": "Root mean square",
    "grid": "Trying",
}
_DECAYED = {
    "all": "All",
    "only_no_depthwise": "All but depthwise",
    "only_no_bn": "All but norms",
    "no_depthwise_no_bn": "All but both",
}


class F8NetParams(Params):
    """How a network becomes fixed-point, and how it is trained then."""

    bits: int = Field(
        default=8,
        ge=2,
        le=16,
        title="Word length",
        description="Word length of weights and activations, sign included.",
        json_schema_extra={"unit": "bit", "origin": "paper"},
    )
    mode: Literal["conventional", "fine_tune"] = Field(
        default="conventional",
        title="Recipe",
        description="Train with learned clip levels, or tune a network briefly with all scales 1.",
        json_schema_extra={"labels": {"fine_tune": "Brief tuning"}, "origin": "paper"},
    )
    selector: Literal["auto", "std", "mae", "rms", "grid"] = Field(
        default="auto",
        title="Fraction lengths",
        description="What chooses fraction lengths: a statistic, or least squared error by trying. "
        "Auto: the deviation for 8 bits, trying otherwise.",
        json_schema_extra={"group": FORMATS, "labels": _SELECTORS, "origin": "paper"},
    )
    std_source: Literal["pre_relu", "raw_input"] = Field(
        default="pre_relu",
        title="Statistic from",
        description="Take the statistic before the ReLU, or of what arrives as in the code.",
        json_schema_extra={
            "group": FORMATS,
            "labels": {"pre_relu": "Before the ReLU", "raw_input": "What arrives"},
            "origin": "choice",
        },
    )
    granularity: Literal["layer", "channel"] = Field(
        default="layer",
        title="One format per",
        description="One weight format a layer, or one a channel.",
        json_schema_extra={"group": FORMATS, "origin": "paper"},
    )
    alpha: float = Field(
        default=8.0,
        gt=0,
        le=64,
        title="First clip level",
        description="First clip level of activations; calibration sets its own.",
        json_schema_extra={"group": CLIP_LEVELS, "origin": "code"},
    )
    calibration: int = Field(
        default=4,
        ge=0,
        le=1000,
        title="Calibration",
        description="Batches that set clip levels and formats first; 0: start as the paper.",
        json_schema_extra={"group": CLIP_LEVELS, "unit": "batches", "origin": "choice"},
    )
    octaves: bool = Field(
        default=True,
        title="Octave steps",
        description="In calibration, let a layer clip at a power-of-two multiple of the level that "
        "it shares; the paper does not.",
        json_schema_extra={"group": CLIP_LEVELS, "origin": "choice"},
    )
    clip_only_epochs: int = Field(
        default=0,
        ge=0,
        le=1000,
        title="Clip-only epochs",
        description="Epochs before, with clip levels and without rounding: the published first "
        "stage.",
        json_schema_extra={"group": CLIP_LEVELS, "origin": "choice"},
    )
    epochs: int = Field(
        default=5,
        ge=0,
        le=1000,
        title="Epochs",
        description="Passes over the training data; 0: calibrate only.",
        json_schema_extra={"origin": "choice"},
    )
    batch: BatchSize = 128
    lr: float = Field(
        default=0.02,
        ge=0,
        le=10,
        title="Learning rate",
        description="Peak learning rate; 0 moves batch norm statistics and formats only.",
        json_schema_extra={"scale": "log", "origin": "choice"},
    )
    warmup: float = Field(
        default=0.0,
        ge=0,
        title="Warm-up",
        description="Epochs of linear rise before the schedule.",
        json_schema_extra={"group": OPTIMIZATION, "unit": "epochs", "origin": "choice"},
    )
    weight_decay: float = Field(
        default=4e-5,
        ge=0,
        le=1,
        title="Weight decay",
        description="Decay of the raw weights, before they are folded and quantized.",
        json_schema_extra={"group": OPTIMIZATION, "scale": "log", "origin": "code"},
    )
    decay_scheme: Literal["all", "only_no_depthwise", "only_no_bn", "no_depthwise_no_bn"] = Field(
        default="all",
        title="Decay of",
        description="What decays; depthwise filters and norms may be spared.",
        json_schema_extra={"group": OPTIMIZATION, "labels": _DECAYED, "origin": "code"},
    )
    bn_gradient: bool = Field(
        default=True,
        title="Norm gradient",
        description="Let gradients pass the batch statistics that are folded into the weights; "
        "without, a step is quicker.",
        json_schema_extra={"group": OPTIMIZATION, "origin": "code"},
    )
    quant_bias: bool = Field(
        default=True,
        title="Quantize biases",
        description="Biases become 32-bit fixed-point numbers.",
        json_schema_extra={"group": FORMATS},
    )
    fl_range: Literal["auto", "legal", "any"] = Field(
        default="auto",
        title="Allowed lengths",
        description="Fraction lengths allowed: legal as published (0 to the word length), or any "
        "power of two where they are found by trying. Auto: legal for 8 bits, any otherwise.",
        json_schema_extra={
            "group": FORMATS,
            "labels": {"legal": "As published", "any": "Any power of two"},
            "origin": "choice",
        },
    )
    bn_calibration: int = Field(
        default=0,
        ge=0,
        le=1000,
        title="Norm calibration",
        description="Batches that measure batch norm statistics again after training.",
        json_schema_extra={"group": OPTIMIZATION, "unit": "batches", "origin": "code"},
    )
    train_fl: Literal["batch", "running"] = Field(
        default="batch",
        title="Training formats",
        description="Formats of activations in training: of this batch, or the running ones.",
        json_schema_extra={"group": FORMATS, "origin": "code"},
    )
    fl_units: Literal["real", "scaled"] = Field(
        default="real",
        title="Format units",
        description="Judge activations in the float network's units, or divided by their scale as "
        "in the code, where a format feeds back into itself.",
        json_schema_extra={"group": FORMATS, "origin": "choice"},
    )
    paper_code_shortcut: bool = Field(
        default=False,
        title="Shortcut as in code",
        description="Add shortcuts without the shift between formats, as the code does.",
        json_schema_extra={"group": FORMATS, "origin": "choice"},
    )
    rescale: Literal["off", "constant", "stddev"] = Field(
        default="off",
        title="Classifier scale",
        description="Rescaling of the classifier in training; published: constant.",
        json_schema_extra={
            "group": OPTIMIZATION,
            "labels": {"stddev": "By deviation"},
            "origin": "choice",
        },
    )
    flip: Flip = True
    shift: Shift = 2
    keep: KeptEpoch = "best"


@node("quantize.f8net", title="F8Net", views=("layers",), gpus=1)
def f8net(ctx: Context, p: F8NetParams, model: Classifier, data: Data) -> Classifier:
    """Train a network that needs only fixed-point multiplication of 8 bits, or of another width.

    Each layer gets its fraction length from the deviation of its tensor; clip levels are learned;
    batch norm is folded into the weights before they are quantized. For the published brief tuning
    of a trained network choose that recipe, weight decay 1e-4, and spare depthwise filters and
    norms (in files: fine_tune, no_depthwise_no_bn).

    Source: Jin et al., F8Net, ICLR 2022, sec. 3, arXiv:2202.05239
    """
    model.require_classes_of(data)
    quantized = model.transformed(
        "quantize.f8net", _plan(p, model.image), label=f"{model.label} F8Net {p.bits}-bit"
    )
    network = quantized.module
    assert isinstance(network, F8Net)
    train, val = (open_split(data.manifest, split) for split in ("train", "val"))
    sample = spread_pictures(val, model.image, 256, ctx.device)
    network.to(ctx.device)
    if p.calibration:
        batches = list(spread_batches(train, model.image, p.batch, p.calibration, ctx.device))
        calibrate(network, batches, octaves=p.octaves)
    _show(ctx, network, sample, step=0)
    wanted: list[tuple[Mode, int]] = [("floating", p.clip_only_epochs), ("quantize", p.epochs)]
    stages = [(mode, epochs) for mode, epochs in wanted if epochs]
    for i, (mode, epochs) in enumerate(stages):
        # Before each stage, also when it was done by an earlier attempt: the mode is not saved.
        network.mode = mode
        with ctx.stage(_STAGES[mode], i, 2) if len(stages) > 1 else nullcontext():
            _train(ctx, p, epochs, quantized, network, train, val, sample)
    network.mode = "quantize"
    again = p.bn_calibration or (p.calibration if not p.epochs else 0)
    if again:
        bn_calibration(network, spread_batches(train, model.image, p.batch, again, ctx.device))
    network.eval().cpu()
    epochs = model.facts.get("epochs", 0) + p.clip_only_epochs + p.epochs
    quantized.facts["epochs"] = epochs
    return quantized


class Po2Params(Params):
    """How to round."""

    bits: int = Field(
        default=8,
        ge=2,
        le=16,
        title="Word length",
        description="Word length, sign included.",
        json_schema_extra={"unit": "bit"},
    )
    batches: int = Field(
        default=8, ge=1, le=1000, title="Batches", description="Training batches to look at."
    )
    batch: int = Field(
        default=128,
        ge=2,
        le=4096,
        title="Batch size",
        description="Pictures in each.",
        json_schema_extra={"unit": "images"},
    )
    bn_calibration: bool = Field(
        default=False,
        title="Norm calibration",
        description="Measure batch norm statistics again on the quantized network.",
    )


@node("quantize.po2", title="Round to powers of two", views=("layers",))
def po2(ctx: Context, p: Po2Params, model: Classifier, data: Data) -> Classifier:
    """Round weights and activations to power-of-two grids without training, as a baseline.

    Each layer takes the format with the least squared error, for weights with batch norm folded in
    and for activations of some training batches.
    """
    model.require_classes_of(data)
    plan = {
        **PRESETS["rounding"],
        "wl": p.bits,
        "image": _image_kind(model.image),
        "shape": [model.image.channels, model.image.height, model.image.width],
    }
    label = f"{model.label} rounded {p.bits}-bit"
    quantized = model.transformed("quantize.f8net", plan, label=label)
    network = quantized.module
    assert isinstance(network, F8Net)
    train, val = (open_split(data.manifest, split) for split in ("train", "val"))
    batches = list(spread_batches(train, model.image, p.batch, p.batches))
    calibrate(network, batches)
    if p.bn_calibration:
        bn_calibration(network, batches)
    network.eval()
    _show(ctx, network, spread_pictures(val, model.image, 256), step=0)
    return quantized


def _train(
    ctx: Context,
    p: F8NetParams,
    epochs: int,
    model: Classifier,
    network: F8Net,
    train: ImageSet,
    val: ImageSet,
    sample: Tensor,
) -> None:
    plan = TrainPlan(
        epochs=epochs,
        batch=p.batch,
        lr=p.lr,
        weight_decay=p.weight_decay,
        augment=Augment(shift=p.shift, flip=p.flip),
        keep=p.keep,
        warmup=min(p.warmup, epochs / 2),
        schedule="constant" if p.mode == "fine_tune" else "cosine",
    )

    def show(moment: Moment, epoch: Epoch) -> None:
        _show(ctx, network, sample, step=moment.step + 1)

    groups = weight_decay_groups(network, p.weight_decay, p.decay_scheme)
    hooks = Hooks(after_epoch=show)
    history = fit(ctx, network, train, val, model.image, plan, parameters=groups, hooks=hooks)
    kept = "the last epoch" if history.kept is None else f"epoch {history.kept + 1}"
    ctx.log(f"Kept the weights of {kept} of {len(history.epochs)}.")
    _show(ctx, network, sample, step=history.steps)


def _plan(p: F8NetParams, image: ImageInput) -> dict[str, Any]:
    return {
        "wl": p.bits,
        "image": _image_kind(image),
        "selector": p.selector,
        "std_source": p.std_source,
        "granularity": p.granularity,
        "alpha": p.alpha,
        "bn_gradient": p.bn_gradient,
        "no_clipping": p.mode == "fine_tune",
        "quant_bias": p.quant_bias,
        "fl_range": p.fl_range,
        "rescale": p.rescale,
        "train_fl": p.train_fl,
        "fl_units": p.fl_units,
        "paper_code_shortcut": p.paper_code_shortcut,
        "shape": [image.channels, image.height, image.width],
    }


def _image_kind(image: ImageInput) -> str:
    is_unit = set(image.mean) == {0.0} and set(image.std) == {1.0}
    return "unit" if is_unit else "signed"


@torch.no_grad()
def _show(ctx: Context, network: F8Net, sample: Tensor, step: int) -> None:
    """Show the format of every layer; the microscope follows this view while training goes on."""
    rows = [LayerRow(**row) for row in network.formats(sample)]
    caption = f"Shares at the end of the grid are measured on {len(sample)} validation pictures."
    ctx.view(Layers(title="Number formats", caption=caption, rows=rows), name="layers", step=step)
