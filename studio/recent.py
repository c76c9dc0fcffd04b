"""Files that were opened lately, for the menu and the welcome page."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from backend.core.files import parse_json, write_atomic
from backend.core.workspace import Workspace
from studio.words import is_moment

MOST = 10
SAMPLES = Path(__file__).resolve().parent.parent / "assets"


@dataclass(frozen=True)
class RecentFile:
    """One line of the list. ``number`` counts from 1; ``opened`` is in seconds since 1970."""

    path: Path
    opened: float
    number: int

    @property
    def name(self) -> str:
        """Name of the file without its ending."""
        return self.path.stem

    @property
    def is_missing(self) -> bool:
        """Whether the file cannot be found now; a drive that is not mounted may come back."""
        return not self.path.is_file()


class RecentFiles(QObject):
    """The ten files opened last, newest first; bundled samples have their own place."""

    changed = Signal()

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = workspace.root / "recent.json"

    @property
    def files(self) -> list[RecentFile]:
        """The list as it is now, other windows included."""
        return [
            RecentFile(Path(path), opened, number)
            for number, (path, opened) in enumerate(self._read().items(), 1)
        ]

    def add(self, path: Path | str) -> None:
        """Put a file first. Samples are left out: they are always at hand."""
        full = os.path.abspath(path)
        if Path(full).resolve().is_relative_to(SAMPLES):
            return
        self._write({full: time.time(), **self._without(full)})

    def remove(self, path: Path | str) -> None:
        """Take one file off the list."""
        self._write(self._without(os.path.abspath(path)))

    def clear(self) -> None:
        """Empty the list."""
        self._write({})

    # -- inner -----------------------------------------------------------------------------------

    def _read(self) -> dict[str, float]:
        try:
            data = parse_json(self._store.read_text(encoding="utf-8"))
            entries = [entry for entry in data["files"] if isinstance(entry, dict)]
        except (OSError, ValueError, KeyError, TypeError):
            return {}  # there is none yet, or what is left of one: a list of files is no loss
        found = {
            path: float(entry["opened"]) if is_moment(entry["opened"]) else 0.0
            for entry in entries
            if isinstance(path := entry.get("path"), str) and path and "\0" not in path
            if "opened" in entry
        }
        return dict(list(found.items())[:MOST])

    def _without(self, path: str) -> dict[str, float]:
        same = os.path.normcase(path)
        return {p: at for p, at in self._read().items() if os.path.normcase(p) != same}

    def _write(self, files: dict[str, float]) -> None:
        entries = [{"path": path, "opened": at} for path, at in list(files.items())[:MOST]]
        try:
            write_atomic(self._store, json.dumps({"files": entries}, indent=2))
        except OSError:
            return  # a workspace that cannot be written is told where it matters
        self.changed.emit()
