"""How the command line is started from the window: the words, the place, detached or not."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QProcess, QProcessEnvironment

from backend.core.errors import DocumentError
from backend.core.workspace import Workspace


def backend_command(*arguments: str) -> list[str]:
    """Return the program and arguments of ``python -m backend`` with ``arguments``.

    ``-P`` keeps the folder that the window was started from out of the search for modules: a file
    ``types.py`` or a folder ``backend`` there must not take the place of the real ones.
    """
    return [_python(), "-P", "-m", "backend", *arguments]


def environment(workspace: Workspace) -> QProcessEnvironment:
    """Return the environment of a child: ours, with this workspace and UTF-8 output."""
    variables = QProcessEnvironment.systemEnvironment()
    variables.insert("FRETSAW_HOME", os.path.abspath(workspace.root))
    variables.insert("PYTHONUTF8", "1")
    return variables


def start_detached(arguments: Sequence[str], workspace: Workspace, output: Path) -> None:
    """Start ``python -m backend`` so that it outlives this process; its output goes to ``output``.

    The child is in a session of its own where there are such (``startDetached`` sees to it),
    inherits none of our pipes, and computes in the workspace's folder.

    Raises:
        DocumentError: the process could not be started.
    """
    program, *rest = backend_command(*arguments)
    process = QProcess()
    process.setProgram(program)
    process.setArguments(rest)
    process.setProcessEnvironment(environment(workspace))
    process.setWorkingDirectory(str(workspace.root))
    process.setStandardInputFile(QProcess.nullDevice())
    append = QProcess.OpenModeFlag.Append
    process.setStandardOutputFile(str(output), append)
    process.setStandardErrorFile(str(output), append)
    if not process.startDetached():
        raise DocumentError(
            f'Python could not be started with "{shlex.join([program])}".',
            "Check that it is there and that you may run it, then run again.",
        )


def _python() -> str:
    """Return the interpreter; on Windows the one without a window of its own."""
    if os.name == "nt":
        windowless = Path(sys.executable).with_name("pythonw.exe")
        if windowless.exists():
            return str(windowless)
    return sys.executable
