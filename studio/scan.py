"""Finds the runs of a workspace that wait or compute, without reading those that ended."""

from __future__ import annotations

import os
from pathlib import Path

from backend.core.queue import Queue
from backend.core.run import Run
from backend.core.workspace import Workspace
from studio.run_watch import UNFINISHED, quick_state


def unfinished(workspace: Workspace) -> list[str]:
    """Return the names of unfinished runs, oldest first; raises nothing.

    A run that has a result and no place in the queue has ended: its locks are not looked at.
    """
    waiting = set(Queue(workspace).names())
    found = []
    for name in run_names(workspace):
        folder = workspace.runs / name
        try:
            if name not in waiting and (folder / "result.json").exists():
                continue
            if _is_unfinished(folder):
                found.append(name)
        except OSError:
            continue
    return found


def traces(workspace: Workspace) -> tuple[int, ...]:
    """Return what changes when a run is added, is deleted, or begins to wait."""
    found = []
    for path in (workspace.runs, Queue(workspace).path):
        try:
            found.append(path.stat().st_mtime_ns)
        except OSError:
            found.append(0)
    return tuple(found)


def run_names(workspace: Workspace) -> list[str]:
    """Return the names of all folders among the runs, oldest first."""
    try:
        with os.scandir(workspace.runs) as entries:
            return sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())
    except OSError:
        return []


def _is_unfinished(folder: Path) -> bool:
    if not (folder / "graph.json").is_file():
        return False
    return quick_state(Run(folder)) in UNFINISHED
