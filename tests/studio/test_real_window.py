"""The studio as a program, in a real window on a virtual screen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageGrab

from studio.tokens import Colors
from tests.requirements import require

DATA = Path(__file__).parents[1] / "data"
PIPELINE = Path(__file__).parents[2] / "assets" / "pipelines" / "quantize_classifier.json"
SECONDS = 60


@pytest.fixture
def screen() -> Iterator[str]:
    """A virtual screen of its own."""
    require("xvfb")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait()


def shares(picture: Image.Image) -> Counter[tuple[int, ...]]:
    """Return how many pixels each colour has."""
    small = picture.convert("RGB")
    return Counter(dict((color, count) for count, color in small.getcolors(1 << 24) or []))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["dark", "light"])
def test_program_opens_a_graph_and_ends_when_it_is_told_to(
    screen: str, mode: str, workspace, tmp_path: Path
) -> None:
    cache, studio = workspace.cache, workspace.root / "studio"
    cache.mkdir(parents=True)
    studio.mkdir(parents=True)
    shutil.copy(DATA / "catalog.json", cache / "catalog.json")
    (studio / "settings.json").write_text(
        f'{{"format": "fretsaw.settings", "version": 1, "values": {{"theme": "{mode}"}}}}'
    )
    env = {**os.environ, "DISPLAY": screen, "QT_QPA_PLATFORM": "xcb"}
    command = [sys.executable, "-P", "-m", "studio", str(PIPELINE)]
    program = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    try:
        colors = Colors(is_dark=mode == "dark")
        bench, panel, card = (colors.named(name) for name in ("bench", "panel", "card"))
        deadline = time.monotonic() + SECONDS
        found: Counter[tuple[int, ...]] = Counter()
        while time.monotonic() < deadline and program.poll() is None:
            found = shares(ImageGrab.grab(xdisplay=screen))
            if found[bench] > 200_000 and found[panel] > 200_000 and found[card] > 20_000:
                break
            time.sleep(0.3)
    finally:
        program.send_signal(2)
        _, errors = program.communicate(timeout=SECONDS)
    assert program.returncode == 0, errors
    assert "Traceback" not in errors
    assert not errors.strip(), errors
    assert found[bench] > 200_000, "the canvas"
    assert found[panel] > 200_000, "the docks"
    assert found[card] > 20_000, "the nodes"
    assert found[colors.named("blade")] > 1_000, "the button that runs it"
