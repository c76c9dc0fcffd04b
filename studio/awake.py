"""Keeps the computer from sleeping while a run computes, where the user wants that."""

from __future__ import annotations

import os
import shutil
import sys

from PySide6.QtCore import QObject, QProcess

from studio.session import Session

# of SetThreadExecutionState (winbase.h)
_CONTINUOUS, _SYSTEM, _DISPLAY = 0x80000000, 0x00000001, 0x00000002


class Awake(QObject):
    """Holds off sleep by the system's own program, for as long as a run of the workspace lives."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._process: QProcess | None = None
        self._is_held = False
        self._held_as: list[str] | None = None
        session.runner.changed.connect(self.follow)
        session.settings.changed.connect(self.follow)

    @property
    def is_held(self) -> bool:
        """Whether sleep is held off now."""
        return self._is_held

    def follow(self) -> None:
        """Hold sleep off, or let it come, as runs and settings are now."""
        values = self._session.settings.values
        is_wanted = values.keep_awake and bool(self._session.runner.active)
        command = inhibitor(values.keep_screen_on) if is_wanted else None
        if is_wanted == self._is_held and command == self._held_as:
            return
        self.release()
        if is_wanted:
            self._hold(command, values.keep_screen_on)

    def release(self) -> None:
        """Let the computer sleep again."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.waitForFinished(500)
            process.deleteLater()
        if self._is_held and sys.platform == "win32":
            _windows(_CONTINUOUS)
        self._is_held, self._held_as = False, None

    def _hold(self, command: list[str] | None, with_screen: bool) -> None:
        if sys.platform == "win32":
            _windows(_CONTINUOUS | _SYSTEM | (_DISPLAY if with_screen else 0))
            self._is_held = True
        elif command is not None:
            self._process = QProcess(self)
            self._process.start(command[0], command[1:])
            self._is_held, self._held_as = True, command


def inhibitor(with_screen: bool) -> list[str] | None:
    """Return the command that holds sleep off while it runs; None where there is none."""
    if sys.platform == "darwin" and shutil.which("caffeinate"):
        return ["caffeinate", "-di" if with_screen else "-i", "-w", str(os.getpid())]
    if sys.platform.startswith("linux") and shutil.which("systemd-inhibit"):
        what = "idle:sleep" if with_screen else "sleep"
        why = ["--who=Fretsaw", "--why=A run computes", "--mode=block"]
        # cat ends when its input does, and that ends with this process, however it ends
        return ["systemd-inhibit", f"--what={what}", *why, "cat"]
    return None


def _windows(flags: int) -> None:
    import ctypes

    windll = getattr(ctypes, "windll", None)
    if windll is not None:
        windll.kernel32.SetThreadExecutionState(flags)
