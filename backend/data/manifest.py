"""What data are: a manifest of files, never a copy of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

Split = Literal["train", "val", "test"]


class DataError(ValueError):
    """Data that cannot be used; the message names the file and what to do."""

    for_user = True


class ImageSet(Protocol):
    """Pictures of one size with a label each, read by index."""

    labels: np.ndarray  # (N,) int64
    shape: tuple[int, int, int]  # (H, W, C)

    def __len__(self) -> int:
        """Return the number of pictures N."""
        ...

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return the pictures at ``indices`` (B,) as uint8 (B, H, W, C)."""
        ...


@dataclass(frozen=True)
class FileEntry:
    """One file as it was: absolute path, size in bytes, time of change; content hash if taken."""

    path: str
    size: int
    mtime_ns: int
    sha256: str | None = None

    @classmethod
    def of(cls, path: Path, *, digest: bool = False) -> FileEntry:
        """Describe the file at ``path``; ``digest`` reads it whole and keeps its SHA-256."""
        path = Path(os.path.abspath(path))
        about = path.stat()
        return cls(str(path), about.st_size, about.st_mtime_ns, _sha256(path) if digest else None)

    def change(self) -> str | None:
        """Return in one sentence how the file differs from what it was, or None."""
        try:
            about = os.stat(self.path)
        except OSError:
            return f'The data file "{self.path}" is gone; put it back, or run the data node again.'
        if about.st_size == self.size:
            if about.st_mtime_ns == self.mtime_ns:
                return None
            # A copy or a fresh checkout changes the time but not the content.
            if self.sha256 is not None and _sha256(Path(self.path)) == self.sha256:
                return None
        return f'The data file "{self.path}" has changed; run the data node again.'


@dataclass(frozen=True)
class Manifest:
    """A data set: its reader (``kind``), classes in label order, files, and the reader's options.

    ``options`` is JSON data. Every kind has ``parts`` (the splits that exist in the files; the
    others are cut from ``train``), ``seed``, ``val_fraction``, ``test_fraction``, ``train_limit``
    and ``test_limit``; see :mod:`backend.data.splits`.
    """

    kind: str
    title: str
    classes: tuple[str, ...]
    files: tuple[FileEntry, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as JSON data."""
        return asdict(self) | {"classes": list(self.classes), "files": [*map(asdict, self.files)]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Manifest:
        """Return the manifest that ``to_json`` gave.

        Raises:
            DataError: a field is missing or of another type.
        """
        try:
            return cls(
                kind=str(data["kind"]),
                title=str(data["title"]),
                classes=tuple(map(str, data["classes"])),
                files=tuple(FileEntry(**entry) for entry in data["files"]),
                options=dict(data["options"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"This is not a data manifest ({error}); run the data node again."
            ) from error

    def stale(self) -> str | None:
        """Return in one sentence which file changed or vanished since, or None."""
        return next(filter(None, (entry.change() for entry in self.files)), None)


def workspace() -> Path:
    """Return the user's workspace: ``FRETSAW_HOME``, or ``Fretsaw`` in the documents folder."""
    home = os.environ.get("FRETSAW_HOME")
    if home:
        return Path(home).expanduser()
    from platformdirs import user_documents_path

    return user_documents_path() / "Fretsaw"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
