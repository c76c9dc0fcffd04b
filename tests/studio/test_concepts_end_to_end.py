"""Concepts from the gallery to the camera: the real bridge, the page in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PySide6.QtCore import Qt

from backend.concept_values import Adapter, ConceptBase, Concepts
from backend.core.context import QuietContext
from backend.data.preprocess import ImageInput
from backend.distill import lora
from backend.methods.export_concepts import ConceptsExportParams, export_concepts
from backend.models.recipe import Recipe, build
from backend.models.registry import zoo
from studio.phone.phone import phone_of
from tests.studio.canvas_parts import LEFT
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
NAMES = ("plain", "candy", "night")


def export(folder: Path, work: Path) -> None:
    """Export one base and two adapters whose pictures differ a lot."""
    recipe = Recipe(zoo("concept_generator", width=4, heads=2, text_dim=8))
    torch.manual_seed(0)
    texts = {name: torch.randn(4, 8) for name in NAMES}
    known = Concepts({"plain": "leave it"}, {"plain": texts["plain"]}, "test")
    image = ImageInput(3, 64, 64, (0.5,) * 3, (0.5,) * 3)
    base = ConceptBase(recipe, build(recipe, meta=False), image, "Base", {}, known)
    layers = lora.adaptable(base.module)
    ranks = lora.rank_plan(layers, 1)
    adapters = []
    for name in NAMES[1:]:
        tensors = {}
        for layer, module in layers.items():
            shape = module.weight.shape
            ends = (1, 1) if len(shape) == 4 else ()
            tensors[f"{layer}.A"] = torch.randn(1, *shape[1:])
            tensors[f"{layer}.B"] = 0.1 * torch.randn(shape[0], 1, *ends)
        about = (name, f"make it {name}", "test", base.digest(), {"val_l1": 0.05})
        adapters.append(Adapter(tensors, texts[name], ranks, 1.0, *about))
    ctx = QuietContext(0, folder=work)
    folder.mkdir(parents=True)
    export_concepts(ctx, ConceptsExportParams(concepts="plain"), base, adapters).save(folder)


def test_three_concepts_are_switched_and_blended_on_the_phone(
    window,
    session,
    qtbot,
    browser,  # noqa: F811
    monkeypatch,
    recorded_run,
    tmp_path,
) -> None:
    export(note_export(session.workspace, RUN, "onnx"), tmp_path)
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
