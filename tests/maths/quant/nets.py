"""Small networks that the tests of the quantizers share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from backend.models.recipe import Recipe, build
from backend.quant.f8net import F8Net, f8net


def conv_bn(inputs: int, outputs: int, kernel: int = 3, **options: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False, **options)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class AddNet(nn.Module):
    """Functional ReLU and add, in place, a projection, max pool, average pool, dropout."""

    def __init__(self, pool: int = 4) -> None:
        super().__init__()
        self.stem = conv_bn(3, 6)
        self.a = conv_bn(6, 6)
        self.b = conv_bn(6, 6)
        self.c = conv_bn(6, 8, stride=2)
        self.d = conv_bn(8, 8)
        self.skip = conv_bn(6, 8, 1, stride=2)
        self.pool = nn.AvgPool2d(pool)
        self.rate = 0.2
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.stem(x)), 2, 2)
        y = self.b(torch.relu_(self.a(x)))
        y += x
        x = nn.functional.relu(y, inplace=True)
        x = nn.functional.relu(self.d(self.c(x).relu()) + self.skip(x))
        x = nn.functional.dropout(self.pool(x).flatten(1), self.rate, self.training)
        return self.fc(x)


class SharedNet(nn.Module):
    """One convolution used twice, behind two different batch norms, and one with a bias only."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_bn(3, 6)
        self.conv = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(6), nn.BatchNorm2d(6)
        self.twice = nn.Conv2d(6, 6, 1)
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        x = self.bn1(self.conv(x)).relu()
        x = self.bn2(self.conv(x))
        x.relu_()  # the result is not used, the change of x is
        x = self.twice(self.twice(x).relu()).relu()
        return self.fc(x.mean((2, 3)))


class MixedNet(nn.Module):
    """A tensor read before and behind its ReLU, concatenation, groups, a clamp that is averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.signed = conv_bn(8, 4)
        self.unsigned = conv_bn(8, 4, groups=2)
        self.depth = conv_bn(8, 8, groups=8)
        self.point = conv_bn(8, 8, 1)
        self.fc = nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 5))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.cat([self.signed(x), self.unsigned(torch.relu(x))], 1)
        x = self.point(nn.functional.relu6(self.depth(nn.functional.relu6(x))))
        x = nn.functional.adaptive_avg_pool2d(x.clamp(0, 2), 1).flatten(1)
        return self.fc(x)


class DecoderNet(nn.Module):
    """Down and up again with concatenation; gives the features beside the result."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.low = conv_bn(3, 6), conv_bn(6, 8)
        self.up, self.head = conv_bn(14, 6), nn.Conv2d(6, 2, 1)
        self.score = nn.Linear(6 * 16, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.down(x).relu()
        low = self.low(nn.functional.max_pool2d(x, 2)).relu()
        up = nn.functional.interpolate(low, scale_factor=2, mode="nearest")
        x = self.up(torch.cat([x, up], dim=1)).clamp(min=0) + x
        pooled = nn.functional.adaptive_avg_pool2d(x, 4)
        score = self.score(pooled.view(pooled.size(0), -1)).softmax(-1)
        return {"mask": self.head(x), "features": x, "score": score}


def warm(module: nn.Module, images: Tensor, steps: int = 12) -> nn.Module:
    """Give every batch norm statistics and parameters that are not those of its start."""
    torch.manual_seed(3)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, 0.2, 0.3)
        elif isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=part.in_features**-0.5)
    with torch.no_grad():
        module.train()
        for _ in range(steps):
            module(images)
    return module.eval()


def make(name: str) -> nn.Module:
    """Build one of the networks above or of the zoo, with initial values."""
    torch.manual_seed(5)
    own = {"add": AddNet, "shared": SharedNet, "mixed": MixedNet, "decoder": DecoderNet}
    return own[name]() if name in own else build(Recipe(f"zoo:{name}"), meta=False)


def pictures(count: int = 4, size: int = 16, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(11)
    codes = torch.randint(0, 256, (count, channels, size, size), generator=generator)
    return codes / 255


def convert(name: str, images: Tensor, **plan: object) -> tuple[nn.Module, F8Net]:
    """Return a warmed float network and its conversion, both in evaluation mode."""
    float_net = warm(make(name), images)
    again = make(name)
    again.load_state_dict(float_net.state_dict())
    return float_net, f8net(again.eval(), dict(plan))
