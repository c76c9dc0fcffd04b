"""Batches of pairs: crops and flips that are a function of the seed and the step."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from backend.data import counter
from backend.train.edit_plan import EditPlan
from backend.train.plan import TrainError

_KEEP_BYTES = 1 << 30  # of decoded pictures; beyond it they are read anew


class PairSource(Protocol):
    """Pairs of pictures of one size; see :class:`backend.data.pairs.PairSet`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, 3)."""
        ...

    def __len__(self) -> int:
        """Return the number of pairs."""
        ...

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return sources and targets, uint8 (B, H, W, 3)."""
        ...


class Kept:
    """Pairs that stay decoded in memory once they were taken, as far as there is room."""

    def __init__(self, pairs: PairSource) -> None:
        self.pairs = pairs
        self.shape = tuple(pairs.shape)
        self._room = _KEEP_BYTES // (2 * int(np.prod(self.shape)))
        self._seen: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.pairs)

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return sources and targets at ``indices`` (B,), uint8 (B, H, W, 3)."""
        both = [self._one(int(i)) for i in indices]
        return np.stack([a for a, _ in both]), np.stack([b for _, b in both])

    def _one(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        if i in self._seen:
            return self._seen[i]
        sources, targets = self.pairs.take(np.array([i]))
        found = sources[0], targets[0]
        if len(self._seen) < self._room:
            self._seen[i] = found
        return found


class EditBatches:
    """The batch of every step.

    Raises:
        TrainError: there are no pairs, or a crop that the network cannot read.
    """

    def __init__(
        self, pairs: PairSource, plan: EditPlan, seed: int, *, multiple: int, any_size: bool
    ) -> None:
        if len(pairs) == 0:
            raise TrainError("There are no pairs to train on; choose data that have some.")
        self.source, self.pairs, self.plan, self.seed = pairs, Kept(pairs), plan, seed
        self.chosen = np.zeros(0, np.int64)
        """Which pairs the last batch holds."""
        self.height, self.width = _crop(self.pairs.shape[:2], plan.crop, multiple, any_size)
        self.count = len(pairs) * plan.crops
        self.size = min(plan.batch, self.count)
        self.per_epoch = self.count // self.size
        self.total = plan.epochs * self.per_epoch
        # Half of a size must be a size that the network reads.
        halves = self.height % (2 * multiple) == self.width % (2 * multiple) == 0
        self._small_until = round(plan.small * self.total) if any_size and halves else 0
        self._epoch = -1

    @property
    def smallest(self) -> tuple[int, int]:
        """Height and width of the smallest pictures that come."""
        shrink = 2 if self._small_until else 1
        return self.height // shrink, self.width // shrink

    def at(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return sources and targets of a step, uint8 (B, h, w, 3), cut and turned alike.

        Steps of the first part, as the plan says, are of half the height and width.
        """
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._order = counter.permutation(self.count, self.seed, "order", epoch)
            self._epoch = epoch
        chosen = self._order[place * self.size : (place + 1) * self.size]
        self.chosen = chosen % len(self.pairs)
        both = self.pairs.take(self.chosen)
        high, wide = self.pairs.shape[0] - self.height, self.pairs.shape[1] - self.width
        top = counter.integers(high + 1, self.seed, "crop row", epoch, chosen)
        left = counter.integers(wide + 1, self.seed, "crop column", epoch, chosen)
        is_flipped = counter.uniform(self.seed, "flip", epoch, chosen) < 0.5
        cut: list[np.ndarray] = []
        for pixels in both:
            parts = np.empty((len(chosen), self.height, self.width, 3), np.uint8)
            for k, (y, x) in enumerate(zip(top.tolist(), left.tolist(), strict=True)):
                part = pixels[k, y : y + self.height, x : x + self.width]
                parts[k] = part[:, ::-1] if self.plan.flip and is_flipped[k] else part
            if step < self._small_until:
                labels = not cut and getattr(self.source, "are_labels", False)
                parts = parts[:, ::2, ::2] if labels else halved(parts)
            cut.append(parts)
        return cut[0], cut[1]


def halved(pixels: np.ndarray) -> np.ndarray:
    """Return the mean of each square of four pixels, rounded; (B, H, W, 3) to (B, H/2, W/2, 3)."""
    count, height, width, _ = pixels.shape
    squares = pixels.reshape(count, height // 2, 2, width // 2, 2, 3)
    return ((squares.sum((2, 4), dtype=np.uint16) + 2) // 4).astype(np.uint8)


def to_signed(pixels: np.ndarray, device: str) -> Tensor:
    """Return pixels (B, H, W, 3) uint8 as (B, 3, H, W) float32 in -1 .. 1."""
    u8 = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
    return u8.permute(0, 3, 1, 2).float().div(127.5).sub(1)


def _crop(
    shape: tuple[int, ...], crop: int | None, multiple: int, any_size: bool
) -> tuple[int, int]:
    height, width = shape
    if not any_size:
        return height, width
    if crop is not None and crop % multiple:
        raise TrainError(
            f"The network reads pictures whose sides are multiples of {multiple}; a crop of {crop} "
            f"is none. Choose {max(multiple, crop // multiple * multiple)}."
        )
    height, width = (min(side, crop or side) // multiple * multiple for side in (height, width))
    if min(height, width) == 0:
        raise TrainError(
            f"Pictures of {shape[0]} x {shape[1]} are too small for a network that needs multiples "
            f"of {multiple} pixels; make larger pairs or choose a network with fewer halvings."
        )
    return height, width
