"""Folds batch norms into the convolutions before them, as exporters do, but weight by weight."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

Convolution = nn.Conv2d | nn.ConvTranspose2d


def folded(module: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode, on the CPU, in which norms after convolutions are gone.

    Only neighbours in an ``nn.Sequential`` are folded, also around a pixel shuffle, and only layers
    used in one place; what is left keeps its name. So the weights of the copy are those of an
    exported file, tensor for tensor.
    """
    still = copy.deepcopy(module).cpu().eval().requires_grad_(False)
    uses: dict[int, int] = {}
    for _, part in still.named_modules(remove_duplicate=False):
        uses[id(part)] = uses.get(id(part), 0) + 1
    for part in list(still.modules()):
        if isinstance(part, nn.Sequential):
            _fold_neighbours(part, uses)
    return still


def _fold_neighbours(sequence: nn.Sequential, uses: dict[int, int]) -> None:
    parts = list(sequence._modules.items())
    for i, (name, norm) in enumerate(parts):
        if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None or i == 0:
            continue
        before, share = parts[i - 1][1], 1
        if isinstance(before, nn.PixelShuffle) and i > 1:
            # Channel c comes of the convolution's channels c r^2 to (c + 1) r^2 - 1.
            before, share = parts[i - 2][1], before.upscale_factor**2
        if not isinstance(before, Convolution) or max(uses[id(before)], uses[id(norm)]) > 1:
            continue
        if isinstance(before, nn.ConvTranspose2d) and before.groups > 1:
            continue
        _fold(before, norm, share)
        sequence._modules[name] = nn.Identity()


def _fold(conv: Convolution, norm: nn.BatchNorm2d, share: int) -> None:
    """Change ``conv`` so that the norm after it does nothing any more."""

    def of_conv(values: Tensor | None) -> Tensor | None:
        return None if values is None else values.repeat_interleave(share)

    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        of_conv(norm.running_mean),
        of_conv(norm.running_var),
        norm.eps,
        of_conv(norm.weight),
        of_conv(norm.bias),
        transpose=isinstance(conv, nn.ConvTranspose2d),
    )
    conv.requires_grad_(False)
