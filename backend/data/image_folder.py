"""Pictures in folders, one folder a class, decoded when they are needed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast, get_args

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from backend.data.manifest import DataError, FileEntry, Manifest, Split
from backend.data.splits import split_options

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
)
# Decoded pictures are kept in memory when the whole part fits in this many bytes.
_KEEP_BYTES = 2**30
# What Pillow raises about a picture that cannot be decoded.
BROKEN = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,
    SyntaxError,  # Pillow raises it for some damaged PNG files
    ValueError,
)


def image_folder(
    folder: Path | str,
    *,
    size: int = 64,
    channels: Literal[1, 3] = 3,
    fit: Literal["crop", "stretch"] = "crop",
    on_error: Literal["stop", "skip"] = "stop",
    check: bool = True,
    **options: Any,
) -> Manifest:
    """Return the manifest of a folder with one folder of pictures for each class.

    The class folders lie in ``train/``, ``val/`` and ``test/`` if there is a ``train/``; a split
    that has no folder is cut from the training pictures. Class folders may have folders inside.

    Args:
        folder: where the class folders (or ``train/`` ...) are.
        size: height and width to which every picture is brought, in pixels.
        channels: 3 for colour, 1 for grey.
        fit: ``crop`` scales the shorter side to ``size`` and cuts the middle; ``stretch`` bends.
        on_error: what to do about a picture that cannot be decoded: ``stop`` names it and refuses,
            ``skip`` leaves it out and lists it in ``options["skipped"]`` as (path, reason).
        check: decode every picture once now. Without it, a broken one stops whoever meets it.
        options: those of :func:`backend.data.splits.split_options`.

    Raises:
        DataError: no folder, no classes, a class without pictures, or a broken picture.
    """
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise DataError(f'There is no folder "{root}"; choose a folder with one folder a class.')
    if size < 1:
        raise DataError(f"The picture size is {size}; choose a positive number of pixels.")
    if (root / "train").is_dir():
        parts = cast("tuple[Split, ...]", tuple(s for s in get_args(Split) if (root / s).is_dir()))
    else:
        parts = ()
    tops = [root / part for part in parts] or [root]
    classes = _classes(tops)
    paths = [path for top in tops for name in classes for path in _pictures(top / name)]
    skipped = _broken(paths, size, on_error) if check else {}
    paths = [path for path in paths if path not in skipped]
    _require_every_class(paths, tops, classes, bool(skipped))
    return Manifest(
        kind="image_folder",
        title=f"{root.name} ({len(paths):,} pictures)",
        classes=classes,
        files=tuple(FileEntry.of(path) for path in paths),
        options=split_options(parts or ("train",), **options)
        | {
            "root": str(root),
            "nested": bool(parts),
            "size": size,
            "channels": channels,
            "fit": fit,
            "skipped": [[str(path), reason] for path, reason in skipped.items()],
        },
    )


class FolderImages:
    """Pictures that stay in their files until they are taken: (N, size, size, channels)."""

    def __init__(self, paths: list[str], labels: list[int], options: dict[str, Any]) -> None:
        self.paths = paths
        self.labels = np.array(labels, dtype=np.int64)
        self.shape = (options["size"], options["size"], options["channels"])
        self._fit = options["fit"]
        self._known = np.zeros(len(paths), bool)
        # Pages of a zero array take memory only once they are written.
        keeps = len(paths) * int(np.prod(self.shape)) <= _KEEP_BYTES
        self._kept = np.zeros((len(paths), *self.shape), np.uint8) if keeps else None

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.paths)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return the pictures at ``indices`` (B,) as uint8 (B, H, W, C).

        Raises:
            DataError: a picture cannot be decoded.
        """
        if self._kept is None:
            return np.stack([self._decode(i) for i in indices])
        for i in np.unique(indices):
            if not self._known[i]:
                self._kept[i] = self._decode(i)
                self._known[i] = True
        return self._kept[indices]

    def _decode(self, i: int) -> np.ndarray:
        try:
            return decode(self.paths[i], self.shape, self._fit)
        except BROKEN as error:
            raise DataError(
                f'The picture "{self.paths[i]}" cannot be read ({reason_of(error)}); '
                "repair or remove it."
            ) from error


