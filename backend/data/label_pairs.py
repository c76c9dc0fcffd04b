"""Label maps and their pictures, from a folder: pairs whose sources are classes, not colours.

A label map is a grey or paletted picture whose numbers are classes. It is written anew at the size
of the pairs, each class a level of grey that a SPADE generator unfolds again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from backend.data.image_folder import BROKEN, reason_of
from backend.data.manifest import DataError
from backend.data.pair_folder import pair_folder
from backend.data.pairs import PairsManifest, write_picture

IGNORED = 255
"""The number of pixels that belong to no class, as data sets have it; it becomes the last class."""

_MODES = ("L", "P", "1", "I", "I;16")
_MOST = 256


def label_folder(
    folder: Path | str,
    target: Path,
    *,
    classes: int | None = None,
    size: int = 256,
    fit: Literal["crop", "stretch"] = "crop",
    on_error: Literal["stop", "skip"] = "stop",
    **options: Any,
) -> PairsManifest:
    """Return the manifest of label maps in ``A`` and their pictures in ``B``, of equal names.

    Args:
        folder: has ``A`` and ``B``, perhaps in ``train``, ``val`` and ``test``.
        target: folder for the label maps as they are read, named by their content.
        classes: how many there are; None: one more than the largest number in the maps.
        size: height and width of what is read, in pixels; labels are never mixed when resized.
        fit: ``crop`` scales the shorter side to ``size`` and cuts the middle; ``stretch`` bends.
        on_error: ``stop`` refuses the first pair that cannot be used; ``skip`` leaves it out.
        options: those of :func:`backend.data.splits.split_options`.

    ``options["labels"]`` of the manifest has the number of classes, and whether the last one is
    that of pixels without a class.

    Raises:
        DataError: no pairs, a label map in colours, or classes that are out of range.
    """
    manifest = pair_folder(
        folder, layout="folders", size=size, fit=fit, on_error=on_error, **options
    )
    maps = {pair.source.path: read_labels(pair.source.path) for pair in manifest.pairs}
    largest = max(int(np.where(x == IGNORED, 0, x).max()) for x in maps.values())
    has_ignored = any((x == IGNORED).any() for x in maps.values()) and largest < IGNORED
    count = classes if classes is not None else largest + 1
    if largest >= count:
        path = next(p for p, x in maps.items() if np.where(x == IGNORED, 0, x).max() >= count)
        raise DataError(
            f'The label map "{path}" has the class {largest}, but there are {count} classes, 0 to '
            f"{count - 1}. Raise the number of classes."
        )
    total = count + has_ignored
    if not 2 <= total <= _MOST:
        raise DataError(f"The label maps have {total} classes; a generator takes 2 to {_MOST}.")
    step = 255 // (total - 1)
    pairs = []
    for pair in manifest.pairs:
        found = resized(maps[pair.source.path], (size, size), fit)
        found = np.where(found == IGNORED, count, found) if has_ignored else found
        grey = np.repeat((found * step).astype(np.uint8)[..., None], 3, 2)
        pairs.append(replace(pair, source=write_picture(grey, target)))
    about = {"labels": {"classes": total, "ignored": bool(has_ignored)}}
    return replace(manifest, pairs=tuple(pairs), options=manifest.options | about)


def read_labels(path: str | Path) -> np.ndarray:
    """Return the numbers of a label map, int64 (H, W).

    Raises:
        DataError: it is in colours, or cannot be read.
    """
    try:
        with Image.open(path) as image:
            mode, numbers = image.mode, np.array(image)
    except BROKEN as error:
        raise DataError(
            f'The label map "{path}" cannot be read ({reason_of(error)}); repair or remove it.'
        ) from error
    if mode not in _MODES or numbers.ndim != 2:
        raise DataError(
            f'"{path}" is a picture in colours; a label map is grey or has a palette, and its '
            "numbers are classes. Are A and B the other way round?"
        )
    return numbers.astype(np.int64)


def resized(labels: np.ndarray, size: tuple[int, int], fit: str) -> np.ndarray:
    """Return labels (H, W) at another size, each pixel that of the nearest one."""
    height, width = labels.shape
    high, wide = size
    top = left = 0.0
    tall, broad = float(height), float(width)
    if fit == "crop":
        scale = min(width / wide, height / high)
        tall, broad = high * scale, wide * scale
        top, left = (height - tall) / 2, (width - broad) / 2
    rows = (top + (np.arange(high) + 0.5) * tall / high).astype(np.int64).clip(0, height - 1)
    columns = (left + (np.arange(wide) + 0.5) * broad / wide).astype(np.int64).clip(0, width - 1)
    return labels[rows[:, None], columns[None, :]]


def classes_of(manifest: PairsManifest) -> int:
    """Return how many classes the label maps of pairs have.

    Raises:
        DataError: their sources are no label maps.
    """
    labels = manifest.options.get("labels")
    if not labels:
        raise DataError(
            f"The sources of {manifest.title} are pictures, not label maps. Link label maps from a "
            "folder."
        )
    return int(labels["classes"])
