"""Previews at 28 frames a second in the Phone workspace: how late the window's timer gets."""

from __future__ import annotations

import base64
import itertools
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QEventLoop, QIODevice, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from device_bridge import protocol as say
from device_bridge import wire

RATE = 28
SECONDS = 8.0
TICK_MS = 10
CREDIT = 2
TARGET_KB = 22


class Sender:
    """Stands for the bridge: a thread that reads lines of JSON, as the real one does.

    It sends a preview when it has credit, and counts what it had to skip.
    """

    def __init__(self, on_event: Callable[[Any], None], _on_end: Callable[[str], None]) -> None:
        self._on_event = on_event
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._credit = CREDIT
        self.sent = self.skipped = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Nothing to start: :meth:`stream` does."""

    def send(self, command: Any) -> None:
        """Take credit; other commands need no answer here."""
        message = getattr(command, "message", None)
        if isinstance(message, say.Credit):
            with self._lock:
                self._credit = min(self._credit + message.n, 16)

    def say(self, event: Any) -> None:
        """Tell the studio something."""
        self._on_event(event)

    def stream(self, jpegs: list[bytes], rate: float) -> None:
        """Send these pictures over and over."""
        lines = [self._line(n, jpeg) for n, jpeg in enumerate(jpegs)]
        self._thread = threading.Thread(target=self._run, args=(lines, rate), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    @staticmethod
    def _line(seq: int, jpeg: bytes) -> bytes:
        text = base64.b64encode(jpeg).decode()
        made = wire.Preview(device="phone", seq=seq, total_us=40_000, jpeg=text)
        return made.model_dump_json().encode()

    def _run(self, lines: list[bytes], rate: float) -> None:
        began, n = time.perf_counter(), 0
        while not self._stop.wait(max(0.0, began + n / rate - time.perf_counter())):
            with self._lock:
                may = self._credit > 0
                self._credit -= may
            if may:
                self._on_event(wire.event(lines[n % len(lines)]))
                self.sent += 1
            else:
                self.skipped += 1
            if n % (RATE // 2) == 0:
                self._on_event(wire.Said(device="phone", message=telemetry(n, self.skipped)))
            n += 1


def telemetry(seq: int, skipped: int) -> say.Telemetry:
    """Figures of one second on a phone."""
    stages = {"grab": 3.0, "pre": 0.4, "run": 31.0, "post": 0.7, "paint": 4.0, "total": 40.0}
    ms = {name: {"p50": p50, "p95": p50 * 1.2} for name, p50 in stages.items()}
    known = {"seq": seq, "id": "edit", "backend": "wasm-4", "fps": RATE, "skipped": skipped}
    return say.Telemetry.model_validate({**known, "ms": ms})


def pictures(count: int = 8) -> list[bytes]:
    """Return JPEGs of 512x256 pixels (camera and edit side by side) of about 22 kB each."""
    made = []
    for n in range(count):
        image = QImage(512, 256, QImage.Format.Format_RGB32)
        for y in range(256):
            for x in range(512):
                shade = (x * 3 + y * 2 + n * 31 + (x * y * 7919 >> 5) % 37) & 255
                image.setPixel(x, y, 0xFF000000 | shade << 16 | (255 - shade) << 8 | (x & 255))
        best = b""
        for quality in (95, 90, 80, 70, 60, 50, 40, 30):
            data = QByteArray()
            buffer = QBuffer(data)
            buffer.open(QIODevice.OpenModeFlag.WriteOnly)
            image.save(buffer, "JPEG", quality)  # type: ignore[call-overload]
            best = bytes(data.data())
            if len(best) <= TARGET_KB * 1000:
                break
        made.append(best)
    return made


def measure(seconds: float = SECONDS) -> dict[str, Any]:
    """Stream previews into a window and return how the event loop fared.

    ``gui_timer_p99_ms`` is the 99th percentile of the time between two turns of a precise timer of
    10 ms, so 10 is perfect. ``painted`` counts previews that were on the screen, ``skipped`` those
    that the phone did not send since the window had not painted the ones before.
    """
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    from studio.benchmarks.measure import _window
    from studio.phone.phone import phone_of

    senders: list[Sender] = []

    def make(on_event: Callable[[Any], None], on_end: Callable[[str], None]) -> Sender:
        senders.append(Sender(on_event, on_end))
        return senders[-1]

    window = _window()
    phone_of(window.session, make)
    window.show_graph()
    window.set_workspace("Phone")
    _settle(600)
    sender = senders[-1]
    hello = say.Hello(page="", agent="", cores=8, secure=True, isolated=True, threads=True)
    sender.say(wire.Connected(device="phone", name="Phone", route="usb", hello=hello))
    _settle(300)
    jpegs = pictures()
    sender.stream(jpegs, RATE)
    _settle(1_000)  # fonts and caches are warm
    live = window.dock_widget("phone").live
    before, sent, skipped = live.painted_frames, sender.sent, sender.skipped
    gaps = _gaps(seconds)
    figures = {
        "gui_timer_p50_ms": statistics.median(gaps),
        "gui_timer_p99_ms": gaps[int(len(gaps) * 0.99)],
        "gui_timer_worst_ms": gaps[-1],
        "painted": live.painted_frames - before,
        "sent": sender.sent - sent,
        "skipped": sender.skipped - skipped,
        "painted_fps": (live.painted_frames - before) / seconds,
        "jpeg_kb": statistics.mean(map(len, jpegs)) / 1000,
        "seconds": seconds,
    }
    window.close_without_asking()
    return figures


def _gaps(seconds: float) -> list[float]:
    """Times between turns of a 10 ms timer, in ms, sorted."""
    times: list[float] = []
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.setInterval(TICK_MS)
    timer.timeout.connect(lambda: times.append(time.perf_counter()))
    timer.start()
    _settle(round(seconds * 1000))
    timer.stop()
    return sorted((b - a) * 1000 for a, b in itertools.pairwise(times))


def _settle(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
