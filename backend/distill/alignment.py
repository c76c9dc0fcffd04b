"""Kernel alignment between features of a teacher and a student, and adapters for plain MSE.

Source: Jin et al., Teachers Do More Than Teach: Compressing Image-to-Image Models (CAT), CVPR 2021,
sec. 3.3; the arithmetic follows the released code (no mean is removed).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["ka", "cka"]


class AlignmentError(ValueError):
    """Features that cannot be compared; the message says why and what to do."""

    for_user = True


def gram(features: Tensor, *, centred: bool = False) -> Tensor:
    """Return G = X X^T (N, N) of features (N, ...), summed in float32, with a largest entry of 1.

    ``centred`` removes each feature's mean over the batch first. The scale changes no alignment
    and keeps the sums of squares that follow finite.
    """
    # Any order of channels and positions will do: the one in memory costs no copy.
    if features.dim() == 4 and features.is_contiguous(memory_format=torch.channels_last):
        features = features.permute(0, 2, 3, 1)
    rows = features.flatten(1).float()  # (N, D)
    if centred:
        rows = rows - rows.mean(0, keepdim=True)
    products = rows @ rows.T
    # A constant for the whole batch: kernel alignment does not see it.
    scale = products.detach().diagonal().max()
    if not 1e-30 < float(scale) < math.inf:  # squares beyond float32: shrink or enlarge first
        largest = rows.detach().abs().max().clamp_min(torch.finfo(rows.dtype).tiny)
        rows = rows / largest
        products = rows @ rows.T
        scale = products.detach().diagonal().max()
    return products / torch.where(scale > 0, scale, torch.ones_like(scale))


def kernel_alignment(x: Tensor, y: Tensor, *, centred: bool = False) -> Tensor:
    """Return KA(X, Y) = <G_X, G_Y>_F / (||G_X||_F ||G_Y||_F), a scalar in 0..1.

    ``x`` is (N, ...), ``y`` (N, ...) with any other sizes: every sample is one row, all channels
    and positions of it together ("global"). No adapter is needed. ``centred`` gives centred kernel
    alignment, an extra that the paper does not have.

    Raises:
        AlignmentError: batches of unequal size, or features that are all zero.
    """
    if len(x) != len(y):
        raise AlignmentError(
            f"The teacher's features hold {len(x)} samples, the student's {len(y)}; "
            "give both the same batch."
        )
    gx, gy = gram(x, centred=centred), gram(y, centred=centred)
    size = gx.norm() * gy.norm()
    if not bool(size > 0):
        raise AlignmentError(
            "Features that are all the same cannot be aligned. The student has collapsed, or the "
            "batch holds one sample; use a batch of at least 2 and a lower learning rate."
        )
    return (gx * gy).sum() / size


def require_batch(size: int) -> None:
    """Refuse a batch for which the alignment is 1 whatever the student does.

    Raises:
        AlignmentError: fewer than two samples.
    """
    if size < 2:
        raise AlignmentError(
            f"Kernel alignment of a batch of {size} is always 1 and teaches nothing. "
            "Set the batch size to 2 or more."
        )


def alignment_loss(
    teacher: Mapping[str, Tensor],
    student: Mapping[str, Tensor],
    *,
    kind: Kind = "ka",
    parts: int = 1,
) -> tuple[Tensor, dict[str, float]]:
    """Return -sum of KA over the layers of ``teacher``, and 1 - KA of each layer for the curves.

    ``parts`` cuts the batch into that many equal pieces, as data parallel training on that many
    devices does: each piece is aligned by itself and the losses are *summed*, so the term grows
    with the number of pieces.

    Raises:
        AlignmentError: a layer is missing, or a piece has fewer than two samples.
    """
    total = torch.zeros((), device=next(iter(teacher.values())).device)
    distance = {}
    for name, x in teacher.items():
        if name not in student:
            raise AlignmentError(f'The student has no layer "{name}" to align.')
        y = student[name]
        require_batch(len(x) // parts)
        pieces = [
            kernel_alignment(a.detach(), b, centred=kind == "cka")
            for a, b in zip(x.chunk(parts), y.chunk(parts), strict=True)
        ]
        total = total - torch.stack(pieces).sum()
        distance[name] = 1 - float(torch.stack(pieces).mean().detach())
    return total, distance


class Adapters(nn.Module):
    """1 x 1 convolutions from student to teacher channels (in that order), for MSE of features.

    Source: the baseline of Li et al., GAN Compression, CVPR 2020, as the CAT code offers it.
    """

    def __init__(self, channels: Mapping[str, tuple[int, int]]) -> None:
        super().__init__()
        self.names = list(channels)
        self.convs = nn.ModuleList(
            nn.Conv2d(student, teacher, 1) for student, teacher in channels.values()
        )

    def loss(self, teacher: Mapping[str, Tensor], student: Mapping[str, Tensor]) -> Tensor:
        """Return the sum over layers of MSE(adapter(student), teacher)."""
        return torch.stack(
            [
                nn.functional.mse_loss(conv(student[name]), teacher[name].detach())
                for name, conv in zip(self.names, self.convs, strict=True)
            ]
        ).sum()


class Taps:
    """Collects the outputs of named modules while a network runs.

    The features of the last forward pass are in ``features`` (name -> (N, C, H, W)); ``close``
    takes the hooks off.
    """

    def __init__(self, module: nn.Module, names: list[str]) -> None:
        self.features: dict[str, Tensor] = {}
        self._hooks = [
            module.get_submodule(name).register_forward_hook(self._keep(name)) for name in names
        ]

    def _keep(self, name: str):  # type: ignore[no-untyped-def]
        def hook(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
            self.features[name] = output

        return hook

    def close(self) -> None:
        """Take the hooks off and forget the features."""
        for hook in self._hooks:
            hook.remove()
        self.features.clear()
