"""Where runs and stored results live."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """The folder of a user's runs and of the store that they share."""

    root: Path

    @classmethod
    def current(cls) -> Workspace:
        """Return ``FRETSAW_HOME``, or the folder Fretsaw among the user's documents."""
        home = os.environ.get("FRETSAW_HOME")
        if home:
            return cls(Path(home).expanduser())
        import platformdirs

        return cls(Path(platformdirs.user_documents_dir()) / "Fretsaw")

    @property
    def runs(self) -> Path:
        """Folder of run directories."""
        return self.root / "runs"

    @property
    def store(self) -> Path:
        """Folder of node outputs by fingerprint."""
        return self.root / "store"

    @property
    def cache(self) -> Path:
        """Folder of things that can be made again: catalogue, downloads."""
        return self.root / "cache"

    @property
    def queue_lock(self) -> Path:
        """Lock file held by the run that is computing."""
        return self.root / "queue.lock"
