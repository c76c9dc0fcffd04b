"""A process that was just started, until the runs that it was started for are seen to live."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from backend.core.files import write_atomic
from backend.core.run import Run
from backend.core.workspace import Workspace
from studio.launcher import start_detached
from studio.run_process import is_started
from studio.run_watch import is_taken, output_of

_TRACES = ("events.jsonl", "result.json")
_LOOK_SECONDS = 1.5


class Launch:
    """One process for one run, or for the runs of a sweep.

    Raises:
        DocumentError: the process could not be started.
        OSError: the run's folder cannot be written to.
    """

    def __init__(self, runs: Sequence[Run], workspace: Workspace) -> None:
        for run in runs:
            run.clear_stop()  # one from before; the process itself leaves a later one alone
        self.names = {run.name for run in runs}
        """Of the runs that were not seen to live yet."""
        self._before = {run.name: _traces(run) for run in runs}
        self._first = runs[0]
        self._looked_at = time.monotonic()
        self._is_gone = False
        self._paths = [str(run.path.absolute()) for run in runs]
        words = ["run", *self._paths, "--keep-stop", "--quiet"]
        start_detached(words, workspace, runs[0].path / "output.txt")

    def wants_look(self) -> bool:
        """Whether it is time to look for the process again; see :meth:`is_running`."""
        now = time.monotonic()
        is_due = now - self._looked_at > _LOOK_SECONDS
        self._looked_at = now if is_due else self._looked_at
        return is_due

    def is_running(self) -> bool:
        """Look through the processes for ours. Slow, so not for the window's thread.

        The id of a detached process is not told, and may be that of a launcher anyhow.
        """
        return is_started(self._paths[0])

    def note(self, is_running: object) -> None:
        """Take the answer of :meth:`is_running`; an error is no answer."""
        self._is_gone = is_running is False

    def is_over(self, run: Run) -> bool:
        """Whether ``run`` is seen to live, or its process died; then why is in its result."""
        if _traces(run) != self._before[run.name] or is_taken(run):
            return True
        if not self._is_gone:
            return False
        if _traces(run) == self._before[run.name]:  # it may have ended this very moment
            self._note_failure(run)
        return True

    def _note_failure(self, run: Run) -> None:
        output = output_of(self._first.path).strip()
        last = output.splitlines()[-1] if output else "it left no word"
        error = f"The process that should compute it ended before it began: {last}"
        result = {"seconds": 0.0, **run.result, "status": "failed", "error": error}
        try:
            write_atomic(run.path / "result.json", json.dumps(result, indent=1))
        except OSError:
            return  # it stays queued, which is true as well


def _traces(run: Run) -> tuple[int, ...]:
    found = []
    for name in _TRACES:
        try:
            found.append((run.path / name).stat().st_mtime_ns)
        except OSError:
            found.append(0)
    return tuple(found)
