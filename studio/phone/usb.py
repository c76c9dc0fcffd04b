"""Phones on a cable, through a process of their own: a hanging phone never holds the window."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from backend.core.files import parse_json

POLL_MS = 2_000
LIMIT_MS = 30_000
"""The command itself ends each call to adb earlier; this is for a command that does not end."""
Answered = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class UsbPhone:
    """A phone on the cable; ``instruction`` is empty when it is ready."""

    serial: str
    state: str
    model: str
    instruction: str


class Usb(QObject):
    """Looks for phones while somebody watches, and opens the page on one."""

    changed = Signal()
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None, command: list[str] | None = None) -> None:
        super().__init__(parent)
        self._command = command or [sys.executable, "-P", "-m", "device_bridge.adb_command"]
        self.phones: list[UsbPhone] = []
        self.advice = ""
        self.is_known = False
        """Whether adb has answered once."""
        self._calls: set[QProcess] = set()
        self._looking: QProcess | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.look)

    def watch(self, on: bool) -> None:
        """Look every two seconds, or stop."""
        if on and not self._timer.isActive():
            self._timer.start()
            self.look()
        elif not on:
            self._timer.stop()

    def look(self) -> None:
        """Ask once which phones there are."""
        if self._looking is None:
            self._looking = self._call(["devices"], self._looked)

    def reverse(self, serial: str, port: int, then: Callable[[int], None]) -> None:
        """Let a port of the phone lead to ours; ``then`` gets the phone's."""
        self._call(["reverse", serial, str(port)], lambda said: self._opened(said, then))

    def open(self, serial: str, url: str) -> None:
        """Open an address in the phone's browser."""
        self._call(["open", serial, url], self._told)

    def close(self) -> None:
        """End what is under way."""
        self._timer.stop()
        calls, self._calls = self._calls, set()
        self._looking = None
        for call in calls:
            call.finished.disconnect()
            call.errorOccurred.disconnect()
            call.kill()
            call.waitForFinished(3_000)

    # -- inner -----------------------------------------------------------------------------------

    def _call(self, words: list[str], then: Answered) -> QProcess:
        process = QProcess(self)
        limit = QTimer(process)
        limit.setSingleShot(True)
        limit.timeout.connect(process.kill)
        process.finished.connect(lambda *_: self._ended(process, then))
        process.errorOccurred.connect(lambda error: self._not_started(process, error, then))
        self._calls.add(process)
        program, *rest = self._command
        process.start(program, [*rest, *words])
        limit.start(LIMIT_MS)
        return process

    def _ended(self, process: QProcess, then: Answered) -> None:
        if process not in self._calls:
            return
        self._calls.discard(process)
        text = bytes(process.readAllStandardOutput().data()).decode(errors="replace")
        process.deleteLater()
        try:
            said = parse_json(text)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            said = {
                "error": "adb gave no answer.",
                "remedy": "Unplug the cable, plug it in again, or use Wi-Fi.",
            }
        then(said)

    def _not_started(self, process: QProcess, error: QProcess.ProcessError, then: Answered) -> None:
        if error == QProcess.ProcessError.FailedToStart and process in self._calls:
            self._calls.discard(process)
            process.deleteLater()
            then({"error": "adb could not be started.", "remedy": "Use Wi-Fi."})

    def _looked(self, said: dict[str, Any]) -> None:
        self._looking = None
        self.is_known = True
        if "error" in said:
            phones, advice = [], f"{said['error']} {said.get('remedy', '')}".strip()
        else:
            phones = [
                UsbPhone(
                    str(one.get("serial", "")),
                    str(one.get("state", "")),
                    str(one.get("model", "")),
                    str(one.get("instruction", "")),
                )
                for one in said.get("devices", [])
                if isinstance(one, dict)
            ]
            advice = str(said.get("advice", ""))
        if (phones, advice) != (self.phones, self.advice):
            self.phones, self.advice = phones, advice
        self.changed.emit()

    def _opened(self, said: dict[str, Any], then: Callable[[int], None]) -> None:
        port = said.get("port")
        if isinstance(port, int) and 0 < port < 65_536:
            then(port)
        else:
            self._told(said)

    def _told(self, said: dict[str, Any]) -> None:
        if "error" in said:
            self.failed.emit(f"{said['error']} {said.get('remedy', '')}".strip())