def read(manifest: Manifest, part: str) -> FolderImages:
    """Return the pictures of a part: ``train``, ``val`` or ``test``.

    Raises:
        DataError: a picture lies in a folder that is no class of the manifest.
    """
    top = Path(manifest.options["root"])
    top = top / part if manifest.options["nested"] else top
    number = {name: label for label, name in enumerate(manifest.classes)}
    paths, labels = [], []
    for entry in manifest.files:
        path = Path(entry.path)
        if path.is_relative_to(top):
            name = path.relative_to(top).parts[0]
            if name not in number:
                raise DataError(f'The picture "{path}" is in no class folder of the manifest.')
            paths.append(entry.path)
            labels.append(number[name])
    return FolderImages(paths, labels, manifest.options)


def decode(path: str | Path, shape: tuple[int, int, int], fit: str = "crop") -> np.ndarray:
    """Return one picture as uint8 ``shape`` (H, W, C): upright by its EXIF, transparency on white.

    Raises:
        OSError, SyntaxError, ValueError, Image.DecompressionBombError: it cannot be decoded.
    """
    height, width, channels = shape
    with Image.open(path) as image:
        # JPEG can be decoded at 1/2, 1/4 or 1/8; twice the target keeps the resampling clean.
        image.draft(None, (2 * max(height, width),) * 2)
        upright = ImageOps.exif_transpose(image)
        plain = _eight_bits(upright).convert("RGB" if channels == 3 else "L")
    if fit == "stretch":
        small = plain.resize((width, height), Image.Resampling.BICUBIC)
    else:
        small = ImageOps.fit(plain, (width, height), Image.Resampling.BICUBIC)
    return np.asarray(small, np.uint8).reshape(shape)


def load_upright(path: str | Path | BinaryIO, least: int | None = None) -> Image.Image:
    """Return a whole picture in RGB: upright by its EXIF, transparency on white.

    With ``least``, a JPEG may come at 1/2, 1/4 or 1/8 of its size, both sides at least so long:
    much less memory and time for the photos of a camera.

    Raises:
        OSError, SyntaxError, ValueError, Image.DecompressionBombError: it cannot be decoded.
    """
    with Image.open(path) as image:
        if least is not None:
            image.draft(None, (least, least))
        return _eight_bits(ImageOps.exif_transpose(image)).convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # Pillow would clip at 255 instead of scaling
        return Image.fromarray((np.asarray(image, np.uint16) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels are of mode {image.mode}, which has no fixed range")
    if image.has_transparency_data:
        colour = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour)
    return image


def _classes(tops: list[Path]) -> tuple[str, ...]:
    names = [sorted(p.name for p in top.iterdir() if _is_shown(p) and p.is_dir()) for top in tops]
    for top, found in zip(tops, names, strict=True):
        if len(found) < 2:
            raise DataError(
                f'The folder "{top}" has {len(found)} class folders and needs at least two, '
                "each with the pictures of one class."
            )
        if found != names[0]:
            odd = sorted(set(found) ^ set(names[0]))[0]
            raise DataError(
                f'The class folder "{odd}" is not in both "{tops[0]}" and "{top}"; every split '
                "needs the same classes."
            )
    return tuple(names[0])


def _pictures(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                yield Path(place, name)


def _is_shown(path: Path) -> bool:
    return not path.name.startswith(".")


def _broken(paths: list[Path], size: int, on_error: str) -> dict[Path, str]:
    """Decode every picture; return the broken ones with the reason, or refuse the first."""

    def problem(path: Path) -> str:
        try:
            decode(path, (size, size, 3))
        except BROKEN as error:
            return reason_of(error)
        return ""

    found: dict[Path, str] = {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for path, reason in zip(paths, pool.map(problem, paths), strict=True):
            if reason and on_error == "stop":
                pool.shutdown(wait=False, cancel_futures=True)
                raise DataError(
                    f'The picture "{path}" cannot be read ({reason}); repair or remove it, or '
                    'choose on_error "skip".'
                )
            if reason:
                found[path] = reason
    return found


def reason_of(error: BaseException) -> str:
    """Return why a picture cannot be decoded, without its path."""
    # Pillow adds the path, which the sentence around the reason names already.
    return re.sub(r" '.*'$", "", str(error))


def _require_every_class(
    paths: list[Path], tops: list[Path], classes: tuple[str, ...], skipped: bool
) -> None:
    filled = {parent for path in paths for parent in path.parents}
    for folder in (top / name for top in tops for name in classes):
        if folder not in filled:
            readable = "readable " if skipped else ""
            raise DataError(
                f'The class folder "{folder}" has no {readable}pictures; add some or remove it.'
            )
