"""What the phone offers on a stream: a shell, ports, reversed ports; files are in sync.py."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING

from tests.fakes.adbd.sync import sync

if TYPE_CHECKING:
    from tests.fakes.adbd.connection import Connection, Stream

STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = range(5)
# Folders of a phone that commands may name; they lie below the root of the fake one.
FOLDERS = ("/data/local/tmp", "/sys/class/thermal")


async def serve(connection: Connection, stream: Stream, service: str) -> None:
    """Answer an OPEN message."""
    kind, _, argument = service.partition(":")
    try:
        if kind == "tcp":
            await _port(connection, stream, int(argument))
            return
        if kind.split(",")[0] not in ("shell", "exec", "sync", "reverse"):
            await connection.refuse(stream)
            return
        await connection.accept(stream)
        if kind == "sync":
            await sync(connection.phone, stream)
        elif kind == "reverse":
            await _reverse(connection, stream, argument)
        else:
            await _shell(connection, stream, argument, framed="v2" in kind.split(","))
        await stream.close()
    except ConnectionError:
        pass


async def _shell(connection: Connection, stream: Stream, command: str, framed: bool) -> None:
    phone = connection.phone
    for folder in FOLDERS:
        command = command.replace(folder, str(phone.path(folder)))
    child = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", command or "cat"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE if framed else asyncio.subprocess.STDOUT,
        env={"PATH": f"{phone.root}/bin:/usr/bin:/bin"},
        cwd=phone.root,
    )
    feeding = asyncio.ensure_future(_feed(stream, child, framed))

    async def pump(source: asyncio.StreamReader | None, number: int) -> None:
        while source and (data := await source.read(65536)):
            head = struct.pack("<BI", number, len(data)) if framed else b""
            await stream.write(head + data)

    try:
        await asyncio.gather(pump(child.stdout, STDOUT), pump(child.stderr, STDERR))
        code = await child.wait()
        if framed:
            await stream.write(struct.pack("<BIB", EXIT, 1, code & 255))
    finally:
        feeding.cancel()
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        child._transport.close()  # else the garbage collector does, after the loop has ended


async def _feed(stream: Stream, child: asyncio.subprocess.Process, framed: bool) -> None:
    """Pass on what the client types; the end of the stream ends the command."""
    assert child.stdin is not None
    with contextlib.suppress(ConnectionError):
        while framed:
            number, length = struct.unpack("<BI", await stream.read(5))
            data = await stream.read(length)
            if number == STDIN:
                child.stdin.write(data)
            elif number == CLOSE_STDIN:
                child.stdin.close()
        while data := await stream.chunk():
            child.stdin.write(data)
    with contextlib.suppress(ProcessLookupError):
        child.kill()


async def _port(connection: Connection, stream: Stream, port: int) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        await connection.refuse(stream)
        return
    await connection.accept(stream)
    await _join(stream, reader, writer)


async def _join(stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes both ways until both sides are done."""

    async def out() -> None:
        while data := await reader.read(65536):
            await stream.write(data)
        await stream.close()

    async def back() -> None:
        while data := await stream.chunk():
            writer.write(data)
            await writer.drain()
        writer.close()

    await asyncio.gather(out(), back(), return_exceptions=True)


def _block(text: str) -> bytes:
    return f"{len(text):04x}{text}".encode()


async def _reverse(connection: Connection, stream: Stream, request: str) -> None:
    verb, _, argument = request.partition(":")
    ports = connection.phone.reversed
    if verb == "forward":
        local, _, remote = argument.removeprefix("norebind:").partition(";")
        try:
            port = await _forward(connection, int(local.removeprefix("tcp:")), remote)
        except OSError as error:
            await stream.write(b"FAIL" + _block(str(error)))
            return
        # The status of the request, then that of the listener with the port that was chosen.
        await stream.write(b"OKAY" + (_block(str(port)) if local == "tcp:0" else b""))
    elif verb == "list-forward":
        rows = "".join(f"(reverse) {local} {remote}\n" for local, (remote, _) in ports.items())
        await stream.write(_block(rows))
    elif verb == "killforward" and argument not in ports:
        await stream.write(b"FAIL" + _block(f"listener '{argument}' not found"))
    elif verb in ("killforward", "killforward-all"):
        for local in list(ports) if verb.endswith("all") else [argument]:
            ports.pop(local)[1].close()
        await stream.write(b"OKAY")
    else:
        await stream.write(b"FAIL" + _block("unknown request"))


async def _forward(connection: Connection, port: int, remote: str) -> int:
    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = await connection.open(remote)
        if stream is None:
            writer.close()
        else:
            await _join(stream, reader, writer)

    server = await asyncio.start_server(accepted, "127.0.0.1", port)
    port = server.sockets[0].getsockname()[1]
    connection.phone.reversed[f"tcp:{port}"] = (remote, server)
    return port
