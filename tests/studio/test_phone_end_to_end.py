"""From the card to the camera: real runs, the real bridge, the page in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtTest import QTest

from backend.core.catalog import Catalog
from backend.core.catalog import current as current_catalog
from backend.core.workspace import Workspace
from studio.docks.example_card import ExampleCard
from studio.phone.phone import phone_of
from tests.device_bridge.page_bench import ARGUMENTS, camera_film, chromium
from tests.requirements import require
from tests.studio.canvas_parts import LEFT
from tests.studio.test_end_to_end import click_run, wait_for

pytestmark = pytest.mark.timeout(240)
CARD = "Edit photos live on my phone"
SERIAL = "stub"


@pytest.fixture(scope="session")
def recorded_catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The nodes as they are now, in the place of the recorded ones."""
    return current_catalog(Workspace(tmp_path_factory.mktemp("catalog")))


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    require("chromium")
    require("playwright")
    from playwright.sync_api import sync_playwright

    film = camera_film(tmp_path / "film.y4m")
    with sync_playwright() as tool:
        made = tool.chromium.launch(
            executable_path=chromium(),
            args=[*ARGUMENTS, f"--use-file-for-fake-video-capture={film}"],
        )
        made.phone = {**tool.devices["Pixel 7"], "permissions": ["camera"]}
        yield made
        made.close()


def both(page: Any, happened: Callable[[], Any], seconds: float = 40.0) -> Any:
    """Let window and page go on until something has happened."""
    deadline = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < deadline, "it did not happen in time"
        QTest.qWait(20)
        page.wait_for_timeout(20)
    return found


def open_card(window, qtbot) -> None:
    """Click the card and choose the tiny preset."""
    cards = window.findChildren(ExampleCard)
    card = next(c for c in cards if CARD in c.accessibleName())
    qtbot.mouseClick(card, LEFT)
    window.menus.fill_presets()
    next(a for a in window.menus.presets.actions() if a.text() == "Tiny").trigger()


def open_page(window, browser, monkeypatch) -> Any:
    """Choose the phone at the cable; the browser opens what ``am start`` would."""
    phone = phone_of(window.session)
    opened: list[str] = []
    # adb is a program of its own with tests of its own; the port leads straight to the bridge.
    monkeypatch.setattr(phone.usb, "watch", lambda on: None)
    monkeypatch.setattr(phone.usb, "reverse", lambda serial, port, then: then(port))
    monkeypatch.setattr(phone.usb, "open", lambda serial, url: opened.append(url))
    window.set_workspace("Phone")
    phone.set_route("usb")
    phone.pair()
    page = browser.new_context(**browser.phone).new_page()
    both(page, lambda: phone.state.listening)
    phone.pair_usb(SERIAL)
    both(page, lambda: opened)
    page.goto(opened[0])
    both(page, lambda: phone.state.device)
    return page


def test_the_cards_edit_is_trained_pushed_seen_live_and_followed(
    window, session, qtbot, browser, monkeypatch
) -> None:
    open_card(window, qtbot)
    first = click_run(window, qtbot)
    wait_for(qtbot, window, first, "finished")

    page = open_page(window, browser, monkeypatch)
    phone = phone_of(session)
    session.set_focus(first)
    both(page, lambda: session.focus.fold.nodes)
    window.act("phone_push")
    device = phone.state.device
    both(page, lambda: device.edits and all(e.state == "ready" for e in device.edits.values()))
    start = page.locator("#stage-start")
    if start.is_visible():
        start.click()

    # The same picture on both sides, computed by the phone as this computer computes it.
    golden = both(page, lambda: device.golden)
    assert golden.ok
    assert golden.max_error <= 1e-4
    live = window.dock_widget("phone").live
    both(page, lambda: live.painted_frames >= 3)
    both(page, lambda: device.telemetry is not None and device.telemetry.fps > 0)
    assert page.locator("#edit-name").inner_text()
    before = look(page)
    assert before != b""

    # Another training, followed: its epochs change the picture without a reload.
    page.evaluate("window.kept = 'this document'")
    document = session.document
    document.set("train", epochs=2000, lr=0.01)
    document.set("teacher", style=15)
    second = click_run(window, qtbot)
    both(page, lambda: session.runner.state(second) == "running")
    both(page, lambda: "train" in started(session, second), 60)
    phone.follow(second, "train")
    swaps = len(device.swaps)
    both(page, lambda: len(device.swaps) >= swaps + 2, 90)
    assert page.evaluate("window.kept") == "this document"
    assert any("epoch" in edit.note for edit in phone.state.edits.values())
    both(page, lambda: look(page) != before)
    ready = [swap.ms for swap in device.swaps if swap.ms is not None]
    assert ready
    assert min(ready) < 5_000
    session.runner.stop(second)
    wait_for(qtbot, window, second, "cancelled")
    phone.unfollow()

    # Its figures lie with the run that made it.
    kept = (session.workspace.runs / first / "phone.jsonl").read_text()
    assert '"golden"' in kept
    page.context.close()
    both_gone(qtbot, phone)


def look(page: Any) -> bytes:
    """Return what the page shows, as PNG."""
    shot: bytes = page.locator("#canvas").screenshot()
    return shot


def started(session, run: str) -> set[str]:
    """Return the nodes of a run that have begun."""
    session.set_focus(run)
    return {name for name, node in session.focus.fold.nodes.items() if node.state == "running"}


def both_gone(qtbot, phone) -> None:
    """Wait until the studio has noticed that the phone left."""
    qtbot.waitUntil(lambda: not phone.state.devices, timeout=15_000)
