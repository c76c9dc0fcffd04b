"""Where teacher and student are compared: the end of down-sampling and of each third of blocks."""

from __future__ import annotations

import torch
from torch import nn

from backend.distill.alignment import AlignmentError, Taps
from backend.models.cyclegan import CycleGanGenerator
from backend.models.cyclegan import ResidualBlock as CycleGanBlock
from backend.models.generators import ResNetGenerator
from backend.models.inception import InceptionGenerator
from backend.models.spade import SpadeGenerator

_CONV = (nn.Conv2d, nn.ConvTranspose2d)


def alignment_layers(module: nn.Module) -> list[str]:
    """Return the names of the modules whose outputs are aligned, in order.

    Source: CAT's released code: ``down_sampling.9`` and the ends of the three thirds of blocks; of
    a SPADE generator three of its blocks.

    Raises:
        AlignmentError: a generator whose parts are not known.
    """
    if isinstance(module, InceptionGenerator):
        return ["down_sampling.9", *_thirds("features", len(module.features))]
    if isinstance(module, ResNetGenerator):
        stem = f"down.{len(module.down) - 1}" if len(module.down) else "stem"
        return [stem, *_thirds("blocks", len(module.blocks))]
    if isinstance(module, CycleGanGenerator):
        blocks = [i for i, part in enumerate(module.model) if isinstance(part, CycleGanBlock)]
        ends = _thirds("model", len(blocks), first=blocks[0])
        return [f"model.{blocks[0] - 1}", *ends]
    if isinstance(module, SpadeGenerator):
        return ["head_0", "G_middle_1", "up_1"]
    convolutions = [n for n, part in module.named_modules() if isinstance(part, _CONV)]
    some = sorted({len(convolutions) * part // 4 for part in (1, 2, 3)}) if convolutions else []
    shown = ", ".join(convolutions[i] for i in some)
    raise AlignmentError(
        f"Where to align a {type(module).__name__} is not known; name the layers, such as "
        f'"{shown}".'
    )


def channels_of(module: nn.Module, names: list[str]) -> dict[str, int]:
    """Return how many channels each named layer gives, read off its last weight.

    Raises:
        AlignmentError: a name that the network does not have.
    """
    known = dict(module.named_modules())
    missing = [name for name in names if name not in known]
    if missing:
        raise AlignmentError(f'The network has no layer "{missing[0]}" to align.')
    found: dict[str, int] = {}
    width = 3
    for name, part in module.named_modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            width = part.out_channels
        for wanted in names:
            if name == wanted or name.startswith(wanted + "."):
                found[wanted] = width
    return found


def seen_channels(module: nn.Module, names: list[str], side: int) -> dict[str, int]:
    """Return how many channels each named layer gives for a picture of ``side`` x ``side``.

    What joins, shuffles or splits channels after a layer's last weight is seen, too.
    """
    taps, was_training = Taps(module, names), module.training
    like = next(module.parameters())
    with torch.no_grad():
        module.eval()(torch.zeros(1, 3, side, side, device=like.device, dtype=like.dtype))
    found = {name: taps.features[name].shape[1] for name in names}
    taps.close()
    module.train(was_training)
    return found


def _thirds(prefix: str, count: int, first: int = 0) -> list[str]:
    ends = sorted({max(1, round(count * part / 3)) - 1 for part in (1, 2, 3)}) if count else []
    return [f"{prefix}.{first + end}" for end in ends]
