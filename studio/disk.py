"""How much room the parts of a workspace take. Follows no links, counts nothing twice."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backend.core.workspace import Workspace

PARTS = {
    "runs": ("Runs", "Curves, views, pictures and checkpoints of every run"),
    "store": ("Stored results", "What nodes gave, shared by all runs"),
    "cache": ("Cache", "Made again when it is needed"),
    "backups": ("Backups", "Earlier versions of saved files"),
    "journal": ("Journal", "Unsaved edits, for after a crash"),
}


@dataclass(frozen=True)
class Sizes:
    """Bytes and files by part of the workspace; what is free on its disk."""

    bytes: dict[str, int]
    files: dict[str, int]
    free: int
    total: int
    is_whole: bool = True
    """False when the count was stopped before its end."""


def measure(workspace: Workspace, is_stopped: Callable[[], bool]) -> Sizes:
    """Count the files below each part; looks at ``is_stopped`` between files."""
    sizes: dict[str, int] = {}
    files: dict[str, int] = {}
    for part in PARTS:
        sizes[part], files[part] = _below(workspace.root / part, is_stopped)
        if is_stopped():
            return Sizes(sizes, files, *_room(workspace.root), is_whole=False)
    return Sizes(sizes, files, *_room(workspace.root))


def _below(folder: Path, is_stopped: Callable[[], bool]) -> tuple[int, int]:
    count = total = 0
    waiting = [folder]
    while waiting and not is_stopped():
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                    elif entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
                        count += 1
        except OSError:
            continue  # gone meanwhile, or not ours to read
    return total, count


def _room(root: Path) -> tuple[int, int]:
    place = root
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        usage = shutil.disk_usage(place)
    except OSError:
        return 0, 0
    return usage.free, usage.total
