"""Batches of single pictures: order, crops and flips are a function of the seed and the step."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from backend.data import counter
from backend.train.plan import TrainError

_KEEP_BYTES = 1 << 30  # of decoded pictures; beyond it they are read anew


class PictureSource(Protocol):
    """Pictures of one size, such as a split of photos."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, 3)."""
        ...

    def __len__(self) -> int:
        """Return the number of pictures."""
        ...

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return pictures, uint8 (B, H, W, 3)."""
        ...


class PictureBatches:
    """The batch of every step out of one set of pictures, which begins anew when it is used up.

    Args:
        pictures: what to draw from.
        batch: pictures a step; fewer where there are not so many.
        seed: of order, crops and flips.
        stream: a name that tells the draws of two sets apart.
        flip: mirror half of them.

    Raises:
        TrainError: there are no pictures, or they have no colours.
    """

    def __init__(
        self, pictures: PictureSource, batch: int, seed: int, stream: str, *, flip: bool = True
    ) -> None:
        if len(pictures) == 0:
            raise TrainError("There are no pictures to train on; choose data that have some.")
        if pictures.shape[2] != 3:
            raise TrainError("These pictures are grey; generators of pictures need colours.")
        self.pictures, self.seed, self.stream, self.flip = pictures, seed, stream, flip
        self.size = min(batch, len(pictures))
        self.per_epoch = len(pictures) // self.size
        self._room = _KEEP_BYTES // int(np.prod(pictures.shape))
        self._seen: dict[int, np.ndarray] = {}
        self._epoch = -1

    def at(self, step: int, height: int, width: int) -> np.ndarray:
        """Return the pictures of a step, cut to ``height`` x ``width``, uint8 (B, h, w, 3).

        Raises:
            TrainError: the pictures are smaller than that.
        """
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._order = counter.permutation(
                len(self.pictures), self.seed, f"order of {self.stream}", epoch
            )
            self._epoch = epoch
        chosen = self._order[place * self.size : (place + 1) * self.size]
        high, wide = self.pictures.shape[0] - height, self.pictures.shape[1] - width
        if min(high, wide) < 0:
            raise TrainError(
                f"The pictures are {self.pictures.shape[0]} x {self.pictures.shape[1]} pixels, "
                f"training needs {height} x {width}. Make them as large as the others."
            )
        top, left = (
            counter.integers(room + 1, self.seed, f"crop {axis} of {self.stream}", epoch, chosen)
            for room, axis in ((high, "row"), (wide, "column"))
        )
        is_flipped = counter.uniform(self.seed, f"flip of {self.stream}", epoch, chosen) < 0.5
        parts = np.empty((len(chosen), height, width, 3), np.uint8)
        for k, (i, y, x) in enumerate(zip(chosen.tolist(), top, left, strict=True)):
            part = self._one(i)[y : y + height, x : x + width]
            parts[k] = part[:, ::-1] if self.flip and is_flipped[k] else part
        return parts

    def _one(self, i: int) -> np.ndarray:
        if i in self._seen:
            return self._seen[i]
        found = self.pictures.take(np.array([i]))[0]
        if len(self._seen) < self._room:
            self._seen[i] = found
        return found
