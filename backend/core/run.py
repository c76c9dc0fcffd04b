"""A run is a directory; everything anybody knows of it is read from there."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from backend.core import events as ev
from backend.core.errors import BusyError, DocumentError
from backend.core.files import parse_json, slug, write_atomic
from backend.core.graph import Graph
from backend.core.workspace import Workspace

State = Literal["queued", "running", "cancelling", "finished", "failed", "cancelled", "crashed"]
_PROBE_SECONDS = 2.0


class _Result(BaseModel):
    status: str = ""
    error: str = ""
    seconds: float = 0.0
    metrics: dict[str, dict[str, dict[str, float]]] = {}
    nodes: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True)
class Tail:
    """What a reader has seen of an event file: the offset after the last whole line."""

    offset: int = 0


class Run:
    """One run directory: ``graph.json``, ``events.jsonl``, ``stop``, ``run.lock``, ``nodes/``.

    ``wait.lock`` is held by a process that waits for its turn, ``run.lock`` by one that computes.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._file: Any = None
        self._waiting: FileLock | None = None

    @classmethod
    def create(
        cls,
        graph: Graph,
        workspace: Workspace | None = None,
        *,
        settings: dict[str, Any] | None = None,
    ) -> Run:
        """Make a new run directory for ``graph``.

        ``settings`` are kept in ``run.json``: device, threads, target, sweep and the like.
        """
        runs = (workspace or Workspace.current()).runs
        stem = f"{datetime.now():%Y-%m-%d_%H-%M}_{slug(graph.name)}"
        number = 1
        runs.mkdir(parents=True, exist_ok=True)
        while True:
            path = runs / (stem if number == 1 else f"{stem}-{number}")
            try:
                path.mkdir()
                break
            except FileExistsError:
                number += 1
        try:
            graph.save(path / "graph.json")
            write_atomic(path / "run.json", json.dumps(settings or {}, indent=1))
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)  # half a run would only be in the way
            raise
        return cls(path)

    @classmethod
    def open(cls, path: Path | str, workspace: Workspace | None = None) -> Run:
        """Open a run by its directory or by its name in the workspace (``last`` is the newest).

        Raises:
            DocumentError: there is no such run.
        """
        runs = (workspace or Workspace.current()).runs
        for candidate in (Path(path), runs / str(path)):
            if (candidate / "graph.json").is_file():
                return cls(candidate)
        known = sorted((p.name for p in runs.glob("*/") if (p / "graph.json").is_file()), key=str)
        matching = known if str(path) == "last" else [name for name in known if str(path) in name]
        if str(path) == "last" and known:
            return cls(max((runs / name for name in known), key=_made))
        if len(matching) == 1:
            return cls(runs / matching[0])
        if matching:
            raise DocumentError(f'"{path}" could be any of: {", ".join(matching[-8:])}.')
        folder = next((c for c in (Path(path), runs / str(path)) if c.is_dir()), None)
        if folder is not None:
            raise DocumentError(
                f'The folder "{folder}" is no run: it has no file graph.json.',
                "List the runs with: python -m backend ls",
            )
        raise DocumentError(
            f'There is no run "{path}" in "{runs}".', "List them with: python -m backend ls"
        )

    @property
    def name(self) -> str:
        """Name of the directory."""
        return self.path.name

    @property
    def settings(self) -> dict[str, Any]:
        """What ``run.json`` holds; empty when it is missing."""
        return _read_json(self.path / "run.json")

    @property
    def result(self) -> dict[str, Any]:
        """What ``result.json`` holds; empty while there is none, or when it is damaged."""
        data = _read_json(self.path / "result.json")
        try:
            _Result.model_validate(data)
        except ValidationError:
            return {}
        return data

    def graph(self) -> Graph:
        """Load the document of this run."""
        return Graph.load(self.path / "graph.json")

    def node_folder(self, node: str) -> Path:
        """Folder of one node in this run."""
        return self.path / "nodes" / node

    # -- writing ---------------------------------------------------------------------------------

    def append(self, event: ev.Event) -> None:
        """Write one event. A torn last line of a crashed writer is ended first."""
        if self._file is None:
            self._file = open(self.path / "events.jsonl", "ab", buffering=0)  # noqa: SIM115
            if not _ends_with_newline(self.path / "events.jsonl"):
                self._file.write(b"\n")
        try:
            rest = memoryview((ev.to_line(event) + "\n").encode())
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.close()  # the next event begins behind a line end, whatever was written of this
            error.filename = error.filename or str(self.path / "events.jsonl")
            raise

    def metric(self, node: str, step: int, **values: float) -> None:
        """Append a metric from outside any node, such as a figure measured on a phone."""
        self.append(ev.Metric(node=node, step=step, values=values))

    def sync(self) -> None:
        """Force the events written so far onto the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the event file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # -- reading ---------------------------------------------------------------------------------

    def tail(self, seen: Tail = Tail()) -> tuple[list[ev.Event], Tail]:
        """Return the events written since ``seen``; a line without its end is left for later."""
        try:
            with open(self.path / "events.jsonl", "rb") as file:
                file.seek(seen.offset)
                data = file.read()
        except FileNotFoundError:
            return [], seen
        end = data.rfind(b"\n") + 1
        found = [
            event for line in data[:end].split(b"\n") if line and (event := ev.parse_line(line))
        ]
        return found, Tail(seen.offset + end)

    def events(self) -> list[ev.Event]:
        """Return all events that count: what a resume made void is left out."""
        return ev.without_undone(self.tail()[0])

    def follow(self, poll_seconds: float = 0.1) -> Iterator[ev.Event]:
        """Yield events as they are written, until the run is no longer alive."""
        seen = Tail()
        while True:
            is_alive = self.is_alive()
            found, seen = self.tail(seen)
            yield from found
            if not found and not is_alive:
                return
            time.sleep(poll_seconds)

    def state(self) -> State:
        """Say how the run stands, from its locks and its last events."""
        if self.is_alive():
            return "cancelling" if self.stop_requested() else "running"
        if self.is_waiting():  # also a run that goes on, with events of an earlier attempt
            return "cancelling" if self.stop_requested() else "queued"
        status = self.result.get("status")
        if status in ("finished", "failed", "cancelled"):
            return status  # type: ignore[no-any-return]
        return "crashed" if (self.path / "events.jsonl").exists() else "queued"

    # -- stop and lock ---------------------------------------------------------------------------

    def request_stop(self) -> None:
        """Ask the run to stop; it does within about a second."""
        (self.path / "stop").touch()

    def stop_requested(self) -> bool:
        """Whether someone asked the run to stop."""
        return (self.path / "stop").exists()

    def clear_stop(self) -> None:
        """Remove a stop request left from before."""
        (self.path / "stop").unlink(missing_ok=True)

    def lock(self) -> FileLock:
        """Take the run for this process; release the returned lock when done.

        Raises:
            BusyError: another process is running it.
        """
        lock = FileLock(self.path / "run.lock")
        try:
            # A reader's probe holds the lock for a moment; wait that out.
            lock.acquire(timeout=_PROBE_SECONDS, poll_interval=0.05)
        except Timeout as error:
            raise self._busy() from error
        self.wait_no_more()  # not sooner: between the two locks the run would look dead
        return lock

    def refuse_if_alive(self) -> None:
        """Refuse to go on if another process is computing this run.

        Raises:
            BusyError: it is; its stop request, if any, is left to it.
        """
        self.lock().release()  # not by is_alive: another reader's probe must not count

    def _busy(self) -> BusyError:
        return BusyError(
            f'The run "{self.name}" is already being computed by another process.',
            f"Wait for it, or stop it with: python -m backend stop {self.name}",
        )

    def is_alive(self) -> bool:
        """Whether a process holds the lock; never judged by a process id."""
        return is_held(self.path / "run.lock")

    # -- waiting for its turn --------------------------------------------------------------------

    def wait(self) -> None:
        """Show that this process waits to compute the run; :meth:`lock` ends it.

        Raises:
            BusyError: another process waits with it.
        """
        if self._waiting is not None:
            return
        lock = FileLock(self.path / "wait.lock")
        try:
            lock.acquire(timeout=_PROBE_SECONDS, poll_interval=0.05)
        except Timeout as error:
            raise self._busy() from error
        self._waiting = lock

    def wait_no_more(self) -> None:
        """Give up waiting; no error if this process does not wait."""
        if self._waiting is not None:
            self._waiting.release()
            self._waiting = None

    def is_waiting(self) -> bool:
        """Whether a process waits to compute the run."""
        return is_held(self.path / "wait.lock")


def all_runs(workspace: Workspace | None = None) -> list[Run]:
    """Return the runs of a workspace, oldest first."""
    folder = (workspace or Workspace.current()).runs
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        paths = [Path(e.path) for e in entries if e.is_dir()]
    return [Run(p) for p in sorted(paths) if (p / "graph.json").is_file()]


def _made(folder: Path) -> tuple[int, str]:
    return (folder / "graph.json").stat().st_mtime_ns, folder.name


def is_held(path: Path, wait: float = 0.1) -> bool:
    """Whether a process holds this lock; ``wait`` in seconds is longer than a reader's probe."""
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=wait, poll_interval=0.01)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
