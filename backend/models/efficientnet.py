"""EfficientNet-Lite0: ReLU6, no squeeze-and-excite, one size of head: made for integer arithmetic.

Sources: Tan and Le, EfficientNet, ICML 2019, table 1 (B0, whose blocks these are); the "Lite"
changes are those of its authors' released mobile variants.
"""

from __future__ import annotations

from typing import Annotated

from torch import Tensor, nn

from backend.models.layers import initialise, require_positive
from backend.models.registry import network

# Kernel, stride, expansion, channels and blocks of each stage.
_STAGES = (
    (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1),
)  # fmt: skip


class Block(nn.Module):
    """Expand, filter depthwise, project, with a shortcut where the shapes agree.

    Shapes: (N, inputs, H, W) -> (N, outputs, H / stride, W / stride).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = nn.Identity() if expansion == 1 else _conv_relu6(inputs, hidden, 1)
        self.depthwise = _conv_relu6(hidden, hidden, kernel, stride, groups=hidden)
        self.project = nn.Sequential(nn.Conv2d(hidden, outputs, 1, bias=False), _norm(outputs))
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.has_shortcut else y


class EfficientNetLite(nn.Module):
    """Stem, blocks, head convolution, global mean, dropout, one linear layer."""

    def __init__(self, in_channels: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.stem = _conv_relu6(in_channels, 32, 3, 2)
        blocks: list[nn.Module] = []
        channels = 32
        for kernel, stride, expansion, outputs, count in _STAGES:
            for i in range(count):
                blocks.append(Block(channels, outputs, kernel, 1 if i else stride, expansion))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = _conv_relu6(channels, 1280, 1)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1280, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, C, H, W), float, to logits (N, classes); H and W are multiples of 32."""
        x = self.avgpool(self.head(self.blocks(self.stem(x))))
        return self.fc(self.dropout(self.flatten(x)))


@network("efficientnet_lite0")
def efficientnet_lite0(
    in_channels: Annotated[int, "Channels of the pictures: 3 for colour, 1 for gray."] = 3,
    classes: Annotated[int, "Number of classes; the published weights have 1000."] = 1000,
    dropout: Annotated[
        float, "Probability that a feature is dropped before the last layer in training."
    ] = 0.2,
) -> nn.Module:
    """EfficientNet-Lite0, 224 x 224 pictures, RGB, values (x - 127) / 128 for x in 0 .. 255."""
    require_positive("efficientnet_lite0", in_channels=in_channels, classes=classes)
    require_positive("efficientnet_lite0", **{"1 - dropout": 1 - dropout})
    return EfficientNetLite(in_channels, classes, dropout)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _conv_relu6(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    # The published weights expect the padding of their framework: at stride 2 an even picture gets
    # one row and column less at the top left than at the bottom right.
    total = kernel - stride
    before, after = total // 2, total - total // 2
    layers: list[nn.Module] = []
    if before != after:
        layers.append(nn.ZeroPad2d((before, after, before, after)))
    conv = nn.Conv2d(
        inputs, outputs, kernel, stride, 0 if layers else before, groups=groups, bias=False
    )
    return nn.Sequential(*layers, conv, _norm(outputs), nn.ReLU6())
