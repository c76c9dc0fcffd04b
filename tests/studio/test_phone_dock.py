"""The Phone panel in the window: when the bridge runs, and how a phone is paired."""

from __future__ import annotations

import sys
import time

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest

from device_bridge import wire
from studio.phone import phone as phones
from tests.studio.phone_parts import HOST

# -- the process and the panel ---------------------------------------------------------------------


def test_the_bridge_starts_with_the_panel_and_ends_with_it(bridges, window, qtbot) -> None:
    assert bridges.made == [], "nothing runs before the panel was opened"
    window.set_workspace("Phone")
    qtbot.waitUntil(lambda: len(bridges.made) == 1)
    bridge = bridges.last
    assert bridge.is_started
    assert bridge.sent == [], "and it listens to nobody yet"
    window.set_workspace("Graph")
    qtbot.waitUntil(lambda: bridge.is_closed)


def test_a_connected_phone_keeps_the_panel_as_a_tab(live_phone, window, bridges, qtbot) -> None:
    window.set_workspace("Graph")
    QTest.qWait(20)
    assert not bridges.last.is_closed
    assert not window.frames["phone"].isHidden()
    window.frames["phone"].close()
    qtbot.waitUntil(lambda: bridges.last.is_closed)
    assert live_phone.phone.device is None


def test_closing_the_window_ends_the_bridge(session, bridges, qtbot) -> None:
    from studio.main_window import MainWindow

    window = MainWindow(session)
    window.resize(1400, 900)
    window.show()
    qtbot.waitExposed(window)
    window.set_workspace("Phone")
    qtbot.waitUntil(lambda: len(bridges.made) == 1)
    window.close_without_asking()
    assert bridges.last.is_closed
    window.deleteLater()


def test_the_workspace_gives_the_canvas_room_to_the_docks(phone_panel, window) -> None:
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


def test_an_empty_panel_says_so_and_offers_to_pair(phone_panel, bridges) -> None:
    assert phone_panel.empty.isVisible()
    assert phone_panel.empty.label.text() == "No phone yet."
    QTest.mouseClick(phone_panel.empty.button, Qt.MouseButton.LeftButton)
    assert phone_panel.pairing.isVisible()
    assert [command.host for command in bridges.last.of(wire.Listen)] == [HOST]
    assert phone_panel.pairing.qr.text.endswith("#t=TOKEN")


def test_a_crash_is_told_in_words_and_the_bridge_can_be_restarted(
    live_phone, bridges, window
) -> None:
    bridges.last.on_end("The phone bridge ended by itself (code -9).")
    assert live_phone.empty.isVisible()
    assert "ended by itself" in live_phone.empty.label.text()
    assert window.toasts.toasts[-1].kind == "bad"
    assert live_phone.phone.device is None
    QTest.mouseClick(live_phone.empty.button, Qt.MouseButton.LeftButton)
    assert len(bridges.made) == 2
    assert [push.id for push in bridges.last.of(wire.Push)] == ["starry"], "edits are pushed again"
    assert live_phone.pairing.isVisible()


def test_a_bridge_that_cannot_start_is_a_sentence_not_a_traceback(bridges, window, qtbot) -> None:
    bridges.refuses = True
    window.set_workspace("Phone")
    qtbot.waitUntil(lambda: bool(window.toasts.toasts))
    assert "cannot be started" in window.toasts.toasts[-1].text
    assert window.isVisible()


# -- pairing ---------------------------------------------------------------------------------------


def test_code_life_and_network_are_shown_and_a_new_code_can_be_made(phone_panel, bridges) -> None:
    phone_panel.show_pairing()
    card = phone_panel.pairing
    assert card.code.text() == "K7F 42Q"
    assert card.left.text() == "120 s left"
    assert 0.98 < card.life.share <= 1.0
    assert card.network.currentText() == f"Wi-Fi, {HOST}"
    assert "ABAB ABAB" in card.help.text(), "the fingerprint, to compare"
    assert not card.renew.isVisible()
    phone_panel.phone.state.token = phone_panel.phone.state.token.model_copy(
        update={"expires": time.time() - 1}
    )
    card.refresh()
    assert card.qr.is_stale
    assert card.code.text() == ""
    assert card.renew.isVisible()
    QTest.mouseClick(card.renew, Qt.MouseButton.LeftButton)
    assert len(bridges.last.of(wire.Pair)) == 2
    assert not card.qr.is_stale


