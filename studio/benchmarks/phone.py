"""The phone page in a real Chromium: first frame, hot swap, ms a frame against native, previews.

The page runs the default phone generator on a fake camera over loopback; its weights are as made,
which changes no time. Page and native runtime take turns, since a machine is slower at times.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.core.errors import FretsawError
from device_bridge import protocol as say
from device_bridge import wire
from device_bridge.client import Bridge
from studio.benchmarks.studio import Options, _child, _display

ROUNDS, RUNS, SWAPS = 3, 30, 5
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--disable-background-networking",
)


def bench(session: Options) -> dict[str, Any]:
    """Return the figures of the phone page, medians of repeated measurements."""
    found = browser()
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "FRETSAW_HOME": home}
        edits = [_export(environment, Path(home), seed) for seed in (0, 1)]
        with _studio(environment) as studio, _page(found) as page:
            figures = _on_page(studio, page, edits, environment)
    with _display() as environment, tempfile.TemporaryDirectory() as home:
        environment["FRETSAW_HOME"] = home
        preview = _child("phone_preview", environment)
    figures["gui_timer_p99_ms"] = preview["gui_timer_p99_ms"]
    _print(figures, preview)
    return {name: round(float(value), 6) for name, value in figures.items()}


def browser() -> str:
    """Return the path of Chromium.

    Raises:
        FretsawError: there is none.
    """
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise FretsawError("Chromium is not on this computer.", "Install it, then measure again.")
    return found


class Studio:
    """The studio's side: lets the phone in, gives credit back, remembers what was said."""

    def __init__(self) -> None:
        self.bridge = Bridge(self._hear)
        self.first_preview = 0.0

    def say_push(self, folder: Path) -> None:
        """Push a version of the edit."""
        self.bridge.send(wire.Push(folder=str(folder), id="edit", name="Edit"))

    def next(self, fits: Callable[[Any], bool], after: int, seconds: float = 60.0) -> Any:
        """Return the next message of the phone that fits."""

        def said(event: Any) -> bool:
            return isinstance(event, wire.Said) and fits(event.message)

        return self.bridge.wait(said, seconds, after=after).message

    def _hear(self, event: Any) -> None:
        if isinstance(event, wire.Preview):
            self.first_preview = self.first_preview or time.perf_counter()
            self.bridge.send(wire.Tell(device=event.device, message=say.Credit(n=1)))


@contextmanager
def _studio(environment: dict[str, str]) -> Iterator[Studio]:
    os.environ["FRETSAW_HOME"] = environment["FRETSAW_HOME"]
    studio = Studio()
    studio.bridge.start()
    try:
        yield studio
    finally:
        studio.bridge.close()


@contextmanager
def _page(browser: str) -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise FretsawError(
            "Playwright, which drives the browser, is not installed.",
            "Install Fretsaw with its test extra.",
        ) from None
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser, headless=True, args=list(_ARGUMENTS)
        )
        context = chromium.new_context(**playwright.devices["Pixel 7"], permissions=["camera"])
        try:
            yield context.new_page()
        finally:
            chromium.close()


def start_camera(studio: Studio, page: Any) -> None:
    """Let the camera run until the studio has a picture; it needs a tap the first time."""
    began = time.perf_counter()
    start = page.locator("#stage-start")
    while not studio.first_preview and time.perf_counter() - began < 60:
        if start.is_visible():
            start.click()
        page.wait_for_timeout(20)
    if not studio.first_preview:
        raise RuntimeError("The page showed no picture within 60 s.")


