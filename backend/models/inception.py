"""The inception generator of CAT: its blocks hold many branches, from which a student is cut.

Source: Jin et al., Teachers Do More Than Teach (CAT), CVPR 2021, sec. 3.1; layer table as in the
released code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from torch import Tensor, nn

from backend.models.errors import RecipeError
from backend.models.layers import require_positive
from backend.models.registry import network

Norm = Literal["batch", "instance"]


@dataclass(frozen=True)
class Branch:
    """One branch of a block: its family, kernel size and hidden width (0: it is not built)."""

    family: Literal["residual", "depthwise"]
    kernel: int
    width: int


def make_norm(kind: Norm, channels: int) -> nn.Module:
    """Return an affine norm: its scale is the pruning score, so it must have one."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels, affine=True)


def _residual(channels: int, branch: Branch, norm: Norm) -> nn.Sequential:
    pad, bias = (branch.kernel - 1) // 2, norm == "instance"
    return nn.Sequential(
        nn.ReflectionPad2d(pad),
        nn.Conv2d(channels, branch.width, branch.kernel, bias=bias),
        make_norm(norm, branch.width),
        nn.ReLU(),
        nn.ReflectionPad2d(pad),
        nn.Conv2d(branch.width, channels, branch.kernel, bias=bias),
    )


def _depthwise(channels: int, branch: Branch, norm: Norm) -> nn.Sequential:
    pad, bias, m = (branch.kernel - 1) // 2, norm == "instance", branch.width
    return nn.Sequential(
        nn.Conv2d(channels, m, 1, bias=bias),
        make_norm(norm, m),
        nn.ReLU(),
        nn.ReflectionPad2d(pad),
        nn.Conv2d(m, m, branch.kernel, groups=m, bias=bias),
        make_norm(norm, m),
        nn.ReLU(),
        nn.Conv2d(m, channels, 1, bias=bias),
    )


class InceptionBlock(nn.Module):
    """y = x + norm(sum of the branches); the identity where no branch is left.

    ``branches`` is a ModuleDict with names such as ``residual3`` and ``depthwise5``. The first norm
    of a branch is index 2 of a residual one and index 1 of a depth-wise one.
    """

    def __init__(self, channels: int, branches: Sequence[Branch], norm: Norm) -> None:
        super().__init__()
        self.branches = nn.ModuleDict()
        for branch in branches:
            if branch.width > 0:
                make = _residual if branch.family == "residual" else _depthwise
                name = f"{branch.family}{branch.kernel}"
                self.branches[name] = make(channels, branch, norm)
        if len(self.branches):
            self.norm_pw = make_norm(norm, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        outputs = [branch(x) for branch in self.branches.values()]
        if not outputs:
            return x
        total = outputs[0]
        for output in outputs[1:]:
            total = total + output
        return x + self.norm_pw(total)


class InceptionGenerator(nn.Module):
    """Down-sampling, inception blocks, up-sampling; see :func:`inception_generator`.

    ``down`` holds three and ``up`` two widths; ``blocks`` the branches of each block. Outputs of
    ``down_sampling`` and of blocks are what the distiller aligns.
    """

    def __init__(
        self,
        down: tuple[int, int, int],
        blocks: Sequence[Sequence[Branch]],
        up: tuple[int, int],
        *,
        norm: Norm = "batch",
        resize: Literal["transposed", "nearest"] = "transposed",
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.norm, self.resize, self.channels = norm, resize, channels
        bias = norm == "instance"
        d0, d1, d2 = down
        u0, u1 = up
        self.down_sampling = nn.Sequential(
            nn.ReflectionPad2d(3),
            nn.Conv2d(channels, d0, 7, bias=bias),
            make_norm(norm, d0),
            nn.ReLU(),
            nn.Conv2d(d0, d1, 3, 2, 1, bias=bias),
            make_norm(norm, d1),
            nn.ReLU(),
            nn.Conv2d(d1, d2, 3, 2, 1, bias=bias),
            make_norm(norm, d2),
            nn.ReLU(),
        )
        self.features = nn.Sequential(*(InceptionBlock(d2, b, norm) for b in blocks))
        self.up_sampling = nn.Sequential(
            self._up(d2, u0, bias),
            make_norm(norm, u0),
            nn.ReLU(),
            self._up(u0, u1, bias),
            make_norm(norm, u1),
            nn.ReLU(),
            nn.ReflectionPad2d(3),
            nn.Conv2d(u1, channels, 7),
            nn.Tanh(),
        )

    def _up(self, inputs: int, outputs: int, bias: bool) -> nn.Module:
        if self.resize == "transposed":
            return nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1, bias=bias)
        return nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, 3, H, W) in -1..1 to edited ones; H and W in multiples of 4."""
        return self.up_sampling(self.features(self.down_sampling(x)))


def least_side(module: nn.Module) -> int:
    """Return the least height and width that ``module`` can read, a multiple of 4.

    A reflection needs a map that is larger than its padding, and the blocks work at a quarter of
    the size. 8 for networks without such blocks.
    """
    pads = [
        part.padding[0]
        for block in module.modules()
        if isinstance(block, InceptionBlock)
        for part in block.modules()
        if isinstance(part, nn.ReflectionPad2d)
    ]
    return 4 * (max(pads, default=1) + 1)


def parse_kernels(kernels: str) -> tuple[int, ...]:
    """Read ``"1,3,5"``.

    Raises:
        RecipeError: not odd numbers, or one twice.
    """
    try:
        sizes = tuple(int(part) for part in kernels.split(",")) if kernels.strip() else ()
    except ValueError:
        sizes = (0,)
    if any(k < 1 or k % 2 == 0 for k in sizes) or len(set(sizes)) != len(sizes):
        raise RecipeError(
            f'Kernel sizes are odd numbers, each once, such as "1,3,5", not "{kernels}".'
        )
    return sizes


@network("inception_generator")
def inception_generator(
    width: Annotated[int, "Channels after the first convolution; doubled twice."] = 64,
    blocks: Annotated[int, "Inception blocks."] = 9,
    residual_kernels: Annotated[str, "Kernel sizes of the residual branches."] = "1,3,5",
    depthwise_kernels: Annotated[str, "Kernel sizes of the depth-wise branches."] = "1,3,5",
    reduction: Annotated[int, "Hidden width of a branch: block width divided by this."] = 6,
    norm: Annotated[Norm, "Norm with a scale, the score of pruning."] = "batch",
    resize: Annotated[
        Literal["transposed", "nearest"],
        "Up-sampling: transposed convolutions as in the paper's code, or nearest and convolution, "
        "which phones prefer.",
    ] = "transposed",
) -> nn.Module:
    """Inception-based generator of CAT: teacher and search space in one."""
    require_positive("inception_generator", width=width, blocks=blocks, reduction=reduction)
    residual, depthwise = parse_kernels(residual_kernels), parse_kernels(depthwise_kernels)
    if not residual and not depthwise:
        raise RecipeError("An inception generator needs a branch; name a kernel size.")
    hidden = 4 * width // reduction
    if hidden < 1:
        raise RecipeError(f"A reduction of {reduction} leaves no channel of {4 * width}; lower it.")
    branches = [Branch("residual", k, hidden) for k in residual]
    branches += [Branch("depthwise", k, hidden) for k in depthwise]
    return InceptionGenerator(
        (width, 2 * width, 4 * width),
        [branches] * blocks,
        (2 * width, width),
        norm=norm,
        resize=resize,
    )