def test_another_network_moves_the_server(phone_panel, bridges) -> None:
    phone_panel.show_pairing()
    phone_panel.pairing.network.setCurrentIndex(1)
    assert [one.host for one in bridges.last.of(wire.Listen)] == [HOST, "172.17.0.1"]
    assert len(bridges.last.of(wire.Pair)) == 2


def test_the_qr_code_is_white_with_a_quiet_zone_in_both_themes(phone_panel, session, qtbot) -> None:
    for mode in ("dark", "light"):
        session.settings.set(theme=mode)
        phone_panel.show_pairing()
        qr = phone_panel.pairing.qr
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


def test_a_device_is_let_in_only_by_a_click(phone_panel, bridges) -> None:
    phone_panel.show_pairing()
    bridges.last.on_event(wire.Asks(device="d1", name="Pixel 7", address="192.168.1.40"))
    question = phone_panel.pairing.question
    assert question.isVisible()
    assert "Pixel 7 at 192.168.1.40" in question.label.text()
    assert bridges.last.of(wire.Answer) == []
    QTest.mouseClick(question.allow, Qt.MouseButton.LeftButton)
    assert [(a.device, a.allow) for a in bridges.last.of(wire.Answer)] == [("d1", True)]
    assert not question.isVisible()
    bridges.last.on_event(wire.Asks(device="d2", name="", address="192.168.1.66"))
    QTest.mouseClick(question.refuse, Qt.MouseButton.LeftButton)
    assert [(a.device, a.allow) for a in bridges.last.of(wire.Answer)][-1] == ("d2", False)


def test_a_name_of_a_device_is_never_read_as_html(phone_panel, bridges) -> None:
    phone_panel.show_pairing()
    bridges.last.on_event(wire.Asks(device="d1", name="<b>x</b>", address="1.2.3.4"))
    label = phone_panel.pairing.question.label
    assert label.textFormat() == Qt.TextFormat.PlainText
    assert "<b>x</b>" in label.text()


def test_the_failing_step_has_its_fix(phone_panel, bridges) -> None:
    phone_panel.show_pairing()
    bridges.last.on_event(
        wire.Trouble(text="Not trusted.", remedy="Proceed.", command="certificate")
    )
    shown = {step.name: step for step in phone_panel.pairing.list.shown}
    assert shown["certificate"].state == "failed"
    row = next(row for row in phone_panel.pairing.list._rows if row.key == "certificate")
    QTest.mouseClick(row.fix, Qt.MouseButton.LeftButton)
    assert phone_panel.pairing.help.text() == "Proceed."


def test_no_network_is_said_with_a_remedy(phone_panel, bridges, monkeypatch) -> None:
    monkeypatch.setattr(phones, "networks", list)
    phone_panel.show_pairing()
    assert bridges.last.of(wire.Listen) == []
    assert "on no network" in phone_panel.pairing.help.text()


def test_usb_lists_phones_with_what_each_needs_and_connects_one(
    phone_panel, bridges, qtbot, tmp_path
) -> None:
    fake = tmp_path / "adb.py"
    fake.write_text(FAKE_ADB)
    usb = phone_panel.phone.usb
    usb._command = [sys.executable, str(fake), str(tmp_path / "log")]
    phone_panel.show_pairing()
    phone_panel.pairing._route_chosen("usb")
    page = phone_panel.pairing.usb
    qtbot.waitUntil(lambda: len(page.rows) == 2, timeout=8000)
    assert [row.button.isHidden() for row in page.rows] == [False, True]
    qtbot.waitUntil(page.rows[0].button.isVisible)
    assert "Accept the question" in page.rows[1].accessibleName()
    assert [one.host for one in bridges.last.of(wire.Listen)][-1] == "127.0.0.1"
    QTest.mouseClick(page.rows[0].button, Qt.MouseButton.LeftButton)
    log = tmp_path / "log"
    opens = "open ABC http://localhost:7777/#t=TOKEN"
    qtbot.waitUntil(lambda: log.exists() and opens in log.read_text(), timeout=8000)
    assert "reverse ABC 4444" in log.read_text()
    pair = bridges.last.of(wire.Pair)[-1]
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
