"""The phone in the window: panel, pairing, live picture, edits, actions, with a scripted bridge."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from backend.core.run import Run
from device_bridge import protocol as say
from device_bridge import wire
from studio.phone import phone as phones
from studio.phone.networks import Network
from studio.phone.phone import phone_of
from tests.studio.phone_parts import HOST, Maker, bench, edit, jpeg, ready, telemetry, write_export

RUN = "2026-11-24_09-00_quantize-classifier"
NAME, ID = "Quantize classifier", "quantize-classifier-starry"
"""An export of that run with the label "Starry": the user's name for the graph."""


@pytest.fixture
def maker(session, monkeypatch) -> Maker:
    """The session's phones, with scripted bridges, on a computer with two networks."""
    found = [Network(HOST, "Wi-Fi"), Network("172.17.0.1", "docker0 (virtual)")]
    monkeypatch.setattr(phones, "networks", lambda: found)
    made = Maker()
    phone_of(session, made)
    return made


@pytest.fixture
def panel(maker, window, qtbot):
    """The Phone panel in its workspace."""
    window.set_workspace("Phone")
    qtbot.waitUntil(lambda: window.dock_widget("phone") is not None)
    panel = window.dock_widget("phone")
    qtbot.waitUntil(panel.isVisible)
    return panel


@pytest.fixture
def live(panel, maker):
    """A panel with a phone that shows the edit "Starry"."""
    panel.phone.push(edit(epoch=12))
    maker.last.connects()
    maker.last.says(ready())
    maker.last.says(telemetry())
    return panel


# -- the process and the panel ---------------------------------------------------------------------


def test_the_bridge_starts_with_the_panel_and_ends_with_it(maker, window, qtbot) -> None:
    assert maker.made == [], "nothing runs before the panel was opened"
    window.set_workspace("Phone")
    qtbot.waitUntil(lambda: len(maker.made) == 1)
    bridge = maker.last
    assert bridge.is_started
    assert bridge.sent == [], "and it listens to nobody yet"
    window.set_workspace("Graph")
    qtbot.waitUntil(lambda: bridge.is_closed)


def test_a_connected_phone_keeps_the_panel_as_a_tab(live, window, maker, qtbot) -> None:
    window.set_workspace("Graph")
    QTest.qWait(20)
    assert not maker.last.is_closed
    assert not window.frames["phone"].isHidden()
    window.frames["phone"].close()
    qtbot.waitUntil(lambda: maker.last.is_closed)
    assert live.phone.device is None


def test_closing_the_window_ends_the_bridge(session, maker, qtbot) -> None:
    from studio.main_window import MainWindow

    window = MainWindow(session)
    window.resize(1400, 900)
    window.show()
    qtbot.waitExposed(window)
    window.set_workspace("Phone")
    qtbot.waitUntil(lambda: len(maker.made) == 1)
    window.close_without_asking()
    assert maker.last.is_closed
    window.deleteLater()


def test_the_workspace_gives_the_canvas_room_to_the_docks(panel, window) -> None:
    assert not window.canvas.isVisible()
    assert window.tool_row.workspaces.value == "Phone"
    assert window.phone_row.push.isVisible()
    assert not window.tool_row.seed.isVisible()
    window.session.tell("News.")
    assert window.toasts.toasts[-1].isVisible(), "news is seen without the canvas too"
    window.set_workspace("Graph")
    assert window.canvas.isVisible()
    assert not window.phone_row.push.isVisible()
    assert window.tool_row.seed.isVisible()


def test_an_empty_panel_says_so_and_offers_to_pair(panel, maker) -> None:
    assert panel.empty.isVisible()
    assert panel.empty.label.text() == "No phone yet."
    QTest.mouseClick(panel.empty.button, Qt.MouseButton.LeftButton)
    assert panel.pairing.isVisible()
    assert [command.host for command in maker.last.of(wire.Listen)] == [HOST]
    assert panel.pairing.qr.text.endswith("#t=TOKEN")


