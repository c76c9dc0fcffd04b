"""Residual networks: the small ones for 32 x 32 pictures, and ResNet-18 and -50.

Parameters are named as in the widely used ImageNet models (``conv1``, ``layer1.0.bn2``, ``fc``
...), so their published weights fit.
Source: He et al., Deep Residual Learning for Image Recognition, CVPR 2016, sec. 3.4 and 4.2.
"""

from __future__ import annotations

from typing import Annotated, Literal

from torch import Tensor, nn

from backend.models.layers import conv_bn, initialise, require_positive
from backend.models.registry import network

# Blocks a stage.
_STAGES = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut; ``width`` channels come out."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(inputs, width, 3, stride)
        self.relu1 = nn.ReLU()
        self.conv2, self.bn2 = conv_bn(width, width, 3)
        self.downsample = _shortcut(inputs, width, stride)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, width, H / stride, W / stride)."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu2(y + self.downsample(x))


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1 convolutions beside a shortcut; four times ``width`` channels come out.

    The stride is in the 3 x 3 convolution, as in all published weights of today ("v1.5").
    """

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1, self.bn1 = conv_bn(inputs, width, 1)
        self.relu1 = nn.ReLU()
        self.conv2, self.bn2 = conv_bn(width, width, 3, stride)
        self.relu2 = nn.ReLU()
        self.conv3, self.bn3 = conv_bn(width, outputs, 1)
        self.downsample = _shortcut(inputs, outputs, stride)
        self.relu3 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, 4 width, H / stride, W / stride)."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu3(y + self.downsample(x))


class ResNet(nn.Module):
    """Stem, stages that double the channels and halve the size, global mean, one linear layer."""

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        blocks: tuple[int, ...],
        width: int,
        in_channels: int,
        classes: int,
        stem: str,
    ) -> None:
        super().__init__()
        large = stem == "imagenet"
        self.conv1, self.bn1 = conv_bn(in_channels, width, 7 if large else 3, 2 if large else 1)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, padding=1) if large else nn.Identity()
        self.stages = [f"layer{i + 1}" for i in range(len(blocks))]
        channels = width
        for i, (name, count) in enumerate(zip(self.stages, blocks, strict=True)):
            layers = []
            for j in range(count):
                layers.append(block(channels, width << i, 2 if i and not j else 1))
                channels = (width << i) * block.expansion
            self.add_module(name, nn.Sequential(*layers))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, C, H, W), float, to logits (N, classes)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for name in self.stages:
            x = self.get_submodule(name)(x)
        return self.fc(self.flatten(self.avgpool(x)))


@network("resnet")
def resnet(
    depth: Annotated[
        Literal[8, 20, 32, 44, 56, 18, 50],
        "Layers with weights: 8 to 56 are the three-stage nets for small pictures, 18 and 50 the "
        "ImageNet nets.",
    ] = 20,
    width: Annotated[
        int | None,
        "Channels of the first stage; None takes 16 for the small nets and 64 for 18 and 50.",
    ] = None,
    in_channels: Annotated[int, "Channels of the pictures: 3 for colour, 1 for gray."] = 3,
    classes: Annotated[int | None, "Number of classes; None takes 10, for 18 and 50 1000."] = None,
    stem: Annotated[
        Literal["cifar", "imagenet"] | None,
        "First layers: 'cifar' keeps the picture's size, 'imagenet' divides it by 4; None takes "
        "'imagenet' for 18 and 50.",
    ] = None,
) -> nn.Module:
    """Residual network; shortcuts that change size are 1 x 1 convolutions with batch norm."""
    is_large = depth in _STAGES
    width = (64 if is_large else 16) if width is None else width
    classes = (1000 if is_large else 10) if classes is None else classes
    stem = stem or ("imagenet" if is_large else "cifar")
    require_positive("resnet", width=width, in_channels=in_channels, classes=classes)
    block = Bottleneck if depth == 50 else BasicBlock
    blocks = _STAGES.get(depth, ((depth - 2) // 6,) * 3)
    return ResNet(block, blocks, width, in_channels, classes, stem)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(*conv_bn(inputs, outputs, 1, stride))
