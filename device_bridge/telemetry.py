"""What phones said of an edit, kept with the run that made it: ``phone.jsonl``."""

from __future__ import annotations

import json
import time
from pathlib import Path

from device_bridge.protocol import BenchResult, ConceptShown, Golden, Note, Ready, Telemetry

FILE = "phone.jsonl"
Kept = BenchResult | ConceptShown | Golden | Note | Ready | Telemetry
_TELEMETRY_EVERY_S = 5.0


class RunNotes:
    """Appends what a phone says to the run's file; telemetry at most every five seconds."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], float] = {}

    def keep(self, run: Path, device: str, name: str, message: Kept) -> None:
        """Append one line.

        Raises:
            OSError: the run's folder is gone or cannot be written.
        """
        if isinstance(message, Telemetry):
            key, now = (str(run), device), time.monotonic()
            if now - self._last.get(key, -_TELEMETRY_EVERY_S) < _TELEMETRY_EVERY_S:
                return
            self._last[key] = now
        record = {
            "at": time.time(),
            "device": name or device,
            **message.model_dump(mode="json", exclude_none=True),
        }
        path = run / FILE
        with open(path, "ab") as file:
            torn = file.tell() > 0 and not _ends_with_newline(path)
            file.write((b"\n" if torn else b"") + json.dumps(record).encode() + b"\n")


def is_run_folder(path: Path) -> bool:
    """Tell whether ``path`` is a run: in a folder of that name, with a graph and events."""
    whole = path.resolve()
    is_run = (whole / "graph.json").is_file() and (whole / "events.jsonl").exists()
    return is_run and whole.parent.name == "runs"


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
