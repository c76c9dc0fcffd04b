"""What the zoo's networks share: checks of sizes, initial values, convolution with batch norm."""

from __future__ import annotations

from torch import nn

from backend.models.errors import RecipeError


def conv_bn(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Return a convolution without bias, "same" for odd kernels at stride 1, and its batch norm.

    Shapes: (N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride)).
    """
    conv = nn.Conv2d(
        inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False
    )
    return conv, nn.BatchNorm2d(outputs)


def initialise(module: nn.Module) -> None:
    """Give every convolution and linear layer He's normal values, every norm ones and zeros.

    The convolutions count the fan of their outputs, so that gradients keep their size through
    ReLUs; the linear layers are heads without a ReLU behind them and get a standard deviation of
    0.01.
    Source: He et al., Delving Deep into Rectifiers, ICCV 2015, eq. 14.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=0.01)
            nn.init.zeros_(part.bias)


def require_positive(network: str, **sizes: float) -> None:
    """Refuse a size that is not above zero.

    Raises:
        RecipeError: names the network, the option and its value.
    """
    for name, value in sizes.items():
        if not value > 0:
            raise RecipeError(f"The option {name} of {network} must be above 0, not {value!r}.")


def scaled(channels: float, divisor: int = 8) -> int:
    """Return ``channels`` rounded to a multiple of ``divisor``, never more than a tenth below it.

    Source: Sandler et al., MobileNetV2, CVPR 2018, the rounding of its width multiplier.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
