"""Concepts from the gallery to the camera: the real bridge, the page in a real browser."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from studio.phone.phone import phone_of
from tests.studio.canvas_parts import LEFT
from tests.studio.concept_making import NAMES, make
from tests.studio.phone_parts import note_export
from tests.studio.test_concepts_dock import click, looked
from tests.studio.test_phone_end_to_end import (  # noqa: F401
    both,
    both_gone,
    browser,
    look,
    open_page,
)

pytestmark = pytest.mark.timeout(180)
RUN = "2026-11-24_09-00_quantize-classifier"


def test_three_concepts_are_switched_and_blended_on_the_phone(
    window,
    session,
    qtbot,
    browser,  # noqa: F811
    monkeypatch,
    recorded_run,
    tmp_path,
) -> None:
    make("export", note_export(session.workspace, RUN, "onnx"), tmp_path)
    page = open_page(window, browser, monkeypatch)
    phone = phone_of(session)
    gallery = window.dock_widget("concepts")
    window.show_dock("concepts")
    both(page, lambda: looked(gallery) == 3)
    device = phone.state.device
    pictures = {}
    for row, name in enumerate(NAMES):
        click(gallery, row)
        both(page, lambda name=name: device.concept is not None and device.concept.first == name)
        start = page.locator("#stage-start")
        if start.is_visible():
            start.click()
        both(page, lambda: device.telemetry is not None and device.telemetry.fps > 0)
        page.wait_for_timeout(300)
        pictures[name] = look(page)
        assert gallery.words.text().startswith(f"{device.name} shows {name}")
        index = gallery.grid.source.index(row, 0)
        assert index.data(Qt.ItemDataRole.ToolTipRole).endswith(f"on {device.name}")
    assert len(set(pictures.values())) == 3, "each concept is a picture of its own"
    assert device.concept.ms is not None
    assert device.concept.ms < 5_000

    slider = gallery.blend.slider
    qtbot.mouseClick(slider, LEFT, pos=slider.rect().center())
    both(page, lambda: device.concept.second is not None)
    assert device.concept.first == "night"
    assert 0.4 < device.concept.share < 0.6
    assert "with 5" in gallery.words.text() or "with 4" in gallery.words.text()
    page.context.close()
    both_gone(qtbot, phone)
