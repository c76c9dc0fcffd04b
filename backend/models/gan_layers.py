"""What generators and discriminators share: norms, padding, up-sampling, first values."""

from __future__ import annotations

from typing import Literal

from torch import nn

Norm = Literal["batch", "instance", "none"]
Padding = Literal["zero", "reflect"]
Activation = Literal["relu", "leaky", "silu", "none"]
Upsampling = Literal["nearest", "shuffle", "transposed"]
Init = Literal["normal", "kaiming", "xavier"]


# Layers that add to something: without norms they start small.
_QUIET = ("conv2", "head", "scale", "shift")


def make_norm(kind: Norm, channels: int) -> list[nn.Module]:
    """Return an affine norm in a list, which is empty for ``none``."""
    if kind == "batch":
        return [nn.BatchNorm2d(channels)]
    return [nn.InstanceNorm2d(channels, affine=True)] if kind == "instance" else []


def make_activation(kind: Activation) -> list[nn.Module]:
    """Return an activation in a list, which is empty for ``none``."""
    made = {
        "relu": nn.ReLU,
        "leaky": lambda: nn.LeakyReLU(0.2),
        "silu": nn.SiLU,
        "none": None,
    }[kind]
    return [] if made is None else [made()]


def conv_block(
    inputs: int,
    outputs: int,
    kernel: int,
    norm: Norm,
    padding: Padding,
    activation: Activation,
    *,
    stride: int = 1,
    separable: bool = False,
) -> nn.Sequential:
    """Return padding, convolution, norm, activation.

    Shapes: (N, inputs, H, W) -> (N, outputs, H / stride, W / stride) for odd kernels, and for a
    kernel of 4 with stride 2. The convolution has a bias where no norm would take it out again.
    """
    pad = (kernel - 1) // 2
    layers: list[nn.Module] = [nn.ReflectionPad2d(pad)] if padding == "reflect" and pad else []
    zeros = 0 if layers else pad
    bias = norm == "none"
    if separable:
        layers += [
            nn.Conv2d(inputs, inputs, kernel, stride, zeros, groups=inputs, bias=False),
            nn.Conv2d(inputs, outputs, 1, bias=bias),
        ]
    else:
        layers.append(nn.Conv2d(inputs, outputs, kernel, stride, zeros, bias=bias))
    return nn.Sequential(*layers, *make_norm(norm, outputs), *make_activation(activation))


def upsample(
    inputs: int,
    outputs: int,
    kind: Upsampling,
    norm: Norm,
    padding: Padding,
    activation: Activation,
) -> nn.Sequential:
    """Return layers from (N, inputs, H, W) to (N, outputs, 2 H, 2 W), then norm and activation.

    Source: Odena et al., Deconvolution and checkerboard artifacts, 2016, for ``nearest``; Shi et
    al., Real-time single image super-resolution (ESPCN), CVPR 2016, sec. 2.2, for ``shuffle``.
    """
    if kind == "nearest":
        conv = conv_block(inputs, outputs, 3, norm, padding, activation)
        return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), *conv)
    rest = [*make_norm(norm, outputs), *make_activation(activation)]
    if kind == "shuffle":
        conv = conv_block(inputs, 4 * outputs, 3, "none", padding, "none")
        return nn.Sequential(*conv, nn.PixelShuffle(2), *rest)
    bias = norm == "none"
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1, bias=bias), *rest
    )


def initialise_gan(module: nn.Module, kind: Init) -> None:
    """Give convolutions their first values: zero biases, norms of ones and zeros.

    ``normal`` is N(0, 0.02^2) as in the papers on adversarial networks; ``kaiming`` keeps the size
    of the signal without norms, and lets the last convolution of a residual block start at a
    tenth of that; ``xavier`` is Glorot's normal with a gain of 0.02 ** 0.5.
    Source: Radford et al., DCGAN, 2016, sec. 4; He et al., ICCV 2015, eq. 10; Glorot, Bengio, 2010.
    """
    for path, part in module.named_modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            if kind == "normal":
                nn.init.normal_(part.weight, 0.0, 0.02)
            elif kind == "kaiming":
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
                if any(f".{name}." in f".{path}." for name in _QUIET):
                    part.weight.data.mul_(0.1)
            else:
                nn.init.xavier_normal_(part.weight, 0.02**0.5)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d | nn.InstanceNorm2d) and part.affine:
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
