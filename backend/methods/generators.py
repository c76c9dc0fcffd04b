"""Untrained generators: a small one for phones, or any of the zoo."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field, model_validator

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.data.preprocess import ImageInput
from backend.models.generators import multiple_of
from backend.models.recipe import Recipe, build
from backend.models.registry import zoo
from backend.profile import profile
from backend.values import Generator

PHONE: dict[str, Any] = {
    "width": 16,
    "blocks": 3,
    "downs": 2,
    "padding": "zero",
    "upsampling": "shuffle",
    "shuffle": 2,
    "kernel": 3,
    "skips": True,
    "shortcut": True,
    "init": "kaiming",
}
"""Options of the generator for phones: at most 0.5 GMAC for a picture of 256 x 256."""

_KINDS = {"phone": "For phones", "resnet": "Residual", "unet": "U-Net"}
_DETAILS = "Details"
_SIZE = "Size"


class GeneratorParams(Params):
    """Which generator."""

    preset: Literal["phone", "resnet", "unet"] = Field(
        default="phone",
        title="Network",
        description="A small one for phones, of which only the norm is open, or as you say below.",
        json_schema_extra={
            "labels": {"phone": "For phones", "resnet": "Residual", "unet": "U-Net"}
        },
    )
    size: int = Field(
        default=256,
        ge=16,
        le=2048,
        title="Picture size",
        description="Height and width that it is exported for; others fit, too.",
        json_schema_extra={"unit": "px"},
    )
    norm: Literal["instance", "batch", "none"] = Field(
        default="instance",
        title="Norm",
        description="Instance for strong styles; none for edits of colour, and 10 % faster.",
    )
    width: int = Field(
        default=32,
        ge=2,
        le=256,
        title="Width",
        description="Channels of the first layer; doubled with each halving.",
        json_schema_extra={"group": _SIZE},
    )
    blocks: int = Field(
        default=6,
        ge=1,
        le=32,
        title="Blocks",
        description="Residual blocks in the middle.",
        json_schema_extra={"group": _SIZE},
    )
    halvings: int = Field(
        default=2,
        ge=0,
        le=10,
        title="Halvings",
        description="Halvings of height and width: levels of a U-Net, at least 2.",
        json_schema_extra={"group": _SIZE},
    )
    padding: Literal["reflect", "zero"] = Field(
        default="reflect",
        title="Padding",
        description="Beyond the edges: the picture mirrored, or zeros, which are faster.",
        json_schema_extra={"group": _DETAILS, "labels": {"zero": "Zeros"}},
    )
    upsampling: Literal["nearest", "shuffle", "transposed"] = Field(
        default="nearest",
        title="Up-sampling",
        description="Enlarge then convolve, convolve then shuffle pixels, or transposed.",
        json_schema_extra={"group": _DETAILS, "labels": {"shuffle": "Pixel shuffle"}},
    )
    shuffle: Literal[1, 2, 4] = Field(
        default=1,
        title="Pixel squares",
        description="Side of pixel squares that become channels, and pixels at the end.",
        json_schema_extra={"group": _DETAILS, "unit": "px"},
    )
    separable: bool = Field(
        default=False,
        title="Separable",
        description="Depth-wise and 1 x 1 convolutions in the blocks.",
        json_schema_extra={"group": _DETAILS},
    )
    skips: bool = Field(
        default=False,
        title="Skips",
        description="Carry details past the middle of a residual network.",
        json_schema_extra={"group": _DETAILS},
    )
    shortcut: bool = Field(
        default=False,
        title="Colour shortcut",
        description="Add the picture itself, its colours mixed, at the end.",
        json_schema_extra={"group": _DETAILS},
    )

    @model_validator(mode="after")
    def _levels(self) -> GeneratorParams:
        if self.preset == "unet" and self.halvings < 2:
            raise ValueError("A U-Net needs at least 2 halvings.")
        return self


@node("model.generator", title="Generator")
def generator(ctx: Context, p: GeneratorParams) -> Generator:
    """An untrained network from picture to picture, for any size in whole multiples.

    Source: Johnson et al., Perceptual losses for real-time style transfer, ECCV 2016; Isola et al.,
    Image-to-image translation with conditional adversarial networks, CVPR 2017, sec. 6.1
    """
    recipe, label = _recipe(p)
    torch.manual_seed(ctx.seed)
    module = build(recipe, meta=False).eval()
    multiple = multiple_of(module)
    if p.size % multiple:
        raise FretsawError(
            f"The generator needs sides that are multiples of {multiple}; {p.size} is none.",
            f"Set the picture size to {max(1, round(p.size / multiple)) * multiple}.",
        )
    image = ImageInput(3, p.size, p.size, (0.5,) * 3, (0.5,) * 3)
    gmacs = profile(module, torch.zeros(1, 3, p.size, p.size)).macs / 1e9
    weights = sum(parameter.numel() for parameter in module.parameters())
    ctx.log(f"{label}: {weights:,} weights, {gmacs:.3g} GMAC for {p.size} x {p.size}.")
    facts = {"gmacs": gmacs, "size": p.size}
    return Generator(recipe, module, image, label=label, facts=facts, multiple=multiple)


def _recipe(p: GeneratorParams) -> tuple[Recipe, str]:
    """Return the recipe that the parameters ask for, and what tables call it."""
    if p.preset == "phone":
        return Recipe(zoo("resnet_generator", **PHONE, norm=p.norm)), "Phone generator"
    if p.preset == "unet":
        options: dict[str, Any] = {"width": p.width, "depth": p.halvings, "norm": p.norm}
        options |= {"upsampling": p.upsampling, "most": 8 * p.width}
        return Recipe(zoo("unet_generator", **options)), f"U-Net w{p.width}"
    options = {
        "width": p.width,
        "blocks": p.blocks,
        "downs": p.halvings,
        "norm": p.norm,
        "padding": p.padding,
        "upsampling": p.upsampling,
        "shuffle": p.shuffle,
        "kernel": 7 if p.shuffle == 1 else 3,
        "separable": p.separable,
        "skips": p.skips,
        "shortcut": p.shortcut,
        "init": "kaiming" if p.norm == "none" else "normal",
    }
    return Recipe(zoo("resnet_generator", **options)), f"ResNet generator w{p.width}"
