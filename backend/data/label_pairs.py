"""Label maps and their pictures, from a folder: pairs whose sources are classes, not colours.

A label map is a grey or paletted picture whose numbers are classes. It is written anew at the size
of the pairs, each class a level of grey that a SPADE generator unfolds again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
_MANY = 160  # classes; grey photos have about all 256 levels, the usual data sets at most 151


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
        on_error: ``stop`` refuses the first pair that cannot be used, such as one whose map is in
            colours; ``skip`` leaves it out.
        options: those of :func:`backend.data.splits.split_options`.

    ``options["labels"]`` of the manifest has the number of classes, whether the last one is that of
    pixels without a class, and how many classes occur.

    Raises:
        DataError: no pairs, a label map in colours, or classes that are out of range.
    """
    seen = _Seen(classes)
    manifest = pair_folder(
        folder, layout="folders", size=size, fit=fit, on_error=on_error, check=seen.look, **options
    )
    count, has_ignored = seen.classes([pair.source.path for pair in manifest.pairs])
    total = count + has_ignored
    step = 255 // (total - 1)
    pairs = []
    # Maps are read anew, one at a time: all of them may not fit into memory.
    for pair in manifest.pairs:
        found = resized(read_labels(pair.source.path), (size, size), fit)
        found = np.where(found == IGNORED, count, found) if has_ignored else found
        grey = np.repeat((found * step).astype(np.uint8)[..., None], 3, 2)
        pairs.append(replace(pair, source=write_picture(grey, target)))
    used = len(set().union(*(seen.numbers[pair.source.path] for pair in manifest.pairs)))
    about = {"labels": {"classes": total, "ignored": has_ignored, "used": used}}
    return replace(manifest, pairs=tuple(pairs), options=manifest.options | about)


@dataclass
class _Seen:
    """The numbers of the label maps that were looked at, by path."""

    wanted: int | None

    def __post_init__(self) -> None:
        self.numbers: dict[str, frozenset[int]] = {}

    def look(self, path: Path) -> str:
        """Return why a file is no label map that can be used; empty if it is one."""
        try:
            found = frozenset(np.unique(_numbers(path)).tolist())
        except _NoLabelsError as error:
            return f"has a label map that {error}"
        self.numbers[str(path)] = found
        largest = max(found - {IGNORED}, default=0)
        if min(found) < 0:
            return f"has a label map with the number {min(found)}; classes are 0 and above"
        if self.wanted is not None and largest >= self.wanted:
            return (
                f"has the class {largest}, but there are {self.wanted} classes, 0 to "
                f"{self.wanted - 1} (raise the number of classes)"
            )
        return ""

    def classes(self, paths: list[str]) -> tuple[int, bool]:
        """Return how many classes the maps have, and whether there are pixels of none besides.

        Raises:
            DataError: fewer than two, or more than a picture can hold.
        """
        every = frozenset[int]().union(*(self.numbers[path] for path in paths))
        largest = max(every - {IGNORED}, default=0)
        has_ignored = IGNORED in every and largest < IGNORED
        count = self.wanted if self.wanted is not None else largest + 1
        if len(every) == 1:
            raise DataError(
                f"All pixels of the label maps have the number {min(every)}, which leaves a "
                "generator nothing to go by; choose maps of 2 classes or more."
            )
        if count + has_ignored > _MOST:
            raise DataError(
                f"The label maps have {count + has_ignored:,} classes, 0 to {largest}, and a "
                f"generator takes at most {_MOST}. Join rare classes and number them from 0, "
                f"or give their pixels {IGNORED}, which is no class."
            )
        return count, has_ignored


class _NoLabelsError(Exception):
    """What is wrong with a picture that should hold classes, as the end of a sentence."""


def read_labels(path: str | Path) -> np.ndarray:
    """Return the numbers of a label map, int64 (H, W).

    A picture in colours whose channels are all equal counts as a grey one.

    Raises:
        DataError: it is in colours, or cannot be read.
    """
    try:
        return _numbers(path)
    except _NoLabelsError as error:
        raise DataError(f'The label map "{path}" {error}.') from error


def _numbers(path: str | Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            mode, kind, numbers = image.mode, image.format, np.array(image)
    except BROKEN as error:
        raise _NoLabelsError(f"cannot be read ({reason_of(error)}); repair or remove it") from error
    if kind == "JPEG":
        raise _NoLabelsError("is a JPEG, which blurs the numbers of classes; save maps as PNG")
    if mode in ("RGB", "RGBA", "LA"):
        numbers = _one_channel(numbers, has_alpha=mode != "RGB")
    elif mode not in _MODES or numbers.ndim != 2:
        raise _NoLabelsError(
            f"is a picture of the mode {mode}; a label map is grey or has a palette, and its "
            "numbers are classes"
        )
    return numbers.astype(np.int64)


def _one_channel(pixels: np.ndarray, *, has_alpha: bool) -> np.ndarray:
    """Return the channel that pixels (H, W, C) repeat; refuse colours and what shines through."""
    if has_alpha and (pixels[..., -1] < 255).any():
        raise _NoLabelsError("is transparent in parts; fill them with the number of a class")
    colours = pixels[..., :-1] if has_alpha else pixels
    if (colours == colours[..., :1]).all():
        return colours[..., 0]
    count = len(np.unique(colours.reshape(-1, colours.shape[-1]), axis=0))
    remedy = (
        "give each colour a number, the same in all maps"
        if count <= _MOST
        else "if A and B are the other way round, swap them"
    )
    raise _NoLabelsError(
        f"is a picture in colours ({count:,} of them); a label map is grey or has a palette, and "
        f"its numbers are classes: {remedy}"
    )


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


def doubt_of(manifest: PairsManifest) -> str:
    """Return a sentence on what is odd about the classes of label maps; empty if nothing is."""
    count, used = classes_of(manifest), int(manifest.options["labels"]["used"])
    if used < count:
        return (
            f"Only {used} of the {count} classes occur. Each one costs work: number those that "
            "occur from 0 without gaps."
        )
    if count > _MANY:
        return (
            f"{count} classes are many. If you know of fewer, A holds grey pictures instead of "
            "label maps."
        )
    return ""
