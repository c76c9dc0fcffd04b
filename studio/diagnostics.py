"""What helps to find a fault, collected into a zip: no pictures, no weights, no names."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from backend.core.catalog import Broken
from backend.core.errors import DocumentError, sentence
from backend.core.files import replace
from backend.core.workspace import Workspace
from studio.redact import Secrets, redacted
from studio.run_names import newest
from studio.settings import SettingsStore

MOST_RUNS = 5
TAIL_BYTES = 256 * 1024
RUN_FILES = ("events.jsonl", "log.txt", "output.txt", "result.json", "run.json", "graph.json")
_LONGEST_LINE = 4000


@dataclass(frozen=True)
class Entry:
    """One text of the zip: its name there, what it is, and the text without secrets."""

    name: str
    what: str
    text: str


def collect(
    workspace: Workspace,
    settings: SettingsStore,
    broken: Iterable[Broken],
    doctor: str,
    secrets: Secrets | None = None,
) -> list[Entry]:
    """Return everything that would be written, so that it can be shown before."""
    secrets = secrets or Secrets.here(workspace.root)
    entries = [
        Entry("doctor.txt", "Versions and checks of this installation", doctor),
        Entry("settings.json", "Your settings", settings.values.model_dump_json(indent=1)),
    ]
    failed = [item.model_dump() for item in broken]
    if failed:
        text = json.dumps(failed, indent=1)
        entries.append(Entry("catalog_errors.json", "Node files that did not load", text))
    log = workspace.root / "studio" / "studio.log"
    if log.is_file():
        entries.append(Entry("studio.log", "Messages of this window", tail(log)))
    for number, name in enumerate(newest(workspace, MOST_RUNS), start=1):
        entries += _of_run(workspace.runs / name, f"runs/{number}")
    return [Entry(e.name, e.what, redacted(e.text, secrets)) for e in entries]


def write(path: Path, entries: Iterable[Entry]) -> None:
    """Write the zip; nothing is left behind when that fails.

    Raises:
        DocumentError: it cannot be written there.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
            for entry in entries:
                file.writestr(entry.name, entry.text)
        replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DocumentError(f"Diagnostics were not written. {sentence(error)}") from None


def tail(path: Path, most: int = TAIL_BYTES) -> str:
    """Return the end of a text file, from the beginning of a line; long lines are shortened."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            raw = file.read()
    except OSError as error:
        return f"could not be read: {error.strerror}"
    if size > most:
        raw = raw.partition(b"\n")[2]
    lines = raw.decode("utf-8", errors="replace").splitlines()
    return "\n".join(_shortened(line) for line in lines)


def _of_run(folder: Path, place: str) -> list[Entry]:
    """The texts of a run. Its folder's name tells the name of the graph, so it is left out."""
    found = []
    for name in RUN_FILES:
        path = folder / name
        if path.is_file():
            found.append(Entry(f"{place}/{name}", f"Run {folder.name}", tail(path)))
    return found


def _shortened(line: str) -> str:
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[:_LONGEST_LINE]} ... {len(line) - _LONGEST_LINE} letters left out"
