"""The Images dock: pictures of the run, steps, slider, blink, difference map, saving."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage
from PySide6.QtTest import QTest

from backend.core import events as ev
from studio.docks.image_compare import Stage
from studio.docks.image_sources import other_runs, same_picture
from studio.docks.image_store import (
    DIFFERENCE_SCALE,
    Pictures,
    Place,
    difference,
    read_picture,
    with_receipt,
)
from studio.docks.images import ImagesWidget
from studio.theme import theme

STREAM = ("f8net", "image", "sample")


def plain(red: int, size: tuple[int, int] = (8, 6)) -> QImage:
    image = QImage(*size, QImage.Format.Format_RGB32)
    image.fill(QColor(red, 0, 0))
    return image


def ramp() -> list[QColor]:
    return [theme().heat(n / 63) for n in range(64)]


def painted(run: Path, count: int) -> list[ev.Event]:
    events: list[ev.Event] = []
    for n in range(count):
        path = f"nodes/f8net/images/sample-{n:06d}.png"
        (run / path).parent.mkdir(parents=True, exist_ok=True)
        plain(10 * n).save(str(run / path))
        events.append(ev.Image(node="f8net", name="sample", path=path, seq=500 + n))
    return events


@pytest.fixture
def dock(qtbot: Any, session: Any, recorded_run: Path) -> ImagesWidget:
    session.document.open(recorded_run / "graph.json")
    session.set_focus(recorded_run.name)
    session.focus.read(10)
    session.focus.fold.feed(painted(recorded_run, 4))
    widget = ImagesWidget(session)
    qtbot.addWidget(widget)
    widget.resize(700, 420)
    widget.show()
    widget.list.pick(STREAM)
    qtbot.waitUntil(lambda: widget.stage.a is not None)
    return widget


def test_pictures_are_listed_by_node_and_the_newest_is_shown(
    dock: ImagesWidget, qtbot: Any
) -> None:
    assert len(dock.list.keys) == 5
    assert (dock.scrubber.index, len(dock.scrubber.names)) == (3, 4)
    qtbot.waitUntil(lambda: dock.stage.a is not None and dock.stage.a.pixelColor(0, 0).red() == 30)


def test_steps_are_scrubbed_with_the_arrows_on_the_stage(dock: ImagesWidget, qtbot: Any) -> None:
    dock.stage.setFocus()
    QTest.keyClick(dock.stage, Qt.Key.Key_Left)
    assert dock.scrubber.index == 2
    qtbot.waitUntil(lambda: dock.stage.a is not None and dock.stage.a.pixelColor(0, 0).red() == 20)


def test_the_slider_follows_mouse_and_arrows(dock: ImagesWidget, qtbot: Any) -> None:
    dock.set_mode("slider")
    qtbot.waitUntil(lambda: dock.stage.b is not None)
    stage = dock.stage
    assert stage.labels == ("F8Net, sample 4", "sample 3")
    assert round(stage.handle().width()) == 34
    area = stage.picture_rect()
    start = stage.handle().center().toPoint()
    end = QPoint(round(area.left() + area.width() * 0.75), start.y())
    QTest.mousePress(stage, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(stage, end)
    QTest.mouseRelease(stage, Qt.MouseButton.LeftButton, pos=end)
    assert stage.split == pytest.approx(0.75, abs=0.01)
    QTest.keyClick(stage, Qt.Key.Key_Left)
    assert stage.split == pytest.approx(0.73, abs=0.01)
    shot = stage.grab().toImage()
    ratio = shot.devicePixelRatio()
    y = round((area.bottom() - 6) * ratio)
    left = shot.pixelColor(round((area.left() + 6) * ratio), y)
    right = shot.pixelColor(round((area.right() - 6) * ratio), y)
    assert (left.red(), right.red()) == (30, 20)


def test_b_blinks_and_goes_back(dock: ImagesWidget, qtbot: Any) -> None:
    dock.set_mode("slider")
    qtbot.waitUntil(lambda: dock.stage.b is not None)
    QTest.keyClick(dock.stage, Qt.Key.Key_B)
    assert dock.mode.value == "blink"
    assert dock.stage.is_blinking
    QTest.keyClick(dock.stage, Qt.Key.Key_Space)
    assert dock.stage.shows_b
    assert not dock.stage.is_blinking
    assert dock.stage.result().pixelColor(0, 0).red() == 20  # type: ignore[union-attr]
    QTest.keyClick(dock.stage, Qt.Key.Key_B)
    assert dock.mode.value == "slider"


def test_blinking_ends_when_it_is_hidden_or_motion_is_reduced(qtbot: Any) -> None:
    stage = Stage()
    qtbot.addWidget(stage)
    stage.set_pictures(plain(1), plain(2), ("a", "b"))
    stage.show()
    stage.set_mode("blink")
    assert stage.is_blinking
    stage.hide()
    assert not stage.is_blinking
    theme().choose(reduced_motion=True)
    stage.show()
    assert not stage.is_blinking


def test_the_difference_map_has_a_fixed_scale(qtbot: Any) -> None:
    found = difference(plain(100), plain(100 + DIFFERENCE_SCALE // 2), ramp())
    assert (found.mean, found.largest) == (pytest.approx(DIFFERENCE_SCALE / 2 / 3), 24)
    assert found.image.pixelColor(0, 0).rgb() in (ramp()[31].rgb(), ramp()[32].rgb())
    assert difference(plain(0), plain(255), ramp()).image.pixel(3, 3) == ramp()[63].rgb()
    same = difference(plain(7), plain(7), ramp())
    assert (same.largest, same.words) == (0, "no difference")
    odd = difference(plain(7), plain(7, (4, 4)), ramp())
    assert odd.image.isNull()
    assert odd.words == "The pictures differ in size: 8 x 6 and 4 x 4."


def test_the_dock_computes_and_shows_the_difference(dock: ImagesWidget, qtbot: Any) -> None:
    dock.set_mode("difference")
    qtbot.waitUntil(lambda: dock.stage.difference is not None)
    assert dock.stage.difference.words == "mean 3.33, largest 10 of 255"  # type: ignore[union-attr]
    assert dock.result().size() == plain(0).size()  # type: ignore[union-attr]


def test_small_pictures_keep_hard_pixels(qtbot: Any) -> None:
    stage = Stage()
    qtbot.addWidget(stage)
    stage.resize(400, 300)
    two = plain(0, (2, 1))
    two.setPixelColor(1, 0, QColor(255, 0, 0))
    stage.set_pictures(two, None, ("", ""))
    stage.show()
    shot = stage.grab().toImage()
    y = shot.height() // 2
    reds = {shot.pixelColor(x, y).red() for x in range(20, shot.width() - 20)}
    assert reds == {0, 255}


def test_zoom_keeps_the_place_under_the_pointer(qtbot: Any) -> None:
    stage = Stage()
    qtbot.addWidget(stage)
    stage.resize(400, 300)
    stage.set_pictures(plain(0, (200, 200)), None, ("", ""))
    stage.show()
    at = stage.picture_rect().center()
    stage.set_zoom(8.0, at)
    assert stage.picture_rect().center().x() == pytest.approx(at.x(), abs=1)
    QTest.keyClick(stage, Qt.Key.Key_0)
    assert stage.zoom is None


def test_the_grid_opens_a_picture(dock: ImagesWidget, qtbot: Any) -> None:
    dock.set_mode("grid")
    assert [e.title for e in dock.grid.source.entries] == [f"sample {n}" for n in (1, 2, 3, 4)]
    side = dock.grid.side
    QTest.keyClick(dock.grid, Qt.Key.Key_Plus)
    assert dock.grid.side > side
    place = dock.grid.visualRect(dock.grid.source.index(1)).center()
    QTest.mouseClick(dock.grid.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert (dock.mode.value, dock.scrubber.index) == ("one", 1)


def test_rivals_are_steps_other_nodes_and_other_runs(
    dock: ImagesWidget, session: Any, recorded_run: Path, qtbot: Any
) -> None:
    dock.set_mode("slider")
    titles = [dock.rival.itemText(n) for n in range(dock.rival.count())]
    assert titles == ["The one before", "The first one"]
    dock.set_mode("one")
    other = recorded_run.parent / "2026-11-20_10-00_other"
    shutil.copytree(recorded_run, other)
    dock.list.pick(("float_test", "image", "mistakes"))
    dock.set_mode("slider")
    titles = [dock.rival.itemText(n) for n in range(dock.rival.count())]
    assert "Evaluate, f8net_test" in titles
    assert titles[-1] == f"Run {other.name}"
    dock.rival.setCurrentIndex(len(titles) - 1)
    qtbot.waitUntil(lambda: dock.stage.b is not None)
    assert dock.stage.labels[1] == other.name


def test_the_same_picture_of_another_run_may_have_another_number(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "nodes" / "a" / "images"
    folder.mkdir(parents=True)
    for name in ("x-000001.png", "x-000007.png", "xy-000009.png", "x.txt"):
        (folder / name).write_bytes(b"")
    assert same_picture(tmp_path / "run", "nodes/a/images/x-000001.png").endswith("x-000001.png")  # type: ignore[union-attr]
    assert same_picture(tmp_path / "run", "nodes/a/images/x-000003.png").endswith("x-000007.png")  # type: ignore[union-attr]
    assert same_picture(tmp_path / "run", "nodes/b/images/x-000003.png") is None
    assert other_runs(tmp_path, "own", ["own", "run"]) == [tmp_path / "run"]
    assert other_runs(tmp_path / "nowhere", "own", []) == []


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("images/gone.png", None, "missing"),
        ("images/torn.png", b"\x89PNG\r\n\x1a\ntorn", "damaged"),
        ("../../../secret.png", None, "leads out"),
    ],
)
def test_what_cannot_be_read_is_said_in_place(
    dock: ImagesWidget,
    session: Any,
    recorded_run: Path,
    qtbot: Any,
    path: str,
    content: bytes | None,
    said: str,
) -> None:
    if content is not None:
        (recorded_run / path).parent.mkdir(exist_ok=True)
        (recorded_run / path).write_bytes(content)
    event = ev.Image(node="net", name="odd", path=path, seq=1)
    session.focus.fold.feed([event])
    dock.refresh()
    dock.list.pick(("net", "image", "odd"))
    qtbot.waitUntil(lambda: said in dock.stage.words)
    assert dock.result() is None
    dock.set_mode("grid")
    dock.grid.grab()


def test_the_cache_is_bounded_in_bytes(tmp_path: Path, qtbot: Any) -> None:
    for n in range(6):
        plain(n, (50, 50)).save(str(tmp_path / f"{n}.png"))
    from PySide6.QtWidgets import QWidget

    owner = QWidget()
    qtbot.addWidget(owner)
    store = Pictures(owner, most_bytes=3 * 50 * 50 * 4)
    for n in range(6):
        with qtbot.waitSignal(store.ready):
            assert store.get(Place(tmp_path, f"{n}.png")) is None
    assert store.bytes_kept == 3 * 50 * 50 * 4
    assert isinstance(store.get(Place(tmp_path, "5.png")), QImage)
    assert store.get(Place(tmp_path, "0.png")) is None
    store.close()


@pytest.mark.parametrize("strip", [True, False])
def test_a_saved_picture_carries_its_receipt_unless_stripped(
    dock: ImagesWidget, session: Any, tmp_path: Path, recorded_run: Path, strip: bool
) -> None:
    session.settings.set(strip_metadata=strip)
    assert dock.save_to(tmp_path / "saved")
    saved = QImage(str(tmp_path / "saved.png"))
    assert saved.pixelColor(0, 0) == QColor(30, 0, 0)
    if strip:
        assert saved.textKeys() == []
    else:
        assert saved.text("Fretsaw run") == recorded_run.name
        assert saved.text("Fretsaw node") == "f8net"
        assert len(saved.text("Fretsaw graph")) == 16
    dock.copy()
    assert QGuiApplication.clipboard().mimeData().hasFormat("image/png")


def test_texts_of_a_picture_are_replaced() -> None:
    image = plain(5)
    image.setText("Author", "somebody")
    assert with_receipt(image, {}).textKeys() == []
    kept = with_receipt(image, {"Fretsaw run": "a"})
    assert kept.textKeys() == ["Fretsaw run"]
    assert kept.pixelColor(1, 1) == image.pixelColor(1, 1)


def test_saving_where_nothing_can_be_written_is_told(
    dock: ImagesWidget, session: Any, tmp_path: Path
) -> None:
    said: list[Any] = []
    session.told.connect(said.append)
    (tmp_path / "file").write_text("")
    assert not dock.save_to(tmp_path / "file" / "x.png")
    assert said[0].text == "x.png was not written."


def test_recorded_pictures_decode(recorded_run: Path) -> None:
    found = read_picture(Place(recorded_run, "nodes/data/images/examples-000001.png"))
    assert isinstance(found, QImage)
    assert (found.width(), found.height()) == (289, 115)


def test_without_pictures_there_is_a_sentence(session: Any, qtbot: Any) -> None:
    widget = ImagesWidget(session)
    qtbot.addWidget(widget)
    widget.show()
    assert widget.empty.isVisible()
    assert widget.empty.label.text() == "Sample pictures appear each epoch."