def test_a_crash_is_told_in_words_and_the_bridge_can_be_restarted(live, maker, window) -> None:
    maker.last.on_end("The phone bridge ended by itself (code -9).")
    assert live.empty.isVisible()
    assert "ended by itself" in live.empty.label.text()
    assert window.toasts.toasts[-1].kind == "bad"
    assert live.phone.device is None
    QTest.mouseClick(live.empty.button, Qt.MouseButton.LeftButton)
    assert len(maker.made) == 2
    assert [push.id for push in maker.last.of(wire.Push)] == ["starry"], "edits are pushed again"
    assert live.pairing.isVisible()


def test_a_bridge_that_cannot_start_is_a_sentence_not_a_traceback(maker, window, qtbot) -> None:
    maker.refuses = True
    window.set_workspace("Phone")
    qtbot.waitUntil(lambda: bool(window.toasts.toasts))
    assert "cannot be started" in window.toasts.toasts[-1].text
    assert window.isVisible()


# -- pairing ---------------------------------------------------------------------------------------


def test_code_life_and_network_are_shown_and_a_new_code_can_be_made(panel, maker) -> None:
    panel.show_pairing()
    card = panel.pairing
    assert card.code.text() == "K7F 42Q"
    assert card.left.text() == "120 s left"
    assert 0.98 < card.life.share <= 1.0
    assert card.network.currentText() == f"Wi-Fi, {HOST}"
    assert "ABAB ABAB" in card.help.text(), "the fingerprint, to compare"
    assert not card.renew.isVisible()
    panel.phone.state.token = panel.phone.state.token.model_copy(
        update={"expires": time.time() - 1}
    )
    card.refresh()
    assert card.qr.is_stale
    assert card.code.text() == ""
    assert card.renew.isVisible()
    QTest.mouseClick(card.renew, Qt.MouseButton.LeftButton)
    assert len(maker.last.of(wire.Pair)) == 2
    assert not card.qr.is_stale


def test_another_network_moves_the_server(panel, maker) -> None:
    panel.show_pairing()
    panel.pairing.network.setCurrentIndex(1)
    assert [one.host for one in maker.last.of(wire.Listen)] == [HOST, "172.17.0.1"]
    assert len(maker.last.of(wire.Pair)) == 2


