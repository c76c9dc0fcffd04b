"""Losses of adversarial training: what a discriminator and a generator want of its scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

GanKind = Literal["hinge", "lsgan", "vanilla"]


def discriminator_loss(kind: GanKind, real: Tensor, fake: Tensor) -> Tensor:
    """Return (L_real + L_fake) / 2 of scores of any shape, a scalar.

    hinge: L_real = mean max(0, 1 - s), L_fake = mean max(0, 1 + s).
    lsgan: L_real = mean (s - 1)^2, L_fake = mean s^2.
    vanilla: L_real = mean log(1 + e^-s), L_fake = mean log(1 + e^s).
    Source: Lim, Ye, Geometric GAN, 2017, eq. 7; Mao et al., Least squares GAN, ICCV 2017, eq. 9
    (a = 0, b = c = 1); Goodfellow et al., Generative adversarial nets, 2014, eq. 1.
    """
    if kind == "hinge":
        return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2
    if kind == "lsgan":
        return ((real - 1).square().mean() + fake.square().mean()) / 2
    if kind == "vanilla":
        return (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2
    raise ValueError(f'There is no adversarial loss "{kind}"; choose hinge, lsgan or vanilla.')


def generator_loss(kind: GanKind, fake: Tensor) -> Tensor:
    """Return what the generator minimises, a scalar of scores of any shape.

    hinge: -mean s; lsgan: mean (s - 1)^2; vanilla: mean log(1 + e^-s), the one that does not
    saturate. Sources as of :func:`discriminator_loss`; Goodfellow et al., sec. 3.
    """
    if kind == "hinge":
        return -fake.mean()
    if kind == "lsgan":
        return (fake - 1).square().mean()
    if kind == "vanilla":
        return F.softplus(-fake).mean()
    raise ValueError(f'There is no adversarial loss "{kind}"; choose hinge, lsgan or vanilla.')


def feature_matching(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Return the mean over levels of mean |real - fake|, without the last level, the score.

    Gradients go to ``fake`` only.
    Source: Wang et al., pix2pixHD, CVPR 2018, eq. 4, divided by the number of levels.
    """
    if len(real) != len(fake) or len(real) < 2:
        raise ValueError(f"{len(real)} and {len(fake)} levels of features cannot be matched.")
    pairs = zip(real[:-1], fake[:-1], strict=True)
    return torch.stack([F.l1_loss(b, a.detach()) for a, b in pairs]).mean()


def over_scales(loss: Callable[..., Tensor], *scores: Tensor | Sequence[Tensor]) -> Tensor:
    """Return ``loss`` of scores, or its mean over the scales of a discriminator that has several.

    Source: Wang et al., pix2pixHD, CVPR 2018, eq. 3, divided by the number of scales as SPADE does.
    """
    if isinstance(scores[0], Tensor):
        return loss(*scores)
    return torch.stack([loss(*one) for one in zip(*scores, strict=True)]).mean()


def scaled_matching(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """Return the sum over levels, without the scores, of mean |real - fake|; the mean over scales.

    Gradients go to ``fake`` only.
    Source: Park et al., SPADE, CVPR 2019, as released: L1 of all levels but the last, over num_D.
    """
    parts = [
        feature_matching(one, other) * (len(one) - 1) for one, other in zip(real, fake, strict=True)
    ]
    return torch.stack(parts).mean()
