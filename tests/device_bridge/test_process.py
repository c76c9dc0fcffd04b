"""The bridge as a process, through its client; and its certificates with real TLS."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import psutil
import pytest

from backend.core.errors import FretsawError
from device_bridge import protocol as say
from device_bridge import wire
from device_bridge.certificates import LEAF_DAYS, authority, local_name, server_context
from device_bridge.client import Bridge
from tests.device_bridge.phone import hello
from tests.fakes.edit_artifact import edit_artifact


def child_of_bridge(bridge: Bridge) -> psutil.Process:
    assert bridge._process is not None
    return psutil.Process(bridge._process.pid)


@pytest.fixture
def bridge():
    made = Bridge()
    made.start()
    yield made
    made.close()


def test_commands_go_in_events_come_out_and_closing_ends_the_process(bridge: Bridge) -> None:
    bridge.send(wire.Listen(host="127.0.0.1"))
    listening = bridge.wait(lambda e: isinstance(e, wire.Listening), 15)
    assert listening.url == f"http://localhost:{listening.port}/"
    bridge.send(wire.Pair())
    token = bridge.wait(lambda e: isinstance(e, wire.Token), 5)
    assert token.url.startswith(listening.url + "#t=")
    assert len(token.code) == 6
    child = child_of_bridge(bridge)
    bridge.close()
    assert not child.is_running()
    with pytest.raises(FretsawError, match="Start it again"):
        bridge.send(wire.Pair())


def test_a_line_that_is_no_command_is_answered_and_the_next_is_served(bridge: Bridge) -> None:
    assert bridge._process is not None
    assert bridge._process.stdin is not None
    bridge._process.stdin.write(b'{"c": "dance"}\n')
    bridge._process.stdin.flush()
    assert "no bridge command" in bridge.wait(lambda e: isinstance(e, wire.Trouble), 15).text
    bridge.send(wire.Listen(host="127.0.0.1"))
    assert bridge.wait(lambda e: isinstance(e, wire.Listening), 5)


def test_a_server_that_is_killed_is_told_in_one_sentence() -> None:
    told: list[str] = []
    bridge = Bridge(on_end=told.append)
    bridge.start()
    bridge.send(wire.Listen(host="127.0.0.1"))
    bridge.wait(lambda e: isinstance(e, wire.Listening), 15)
    child_of_bridge(bridge).kill()
    deadline = time.monotonic() + 5
    while not told and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "Start it again" in told[0]
    bridge.close()


def test_the_server_ends_with_whoever_started_it() -> None:
    code = (
        "import sys, time; from device_bridge.client import Bridge; b = Bridge(); b.start();"
        "print(b._process.pid, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    child = psutil.Process(int(owner.stdout.readline()))
    owner.kill()
    owner.wait()
    owner.stdout.close()
    child.wait(10)  # raises if it is still there


def test_a_script_pushes_and_measures_through_the_client(bridge: Bridge, tmp_path: Path) -> None:
    folder = edit_artifact(tmp_path / "edit")
    bridge.send(wire.Listen(host="127.0.0.1"))
    listening = bridge.wait(lambda e: isinstance(e, wire.Listening), 15)
    bridge.send(wire.Pair(allow=True))
    token = bridge.wait(lambda e: isinstance(e, wire.Token), 5).url.split("#t=")[1]

    async def act() -> None:
        base, jar = listening.url.rstrip("/"), aiohttp.CookieJar(unsafe=True)
        origin = {"Origin": base}
        async with aiohttp.ClientSession(cookie_jar=jar) as client:
            await (await client.post(f"{base}/pair", json={"token": token}, headers=origin)).read()
            async with client.ws_connect(f"{base}/ws", headers=origin) as socket:
                await socket.send_str(hello().model_dump_json())
                async for message in socket:
                    text = message.data
                    if '"t":"offer"' in text:
                        offer = say.to_phone(text)
                        graph = offer.files[0].sha256
                        half = say.FileProgress(id="edit", done=50, total=100)
                        await socket.send_str(half.model_dump_json())
                        ready = say.Ready(id="edit", graph=graph, backend="wasm-1", load_ms=3)
                        await socket.send_str(ready.model_dump_json())
                    elif '"t":"bench"' in text:
                        slow = say.BackendTime(
                            backend="wasm-1", median_ms=9, p90_ms=10, samples=[9, 10]
                        )
                        fast = slow.model_copy(update={"backend": "wasm-4", "median_ms": 4.0})
                        result = say.BenchResult(id="edit", graph=graph, times=[slow, fast])
                        await socket.send_str(result.model_dump_json())
                        return

    import threading

    phone = threading.Thread(target=lambda: asyncio.run(asyncio.wait_for(act(), 20)))
    phone.start()
    device = bridge.wait(lambda e: isinstance(e, wire.Connected), 10).device
    assert bridge.devices() == [device]
    seen: list[tuple[int, int]] = []
    ready = bridge.push(folder, "edit", "Edit", progress=lambda *a: seen.append(a), seconds=10)
    assert ready.load_ms == 3
    assert seen == [(50, 100)]
    latency = bridge.benchmark("edit", device, seconds=10)
    assert (latency.backend, latency.median_ms, len(latency.times)) == ("wasm-4", 4.0, 2)
    phone.join(10)
    bridge.wait(lambda e: isinstance(e, wire.Gone), 5)
    with pytest.raises(FretsawError, match="holds no exported file"):
        bridge.push(tmp_path, "edit", "Edit", seconds=10)
    with pytest.raises(FretsawError, match="did not answer"):
        bridge.push(folder, "edit", "Edit", seconds=0.3)


# ---- certificates -----------------------------------------------------------------------------


def test_the_authority_is_made_once_and_is_private(tmp_path: Path) -> None:
    first = authority(tmp_path)
    assert authority(tmp_path).fingerprint == first.fingerprint
    assert first.fingerprint.count(":") == 31
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "ca.pem").stat().st_mode) == 0o600
    assert b"PRIVATE" not in (tmp_path / "ca.crt").read_bytes()
    (tmp_path / "ca.pem").write_text("damaged")
    assert authority(tmp_path).fingerprint != first.fingerprint


def test_who_trusts_the_authority_trusts_the_server_but_no_public_name(tmp_path: Path) -> None:
    ca = authority(tmp_path)
    (tmp_path / "trusted.pem").write_bytes(ca.pem)

    async def scenario() -> dict:
        made = await asyncio.start_server(
            lambda r, w: w.close(), "127.0.0.1", 0, ssl=server_context(ca, "127.0.0.1")
        )
        port = made.sockets[0].getsockname()[1]
        trusting = ssl.create_default_context(cafile=str(tmp_path / "trusted.pem"))
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        about = writer.get_extra_info("peercert")
        writer.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())
        made.close()
        return about

    about = asyncio.run(scenario())
    names = {value for _, value in about["subjectAltName"]}
    assert names == {"127.0.0.1", "localhost", local_name()}
    life = ssl.cert_time_to_seconds(about["notAfter"]) - ssl.cert_time_to_seconds(
        about["notBefore"]
    )
    assert life <= LEAF_DAYS * 86_400


def test_the_authority_cannot_vouch_for_a_public_address(tmp_path: Path) -> None:
    ca = authority(tmp_path)
    (tmp_path / "trusted.pem").write_bytes(ca.pem)

    async def scenario() -> None:
        # A certificate for a public address, as a thief of the key would make it.
        context = server_context(ca, "203.0.113.7")
        made = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=context)
        port = made.sockets[0].getsockname()[1]
        trusting = ssl.create_default_context(cafile=str(tmp_path / "trusted.pem"))
        with pytest.raises(ssl.SSLCertVerificationError, match="subtree"):
            await asyncio.open_connection(
                "127.0.0.1", port, ssl=trusting, server_hostname="203.0.113.7"
            )
        made.close()

    asyncio.run(scenario())


def test_a_server_with_a_certificate_serves_pages_and_tells_of_distrust(tmp_path: Path) -> None:
    from device_bridge import server as module
    from tests.device_bridge.phone import Bench

    async def scenario() -> None:
        made = Bench(tmp_path)
        listen = wire.Listen(host="127.0.0.1", tls=True)
        loopback, wait = module.LOOPBACK, module._HANDSHAKE_S
        module.LOOPBACK, module._HANDSHAKE_S = ("localhost",), 0.2  # as if on a network
        try:
            await made.server.do(listen)
            assert made.last(wire.Listening).fingerprint
            (tmp_path / "trusted.pem").write_bytes(made.server.ca.pem)
            doubting = ssl.create_default_context()
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection("127.0.0.1", made.server.port, ssl=doubting)
            trouble = await made.until(lambda e: isinstance(e, wire.Trouble))
            assert trouble.command == "certificate"
            trusting = ssl.create_default_context(cafile=str(tmp_path / "trusted.pem"))
            async with made.client() as client:
                async with client.get(f"{made.base}/ca.crt", ssl=trusting) as answer:
                    assert answer.content_type == "application/x-x509-ca-cert"
                    assert await answer.read() == made.server.ca.pem
                token = await made.token()
                async with client.post(
                    f"{made.base}/pair", json={"token": token}, headers=made.origin, ssl=trusting
                ) as answer:
                    assert "Secure" in answer.headers["Set-Cookie"]
        finally:
            module.LOOPBACK, module._HANDSHAKE_S = loopback, wait
            await made.server.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))
