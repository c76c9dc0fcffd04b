"""Data sets of labelled pictures: their makers, and the one way to open a split."""

from __future__ import annotations

from typing import get_args

from backend.data import cifar as _cifar
from backend.data import digits as _digits
from backend.data import fashion_mnist as _fashion_mnist
from backend.data import image_folder as _image_folder
from backend.data.cifar import cifar
from backend.data.digits import digits
from backend.data.fashion_mnist import fashion_mnist
from backend.data.image_folder import image_folder
from backend.data.manifest import DataError, ImageSet, Manifest, Split
from backend.data.photos import open_photos, photos
from backend.data.splits import Subset, choose

__all__ = ["cifar", "digits", "fashion_mnist", "image_folder", "open_split", "photos"]

_READERS = {
    "cifar": _cifar.read,
    "digits": _digits.read,
    "fashion_mnist": _fashion_mnist.read,
    "image_folder": _image_folder.read,
}


def open_split(manifest: Manifest, split: Split) -> ImageSet:
    """Return the pictures of ``train``, ``val`` or ``test``; the only reader of test files.

    The splits do not overlap, and are the same for the same manifest on every machine.

    Raises:
        DataError: a file changed since the manifest was made, is damaged, or the split is empty.
    """
    if split not in get_args(Split):
        raise DataError(f'There is no split "{split}"; choose train, val or test.')
    if manifest.kind not in (*_READERS, "photos"):
        raise DataError(f'No reader is known for data of the kind "{manifest.kind}".')
    problem = manifest.stale()
    if problem:
        raise DataError(problem)
    if manifest.kind == "photos":  # split by photo, not by crop
        return open_photos(manifest, split)
    part = split if split in manifest.options["parts"] else "train"
    images = _READERS[manifest.kind](manifest, part)
    return Subset(images, choose(images.labels, split, manifest.options))
