"""Ten thousand messages from the protocol's own grammar; then a good phone is served as ever."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from device_bridge import wire
from device_bridge.client import Bridge
from device_bridge.frames import Frame
from device_bridge.protocol import Credit, ProtocolError, from_phone
from tests.device_bridge import grammar
from tests.fakes.edit_artifact import edit_artifact

ROUNDS, BATCH = 500, 20
HALF = BATCH // 2
HELLO: dict[str, Any] = {
    "v": 1, "t": "hello", "page": "1", "agent": "a", "cores": 4,
    "secure": True, "isolated": True, "threads": True,
}  # fmt: skip
GOOD = st.one_of(
    grammar.valid().map(json.dumps),
    grammar.valid().map(json.dumps),
    grammar.valid_frames(),
    grammar.noise(),
)
NEARLY = st.one_of(grammar.nearly_valid(), grammar.nearly_valid(), grammar.nearly_valid_frames())


class Fuzzed:
    """A server process, a paired client, and what was sent to it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.bridge = Bridge()
        self.bridge.start()
        self.bridge.send(wire.Listen(host="127.0.0.1"))
        listening = self.bridge.wait(lambda e: isinstance(e, wire.Listening), 30)
        self.base = f"http://localhost:{listening.port}"
        self.sent: Counter[str] = Counter()
        self.client = self.loop.run_until_complete(self._paired())

    async def _paired(self) -> aiohttp.ClientSession:
        self.bridge.send(wire.Pair(allow=True))
        token = self.bridge.wait(lambda e: isinstance(e, wire.Token), 10).url.split("#t=")[1]
        client = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True), headers={"Origin": self.base}
        )
        async with client.post(f"{self.base}/pair", json={"token": token}) as answer:
            assert (await answer.json())["state"] == "allowed"
        return client

    def send(self, batch: list[str | bytes]) -> None:
        self.loop.run_until_complete(asyncio.wait_for(self._send(batch), 30))

    async def _send(self, batch: list[str | bytes]) -> None:
        async with self.client.ws_connect(f"{self.base}/ws", max_msg_size=0) as socket:
            for message in batch:
                if socket.closed:
                    self.sent["after the end"] += 1
                elif isinstance(message, str):
                    await socket.send_str(message)
                else:
                    await socket.send_bytes(message)
                self.sent["all"] += 1
            # The server answers the closing only after it has read all that came before.
            await socket.close()
            self.sent[f"closed {socket.close_code}"] += 1

    def close(self) -> None:
        self.loop.run_until_complete(self.client.close())
        self.bridge.close()
        self.loop.close()


@pytest.fixture
def fuzzed(capfd: pytest.CaptureFixture[str]):  # before the process starts, which inherits it
    made = Fuzzed()
    yield made
    made.close()


@st.composite
def batches(draw: Any) -> list[str | bytes]:
    """Return messages of one channel, half valid but for one field; some without hello first."""
    first = [json.dumps(HELLO)] if draw(st.integers(0, 11)) else []
    rest = [draw(NEARLY) for _ in range(HALF)]
    rest += [draw(GOOD) for _ in range(BATCH - HALF - len(first))]
    return first + draw(st.permutations(rest))


def test_ten_thousand_messages_leave_the_server_serving(
    fuzzed: Fuzzed, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    process = fuzzed.bridge._process
    assert process is not None
    before = psutil.Process(process.pid).memory_info().rss

    # Not shrunk: what a server does to one batch hangs on those before.
    @settings(
        max_examples=ROUNDS,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],
    )
    @given(batches())
    def throw(batch: list[str | bytes]) -> None:
        fuzzed.send(batch)

    began = time.monotonic()
    throw()
    assert time.monotonic() - began < 120
    assert fuzzed.sent["all"] >= ROUNDS * BATCH
    assert process.poll() is None
    # Channels that we ended were read to their last message.
    assert fuzzed.sent["closed 1000"] > 0.8 * ROUNDS, fuzzed.sent
    assert psutil.Process(process.pid).memory_info().rss - before < 80e6
    fuzzed.loop.run_until_complete(asyncio.wait_for(good_phone(fuzzed, tmp_path), 60))
    assert "Traceback" not in capfd.readouterr().err


async def good_phone(fuzzed: Fuzzed, folder: Path) -> None:
    """Pair anew, say hello, fetch an edit that is pushed, and show a preview."""
    await fuzzed.client.close()
    fuzzed.client = await fuzzed._paired()
    async with fuzzed.client.ws_connect(f"{fuzzed.base}/ws") as socket:
        count = fuzzed.bridge.count
        await socket.send_str(json.dumps(HELLO))
        connected = await asyncio.to_thread(
            fuzzed.bridge.wait, lambda e: isinstance(e, wire.Connected), 20, after=count
        )
        assert (await told(socket, "welcome"))["device"] == connected.device
        folder = edit_artifact(folder / "edit")
        fuzzed.bridge.send(wire.Push(folder=str(folder), id="edit", name="Edit"))
        offer = await told(socket, "offer")
        for file in offer["files"]:
            async with fuzzed.client.get(f"{fuzzed.base}/model/{file['sha256']}") as answer:
                assert answer.status == 200
                assert hashlib.sha256(await answer.read()).hexdigest() == file["sha256"]
        seen: list[Any] = []
        fuzzed.bridge._on_event = seen.append
        fuzzed.bridge.send(wire.Tell(device=connected.device, message=Credit(n=2)))
        await told(socket, "credit")
        await socket.send_bytes(Frame("FRM1", 77, 1.0, 1000, grammar.JPEG).pack())
        async with asyncio.timeout(20):
            while not any(isinstance(e, wire.Preview) and e.seq == 77 for e in seen):
                await asyncio.sleep(0.01)


async def told(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            record: dict[str, Any] = json.loads(await socket.receive_str())
            if record["t"] == kind:
                return record


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(grammar.valid())
def test_the_grammar_makes_messages_that_are_valid(message: dict[str, Any]) -> None:
    read = from_phone(json.dumps(message))
    assert read is not None
    assert read.t == message["t"]


def test_most_of_the_nearly_valid_messages_are_refused() -> None:
    outcomes: Counter[bool] = Counter()

    @settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
    @given(grammar.nearly_valid())
    def look(text: str) -> None:
        try:
            from_phone(text)
            outcomes[True] += 1
        except ProtocolError:
            outcomes[False] += 1

    look()
    assert outcomes[False] > outcomes[True]
