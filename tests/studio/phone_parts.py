"""A scripted bridge for the tests of the phone, messages of a phone, and small artefacts."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QColor, QImage

from backend.core.errors import FretsawError
from device_bridge import protocol as say
from device_bridge import wire
from studio.phone.edit import Edit

AGENT = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/156.0.0.0 Mobile Safari/537.36"
)
HOST = "192.168.1.23"
GRAPH = "a" * 64


class Scripted:
    """Answers as the server does; tests let a phone speak with :meth:`hears`."""

    def __init__(self, on_event: Callable[[Any], None], on_end: Callable[[str], None]) -> None:
        self.on_event, self.on_end = on_event, on_end
        self.sent: list[Any] = []
        self.is_started = self.is_closed = False
        self.refuses_to_start = False

    def start(self) -> None:
        if self.refuses_to_start:
            raise FretsawError("The phone bridge cannot be started.", "Close other programs.")
        self.is_started = True

    def close(self) -> None:
        self.is_closed = True

    def send(self, command: Any) -> None:
        self.sent.append(command)
        if isinstance(command, wire.Listen):
            tls = command.host != "127.0.0.1"
            self.on_event(
                wire.Listening(
                    url=f"https://{command.host}:4444/",
                    host=command.host,
                    port=4444,
                    tls=tls,
                    fingerprint="ab" * 32 if tls else "",
                )
            )
        elif isinstance(command, wire.Pair):
            port = command.port or 4444
            self.on_event(
                wire.Token(
                    url=f"http://localhost:{port}/#t=TOKEN",
                    code="K7F42Q",
                    expires=time.time() + say.TOKEN_LIFE_S,
                )
            )
        elif isinstance(command, wire.Push):
            self.on_event(wire.Pushed(id=command.id, devices=1))
        elif isinstance(command, wire.Forget):
            self.on_event(wire.Gone(device=command.device or "d1", why=""))

    def of(self, kind: type) -> list[Any]:
        return [command for command in self.sent if isinstance(command, kind)]

    def told(self, kind: type) -> list[Any]:
        return [one.message for one in self.of(wire.Tell) if isinstance(one.message, kind)]

    def says(self, message: Any, device: str = "d1") -> None:
        self.on_event(wire.Said(device=device, message=message))

    def connects(self, device: str = "d1", name: str = "Pixel 7", route: Any = "usb") -> None:
        self.on_event(wire.Connected(device=device, name=name, route=route, hello=hello()))

    def previews(self, seq: int, jpeg: bytes, device: str = "d1") -> None:
        text = base64.b64encode(jpeg).decode()
        self.on_event(wire.Preview(device=device, seq=seq, total_us=40_000, jpeg=text))


class Maker:
    """Makes scripted bridges and keeps them, the newest last."""

    def __init__(self) -> None:
        self.made: list[Scripted] = []
        self.refuses = False

    def __call__(self, on_event: Any, on_end: Any) -> Scripted:
        bridge = Scripted(on_event, on_end)
        bridge.refuses_to_start = self.refuses
        self.made.append(bridge)
        return bridge

    @property
    def last(self) -> Scripted:
        return self.made[-1]


def hello(**more: Any) -> say.Hello:
    about = {"page": "1", "agent": AGENT, "cores": 8, "secure": True, "isolated": True}
    return say.Hello(**{**about, "threads": True, **more})


def telemetry(run: float = 38.0, fps: float = 26.0, **more: Any) -> say.Telemetry:
    stages = {"grab": 3.1, "pre": 0.4, "run": run, "post": 0.7, "paint": 4.6, "total": run + 8.8}
    ms = {name: say.StageTimes(p50=value, p95=value * 1.2) for name, value in stages.items()}
    values = {"seq": 1, "id": "starry", "backend": "wasm-4", "fps": fps, "ms": ms, "skipped": 34}
    return say.Telemetry(**{**values, **more})


def bench(*times: tuple[str, float], chosen: str = "wasm-4", id: str = "starry") -> Any:
    measured = [
        say.BackendTime(backend=name, median_ms=ms, p90_ms=ms + 2, samples=[ms])  # type: ignore[arg-type]
        for name, ms in times
    ]
    return say.BenchResult(id=id, graph=GRAPH, times=measured, chosen=chosen)  # type: ignore[arg-type]


def ready(id: str = "starry", swap: float | None = 410.0) -> say.Ready:
    return say.Ready(id=id, graph=GRAPH, backend="wasm-4", load_ms=300, swap_ms=swap)


def edit(name: str = "Starry", **more: Any) -> Edit:
    values = {"id": name.lower(), "name": name, "folder": "/nowhere", "bytes": 340_000}
    return Edit(**{**values, **more})


def jpeg(left: str = "#ff0000", right: str = "#0000ff", side: int = 64) -> bytes:
    """A picture whose left half is one colour and whose right half another."""
    image = QImage(2 * side, side, QImage.Format.Format_RGB32)
    image.fill(QColor(left))
    for x in range(side, 2 * side):
        for y in range(side):
            image.setPixelColor(x, y, QColor(right))
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "JPEG", 95)
    return bytes(data.data())


def write_artefact(folder: Path, label: str = "Starry", **facts: Any) -> Path:
    """Write the record of an exported generator, as Artifact.save does, with a stand-in file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "edit.onnx").write_bytes(b"graph")
    tensor = {"name": "image", "shape": [1, 3, 64, 64], "dtype": "float32"}
    known = {"task": "image_to_image", "label": label, "output": {"low": -1, "high": 1}, **facts}
    record = {
        "path": "edit.onnx",
        "format": "onnx",
        "sha256": GRAPH,
        "bytes": 5,
        "input": tensor,
        "output": {**tensor, "name": "edited"},
        "golden": None,
        "facts": known,
    }
    (folder / "artifact.json").write_text(json.dumps(record))
    return folder


def write_export(workspace: Any, run: str, node: str, label: str = "Starry", **facts: Any) -> Path:
    """Let a node of a run have exported an edit."""
    return write_artefact(note_export(workspace, run, node), label, **facts)


def note_export(workspace: Any, run: str, node: str) -> Path:
    """Let a node of a run have exported something; return the folder where it should lie."""
    fingerprint = hashlib.sha256(f"{run} {node}".encode()).hexdigest()
    folder: Path = workspace.store / fingerprint / "artifact"
    note = workspace.runs / run / "nodes" / node / "outputs.json"
    note.parent.mkdir(parents=True, exist_ok=True)
    outputs = {"artifact": "Artifact"}
    note.write_text(json.dumps({"fingerprint": fingerprint, "outputs": outputs}))
    return folder
