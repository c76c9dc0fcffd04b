"""A document's file: who edits it, what it held when it was read, and its earlier versions."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

from filelock import FileLock, Timeout

from backend.core import graph_file
from backend.core.errors import DocumentError
from backend.core.files import slug, write_atomic
from backend.core.graph import Graph
from backend.core.workspace import Workspace

VERSIONS = 5
"""How many earlier versions of each file are kept, unless the settings say otherwise."""


class InUse(DocumentError):  # noqa: N818 (a state, told as one)
    """Another window edits the file; it can be opened as a copy."""


class ChangedOnDisk(DocumentError):  # noqa: N818
    """The file is no longer what was read; saving would lose what somebody else wrote."""


class DocumentFile:
    """The file of an open document, claimed for this window until :meth:`release`.

    The claim is a lock of the operating system on a file in the workspace, so it ends with the
    process however that ends, and nothing appears beside the user's file.
    """

    def __init__(self, path: Path, workspace: Workspace) -> None:
        """Claim ``path``, which need not exist yet.

        Raises:
            InUse: another window has it.
        """
        self.path = Path(os.path.abspath(path))
        self.digest: str | None = None
        self.schema = graph_file.SCHEMA_VERSION
        self._root = workspace.root
        self._lock = self._claimed()

    @classmethod
    def opened(cls, path: Path, workspace: Workspace) -> tuple[DocumentFile, Graph]:
        """Claim and read a file; one that cannot be read is not claimed."""
        file = cls(path, workspace)
        try:
            return file, file.read()
        except BaseException:
            file.release()
            raise

    def read(self) -> Graph:
        """Read the document and remember what the file holds.

        Raises:
            DocumentError: missing, damaged, no graph, or from a newer version.
        """
        digest = digest_of(self.path)  # before reading: a change between the two is noticed later
        data = graph_file.read(self.path)
        graph = Graph.from_json(data, f'"{self.path}"')
        self.digest, self.schema = digest, int(data["schema_version"])
        return graph

    def write(self, graph: Graph, *, force: bool = False, versions: int = VERSIONS) -> str:
        """Write the document, keeping what the file held among its last ``versions``.

        Returns news for the user, if there are any: a file of an older format was replaced.

        Raises:
            ChangedOnDisk: the file is not what was read or written last, and ``force`` is off.
            DocumentError: it cannot be written; the previous file is intact.
        """
        found = digest_of(self.path)
        if found is not None and found != self.digest and not force:
            raise ChangedOnDisk(
                f'"{self.path.name}" was changed by something else since it was opened.',
                "Overwrite it, or save your version under another name.",
            )
        if found is not None and not os.access(self.path, os.W_OK):
            raise _not_saved(self.path, "the file is read-only")
        kept = self._kept(versions) if found is not None else None
        try:
            graph_file.write(self.path.resolve(), graph.to_json())
        except OSError as error:
            raise _not_saved(self.path, _why(error)) from error
        except (TypeError, ValueError) as error:
            raise _not_saved(self.path, "a setting has a value that no file can hold") from error
        self.digest = digest_of(self.path)
        self.schema = graph_file.SCHEMA_VERSION
        if kept is None:
            return ""
        return (
            f'"{self.path.name}" was in an older format and is in the present one now. '
            f'The file as it was is kept at "{kept}".'
        )

    def keep_unsaved(self, graph: Graph) -> None:
        """Put a state that is about to be given up among the earlier versions, if possible."""
        with contextlib.suppress(OSError, TypeError, ValueError):
            graph_file.write(self._version("-unsaved"), graph.to_json())

    def is_at(self, path: Path) -> bool:
        """Tell whether ``path`` is this file."""
        return _key(path) == _key(self.path)

    def versions(self) -> list[Path]:
        """Earlier versions, newest first."""
        return sorted(self._versions.glob("*.json"), reverse=True)

    def release(self) -> None:
        """Let other windows have the file."""
        if self._lock is not None:
            self._lock.release()

    # -- inner -----------------------------------------------------------------------------------

    def _claimed(self) -> FileLock | None:
        folder = self._root / "locks"
        lock = FileLock(folder / f"{_key(self.path)}.lock", thread_local=False)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:
            raise InUse(
                f'"{self.path.name}" is open in another window.',
                "Go on there, or open a copy of it here.",
            ) from error
        except OSError:
            return None  # a workspace that cannot be written must not keep files from opening
        return lock

    @property
    def _versions(self) -> Path:
        return self._root / "backups" / f"{slug(self.path.stem)[:40]}-{_key(self.path)[:8]}"

    def _version(self, mark: str = "") -> Path:
        now = time.time()
        stamp = time.strftime("%Y-%m-%d_%H-%M-%S", time.localtime(now))
        return self._versions / f"{stamp}-{int(now * 1e6) % 1_000_000:06}{mark}.json"

    def _kept(self, most: int) -> Path | None:
        """Copy the file as it is to the earlier versions; one in an older format stays for good."""
        is_older = self.schema < graph_file.SCHEMA_VERSION
        path = self._version(f"-schema{self.schema}" if is_older else "")
        try:
            content = self.path.read_bytes()
            versions = self.versions()
            if is_older or (most and not (versions and versions[0].read_bytes() == content)):
                write_atomic(path, content)
        except OSError as error:
            if is_older:
                raise _not_saved(
                    self.path, "it is in an older format and no copy of it can be kept"
                ) from error
            return None  # an earlier version is a comfort, not a reason to refuse to save
        plain = [p for p in self.versions() if "schema" not in p.stem]
        for old in plain[most:]:
            with contextlib.suppress(OSError):
                old.unlink()
        return path if is_older else None


def completed(path: Path) -> Path:
    """Return a path that ends in ``.json``.

    Raises:
        DocumentError: the ending had to be added and there is such a file: nobody was asked.
    """
    if path.suffix.lower() == ".json":
        return path
    full = path.with_name(f"{path.name}.json")
    if full.exists():
        raise DocumentError(
            f'There is already a file "{full.name}".',
            "Write its whole name to replace it, or choose another.",
        )
    return full


def digest_of(path: Path) -> str | None:
    """Return a digest of a file's content; None when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _key(path: Path) -> str:
    """Name one file the same way however it is reached."""
    real = os.path.normcase(os.path.realpath(path))
    return hashlib.sha256(real.encode()).hexdigest()[:24]


def _not_saved(path: Path, why: str) -> DocumentError:
    return DocumentError(
        f'"{path}" was not saved: {why}.',
        "Save it under another name; your changes are kept until you do.",
    )


def _why(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "the folder is read-only"
    if isinstance(error, NotADirectoryError | FileExistsError):
        return "a part of its path is a file, not a folder"
    return (error.strerror or type(error).__name__).lower()
