"""MobileNet V1 and V2.

V2 names its parameters as the widely used ImageNet model does (``features.1.conv.0.0`` ...).
Sources: Howard et al., MobileNets, 2017, table 1; Sandler et al., MobileNetV2, CVPR 2018, table 2.
"""

from __future__ import annotations

from typing import Annotated, Literal

from torch import Tensor, nn

from backend.models.layers import conv_bn, initialise, require_positive, scaled
from backend.models.registry import network

# V1: channels and stride of each depthwise-separable layer. V2: expansion, channels, blocks,
# stride.
_V1 = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
_V2 = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
    (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip

Width = Annotated[float, "Width multiplier: all channel counts are scaled by it."]
Channels = Annotated[int, "Channels of the pictures: 3 for colour, 1 for gray."]
Classes = Annotated[int, "Number of classes."]
Stem = Annotated[
    Literal["imagenet", "cifar"],
    "'imagenet' divides the picture's size by 32; 'cifar' leaves the first two halvings out, for "
    "pictures of about 32 x 32.",
]
Dropout = Annotated[
    float, "Probability that a feature is dropped before the last layer in training."
]


class InvertedResidual(nn.Module):
    """Expand by 1 x 1, filter depthwise, project by 1 x 1; with a shortcut where the shapes agree.

    Shapes: (N, inputs, H, W) -> (N, outputs, H / stride, W / stride).
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        expand = [] if expansion == 1 else [_conv_relu6(inputs, hidden, 1)]
        depthwise = _conv_relu6(hidden, hidden, 3, stride, groups=hidden)
        self.conv = nn.Sequential(*expand, depthwise, *conv_bn(hidden, outputs, 1))
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


class MobileNet(nn.Module):
    """A chain of features, global mean, one linear layer."""

    def __init__(
        self, features: list[nn.Module], outputs: int, classes: int, dropout: float
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(outputs, classes))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, C, H, W), float, to logits (N, classes)."""
        return self.classifier(self.flatten(self.avgpool(self.features(x))))


@network("mobilenet_v1")
def mobilenet_v1(
    width: Width = 1.0,
    in_channels: Channels = 3,
    classes: Classes = 1000,
    stem: Stem = "imagenet",
    dropout: Dropout = 0.001,
) -> nn.Module:
    """MobileNet V1: a convolution, thirteen depthwise-separable ones; ReLU6 throughout."""
    _check("mobilenet_v1", width, in_channels, classes, dropout)
    skipped = 2 if stem == "cifar" else 0
    channels = scaled(32 * width)
    layers: list[nn.Module] = [_conv_relu6(in_channels, channels, 3, 1 if skipped else 2)]
    halvings = 1
    for base, stride in _V1:
        outputs = scaled(base * width)
        halvings += stride - 1
        here = 1 if stride == 2 and halvings <= skipped else stride
        layers.append(_conv_relu6(channels, channels, 3, here, groups=channels))
        layers.append(_conv_relu6(channels, outputs, 1))
        channels = outputs
    return MobileNet(layers, channels, classes, dropout)


@network("mobilenet_v2")
def mobilenet_v2(
    width: Width = 1.0,
    in_channels: Channels = 3,
    classes: Classes = 1000,
    stem: Stem = "imagenet",
    dropout: Dropout = 0.2,
) -> nn.Module:
    """MobileNet V2: inverted residuals with linear bottlenecks; ReLU6 inside them."""
    _check("mobilenet_v2", width, in_channels, classes, dropout)
    skipped = 2 if stem == "cifar" else 0
    channels = scaled(32 * width)
    layers: list[nn.Module] = [_conv_relu6(in_channels, channels, 3, 1 if skipped else 2)]
    halvings = 1
    for expansion, base, count, stride in _V2:
        outputs = scaled(base * width)
        halvings += stride - 1
        first = 1 if stride == 2 and halvings <= skipped else stride
        for i in range(count):
            layers.append(InvertedResidual(channels, outputs, 1 if i else first, expansion))
            channels = outputs
    # The last width never shrinks: a narrow network still needs features to tell classes apart.
    outputs = scaled(1280 * max(1.0, width))
    layers.append(_conv_relu6(channels, outputs, 1))
    return MobileNet(layers, outputs, classes, dropout)


def _conv_relu6(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(*conv_bn(inputs, outputs, kernel, stride, groups), nn.ReLU6())


def _check(name: str, width: float, in_channels: int, classes: int, dropout: float) -> None:
    require_positive(name, width=width, in_channels=in_channels, classes=classes)
    require_positive(name, **{"1 - dropout": 1 - dropout})