def test_the_qr_code_is_white_with_a_quiet_zone_in_both_themes(panel, session, qtbot) -> None:
    for mode in ("dark", "light"):
        session.settings.set(theme=mode)
        panel.show_pairing()
        qr = panel.pairing.qr
        image = qr.grab().toImage()
        side = image.width()
        assert image.pixelColor(side // 2, 4) == QColor("#ffffff")
        dark = sum(
            image.pixelColor(x, y) == QColor("#000000")
            for x in range(0, side, 2)
            for y in range(0, side, 2)
        )
        assert 0.15 < dark / (side / 2) ** 2 < 0.5
        edges = {image.pixelColor(x, side // 2).name() for x in range(3, 14)}
        assert edges == {"#ffffff"}, "four modules of white at the left"


def test_a_device_is_let_in_only_by_a_click(panel, maker) -> None:
    panel.show_pairing()
    maker.last.on_event(wire.Asks(device="d1", name="Pixel 7", address="192.168.1.40"))
    question = panel.pairing.question
    assert question.isVisible()
    assert "Pixel 7 at 192.168.1.40" in question.label.text()
    assert maker.last.of(wire.Answer) == []
    QTest.mouseClick(question.allow, Qt.MouseButton.LeftButton)
    assert [(a.device, a.allow) for a in maker.last.of(wire.Answer)] == [("d1", True)]
    assert not question.isVisible()
    maker.last.on_event(wire.Asks(device="d2", name="", address="192.168.1.66"))
    QTest.mouseClick(question.refuse, Qt.MouseButton.LeftButton)
    assert [(a.device, a.allow) for a in maker.last.of(wire.Answer)][-1] == ("d2", False)


def test_a_name_of_a_device_is_never_read_as_html(panel, maker) -> None:
    panel.show_pairing()
    maker.last.on_event(wire.Asks(device="d1", name="<b>x</b>", address="1.2.3.4"))
    label = panel.pairing.question.label
    assert label.textFormat() == Qt.TextFormat.PlainText
    assert "<b>x</b>" in label.text()


def test_the_failing_step_has_its_fix(panel, maker) -> None:
    panel.show_pairing()
    maker.last.on_event(wire.Trouble(text="Not trusted.", remedy="Proceed.", command="certificate"))
    shown = {step.name: step for step in panel.pairing.list.shown}
    assert shown["certificate"].state == "failed"
    row = next(row for row in panel.pairing.list._rows if row.key == "certificate")
    QTest.mouseClick(row.fix, Qt.MouseButton.LeftButton)
    assert panel.pairing.help.text() == "Proceed."


def test_no_network_is_said_with_a_remedy(panel, maker, monkeypatch) -> None:
    monkeypatch.setattr(phones, "networks", list)
    panel.show_pairing()
    assert maker.last.of(wire.Listen) == []
    assert "on no network" in panel.pairing.help.text()


def test_usb_lists_phones_with_what_each_needs_and_connects_one(
    panel, maker, qtbot, tmp_path
) -> None:
    fake = tmp_path / "adb.py"
    fake.write_text(FAKE_ADB)
    usb = panel.phone.usb
    usb._command = [sys.executable, str(fake), str(tmp_path / "log")]
    panel.show_pairing()
    panel.pairing._route_chosen("usb")
    page = panel.pairing.usb
    qtbot.waitUntil(lambda: len(page.rows) == 2, timeout=8000)
    assert [row.button.isVisible() for row in page.rows] == [True, False]
    assert "Accept the question" in page.rows[1].accessibleName()
    assert [one.host for one in maker.last.of(wire.Listen)][-1] == "127.0.0.1"
    QTest.mouseClick(page.rows[0].button, Qt.MouseButton.LeftButton)
    log = tmp_path / "log"
    opens = "open ABC http://localhost:7777/#t=TOKEN"
    qtbot.waitUntil(lambda: log.exists() and opens in log.read_text(), timeout=8000)
    assert "reverse ABC 4444" in log.read_text()
    pair = maker.last.of(wire.Pair)[-1]
    assert (pair.port, pair.allow) == (7777, True)
    usb.close()


FAKE_ADB = """
import json, sys
log, *words = sys.argv[1:]
if words != ["devices"]:
    open(log, "a").write(" ".join(words) + "\\n")
ready = {"serial": "ABC", "state": "device", "model": "Pixel 7", "instruction": ""}
asks = {"serial": "DEF", "state": "unauthorized", "model": "",
        "instruction": "Accept the question on the phone's screen."}
said = {"devices": {"devices": [ready, asks], "advice": ""}, "reverse": {"port": 7777}}
print(json.dumps(said.get(words[0], {"opened": True})))
"""


# -- the live picture ------------------------------------------------------------------------------


def test_a_preview_is_painted_split_and_its_credit_given_back(live, maker, qtbot) -> None:
    preview = live.live
    preview.set_split(0.5)
    maker.last.previews(1, jpeg("#ff0000", "#0000ff"))
    qtbot.waitUntil(lambda: preview.painted_frames == 1)
    assert [credit.n for credit in maker.last.told(say.Credit)] == [1]
    image = preview.grab().toImage()
    stage = preview.stage()
    y = round(stage.top() + stage.height() * 0.3)
    left = image.pixelColor(round(stage.left() + stage.width() * 0.2), y)
    right = image.pixelColor(round(stage.left() + stage.width() * 0.8), y)
    assert left.red() > 200
    assert left.blue() < 60
    assert right.blue() > 200
    assert right.red() < 60


def test_a_flood_is_painted_as_often_as_the_window_can_and_paid_in_full(live, maker, qtbot) -> None:
    picture = jpeg()
    for seq in range(6):
        maker.last.previews(seq, picture)
    qtbot.waitUntil(lambda: live.live.painted_frames >= 1)
    qtbot.waitUntil(lambda: sum(c.n for c in maker.last.told(say.Credit)) == 6)
    assert live.live.painted_frames < 6


def test_out_of_sight_no_credit_is_given_so_the_phone_stops_sending(live, maker, window, qtbot):
    window.set_workspace("Graph")
    QTest.qWait(20)
    maker.last.previews(1, jpeg())
    QTest.qWait(60)
    assert maker.last.told(say.Credit) == []
    window.set_workspace("Phone")
    qtbot.waitUntil(lambda: [c.n for c in maker.last.told(say.Credit)] == [1])


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff" + bytes(300), b"GIF89a" + bytes(40)])
def test_a_damaged_picture_keeps_the_last_one_and_pays(live, maker, qtbot, data: bytes) -> None:
    maker.last.previews(1, jpeg())
    qtbot.waitUntil(lambda: live.live.painted_frames == 1)
    before = live.live.image.cacheKey()
    maker.last.previews(2, data)
    qtbot.waitUntil(lambda: live.live.damaged == 1)
    assert live.live.image.cacheKey() == before
    assert sum(c.n for c in maker.last.told(say.Credit)) == 2


def test_a_picture_that_claims_a_huge_size_is_not_decoded() -> None:
    from PySide6.QtCore import QSize

    from studio.docks.phone_live import decode

    picture = bytearray(jpeg())
    at = picture.index(b"\xff\xc0")
    picture[at + 5 : at + 9] = b"\xff\xff\xff\xff"  # height and width of 65,535
    assert decode(bytes(picture), QSize(200, 200)).isNull()
    small = decode(jpeg(side=400), QSize(100, 50))
    assert small.height() == 50, "no more than is painted"


def test_live_is_asked_for_with_both_pictures(live, maker) -> None:
    (wish,) = maker.last.told(say.Live)
    assert wish.on
    assert wish.split
    assert wish.fps == 8


# -- figures ---------------------------------------------------------------------------------------


def test_the_figures_are_those_of_the_phone(live, maker, window) -> None:
    assert [number for _, number, _ in live.readouts.figures()] == ["38", "46", "26", "0.4"]
    stages = [(word, round(ms, 1)) for word, ms, _ in live.frame.stages()]
    assert stages == [("grab", 3.1), ("to float", 0.4), ("network", 38.0), ("paint", 5.3)]
    assert live.chart.spoken() == "1 points, last 38 ms"
    assert live.skipped.text() == "34 skipped"
    low, high = live.chart.bounds()
    assert low <= 33.3 <= high
    window.phone_row.refresh()
    assert window.status._phone.text() == "Pixel 7 live, 26 fps"
    assert window.phone_row.push.text() == "Push to Pixel 7"


def test_the_chart_draws_curve_and_swap(live, maker) -> None:
    blank = live.chart.grab().toImage()
    for n in range(20):
        maker.last.says(telemetry(run=30.0 + n))
    live.chart.update()
    assert live.chart.grab().toImage() != blank
    assert [swap.words for swap in live.phone.device.swaps] == ["epoch 12 swapped in"]


def test_backends_are_bars_with_a_tick_at_the_chosen_one(live, maker, session) -> None:
    assert live.backends.rows() == []
    maker.last.says(bench(("wasm-1", 71.0), ("wasm-4", 38.0), ("webgpu", 44.0)))
    names = [(name, ms, best) for name, ms, _, best in live.backends.rows()]
    assert names == [
        ("WASM, 1 thread", 71.0, False),
        ("WASM, 4 threads", 38.0, True),
        ("WebGPU", 44.0, False),
    ]
    assert "chosen" in live.backends.accessibleDescription()


@pytest.mark.parametrize(("ok", "kind"), [(True, "good"), (False, "warn")])
def test_the_golden_chip_says_whether_the_phone_is_right(live, maker, ok, kind) -> None:
    assert not live.card.golden.isVisible()
    maker.last.says(
        say.Golden(id="starry", backend="wasm-4", max_error=1.1e-5, mean_error=2e-6, ok=ok)
    )
    chip = live.card.golden
    assert chip.isVisible()
    assert (chip.text, chip.kind) == ("golden pair 1.1e-5", kind)


def test_a_silent_phone_is_said_to_be_silent(live) -> None:
    device = live.phone.device
    device.heard_at = time.time() - say.HEARTBEAT_S - 1
    live.phone._look()
    assert "did not answer for 8 s" in live.card.facts.text()
    assert live.phone.summary() == ("cellphone-off", "Pixel 7 is silent")


def test_forget_ends_the_session(live, maker) -> None:
    QTest.mouseClick(live.card.forget, Qt.MouseButton.LeftButton)
    assert [one.device for one in maker.last.of(wire.Forget)] == ["d1"]
    assert not live.card.isVisible()
    assert live.empty.isVisible()


# -- edits -----------------------------------------------------------------------------------------


def test_exports_are_listed_and_pushed_by_a_double_click(
    panel, maker, window, session, recorded_run, qtbot
) -> None:
    folder = write_export(session.workspace, RUN, "onnx", "Starry", epochs=20)
    edits = window.dock_widget("edits")
    edits.look()
    qtbot.waitUntil(lambda: [row.name for row in edits.model.rows] == [NAME])
    assert edits.model.words(edits.model.rows[0])[0] == "1 kB, not pushed"
    index = edits.model.index(0, 0)
    edits.view.activated.emit(index)
    (push,) = maker.last.of(wire.Push)
    assert (push.folder, push.id, push.name, push.node) == (str(folder), ID, NAME, "onnx")
    assert Path(push.run) == recorded_run
    assert edits.model.words(edits.model.rows[0])[0] == "1 kB, waits for a phone"
    maker.last.connects()
    maker.last.says(say.FileProgress(id=ID, done=25, total=100_000))
    assert edits.model.words(edits.model.rows[0])[0].startswith("0 %")
    maker.last.says(ready(ID))
    assert edits.model.words(edits.model.rows[0])[0] == "1 kB, on phone"
    assert not edits.view.grab().toImage().isNull()


def test_push_takes_what_the_run_exported_and_says_what_is_missing(
    panel, maker, window, session, recorded_run, qtbot
) -> None:
    assert not window.phone_row.push.isEnabled()
    assert "nothing was exported yet" in window.phone_row.push.toolTip()
    window.act("phone_push")
    assert "no exported edit yet" in window.toasts.toasts[-1].text
    session.set_focus(RUN)
    qtbot.waitUntil(lambda: bool(session.focus.fold.nodes))
    name = next(iter(session.focus.fold.nodes))
    write_export(session.workspace, RUN, name, "Poster")
    window.act("phone_push")
    assert [push.name for push in maker.last.of(wire.Push)] == [NAME]
    assert "waits for a phone" in window.toasts.toasts[-1].text


def test_push_stands_on_the_outputs_page_of_an_exporter_only(
    panel, maker, window, session, recorded_run, qtbot
) -> None:
    from studio.docks.outputs_page import OutputsWidget

    session.set_focus(RUN)
    qtbot.waitUntil(lambda: len(session.focus.fold.nodes) > 1)
    one, other = list(session.focus.fold.nodes)[:2]
    session.document.open(recorded_run / "graph.json", as_copy=True)
    write_export(session.workspace, RUN, one, "Starry")
    page = OutputsWidget(session)
    qtbot.addWidget(page)
    page.show()
    session.selection.set([other])
    session.set_focus(RUN)
    page.refresh()
    assert not page.push.isVisible()
    session.selection.set([one])
    page.refresh()
    assert page.push.isVisible()
    QTest.mouseClick(page.push, Qt.MouseButton.LeftButton)
    assert [push.node for push in maker.last.of(wire.Push)] == [one]


def test_the_menu_of_an_exporter_offers_to_push(
    panel, window, session, recorded_run, qtbot
) -> None:
    from studio.context_menu import context_menu

    session.document.open(recorded_run / "graph.json", as_copy=True)
    session.set_focus(RUN)
    qtbot.waitUntil(lambda: bool(session.focus.fold.nodes))
    nodes = session.document.graph.nodes
    exporter = next(name for name, node in nodes.items() if node.type == "export.onnx")
    source = next(name for name, node in nodes.items() if node.type.startswith("data."))
    for name, has in ((exporter, True), (source, False)):
        session.selection.set([name])
        menu = context_menu(window, {"kind": "node"})
        texts = [action.text() for action in menu.actions()]
        assert ("Push to the phone" in texts) is has
        menu.deleteLater()


def test_remove_and_benchmark_reach_the_phone(live, maker, window) -> None:
    window.act("phone_benchmark")
    (wish,) = maker.last.told(say.BenchWish)
    assert wish.id == "starry"
    window.act("phone_remove")
    assert [drop.id for drop in maker.last.of(wire.Drop)] == ["starry"]
    assert live.phone.state.edits == {}


def test_actions_without_a_phone_say_why(panel, window) -> None:
    window.act("phone_benchmark")
    assert "no phone is connected" in window.toasts.toasts[-1].text
    window.act("phone_follow")
    assert "no training" in window.toasts.toasts[-1].text


def test_forget_all_asks_once(live, maker, window) -> None:
    window.act("phone_forget_all")
    assert maker.last.of(wire.Forget) == []
    buttons = window.questions.findChildren(type(live.card.forget))
    button = next(one for one in buttons if one.text() == "Forget them")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert [one.device for one in maker.last.of(wire.Forget)] == [None]


def test_a_thumbnail_switches_the_phone_to_that_edit(live, maker) -> None:
    live.phone.push(edit("Poster"))
    maker.last.says(ready("poster"))
    live.live.grab()
    spot = live.live._spots["starry"].center().toPoint()
    QTest.mouseClick(live.live, Qt.MouseButton.LeftButton, pos=QPoint(spot))
    last = maker.last.of(wire.Push)[-1]
    assert (last.id, last.show) == ("starry", True)


def test_what_the_phone_says_becomes_a_note_of_the_run(
    live, maker, window, session, recorded_run, qtbot
) -> None:
    session.runner.index.refresh()
    qtbot.waitUntil(lambda: session.runner.index.row(RUN) is not None)
    session.runner.index.set_note(RUN, "mine")
    live.phone.push(edit(epoch=12, run=str(recorded_run)))
    maker.last.says(say.Note(id="starry", thumb="up", text="Edges of the cup flicker."))
    toast = window.toasts.toasts[-1]
    assert toast.text == "From the phone"
    assert toast.detail == "\u201cEdges of the cup flicker.\u201d Saved as a note on epoch 12."
    note = json.loads((recorded_run / "studio.json").read_text())["note"]
    assert note == "mine\nStarry, epoch 12: Edges of the cup flicker. (thumbs up)"
    card = window.dock_widget("edits").remark
    assert card.isVisible()
    assert "Saved as a note on epoch 12." in card.words.text()


def test_a_benchmark_appears_in_the_runs_table(live, maker, window, session, recorded_run, qtbot):
    window.set_workspace("Compare")
    window.show_dock("runs")
    runs = window.dock_widget("runs")
    qtbot.waitUntil(lambda: runs.model.total == 1)
    assert "phone" not in runs.model.columns
    live.phone.push(edit(run=str(recorded_run)))
    record = {"at": 1.0, "device": "Pixel 7", **bench(("wasm-4", 38.0)).model_dump()}
    (recorded_run / "phone.jsonl").write_text(json.dumps(record) + "\n")
    maker.last.says(bench(("wasm-4", 38.0)))
    qtbot.waitUntil(lambda: "phone" in runs.model.columns, timeout=8000)
    column = runs.model.columns.index("phone")
    assert runs.model.headerData(column, Qt.Orientation.Horizontal) == "Phone ms"
    assert runs.model.index(0, column).data() == "38.0"
    assert runs.model.is_number("phone")


# -- following a training --------------------------------------------------------------------------


def follows(session, tmp_path: Path, script: str) -> None:
    fake = tmp_path / "follow.py"
    fake.write_text(script)
    phone_of(session).follower._command = [sys.executable, "-u", str(fake), str(tmp_path)]


FOLLOW = """
import json, pathlib, shutil, sys
folder = pathlib.Path(sys.argv[1]) / "artefact"
print("a word of a library")
for epoch in (1, 2, 3):
    line = {"artifact": str(folder), "step": epoch, "epoch": epoch, "weights": "w", "graph": "g"}
    print(json.dumps(line), flush=True)
print(json.dumps({"finished": True}), flush=True)
"""


def test_following_pushes_every_epoch_under_one_id(
    live, maker, session, recorded_run, tmp_path, qtbot
) -> None:
    from tests.studio.phone_parts import write_artefact

    write_artefact(tmp_path / "artefact", "Starry")
    follows(session, tmp_path, FOLLOW)
    live.phone.follow(RUN, "train")
    qtbot.waitUntil(lambda: not live.phone.follower.is_running, timeout=8000)
    pushes = [push for push in maker.last.of(wire.Push) if push.following]
    assert [push.note for push in pushes] == [f"following, epoch {n}" for n in (1, 2, 3)]
    assert {push.id for push in pushes} == {ID}
    assert {push.run for push in pushes} == {str(recorded_run)}
    known = live.phone.state.edits[ID]
    assert not known.following, "the training has ended"
    maker.last.says(ready(ID))
    assert live.phone.device.swaps[-1].words == "epoch 3 swapped in"


def test_following_that_breaks_is_told_and_the_window_goes_on(
    live, session, recorded_run, tmp_path, qtbot, window
) -> None:
    follows(session, tmp_path, "import sys; sys.exit('The run is gone.')")
    live.phone.follow(RUN, "train")
    qtbot.waitUntil(lambda: not live.phone.follower.is_running, timeout=8000)
    assert "The run is gone." in window.toasts.toasts[-1].text


def test_the_switch_follows_the_training_that_is_shown_and_lets_go(
    live, session, window, recorded_run, tmp_path, qtbot
) -> None:
    from backend.core import events as ev

    run = Run(recorded_run)
    run.append(ev.Snapshot(node="train", path="nodes/train/epoch", step=1, seq=10**6))
    run.close()
    session.set_focus(RUN)
    qtbot.waitUntil(lambda: "train" in session.focus.fold.snapshots, timeout=8000)
    follows(session, tmp_path, "import sys; sys.stdin.read()")
    row = window.phone_row
    row.refresh()
    assert row.follow.isEnabled()
    QTest.mouseClick(row.follow, Qt.MouseButton.LeftButton)
    assert live.phone.follower.is_running
    assert (live.phone.follower.run, live.phone.follower.node) == (RUN, "train")
    QTest.mouseClick(row.follow, Qt.MouseButton.LeftButton)
    assert not live.phone.follower.is_running


def test_the_palette_and_the_menu_know_the_actions(window) -> None:
    from studio.actions import ACTIONS, MENUS

    assert "Device" in MENUS
    ids = [action.id for action in ACTIONS if action.menu == "Device"]
    assert ids == [
        "phone_pair",
        "phone_show",
        "phone_push",
        "phone_follow",
        "phone_benchmark",
        "phone_remove",
        "phone_forget_all",
    ]
    assert QApplication.instance() is not None
    assert window.actions_by_id["workspace_phone"].shortcut().toString() == "Alt+3"
