"""One connection of adb with the phone: messages, the question for the key, streams.

Source: Android's protocol.txt of adb (CNXN, AUTH, OPEN, OKAY, WRTE, CLSE).
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import struct
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from tests.fakes.adbd.services import serve

if TYPE_CHECKING:
    from tests.fakes.adbd.phone import Phone

CNXN, AUTH, OPEN, OKAY, WRTE, CLSE = (
    int.from_bytes(name, "little")
    for name in (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"WRTE", b"CLSE")
)
TOKEN, SIGNATURE, PUBLIC_KEY = 1, 2, 3
VERSION = 0x01000001  # the first without checksums
PAYLOAD = 256 * 1024
# Only what is answered here: adb trusts the list and waits for what it does not get.
FEATURES = "shell_v2,cmd,stat_v2,fixed_push_mkdir"


def public_key(text: str) -> rsa.RSAPublicKey:
    """Read a key as adb sends it: base64 of words, n0inv, modulus, R squared, exponent."""
    data = base64.b64decode(text.split()[0])
    modulus = int.from_bytes(data[8:264], "little")
    return rsa.RSAPublicNumbers(int.from_bytes(data[520:524], "little"), modulus).public_key()


class Stream:
    """A channel between a service and its client; one block is under way at a time."""

    def __init__(self, connection: Connection, local: int, remote: int) -> None:
        self.connection, self.local, self.remote = connection, local, remote
        self.received: asyncio.Queue[bytes] = asyncio.Queue()  # an empty block is the end
        self.acknowledged = asyncio.Event()
        self.closed = False
        self._rest = b""

    async def chunk(self) -> bytes:
        """Return what came next; nothing at the end."""
        rest, self._rest = self._rest, b""
        if rest:
            return rest
        if self.closed and self.received.empty():
            return b""
        return await self.received.get()

    async def read(self, size: int) -> bytes:
        """Return exactly ``size`` bytes; ConnectionResetError when the stream ends before."""
        blocks, missing = [], size
        while missing > 0:
            block = await self.chunk()
            if not block:
                raise ConnectionResetError
            blocks.append(block[:missing])
            self._rest = block[missing:]
            missing -= len(blocks[-1])
        return b"".join(blocks)

    async def write(self, data: bytes) -> None:
        """Send ``data`` and wait until it was taken; ConnectionResetError when nobody reads."""
        for start in range(0, len(data), self.connection.payload):
            if self.closed:
                raise ConnectionResetError
            self.acknowledged.clear()
            block = data[start : start + self.connection.payload]
            await self.connection.send(WRTE, self.local, self.remote, block)
            await self.acknowledged.wait()

    async def close(self) -> None:
        """Say that no more comes."""
        if not self.closed:
            self.closed = True
            await self.connection.send(CLSE, self.local, self.remote)

    def end(self) -> None:
        """Note that the other side closed."""
        self.closed = True
        self.received.put_nowait(b"")
        self.acknowledged.set()


class Connection:
    """Reads messages and hands them to streams until the other side leaves."""

    def __init__(
        self, phone: Phone, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.phone, self.payload = phone, PAYLOAD
        self._reader, self._writer = reader, writer
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._token, self._online, self._checksums = b"", False, True
        self._last = 0

    async def run(self) -> None:
        """Answer until the connection ends or breaks the protocol."""
        try:
            while True:
                header = await self._reader.readexactly(24)
                command, first, second, length, _, magic = struct.unpack("<6I", header)
                if magic != command ^ 0xFFFFFFFF or length > 1 << 20:
                    return
                await self._handle(command, first, second, await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            for stream in self._streams.values():
                stream.end()
            for task in list(self._tasks):
                task.cancel()
            self._writer.close()

    async def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        """Send one message."""
        check = sum(data) & 0xFFFFFFFF if self._checksums else 0
        header = (command, first, second, len(data), check, command ^ 0xFFFFFFFF)
        self._writer.write(struct.pack("<6I", *header) + data)
        await self._writer.drain()

    def abort(self) -> None:
        """End it as a pulled cable does."""
        self._writer.transport.abort()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside the messages; it ends with the connection."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def open(self, service: str) -> Stream | None:
        """Open a stream to ``service`` on the computer's side; None if it is refused."""
        stream = self._stream(0)
        await self.send(OPEN, stream.local, 0, service.encode() + b"\0")
        try:
            await asyncio.wait_for(stream.acknowledged.wait(), 5)
        except TimeoutError:
            return None
        return None if stream.closed else stream

    async def accept(self, stream: Stream) -> None:
        """Say that the service of ``stream`` is there."""
        await self.send(OKAY, stream.local, stream.remote)

    async def refuse(self, stream: Stream) -> None:
        """Say that there is no such service."""
        self._streams.pop(stream.local, None)
        stream.closed = True
        await self.send(CLSE, 0, stream.remote)

    def _stream(self, remote: int) -> Stream:
        self._last += 1
        self._streams[self._last] = Stream(self, self._last, remote)
        return self._streams[self._last]

    async def _handle(self, command: int, first: int, second: int, data: bytes) -> None:
        if command == CNXN:
            self._checksums = first < VERSION
            self.payload = min(second, PAYLOAD)
            await (self._welcome() if self.phone.auth is None else self._challenge())
        elif command == AUTH:
            await self._authenticate(first, data)
        elif not self._online:
            raise ConnectionResetError
        elif command == OPEN:
            service = data.rstrip(b"\0").decode()
            self.phone.opened.append(service)
            self.start(serve(self, self._stream(first), service))
        elif stream := self._streams.get(second):
            await self._deliver(command, first, stream, data)
        elif command == WRTE:
            await self.send(CLSE, 0, first)

    async def _deliver(self, command: int, remote: int, stream: Stream, data: bytes) -> None:
        if command == WRTE:
            stream.received.put_nowait(data)
            await self.send(OKAY, stream.local, stream.remote)
        elif command == OKAY:
            stream.remote = remote
            stream.acknowledged.set()
        elif command == CLSE:
            self._streams.pop(stream.local, None)
            stream.end()

    async def _welcome(self) -> None:
        from tests.fakes.adbd.phone import PROPERTIES

        names = ("ro.product.name", "ro.product.model", "ro.product.device")
        banner = "".join(f"{name}={PROPERTIES[name]};" for name in names)
        self._online = True
        text = f"device::{banner}features={FEATURES}"
        await self.send(CNXN, VERSION, PAYLOAD, text.encode())

    async def _challenge(self) -> None:
        self._token = secrets.token_bytes(20)
        await self.send(AUTH, TOKEN, 0, self._token)

    async def _authenticate(self, kind: int, data: bytes) -> None:
        if kind == SIGNATURE:
            known = any(self._signed_by(key, data) for key in self.phone.trusted)
            await (self._welcome() if known else self._challenge())
        elif kind == PUBLIC_KEY:
            key = public_key(data.rstrip(b"\0").decode())

            async def trust() -> None:
                self.phone.trusted.append(key)
                await self._welcome()

            if self.phone.auth == "accept":
                await trust()
            else:  # silence: adb shows "unauthorized"
                self.phone.ask(trust)

    def _signed_by(self, key: rsa.RSAPublicKey, signature: bytes) -> bool:
        try:
            digest = utils.Prehashed(hashes.SHA1())
            key.verify(signature, self._token, padding.PKCS1v15(), digest)
        except InvalidSignature:
            return False
        return True
