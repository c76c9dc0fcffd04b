"""The command that exports a generator while it is trained."""

from __future__ import annotations

import argparse
import json
import os
import threading

from backend.core.run import Run


def follow(arguments: argparse.Namespace) -> int:
    """Print one line of JSON for each export, until the node has finished or our input closes."""
    from backend.engine.follow import follow as lines

    run = Run.open(arguments.run)
    closed = threading.Event()
    threading.Thread(target=_watch_input, args=(closed,), daemon=True).start()
    for line in lines(run, arguments.node, arguments.out, closed):
        print(json.dumps(line), flush=True)
    return 0


def _watch_input(closed: threading.Event) -> None:
    """Set ``closed`` once whoever started this has closed our standard input, or has gone."""
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        pass
    closed.set()
