"""The bridge process in Qt terms: events as signals, pictures in one slot, never in a queue."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from backend.core.errors import FretsawError
from device_bridge import protocol as say
from device_bridge import wire


class BridgeProcess(Protocol):
    """The bridge server, as :class:`device_bridge.client.Bridge` gives it."""

    def start(self) -> None:
        """Start the process; FretsawError if it cannot be started."""
        ...

    def send(self, command: Any) -> None:
        """Give it a command of :mod:`device_bridge.wire`."""
        ...

    def close(self) -> None:
        """End it."""
        ...


_END_S = 0.3
"""The longest that the window waits for the process to end."""
OnEvent = Callable[[Any], None]
MakeBridge = Callable[[OnEvent, Callable[[str], None]], BridgeProcess]
"""Makes a bridge from what it calls with each event, and with a sentence when its process ends."""


@dataclass(frozen=True)
class Picture:
    """A preview picture on its way to the painter; ``jpeg`` is not decoded yet."""

    device: str
    seq: int
    total_us: int
    jpeg: bytes


class PhoneLink(QObject):
    """Starts and ends the bridge process and passes on what it says.

    The latest preview waits in one slot. Whoever paints it calls :meth:`painted`, which gives
    the phone its credit back: a window that is busy or hidden makes the phone send less, and
    nothing piles up.
    """

    heard = Signal(object)
    """An event of :mod:`device_bridge.wire`, previews excepted."""
    picture_came = Signal()
    """There is something in the slot; told once, until it is taken."""
    ended = Signal(str)
    """The process ended though nobody asked it to; a sentence."""
    _came = Signal(int, object)
    _died = Signal(int, str)
    _woken = Signal(int)

    def __init__(self, make: MakeBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make = make
        self._bridge: BridgeProcess | None = None
        self._turn = 0
        self._lock = threading.Lock()
        self._slot: Picture | None = None
        self._owed: dict[str, int] = {}
        self._is_told = False
        self._came.connect(self._pass_on)
        self._died.connect(self._end)
        self._woken.connect(self._wake)

    @property
    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._bridge is not None

    def start(self) -> None:
        """Start the process, if it does not run.

        Raises:
            FretsawError: it could not be started.
        """
        if self._bridge is not None:
            return
        self._turn += 1
        turn = self._turn  # what an earlier process still says is not for this one
        bridge = self._make(
            lambda event: self._hear(turn, event), lambda why: self._died.emit(turn, why)
        )
        self._bridge = bridge
        try:
            bridge.start()
        except (FretsawError, OSError) as error:
            self._bridge = None
            if isinstance(error, FretsawError):
                raise
            raise FretsawError(
                "The phone bridge could not be started.", "Close other programs and try again."
            ) from error

    def send(self, command: Any) -> bool:
        """Give the process a command; False if there is none that takes it."""
        if self._bridge is None:
            return False
        try:
            self._bridge.send(command)
        except (FretsawError, OSError, ValueError) as error:
            self._end(self._turn, str(error))
            return False
        return True

    def tell(self, device: str | None, message: Any) -> bool:
        """Send a message of :mod:`device_bridge.protocol` to a phone, or to all."""
        return self.send(wire.Tell(device=device, message=message))

    def close(self) -> None:
        """End the process; what it says from now on is not heard."""
        bridge, self._bridge = self._bridge, None
        self._turn += 1
        with self._lock:
            self._slot, self._is_told = None, False
            self._owed.clear()
        if bridge is not None:
            # A process that hangs must not hold the window; with its input closed it ends anyway.
            ender = threading.Thread(target=bridge.close, name="end of bridge", daemon=True)
            ender.start()
            ender.join(_END_S)

    # -- pictures --------------------------------------------------------------------------------

    def take(self) -> Picture | None:
        """Take the latest picture out of the slot."""
        with self._lock:
            picture, self._slot = self._slot, None
            self._is_told = False
        return picture

    def painted(self, device: str) -> None:
        """Give a phone the credit back for every picture that came since the last time."""
        with self._lock:
            owed = self._owed.pop(device, 0)
        if owed:
            self.tell(device, say.Credit(n=min(owed, 8)))

    # -- inner: the first of these runs in the reader's thread -----------------------------------

    def _hear(self, turn: int, event: Any) -> None:
        if not isinstance(event, wire.Preview):
            self._came.emit(turn, event)
            return
        try:
            jpeg = base64.b64decode(event.jpeg, validate=True)
        except (binascii.Error, ValueError):
            jpeg = b""
        with self._lock:
            if turn != self._turn:
                return
            self._slot = Picture(event.device, event.seq, event.total_us, jpeg)
            self._owed[event.device] = self._owed.get(event.device, 0) + 1
            must_tell, self._is_told = not self._is_told, True
        if must_tell:
            self._woken.emit(turn)

    def _wake(self, turn: int) -> None:
        if turn == self._turn:
            self.picture_came.emit()

    def _pass_on(self, turn: int, event: object) -> None:
        if turn == self._turn:
            if isinstance(event, wire.Gone):
                with self._lock:
                    self._owed.pop(event.device, None)
            self.heard.emit(event)

    def _end(self, turn: int, why: str) -> None:
        if turn == self._turn and self._bridge is not None:
            self.close()
            self.ended.emit(why)
