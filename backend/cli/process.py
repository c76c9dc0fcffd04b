"""Who computes a run: written by the process itself, for whoever may have to kill it."""

from __future__ import annotations

import json
import os
from contextlib import suppress

import psutil

from backend.core.files import write_atomic
from backend.core.run import Run


def sign(run: Run) -> None:
    """Write ``process.json``: our id and start time, which together name no other process.

    An id alone must never be trusted, since it is given again after the process has ended.
    """
    with suppress(OSError, psutil.Error):  # nothing but the button "Kill now" depends on it
        record = {"pid": os.getpid(), "started": psutil.Process().create_time()}
        write_atomic(run.path / "process.json", json.dumps(record))
