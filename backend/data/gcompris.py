"""246 photographs of the Debian package gcompris-qt-data, out of its Qt resource archives.

The package's own list of licences names, file by file, CC BY-SA, CC BY, public domain and CC0; the
rest is GPL-3+. The pictures are read where the user has them, and are no part of this program.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from backend.data.manifest import DataError, workspace

PACKAGE = "gcompris-qt-data"
INSTALLED = Path("/usr/share/gcompris-qt/rcc")
LICENCE = "by file, see the package's copyright file"
_MEGABYTES = 44
# Archive -> the folder whose pictures are photographs.
_PHOTOS = {
    "erase": "erase/resource/",
    "explore_monuments": "explore_monuments/resource/",
    "explore_world_animals": "explore_world_animals/resource/animals/",
    "explore_farm_animals": "explore_farm_animals/resource/animals/",
    "categorization": "categorization/resource/images/",
}
_DRAWN = {"numbers", "alphabets"}
# Names that tell nothing of what is to be seen; the folder does.
_NUMBERED = re.compile(r"[\d_ ]+$")
_ZLIB, _FOLDER, _ZSTD = 1, 2, 4
_MOST_BYTES = 2**26  # of one file, unpacked


def cache() -> Path:
    """Return where the archives are put if the package is fetched and not installed."""
    return workspace() / "cache" / "gcompris"


def is_here() -> bool:
    """Tell whether the photographs can be read without a download."""
    return _archives() is not None


def photos(*, download: bool = False) -> list[tuple[Path, str, str]]:
    """Return (path, caption, licence) of every photograph, unpacked into the workspace once.

    Raises:
        DataError: the package is not here and not asked for, or its archives are damaged.
    """
    archives = _archives()
    if archives is None:
        if not download:
            raise DataError(
                f"The GCompris photos are not on this computer. Allow the download ({_MEGABYTES} "
                f'MB), install them with "sudo apt-get install {PACKAGE}", or choose the source '
                '"bundled".'
            )
        archives = _fetch()
    target = workspace() / "cache" / "gcompris-photos"
    found = []
    for name, inside in _PHOTOS.items():
        for inner, content in read_rcc(archives / f"{name}.rcc"):
            label = inner.partition(inside)[2]
            if label.endswith(".webp") and label.partition("/")[0] not in _DRAWN:
                path = target / name / label
                _keep(path, content)
                found.append((path, _caption(name, label), LICENCE))
    return sorted(found)


def read_rcc(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a Qt resource archive: (path inside, content).

    A header (``qres``, version, offsets of tree, data and names), a tree of nodes that name their
    children, names in UTF-16, and blocks of data with their length before them; big-endian.

    Source: Qt 6 documentation of the resource system; layout as ``rcc`` of Qt 5.13+ writes it

    Raises:
        DataError: no such archive, a damaged one, or one packed with zstd.
    """
    try:
        data = path.read_bytes()
        magic, version, tree, blocks, names = struct.unpack_from(">4sIIII", data)
        if magic != b"qres" or not 1 <= version <= 3:
            raise ValueError("its first bytes are not those of a Qt resource archive")
        yield from _below(data, (tree, blocks, names, 14 if version == 1 else 22), 0, "", 0)
    except (OSError, ValueError, struct.error, zlib.error, RecursionError) as error:
        raise DataError(
            f'The archive "{path}" cannot be read ({error}); install {PACKAGE} again.'
        ) from error


def _below(
    data: bytes, places: tuple[int, int, int, int], node: int, prefix: str, depth: int
) -> Iterator[tuple[str, bytes]]:
    tree, blocks, names, size = places
    if depth > 32:
        raise ValueError("its folders lie in each other too deep")
    at = tree + node * size
    name_at, flags = struct.unpack_from(">IH", data, at)
    name = ""
    if node:
        (length,) = struct.unpack_from(">H", data, names + name_at)
        first = names + name_at + 6  # a hash of the name lies between
        name = data[first : first + 2 * length].decode("utf-16-be")
        if not name or name in (".", "..") or set(name) & set("/\\:\0"):
            raise ValueError("a name in it is no file name")
    inside = f"{prefix}/{name}" if name else prefix
    if flags & _FOLDER:
        count, child = struct.unpack_from(">II", data, at + 6)
        if child <= node and count:
            raise ValueError("its folders contain each other")
        for one in range(child, child + count):
            yield from _below(data, places, one, inside, depth + 1)
        return
    (block,) = struct.unpack_from(">I", data, at + 10)
    (length,) = struct.unpack_from(">I", data, blocks + block)
    content = data[blocks + block + 4 : blocks + block + 4 + length]
    if len(content) != length:
        raise ValueError("it is truncated")
    if flags & _ZSTD:
        if inside.endswith(".webp"):
            raise ValueError("its pictures are packed with zstd, which is not understood")
        return
    # Packed files begin with their unpacked length.
    yield inside, _unpacked(content[4:]) if flags & _ZLIB else content


def _unpacked(content: bytes) -> bytes:
    stream = zlib.decompressobj()
    data = stream.decompress(content, _MOST_BYTES)
    if not stream.eof:
        raise ValueError("a file in it is truncated, or larger than 64 MB")
    return data


def _archives() -> Path | None:
    def has_all(folder: Path) -> bool:
        return all((folder / f"{name}.rcc").is_file() for name in _PHOTOS)

    return next(filter(has_all, (INSTALLED, cache())), None)


def _caption(archive: str, label: str) -> str:
    """``fishes/fish16`` is a fish, ``usa/mountRushmore`` Mount Rushmore, in usa."""
    place, _, file = label.removesuffix(".webp").rpartition("/")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", _NUMBERED.sub("", file)).replace("_", " ").lower()
    is_country = archive == "explore_monuments" and place not in ("", "wonders")
    return f"{words}, {place}" if is_country else words


def _keep(path: Path, content: bytes) -> None:
    if path.is_file() and path.stat().st_size == len(content):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(content)
    os.replace(file.name, path)


def _fetch() -> Path:
    """Get the Debian package and unpack its archives, for which no root is needed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise DataError('This system has no Debian packages; choose the source "bundled".')
    target = cache()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".gcompris.", dir=target.parent) as name:
        folder = Path(name)
        _run(["apt-get", "download", PACKAGE], folder)
        package = next(folder.glob(f"{PACKAGE}_*.deb"), None)
        if package is None:
            raise DataError(f'apt-get fetched no file of {PACKAGE}; choose the source "bundled".')
        _run(["dpkg-deb", "-x", package.name, "unpacked"], folder)
        inner = folder / "unpacked" / INSTALLED.relative_to("/")
        wanted = folder / "wanted"
        wanted.mkdir()
        for archive in _PHOTOS:
            if not (inner / f"{archive}.rcc").is_file():
                raise DataError(
                    f'This version of {PACKAGE} has no archive "{archive}.rcc"; choose the source '
                    '"bundled".'
                )
            os.replace(inner / f"{archive}.rcc", wanted / f"{archive}.rcc")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(wanted, target)
    return target


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
            f'"sudo apt-get install {PACKAGE}", or choose the source "bundled".'
        )