def _on_page(
    studio: Studio, page: Any, edits: list[Path], environment: dict[str, str]
) -> dict[str, float]:
    bridge = studio.bridge
    bridge.send(wire.Listen(host="127.0.0.1"))
    bridge.wait(lambda e: isinstance(e, wire.Listening), 20)
    studio.say_push(edits[0])
    bridge.send(wire.Pair(allow=True))
    url = bridge.wait(lambda e: isinstance(e, wire.Token), 10).url
    began = time.perf_counter()
    page.goto(url)
    start_camera(studio, page)
    first_frame = studio.first_preview - began
    golden = [studio.next(lambda m: isinstance(m, say.Golden), 0).max_error]
    page_ms, native_ms = _turns(studio, page, edits[0], environment)
    swaps, gaps = [], []
    page.wait_for_timeout(2_000)
    for n in range(SWAPS):
        before, began = bridge.count, time.perf_counter()
        studio.say_push(edits[(n + 1) % 2])
        ready = _pumping(page, studio, lambda m: isinstance(m, say.Ready), before)
        swaps.append(time.perf_counter() - began)
        gaps.append(ready.gap_ms or 0.0)
        golden.append(studio.next(lambda m: isinstance(m, say.Golden), before).max_error)
        page.wait_for_timeout(1_500)
    return {
        "first_frame_s": first_frame,
        "hot_swap_s": statistics.median(swaps),
        "hot_swap_worst_s": max(swaps),
        "swap_gap_ms": max(gaps),
        "page_vs_native_ratio": statistics.median(
            a / b for a, b in zip(page_ms, native_ms, strict=True)
        ),
        "page_ms": statistics.median(page_ms),
        "native_ms": statistics.median(native_ms),
        "golden_max_error": max(golden),
    }


def _turns(
    studio: Studio, page: Any, edit: Path, environment: dict[str, str]
) -> tuple[list[float], list[float]]:
    """Return medians of page (WASM, one thread) and native runtime, measured in turns."""
    page_ms, native_ms = [], []
    for _ in range(ROUNDS):
        before = studio.bridge.count
        wish = say.BenchWish(id="edit", runs=RUNS, backends=["wasm-1"])
        studio.bridge.send(wire.Tell(message=wish))
        result = _pumping(page, studio, lambda m: isinstance(m, say.BenchResult), before)
        page_ms.append(next(t.median_ms for t in result.times if t.backend == "wasm-1"))
        command = [sys.executable, "-P", "-m", "device_bridge", "time", str(edit)]
        done = subprocess.run(
            [*command, "--runs", str(RUNS)], capture_output=True, env=environment, check=True
        )
        native_ms.append(statistics.median(json.loads(done.stdout)))
    return page_ms, native_ms


def _pumping(page: Any, studio: Studio, fits: Callable[[Any], bool], after: int) -> Any:
    """Wait for a message while the browser's driver goes on."""
    deadline = time.perf_counter() + 120
    while time.perf_counter() < deadline:
        try:
            return studio.next(fits, after, 0.02)
        except FretsawError:
            page.wait_for_timeout(1)
    raise RuntimeError("The page did not answer within 120 s.")


def _export(environment: dict[str, str], home: Path, seed: int) -> Path:
    """Export the default phone generator in a process of its own; return the artefact's folder."""
    from backend.core.graph import Graph

    graph = Graph("phone-bench", seed=seed)
    graph.add("model.generator", "net")
    graph.add("export.onnx", "onnx")
    graph.connect("net.generator", "onnx.model")
    path = home / f"bench-{seed}.json"
    graph.save(path)
    command = [sys.executable, "-P", "-m", "backend", "run", str(path), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"The generator could not be exported: {done.stderr[-600:]}")
    outputs = max(home.glob("runs/*/nodes/onnx/outputs.json"), key=lambda p: p.stat().st_mtime)
    fingerprint = json.loads(outputs.read_text())["fingerprint"]
    found: Path = next((home / "store" / fingerprint).glob("**/artifact.json")).parent
    return found


def _print(figures: dict[str, float], preview: dict[str, Any]) -> None:
    limits = {
        "first_frame_s": "< 6",
        "hot_swap_s": "< 1",
        "swap_gap_ms": "< 250",
        "gui_timer_p99_ms": "< 25",
        "golden_max_error": "<= 1e-4",
    }
    print(f"{'figure':<24}{'value':>12}  limit")
    for name, value in figures.items():
        print(f"{name:<24}{value:>12.6g}  {limits.get(name, '')}")
    print(
        f"{RUNS} frames x {ROUNDS} turns, {SWAPS} swaps; WASM with one thread against ONNX Runtime "
        f"with one thread. Previews: {preview['painted_fps']:.1f} of 28 a second painted."
    )
