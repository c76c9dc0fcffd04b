"""One command of ``python -m backend`` whose answer the window waits for without blocking."""

from __future__ import annotations

from PySide6.QtCore import QObject, QProcess, Signal

from backend.core.workspace import Workspace
from studio.launcher import backend_command, environment

_WAIT_MS = 10_000


class BackendCall(QObject):
    """Runs a command and tells how it ended: exit code, what it said, what it complained of.

    A process that could not start ends with the code -1. ``must_finish``: closing waits for it
    for a while instead of killing it.
    """

    finished = Signal(int, str, str)

    def __init__(
        self, workspace: Workspace, parent: QObject | None = None, *, must_finish: bool = False
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._must_finish = must_finish
        self._is_aborted = False
        self._process = QProcess(self)
        self._process.setProcessEnvironment(environment(workspace))
        self._process.finished.connect(self._finished)
        self._process.errorOccurred.connect(self._failed)

    @property
    def is_running(self) -> bool:
        """Whether the answer is still to come."""
        return self._process.state() != QProcess.ProcessState.NotRunning

    def start(self, *arguments: str) -> None:
        """Start the command; a second one while the first runs is ignored."""
        if self.is_running:
            return
        program, *rest = backend_command(*arguments)
        self._process.start(program, rest)

    def abort(self) -> None:
        """Kill it; nothing is told. It can be started again."""
        if self.is_running:
            self._is_aborted = True
            self._process.kill()
            self._process.waitForFinished(_WAIT_MS)
            self._is_aborted = False

    def close(self) -> None:
        """End it; nothing is told any more."""
        self._process.finished.disconnect(self._finished)
        self._process.errorOccurred.disconnect(self._failed)
        if not self.is_running:
            return
        if self._must_finish and self._process.waitForFinished(_WAIT_MS):
            return
        self._process.kill()
        self._process.waitForFinished(_WAIT_MS)

    def _finished(self, code: int, status: QProcess.ExitStatus) -> None:
        said = bytes(self._process.readAllStandardOutput().data()).decode(errors="replace")
        told = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
        if self._is_aborted:
            return
        is_whole = status == QProcess.ExitStatus.NormalExit
        self.finished.emit(code if is_whole else -1, said, told)

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self.finished.emit(-1, "", self._process.errorString())
