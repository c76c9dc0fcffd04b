"""The real server as a process, and the page in a headless Chromium with a made camera."""

from __future__ import annotations

import base64
import io
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from device_bridge import protocol as say
from device_bridge import wire
from device_bridge.client import Bridge

CAMERA = (320, 240)
ARGUMENTS = [
    "--no-sandbox",  # only matters as root, as CI is
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--enable-unsafe-webgpu",
]


def camera_film(path: Path, frames: int = 10) -> Path:
    """Write a short film, a red left half and a bar that moves on blue, as .y4m (4:2:0)."""
    width, height = CAMERA
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F20:1 Ip A1:1 C420jpeg\n".encode())
        for i in range(frames):
            pixels = np.zeros((height, width, 3), np.float64)
            pixels[:, : width // 2] = (200, 40, 40)
            pixels[:, width // 2 :] = (40, 80, 200)
            pixels[:, width // 2 + 10 * i : width // 2 + 10 * i + 12] = (240, 240, 240)
            file.write(b"FRAME\n" + _yuv(pixels))
    return path


def _yuv(pixels: np.ndarray) -> bytes:
    red, green, blue = np.moveaxis(pixels, -1, 0)
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = [y, 128 + 0.564 * (blue - y)[::2, ::2], 128 + 0.713 * (red - y)[::2, ::2]]
    return b"".join(np.clip(np.rint(p), 0, 255).astype(np.uint8).tobytes() for p in planes)


def chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next(path for name in names if (path := shutil.which(name)))


class Studio:
    """What the studio does: answers who asks, gives credit for previews, keeps what was said."""

    def __init__(self) -> None:
        self.allow = True
        self._ids: set[str] = set()
        self.events: list[Any] = []
        self.previews: list[wire.Preview] = []
        self.bridge = Bridge(self._event)

    def __enter__(self) -> Studio:
        self.bridge.start()
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.bridge.close()

    def listen(self, port: int = 0, *, host: str = "127.0.0.1", tls: bool = False) -> None:
        before = self.now
        self.bridge.send(wire.Listen(host=host, port=port, tls=tls))
        self.base = self.until(wire.Listening, after=before).url

    @property
    def now(self) -> int:
        """How many events there are."""
        return len(self.events)

    def token(self) -> wire.Token:
        before = self.now
        self.bridge.send(wire.Pair())
        return self.until(wire.Token, after=before)

    def reset(self) -> None:
        """Forget all phones and edits: the next test begins anew with the same process."""
        for id in self._ids:
            self.bridge.send(wire.Drop(id=id))
        self.bridge.send(wire.Forget())
        self._ids.clear()
        self.allow = True
        self.token()  # answered only after all of the above
        self.events.clear()
        self.previews.clear()

    def push(self, folder: Path, id: str, name: str, **more: Any) -> None:
        self._ids.add(id)
        self.bridge.send(wire.Push(folder=str(folder), id=id, name=name, **more))

    def tell(self, message: Any) -> None:
        self.bridge.send(wire.Tell(message=message))

    def said(self, kind: type) -> list[Any]:
        heard = [event.message for event in self.events if isinstance(event, wire.Said)]
        return [message for message in heard if isinstance(message, kind)]

    def until(
        self,
        kind: type,
        fits: Callable[[Any], bool] = lambda _: True,
        *,
        after: int = 0,
        seconds: float = 20.0,
    ) -> Any:
        """Wait for an event, or a phone's message, of a kind; ``after`` is a ``now`` of before."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for event in self.events[after:]:
                one = event.message if isinstance(event, wire.Said) else event
                if isinstance(one, kind) and fits(one):
                    return one
            time.sleep(0.005)
        raise AssertionError(f"no {kind.__name__} in {seconds} s; heard {self.events[-8:]}")

    def picture(self, *, seconds: float = 10.0) -> np.ndarray:
        """Return the next preview as pixels (H, W, 3)."""
        before = len(self.previews)
        deadline = time.monotonic() + seconds
        while len(self.previews) == before:
            assert time.monotonic() < deadline, "no preview picture came"
            time.sleep(0.005)
        data = base64.b64decode(self.previews[-1].jpeg)
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def _event(self, event: Any) -> None:
        if isinstance(event, wire.Asks) and self.allow:
            self.bridge.send(wire.Answer(device=event.device, allow=True))
        if isinstance(event, wire.Preview):
            self.previews.append(event)
            self.bridge.send(wire.Tell(device=event.device, message=say.Credit(n=1)))
            return
        self.events.append(event)
