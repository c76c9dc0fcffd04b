"""The window against the real bridge process, with a small client that acts as the phone."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from backend.core.artifact import Artifact, TensorSpec
from device_bridge import protocol as say
from device_bridge.frames import Frame
from studio.phone import phone as phones
from studio.phone.artefacts import read_edit
from tests.studio.phone_parts import hello, jpeg, ready, telemetry

SECONDS = 20_000


class Handset:
    """A phone in a thread of its own: opens an address, pairs, says hello, then obeys."""

    def __init__(self, url: str) -> None:
        self.base, _, self.token = url.partition("/#t=")
        self.heard: list[dict[str, Any]] = []
        self.state = ""
        self.error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, message: Any) -> None:
        data = message.pack() if isinstance(message, Frame) else message.model_dump_json()
        asyncio.run_coroutine_threadsafe(self._send(data), self._loop).result(5)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["t"] == kind]

    def close(self) -> None:
        if self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._leave(), self._loop)
        self._thread.join(5)

    async def _send(self, data: str | bytes) -> None:
        assert self._socket is not None
        await (
            self._socket.send_bytes(data)
            if isinstance(data, bytes)
            else self._socket.send_str(data)
        )

    async def _leave(self) -> None:
        if self._socket is not None:
            await self._socket.close()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._live())
        except (OSError, aiohttp.ClientError, AssertionError) as error:
            self.error = error
        self._loop.close()

    async def _live(self) -> None:
        jar = aiohttp.CookieJar(unsafe=True)
        origin = {"Origin": self.base}
        async with aiohttp.ClientSession(cookie_jar=jar, headers=origin) as client:
            async with client.get(f"{self.base}/") as page:
                self.state = f"page {page.status}"
            body = {"token": self.token, "name": "Pixel 7"}
            async with client.post(f"{self.base}/pair", json=body) as answer:
                assert answer.status == 200, await answer.text()
                self.state = (await answer.json())["state"]
            while self.state == "asks":
                async with client.get(f"{self.base}/pair") as answer:
                    self.state = (await answer.json())["state"]
            async with client.ws_connect(f"{self.base}/ws") as socket:
                self._socket = socket
                await socket.send_str(hello().model_dump_json())
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        self.heard.append(json.loads(message.data))


@pytest.fixture
def panel(window, qtbot, monkeypatch, workspace):
    """The Phone panel on the real process, listening on loopback."""
    monkeypatch.setenv("FRETSAW_HOME", str(workspace.root))
    monkeypatch.setattr(phones, "networks", list)
    window.set_workspace("Phone")
    qtbot.waitUntil(lambda: window.dock_widget("phone") is not None)
    found = window.dock_widget("phone")
    qtbot.waitUntil(lambda: found.phone.is_open)
    found.phone.set_route("usb")
    found.phone.usb._command = ["/nonexistent/adb"]
    return found


def exported(folder: Path) -> Path:
    """A whole artefact, as an export node saves it; the stand-in file is never run here."""
    (folder / "saved").mkdir(parents=True)
    file = folder / "edit.onnx"
    file.write_bytes(b"graph " * 100)
    tensor = TensorSpec("image", (1, 3, 64, 64), "float32")
    out = TensorSpec("edited", (1, 3, 64, 64), "float32")
    facts = {"task": "image_to_image", "label": "Starry", "output": {"low": -1.0, "high": 1.0}}
    Artifact.of(file, "onnx", tensor, out, facts=facts).save(folder / "saved")
    return folder / "saved"


def test_a_phone_pairs_is_allowed_and_shows_its_picture(
    panel, window, recorded_run, tmp_path, qtbot
) -> None:
    from device_bridge import wire

    phone = panel.phone
    panel.show_pairing()
    qtbot.waitUntil(lambda: phone.state.listening is not None, timeout=SECONDS)
    phone.link.send(wire.Pair())
    qtbot.waitUntil(lambda: phone.state.token is not None, timeout=SECONDS)
    handset = Handset(phone.state.token.url)
    question = panel.pairing.question
    qtbot.waitUntil(question.isVisible, timeout=SECONDS)
    qtbot.waitUntil(lambda: handset.state == "asks", timeout=SECONDS)
    assert phone.device is None, "not in before somebody clicked"
    QTest.mouseClick(question.allow, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: phone.device is not None, timeout=SECONDS)
    assert panel.card.isVisible()
    assert panel.card.name.text() == "Pixel 7"
    # the wish for previews, and two pictures' credit to begin with
    qtbot.waitUntil(lambda: any(m.get("split") for m in handset.of("live")), timeout=SECONDS)
    assert sum(m["n"] for m in handset.of("credit")) == 2
    # a preview is painted, then paid
    handset.send(Frame("FRM1", 1, 1.0, 40_000, jpeg()))
    qtbot.waitUntil(lambda: panel.live.painted_frames == 1, timeout=SECONDS)
    qtbot.waitUntil(lambda: sum(m["n"] for m in handset.of("credit")) == 3, timeout=SECONDS)
    # an edit is pushed, shown, measured; its figures are kept with the run
    phone.push(read_edit(exported(tmp_path), str(recorded_run), "onnx"))
    qtbot.waitUntil(lambda: bool(handset.of("offer")), timeout=SECONDS)
    offer = handset.of("offer")[0]
    graph = next(one for one in offer["files"] if one["role"] == "graph")
    handset.send(ready(offer["id"]).model_copy(update={"graph": graph["sha256"]}))
    handset.send(telemetry(id=offer["id"]))
    handset.send(
        say.Golden(id=offer["id"], backend="wasm-4", max_error=1e-5, mean_error=1e-6, ok=True)
    )
    qtbot.waitUntil(panel.card.golden.isVisible, timeout=SECONDS)
    assert panel.chart.spoken() == "1 points, last 38 ms"
    said = window.status._phone
    qtbot.waitUntil(lambda: said.text() == "Pixel 7 live, 26 fps", timeout=SECONDS)
    qtbot.waitUntil(
        lambda: (
            (recorded_run / "phone.jsonl").exists()
            and '"tel"' in (recorded_run / "phone.jsonl").read_text()
        ),
        timeout=SECONDS,
    )
    # the person at the phone has a word
    handset.send(say.Note(id=offer["id"], thumb="down", text="Too blue."))
    qtbot.waitUntil(lambda: window.toasts.toasts[-1].text == "From the phone", timeout=SECONDS)
    # forgotten, it is out
    phone.forget()
    qtbot.waitUntil(lambda: phone.device is None, timeout=SECONDS)
    handset.close()
    assert handset.error is None


def test_a_server_that_is_killed_is_said_and_started_again(panel, window, qtbot) -> None:
    panel.show_pairing()
    phone = panel.phone
    qtbot.waitUntil(lambda: phone.state.listening is not None, timeout=SECONDS)
    first = phone.state.listening.port
    phone.link._bridge._process.kill()
    qtbot.waitUntil(lambda: bool(phone.crash), timeout=SECONDS)
    assert not phone.is_open
    assert panel.empty.isVisible()
    assert "ended by itself" in panel.empty.label.text()
    QTest.mouseClick(panel.empty.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: phone.state.listening is not None, timeout=SECONDS)
    assert phone.state.listening.port != first
    assert not phone.crash
    assert window.isVisible()


def test_the_process_ends_with_the_panel(panel, window, qtbot) -> None:
    process = panel.phone.link._bridge._process
    assert process.poll() is None
    window.frames["phone"].close()
    qtbot.waitUntil(lambda: process.poll() is not None, timeout=SECONDS)
    assert not panel.phone.is_open


def test_an_edit_that_is_none_is_refused_in_words(panel, window, tmp_path, qtbot) -> None:
    from tests.studio.phone_parts import edit

    panel.phone.push(edit(folder=str(tmp_path)))
    qtbot.waitUntil(lambda: bool(window.toasts.toasts), timeout=SECONDS)
    assert "holds no exported file" in window.toasts.toasts[-1].text
