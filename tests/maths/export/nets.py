"""Small networks for the export tests; the quantized ones know of nothing but ``describe()``."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.quant.describe import TensorFormat


class Block(nn.Module):
    """Residual, with a depthwise convolution and functional activations."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.bn2(self.conv2(F.relu6(self.bn1(self.conv1(x))))))


class FloatNet(nn.Module):
    """(N, 3, 16, 16) -> (N, 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.block = Block(8)
        self.act = nn.SiLU(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.tokens = nn.Linear(8, 5)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.block(F.relu(self.bn(self.stem(x)))))
        x = F.pad(F.max_pool2d(x, 2), (1, 1, 1, 1))
        tokens = self.tokens(x.flatten(2).transpose(1, 2)).mean(1)
        return self.fc(torch.flatten(self.pool(x), 1)) + tokens


def float_net() -> FloatNet:
    torch.manual_seed(0)
    net = FloatNet()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return net


class Quantizer(nn.Module):
    def __init__(self, fmt: TensorFormat) -> None:
        super().__init__()
        self.fmt = fmt

    def describe(self) -> dict[str, TensorFormat]:
        return {"output": self.fmt}

    def forward(self, x: Tensor) -> Tensor:
        return self.fmt.reals(self.fmt.integers(x))


class QConv(nn.Conv2d):
    formats: dict[str, TensorFormat]

    def describe(self) -> dict[str, TensorFormat]:
        return self.formats


class QLinear(nn.Linear):
    formats: dict[str, TensorFormat]

    def describe(self) -> dict[str, TensorFormat]:
        return self.formats


def on_grid(
    layer: QConv | QLinear, bits: int, scale: tuple[float, ...], input_scale: float
) -> nn.Module:
    """Round a layer's weight to codes of ``scale`` and its bias to ``input_scale * scale``."""
    axis = 0 if len(scale) > 1 else None
    weight = TensorFormat(bits, scale, signed=True, axis=axis)
    bias = TensorFormat(32, tuple(input_scale * s for s in scale), signed=True, axis=axis)
    with torch.no_grad():
        layer.weight.copy_(weight.reals(weight.integers(layer.weight)))
        layer.bias.copy_(bias.reals(bias.integers(layer.bias.double())))
    layer.formats = {"weight": weight, "bias": bias}
    return layer


class QuantNet(nn.Module):
    """(N, 3, 8, 8) -> (N, 5): convolution, depthwise, residual, a linear layer on three axes."""

    def __init__(self, bits: int, po2: bool, per_axis: bool) -> None:
        super().__init__()
        torch.manual_seed(1)
        odd = 1.0 if po2 else 1.1

        def scales(count: int) -> tuple[float, ...]:
            base = odd * 2.0 ** -(bits + 1)
            return tuple(base * 2.0 ** -(i % 3) for i in range(count)) if per_axis else (base,)

        s_image, s_mid, s_last = odd * 2.0**-5, odd * 2.0 ** (1 - bits), odd * 2.0 ** (2 - bits)
        self.image = Quantizer(TensorFormat(8, (s_image,), signed=True))
        self.conv1 = on_grid(QConv(3, 6, 3, padding=1), bits, scales(6), s_image)
        self.act1 = Quantizer(TensorFormat(bits, (s_mid,), signed=False))
        self.conv2 = on_grid(QConv(6, 6, 3, padding=1, groups=6), bits, scales(6), s_mid)
        self.act2 = Quantizer(TensorFormat(bits, (s_mid,), signed=False))
        self.pool = nn.MaxPool2d(2)
        self.tokens = on_grid(QLinear(6, 4), bits, scales(4), s_mid)
        self.act3 = Quantizer(TensorFormat(bits, (s_last,), signed=True))
        self.fc = on_grid(QLinear(64, 5), bits, scales(5), s_last)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.conv1(self.image(x)))
        x = self.pool(self.act2(self.conv2(x) + x))
        x = self.act3(self.tokens(x.flatten(2).transpose(1, 2)))
        return self.fc(x.flatten(1))


class Trained(nn.Module):
    """A network that knows its plain form."""

    def __init__(self, plain: nn.Module) -> None:
        super().__init__()
        self.plain = plain

    def lowered(self) -> nn.Module:
        return self.plain

    def forward(self, x: Tensor) -> Tensor:
        return self.plain(x) * 3  # not what is exported


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
