"""The phone's file service.

Source: Android's SYNC.TXT of adb, and its newer STA2 and LST2 requests.
"""

from __future__ import annotations

import asyncio
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fakes.adbd.connection import Stream
    from tests.fakes.adbd.phone import Phone

ENOENT = 2


async def sync(phone: Phone, stream: Stream) -> None:
    """Answer requests until the client leaves."""
    while True:
        request, length = struct.unpack("<4sI", await stream.read(8))
        if request == b"QUIT":
            return
        name = (await stream.read(length)).decode()
        try:
            await _answer(phone, stream, request, name)
        except OSError as error:
            if isinstance(error, ConnectionError):
                raise
            if request == b"SEND":
                await _discard(stream)
            text = str(error).encode()
            await stream.write(b"FAIL" + struct.pack("<I", len(text)) + text)


async def _answer(phone: Phone, stream: Stream, request: bytes, name: str) -> None:
    if request in (b"STAT", b"STA2", b"LST2"):
        await stream.write(_stat(phone, request, name))
    elif request == b"LIST":
        for path in sorted(phone.path(name).iterdir()):
            stat, entry = path.lstat(), path.name.encode()
            fields = (stat.st_mode, stat.st_size, int(stat.st_mtime), len(entry))
            await stream.write(b"DENT" + struct.pack("<4I", *fields) + entry)
        await stream.write(b"DONE" + bytes(16))
    elif request == b"SEND":
        target, _, mode = name.rpartition(",")
        await _receive(phone, stream, phone.path(target), int(mode, 0) & 0o777)
        await stream.write(b"OKAY" + bytes(4))
    elif request == b"RECV":
        with phone.path(name).open("rb") as file:
            while data := file.read(65536):
                await stream.write(b"DATA" + struct.pack("<I", len(data)) + data)
        await stream.write(b"DONE" + bytes(4))
    else:
        raise OSError(f"unknown request {request!r}")


def _stat(phone: Phone, request: bytes, name: str) -> bytes:
    try:
        path = phone.path(name)
        stat = path.stat() if request == b"STA2" else path.lstat()
    except OSError:
        stat = None
    if request == b"STAT":
        fields = (stat.st_mode, stat.st_size, int(stat.st_mtime)) if stat else (0, 0, 0)
        return request + struct.pack("<3I", *fields)
    if stat is None:
        return request + struct.pack("<IQQIIIIQqqq", ENOENT, *[0] * 10)
    identity = (0, stat.st_dev, stat.st_ino, stat.st_mode, stat.st_nlink, 0, 0, stat.st_size)
    times = (int(stat.st_atime), int(stat.st_mtime), int(stat.st_ctime))
    return request + struct.pack("<IQQIIIIQqqq", *identity, *times)


async def _receive(phone: Phone, stream: Stream, path: Path, mode: int) -> None:
    """Write a file that is sent, with the fault that the test wants."""
    fault, phone.fault = phone.fault, None
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while True:
            kind, value = struct.unpack("<4sI", await stream.read(8))
            if kind == b"DONE":
                break
            data = await stream.read(value)
            if fault == "corrupt":
                data, fault = bytes([data[0] ^ 1]) + data[1:], None
            file.write(data)
            if fault == "disconnect":
                phone.drop()
            elif fault == "hang":
                await asyncio.Event().wait()
    path.chmod(mode)
    os.utime(path, (value, value))


async def _discard(stream: Stream) -> None:
    while True:
        kind, length = struct.unpack("<4sI", await stream.read(8))
        if kind == b"DONE":
            return
        await stream.read(length)
