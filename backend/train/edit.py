"""A generator in training, and the figures of its epochs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from backend.data.preprocess import ImageInput

if TYPE_CHECKING:
    from backend.train.edit_batches import PairSource


@dataclass(frozen=True)
class Edit:
    """A generator in training: its module, what it reads, and what it gives.

    ``low`` is black and ``high`` is white in its answer; sides are multiples of ``multiple`` where
    it takes ``any_size``. ``told`` is called before each pass with the module, the pairs, and which
    of them (B,) come: a network that edits each picture in its own way learns there what to do.
    """

    module: nn.Module
    image: ImageInput
    low: float = -1.0
    high: float = 1.0
    any_size: bool = True
    multiple: int = 4
    told: Callable[[nn.Module, PairSource, np.ndarray], None] | None = None


@dataclass(frozen=True)
class EditEpoch:
    """Figures of one epoch: mean losses, and PSNR in dB and mean absolute error on validation.

    ``val_psnr_identity`` is the PSNR of the pictures as they were, ``val_l1`` on a scale of 0..1.
    ``steps`` is the number of steps so far, ``seconds`` their time, without that of judging and
    showing.
    """

    epoch: int
    loss: float
    l1: float
    val_psnr: float | None = None
    val_psnr_identity: float | None = None
    val_l1: float | None = None
    steps: int = field(default=0, compare=False)
    seconds: float = field(default=0.0, compare=False)
