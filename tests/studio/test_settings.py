"""Preferences: kept, mended, shown by the same form as node settings; shortcuts and conflicts."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest

from backend.core.errors import DocumentError
from backend.core.workspace import Workspace
from studio.actions import BY_ID
from studio.settings import Settings, SettingsStore
from studio.settings_window import PAGES, SettingsWindow, page_schema
from studio.shortcuts_page import conflict, listed


@pytest.fixture
def window(qtbot: Any, session: Any) -> SettingsWindow:
    made = SettingsWindow(session)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close()
    made.storage.close_down()


def file_of(workspace: Workspace) -> Path:
    return workspace.root / "studio" / "settings.json"


# -- the store ------------------------------------------------------------


def test_a_change_is_written_and_read_again(workspace: Workspace) -> None:
    SettingsStore(workspace).set(theme="light", text_scale=130)
    again = SettingsStore(workspace)
    assert (again.values.theme, again.values.text_scale) == ("light", 130)
    assert again.problem == ""


def test_changed_is_told_once_and_only_for_news(qtbot: Any, workspace: Workspace) -> None:
    store = SettingsStore(workspace)
    heard: list[int] = []
    store.changed.connect(lambda: heard.append(1))
    store.set(sound=True)
    store.set(sound=True)
    assert len(heard) == 1


@pytest.mark.parametrize(
    "fields", [{"text_scale": 400}, {"theme": "pink"}, {"no_such": 1}, {"backups": -1}]
)
def test_a_wrong_value_is_refused_and_nothing_changes(
    workspace: Workspace, fields: dict[str, Any]
) -> None:
    store = SettingsStore(workspace)
    before = store.values
    with pytest.raises(DocumentError, match=next(iter(fields))):
        store.set(**fields)
    assert store.values == before
    assert not file_of(workspace).exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{torn", "damaged"),
        ("[]", "damaged"),
        ('{"format": "other", "version": 1, "values": {}}', "damaged"),
        ('{"format": "fretsaw.settings", "version": 99, "values": {}}', "newer Fretsaw"),
        ("\x00\x01", "damaged"),
    ],
)
def test_a_file_that_cannot_be_used_is_kept_beside(
    workspace: Workspace, text: str, sentence: str
) -> None:
    path = file_of(workspace)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    store = SettingsStore(workspace)
    assert store.values == Settings()
    assert sentence in store.problem
    copies = list(path.parent.glob("settings-*.json"))
    assert [copy.read_text() for copy in copies] == [text]
    assert copies[0].name in store.problem


def test_one_bad_value_costs_that_value_alone(workspace: Workspace) -> None:
    path = file_of(workspace)
    path.parent.mkdir(parents=True)
    values = {"theme": "light", "text_scale": 999, "from_the_future": 1}
    data = {"format": "fretsaw.settings", "version": 1, "values": values}
    path.write_text(json.dumps(data))
    store = SettingsStore(workspace)
    assert (store.values.theme, store.values.text_scale) == ("light", 100)
    assert "Text size" in store.problem
    assert list(path.parent.glob("settings-*.json"))


def test_two_windows_keep_each_others_changes(workspace: Workspace) -> None:
    one, other = SettingsStore(workspace), SettingsStore(workspace)
    one.set(theme="light")
    other.set(sound=True)
    both = SettingsStore(workspace).values
    assert (both.theme, both.sound) == ("light", True)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind root")
def test_a_read_only_folder_is_told_and_the_setting_still_applies(workspace: Workspace) -> None:
    folder = file_of(workspace).parent
    folder.mkdir(parents=True)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        store = SettingsStore(workspace)
        store.set(sound=True)
        assert "could not be saved" in store.problem
        assert store.values.sound
    finally:
        folder.chmod(stat.S_IRWXU)


def test_a_folder_in_the_way_is_told_and_the_setting_still_applies(workspace: Workspace) -> None:
    workspace.root.joinpath("studio").write_text("a file where the folder should be")
    store = SettingsStore(workspace)
    heard: list[str] = []
    store.troubled.connect(heard.append)
    store.set(sound=True)
    assert store.values.sound
    assert len(heard) == 1
    assert "could not be saved" in heard[0]


# -- the window ------------------------------------------------------------


def test_every_setting_is_on_a_page() -> None:
    shown = {name for page in PAGES for name in page_schema(page)["properties"]}
    assert shown == set(Settings.model_fields)


def test_every_setting_says_what_it_is() -> None:
    for name, field in Settings.model_fields.items():
        assert field.title, name
        assert (field.description or "").endswith("."), name


def test_what_is_edited_applies_at_once(window: SettingsWindow, session: Any) -> None:
    window.show_page("Appearance")
    edit = window.forms["appearance"].row("text_scale").editor.edit
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, "115")
    assert session.settings.values.text_scale == 115
    from studio.theme import theme

    assert theme().scale == 1.15
    edit.selectAll()
    QTest.keyClicks(edit, "800")
    assert window.forms["appearance"].row("text_scale").error.startswith("At most 150 %.")
    assert session.settings.values.text_scale == 115


def test_a_setting_can_be_reset(window: SettingsWindow, session: Any) -> None:
    session.settings.set(backups=9)
    row = window.forms["files"].row("backups")
    assert row.is_changed
    window.show_page("files")
    QTest.mouseClick(row._button, Qt.MouseButton.LeftButton)
    assert session.settings.values.backups == 5
    assert not row.is_changed


def test_pages_are_found_by_title_and_by_setting(window: SettingsWindow) -> None:
    for title, _ in PAGES.values():
        window.show_page(title)
        assert window.list.currentItem().text() == title
    window.focus_field("threads")
    assert window.list.currentItem().text() == "Running"


def test_a_file_that_was_mended_is_told_in_the_window(
    qtbot: Any, session: Any, window: SettingsWindow
) -> None:
    assert window.trouble.isHidden()
    session.settings.troubled.emit("Settings could not be saved.")
    assert not window.trouble.isHidden()


# -- shortcuts ------------------------------------------------------------


def test_the_usual_keys_do_not_collide() -> None:
    for action in listed():
        taken = conflict(action.id, action.shortcut, {})
        assert taken is None, f"{action.id} and {taken.id if taken else ''}"


def test_new_keys_are_kept_and_the_usual_ones_come_back(
    window: SettingsWindow, session: Any
) -> None:
    window.show_page("Shortcuts")
    page = shortcuts_of(window)
    row = page.rows["save"]
    row.edit.setFocus()
    QTest.keyClick(row.edit, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    row.edit.editingFinished.emit()
    assert session.settings.values.shortcuts == {"save": "Ctrl+J"}
    QTest.mouseClick(row.reset, Qt.MouseButton.LeftButton)
    assert session.settings.values.shortcuts == {}
    assert row.edit.keySequence() == QKeySequence(BY_ID["save"].shortcut)


def test_keys_that_are_taken_are_told_and_not_given(window: SettingsWindow, session: Any) -> None:
    page = shortcuts_of(window)
    page.choose("save", BY_ID["open"].shortcut)
    assert session.settings.values.shortcuts == {}
    assert "belongs to Open" in page.trouble.text
    assert not page.trouble.isHidden()
    page.choose("open", "Ctrl+J")
    page.choose("save", BY_ID["open"].shortcut)
    assert session.settings.values.shortcuts == {"open": "Ctrl+J", "save": "Ctrl+O"}
    assert page.trouble.isHidden()


def test_keys_can_be_taken_away(window: SettingsWindow, session: Any) -> None:
    page = shortcuts_of(window)
    page.choose("save", "")
    assert session.settings.values.shortcuts == {"save": ""}
    assert page.rows["save"].edit.keySequence().isEmpty()


def test_actions_are_found_by_words_and_by_keys(window: SettingsWindow) -> None:
    page = shortcuts_of(window)
    page.search.setText("zoom fit")
    assert [id for id, row in page.rows.items() if not row.isHidden()] == ["fit"]
    page.search.setText("ctrl+s")
    assert "save" in [id for id, row in page.rows.items() if not row.isHidden()]


def shortcuts_of(window: SettingsWindow) -> Any:
    from studio.shortcuts_page import ShortcutsPage

    return window.findChild(ShortcutsPage)
