"""Pictures on their way between phone and studio: a fixed header and a JPEG."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from device_bridge.protocol import MAX_FRAME, ProtocolError

HEADER = struct.Struct(">4sIdII")
"""Magic, sequence number, phone time in ms, bytes of the JPEG, time of the frame in us."""
Magic = Literal["FRM1", "ASK1", "ANS1"]
"""Preview to the studio; picture that the desktop is to compute; its answer."""


@dataclass(frozen=True)
class Frame:
    """A picture on its way: JPEG bytes with sequence number, phone time (ms) and duration (us)."""

    magic: Magic
    seq: int
    at_ms: float
    total_us: int
    jpeg: bytes

    def pack(self) -> bytes:
        """Return the message as bytes."""
        head = HEADER.pack(self.magic.encode(), self.seq, self.at_ms, len(self.jpeg), self.total_us)
        return head + self.jpeg

    @classmethod
    def unpack(cls, data: bytes) -> Frame:
        """Read a binary message.

        Raises:
            ProtocolError: too short, too long, an unknown magic, a wrong length, or no JPEG.
        """
        if len(data) > MAX_FRAME:
            raise ProtocolError(f"A picture of {len(data)} bytes is above the {MAX_FRAME} allowed.")
        if len(data) < HEADER.size:
            raise ProtocolError(f"A picture message of {len(data)} bytes has no whole header.")
        magic, seq, at_ms, length, total_us = HEADER.unpack_from(data)
        jpeg = data[HEADER.size :]
        if magic not in (b"FRM1", b"ASK1", b"ANS1"):
            raise ProtocolError(f"A picture message begins with {magic!r}, which is not known.")
        if length != len(jpeg):
            raise ProtocolError(f"A picture says {length} bytes but has {len(jpeg)}.")
        if jpeg[:3] != b"\xff\xd8\xff":
            raise ProtocolError("A picture message holds no JPEG.")
        if at_ms != at_ms or abs(at_ms) > 1e15:
            raise ProtocolError("A picture message has no usable time.")
        return cls(magic.decode(), seq, at_ms, total_us, jpeg)


MIX = b"MIX1"
"""Begins what the server tells its own worker: a mix of concepts as JSON in a picture's place."""


def mix_message(text: str) -> bytes:
    """Return the message that tells a worker which mix of concepts to compute from now on."""
    data = text.encode()
    return HEADER.pack(MIX, 0, 0.0, len(data), 0) + data
