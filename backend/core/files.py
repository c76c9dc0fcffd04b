"""Writing files so that a crash never leaves half of one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

_REPLACE_SECONDS = 1.0
_UMASK = os.umask(0)  # reading it means setting it, so it is done once, before there are threads
os.umask(_UMASK)


def write_atomic(path: Path, data: str | bytes) -> None:
    """Write ``data`` to a temporary neighbour, flush it to disk and put it in place of ``path``.

    Raises:
        OSError: disk full or no permission; the previous file is intact.
    """
    raw = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    name = ""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files for the owner only; give the mode that open() would have given.
        os.chmod(name, 0o666 & ~_UMASK)
        replace(Path(name), path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        if isinstance(error, OSError):
            error.filename = str(path)  # nobody asked for the neighbour
        raise


def parse_json(text: str | bytes) -> Any:
    """Parse JSON that somebody else may have written.

    Raises:
        ValueError: it is none, or is nested deeper than Python can follow.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("The JSON is nested too deep.") from error


def replace(source: Path, target: Path) -> None:
    """Rename ``source`` over ``target``; retried for a second, since Windows refuses while open."""
    deadline = time.monotonic() + _REPLACE_SECONDS
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def slug(text: str) -> str:
    """Make a file name of ``text``: lower case letters, digits, dash, underscore; at most 80."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")[:80].rstrip("-") or "untitled"


def inside(folder: Path, name: str) -> Path:
    """Return ``folder / name``, refusing a name that leads out of the folder.

    Raises:
        ValueError: the name is absolute or climbs out.
    """
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root) or path == root:
        raise ValueError(f'The path "{name}" leads out of the folder "{folder}".')
    return path
