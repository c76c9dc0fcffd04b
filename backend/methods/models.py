"""Networks to start from: untrained ones of the zoo, and trained ones from files and packages."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.data.preprocess import ImageInput
from backend.fields import STEMS, Channels, Classes, Normalize, Size
from backend.models.head import last_linear
from backend.models.pretrained import Expects, Pretrained, efficientnet_lite0
from backend.models.recipe import Recipe, RecipeError, build
from backend.models.registry import zoo
from backend.values import Classifier, Data


class ResnetParams(Params):
    """Which residual network."""

    depth: Literal[8, 20, 32, 44, 56, 18, 50] = Field(
        default=20,
        title="Depth",
        description="Layers. 8 to 56: for small pictures; 18 and 50: as for ImageNet.",
    )
    width: int | None = Field(
        default=None,
        ge=2,
        le=512,
        title="Width",
        description="Channels of the first stage; usual: 16, or 64.",
    )
    stem: Literal["cifar", "imagenet"] = Field(
        default="cifar",
        title="First layer for",
        description="First layer of depths 18 and 50: 3x3, or 7x7 with pooling.",
        json_schema_extra={"labels": STEMS},
    )
    normalize: Normalize = "unit"
    classes: Classes = 10
    channels: Channels = 3
    size: Size = 32


@node("model.resnet", title="ResNet")
def resnet(ctx: Context, p: ResnetParams, data: Data | None = None) -> Classifier:
    """An untrained residual network; sizes and classes come from linked data.

    Source: He et al., Deep residual learning, CVPR 2016, sec. 4.1 (18, 50) and 4.2 (8 to 56)
    """
    chosen: dict[str, Any] = {"depth": p.depth}
    if p.width is not None:
        chosen["width"] = p.width
    if p.depth in (18, 50):
        chosen["stem"] = p.stem
    label = f"ResNet-{p.depth}" + (f" w{p.width}" if p.width else "")
    return _from_zoo(ctx, "resnet", chosen, p, data, label)


class VggParams(Params):
    """Which VGG."""

    depth: Literal[11, 13, 16] = Field(
        default=11, title="Depth", description="Layers with weights."
    )
    width: int = Field(
        default=64, ge=2, le=512, title="Width", description="Channels of the first stage."
    )
    head: Literal["pooled", "classic"] = Field(
        default="pooled",
        title="Classifier",
        description="One linear layer on averages, or the three of the paper.",
    )
    normalize: Normalize = "unit"
    classes: Classes = 10
    channels: Channels = 3
    size: Size = 32


@node("model.vgg", title="VGG")
def vgg(ctx: Context, p: VggParams, data: Data | None = None) -> Classifier:
    """An untrained VGG with batch norm.

    Source: Simonyan, Zisserman, Very deep convolutional networks, ICLR 2015, table 1
    """
    chosen = {"depth": p.depth, "width": p.width, "head": p.head}
    return _from_zoo(ctx, "vgg", chosen, p, data, f"VGG-{p.depth}")


class MobilenetParams(Params):
    """Which MobileNet."""

    generation: Literal[1, 2] = Field(
        default=2,
        title="Generation",
        description="1: depthwise blocks; 2: inverted residuals.",
        json_schema_extra={"labels": {"1": "V1", "2": "V2"}},
    )
    width: float = Field(
        default=1.0, gt=0, le=4, title="Width factor", description="Factor on all channel counts."
    )
    stem: Literal["cifar", "imagenet"] = Field(
        default="cifar",
        title="First layer for",
        description="For small pictures, without the first two halvings, or not.",
        json_schema_extra={"labels": STEMS},
    )
    normalize: Normalize = "unit"
    classes: Classes = 10
    channels: Channels = 3
    size: Size = 32


@node("model.mobilenet", title="MobileNet")
def mobilenet(ctx: Context, p: MobilenetParams, data: Data | None = None) -> Classifier:
    """An untrained MobileNet.

    Source: Howard et al., MobileNets, 2017; Sandler et al., MobileNetV2, CVPR 2018
    """
    chosen = {"width": p.width, "stem": p.stem}
    label = f"MobileNetV{p.generation} x{p.width:g}"
    return _from_zoo(ctx, f"mobilenet_v{p.generation}", chosen, p, data, label)


class PretrainedParams(Params):
    """Which trained network."""

    source: str = Field(
        default="efficientnet_lite0",
        title="Network",
        description="efficientnet_lite0, a hub id such as microsoft/resnet-50, or a local folder "
        "in the transformers layout.",
    )
    commit: str | None = Field(
        default=None, title="Commit", description="Commit of a hub id; newest if empty."
    )
    file: Path | None = Field(
        default=None, title="File", description="Weights or package file on this computer."
    )
    size: int | None = Field(
        default=None,
        ge=32,
        le=1024,
        title="Picture size",
        description="Height and width of the pictures; empty: as it was trained.",
        json_schema_extra={"unit": "px"},
    )
    download: bool = Field(
        default=False,
        title="May download",
        description="Download the weights if they are not on this computer.",
    )


def _pretrained_files(p: PretrainedParams) -> Iterable[Path]:
    """A local folder, or the file in the hub's cache that says which commit is the newest."""
    if Path(p.source).is_dir():
        return [Path(p.source)]
    if "/" in p.source and not p.commit:
        cache = os.environ.get("HF_HUB_CACHE") or Path(
            os.environ.get("HF_HOME", "~/.cache/huggingface"), "hub"
        )
        name = f"models--{p.source.replace('/', '--')}"
        return [Path(cache).expanduser() / name / "refs" / "main"]
    return []


