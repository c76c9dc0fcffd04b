"""Which pictures belong to a split: seeded, by class, from labels alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backend.data import counter
from backend.data.manifest import DataError, ImageSet, Split


class Subset:
    """Some pictures of a set, in the order of ``indices`` (M,) int64."""

    def __init__(self, images: ImageSet, indices: np.ndarray) -> None:
        self.images = images
        self.indices = indices
        self.labels = images.labels[indices]
        self.shape = images.shape

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.indices)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return the pictures at ``indices`` (B,) as uint8 (B, H, W, C)."""
        return self.images.take(self.indices[indices])


class Pixels:
    """Pictures that are held in memory: uint8 (N, H, W, C), labels (N,)."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray) -> None:
        self.pixels = pixels
        self.labels = np.asarray(labels, dtype=np.int64)
        height, width, channels = pixels.shape[1:]
        self.shape = (height, width, channels)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.labels)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return the pictures at ``indices`` (B,) as uint8 (B, H, W, C)."""
        return self.pixels[indices]


def split_options(
    parts: tuple[Split, ...],
    *,
    seed: int = 0,
    val_fraction: float = 0.1,
    test_fraction: float = 0.2,
    train_limit: int | None = None,
    test_limit: int | None = None,
) -> dict[str, Any]:
    """Return the options that every manifest has.

    Args:
        parts: the splits that exist as files; the missing ones are cut from ``train``.
        seed: of the choice; the same seed gives the same pictures on every machine.
        val_fraction: part of the training pictures that becomes the validation split.
        test_fraction: part of all pictures that becomes the test split where none exists.
        train_limit: pictures taken from the training files, validation split included.
        test_limit: pictures of the test split.

    Raises:
        DataError: a fraction or limit is out of bounds.
    """
    for name, fraction in (("val_fraction", val_fraction), ("test_fraction", test_fraction)):
        if not 0 < fraction < 1:
            raise DataError(f"{name} is {fraction}; choose a number between 0 and 1.")
    for name, limit in (("train_limit", train_limit), ("test_limit", test_limit)):
        if limit is not None and limit < 1:
            raise DataError(f"{name} is {limit}; choose a positive number of pictures.")
    return {
        "parts": list(parts),
        "seed": seed,
        "val_fraction": val_fraction,
        "test_fraction": test_fraction,
        "train_limit": train_limit,
        "test_limit": test_limit,
    }


def choose(labels: np.ndarray, split: Split, options: Mapping[str, Any]) -> np.ndarray:
    """Return which pictures of a part form ``split``: sorted indices, int64.

    ``labels`` (N,) are those of the part named ``split`` if the files have it, else of ``train``.

    Raises:
        DataError: there are too few pictures for the split.
    """
    parts, seed = options["parts"], options["seed"]
    pool = np.arange(len(labels))
    if split in parts and split != "train":
        pool = balanced(labels, options["test_limit"], seed) if split == "test" else pool
        return _filled(pool, split)
    if "test" not in parts:
        test, pool = _cut(labels, pool, options["test_fraction"], seed, "test")
        if split == "test":
            return _filled(test[balanced(labels[test], options["test_limit"], seed)], split)
    pool = pool[balanced(labels[pool], options["train_limit"], seed)]
    if "val" not in parts:
        val, pool = _cut(labels, pool, options["val_fraction"], seed, "val")
        if split == "val":
            return _filled(val, split)
    return _filled(pool, split)


def balanced(labels: np.ndarray, limit: int | None, seed: int) -> np.ndarray:
    """Return ``limit`` indices (all for None), as even over the classes as they allow; sorted.

    A smaller limit chooses a part of what a larger one chooses.
    """
    if limit is None or limit >= len(labels):
        return np.arange(len(labels))
    rank, _ = _ranks(labels, seed, "limit")
    return np.sort(np.lexsort((labels, rank))[:limit])


def _cut(
    labels: np.ndarray, pool: np.ndarray, fraction: float, seed: int, stream: str
) -> tuple[np.ndarray, np.ndarray]:
    """Divide ``pool`` in two, the first with ``fraction`` of every class to within one picture."""
    rank, count = _ranks(labels[pool], seed, stream)
    # The class order decides ties; shuffling it keeps the first classes from always winning.
    tie = counter.bits(seed, f"{stream} tie", labels[pool])
    order = np.lexsort((tie, (rank + 0.5) / count))
    n = round(fraction * len(pool))
    return np.sort(pool[order[:n]]), np.sort(pool[order[n:]])


def _ranks(labels: np.ndarray, seed: int, stream: str) -> tuple[np.ndarray, np.ndarray]:
    """Return each picture's place in a random order of its class, and the size of its class."""
    order = np.lexsort((counter.bits(seed, stream, np.arange(len(labels))), labels))
    _, start, inverse, count = np.unique(
        labels[order], return_index=True, return_inverse=True, return_counts=True
    )
    rank, size = np.empty(len(labels), np.int64), np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - start[inverse]
    size[order] = count[inverse]
    return rank, size


def _filled(indices: np.ndarray, split: Split) -> np.ndarray:
    if len(indices) == 0:
        raise DataError(
            f'There are too few pictures for a "{split}" split; add pictures or raise its share.'
        )
    return indices
