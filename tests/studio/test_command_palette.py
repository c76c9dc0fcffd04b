"""The command palette: what matches, what a key does, and that 5,000 entries stay usable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QLineEdit, QMainWindow, QMenu

from studio.command_palette import CommandPalette, Entry
from studio.palette_list import Heading, Hit, rows_for
from studio.palette_match import match
from studio.theme import theme


def entry(text: str, group: str = "Actions", **more) -> Entry:
    return Entry(group, text, "play", more.pop("run", lambda: None), **more)


def texts(rows) -> list[str]:
    return [row.text if isinstance(row, Heading) else row.entry.text for row in rows]


def lettered(query: str, text: str) -> str:
    found = match(query, text)
    assert found is not None
    return "".join(text[i] for i in sorted(found.places))


# -- matching --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "text", "letters"),
    [
        ("run", "Run all", "Run"),
        ("run", "Rerun failed nodes", "run"),
        ("ztf", "Zoom to fit", "Ztf"),
        ("fit zoom", "Zoom to fit", "Zoomfit"),
        ("cmpr", "Compare runs", "Cmpr"),
        ("here", "Run to here: F8Net", "here"),
        ("", "Anything", ""),
    ],
)
def test_letters_that_match(query, text, letters):
    assert lettered(query, text) == letters


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("xyz", "Run all"),
        ("llarun", "Run all"),
        ("q", "Run all"),
        ("run xyz", "Run all"),
        ("run", "Distribute down"),
    ],
)
def test_what_does_not_match(query, text):
    assert match(query, text) is None


def test_better_places_score_higher():
    order = ["Run all", "Stop run", "Rerun failed", "Round up numbers"]
    scores = [match("run", text).score for text in order]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 4


def test_keywords_match_without_letters():
    found = match("appearance", "Dark", "theme colour appearance")
    assert found is not None
    assert not found.places
    assert found.score < match("dark", "Dark").score


@given(st.text(max_size=30), st.text(max_size=8))
def test_matching_never_fails_and_marks_letters_of_the_text(text, query):
    found = match(query, text)
    if found is not None:
        assert all(0 <= place < len(text) for place in found.places)


@given(st.text(alphabet="abc XYZ", min_size=1, max_size=20), st.data())
def test_any_part_of_a_text_finds_it(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    assert match(text[start:end], text) is not None


# -- groups ----------------------------------------------------------------------------------------


def test_groups_stand_in_order_and_the_better_group_comes_first():
    entries = [entry("Run f8net", "Runs"), entry("Run all"), entry("F8Net", "Nodes")]
    assert texts(rows_for("run", entries)) == ["Actions", "Run all", "Runs", "Run f8net"]
    assert texts(rows_for("f8net", entries))[:2] == ["Nodes", "F8Net"]
    assert texts(rows_for("", entries)) == [
        "Actions",
        "Run all",
        "Nodes",
        "F8Net",
        "Runs",
        "Run f8net",
    ]


def test_prefixes_narrow_to_a_group():
    entries = [entry("Train"), entry("Train", "Nodes"), entry("Training threads", "Settings")]
    assert texts(rows_for("#tr", entries)) == ["Nodes", "Train"]
    assert texts(rows_for(": tr", entries)) == ["Settings", "Training threads"]
    assert texts(rows_for("#", entries)) == ["Nodes", "Train"]


def test_a_long_group_says_how_many_it_leaves_out():
    entries = [entry(f"Node {i}", "Nodes") for i in range(1500)] + [entry("Node finder")]
    rows = rows_for("node", entries)
    heading = next(row for row in rows if isinstance(row, Heading) and row.text == "Nodes")
    assert heading.note == "8 of 1,500"
    alone = rows_for("#node", entries)
    assert alone[0].note == "200 of 1,500"
    assert len(alone) == 201


# -- the widget ------------------------------------------------------------------------------------


@pytest.fixture
def window(qtbot):
    made = QMainWindow()
    qtbot.addWidget(made)
    field = QLineEdit()
    made.setCentralWidget(field)
    made.resize(1000, 700)
    with qtbot.waitActive(made):
        made.show()
        made.activateWindow()
    field.setFocus()
    return made


@pytest.fixture
def done() -> list[str]:
    return []


@pytest.fixture
def palette(window, done):
    entries = [
        entry("Run all", shortcut="Ctrl+R", run=lambda: done.append("all"), where="Run > Run all"),
        entry("Rerun failed nodes", disabled_why="no failed node", run=lambda: done.append("bad")),
        entry("Stop run", run=lambda: done.append("stop")),
        entry("Train", "Nodes", run=lambda: done.append("train"), where="Nodes > Train"),
    ]
    made = CommandPalette(window)
    made.open([lambda: entries[:3], lambda: entries[3:]])
    return made


def test_typing_and_enter_do_it_and_give_the_keyboard_back(qtbot, window, palette, done):
    assert palette.field.hasFocus()
    qtbot.keyClicks(palette.field, "stop")
    assert palette.picked().text == "Stop run"
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert done == ["stop"]
    assert palette.isHidden()
    assert window.centralWidget().hasFocus()


def test_arrows_go_over_headings_and_round(qtbot, palette):
    seen = []
    for _ in range(5):
        seen.append(palette.picked().text)
        qtbot.keyClick(palette.field, Qt.Key.Key_Down)
    assert seen == ["Run all", "Rerun failed nodes", "Stop run", "Train", "Run all"]
    qtbot.keyClick(palette.field, Qt.Key.Key_Up)
    qtbot.keyClick(palette.field, Qt.Key.Key_Up)
    assert palette.picked().text == "Train"
    qtbot.keyClick(palette.field, Qt.Key.Key_PageUp)
    assert palette.picked().text == "Run all"


def test_a_disabled_entry_stays_and_says_why(qtbot, palette, done):
    qtbot.keyClicks(palette.field, "rerun")
    assert palette.picked().text == "Rerun failed nodes"
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert done == []
    assert palette.isVisible()
    assert palette.foot.sentence == "Rerun failed nodes: no failed node"


def test_enabled_entries_are_picked_before_disabled_ones(palette, window):
    palette.set_text("run")
    assert palette.picked().text == "Run all"
    blocked = entry("Run", disabled_why="no graph is open")
    other = CommandPalette(window)
    other.open([lambda: [blocked, entry("Rerun")]])
    other.set_text("run")
    assert other.picked().text == "Rerun"


def test_escape_and_a_click_beside_close(qtbot, window, palette, done):
    qtbot.keyClick(palette.field, Qt.Key.Key_Escape)
    assert palette.isHidden()
    again = CommandPalette(window)
    again.open([lambda: [entry("One")]])
    qtbot.mouseClick(again, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert again.isHidden()
    assert done == []


def test_a_click_on_a_row_does_it(qtbot, palette, done):
    row = next(
        i
        for i, row in enumerate(palette.model.rows)
        if isinstance(row, Hit) and row.entry.text == "Train"
    )
    spot = palette.view.visualRect(palette.model.index(row, 0)).center()
    qtbot.mouseClick(palette.view.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert done == ["train"]


def test_control_enter_opens_the_menu_that_holds_the_entry(qtbot, window, palette, done):
    menu = window.menuBar().addMenu("&Run")
    action = menu.addAction("Run all")
    qtbot.keyClick(palette.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert menu.isVisible()
    assert menu.activeAction() is action
    assert done == []
    menu.hide()


def test_control_enter_says_where_when_there_is_no_menu(qtbot, palette):
    palette.set_text("train")
    qtbot.keyClick(palette.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert palette.foot.sentence == "Nodes > Train"
    palette.set_text("stop")
    palette.show_where()
    assert palette.foot.sentence == "Only in this list."


def test_the_window_s_shortcuts_sleep_while_typing(qtbot, window, palette):
    heard = []
    menu = QMenu("Graph", window)
    menu.addAction("Down", lambda: heard.append(1)).setShortcut("Down")
    window.menuBar().addMenu(menu)
    qtbot.keyClick(palette.field, Qt.Key.Key_Down)
    assert heard == []
    assert palette.picked().text == "Rerun failed nodes"


def test_nothing_found_is_said(palette):
    palette.set_text("zzzzqq")
    assert palette.picked() is None
    assert palette._empty.isVisible()
    assert "zzzzqq" in palette._empty.text()
    palette.do_it()
    palette.show_where()


def test_opening_again_replaces_the_open_one(window, palette):
    second = CommandPalette(window)
    second.open([lambda: [entry("One")]])
    assert palette.isHidden()
    assert second.field.hasFocus()


def test_it_stands_96_below_the_top_and_follows_the_window(palette, window):
    card = palette._card
    assert (card.y(), card.width()) == (96, 640)
    window.resize(500, 400)
    QApplication.processEvents()
    assert palette.geometry() == window.rect()
    assert card.width() == 500 - 32
    assert card.geometry().bottom() <= 400


def test_five_thousand_entries(window):
    entries = [entry(f"Layer prune {i}", "Nodes", detail="prune") for i in range(5000)]
    palette = CommandPalette(window)
    palette.open([lambda: entries])
    palette.set_text("prune 4999")
    assert palette.picked().text == "Layer prune 4999"
    palette.set_text("lpr")
    assert palette.model.rowCount() <= 201


def test_it_paints_matched_letters_in_blade(palette):
    palette.set_text("stop")
    blade = theme().color("blade").rgb()
    row = palette.view.visualRect(palette.model.index(1, 0))
    image = palette.view.viewport().grab(row).toImage()
    right_of_icon = range(40, image.width() // 2)
    assert any(image.pixel(x, y) == blade for x in right_of_icon for y in range(image.height()))
