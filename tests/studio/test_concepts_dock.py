"""The concept gallery: cards, switching, blending, empty states; with a scripted bridge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest

from device_bridge import protocol as say
from device_bridge import wire
from studio.docks.concept_cards import figures
from studio.docks.concepts import TEMPLATE, ConceptsWidget
from studio.phone.concepts import all_sets, read_set
from studio.phone.switching import PACE_MS
from tests.studio.phone_parts import ready, telemetry, write_export

RUN = "2026-11-24_09-00_quantize-classifier"
ID = "quantize-classifier-concepts"
LEFT = Qt.MouseButton.LeftButton
NAMES = ("mosaic", "candy", "night")


def picture(path: Path, color: str) -> str:
    image = QImage(64, 48, QImage.Format.Format_RGB32)
    image.fill(QColor(color))
    image.save(str(path), "JPEG", 95)
    return path.name


def export(workspace: Any, names: tuple[str, ...] = NAMES) -> Path:
    """Let a node of the run have exported concepts of these names."""
    colors = ("#ff0000", "#00ff00", "#0000ff")
    folder = write_export(workspace, RUN, "onnx", "Concepts")
    entries = [
        {
            "id": name,
            "name": name.capitalize(),
            "prompt": f"make it {name}",
            "kind": "adapter",
            "bytes": 24_000 + n,
            "thumb": picture(folder / f"{name}.jpg", colors[n % 3]),
            "l1": 0.041 + n / 100,
            "psnr": 22.26 + n,
        }
        for n, name in enumerate(names)
    ]
    before = picture(folder / "before.jpg", "#808080")
    more = {"concepts": entries, "before": before, "epochs": 14}
    return write_export(workspace, RUN, "onnx", "Concepts", **more)


@pytest.fixture
def gallery(phone_panel, window, session, recorded_run, qtbot) -> ConceptsWidget:
    export(session.workspace)
    window.show_dock("concepts")
    dock = window.dock_widget("concepts")
    qtbot.waitUntil(lambda: looked(dock) == 3)
    return dock


def looked(dock: ConceptsWidget) -> int:
    """Let it read, and return how many concepts it shows."""
    dock.look()
    return len(dock.grid.source.rows)


def center(dock: ConceptsWidget, row: int) -> QPoint:
    return dock.grid.visualRect(dock.grid.source.index(row, 0)).center()


def click(dock: ConceptsWidget, row: int) -> None:
    QTest.mouseClick(dock.grid.viewport(), LEFT, pos=center(dock, row))


def wishes(bridges) -> list[Any]:
    return bridges.last.told(say.ShowConcept)


def shows(bridges, first: str, device: str = "d1", **more: Any) -> None:
    values = {"second": None, "share": 0.0, "backend": "wasm-4", "by": "studio", **more}
    bridges.last.says(say.ConceptShown(id=ID, first=first, **values), device)


# -- without a phone -------------------------------------------------------------------------------


def test_without_an_export_it_says_what_to_do(phone_panel, window, session, qtbot) -> None:
    window.show_dock("concepts")
    dock = window.dock_widget("concepts")
    assert dock.empty.isVisible()
    assert dock.empty.label.text() == "Export concepts first; their pictures appear here."
    acted: list[Any] = []
    session.acted.connect(lambda *what: acted.append(what))
    qtbot.mouseClick(dock.empty.button, LEFT)
    assert acted == [("open_pipeline", {"path": str(TEMPLATE)})]
    assert TEMPLATE.is_file()


def test_cards_show_name_prompt_figures_before_and_after(gallery) -> None:
    assert gallery.combo.isHidden()
    assert gallery.title.text() == "Quantize classifier"
    assert gallery.facts.text() == "3 concepts, base 1 kB once, 72 kB for all adapters"
    index = gallery.grid.source.index(1, 0)
    spoken = index.data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "Candy, make it candy, 24 kB, L1 0.051, 23.3 dB"
    image = gallery.grid.viewport().grab().toImage()
    rect = gallery.grid.visualRect(index)
    y = rect.top() + rect.height() // 3
    before = QColor(image.pixel(rect.left() + 30, y))
    after = QColor(image.pixel(rect.right() - 30, y))
    assert abs(before.red() - 128) < 6
    assert abs(before.green() - 128) < 6
    assert after.green() > 240
    assert after.red() < 20


def test_without_a_phone_it_can_be_looked_at_and_says_how_to_switch(
    gallery, bridges, window, qtbot
) -> None:
    click(gallery, 2)
    assert gallery.grid.concept().id == "night"
    assert wishes(bridges) == []
    assert bridges.last.of(wire.Push) == []
    assert gallery.words.text() == "Pair a phone to switch on it."
    assert not gallery.blend.slider.isEnabled()
    assert gallery.blend.slider.toolTip() == "Pair a phone to blend on it."
    qtbot.mouseClick(gallery.pair, LEFT)
    assert window.dock_widget("phone").pairing.isVisible()


# -- with phones -----------------------------------------------------------------------------------


def test_a_click_pushes_once_and_switches_every_phone(gallery, bridges, qtbot) -> None:
    bridges.last.connects()
    assert gallery.words.text() == "Click a concept to show it on Pixel 7."
    assert gallery.pair.isHidden()
    click(gallery, 1)
    (push,) = bridges.last.of(wire.Push)
    assert push.id == ID
    assert wishes(bridges) == [say.ShowConcept(id=ID, first="candy")]
    assert bridges.last.sent[-1].device is None, "every phone switches"
    assert gallery.words.text() == "On its way to Pixel 7."
    bridges.last.says(ready(ID))
    assert gallery.words.text() == "Pixel 7 has it. Click a concept to show it."
    shows(bridges, "candy", switch_ms=61.0)
    assert gallery.words.text() == "Pixel 7 shows Candy, switched in 61 ms."
    shows(bridges, "candy", switch_ms=61.0, is_quick=True, sharp_ms=160.0)
    assert gallery.words.text() == "Pixel 7 shows Candy, switched in 61 ms, sharp after 160 ms."
    shows(bridges, "candy", switch_ms=2_340.0)
    assert gallery.words.text() == "Pixel 7 shows Candy, switched in 2.3 s."
    qtbot.wait(2 * PACE_MS)
    click(gallery, 0)
    assert [wish.first for wish in wishes(bridges)] == ["candy", "mosaic"]
    assert len(bridges.last.of(wire.Push)) == 1, "it is there already"


def test_each_phone_is_named_on_the_card_that_it_shows(gallery, bridges) -> None:
    bridges.last.connects("d1", "Pixel 7")
    bridges.last.connects("d2", "Galaxy")
    shows(bridges, "mosaic", "d1")
    shows(bridges, "night", "d2")
    rows = gallery.grid.source
    said = [rows.index(n, 0).data(Qt.ItemDataRole.AccessibleTextRole) for n in range(3)]
    assert [text.partition(" dB")[2] for text in said] == [", on Pixel 7", "", ", on Galaxy"]
    shows(bridges, "night", "d1")
    assert rows.index(2, 0).data(Qt.ItemDataRole.AccessibleTextRole).endswith("on Pixel 7, Galaxy")
    assert not gallery.grid.viewport().grab().isNull()
    bridges.last.on_event(wire.Gone(device="d1", why=""))
    assert rows.index(2, 0).data(Qt.ItemDataRole.AccessibleTextRole).endswith("on Galaxy")


def test_what_was_tapped_on_the_phone_is_picked_here(gallery, bridges) -> None:
    bridges.last.connects()
    shows(bridges, "night", second="candy", share=0.25, by="phone")
    assert gallery.grid.concept().id == "night"
    assert gallery.blend.first.text() == "Night"
    assert gallery.blend.second.currentData() == "candy"
    assert gallery.blend.value.text() == "25 %"
    assert gallery.words.text() == "Pixel 7 shows Night with 25 % of Candy."
    assert wishes(bridges) == [], "and nothing is sent back"


def test_a_phone_that_comes_back_tells_its_concept_with_its_figures(gallery, bridges) -> None:
    bridges.last.connects()
    mix = say.Mix(first="candy", second=None, share=0.0)
    bridges.last.says(telemetry(id=ID, concept=mix))
    assert gallery.grid.concept().id == "candy"


def test_the_slider_blends_at_a_measured_pace_and_the_latest_wins(gallery, bridges, qtbot) -> None:
    bridges.last.connects()
    click(gallery, 0)
    bridges.last.says(ready(ID))
    shows(bridges, "mosaic")
    qtbot.wait(2 * PACE_MS)
    sent = len(wishes(bridges))
    slider = gallery.blend.slider
    QTest.mousePress(slider, LEFT, pos=QPoint(slider.width() // 5, slider.height() // 2))
    steps = 60
    for n in range(steps):
        x = slider.width() // 5 + n * slider.width() // (2 * steps)
        QTest.mouseMove(slider, QPoint(x, slider.height() // 2))
    assert len(wishes(bridges)) - sent <= 3, "not one for every pixel"
    QTest.mouseRelease(slider, LEFT, pos=QPoint(x, slider.height() // 2))
    qtbot.waitUntil(lambda: not gallery.switching.is_busy)
    last = wishes(bridges)[-1]
    assert (last.first, last.second) == ("mosaic", "candy")
    assert last.share == pytest.approx(gallery.blend.share, abs=1e-9)
    assert 0.6 < last.share < 0.8
    assert gallery.blend.value.text() == f"{last.share:.0%}".replace("%", " %")

    gallery.blend.second.setCurrentIndex(1)
    gallery.blend.second.activated.emit(1)
    qtbot.waitUntil(lambda: wishes(bridges)[-1].second == "night")
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: wishes(bridges)[-1] == say.ShowConcept(id=ID, first="mosaic"))


def test_answers_do_not_pull_the_slider_back_while_it_is_dragged(gallery, bridges, qtbot) -> None:
    bridges.last.connects()
    click(gallery, 0)
    slider = gallery.blend.slider
    slider._move(0.5)
    slider._move(0.7)
    shows(bridges, "mosaic", second="candy", share=0.5)
    assert slider.value == 0.7
    qtbot.waitUntil(lambda: wishes(bridges)[-1].share == 0.7)
    qtbot.waitUntil(lambda: not gallery.switching.is_busy)
    shows(bridges, "mosaic", second="candy", share=0.5)
    assert slider.value == 0.7, "an answer that was on its way is overtaken"
    shows(bridges, "mosaic", second="candy", share=0.7)
    assert slider.value == 0.7
    shows(bridges, "mosaic", second="night", share=0.2, by="phone")
    assert slider.value == 0.2, "what the person at the phone does counts at once"
    assert gallery.blend.second.currentData() == "night"


def test_the_keyboard_reaches_everything(gallery, bridges, qtbot) -> None:
    bridges.last.connects()
    gallery.grid.setFocus()
    gallery.grid.pick("mosaic")
    QTest.keyClick(gallery.grid, Qt.Key.Key_Right)
    assert gallery.grid.concept().id == "candy"
    assert wishes(bridges) == [], "moving looks, it does not switch"
    assert gallery.blend.first.text() == "Candy"
    QTest.keyClick(gallery.grid, Qt.Key.Key_Return)
    assert [wish.first for wish in wishes(bridges)] == ["candy"]
    for part in (gallery.grid, gallery.blend.slider, gallery.blend.second, gallery.combo):
        assert part.accessibleName()
        assert part.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_an_export_of_one_concept_cannot_be_blended(
    phone_panel, window, session, bridges, recorded_run, qtbot
) -> None:
    export(session.workspace, ("mosaic",))
    window.show_dock("concepts")
    dock = window.dock_widget("concepts")
    qtbot.waitUntil(lambda: looked(dock) == 1)
    bridges.last.connects()
    assert not dock.blend.slider.isEnabled()
    assert dock.blend.slider.toolTip() == "There is one concept; a blend needs two."


def test_what_the_phone_refused_is_said(gallery, bridges) -> None:
    bridges.last.connects()
    click(gallery, 0)
    bridges.last.says(say.Failed(id=ID, stage="concept", text="The adapter is damaged."))
    assert gallery.words.text() == "The adapter is damaged."


# -- what is read ----------------------------------------------------------------------------------


def test_sets_are_read_and_bad_ones_left_out(workspace, recorded_run, tmp_path) -> None:
    folder = export(workspace)
    found = read_set(folder)
    assert [one.id for one in found.concepts] == list(NAMES)
    assert figures(found.concepts[0]) == "24 kB, L1 0.041, 22.3 dB"
    assert found.named("night") == "Night"
    assert found.edit.epoch is None
    assert found.named(None) == ""
    bad = [{"id": 3}, "text", {"id": "ok", "bytes": "x", "l1": float("nan"), "thumb": "../a.jpg"}]
    odd = write_export(workspace, RUN, "train", "Odd", concepts=bad)
    (one,) = read_set(odd).concepts
    assert (one.id, one.name, one.bytes, one.l1, one.after) == ("ok", "ok", 0, None, "")
    assert figures(one) == ""
    write_export(workspace, RUN, "net", "None", concepts=[])
    (folder / "artifact.json").write_text("{")
    assert [one.edit.node for one in all_sets(workspace)] == ["train"]
    assert all_sets(type(workspace)(tmp_path / "nowhere")) == []
