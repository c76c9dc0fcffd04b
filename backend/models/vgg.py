"""VGG networks with batch normalisation.

Parameters are named as in the widely used ImageNet models (``features.0``, ``classifier.6`` ...).
Source: Simonyan and Zisserman, Very Deep Convolutional Networks, ICLR 2015, table 1 (A, B, D).
"""

from __future__ import annotations

from typing import Annotated, Literal

from torch import Tensor, nn

from backend.models.layers import initialise, require_positive
from backend.models.registry import network

# Convolutions a stage, and the width of each stage as a multiple of the first one's.
_STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3)}
_WIDTHS = (1, 2, 4, 8, 8)


class VGG(nn.Module):
    """3 x 3 convolutions with a 2 x 2 max pooling after each of the five stages, then the head."""

    def __init__(self, features: nn.Sequential, pool: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.avgpool = pool
        self.flatten = nn.Flatten()
        self.classifier = classifier
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, C, H, W), float, to logits (N, classes); H and W are at least 32."""
        return self.classifier(self.flatten(self.avgpool(self.features(x))))


@network("vgg")
def vgg(
    depth: Annotated[Literal[11, 13, 16], "Layers with weights of the original nets."] = 11,
    width: Annotated[
        int, "Channels of the first stage; the last one has eight times as many."
    ] = 64,
    in_channels: Annotated[int, "Channels of the pictures: 3 for colour, 1 for gray."] = 3,
    classes: Annotated[int, "Number of classes."] = 10,
    head: Annotated[
        Literal["pooled", "classic"],
        "'pooled': global mean and one linear layer; 'classic': three linear layers of 4096 on a 7 "
        "x 7 map, for pictures of 224 x 224.",
    ] = "pooled",
) -> nn.Module:
    """VGG-11, -13 or -16 with batch norm; pictures of at least 32 x 32 (five halvings)."""
    require_positive("vgg", width=width, in_channels=in_channels, classes=classes)
    layers: list[nn.Module] = []
    channels = in_channels
    for count, multiple in zip(_STAGES[depth], _WIDTHS, strict=True):
        for _ in range(count):
            # The original convolutions have a bias, and published weights carry it.
            conv = nn.Conv2d(channels, width * multiple, 3, padding=1)
            layers += [conv, nn.BatchNorm2d(width * multiple), nn.ReLU()]
            channels = width * multiple
        layers.append(nn.MaxPool2d(2))
    features = nn.Sequential(*layers)
    if head == "pooled":
        return VGG(features, nn.AdaptiveAvgPool2d(1), nn.Linear(channels, classes))
    classifier = nn.Sequential(
        nn.Linear(channels * 49, 4096), nn.ReLU(), nn.Dropout(),
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
        nn.Linear(4096, classes),
    )  # fmt: skip
    return VGG(features, nn.AdaptiveAvgPool2d(7), classifier)
