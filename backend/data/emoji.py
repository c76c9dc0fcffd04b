"""Pairs of equal emoji by two makers: Google's drawings and Twitter's, 64 x 64 pixels.

They are in the npm packages emoji-datasource-google and -twitter (MIT; the drawings by Google are
under Apache-2.0, those by Twitter under CC BY 4.0). Pictures are read where the user has them.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from backend.data.image_folder import BROKEN, reason_of
from backend.data.manifest import DataError, Split, workspace
from backend.data.pairs import Pair, PairsManifest, write_picture
from backend.data.photos import share_out
from backend.data.splits import choose

VERSION = "16.0.0"
SIDE = 64
LICENCE = "MIT; drawings by Google Apache-2.0, by Twitter CC BY 4.0"
MEGABYTES = 136
_TIMEOUT = 900  # seconds for one download
_MOST_BYTES = 2**22  # of one file in a package
_TONES = {f"1f3f{digit}" for digit in "bcdef"}
_NAME = re.compile(r"[0-9a-f]{2,6}(-[0-9a-f]{2,6})*\.png")


@dataclass(frozen=True)
class Package:
    """One npm package of emoji: its maker, and the SHA-256 of its archive."""

    maker: str
    sha256: str

    @property
    def name(self) -> str:
        """The package's name at npm."""
        return f"emoji-datasource-{self.maker}"

    @property
    def archive(self) -> str:
        """The file name that ``npm pack`` gives."""
        return f"{self.name}-{VERSION}.tgz"

    @property
    def pictures(self) -> str:
        """The folder of its pictures."""
        return f"img/{self.maker}/{SIDE}/"


GOOGLE = Package("google", "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438")
TWITTER = Package("twitter", "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877")
PACKAGES = (GOOGLE, TWITTER)


def cache() -> Path:
    """Return where the archives are put if they are downloaded."""
    return workspace() / "cache" / "emoji"


def is_here() -> bool:
    """Tell whether both archives lie in the cache, so that no download is needed."""
    return all((cache() / package.archive).is_file() for package in PACKAGES)


def fetch(folder: Path) -> None:
    """Download with npm those of both archives that are not in ``folder``.

    Raises:
        DataError: npm is not here, or could not get one.
    """
    for package in PACKAGES:
        if not (folder / package.archive).is_file():
            _fetch(package, folder / package.archive)


def emoji_pairs(
    target: Path,
    local: Path | str | None = None,
    *,
    download: bool = False,
    tones: bool = False,
    on_done: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> PairsManifest:
    """Write the pairs Google -> Twitter into ``target``; return their manifest, 64 x 64 RGB.

    Args:
        target: folder for the pictures, named by content; transparent parts become white.
        local: folder with both archives or both packages unpacked; None: the cache.
        download: get the archives with ``npm pack`` if they are not here.
        tones: with the five skin tones of each emoji, which are nearly the same.
        on_done: called with the number of pairs that are written, and of all.
        options: those of :func:`backend.data.splits.split_options`. All tones of an emoji are in
            one split.

    Raises:
        DataError: the packages are not here, are another version, damaged, or share no emoji.
    """
    makers = [_pictures(package, local, download) for package in PACKAGES]
    bases = _bases(makers[0].pop("emoji.json", b""), local)
    makers[1].pop("emoji.json", None)
    common = sorted(makers[0].keys() & makers[1].keys())
    of = {name: _base_of(name, bases) for name in common}
    if not tones:
        common = [name for name in common if not _TONES & set(name[:-4].split("-"))]
    if not common:
        raise DataError(
            f"The two packages have no emoji of equal names; give those of one version, {VERSION}."
        )
    numbers = {base: i for i, base in enumerate(sorted({of[name] for name in common}))}
    splits, made = _splits(len(numbers), options)
    pairs = []
    for done, name in enumerate(common, 1):
        number = numbers[of[name]]
        if splits[number]:
            entries = (write_picture(_on_white(one[name], name), target) for one in makers)
            pairs.append(Pair(*entries, split=splits[number], concept="Twitter", photo=number))
        on_done(done, len(common))
    about = {"source": "emoji", "version": VERSION, "licence": LICENCE, "tones": tones}
    title = f"Emoji, Google to Twitter ({len(pairs):,} pairs)"
    return PairsManifest(title, (SIDE, SIDE), tuple(pairs), made | about)


def _splits(count: int, options: dict[str, Any]) -> tuple[dict[int, Split], dict[str, Any]]:
    """Return the split of each base emoji ("" where a limit leaves it out), and the options."""
    made = share_out(count, options, what="emoji")
    splits: dict[int, Any] = dict.fromkeys(range(count), "")
    for split in ("train", "val", "test"):
        for i in choose(np.zeros(count, np.int64), split, made):
            splits[int(i)] = split
    return splits, made


def _bases(data: bytes, local: Path | str | None) -> dict[str, str]:
    """Return picture -> picture of its base emoji, as the package's own list says."""
    try:
        table: dict[str, str] = {}
        for entry in json.loads(data):
            base = str(entry["image"])
            table[base] = base
            for tone in entry.get("skin_variations", {}).values():
                table[str(tone["image"])] = base
        return table
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        where = f' in "{local}"' if local is not None else ""
        raise DataError(
            f"The list emoji.json of {GOOGLE.name}{where} is missing or damaged; it tells which "
            f"emoji differ by skin tone only. Get the package {VERSION} again."
        ) from error


def _base_of(name: str, bases: Mapping[str, str]) -> str:
    """Return the base of a picture; one that is not listed is the base without its tones."""
    plain = "-".join(code for code in name[:-4].split("-") if code not in _TONES) + ".png"
    return bases.get(name) or bases.get(plain) or plain


def _on_white(data: bytes, name: str) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.size != (SIDE, SIDE):
                raise ValueError(f"it is {image.width} x {image.height} pixels")
            picture = image.convert("RGBA")
    except BROKEN as error:
        raise DataError(
            f'The emoji "{name}" cannot be read ({reason_of(error)}); get the package again.'
        ) from error
    except ValueError as error:
        raise DataError(f'The emoji "{name}" cannot be used: {error}, not {SIDE}.') from error
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, picture).convert("RGB"), np.uint8)