@node("model.pretrained", title="Pretrained network", reads=_pretrained_files)
def pretrained(ctx: Context, p: PretrainedParams, data: Data | None = None) -> Classifier:
    """A trained ImageNet classifier: EfficientNet-Lite0, or one of the transformers hub.

    With data of other classes linked, its last layer is exchanged for an untrained one.

    Source: Tan, Le, EfficientNet, ICML 2019 (Lite: without squeeze-excite and swish)
    """
    if p.source == "efficientnet_lite0":
        found = efficientnet_lite0(p.file, download=p.download)
        return _from_pretrained(found, "EfficientNet-Lite0", p, data)
    from backend.models.hub import hub_network

    found = hub_network(p.source, p.commit, download=p.download)
    return _from_pretrained(found, p.source.rstrip("/").split("/")[-1], p, data)


class LoadParams(Params):
    """Weights, and how to build what they belong to."""

    file: Path = Field(
        title="File",
        description="Folder saved by Fretsaw, or weights: .safetensors, .pt or .pth "
        "(weights only).",
    )
    builder: str = Field(
        default="",
        title="Builder",
        description="For weights: how to build the network, e.g. zoo:resnet(depth=20, width=16).",
    )
    classes: Classes = 10
    channels: Channels = 3
    size: Size = 32


@node("model.load", title="Load model")
def load(ctx: Context, p: LoadParams, data: Data | None = None) -> Classifier:
    """A network from a folder that Fretsaw saved, or from a file of weights and a builder."""
    from backend.models.state import fit_state, load_state

    if p.file.is_dir():
        found = Classifier.load(p.file)
        if data is not None:
            found.require_classes_of(data)
        return found
    state = load_state(p.file)
    if not p.builder:
        raise FretsawError(
            f'"{p.file.name}" holds weights only, not the network that they belong to.',
            "Say which in the parameter builder, e.g. zoo:resnet(depth=20, width=16).",
        )
    recipe = Recipe(p.builder)
    module = build(recipe)
    fit_state(module, state, assign=True)
    image, classes = _expected(p, data)
    _check_fit(module, image, classes, p.file.name)
    return Classifier(recipe, module.eval(), image, label=p.file.stem, classes=classes)


class PythonParams(Params):
    """Which function makes the network."""

    file: Path = Field(title="File", description="A Python file of yours.")
    factory: str = Field(
        default="make_network", title="Function", description="Function that returns the network."
    )
    arguments: str = Field(
        default="{}", title="Arguments", description='Its arguments as JSON, e.g. {"width": 8}.'
    )
    classes: Classes = 10
    channels: Channels = 3
    size: Size = 32


