"""The SPADE generator of CAT: from label maps to pictures, in inception blocks.

A label map comes as a picture: each class is a level of grey, see :class:`LabelCode`. So label maps
travel as all other pictures do, and the network itself unfolds them into one channel a class.
Source: Park et al., Semantic image synthesis with spatially-adaptive normalization, CVPR 2019;
Jin et al., Teachers Do More Than Teach (CAT), CVPR 2021, and the layer table of its released code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from backend.models.errors import RecipeError
from backend.models.gan_layers import initialise_gan
from backend.models.inception import Branch, Norm, make_norm, parse_kernels
from backend.models.layers import require_positive
from backend.models.registry import network

Upsampling = Literal["normal", "more", "most"]

STAGES = ("head_0", "G_middle_0", "G_middle_1", "up_0", "up_1", "up_2", "up_3")
"""Blocks in order; "most" has an ``up_4``, too."""

_PARTS = {"head_0": 1.0, "G_middle_0": 1.0, "G_middle_1": 1.0, "up_0": 1 / 2, "up_1": 1 / 4,
          "up_2": 1 / 8, "up_3": 1 / 16, "up_4": 1 / 32}  # fmt: skip
_DOUBLINGS = {"normal": 5, "more": 6, "most": 7}


@dataclass(frozen=True)
class LabelCode:
    """Classes as levels of grey, 0 to 255: class c is ``c * step``."""

    classes: int

    def __post_init__(self) -> None:
        """Check the number of classes."""
        if not 2 <= self.classes <= 256:
            raise RecipeError(f"A label map has 2 to 256 classes, not {self.classes}.")

    @property
    def step(self) -> int:
        """Levels between two classes."""
        return 255 // (self.classes - 1)

    def one_hot(self, grey: Tensor) -> Tensor:
        """Return (N, classes, H, W) of (N, 1, H, W) with black 0 and white 1.

        A level between those of two classes is in part the one and in part the other.
        """
        classes = torch.arange(self.classes, dtype=grey.dtype, device=grey.device)
        return F.relu(1 - (grey * (255 / self.step) - classes.view(1, -1, 1, 1)).abs())


def stages_of(upsampling: Upsampling) -> tuple[str, ...]:
    """Return the names of the blocks in order."""
    return (*STAGES, "up_4") if upsampling == "most" else STAGES


def _branch(
    inputs: int, outputs: int, branch: Branch, norm: Norm, *, second: bool
) -> nn.Sequential:
    """Return a branch with zero padding; ``second``: its second norm has a scale, too."""
    pad, bias, m = branch.kernel // 2, norm == "instance", branch.width
    if branch.family == "residual":
        return nn.Sequential(
            nn.Conv2d(inputs, m, branch.kernel, padding=pad, bias=bias),
            make_norm(norm, m),
            nn.ReLU(),
            nn.Conv2d(m, outputs, branch.kernel, padding=pad),
        )
    return nn.Sequential(
        nn.Conv2d(inputs, m, 1, bias=bias),
        make_norm(norm, m),
        nn.ReLU(),
        nn.Conv2d(m, m, branch.kernel, padding=pad, groups=m, bias=bias),
        make_norm(norm, m) if second else plain_norm(norm, m),
        nn.ReLU(),
        nn.Conv2d(m, outputs, 1),
    )


def plain_norm(kind: Norm, channels: int) -> nn.Module:
    """Return a norm without scale and shift."""
    if kind == "batch":
        return nn.BatchNorm2d(channels, affine=False)
    return nn.InstanceNorm2d(channels)


def _branches(
    inputs: int, outputs: int, branches: Sequence[Branch], norm: Norm, *, second: bool
) -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            f"{one.family}{one.kernel}": _branch(inputs, outputs, one, norm, second=second)
            for one in branches
            if one.width > 0
        }
    )


def _total(branches: nn.ModuleDict, x: Tensor) -> Tensor | None:
    total = None
    for branch in branches.values():
        total = branch(x) if total is None else total + branch(x)
    return total


class InceptionSpade(nn.Module):
    """n(x) (1 + gamma) + beta; both are the sum of branches over the label map at x's size.

    n has no scale of its own. Without a branch gamma and beta are 0.
    """

    def __init__(self, code: LabelCode, channels: int, branches: Sequence[Branch], norm: Norm):
        super().__init__()
        self.code = code
        self.norm = plain_norm(norm, channels)
        self.branches = _branches(code.classes, 2 * channels, branches, norm, second=True)

    def forward(self, x: Tensor, grey: Tensor) -> Tensor:
        """Map (N, C, h, w) and labels (N, 1, H, W), black 0 and white 1, to (N, C, h, w)."""
        normed = self.norm(x)
        small = F.interpolate(grey, x.shape[2:], mode="nearest")
        both = _total(self.branches, self.code.one_hot(small))
        if both is None:
            return normed
        gamma, beta = both.chunk(2, 1)
        return normed * (1 + gamma) + beta


class SpadeBlock(nn.Module):
    """y = shortcut(x) + sum over the branches of branch(ReLU(SPADE(x, labels)))."""

    def __init__(
        self,
        code: LabelCode,
        inputs: int,
        outputs: int,
        spade: Sequence[Branch],
        branches: Sequence[Branch],
        norm: Norm,
        *,
        spectral: bool,
    ) -> None:
        super().__init__()
        self.spade = InceptionSpade(code, inputs, spade, norm)
        self.branches = _branches(inputs, outputs, branches, norm, second=False)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, bias=False)
            self.shortcut = nn.Sequential(make_norm(norm, inputs), conv)
        self.spectral = spectral

    def make_spectral(self) -> None:
        """Divide kernels of the block by their largest singular value from now on."""
        for part in (self.branches, self.shortcut):
            for conv in part.modules():
                if isinstance(conv, nn.Conv2d):
                    spectral_norm(conv)

    def forward(self, x: Tensor, grey: Tensor) -> Tensor:
        """Map (N, inputs, h, w) and labels (N, 1, H, W) to (N, outputs, h, w)."""
        if not len(self.branches):
            return self.shortcut(x)
        total = _total(self.branches, F.relu(self.spade(x, grey)))
        assert total is not None
        return self.shortcut(x) + total


class SpadeGenerator(nn.Module):
    """Labels at a small size, then blocks and doublings; see :func:`inception_spade`.

    ``spade`` and ``branches`` hold the branches of each block by its name.
    """

    def __init__(
        self,
        code: LabelCode,
        width: int,
        upsampling: Upsampling,
        spade: Mapping[str, Sequence[Branch]],
        branches: Mapping[str, Sequence[Branch]],
        *,
        norm: Norm = "batch",
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.code, self.upsampling, self.norm = code, upsampling, norm
        inputs = 16 * width
        self.fc = nn.Conv2d(code.classes, inputs, 3, padding=1, bias=norm == "instance")
        self.fc_norm = make_norm(norm, inputs)
        for name in stages_of(upsampling):
            outputs = round(16 * width * _PARTS[name])
            block = SpadeBlock(
                code, inputs, outputs, spade[name], branches[name], norm, spectral=spectral
            )
            self.add_module(name, block)
            inputs = outputs
        self.conv_img = nn.Conv2d(inputs, 3, 3, padding=1)
        initialise_gan(self, "xavier")
        if spectral:
            for name in stages_of(upsampling):
                self.get_submodule(name).make_spectral()

    @property
    def multiple(self) -> int:
        """What height and width must be multiples of."""
        return 1 << _DOUBLINGS[self.upsampling]

    def forward(self, x: Tensor) -> Tensor:
        """Map label maps (N, 3, H, W), black 0 and white 1, to pictures in -1 .. 1."""
        grey = x[:, :1]
        small = (x.shape[2] // self.multiple, x.shape[3] // self.multiple)
        y = self.code.one_hot(F.interpolate(grey, small, mode="nearest"))
        y = self.fc_norm(self.fc(y))
        for name in stages_of(self.upsampling):
            if doubles_before(name, self.upsampling):
                y = F.interpolate(y, scale_factor=2.0, mode="nearest")
            y = self.get_submodule(name)(y, grey)
        return torch.tanh(self.conv_img(F.leaky_relu(y, 0.2)))


def doubles_before(stage: str, upsampling: Upsampling) -> bool:
    """Tell whether height and width are doubled before a block."""
    if stage == "head_0":
        return False
    return stage != "G_middle_1" or upsampling != "normal"


def part_of(stage: str) -> float:
    """Return the width behind a block as a part of the width before the first one."""
    return _PARTS[stage]


@network("inception_spade")
def inception_spade(
    classes: Annotated[int, "Classes of the label maps."] = 35,
    width: Annotated[int, "Channels of the last block; the first ones have 16 times as many."] = 64,
    upsampling: Annotated[
        Upsampling, "Doublings from the smallest size: 5, 6 ('more') or 7 ('most')."
    ] = "more",
    residual_kernels: Annotated[str, "Kernel sizes of the residual branches."] = "1,3,5",
    depthwise_kernels: Annotated[str, "Kernel sizes of the depth-wise branches."] = "1,3,5",
    reduction: Annotated[int, "Hidden width of a branch: its block's width divided by this."] = 6,
    spade_width: Annotated[int, "Hidden width of the norms' branches before the reduction."] = 128,
    norm: Annotated[Norm, "Norm with a scale, the score of pruning."] = "batch",
    spectral: Annotated[bool, "Spectral norm of the convolutions of blocks."] = False,
) -> nn.Module:
    """Inception-based SPADE generator of CAT: teacher and search space in one."""
    require_positive("inception_spade", width=width, reduction=reduction, spade_width=spade_width)
    residual, depthwise = parse_kernels(residual_kernels), parse_kernels(depthwise_kernels)
    if not residual and not depthwise:
        raise RecipeError("An inception generator needs a branch; name a kernel size.")
    if upsampling == "most" and width % 2:
        raise RecipeError('With "most" doublings the width is an even number.')

    def of(hidden: int) -> list[Branch]:
        if hidden < 1:
            raise RecipeError(f"A reduction of {reduction} leaves a branch no channel; lower it.")
        found = [Branch("residual", k, hidden) for k in residual]
        return found + [Branch("depthwise", k, hidden) for k in depthwise]

    spade, branches, inputs = {}, {}, 16 * width
    for name in stages_of(upsampling):
        outputs = round(16 * width * _PARTS[name])
        spade[name] = of(spade_width // reduction)
        branches[name] = of(max(1, min(inputs, outputs) // reduction))
        inputs = outputs
    code = LabelCode(classes)
    return SpadeGenerator(code, width, upsampling, spade, branches, norm=norm, spectral=spectral)
