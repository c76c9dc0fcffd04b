"""A run as the window sees it: what its directory said so far, folded."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from backend.core import events as ev
from backend.core import run as run_module
from backend.core.files import parse_json
from backend.core.run import Run
from studio.event_reader import EventReader
from studio.run_fold import RunFold

UNFINISHED = ("queued", "running", "cancelling")
_STARTING_SECONDS = 120.0
FINAL = ("finished", "failed", "cancelled")


class RunWatch(QObject):
    """One run: its events so far in ``fold``, and how it stands in ``state``."""

    changed = Signal(object)
    """New events (a list, possibly empty when only the state is another one)."""
    restarted = Signal()
    """``fold`` is another object: the event file was replaced, everything is read anew."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.name = run.name
        self.fold = RunFold()
        self.state = quick_state(run)
        self.error = self._result_error()
        """Why it failed, in a sentence; empty otherwise."""
        self.checked_at = time.monotonic()
        self.must_check = False
        self._reader = EventReader(run.path / "events.jsonl")
        self.is_caught_up = False
        """Whether all that is in the file was read."""

    @property
    def is_unfinished(self) -> bool:
        """Whether it waits or computes."""
        return self.state in UNFINISHED

    @property
    def trouble(self) -> str:
        """A sentence when its events cannot be read; empty otherwise."""
        return self._reader.error

    def read(self, seconds: float) -> list[ev.Event]:
        """Take in new events for about ``seconds``; :attr:`changed` tells of them."""
        found = self._reader.read(seconds)
        if self._reader.begins_anew:
            self.fold = RunFold()
            self.restarted.emit()
        was_caught_up, self.is_caught_up = self.is_caught_up, not self._reader.has_more
        if found or self.is_caught_up != was_caught_up:
            self.fold.feed(found)
            if any(isinstance(event, ev.RunFinished | ev.RunStarted) for event in found):
                self.must_check = True
            self._follow_state()
            self.changed.emit(found)
        return found

    def set_state(self, state: str) -> bool:
        """Note how the run stands; returns whether that is news."""
        self.checked_at = time.monotonic()
        self.must_check = False
        if state == self.state:
            return False
        self.state = state
        self.error = self._result_error()
        self._follow_state()
        self.changed.emit([])
        return True

    def _follow_state(self) -> None:
        # While an old run is read, what it says of its nodes is on its way to the end.
        is_known = self.is_caught_up or self.is_unfinished
        self.fold.set_state(self.state if is_known else "")

    def _result_error(self) -> str:
        if self.state == "failed":
            return str(self.run.result.get("error", ""))
        return last_words(self.run.path) if self.state == "crashed" else ""


def quick_state(run: Run) -> str:
    """Say how a run stands without waiting for anybody, unlike :meth:`Run.state`.

    A lock that another reader is just trying looks taken; the next look puts that right.
    """
    for name, state in (("run.lock", "running"), ("wait.lock", "queued")):
        if is_held(run.path / name):
            return "cancelling" if run.stop_requested() else state
    status = run.result.get("status")
    if status in FINAL:
        return str(status)
    if (run.path / "events.jsonl").exists():
        return "crashed"
    try:
        age = time.time() - (run.path / "graph.json").stat().st_mtime
    except OSError:
        return "crashed"
    # Nobody waits with it: either its process is just starting, or it died before it began.
    return "queued" if age < _STARTING_SECONDS else "crashed"


def stop_asked_for(folder: Path) -> float:
    """Seconds since someone asked a run to stop; 0 if nobody did."""
    try:
        return max(0.0, time.time() - (folder / "stop").stat().st_mtime)
    except OSError:
        return 0.0


def is_taken(run: Run) -> bool:
    """Whether a process waits with the run or computes it."""
    return is_held(run.path / "wait.lock") or is_held(run.path / "run.lock")


def is_held(path: Path) -> bool:
    """Whether a process holds this lock; asks once and does not wait."""
    return run_module.is_held(path, wait=0)


def last_words(folder: Path, most: int = 4096) -> str:
    """Return the last line that a process wrote before it ended without a word of its own."""
    for name in ("output.txt", "log.txt"):
        with suppress(OSError), open(folder / name, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            lines = file.read().decode(errors="replace").strip().splitlines()
            if lines:
                return lines[-1]
    return ""


def output_of(folder: Path, most: int = 64 * 1024) -> str:
    """Return the end of what the process of a run printed."""
    with suppress(OSError), open(folder / "output.txt", "rb") as file:
        file.seek(max(0, file.seek(0, 2) - most))
        return file.read().decode(errors="replace")
    return ""


def read_json(path: Path) -> dict[str, object]:
    """Return the object in a JSON file; empty when there is none or it is damaged."""
    with suppress(OSError, ValueError):
        data = parse_json(path.read_bytes())
        if isinstance(data, dict):
            return data
    return {}
