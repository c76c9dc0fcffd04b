"""Plain training of a classifier."""

from __future__ import annotations

import copy
from typing import Literal

from pydantic import Field

from backend.core.context import Context
from backend.core.node import Params, node
from backend.data.augment import Augment
from backend.data.vision import open_split
from backend.fields import (
    AUGMENTATION,
    OPTIMIZATION,
    REGULARIZATION,
    BatchSize,
    Flip,
    KeptEpoch,
    Shift,
)
from backend.train import TrainPlan, fit
from backend.values import Classifier, Data


class TrainParams(Params):
    """How to train."""

    epochs: int = Field(
        default=10, ge=1, le=1000, title="Epochs", description="Passes over the training data."
    )
    batch: BatchSize = 128
    optimizer: Literal["sgd", "adam", "adamw"] = Field(
        default="sgd", title="Optimizer", description="How gradients move the weights."
    )
    lr: float = Field(
        default=0.1,
        gt=0,
        le=10,
        title="Learning rate",
        description="Peak learning rate.",
        json_schema_extra={"scale": "log"},
    )
    momentum: float = Field(
        default=0.9,
        ge=0,
        lt=1,
        title="Momentum",
        description="Momentum of SGD (Nesterov).",
        json_schema_extra={"group": OPTIMIZATION},
    )
    weight_decay: float = Field(
        default=5e-4,
        ge=0,
        le=1,
        title="Weight decay",
        description="Decay of kernels and matrices; the rest is left alone.",
        json_schema_extra={"group": OPTIMIZATION, "scale": "log"},
    )
    schedule: Literal["cosine", "onecycle", "step", "linear", "constant"] = Field(
        default="cosine",
        title="Schedule",
        description="How the learning rate moves.",
        json_schema_extra={"group": OPTIMIZATION, "labels": {"onecycle": "One cycle"}},
    )
    warmup: float = Field(
        default=0.5,
        ge=0,
        title="Warm-up",
        description="Epochs of linear rise before the schedule.",
        json_schema_extra={"group": OPTIMIZATION, "unit": "epochs"},
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        title="Label smoothing",
        description="Part of each label that is spread over all classes.",
        json_schema_extra={"group": REGULARIZATION},
    )
    ema: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        title="Weight average",
        description="Decay of a weight average that is kept instead.",
        json_schema_extra={"group": REGULARIZATION},
    )
    flip: Flip = True
    shift: Shift = 2
    cutout: int = Field(
        default=0,
        ge=0,
        le=512,
        title="Cutout",
        description="Side of a square painted over.",
        json_schema_extra={"group": AUGMENTATION, "unit": "px"},
    )
    keep: KeptEpoch = "best"


@node("train.classifier", title="Train")
def train_classifier(ctx: Context, p: TrainParams, model: Classifier, data: Data) -> Classifier:
    """Train a classifier on the training split; the validation split chooses the epoch to keep."""
    plan = TrainPlan(
        epochs=p.epochs,
        batch=p.batch,
        optimizer=p.optimizer,
        lr=p.lr,
        momentum=p.momentum,
        weight_decay=p.weight_decay,
        schedule=p.schedule,
        warmup=min(p.warmup, p.epochs / 2),
        label_smoothing=p.label_smoothing,
        ema=p.ema,
        augment=Augment(shift=p.shift, flip=p.flip, cutout=p.cutout),
        keep=p.keep,
    )
    model.require_classes_of(data)
    train, val = (open_split(data.manifest, split) for split in ("train", "val"))
    module = copy.deepcopy(model.module)
    history = fit(ctx, module, train, val, model.image, plan)
    kept = "the last epoch" if history.kept is None else f"epoch {history.kept + 1}"
    ctx.log(f"Kept the weights of {kept} of {len(history.epochs)}.")
    epochs = model.facts.get("epochs", 0) + p.epochs
    return model.with_module(module.cpu(), epochs=epochs)
