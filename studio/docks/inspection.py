"""Reading a model file in a process of its own: what is in it comes in pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QProcess, Signal

from backend.core.files import parse_json
from backend.core.workspace import Workspace
from studio.launcher import backend_command, environment

_PREFIX = "fretsaw: "


class Inspection(QObject):
    """One file being read. A large one never holds up the window, and `cancel` ends it at once.

    `told(dict)` comes first: format, bytes, params, tensors without figures, layers. Then
    `figures(list)` in batches: records with the place of a tensor as `tensor`. `failed(str)` is a
    sentence for the user, `ended` comes last in any case.
    """

    told = Signal(object)
    figures = Signal(object)
    failed = Signal(str)
    ended = Signal()

    def __init__(self, workspace: Workspace, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self._rest = b""
        self._has_told = False
        self._is_cancelled = False
        self._process = QProcess(self)
        program, *arguments = backend_command("inspect", "--lines", str(path))
        self._process.setProgram(program)
        self._process.setArguments(arguments)
        self._process.setProcessEnvironment(environment(workspace))
        self._process.setStandardInputFile(QProcess.nullDevice())
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(self._finished)
        self._process.errorOccurred.connect(self._erred)

    @property
    def is_running(self) -> bool:
        """Whether the file is still being read."""
        return self._process.state() != QProcess.ProcessState.NotRunning

    @property
    def is_cancelled(self) -> bool:
        """Whether the user ended it."""
        return self._is_cancelled

    def start(self) -> None:
        """Begin to read."""
        self._process.start()

    def cancel(self) -> None:
        """End it; what was read stays. A reader owns nothing that could be left half done."""
        if self.is_running:
            self._is_cancelled = True
            self._process.kill()

    def close(self) -> None:
        """End it and wait for the process, so that none is left behind."""
        self.blockSignals(True)
        self._is_cancelled = True
        if self.is_running:
            self._process.kill()
            self._process.waitForFinished(2000)

    def _read(self) -> None:
        lines = (self._rest + bytes(self._process.readAllStandardOutput().data())).split(b"\n")
        self._rest = lines.pop()
        parts: list[dict[str, Any]] = []
        for text in lines:
            try:
                part = parse_json(text)
            except ValueError:
                continue  # a library that prints is no reason to stop
            if isinstance(part, dict):
                parts.append(part)
        if parts and not self._has_told:
            self._has_told = True
            self.told.emit(parts.pop(0))
        if parts:
            self.figures.emit(parts)

    def _erred(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self.failed.emit(
                "Python could not be started to read the file. Check that it is there."
            )
            self.ended.emit()

    def _finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read()
        if self._is_cancelled:
            pass
        elif status == QProcess.ExitStatus.CrashExit:
            self.failed.emit(
                f"Reading {self.path.name} ended early. It may need more memory than is free."
            )
        elif code != 0:
            self.failed.emit(self._sentence())
        elif not self._has_told:
            self.failed.emit(f"Nothing could be read from {self.path.name}.")
        self.ended.emit()

    def _sentence(self) -> str:
        text = bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
        said = [line for line in text.splitlines() if line.startswith(_PREFIX)]
        if said:
            return said[-1].removeprefix(_PREFIX)
        return f"{self.path.name} could not be read."
