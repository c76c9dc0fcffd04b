"""A server in this process and a client that acts as a phone, for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from device_bridge import protocol as say
from device_bridge import wire
from device_bridge.frames import Frame
from device_bridge.pages import PageFile
from device_bridge.server import Server

JPEG = b"\xff\xd8\xff\xe0" + bytes(200) + b"\xff\xd9"


def hello(**more: Any) -> say.Hello:
    return say.Hello(
        **{
            "page": "test",
            "agent": "test",
            "name": "Pixel",
            "cores": 4,
            "secure": True,
            "isolated": True,
            "threads": True,
            **more,
        }
    )


class Bench:
    """A listening server and what it told the studio."""

    def __init__(self, folder: Path) -> None:
        self.events: list[Any] = []
        self.replaced = False
        page = folder / "index.html"
        page.write_text("<p>page</p>")
        packed = folder / "x.wasm.gz"
        packed.write_bytes(b"packed")
        files = {
            "/": PageFile("/", page, "text/html"),
            "/vendor/x.wasm": PageFile("/vendor/x.wasm", packed, "application/wasm", "gzip"),
        }
        self.server = Server(self._emit, folder / "home", lambda: files)

    def _emit(self, event: Any) -> bool:
        self.events.append(event)
        return isinstance(event, wire.Preview) and self.replaced

    def last(self, kind: type) -> Any:
        return next((e for e in reversed(self.events) if isinstance(e, kind)), None)

    async def until(self, fits: Callable[[Any], bool], seconds: float = 5.0) -> Any:
        async with asyncio.timeout(seconds):
            while True:
                for event in self.events:
                    if fits(event):
                        return event
                await asyncio.sleep(0.005)

    @property
    def base(self) -> str:
        scheme = "https" if self.server.tls else "http"
        return f"{scheme}://{self.server.host}:{self.server.port}"

    @property
    def origin(self) -> dict[str, str]:
        return {"Origin": self.base}

    def client(self, **more: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), **more)

    async def token(self, **more: Any) -> str:
        await self.server.do(wire.Pair(**more))
        return self.last(wire.Token).url.split("#t=")[1]

    async def pair(self, client: aiohttp.ClientSession, *, allow: bool = True) -> dict[str, Any]:
        """Pair a client and let it in."""
        token = await self.token()
        body = {"token": token, "name": "Pixel"}
        async with client.post(f"{self.base}/pair", json=body, headers=self.origin) as answer:
            assert answer.status == 200, await answer.text()
            said: dict[str, Any] = await answer.json()
        if allow:
            await self.server.do(wire.Answer(device=said["device"], allow=True))
        return said


@asynccontextmanager
async def bench(folder: Path, *, host: str = "127.0.0.1", tls: bool = False):
    made = Bench(folder)
    await made.server.do(wire.Listen(host=host, tls=tls))
    try:
        yield made
    finally:
        await made.server.close()


@asynccontextmanager
async def phone(made: Bench, **about: Any):
    """A paired phone that has said hello."""
    async with made.client() as client:
        said = await made.pair(client)
        async with client.ws_connect(f"{made.base}/ws", headers=made.origin) as socket:
            await socket.send_str(hello(**about).model_dump_json())
            yield Handset(client, socket, said["device"])


class Handset:
    def __init__(self, client: aiohttp.ClientSession, socket: Any, device: str) -> None:
        self.client, self.socket, self.device = client, socket, device

    async def send(self, message: Any) -> None:
        await self.socket.send_str(message.model_dump_json())

    async def preview(self, seq: int, jpeg: bytes = JPEG) -> None:
        await self.socket.send_bytes(Frame("FRM1", seq, 1.0, 2000, jpeg).pack())

    async def get(self, kind: str, seconds: float = 5.0) -> dict[str, Any]:
        """Return the next message of a type; others are passed over."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self.socket.receive()
                if message.type is aiohttp.WSMsgType.TEXT:
                    record: dict[str, Any] = json.loads(message.data)
                    if record["t"] == kind:
                        return record
                elif message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                    raise ConnectionError(f"closed: {message.data} {message.extra}")
