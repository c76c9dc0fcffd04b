"""What a crash would lose: the last unsaved state of each open document, apart from its file.

A journal is one file and one lock. The file is there while something is unsaved; the lock is held
by the window that writes it. A file whose lock nobody holds is what a window left that ended
without being asked whether to save.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from PySide6.QtCore import QObject, QTimer, Signal

from backend.core import graph_file
from backend.core.errors import DocumentError
from backend.core.files import write_atomic
from backend.core.graph import Graph
from backend.core.run import is_held
from backend.core.workspace import Workspace
from studio.differences import differences, is_same
from studio.words import is_moment

FORMAT = "fretsaw.journal"
DELAY_MS = 500


@dataclass(frozen=True)
class Entry:
    """What is written: a state, the file it belongs to, and what that file held when read."""

    graph: Graph
    path: Path | None
    digest: str | None


@dataclass(frozen=True)
class Leftover:
    """An unsaved state that a window left behind."""

    file: Path
    written: float
    entry: Entry

    @property
    def name(self) -> str:
        """Name of the document, or of its file."""
        return self.entry.path.name if self.entry.path else self.entry.graph.name

    def differences(self) -> list[str]:
        """Say what restoring would bring, compared with the file as it is now."""
        return differences(_on_disk(self.entry.path) or Graph(), self.entry.graph)

    def discard(self) -> None:
        """Forget it."""
        for path in (self.file, self.file.with_suffix(".lock")):
            with contextlib.suppress(OSError):
                path.unlink()


class Journal(QObject):
    """Writes the unsaved state of one document, half a second after an edit, beside the UI."""

    failed = Signal(str)
    """The state could not be written: a sentence, told once until it works again."""
    _written = Signal()

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = workspace.root / "journal"
        self._lock: FileLock | None = None
        self._source: Callable[[], Entry] | None = None
        self._writer: threading.Thread | None = None
        self._trouble = ""
        self._is_told = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._write_soon)
        self._written.connect(self._tell)
        self._id = secrets.token_hex(8)

    @property
    def file(self) -> Path:
        """Where this journal's state is, if something is unsaved."""
        return self._folder / f"{self._id}.json"

    def keep(self, source: Callable[[], Entry]) -> None:
        """Have the state that ``source`` gives then written soon; its graph must not change."""
        self._source = source
        if not self._timer.isActive():  # not begun anew: endless typing must be written, too
            self._timer.start(DELAY_MS)

    def flush(self) -> bool:
        """Write now what waits to be written, and tell whether all is written."""
        self._timer.stop()
        self._join()
        if self._source is not None:
            self._write(self._source())
            self._source = None
        self._tell()
        return not self._trouble

    def leave(self) -> None:
        """Write what waits and leave it for the next start."""
        self.flush()
        self._release()

    def discard(self) -> None:
        """Forget the state: it was saved, or given up knowingly."""
        self._timer.stop()
        self._join()
        self._source = None
        with contextlib.suppress(OSError):
            self.file.unlink()
        if self._lock is not None:
            with contextlib.suppress(OSError):
                Path(self._lock.lock_file).unlink()
        self._release()

    @staticmethod
    def leftovers(workspace: Workspace) -> list[Leftover]:
        """Return unsaved states of windows that are gone, newest first; saved ones are dropped."""
        found = []
        for file in (workspace.root / "journal").glob("*.json"):
            if _is_written(file):
                continue
            leftover = _read(file)
            if leftover is None:
                continue
            if is_same(_on_disk(leftover.entry.path) or Graph(), leftover.entry.graph):
                leftover.discard()
            else:
                found.append(leftover)
        return sorted(found, key=lambda one: -one.written)

    # -- inner -----------------------------------------------------------------------------------

    def _write_soon(self) -> None:
        if self._writer is not None and self._writer.is_alive():
            self._timer.start(DELAY_MS)
            return
        self._tell()
        source, self._source = self._source, None
        if source is not None:
            entry = source()
            # A thread for each write: flushing to a slow disk must not stop the window, and a
            # thread that ends by itself needs nobody to end it.
            self._writer = threading.Thread(target=self._write, args=(entry,), name="journal")
            self._writer.start()

    def _write(self, entry: Entry) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._lock is None:
                lock = FileLock(self.file.with_suffix(".lock"), thread_local=False)
                lock.acquire(timeout=0)
                self._lock = lock
            write_atomic(self.file, graph_file.as_text(_encoded(entry)))
            self._trouble = ""
        except (OSError, TypeError, ValueError) as error:
            self._trouble = getattr(error, "strerror", "") or str(error)
        self._written.emit()  # from the writer's thread: heard in the window's

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
            self._id = secrets.token_hex(8)  # the next state is another one

    def _join(self) -> None:
        if self._writer is not None:
            self._writer.join()
            self._writer = None

    def _tell(self) -> None:
        if self._trouble and not self._is_told:
            self.failed.emit(
                f'Unsaved work cannot be kept safe in "{self._folder}": '
                f"{self._trouble.lower().rstrip('.')}. Save often, or choose another workspace."
            )
        self._is_told = bool(self._trouble)


def _encoded(entry: Entry) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "schema_version": 1,
        "written": time.time(),
        "path": str(entry.path) if entry.path else None,
        "digest": entry.digest,
        "graph": graph_file.encode(entry.graph),
    }


def _is_written(file: Path) -> bool:
    """Tell whether a window lives that writes this journal."""
    return is_held(file.with_suffix(".lock"), wait=0)


def _read(file: Path) -> Leftover | None:
    try:
        data = graph_file.read(file)
        if data.get("format") != FORMAT or data.get("schema_version") != 1:
            return None  # of a newer version: it may read it yet
        graph = Graph.from_json(data["graph"], f'"{file}"')
        path = Path(data["path"]) if data["path"] else None
        written = float(data["written"])
        if not is_moment(written):
            written = file.stat().st_mtime
        return Leftover(file, written, Entry(graph, path, data["digest"]))
    except (DocumentError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _on_disk(path: Path | None) -> Graph | None:
    if path is None:
        return None
    try:
        return Graph.load(path)
    except DocumentError:
        return None
