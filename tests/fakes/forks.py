"""Command lines that begin at once: forks of a process that has done the slow imports.

What such a child does is what ``python -m backend`` does, but for the seconds that it takes to
import torch and peft. Where processes cannot be forked, they are started anew.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from typing import Any

from tests.fakes import with_toy_nodes

_CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()
_CONTEXT: Any = multiprocessing.get_context("forkserver" if _CAN_FORK else "spawn")
if _CAN_FORK:
    _CONTEXT.set_forkserver_preload(["tests.fakes.preload"])


def forked(*arguments: str) -> BaseProcess:
    """Start a command of the command line; ``exitcode`` is None until it has ended."""
    process = _CONTEXT.Process(target=_main, args=(arguments, dict(os.environ)))
    process.start()
    return process


def _main(arguments: tuple[str, ...], environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
        with_toy_nodes()
        from backend.cli import main

        sys.exit(main(arguments))
