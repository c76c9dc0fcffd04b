"""Following a training: every epoch's network becomes an artefact and goes to the phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QProcess, Signal

from backend.core.errors import DocumentError
from backend.core.files import parse_json
from backend.core.workspace import Workspace
from studio.launcher import backend_command, environment

_LONGEST = 64 * 1024


class Follower(QObject):
    """Runs ``python -m backend follow RUN NODE``; :attr:`exported` tells of each epoch."""

    exported = Signal(object)
    """What a line said: ``artifact`` (folder), ``step``, ``epoch``, ``weights``, ``graph``."""
    ended = Signal(str)
    """It ended; a sentence when that was not the end of the training."""

    def __init__(
        self, workspace: Workspace, parent: QObject | None = None, command: list[str] | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._command = command
        self._process: QProcess | None = None
        self._rest = b""
        self._is_finished = False
        self.run, self.node = "", ""

    @property
    def is_running(self) -> bool:
        """Whether a training is followed."""
        return self._process is not None

    def start(self, run: str, node: str) -> None:
        """Follow a node of a run; what was followed before is let go."""
        self.stop()
        self.run, self.node = run, node
        self._rest, self._is_finished = b"", False
        process = QProcess(self)
        process.setProcessEnvironment(environment(self._workspace))
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(lambda *_: self._ended(process))
        process.errorOccurred.connect(lambda error: self._failed(process, error))
        self._process = process
        program, *rest = self._command or backend_command("follow", run, node)
        process.start(program, rest)

    def stop(self) -> None:
        """Follow no more; nothing is told."""
        process, self._process = self._process, None
        if process is None:
            return
        process.closeWriteChannel()  # which ends it by itself
        if not process.waitForFinished(300):
            process.kill()
            process.waitForFinished(3_000)
        process.deleteLater()

    # -- inner -----------------------------------------------------------------------------------

    def _read(self) -> None:
        if self._process is None:
            return
        data = self._rest + bytes(self._process.readAllStandardOutput().data())
        *lines, self._rest = data.split(b"\n")
        if len(self._rest) > _LONGEST:
            self._rest = b""
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            said: Any = parse_json(line)
        except ValueError:
            return  # a word of a library, not of the command
        if not isinstance(said, dict):
            return
        if said.get("finished"):
            self._is_finished = True
        elif isinstance(said.get("artifact"), str):
            self.exported.emit({**said, "artifact": str(Path(said["artifact"]))})

    def _ended(self, process: QProcess) -> None:
        if process is not self._process:
            return
        self._read()
        told = bytes(process.readAllStandardError().data()).decode(errors="replace").strip()
        self._process = None
        process.deleteLater()
        if self._is_finished:
            self.ended.emit("")
            return
        last = told.splitlines()[-1][:200] if told else "It gave no reason."
        self.ended.emit(f"Following the training ended early. {last}")

    def _failed(self, process: QProcess, error: QProcess.ProcessError) -> None:
        if process is self._process and error == QProcess.ProcessError.FailedToStart:
            self._process = None
            process.deleteLater()
            self.ended.emit(str(DocumentError("Following could not be started.", "Try again.")))
