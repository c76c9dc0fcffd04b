"""The live picture and the figures of a phone, with a scripted bridge."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from device_bridge import protocol as say
from device_bridge import wire
from tests.studio.phone_parts import bench, jpeg, telemetry

# -- the live picture ------------------------------------------------------------------------------


def test_a_preview_is_painted_split_and_its_credit_given_back(live_phone, bridges, qtbot) -> None:
    preview = live_phone.live
    preview.set_split(0.5)
    bridges.last.previews(1, jpeg("#ff0000", "#0000ff"))
    qtbot.waitUntil(lambda: preview.painted_frames == 1)
    assert [credit.n for credit in bridges.last.told(say.Credit)] == [1]
    image = preview.grab().toImage()
    stage = preview.stage()
    y = round(stage.top() + stage.height() * 0.3)
    left = image.pixelColor(round(stage.left() + stage.width() * 0.2), y)
    right = image.pixelColor(round(stage.left() + stage.width() * 0.8), y)
    assert left.red() > 200
    assert left.blue() < 60
    assert right.blue() > 200
    assert right.red() < 60


def test_a_flood_is_painted_as_often_as_the_window_can_and_paid_in_full(
    live_phone, bridges, qtbot
) -> None:
    picture = jpeg()
    for seq in range(6):
        bridges.last.previews(seq, picture)
    qtbot.waitUntil(lambda: live_phone.live.painted_frames >= 1)
    qtbot.waitUntil(lambda: sum(c.n for c in bridges.last.told(say.Credit)) == 6)
    assert live_phone.live.painted_frames < 6


def test_out_of_sight_no_credit_is_given_so_the_phone_stops_sending(
    live_phone, bridges, window, qtbot
):
    window.set_workspace("Graph")
    QTest.qWait(20)
    bridges.last.previews(1, jpeg())
    QTest.qWait(60)
    assert bridges.last.told(say.Credit) == []
    window.set_workspace("Phone")
    qtbot.waitUntil(lambda: [c.n for c in bridges.last.told(say.Credit)] == [1])


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff" + bytes(300), b"GIF89a" + bytes(40)])
def test_a_damaged_picture_keeps_the_last_one_and_pays(
    live_phone, bridges, qtbot, data: bytes
) -> None:
    bridges.last.previews(1, jpeg())
    qtbot.waitUntil(lambda: live_phone.live.painted_frames == 1)
    before = live_phone.live.image.cacheKey()
    bridges.last.previews(2, data)
    qtbot.waitUntil(lambda: live_phone.live.damaged == 1)
    assert live_phone.live.image.cacheKey() == before
    assert sum(c.n for c in bridges.last.told(say.Credit)) == 2


def test_a_picture_that_claims_a_huge_size_is_not_decoded() -> None:
    from PySide6.QtCore import QSize

    from studio.docks.phone_live import decode

    picture = bytearray(jpeg())
    at = picture.index(b"\xff\xc0")
    picture[at + 5 : at + 9] = b"\xff\xff\xff\xff"  # height and width of 65,535
    assert decode(bytes(picture), QSize(200, 200)).isNull()
    small = decode(jpeg(side=400), QSize(100, 50))
    assert small.height() == 50, "no more than is painted"


def test_live_is_asked_for_with_both_pictures(live_phone, bridges) -> None:
    (wish,) = bridges.last.told(say.Live)
    assert wish.on
    assert wish.split
    assert wish.fps == 8


# -- figures ---------------------------------------------------------------------------------------


def test_the_figures_are_those_of_the_phone(live_phone, bridges, window) -> None:
    assert [number for _, number, _ in live_phone.readouts.figures()] == ["38", "46", "26", "0.4"]
    stages = [(word, round(ms, 1)) for word, ms, _ in live_phone.frame.stages()]
    assert stages == [("grab", 3.1), ("to float", 0.4), ("network", 38.0), ("paint", 5.3)]
    assert live_phone.chart.spoken() == "1 points, last 38 ms"
    assert live_phone.skipped.text() == "34 skipped"
    low, high = live_phone.chart.bounds()
    assert low <= 33.3 <= high
    window.phone_row.refresh()
    assert window.status._phone.text() == "Pixel 7 live, 26 fps"
    assert window.phone_row.push.text() == "Push to Pixel 7"


def test_the_chart_draws_curve_and_swap(live_phone, bridges) -> None:
    blank = live_phone.chart.grab().toImage()
    for n in range(20):
        bridges.last.says(telemetry(run=30.0 + n))
    live_phone.chart.update()
    assert live_phone.chart.grab().toImage() != blank
    assert [swap.words for swap in live_phone.phone.device.swaps] == ["epoch 12 swapped in"]


def test_backends_are_bars_with_a_tick_at_the_chosen_one(live_phone, bridges, session) -> None:
    assert live_phone.backends.rows() == []
    bridges.last.says(bench(("wasm-1", 71.0), ("wasm-4", 38.0), ("webgpu", 44.0)))
    names = [(name, ms, best) for name, ms, _, best in live_phone.backends.rows()]
    assert names == [
        ("WASM, 1 thread", 71.0, False),
        ("WASM, 4 threads", 38.0, True),
        ("WebGPU", 44.0, False),
    ]
    assert "chosen" in live_phone.backends.accessibleDescription()


@pytest.mark.parametrize(("ok", "kind"), [(True, "good"), (False, "warn")])
def test_the_golden_chip_says_whether_the_phone_is_right(live_phone, bridges, ok, kind) -> None:
    assert not live_phone.card.golden.isVisible()
    bridges.last.says(
        say.Golden(id="starry", backend="wasm-4", max_error=1.1e-5, mean_error=2e-6, ok=ok)
    )
    chip = live_phone.card.golden
    assert chip.isVisible()
    assert (chip.text, chip.kind) == ("golden pair 1.1e-5", kind)


def test_a_silent_phone_is_said_to_be_silent(live_phone) -> None:
    device = live_phone.phone.device
    device.heard_at = time.time() - say.HEARTBEAT_S - 1
    live_phone.phone._look()
    assert "did not answer for 8 s" in live_phone.card.facts.text()
    assert live_phone.phone.summary() == ("cellphone-off", "Pixel 7 is silent")


def test_forget_ends_the_session(live_phone, bridges) -> None:
    QTest.mouseClick(live_phone.card.forget, Qt.MouseButton.LeftButton)
    assert [one.device for one in bridges.last.of(wire.Forget)] == ["d1"]
    assert not live_phone.card.isVisible()
    assert live_phone.empty.isVisible()
