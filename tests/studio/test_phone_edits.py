"""Edits on the phone: pushing, following, notes, the actions; with a scripted bridge."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from backend.core.run import Run
from device_bridge import protocol as say
from device_bridge import wire
from studio.phone.phone import phone_of
from tests.studio.phone_parts import bench, edit, ready, write_export

RUN = "2026-11-24_09-00_quantize-classifier"
NAME, ID = "Quantize classifier", "quantize-classifier-starry"
"""An export of that run with the label "Starry": the user's name for the graph."""


# -- edits -----------------------------------------------------------------------------------------


def test_exports_are_listed_and_pushed_by_a_double_click(
    phone_panel, bridges, window, session, recorded_run, qtbot
) -> None:
    folder = write_export(session.workspace, RUN, "onnx", "Starry", epochs=20)
    edits = window.dock_widget("edits")
    edits.look()
    qtbot.waitUntil(lambda: [row.name for row in edits.model.rows] == [NAME])
    assert edits.model.words(edits.model.rows[0])[0] == "1 kB, not pushed"
    index = edits.model.index(0, 0)
    edits.view.activated.emit(index)
    (push,) = bridges.last.of(wire.Push)
    assert (push.folder, push.id, push.name, push.node) == (str(folder), ID, NAME, "onnx")
    assert Path(push.run) == recorded_run
    assert edits.model.words(edits.model.rows[0])[0] == "1 kB, waits for a phone"
    bridges.last.connects()
    bridges.last.says(say.FileProgress(id=ID, done=25, total=100_000))
    assert edits.model.words(edits.model.rows[0])[0].startswith("0 %")
    bridges.last.says(ready(ID))
    assert edits.model.words(edits.model.rows[0])[0] == "1 kB, on phone"
    assert not edits.view.grab().toImage().isNull()


def test_push_takes_what_the_run_exported_and_says_what_is_missing(
    phone_panel, bridges, window, session, recorded_run, qtbot
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
    assert [push.name for push in bridges.last.of(wire.Push)] == [NAME]
    assert "waits for a phone" in window.toasts.toasts[-1].text


def test_push_stands_on_the_outputs_page_of_an_exporter_only(
    phone_panel, bridges, window, session, recorded_run, qtbot
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
    assert [push.node for push in bridges.last.of(wire.Push)] == [one]


def test_the_menu_of_an_exporter_offers_to_push(
    phone_panel, window, session, recorded_run, qtbot
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


def test_remove_and_benchmark_reach_the_phone(live_phone, bridges, window) -> None:
    window.act("phone_benchmark")
    (wish,) = bridges.last.told(say.BenchWish)
    assert wish.id == "starry"
    window.act("phone_remove")
    assert [drop.id for drop in bridges.last.of(wire.Drop)] == ["starry"]
    assert live_phone.phone.state.edits == {}


def test_actions_without_a_phone_say_why(phone_panel, window) -> None:
    window.act("phone_benchmark")
    assert "no phone is connected" in window.toasts.toasts[-1].text
    window.act("phone_follow")
    assert "no training" in window.toasts.toasts[-1].text


def test_forget_all_asks_once(live_phone, bridges, window) -> None:
    window.act("phone_forget_all")
    assert bridges.last.of(wire.Forget) == []
    buttons = window.questions.findChildren(type(live_phone.card.forget))
    button = next(one for one in buttons if one.text() == "Forget them")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert [one.device for one in bridges.last.of(wire.Forget)] == [None]


def test_a_thumbnail_switches_the_phone_to_that_edit(live_phone, bridges) -> None:
    live_phone.phone.push(edit("Poster"))
    bridges.last.says(ready("poster"))
    live_phone.live.grab()
    spot = live_phone.live._spots["starry"].center().toPoint()
    QTest.mouseClick(live_phone.live, Qt.MouseButton.LeftButton, pos=QPoint(spot))
    last = bridges.last.of(wire.Push)[-1]
    assert (last.id, last.show) == ("starry", True)


def test_what_the_phone_says_becomes_a_note_of_the_run(
    live_phone, bridges, window, session, recorded_run, qtbot
) -> None:
    session.runner.index.refresh()
    qtbot.waitUntil(lambda: session.runner.index.row(RUN) is not None)
    session.runner.index.set_note(RUN, "mine")
    live_phone.phone.push(edit(epoch=12, run=str(recorded_run)))
    bridges.last.says(say.Note(id="starry", thumb="up", text="Edges of the cup flicker."))
    toast = window.toasts.toasts[-1]
    assert toast.text == "From the phone"
    assert toast.detail == "\u201cEdges of the cup flicker.\u201d Saved as a note on epoch 12."
    note = json.loads((recorded_run / "studio.json").read_text())["note"]
    assert note == "mine\nStarry, epoch 12: Edges of the cup flicker. (thumbs up)"
    card = window.dock_widget("edits").remark
    assert card.isVisible()
    assert "Saved as a note on epoch 12." in card.words.text()


def test_a_benchmark_appears_in_the_runs_table(
    live_phone, bridges, window, session, recorded_run, qtbot
):
    window.set_workspace("Compare")
    window.show_dock("runs")
    runs = window.dock_widget("runs")
    qtbot.waitUntil(lambda: runs.model.total == 1)
    assert "phone" not in runs.model.columns
    live_phone.phone.push(edit(run=str(recorded_run)))
    record = {"at": 1.0, "device": "Pixel 7", **bench(("wasm-4", 38.0)).model_dump()}
    (recorded_run / "phone.jsonl").write_text(json.dumps(record) + "\n")
    bridges.last.says(bench(("wasm-4", 38.0)))
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
    live_phone, bridges, session, recorded_run, tmp_path, qtbot
) -> None:
    from tests.studio.phone_parts import write_artefact

    write_artefact(tmp_path / "artefact", "Starry")
    follows(session, tmp_path, FOLLOW)
    live_phone.phone.follow(RUN, "train")
    qtbot.waitUntil(lambda: not live_phone.phone.follower.is_running, timeout=8000)
    pushes = [push for push in bridges.last.of(wire.Push) if push.following]
    assert [push.note for push in pushes] == [f"following, epoch {n}" for n in (1, 2, 3)]
    assert {push.id for push in pushes} == {ID}
    assert {push.run for push in pushes} == {str(recorded_run)}
    known = live_phone.phone.state.edits[ID]
    assert not known.following, "the training has ended"
    bridges.last.says(ready(ID))
    assert live_phone.phone.device.swaps[-1].words == "epoch 3 swapped in"


def test_following_that_breaks_is_told_and_the_window_goes_on(
    live_phone, session, recorded_run, tmp_path, qtbot, window
) -> None:
    follows(session, tmp_path, "import sys; sys.exit('The run is gone.')")
    live_phone.phone.follow(RUN, "train")
    qtbot.waitUntil(lambda: not live_phone.phone.follower.is_running, timeout=8000)
    assert "The run is gone." in window.toasts.toasts[-1].text


def test_the_switch_follows_the_training_that_is_shown_and_lets_go(
    live_phone, session, window, recorded_run, tmp_path, qtbot
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
    assert live_phone.phone.follower.is_running
    assert (live_phone.phone.follower.run, live_phone.phone.follower.node) == (RUN, "train")
    QTest.mouseClick(row.follow, Qt.MouseButton.LeftButton)
    assert not live_phone.phone.follower.is_running


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
    assert window.actions_by_id["workspace_phone"].shortcut().toString() == "Alt+3"
