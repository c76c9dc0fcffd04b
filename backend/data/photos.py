"""Photographs without labels, cropped to one size: a folder, or those that come in packages."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from backend.data import counter, gcompris
from backend.data.image_folder import BROKEN, SUFFIXES, load_upright, reason_of
from backend.data.manifest import DataError, FileEntry, Manifest, Split
from backend.data.splits import choose, split_options

Source = Literal["auto", "bundled", "gcompris", "folder"]

BUNDLED_CROPS = 24
"""Crops a photo where nobody says: there are nine bundled photos, and training wants hundreds."""
_SAME = 0.995  # correlation of signatures: a copy at another size or quality
_SMALLEST_CROP = 0.25  # of the area of the largest square
_REMEDY = 'choose the source "bundled", or a folder of your own'


@dataclass(frozen=True)
class Photo:
    """One photograph: its file, a caption, and the licence as its publisher states it."""

    path: Path
    caption: str
    licence: str = ""


# Photographs only: the other pictures of the two packages are drawings, scans, textures or grey.
_BUNDLED = {
    "skimage": {
        "astronaut.png": ("portrait of an astronaut", "public domain (NASA)"),
        "chelsea.png": ("a cat", "CC0 (Stefan van der Walt)"),
        "coffee.png": ("a cup of coffee", "CC0 (Rachel Michetti)"),
        "rocket.jpg": ("launch of a rocket", "public domain (SpaceX)"),
        "hubble_deep_field.jpg": ("galaxies", "public domain (NASA)"),
        "retina.jpg": ("a human retina", "CC0 (Mikael Häggström)"),
        "ihc.png": ("stained tissue", "no known restrictions (CMMI)"),
    },
    "sklearn": {
        "china.jpg": ("a temple", "CC BY 2.0 (danielbuechele)"),
        "flower.jpg": ("a flower", "CC BY 2.0 (vultilion)"),
    },
}
_PACKAGES = {"skimage": ("scikit-image", "data"), "sklearn": ("scikit-learn", "datasets/images")}


def photos(
    source: Source = "auto",
    folder: Path | str | None = None,
    *,
    size: int = 256,
    fit: Literal["crop", "stretch"] = "crop",
    crops: int | None = None,
    recolour: float = 0.0,
    on_error: Literal["stop", "skip"] = "stop",
    download: bool = False,
    **options: Any,
) -> Manifest:
    """Return the manifest of a set of photographs; splits are cut by photo, never by crop.

    Args:
        source: ``bundled`` are nine photographs that come with scikit-image and scikit-learn;
            ``gcompris`` the 246 of the Debian package; ``folder`` all pictures below ``folder``;
            ``auto`` is ``gcompris`` if it is here, else ``bundled``.
        folder: for ``folder`` only; folders inside it are searched too.
        size: height and width of the crops, in pixels.
        fit: ``crop`` cuts squares out; ``stretch`` bends the whole to a square.
        crops: crops of each photo: the first from the middle and as large as it can be, the others
            at seeded places with a quarter to all of its area. None: 24 for ``bundled``, else 1.
        recolour: how far training crops after a photo's first have their colours changed, 0 to 1.
        on_error: what to do about a picture that cannot be read or is less than ``size`` / 2
            pixels high or wide: ``stop`` names it and refuses, ``skip`` leaves it out and lists
            it in ``options["skipped"]``, as is always done for the other sources and for a photo
            that shows the same as another.
        download: fetch the Debian package for ``gcompris`` if it is not here.
        options: those of :func:`backend.data.splits.split_options`.

    Raises:
        DataError: no such source, no or too few photos, or a broken one.
    """
    if source not in _SOURCES:
        raise DataError(f'There is no source "{source}"; choose one of {", ".join(_SOURCES)}.')
    if size < 1 or (crops is not None and crops < 1):
        raise DataError("The picture size and the number of crops are positive numbers.")
    if source == "auto":
        source = "gcompris" if gcompris.is_here() else "bundled"
    found, title = _SOURCES[source](folder, download)
    # A user can remove a photo of their own, not one of a package.
    skipped = _unusable(found, size, on_error if source == "folder" else "skip")
    found = [photo for photo in found if photo.path not in skipped]
    crops = crops or (BUNDLED_CROPS if source == "bundled" else 1)
    about = {"source": source, "size": size, "fit": fit, "crops": crops}
    about |= {"recolour": recolour} if recolour else {}
    about["skipped"] = [[str(path), reason] for path, reason in skipped.items()]
    return _manifest(found, title, share_out(len(found), options) | about)


def _manifest(found: Sequence[Photo], title: str, options: dict[str, Any]) -> Manifest:
    """Describe the files; what comes in a package is hashed, since it is installed anew at times.

    Raises:
        DataError: a split is empty.
    """
    each = "" if options["crops"] == 1 else f", {options['crops']} crops each"
    digest = options["source"] != "folder"
    about = {
        "captions": [photo.caption for photo in found],
        "licences": [photo.licence for photo in found],
    }
    manifest = Manifest(
        kind="photos",
        title=f"{title} ({len(found):,} photos{each})",
        classes=(),
        files=tuple(FileEntry.of(photo.path, digest=digest) for photo in found),
        options=options | about,
    )
    for split in ("train", "val", "test"):
        chosen(manifest, split)
    return manifest


def chosen(manifest: Manifest, split: Split) -> np.ndarray:
    """Return which photos of the manifest form ``split``: sorted indices into its files.

    Raises:
        DataError: there are too few.
    """
    return choose(np.zeros(len(manifest.files), np.int64), split, manifest.options)


def open_photos(manifest: Manifest, split: Split) -> PhotoImages:
    """Return the crops of the photos of a split, all crops of a photo one after the other.

    ``options["kept"]`` may name a part of them by split, as lists of indices.
    """
    kept = manifest.options.get("kept", {}).get(split)
    which = None if kept is None else np.asarray(kept, np.int64)
    strength = manifest.options.get("recolour", 0.0) if split == "train" else 0.0
    return PhotoImages(manifest, chosen(manifest, split), which, recolour=strength)


class PhotoImages:
    """Crops of photographs, decoded when they are taken: (N, size, size, 3), no labels.

    ``kept`` (N,) are indices into the crops of all photos; None: every crop.
    """

    def __init__(
        self,
        manifest: Manifest,
        indices: np.ndarray,
        kept: np.ndarray | None = None,
        *,
        recolour: float = 0.0,
    ) -> None:
        options = manifest.options
        self._recolour = recolour
        self.crops: int = options["crops"]
        self.photos = np.repeat(indices, self.crops)  # (N,) index into the files of the manifest
        self.places = np.tile(np.arange(self.crops), len(indices))  # (N,) number of the crop
        if kept is not None:
            self.photos, self.places = self.photos[kept], self.places[kept]
        self.labels = np.zeros(len(self.photos), np.int64)
        self.shape = (options["size"], options["size"], 3)
        self._files = manifest.files
        self._options = options
        self._open: OrderedDict[int, Image.Image] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of crops."""
        return len(self.photos)

    def caption(self, i: int) -> str:
        """Return the caption of the photo that crop ``i`` is from."""
        return str(self._options["captions"][self.photos[i]])

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return the crops at ``indices`` (B,) as uint8 (B, size, size, 3).

        Raises:
            DataError: a photo cannot be decoded.
        """
        return np.stack([self._crop(int(i)) for i in indices])

    def _crop(self, i: int) -> np.ndarray:
        photo, place = int(self.photos[i]), int(self.places[i])
        whole = self._photo(photo)
        box = crop_box(whole.size, self._options, photo, place)
        size = self._options["size"]
        small = whole.resize((size, size), Image.Resampling.BICUBIC, box=box, reducing_gap=None)
        pixels = np.asarray(small, np.uint8)
        if self._recolour and place:
            keys = photo, place, np.arange(6)
            draws = 2 * counter.uniform(self._options["seed"], "recolour", *keys) - 1
            pixels = recoloured(pixels, draws, self._recolour)
        return pixels

    def _photo(self, photo: int) -> Image.Image:
        """Decode a photo, the last few kept: its crops are taken one after the other."""
        if photo not in self._open:
            path = self._files[photo].path
            try:
                # Four times the size: the smallest crop still has twice the pixels it needs.
                self._open[photo] = load_upright(path, least=4 * self._options["size"])
            except BROKEN as error:
                raise DataError(
                    f'The picture "{path}" cannot be read ({reason_of(error)}); repair or remove '
                    "it, and run the data node again."
                ) from error
            while len(self._open) > 2:
                self._open.popitem(last=False)
        return self._open[photo]


def recoloured(pixels: np.ndarray, draws: np.ndarray, strength: float) -> np.ndarray:
    """Return uint8 (H, W, 3) pixels of other hue, saturation, white and brightness.

    ``draws`` (6,) in -1 .. 1 say what changes; at ``strength`` 1 hues turn by up to half a circle.
    Few photos hold few colours, and an edit is learned for those that were seen.
    """
    turn, more, *whites, bright = (strength * draws).tolist()
    axis = np.full((3, 3), 1 / 3)  # onto the greys
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    # Rodrigues' rotation about the greys, what is off them made larger or smaller.
    hue = np.cos(np.pi * turn) * (np.eye(3) - axis) + np.sin(np.pi * turn) * cross
    matrix = np.exp(0.4 * np.array(whites))[:, None] * (axis + np.exp(0.7 * more) * hue)
    found = np.clip(pixels / 255 @ matrix.T, 0, 1) ** np.exp(0.6 * bright)
    return np.round(found * 255).astype(np.uint8)


def crop_box(
    size: tuple[int, int], options: dict[str, Any], photo: int, place: int
) -> tuple[float, float, float, float]:
    """Return what is cut out of a photo of ``size`` (width, height): left, top, right, bottom.

    Place 0 is the middle; the others depend on the split seed, the photo and the place alone. A
    crop that would have to be enlarged is taken larger.
    """
    width, height = size
    high, wide = float(height), float(width)
    if options["fit"] == "crop":
        high = wide = float(min(width, height))
    left, top = (width - wide) / 2, (height - high) / 2
    if place:
        seed = options["seed"]
        area, x, y = (float(counter.uniform(seed, f"photo {k}", photo, place)[0]) for k in "axy")
        side = np.sqrt(_SMALLEST_CROP + (1 - _SMALLEST_CROP) * area)
        side = min(1.0, max(float(side), options["size"] / min(high, wide)))
        high, wide = high * side, wide * side
        left, top = (width - wide) * x, (height - high) * y
    return left, top, left + wide, top + high


def share_out(
    count: int, options: dict[str, Any], parts: tuple[Split, ...] = ("train",), what: str = "photo"
) -> dict[str, Any]:
    """Return the split options, the shares raised so that few things give one a split.

    ``parts`` are the splits that are there already; ``count`` things become the others.

    Raises:
        DataError: fewer things than splits to fill.
    """
    need = 3 - len(set(parts) - {"train"})
    if count < need:
        raise DataError(
            f"There {'is' if count == 1 else 'are'} {count} usable {what}{'s' * (count != 1)}; "
            f"training, validation and test need at least one each. Add {what}s."
        )
    made = split_options(parts, **options)
    rest = count
    if "test" not in parts:
        made["test_fraction"] = max(made["test_fraction"], 1 / count)
        rest = count - round(made["test_fraction"] * count)
    rest = min(rest, made["train_limit"] or rest)
    if "val" not in parts:
        made["val_fraction"] = max(made["val_fraction"], 1 / max(2, rest))
    return made


def _bundled(folder: object, download: object) -> tuple[list[Photo], str]:
    # Found without importing the packages, which takes seconds and is not needed.
    found = []
    for module, pictures in _BUNDLED.items():
        package, inside = _PACKAGES[module]
        spec = find_spec(module)
        root = next(iter((spec and spec.submodule_search_locations) or ()), None)
        for name, (caption, licence) in pictures.items():
            path = Path(root or "", inside, name)
            if root is None or not path.is_file():
                raise DataError(
                    f'The photo {name} comes with the package "{package}"; install it with '
                    f"python -m pip install {package}."
                )
            found.append(Photo(path, caption, licence))
    return found, "Bundled photos"


def _gcompris(folder: object, download: bool) -> tuple[list[Photo], str]:
    return [Photo(*one) for one in gcompris.photos(download=download)], "GCompris"


def _folder(folder: Path | str | None, download: object) -> tuple[list[Photo], str]:
    if not folder:
        raise DataError("Give the folder that holds the photos.")
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise DataError(f'There is no folder "{root}"; choose one that holds photos.')
    found = [Photo(path, path.stem.replace("_", " ")) for path in pictures_below(root)]
    if not found:
        raise DataError(f'The folder "{root}" holds no pictures; {_listed()} are read.')
    return found, root.name


def pictures_below(root: Path) -> Iterator[Path]:
    """Yield every picture in ``root`` and the folders inside it, in a fixed order."""
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                yield Path(place, name)


def _listed() -> str:
    return ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))


def _unusable(found: Sequence[Photo], size: int, on_error: str) -> dict[Path, str]:
    """Decode every photo once; return those that cannot be used with the reason, or refuse.

    Of photos that show the same only the first is used: two of them could be in two splits.
    """

    def look(photo: Photo) -> tuple[str, np.ndarray | None]:
        try:
            with Image.open(photo.path) as header:
                width, height = header.size
            whole = load_upright(photo.path, least=max(size, 64))
        except BROKEN as error:
            return f"cannot be read ({reason_of(error)})", None
        if 2 * min(width, height) < size:
            return f"is only {width} x {height} pixels, less than half of {size}", None
        return "", signature(whole)

    skipped: dict[Path, str] = {}
    signatures: dict[Path, np.ndarray] = {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for photo, (reason, seen) in zip(found, pool.map(look, found), strict=True):
            if reason and on_error == "stop":
                pool.shutdown(wait=False, cancel_futures=True)
                raise DataError(
                    f'The picture "{photo.path}" {reason}; remove it, or choose to skip such '
                    "pictures."
                )
            if seen is None:
                skipped[photo.path] = reason
            else:
                signatures[photo.path] = seen
    if len(skipped) == len(found):
        raise DataError(f"None of the {len(found)} pictures can be used; {_REMEDY}.")
    return skipped | _repeated(signatures)


def signature(image: Image.Image) -> np.ndarray:
    """Return 768 float32 numbers, of unit length and mean 0, that tell photos apart at any size."""
    small = image.resize((16, 16), Image.Resampling.BOX)
    values = np.asarray(small, np.float32).reshape(-1)
    values = values - values.mean()
    return values / max(float(np.linalg.norm(values)), 1.0)


def _repeated(signatures: dict[Path, np.ndarray]) -> dict[Path, str]:
    paths, repeated = list(signatures), {}
    table = np.stack(list(signatures.values()))
    for start in range(0, len(table), 512):
        likeness = table[start : start + 512] @ table.T
        for row, column in zip(*np.nonzero(likeness > _SAME), strict=True):
            if column < start + row and paths[column] not in repeated:
                repeated[paths[start + row]] = f'shows the same as "{paths[column]}"'
    return repeated


_SOURCES: dict[str, Callable[[Any, Any], tuple[list[Photo], str]]] = {
    "auto": _bundled,
    "bundled": _bundled,
    "gcompris": _gcompris,
    "folder": _folder,
}
