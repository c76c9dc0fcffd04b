"""The shell: one table of actions, pages, questions, titles, layouts, what is dropped."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QPushButton, QWidget

from backend.core.graph import Graph
from studio import reasons
from studio.actions import ACTIONS, BY_ID, MENUS
from studio.drop_plan import what_happens
from studio.theme import theme

PIPELINE = Path(__file__).parents[2] / "assets" / "pipelines" / "quantize_classifier.json"


def saved(tmp_path: Path, name: str = "small") -> Path:
    graph = Graph(name=name)
    graph.add("data.fashion_mnist", at=(0, 0))
    graph.add("model.resnet", at=(240, 0))
    path = tmp_path / f"{name}.json"
    graph.save(path)
    return path


# -- the table -----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_leads_to_a_deed_and_a_reason(action) -> None:
    module, _, function = action.do.partition(":")
    assert callable(getattr(import_module(f"studio.deeds.{module}"), function))
    assert not action.why_not or action.why_not in reasons._REASONS
    assert not action.menu or action.menu.partition("/")[0] in MENUS


def test_ids_and_shortcuts_are_unique() -> None:
    assert len(BY_ID) == len(ACTIONS)
    keys = [a.shortcut for a in ACTIONS if a.shortcut]
    assert len(keys) == len(set(keys))
    assert all(not QKeySequence(key).isEmpty() for key in keys)


def test_menus_hold_every_action_of_the_table(window) -> None:
    held = set()
    for menu in window.menus._menus.values():
        held |= {action.objectName() for action in menu.actions()}
    assert {action.id for action in ACTIONS if action.menu} <= held


def test_an_action_that_cannot_be_done_says_why(window) -> None:
    told = []
    window.session.told.connect(told.append)
    window.act("undo")
    assert told[-1].text == "Undo: no graph is open"
    window.act("new")
    window.act("undo")
    assert told[-1].text == "Undo: nothing to undo"
    assert not window.actions_by_id["undo"].isEnabled()
    assert window.actions_by_id["undo"].toolTip() == "Undo (Ctrl+Z): nothing to undo"


def test_a_click_on_run_says_what_is_wrong(window, qtbot) -> None:
    told = []
    window.session.told.connect(told.append)
    window.act("new")
    window.session.document.add("train.classifier", (0, 0))
    window.session.document.validate()
    window.refresh()
    qtbot.mouseClick(window.tool_row.run, Qt.MouseButton.LeftButton)
    assert told[-1].text.startswith("Run all: ")
    assert "model" in told[-1].text
    assert told[-1].text.removeprefix("Run all: ") in window.tool_row.run.toolTip()
    assert not list(window.session.workspace.runs.glob("*"))


# -- pages and documents ---------------------------------------------------------------------------


def test_welcome_card_opens_its_graph(window, qtbot) -> None:
    from studio.docks.example_card import ExampleCard

    assert not window.shows_graph
    card = window.findChildren(ExampleCard)[0]
    qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    assert window.shows_graph
    assert len(window.session.document.graph.nodes) == 13
    assert window.session.document.path is None, "an example is never written over"
    assert not window.session.document.is_modified
    assert all(not f.isHidden() for n, f in window.frames.items() if n in ("nodes", "curves"))


def test_title_shows_name_and_mark(window, tmp_path) -> None:
    window.act("open_file", path=saved(tmp_path))
    window.refresh()
    assert "small" in window.windowTitle()
    assert not window.isWindowModified()
    window.session.document.set("resnet", depth=20)
    window.refresh()
    assert window.isWindowModified()
    window.session.document.move({"resnet": (500.0, 0.0)})
    window.act("save")
    window.refresh()
    assert "small" in window.windowTitle()
    assert not window.isWindowModified()
    assert Graph.load(tmp_path / "small.json").nodes["resnet"].params["depth"] == 20
    window.session.document.move({"resnet": (700.0, 0.0)})
    window.refresh()
    assert not window.isWindowModified(), "moving alone does not nag"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{", "truncated"),
        ('{"format": "something else"}', "fretsaw.graph"),
        ('{"format": "fretsaw.graph", "schema_version": 99, "nodes": {}}', "newer"),
    ],
)
def test_a_bad_file_is_told_and_nothing_is_lost(window, tmp_path, content, word) -> None:
    window.act("open_file", path=saved(tmp_path))
    bad = tmp_path / "bad.json"
    bad.write_text(content)
    told = []
    window.session.told.connect(told.append)
    window.act("open_file", path=bad)
    assert told[-1].kind == "bad"
    assert word in told[-1].text
    assert "Traceback" not in told[-1].text
    assert list(window.session.document.graph.nodes) == ["fashion_mnist", "resnet"]
    window.act("open_file", path=tmp_path / "nowhere.json")
    assert "nowhere.json" in told[-1].text
    assert bad.read_text() == content


def test_recent_menu_stays_sane_when_a_file_vanishes(window, tmp_path) -> None:
    path = saved(tmp_path)
    window.act("open_file", path=path)
    path.unlink()
    window.menus.fill_recent()
    entry = window.menus.recent.actions()[0]
    assert "no longer there" in entry.text()
    assert not entry.isEnabled()
    window.recent.clear()
    window.menus.fill_recent()
    assert window.menus.recent.actions()[0].text() == "No recent graphs"


def test_presets_are_one_step(window) -> None:
    window.act("open_pipeline", path=str(PIPELINE))
    document = window.session.document
    before = document.graph.to_json()
    window.menus.fill_presets()
    assert [a.text() for a in window.menus.presets.actions()] == ["Tiny", "Full"]
    window.menus.presets.actions()[0].trigger()
    assert document.graph.nodes["net"].params["width"] == 4
    document.stack.undo()
    assert document.graph.to_json() == before


# -- closing ---------------------------------------------------------------------------------------


def test_closing_asks_once(window, qtbot, tmp_path) -> None:
    window.act("open_file", path=saved(tmp_path))
    window.session.document.set("resnet", depth=32)
    assert not window.close()
    buttons = window.questions.buttons()
    assert set(buttons) == {"Save", "Close without saving", "Cancel"}
    qtbot.mouseClick(buttons["Cancel"], Qt.MouseButton.LeftButton)
    assert window.isVisible()
    window.close()
    qtbot.mouseClick(window.questions.buttons()["Save"], Qt.MouseButton.LeftButton)
    assert not window.isVisible()
    assert Graph.load(tmp_path / "small.json").nodes["resnet"].params["depth"] == 32


def test_escape_leaves_all_as_it_is(window, qtbot, tmp_path) -> None:
    window.act("open_file", path=saved(tmp_path))
    window.session.document.set("resnet", depth=32)
    window.close()
    qtbot.keyClick(window.questions, Qt.Key.Key_Escape)
    assert window.isVisible()
    assert not window.questions.isVisible()
    assert window.session.document.is_modified


# -- looks and layouts -----------------------------------------------------------------------------


def test_theme_and_text_size_by_action(window) -> None:
    window.act("theme_light")
    assert not theme().is_dark
    window.act("text_130")
    assert theme().px(100) == 130
    assert window.menu_row.height() == theme().px(36)
    window.act("theme_dark")
    window.act("text_100")


def test_workspaces_are_remembered(window, workspace) -> None:
    window.act("new")
    window.set_workspace("Compare")
    assert not window.frames["compare"].isHidden()
    window.frames["log"].hide()
    window.set_workspace("Graph")
    assert window.frames["compare"].isHidden()
    window.set_workspace("Compare")
    assert window.frames["log"].isHidden()
    window.act("reset_layout")
    assert not window.frames["log"].isHidden()
    window.layouts.save()
    kept = json.loads((workspace.root / "studio" / "layouts.json").read_text())
    assert {"Graph", "geometry"} <= set(kept)


def test_a_damaged_layout_does_not_stand_in_the_way(workspace, recorded_catalog, qtbot) -> None:
    from studio.main_window import MainWindow
    from studio.session import Session

    path = workspace.root / "studio" / "layouts.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"Graph": "bm90IGEgbGF5b3V0", "geometry": "!!"}')
    made = MainWindow(Session(workspace, recorded_catalog))
    made.show()
    made.act("new")
    assert not made.frames["nodes"].isHidden()
    made.close_without_asking()
    made.deleteLater()


def test_every_dock_opens_and_says_something_when_empty(window) -> None:
    window.act("new")
    told = []
    window.session.told.connect(told.append)
    for name in window.frames:
        window.show_dock(name)
        assert window.frames[name].content is not None, name
        assert window.frames[name].content.accessibleName() or window.frames[name].accessibleName()
    assert not [message for message in told if message.kind == "bad"]


def test_every_control_has_a_name(window) -> None:
    window.act("open_pipeline", path=str(PIPELINE))
    window.session.selection.set(["f8net"])
    nameless = [
        widget
        for widget in window.findChildren(QWidget)
        if isinstance(widget, QPushButton)
        and widget.isVisible()
        and not (widget.text().strip() or widget.accessibleName() or widget.toolTip())
    ]
    assert not nameless


# -- dropping --------------------------------------------------------------------------------------


def test_dropping_a_graph_opens_it(window, tmp_path) -> None:
    window.act("drop", plan=what_happens([saved(tmp_path)]))
    assert window.session.document.name == "small"


def test_dropping_a_folder_of_pictures_adds_a_node(window, tmp_path) -> None:
    from PIL import Image

    for label in ("cats", "dogs"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "pets" / label / "a.png")
    window.act("new")
    window.act("drop", plan=what_happens([tmp_path / "pets"]))
    node = window.session.document.graph.nodes["image_folder"]
    assert node.params["folder"] == str(tmp_path / "pets")


def test_dropping_a_run_shows_it(window, recorded_run) -> None:
    window.act("drop", plan=what_happens([recorded_run]))
    assert window.session.focus.name == recorded_run.name
    assert window.shows_graph


# -- what is seen ----------------------------------------------------------------------------------


def test_a_window_that_nobody_sees_follows_slowly(window, monkeypatch) -> None:
    said: list[bool] = []
    monkeypatch.setattr(window.session.runner, "set_visible", said.append)
    window.hide()
    window.show()
    window.showMinimized()
    window.showNormal()
    assert said == [False, True, False, True]


def test_the_palette_goes_when_the_workspace_changes(window) -> None:
    from studio.command_palette import CommandPalette

    window.show_graph()
    window.open_palette("run")
    (palette,) = window.findChildren(CommandPalette)
    assert palette.isVisible()
    window.set_workspace("Compare")
    assert not palette.isVisible()
    window.set_workspace("Graph")


def test_events_that_cannot_be_read_are_told_once(window) -> None:
    told: list = []
    window.session.told.connect(told.append)
    for _ in range(2):
        window.display._tell_trouble("a run", "The events cannot be read.")
    assert [message.text for message in told] == ["The events cannot be read."]
    window.display._tell_trouble("another", "The events cannot be read.")
    assert len(told) == 2