# -- where they are --------------------------------------------------------------------------------


def _pictures(package: Package, local: Path | str | None, download: bool) -> dict[str, bytes]:
    """Return the files of a package by name: its pictures and emoji.json."""
    if local is None:
        path = cache() / package.archive
        if not path.is_file():
            if not download:
                raise DataError(
                    f"The emoji are not on this computer. Allow the download ({MEGABYTES} MB), or "
                    f'get them with "npm pack {package.name}@{VERSION}" and the like for '
                    f"{' and '.join(p.maker for p in PACKAGES)}, and give the folder."
                )
            _fetch(package, path)
        return _from_archive(package, path)
    folder = Path(local).expanduser().absolute()
    if folder.is_file():
        folder = folder.parent
    archive = folder / package.archive
    if archive.is_file():
        return _from_archive(package, archive)
    for place in (folder, folder / package.name, folder / "node_modules" / package.name):
        if (place / package.pictures).is_dir():
            return _from_folder(package, place)
    raise DataError(
        f'The folder "{folder}" holds neither {package.archive} nor {package.pictures}; give the '
        f"folder with the packages {' and '.join(p.name for p in PACKAGES)}."
    )


def _from_folder(package: Package, place: Path) -> dict[str, bytes]:
    found = {
        path.name: path.read_bytes()
        for path in sorted((place / package.pictures).iterdir())
        if _NAME.fullmatch(path.name) and path.stat().st_size <= _MOST_BYTES
    }
    if (place / "emoji.json").is_file():
        found["emoji.json"] = (place / "emoji.json").read_bytes()
    return found


def _from_archive(package: Package, path: Path) -> dict[str, bytes]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != package.sha256:
        raise DataError(
            f'"{path}" is not {package.name} {VERSION}: its SHA-256 is {digest[:16]}..., not '
            f"{package.sha256[:16]}...; remove it, and get it again."
        )
    found: dict[str, bytes] = {}
    inside = f"package/{package.pictures}"
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = member.name.removeprefix(inside)
                if member.name == "package/emoji.json":
                    name = "emoji.json"
                elif name == member.name or not _NAME.fullmatch(name):
                    continue
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None and member.size <= _MOST_BYTES:
                    found[name] = content.read()
    except (OSError, tarfile.TarError, EOFError) as error:
        raise DataError(f'"{path}" cannot be unpacked ({error}); get it again.') from error
    return found


def _fetch(package: Package, path: Path) -> None:
    """Get the archive with ``npm pack``; nothing of it is run."""
    program = shutil.which("npm")
    if program is None:
        raise DataError(
            "npm, which downloads the emoji, is not on this computer; install Node.js, or give "
            "the folder with both packages."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".emoji.", dir=path.parent) as name:
        command = [program, "pack", "--ignore-scripts", "--silent", f"{package.name}@{VERSION}"]
        try:
            done = subprocess.run(
                command, cwd=name, capture_output=True, text=True, timeout=_TIMEOUT, check=False
            )
            reason = done.stderr.strip().split("\n")[-1] if done.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = str(error) or "it gave no reason"
        fetched = Path(name, package.archive)
        if reason or not fetched.is_file():
            raise DataError(
                f"npm could not fetch {package.name} {VERSION} ({reason or 'no file came'}); "
                "check the connection, or give the folder with both packages."
            )
        fetched.replace(path)