@node("model.python", title="Python network")
def python(ctx: Context, p: PythonParams, data: Data | None = None) -> Classifier:
    """A network that your own Python file builds; asked about once, and again when it changes."""
    from backend.models.python_file import python_recipe

    try:
        arguments = json.loads(p.arguments)
    except ValueError as error:
        raise FretsawError(f"The arguments {p.arguments} are no JSON.", str(error)) from error
    recipe = python_recipe(p.file, p.factory, arguments)
    torch.manual_seed(ctx.seed)
    try:
        module = build(recipe, meta=False)
    except RecipeError as error:  # a recipe knows its file by content, the user by name
        sha256 = recipe.builder.removeprefix("python:").partition("#")[0]
        raise FretsawError(str(error).replace(f"{sha256}.py", p.file.name)) from error
    image, classes = _expected(p, data)
    _check_fit(module, image, classes, p.file.name)
    return Classifier(recipe, module, image, label=p.file.stem, classes=classes)


SizedParams = ResnetParams | VggParams | MobilenetParams | LoadParams | PythonParams


def _from_zoo(
    ctx: Context,
    name: str,
    chosen: dict[str, Any],
    p: ResnetParams | VggParams | MobilenetParams,
    data: Data | None,
    label: str,
) -> Classifier:
    image, classes = _expected(p, data, p.normalize)
    recipe = Recipe(zoo(name, **chosen, in_channels=image.channels, classes=len(classes)))
    _check_fit(build(recipe), image, classes, label)
    torch.manual_seed(ctx.seed)
    module = build(recipe, meta=False)
    ctx.log(f"{label}: {sum(t.numel() for t in module.parameters()):,} parameters")
    return Classifier(recipe, module, image, label=label, classes=classes)


def _from_pretrained(
    found: Pretrained, label: str, p: PretrainedParams, data: Data | None
) -> Classifier:
    expects = found.expects or Expects(224, 224, (0.5,) * 3, (0.5,) * 3)
    height, width = (p.size, p.size) if p.size else (expects.height, expects.width)
    image = ImageInput(expects.channels, height, width, expects.mean, expects.std)
    classes = found.classes or class_names(1000, None)
    model = Classifier(found.recipe, found.network, image, label=label, classes=classes)
    if data is None or data.manifest.classes == classes:
        return model
    plan = {
        "layer": last_linear(found.network, len(classes)),
        "outputs": len(data.manifest.classes),
    }
    changed = model.transformed("head.replace", plan)
    return replace(changed, classes=data.manifest.classes)


def _expected(
    p: SizedParams, data: Data | None, normalize: str = "unit"
) -> tuple[ImageInput, tuple[str, ...]]:
    if data is not None:
        return image_of(data, normalize), data.labels()
    if normalize == "measured":
        raise FretsawError("Nothing can be measured without data.", "Link data, or choose unit.")
    image = ImageInput(p.channels, p.size, p.size, (0.0,) * p.channels, (1.0,) * p.channels)
    return image, class_names(p.classes, None)


@torch.no_grad()
def _check_fit(module: nn.Module, image: ImageInput, classes: tuple[str, ...], name: str) -> None:
    """Let a network that is to be trained read one picture, so that a misfit is told here."""
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    size = f"{image.channels} x {image.height} x {image.width}"
    try:
        picture = torch.zeros(2, image.channels, image.height, image.width, device=device)
        logits = copy.deepcopy(module).eval()(picture)
    except RuntimeError as error:
        reason = str(error).split("\n")[0]
        raise FretsawError(
            f"{name} cannot read pictures of {size} (channels, height, width): {reason}.",
            "Choose another network, or pictures of another size or with other channels.",
        ) from error
    if tuple(logits.shape) != (2, len(classes)):
        found = "x".join(map(str, logits.shape[1:]))
        raise FretsawError(
            f"{name} answers with {found} numbers a picture, but there are {len(classes)} classes.",
            "Link data with as many classes, or set the number of classes.",
        )


def image_of(data: Data, normalize: str) -> ImageInput:
    """Return how pictures of ``data`` are to be prepared."""
    from backend.data.vision import open_split

    images = open_split(data.manifest, "train")
    if normalize == "measured":
        return ImageInput.measured(images)
    height, width, channels = images.shape
    return ImageInput(channels, height, width, (0.0,) * channels, (1.0,) * channels)


def class_names(count: int, data: Data | None) -> tuple[str, ...]:
    """Return the classes of ``data`` if it has ``count`` of them, else numbers."""
    if data is not None and len(data.manifest.classes) == count:
        return data.manifest.classes
    return tuple(str(i) for i in range(count))
