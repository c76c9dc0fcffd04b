"""Frees stored results that no run refers to."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from filelock import FileLock, Timeout

from backend.core.errors import BusyError
from backend.core.files import parse_json
from backend.core.run import all_runs
from backend.core.workspace import Workspace
from backend.engine.store import Store, folder_bytes

_PROBE_SECONDS = 1.0


@dataclass(frozen=True)
class Freed:
    """How much was, or would be, freed."""

    results: int
    bytes: int
    kept: int


def collect(workspace: Workspace | None = None, *, dry_run: bool = False) -> Freed:
    """Remove results that no run in the workspace refers to.

    Raises:
        BusyError: a run is being computed; it may be about to use one of them.
    """
    workspace = workspace or Workspace.current()
    found = _collect(workspace, dry_run=True)
    if dry_run or not found.results:
        return found
    # No run begins while results go.
    lock = FileLock(workspace.queue_lock)
    try:
        lock.acquire(timeout=_PROBE_SECONDS)
    except Timeout as error:
        raise _busy("A run") from error
    try:
        busy = [run for run in all_runs(workspace) if run.is_alive()]
        if busy:
            raise _busy(f'The run "{busy[0].name}"')
        return _collect(workspace, dry_run=False)
    finally:
        lock.release()


def _busy(what: str) -> BusyError:
    return BusyError(
        f"{what} is being computed and may need stored results.", "Try again when it has finished."
    )


def _collect(workspace: Workspace, *, dry_run: bool) -> Freed:
    used = set()
    # Not of whole runs alone: a folder that lost its graph may be mended by its owner.
    for link in workspace.runs.glob("*/nodes/*/outputs.json"):
        try:
            used.add(parse_json(link.read_text())["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a damaged link refers to nothing
    store = Store(workspace.store)
    unused = store.unused(used)
    size = sum(folder_bytes(path) for path in unused)
    if not dry_run:
        for path in unused:
            shutil.rmtree(path, ignore_errors=True)
    return Freed(len(unused), size, len(used))
