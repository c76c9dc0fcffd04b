"""A phone that is connected: its channel, its limits and what it may send."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import BaseModel

from device_bridge.frames import Frame
from device_bridge.pairing import Session
from device_bridge.protocol import (
    FRAMES_PER_SECOND,
    TELEMETRY_PER_SECOND,
    Bye,
    Credit,
    FromPhone,
    Hello,
    ProtocolError,
    Telemetry,
    from_phone,
)

START_CREDIT = 2
MOST_BAD = 20
"""Messages that do not fit before a channel is closed."""
MESSAGES_PER_SECOND = 100
"""Text messages of all kinds; progress of a download is the most frequent."""


class Channel(Protocol):
    """A way to a phone: a WebSocket, or server-sent events and posts."""

    async def send(self, message: str | bytes) -> None:
        """Send text or bytes; ConnectionError once the phone has left."""
        ...

    async def close(self, code: int, why: str) -> None:
        """End it."""
        ...


class RateLimit:
    """Lets ``per_second`` things through a second, a second's worth at once."""

    def __init__(self, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = per_second, clock
        self._left, self._at = float(per_second), clock()

    def allows(self) -> bool:
        """Take one, if there is one left."""
        now = self._clock()
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(eq=False)
class Phone:
    """One connected phone."""

    session: Session
    channel: Channel
    hello: Hello | None = None
    credit: int = 0
    bad: int = 0
    dropped: int = 0
    is_closed: bool = False
    frames: RateLimit = field(default_factory=lambda: RateLimit(FRAMES_PER_SECOND))
    telemetry: RateLimit = field(default_factory=lambda: RateLimit(TELEMETRY_PER_SECOND))
    messages: RateLimit = field(default_factory=lambda: RateLimit(MESSAGES_PER_SECOND))
    asking: asyncio.Task[None] | None = None
    waiting: Frame | None = None
    """The newest picture to compute while one is under way."""

    async def send(self, message: BaseModel) -> bool:
        """Send a message; False if the phone has left."""
        if isinstance(message, Credit):
            self.credit = min(self.credit + message.n, 16)
        return await self.send_raw(message.model_dump_json(exclude_none=True))

    async def send_raw(self, message: str | bytes) -> bool:
        """Send text or bytes; False if the phone has left."""
        if self.is_closed:
            return False
        try:
            await self.channel.send(message)
        except (ConnectionError, RuntimeError):
            self.is_closed = True
            return False
        return True

    async def leave(self, why: str, code: int = 1000) -> None:
        """Say goodbye and end the channel."""
        if not self.is_closed:
            await self.send(Bye(why=why))
            self.is_closed = True
            await self.channel.close(code, why)
        if self.asking is not None:
            self.asking.cancel()

    def read(self, data: str | bytes) -> FromPhone | Frame | None:
        """Read what came; None for what is dropped: unknown types, and what is above a limit.

        Raises:
            ProtocolError: it does not fit, or comes before hello.
        """
        if isinstance(data, bytes):
            if self.hello is None:
                raise ProtocolError("A picture came before hello.")
            return self._limited(Frame.unpack(data))
        if not self.messages.allows():
            self.dropped += 1
            return None
        message = from_phone(data)
        if message is None:
            return None
        if self.hello is None and not isinstance(message, Hello):
            raise ProtocolError("The first message must be hello.")
        if isinstance(message, Telemetry) and not self.telemetry.allows():
            self.dropped += 1
            return None
        return message

    def _limited(self, frame: Frame) -> Frame | None:
        if frame.magic == "ANS1":
            raise ProtocolError("A phone does not send answers.")
        is_preview = frame.magic == "FRM1"
        if not self.frames.allows() or (is_preview and self.credit < 1):
            self.dropped += 1
            return None
        if is_preview:
            self.credit -= 1
        return frame


def refuse(phone: Phone, error: ProtocolError) -> str | None:
    """Count a message that does not fit; return a close reason once there are too many."""
    phone.bad += 1
    return str(error) if phone.hello is None or phone.bad >= MOST_BAD else None
