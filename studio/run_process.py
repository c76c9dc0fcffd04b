"""The process behind a run: is it still there, is it really that one, and how it is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress

import psutil

from backend.core.errors import DocumentError
from backend.core.run import Run
from studio.run_watch import is_held, read_json

# Start times are told in ticks of the kernel's clock.
_SAME_SECONDS = 0.05


def is_started(path: str) -> bool:
    """Whether some living process was started with ``path`` among its words. Takes a while."""
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if path in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            return True
    return False


def process_of(run: Run) -> psutil.Process | None:
    """Return the process that wrote its name into the run and still lives; None without one.

    An id alone proves nothing, since it is given again: the start time must agree as well.
    """
    record = read_json(run.path / "process.json")
    pid, started = record.get("pid"), record.get("started")
    if not isinstance(pid, int) or not isinstance(started, int | float) or pid <= 1:
        return None
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started) < _SAME_SECONDS
        return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def sharing(run: Run, others: Sequence[Run]) -> list[Run]:
    """Return those of ``others`` that the process of ``run`` is to compute as well."""
    process = process_of(run)
    return [] if process is None else [other for other in others if process_of(other) == process]


def kill(run: Run) -> None:
    """Kill the process that computes ``run`` and what it started, at once.

    Raises:
        DocumentError: the run has no such process, or it may not be killed.
    """
    process = process_of(run)
    if process is None or not is_held(run.path / "run.lock") or not _holds(process, run):
        raise DocumentError(
            f'The process of the run "{run.name}" cannot be told for certain, '
            "so nothing was killed.",
            "Look for it among the processes of this computer and end it there.",
        )
    try:
        _kill_group(process)
    except (psutil.Error, OSError) as error:
        raise DocumentError(
            f'The process of the run "{run.name}" may not be killed from here ({error}).',
            "End it as the user who started it.",
        ) from error


def _holds(process: psutil.Process, run: Run) -> bool:
    """Whether the process has the lock file open, as far as the system tells."""
    if os.name == "nt":
        return True  # asking there may hang; the start time has to do
    try:
        return str(run.path.resolve() / "run.lock") in [f.path for f in process.open_files()]
    except psutil.Error:
        return True


def _kill_group(process: psutil.Process) -> None:
    """Kill the whole group if it is the run's own; else the process and its children alone.

    It is when the process leads it, or when its leader is gone, as that of a detached process is.
    The group of a script that started the run is not: its leader is the script.
    """
    children = process.children(recursive=True)
    group = os.getpgid(process.pid) if os.name != "nt" else 0
    if group and group != os.getpgid(0) and (group == process.pid or not psutil.pid_exists(group)):
        os.killpg(group, signal.SIGKILL)
    else:
        process.kill()
    for child in children:  # those who made a group of their own
        with suppress(psutil.NoSuchProcess):
            child.kill()
