"""Node outputs by fingerprint, shared by all runs."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from backend.core.errors import FretsawError, nearest
from backend.core.files import parse_json, replace, write_atomic
from backend.core.value import VALUES, Value

State = Literal["absent", "whole", "damaged"]
_TOUCHED_RECENTLY = 600.0


class Store:
    """A folder of results: ``<fingerprint>/node.json`` and one folder a port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, fingerprint: str) -> Path:
        """Folder of one result."""
        return self.folder / fingerprint

    def state(self, fingerprint: str) -> State:
        """Say whether a result is there and whole; notes the use, so that clean-up leaves it."""
        folder = self.path(fingerprint)
        if not folder.exists():
            return "absent"
        try:
            record = self.record(fingerprint)
            sizes = {name: (folder / name).stat().st_size for name in record["files"]}
            if sizes != record["files"] or not isinstance(record["outputs"], dict):
                return "damaged"
            os.utime(folder / "node.json")
        except (OSError, ValueError, KeyError, TypeError):
            return "damaged"
        return "whole"

    def record(self, fingerprint: str) -> dict[str, Any]:
        """Return what is known of a result: type, parameters, classes of its outputs, seconds.

        Raises:
            ValueError: the record is damaged.
        """
        data = parse_json((self.path(fingerprint) / "node.json").read_bytes())
        if not isinstance(data, dict):
            raise ValueError("the record of a stored result is damaged")
        return data

    def write(
        self,
        fingerprint: str,
        outputs: Mapping[str, Value],
        record: Mapping[str, Any],
        extras: Callable[[Path], None] = lambda folder: None,
    ) -> None:
        """Save ``outputs``; the result appears under its final name whole or not at all.

        ``extras`` may write more into the folder before it appears.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{fingerprint}.{uuid.uuid4().hex[:8]}.tmp"
        temporary.mkdir()
        try:
            for port, value in outputs.items():
                (temporary / port).mkdir()
                value.save(temporary / port)
            extras(temporary)
            complete = {
                **record,
                "outputs": {port: type(value).__name__ for port, value in outputs.items()},
                "files": _sizes(temporary),
                "created": time.time(),
            }
            write_atomic(temporary / "node.json", json.dumps(complete, indent=1))
            final = self.path(fingerprint)
            if final.exists():
                shutil.rmtree(final)
            replace(temporary, final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def load(self, fingerprint: str, port: str) -> Value:
        """Load one output.

        Raises:
            FretsawError: its class is not known, or the files are damaged.
        """
        name = str(self.record(fingerprint)["outputs"][port])
        cls = VALUES.get(name)
        if cls is None:
            raise FretsawError(
                f'A stored result is of class "{name}", which is not installed.',
                nearest(name, VALUES),
            )
        return cls.load(self.path(fingerprint) / port)

    @contextmanager
    def lock(self, fingerprint: str, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold one result for writing; ``waiting`` is called while another process has it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / f".{fingerprint}.lock")
        while True:
            try:
                lock.acquire(timeout=0.25)
                break
            except Timeout:
                waiting()
        try:
            yield
        finally:
            lock.release()

    def unused(self, used: set[str]) -> list[Path]:
        """Folders of results that are not in ``used`` and were not touched in ten minutes."""
        if not self.folder.is_dir():
            return []
        now = time.time()
        found = []
        for path in sorted(self.folder.iterdir()):
            if path.is_dir() and path.name not in used:
                record = path / "node.json"
                touched = (record if record.exists() else path).stat().st_mtime
                if now - touched > _TOUCHED_RECENTLY:
                    found.append(path)
        return found


def _sizes(folder: Path) -> dict[str, int]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def folder_bytes(path: Path) -> int:
    """Sum of the sizes of all files below a folder."""
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
