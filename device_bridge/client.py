"""The studio's and scripts' side of the bridge process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.core.errors import FretsawError
from device_bridge import protocol as say
from device_bridge import wire
from device_bridge.doctor import Doctor as Doctor
from device_bridge.doctor import Step as Step
from device_bridge.interfaces import interfaces as interfaces

OnEvent = Callable[[Any], None]
OnEnd = Callable[[str], None]
_END_S = 5.0


@dataclass(frozen=True)
class Latency:
    """What a phone measured: ms for one frame of the fastest backend, and all of them."""

    device: str
    backend: str
    median_ms: float
    p90_ms: float
    times: tuple[say.BackendTime, ...]


class Bridge:
    """The server process: takes commands, gives events.

    ``on_event`` is called in a thread of its own with each event of :mod:`device_bridge.wire`,
    ``on_end`` with a sentence when the process ends though nobody asked it to. The process ends
    with this one, whatever happens: its standard input closes.
    """

    def __init__(self, on_event: OnEvent = lambda event: None, on_end: OnEnd = lambda why: None):
        self._on_event, self._on_end = on_event, on_end
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        # Enough for an answer to be found that came before it was waited for.
        self._heard: deque[tuple[int, Any]] = deque(maxlen=1_000)
        self._count = 0
        self._devices: dict[str, None] = {}
        self._change = threading.Condition()
        self._is_wanted = False

    def start(self) -> None:
        """Start the process.

        Raises:
            FretsawError: it cannot be started.
        """
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "device_bridge", "serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        except OSError as error:
            raise FretsawError(
                f"The phone bridge cannot be started: {error.strerror}.", "Close other programs."
            ) from error
        self._is_wanted = True
        self._reader = threading.Thread(target=self._read, name="bridge", daemon=True)
        self._reader.start()

    def send(self, command: Any) -> None:
        """Give the process a command.

        Raises:
            FretsawError: the process has ended.
        """
        process = self._process
        try:
            if process is None or process.stdin is None:
                raise BrokenPipeError
            process.stdin.write(command.model_dump_json(exclude_none=True).encode() + b"\n")
            process.stdin.flush()
        except (OSError, ValueError) as error:
            raise FretsawError("The phone bridge has ended.", "Start it again.") from error

    def close(self) -> None:
        """End the process: ask by closing its input, then insist."""
        process, self._process = self._process, None
        self._is_wanted = False
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None and self._reader is not threading.current_thread():
            self._reader.join(_END_S)
        if process.stdout is not None:
            process.stdout.close()

    def wait(self, fits: Callable[[Any], bool], seconds: float, *, after: int = 0) -> Any:
        """Wait for an event that fits; ``after`` is how many are passed over, see ``count``.

        Raises:
            FretsawError: none came in time.
        """
        deadline = time.monotonic() + seconds
        with self._change:
            while True:
                fresh = [(number, event) for number, event in self._heard if number > after]
                for _, event in fresh:
                    if fits(event):
                        return event
                after = max([after, *(number for number, _ in fresh)])
                left = deadline - time.monotonic()
                if left <= 0 or not self._change.wait(left):
                    raise FretsawError(
                        f"The phone did not answer for {seconds:.0f} s.",
                        "It may be asleep or on another network; check the connection.",
                    )

    @property
    def count(self) -> int:
        """Events so far, previews not counted."""
        return self._count

    def devices(self) -> list[str]:
        """Return the devices that are connected now."""
        with self._change:
            return list(self._devices)

    def push(
        self,
        folder: Path,
        id: str,
        name: str,
        *,
        progress: Callable[[int, int], None] = lambda done, total: None,
        seconds: float = 60.0,
        **more: Any,
    ) -> say.Ready:
        """Offer an artefact to the phones and wait until one has it ready.

        Raises:
            FretsawError: no phone, no answer, or what failed on the phone.
        """
        before = self._count
        self.send(wire.Push(folder=str(folder), id=id, name=name, **more))

        def answers(event: Any) -> bool:
            if isinstance(event, wire.Trouble) and event.command == "push":
                return True
            message = event.message if isinstance(event, wire.Said) else None
            if isinstance(message, say.FileProgress) and message.id == id:
                progress(message.done, message.total)
            return isinstance(message, say.Ready | say.Failed) and message.id == id

        answer = self.wait(answers, seconds, after=before)
        if isinstance(answer, wire.Trouble):
            raise FretsawError(answer.text, answer.remedy)
        if isinstance(answer.message, say.Failed):
            raise FretsawError(answer.message.text, "The phone goes on with the edit it had.")
        ready: say.Ready = answer.message
        return ready

    def benchmark(self, id: str, device: str, *, runs: int = 50, seconds: float = 300.0) -> Latency:
        """Let a phone measure an installed edit on all its backends.

        Raises:
            FretsawError: no answer in time, or nothing could be measured.
        """
        before = self._count
        self.send(wire.Tell(device=device, message=say.BenchWish(id=id, runs=runs)))
        answer = self.wait(
            lambda e: isinstance(e, wire.Said) and isinstance(e.message, say.BenchResult),
            seconds,
            after=before,
        )
        times = tuple(time for time in answer.message.times if not time.error)
        if not times:
            raise FretsawError("The phone could not run this edit.", "Look at its messages.")
        best = min(times, key=lambda one: one.median_ms)
        return Latency(device, best.backend, best.median_ms, best.p90_ms, times)

    def _read(self) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for line in process.stdout:
                try:
                    event = wire.event(line)
                except say.ProtocolError:
                    continue
                if not isinstance(event, wire.Preview):
                    self._note(event)
                self._on_event(event)
        if self._is_wanted:
            self._is_wanted = False
            code = process.wait()
            self._on_end(f"The phone bridge ended by itself (code {code}). Start it again.")

    def _note(self, event: Any) -> None:
        with self._change:
            self._count += 1
            self._heard.append((self._count, event))
            if isinstance(event, wire.Connected):
                self._devices[event.device] = None
            elif isinstance(event, wire.Gone):
                self._devices.pop(event.device, None)
            self._change.notify_all()
