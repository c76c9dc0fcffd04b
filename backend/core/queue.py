"""The line of runs that wait for their turn: one at a time computes in a workspace.

``queue.json`` names the waiting runs in order. Whether one of them still waits is told by an OS
lock that its process holds (``wait.lock`` in the run), never by a process id: an entry whose
process died is stepped over and dropped. ``queue.paused`` keeps any new run from starting.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from backend.core.errors import Stopped
from backend.core.files import parse_json, write_atomic
from backend.core.run import Run
from backend.core.workspace import Workspace

POLL_SECONDS = 0.25
_EDIT_SECONDS = 30.0


class Queue:
    """The queue of a workspace; every process that runs or shows something makes its own."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.path = workspace.root / "queue.json"
        self._flag = workspace.root / "queue.paused"

    # -- looking ---------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Return the names in the file, the next first; some may have died. Touches no lock."""
        try:
            data = parse_json(self.path.read_bytes())
        except (OSError, ValueError):
            return []  # there is none, or a damaged one: those who wait write themselves in again
        found = data if isinstance(data, list) else []
        return list(dict.fromkeys(name for name in found if isinstance(name, str)))

    def order(self) -> list[str]:
        """Return the names of the runs that wait, the next first."""
        return [name for name in self.names() if self._run(name).is_waiting()]

    @property
    def is_paused(self) -> bool:
        """Whether no new run starts."""
        return self._flag.exists()

    # -- changing --------------------------------------------------------------------------------

    def pause(self) -> None:
        """Let no new run start; what computes goes on."""
        self.workspace.root.mkdir(parents=True, exist_ok=True)
        self._flag.touch()

    def resume(self) -> None:
        """Let runs start again."""
        self._flag.unlink(missing_ok=True)

    def join(self, run: Run) -> None:
        """Put ``run`` at the end, waiting from now on, unless it is in the line already.

        Raises:
            BusyError: another process waits with it or computes it.
        """
        run.wait()
        with self._edit() as names:
            if self._name(run) not in names:
                names.append(self._name(run))

    def leave(self, run: Run) -> None:
        """Take ``run`` out; no error if it is not in the line."""
        if self._name(run) in self.names():
            with self._edit() as names:
                names[:] = [name for name in names if name != self._name(run)]
        run.wait_no_more()

    def move(self, name: str, index: int) -> None:
        """Put the run ``name`` at place ``index``, 0 being the next one; the others keep order."""
        with self._edit() as names:
            if name in names:
                names.remove(name)
                names.insert(max(0, index), name)

    def reorder(self, wanted: Iterable[str]) -> None:
        """Put the runs of ``wanted`` that wait into this order, at the front of the others."""
        with self._edit() as names:
            first = [name for name in dict.fromkeys(wanted) if name in names]
            names[:] = [*first, *(name for name in names if name not in first)]

    def cancel(self, run: Run) -> None:
        """Call off a run that has not begun: its process, if there is one, ends by itself.

        One without a process and a result becomes cancelled at once. One that computes is asked
        to stop.
        """
        run.request_stop()
        if not run.is_waiting() and not run.is_alive() and not run.result:
            self._cancelled(run)

    # -- waiting ---------------------------------------------------------------------------------

    @contextmanager
    def turn(self, runs: Sequence[Run], waiting: Callable[[], None] | None = None) -> Iterator[Run]:
        """Wait until the first in the line is one of ``runs``; give it, and hold the queue.

        Args:
            runs: of this process. Those that are called off while they wait become cancelled and
                fall away.
            waiting: called once if something else comes first.

        Raises:
            Stopped: all of ``runs`` were called off.
            BusyError: another process waits with one of them or computes it.
        """
        self.workspace.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.workspace.queue_lock)
        pending = list(runs)
        try:
            for run in pending:
                self.join(run)
            found = self._first(pending, lock)
            if found is None and waiting is not None:
                waiting()
            while found is None:
                time.sleep(POLL_SECONDS)
                found = self._first(pending, lock)
        except BaseException:
            for run in pending:
                self.leave(run)
            raise
        try:
            yield found
        finally:
            found.wait_no_more()
            lock.release()

    def _first(self, pending: list[Run], lock: FileLock) -> Run | None:
        """Take the lock for the first in the line if that is one of ``pending``."""
        for run in [run for run in pending if run.stop_requested()]:
            self._cancelled(run)
            self.leave(run)
            pending.remove(run)
        if not pending:
            raise Stopped
        if self.is_paused:
            return None
        mine = {self._name(run): run for run in pending}
        with self._edit() as names:
            names += [name for name in mine if name not in names]  # the file was damaged or lost
            while names and names[0] not in mine and not self._run(names[0]).is_waiting():
                del names[0]
            found = mine.get(names[0])
            if found is None or not _taken(lock):
                return None
            del names[0]
        return found

    def _cancelled(self, run: Run) -> None:
        result = {"seconds": 0.0, **run.result, "status": "cancelled", "error": ""}
        write_atomic(run.path / "result.json", json.dumps(result, indent=1))

    @contextmanager
    def _edit(self) -> Iterator[list[str]]:
        """Give the names to change in place; what changed is written when the block ends."""
        self.workspace.root.mkdir(parents=True, exist_ok=True)
        with FileLock(self.workspace.root / "queue.json.lock", timeout=_EDIT_SECONDS):
            names = self.names()
            before = list(names)
            try:
                yield names
            finally:
                if names != before:
                    write_atomic(self.path, json.dumps(names, indent=1))

    def _name(self, run: Run) -> str:
        """Name of a run of this workspace; the whole path of another one."""
        path = run.path.absolute()
        return path.name if path.parent == self.workspace.runs.absolute() else str(path)

    def _run(self, name: str) -> Run:
        return Run(Path(self.workspace.runs, name))


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
