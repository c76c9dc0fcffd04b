"""Image classifiers out of ONNX files."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import Field

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.data.preprocess import ImageInput
from backend.methods.models import class_names, image_of
from backend.models.recipe import RecipeError
from backend.values import Classifier, Data


class OnnxParams(Params):
    """Which ONNX file."""

    file: Path = Field(
        title="File", description="An .onnx file of an image classifier with float weights."
    )
    mean: tuple[float, ...] = Field(
        default=(), title="Mean", description="Mean that it expects; empty: 0."
    )
    std: tuple[float, ...] = Field(
        default=(), title="Deviation", description="Deviation likewise; empty: 1."
    )


@node("model.onnx", title="Import ONNX")
def onnx(ctx: Context, p: OnnxParams, data: Data | None = None) -> Classifier:
    """A network from an ONNX file, as trainable layers; operators that are not known are named."""
    from backend.export.inspect import inspect_file
    from backend.models.from_onnx import import_onnx

    try:
        module, recipe = import_onnx(p.file)
    except RecipeError as error:
        raise FretsawError(f'"{p.file.name}" cannot be imported: {error}') from error
    inputs = inspect_file(p.file)["inputs"]
    if len(inputs) != 1:
        names = ", ".join(one["name"] for one in inputs)
        raise _no_classifier(p.file, f"it asks for {len(inputs)} inputs ({names})")
    shape = inputs[0]["shape"]
    if len(shape) != 4 or not all(isinstance(s, int) for s in shape[1:]):
        if data is None:
            raise FretsawError(
                f'"{p.file.name}" leaves the size of its pictures open ({shape}).',
                "Link the data that it is to be used on.",
            )
        image = image_of(data, "unit")
    else:
        mean, std = p.mean or (0.0,) * shape[1], p.std or (1.0,) * shape[1]
        image = ImageInput(shape[1], shape[2], shape[3], mean, std)
    with torch.no_grad():
        logits = module(torch.zeros(1, image.channels, image.height, image.width))
    if logits.dim() != 2:
        raise _no_classifier(p.file, f"it answers with an array {tuple(logits.shape)}")
    classes = class_names(logits.shape[-1], data)
    return Classifier(recipe, module, image, label=p.file.stem, classes=classes)


def _no_classifier(file: Path, why: str) -> FretsawError:
    return FretsawError(
        f'"{file.name}" is no classifier: {why}.',
        "A network that edits pictures is loaded by teacher.onnx.",
    )
