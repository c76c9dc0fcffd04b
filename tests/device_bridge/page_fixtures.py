"""A browser with a made camera, a studio, pages of new phones; and what the stage shows."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.device_bridge.page_bench import ARGUMENTS, Studio, camera_film, chromium
from tests.requirements import require


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    require("chromium")
    require("playwright")
    from playwright.sync_api import sync_playwright

    film = camera_film(tmp_path_factory.mktemp("camera") / "film.y4m")
    with sync_playwright() as tool:
        made = tool.chromium.launch(
            executable_path=chromium(),
            args=[*ARGUMENTS, f"--use-file-for-fake-video-capture={film}"],
        )
        made.pixel = tool.devices["Pixel 7"]
        yield made
        made.close()


@pytest.fixture(scope="module")
def process() -> Iterator[Studio]:
    with Studio() as made:
        yield made


@pytest.fixture
def studio(process: Studio) -> Iterator[Studio]:
    yield process
    process.reset()


@pytest.fixture
def new_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Makes pages of a new phone each; a script error on one of them fails the test."""
    contexts, errors = [], []

    def make(**more: Any) -> Any:
        wish = {"permissions": ["camera"], **browser.pixel, **more}
        context = browser.new_context(**wish)
        context.set_default_timeout(15_000)
        # The choice of a backend is a test of its own; elsewhere nothing is measured on the side.
        context.add_init_script("localStorage.getItem('fretsaw.choice.1') ?? localStorage.setItem("
                                "'fretsaw.choice.1', JSON.stringify({agent: navigator.userAgent,"
                                "picked: 'wasm-1', split: 0, strength: 1}))")  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def page(new_page: Callable[..., Any]) -> Any:
    return new_page()


def until(test: Callable[[], Any], seconds: float = 15.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := test()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


def pixel(page: Any, x: float, y: float) -> np.ndarray:
    """Colour of the stage at a place given in parts of its width and height."""
    shot = page.locator("#canvas").screenshot()
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    return np.array(image.getpixel((int(x * image.width), int(y * image.height))), float)


def is_like(color: np.ndarray, wanted: tuple[int, int, int], tolerance: float = 30) -> bool:
    return bool(np.abs(color - wanted).max() < tolerance)
