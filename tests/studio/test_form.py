"""Forms made from schemas: what is typed, what is told, and what is kept."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QFontMetrics, QHelpEvent, QKeyEvent, QKeySequence, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from backend.core.schema import faults
from studio.fields import words
from studio.fields.choice import ComboEditor, SegmentEditor
from studio.fields.optional import OptionalEditor
from studio.fields.reading import UnreadableError, is_unfinished, read
from studio.fields.row import HEIGHT
from studio.fields.spec import field_of, fields_of
from studio.fields.text import TextEditor
from studio.fields.tip import FieldTip, paper_link
from studio.form import LABEL_WIDTH, Form

CATALOG = json.loads((Path(__file__).parent.parent / "data" / "catalog.json").read_text())["nodes"]
F8NET = CATALOG["quantize.f8net"]["params"]
NUMBER = {"type": "number", "exclusiveMinimum": 0, "maximum": 10, "default": 0.02}
COUNT = {"type": "integer", "minimum": 1, "default": 128, "title": "Batch"}


def spec(entry: dict[str, Any], name: str = "x") -> Any:
    return field_of(name, entry, {})


class Heard:
    """Collects what a form tells."""

    def __init__(self, form: Form) -> None:
        self.changes: list[tuple[str, Any]] = []
        self.resets: list[str] = []
        form.changed.connect(self.change)
        form.reset.connect(self.resets.append)

    def change(self, name: str, value: Any) -> None:
        self.changes.append((name, value))


def shown(qtbot: Any, schema: dict[str, Any], **values: Any) -> tuple[Form, Heard]:
    form = Form(schema)
    qtbot.addWidget(form)
    form.set_values(values)
    form.resize(304, form.sizeHint().height())
    form.show()
    qtbot.waitExposed(form)
    form.activateWindow()
    return form, Heard(form)


def typed(form: Form, name: str, text: str) -> None:
    edit = form.row(name).editor.edit
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, text)


# -- reading ------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [("4e-5", 4e-5), ("1/4", 0.25), (" 0.5 ", 0.5), (".5", 0.5), ("2.", 2.0), ("1E-3", 1e-3)],
)
def test_numbers_are_read_as_people_write_them(text: str, value: float) -> None:
    assert read(spec(NUMBER), text) == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0,02", "Use a point, not a comma: 0.02. Was 0.5."),
        ("1,000", "Write 1000, without commas. Was 0.5."),
        ("1,2,3", "One number, with a point and no commas. Was 0.5."),
        ("abc", "A number, such as 0.02, 4e-5 or 1/4. Was 0.5."),
        ("0", "Above 0. Was 0.5."),
        ("11", "At most 10. Was 0.5."),
        ("1/0", "Nothing can be divided by 0. Was 0.5."),
        ("", "A number is needed here. Was 0.5."),
        ("nan", "A number, such as 0.02, 4e-5 or 1/4. Was 0.5."),
        ("1e999", "A finite number, such as 0.02. Was 0.5."),
        ("1_0", "A number, such as 0.02, 4e-5 or 1/4. Was 0.5."),
    ],
)
def test_what_is_no_number_is_told_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UnreadableError) as error:
        read(spec(NUMBER), text, 0.5)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0", "At least 1. Was 128."),
        ("2.5", "A whole number, such as 8. Was 128."),
        ("9" * 5000, "A whole number, such as 8. Was 128."),
        ("1e999", "A whole number, such as 8. Was 128."),
    ],
)
def test_whole_numbers_are_told_apart(text: str, sentence: str) -> None:
    with pytest.raises(UnreadableError) as error:
        read(spec(COUNT), text, 128)
    assert str(error.value) == sentence


def test_the_unit_may_be_typed_and_stands_in_the_sentence() -> None:
    field = spec({"type": "integer", "minimum": 8, "unit": "px"})
    assert read(field, "32 px") == 32
    with pytest.raises(UnreadableError, match=r"At least 8 px\."):
        read(field, "2")


def test_lists_take_commas_and_spaces() -> None:
    field = spec({"type": "array", "items": {"type": "number"}})
    assert read(field, "0.5, 0.25 1") == [0.5, 0.25, 1.0]
    assert read(field, "") == []
    with pytest.raises(UnreadableError, match="Numbers with commas"):
        read(field, "a, b")


@pytest.mark.parametrize("text", ["4e", "4e-", "0.", "-", "", "1/"])
def test_the_beginning_of_a_number_is_waited_for(text: str) -> None:
    assert is_unfinished(spec(NUMBER), text)


@pytest.mark.parametrize("text", ["4e-5", "abc", "0.5", "1,"])
def test_other_text_is_judged_at_once(text: str) -> None:
    assert not is_unfinished(spec(NUMBER), text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_is_shown_reads_as_itself(value: float) -> None:
    assert read(spec({"type": "number"}), words.show(value)) == value


@given(st.text(max_size=20))
def test_any_text_is_a_value_or_a_sentence(text: str) -> None:
    for entry in (NUMBER, COUNT, {"type": "array", "items": {"type": "integer"}}):
        field = spec(entry)
        try:
            value = read(field, text, 1)
        except UnreadableError as error:
            told = str(error)
        else:
            told = "It is a value."
            assert not faults({"properties": {"x": entry}}, {"x": value})
        assert told.endswith(".")


# -- what a schema says ------------------------------------------------------------


def test_every_default_of_the_catalogue_is_shown_and_kept(qtbot: Any) -> None:
    for kind, node in CATALOG.items():
        form, heard = shown(qtbot, node["params"])
        for name in form.names():
            row = form.row(name)
            assert not row.is_changed, (kind, name)
            if isinstance(row.editor, TextEditor):
                row.editor._left()
                assert not row.error, (kind, name, row.error)
        assert heard.changes == [], kind


def test_slider_positions_are_valid_values() -> None:
    for node in CATALOG.values():
        for field in fields_of(node["params"]):
            if not field.has_slider:
                continue
            low, high = field.slider_ends()
            for step in range(101):
                way = step / 100
                at = low * (high / low) ** way if field.is_log else low + (high - low) * way
                value = field.from_slider(at)
                assert read(field, words.show(value)) == value, (field.name, value)


def test_labels_and_choices_are_words() -> None:
    assert words.label("weight_decay", "Weight Decay") == "Weight decay"
    assert words.label("bn_gradient", "Bn Gradient") == "BN gradient"
    assert words.choice("no_depthwise") == "No depthwise"
    assert words.choice("adamw") == "AdamW"
    assert words.choice("int8") == "int8"
    assert words.show(4e-05) == "4e-5"


def test_bounds_are_said_in_words() -> None:
    assert spec({"type": "integer", "minimum": 1}).bounds() == "1 or more"
    assert spec({"type": "number", "exclusiveMinimum": 0}).bounds() == "above 0"
    assert spec({"type": "integer", "minimum": 2, "maximum": 16}).bounds() == "2 to 16"


# -- typing ------------------------------------------------------------


def test_each_letter_that_makes_a_value_is_told(qtbot: Any) -> None:
    form, heard = shown(qtbot, F8NET)
    typed(form, "batch", "64")
    assert heard.changes == [("batch", 6), ("batch", 64)]
    typed(form, "lr", "4e-5")
    assert [value for name, value in heard.changes if name == "lr"] == [4.0, 4e-5]


def test_a_wrong_value_stays_as_typed_and_is_not_told(qtbot: Any) -> None:
    form, heard = shown(qtbot, F8NET)
    typed(form, "batch", "0")
    row = form.row("batch")
    assert heard.changes == []
    assert row.error == "At least 2 images. Was 128."
    assert row.editor.edit.text() == "0"
    height = row.sizeHint().height()
    typed(form, "batch", "256")
    assert row.error == ""
    assert heard.changes[-1] == ("batch", 256)
    assert row.sizeHint().height() < height


def test_escape_brings_the_last_value_back(qtbot: Any) -> None:
    form, _ = shown(qtbot, F8NET)
    typed(form, "batch", "x")
    QTest.keyClick(form.row("batch").editor.edit, Qt.Key.Key_Escape)
    assert form.row("batch").editor.edit.text() == "128"
    assert form.row("batch").error == ""


def test_leaving_a_half_typed_number_says_what_is_missing(qtbot: Any) -> None:
    form, heard = shown(qtbot, F8NET)
    typed(form, "lr", "4e-")
    assert form.row("lr").error == ""
    form.row("batch").editor.edit.setFocus()
    QTest.keyClick(form.row("lr").editor.edit, Qt.Key.Key_Return)
    assert "A number" in form.row("lr").error
    assert ("lr", 4e-5) not in heard.changes


def test_arrows_step_within_bounds(qtbot: Any) -> None:
    form, heard = shown(qtbot, F8NET, bits=15)
    edit = form.row("bits").editor.edit
    for _ in range(3):
        QTest.keyClick(edit, Qt.Key.Key_Up)
    assert heard.changes == [("bits", 16)]
    QTest.keyClick(form.row("lr").editor.edit, Qt.Key.Key_Down)
    assert heard.changes[-1] == ("lr", 0.01)
    QTest.keyClick(form.row("lr").editor.edit, Qt.Key.Key_Down)
    assert heard.changes[-1] == ("lr", 0.009)


def test_a_refresh_leaves_the_text_and_cursor_of_the_field_in_use(qtbot: Any) -> None:
    form, _ = shown(qtbot, F8NET)
    typed(form, "weight_decay", "1/4")
    edit = form.row("weight_decay").editor.edit
    edit.setCursorPosition(1)
    form.set_values({"weight_decay": 0.25, "epochs": 7})
    assert (edit.text(), edit.cursorPosition()) == ("1/4", 1)
    assert form.row("epochs").editor.edit.text() == "7"
    typed(form, "weight_decay", "9")
    form.set_values({"weight_decay": 0.5})
    assert edit.text() == "9"
    assert form.row("weight_decay").error


def test_another_node_does_not_inherit_what_was_half_typed(qtbot: Any) -> None:
    form, _ = shown(qtbot, F8NET)
    typed(form, "batch", "0")
    form.set_values({"batch": 32}, is_fresh=True)
    assert form.row("batch").editor.edit.text() == "32"
    assert form.row("batch").error == ""


def test_undo_goes_to_the_document_unless_something_is_half_typed(qtbot: Any) -> None:
    form, _ = shown(qtbot, F8NET)
    edit = form.row("batch").editor.edit
    keys = QKeySequence(QKeySequence.StandardKey.Undo)[0]

    def is_kept() -> bool:
        event = QKeyEvent(
            QKeyEvent.Type.ShortcutOverride, keys.key(), keys.keyboardModifiers(), "z"
        )
        event.ignore()
        QApplication.sendEvent(edit, event)
        return event.isAccepted()

    typed(form, "batch", "64")
    assert not is_kept()
    typed(form, "batch", "0")
    assert is_kept()


# -- other kinds of field ------------------------------------------------------------


def test_reset_is_offered_where_a_value_differs(qtbot: Any) -> None:
    form, heard = shown(qtbot, F8NET, epochs=6)
    row = form.row("epochs")
    assert row.is_changed
    QTest.mouseClick(row._button, Qt.MouseButton.LeftButton)
    assert heard.resets == ["epochs"]
    form.set_values({})
    assert not row.is_changed
    assert not row._button.isVisible()


def test_few_short_choices_stand_side_by_side(qtbot: Any) -> None:
    form, heard = shown(qtbot, F8NET)
    segment = form.row("granularity").editor
    assert isinstance(segment, SegmentEditor)
    QTest.mouseClick(segment.segment.parts()[1], Qt.MouseButton.LeftButton)
    combo = form.row("selector").editor
    assert isinstance(combo, ComboEditor)
    QTest.keyClick(combo.combo, Qt.Key.Key_Down)
    assert heard.changes == [("granularity", "channel"), ("selector", "std")]


def test_a_switch_tells_true_and_false(qtbot: Any) -> None:
    form, heard = shown(qtbot, F8NET)
    switch = form.row("flip").editor.switch
    QTest.mouseClick(switch, Qt.MouseButton.LeftButton)
    QTest.keyClick(switch, Qt.Key.Key_Space)
    assert heard.changes == [("flip", False), ("flip", True)]


def test_a_slider_tells_round_values(qtbot: Any) -> None:
    form, heard = shown(qtbot, F8NET)
    slider = form.row("lr").editor.slider
    QTest.mouseClick(slider, Qt.MouseButton.LeftButton, pos=slider.rect().center())
    name, value = heard.changes[-1]
    assert name == "lr"
    assert value == float(f"{value:.2g}")
    assert math.isclose(value, 0.01, rel_tol=0.5)  # the middle of 1e-5 to 10 on a log scale
    assert form.row("lr").editor.edit.text() == words.show(value)


def test_an_optional_number_has_a_switch(qtbot: Any) -> None:
    form, heard = shown(qtbot, CATALOG["model.resnet"]["params"])
    editor = form.row("width").editor
    assert isinstance(editor, OptionalEditor)
    assert not editor.switch.isChecked()
    QTest.mouseClick(editor.switch, Qt.MouseButton.LeftButton)
    assert heard.changes == [("width", 2)]
    typed_into = editor.inner.edit
    typed_into.selectAll()
    QTest.keyClicks(typed_into, "64")
    QTest.mouseClick(editor.switch, Qt.MouseButton.LeftButton)
    assert heard.changes[-1] == ("width", None)
    QTest.mouseClick(editor.switch, Qt.MouseButton.LeftButton)
    assert heard.changes[-1] == ("width", 64)


def test_an_empty_optional_text_is_none(qtbot: Any) -> None:
    schema = CATALOG["model.pretrained"]["params"]
    form, heard = shown(qtbot, schema, commit="abc")
    edit = form.row("commit").editor.edit
    edit.setFocus()
    edit.selectAll()
    QTest.keyClick(edit, Qt.Key.Key_Delete)
    assert heard.changes == [("commit", None)]


def test_a_path_can_be_chosen(qtbot: Any, tmp_path: Path) -> None:
    form, heard = shown(qtbot, CATALOG["data.image_folder"]["params"])
    editor = form.row("folder").editor
    assert editor.spec.wants_folder
    editor.take(str(tmp_path))
    assert heard.changes == [("folder", str(tmp_path))]


def test_nested_models_are_told_whole(qtbot: Any) -> None:
    inner = {
        "type": "object",
        "title": "Noise",
        "properties": {
            "sigma": {"type": "number", "default": 0.1, "title": "Sigma"},
            "on": {"type": "boolean", "default": True, "title": "On"},
        },
    }
    schema = {
        "$defs": {"Noise": inner},
        "properties": {
            "noise": {"$ref": "#/$defs/Noise", "default": {"sigma": 0.2, "on": True}},
        },
    }
    form, heard = shown(qtbot, schema)
    assert form.names() == ["noise.sigma", "noise.on"]
    assert form.row("noise.sigma").editor.edit.text() == "0.2"
    typed(form, "noise.sigma", "3")
    assert heard.changes == [("noise", {"sigma": 3.0, "on": True})]
    assert form.focus_field("noise")


def test_groups_stand_under_their_heads(qtbot: Any) -> None:
    schema = {
        "properties": {
            "a": {"type": "integer", "group": "Format"},
            "b": {"type": "integer", "group": "Training"},
            "c": {"type": "integer", "group": "Format"},
        }
    }
    form, _ = shown(qtbot, schema)
    assert [head.text() for head in form._heads] == ["Format", "Training"]
    assert form.names() == ["a", "c", "b"]


def test_different_values_are_said_to_be_mixed(qtbot: Any) -> None:
    form, heard = shown(qtbot, F8NET)
    form.set_values({"epochs": 3}, mixed={"epochs", "granularity", "selector", "flip"})
    assert form.row("epochs").editor.edit.text() == ""
    assert form.row("epochs").editor.edit.placeholderText() == "mixed"
    assert form.row("granularity").editor.segment.value is None
    assert form.row("selector").editor.combo.placeholderText() == "mixed"
    typed(form, "epochs", "3")
    assert heard.changes == [("epochs", 3)]


def test_faults_of_the_document_stand_below_their_field(qtbot: Any) -> None:
    form, _ = shown(qtbot, F8NET, bits=99)
    form.show_faults([("bits", "Must be at most 16; it is 99.")])
    assert form.row("bits").told == "Must be at most 16; it is 99."
    assert form.row("bits").editor.edit.text() == "99"
    form.show_faults([])
    assert form.row("bits").told == ""


def test_every_field_has_a_name_for_screen_readers(qtbot: Any) -> None:
    for node in CATALOG.values():
        form, _ = shown(qtbot, node["params"])
        for name in form.names():
            row = form.row(name)
            target = row.editor.focusProxy()
            assert target.accessibleName().startswith(row.spec.label)


def test_no_label_is_cut_at_the_width_of_a_dock(qtbot: Any) -> None:
    from studio.theme import theme

    small = QFontMetrics(theme().font("small"))
    for id, node in CATALOG.items():
        for field in fields_of(node["params"]):
            words_wide = max(small.horizontalAdvance(word) for word in field.label.split())
            assert words_wide <= LABEL_WIDTH, f"{id}.{field.name}"
            flags = int(Qt.TextFlag.TextWordWrap)
            room = small.boundingRect(0, 0, LABEL_WIDTH, 100, flags, field.label)
            assert room.height() <= theme().px(HEIGHT), f"{id}.{field.name}: {field.label}"


def test_fields_stand_under_their_groups(qtbot: Any) -> None:
    form, _ = shown(qtbot, F8NET)
    heads = [label.text() for label in form.findChildren(QLabel) if label.property("tone")]
    assert heads[:4] == ["Formats", "Clip levels", "Optimization", "Augmentation"]
    assert form.names()[:3] == ["bits", "mode", "epochs"]
    tops = [form.row(name).y() for name in form.names()]
    assert tops == sorted(tops)


def test_the_tip_says_default_range_and_source(qtbot: Any) -> None:
    field = spec(F8NET["properties"]["selector"], "selector")
    assert "Standard deviation, Mean magnitude" in FieldTip.facts(field)
    assert "Auto" in FieldTip.facts(field)
    source = CATALOG["quantize.f8net"]["source"]
    assert FieldTip.origin(field, source) == f"From the paper: {source}"
    assert FieldTip.origin(spec({**NUMBER, "origin": "choice"}), source) == "Our choice"
    assert paper_link("He et al., arXiv:1512.03385, sec. 4") == "https://arxiv.org/abs/1512.03385"
    assert paper_link(source) == "https://arxiv.org/abs/2202.05239"
    assert paper_link("He et al., CVPR 2016, sec. 4") == ""


def test_a_theme_change_keeps_values_and_fits(qtbot: Any) -> None:
    from studio.theme import theme

    form, _ = shown(qtbot, F8NET, epochs=6)
    before = form.row("epochs").height()
    theme().choose("light", 1.5)
    QApplication.processEvents()
    assert form.row("epochs").sizeHint().height() > before
    assert form.row("epochs").editor.edit.text() == "6"


def test_f1_in_a_field_asks_for_its_help(qtbot: Any) -> None:
    form, _ = shown(qtbot, F8NET)
    heard: list[str] = []
    form.help_wanted.connect(heard.append)
    form.focus_field("lr")
    QTest.keyClick(form.row("lr").editor.edit, Qt.Key.Key_F1)
    assert heard == ["lr"]


def test_the_tip_opens_below_its_row_and_ends_with_the_pointer(qtbot: Any) -> None:
    form, _ = shown(qtbot, F8NET)
    row = form.row("selector")
    place = row.rect().center()
    QApplication.sendEvent(row, QHelpEvent(QEvent.Type.ToolTip, place, row.mapToGlobal(place)))
    assert form._tip is not None
    assert form._tip.isVisible()
    assert form._tip._title.text() == "Fraction lengths"
    QApplication.sendEvent(row, QEvent(QEvent.Type.Leave))
    assert not form._tip.isVisible()


def test_tab_goes_through_every_field_in_order(qtbot: Any) -> None:
    form, _ = shown(qtbot, CATALOG["train.classifier"]["params"], epochs=3)
    form.focus_first()
    visited: list[str] = []
    for _step in range(4 * len(form.names())):
        focused = form.focusWidget()
        name = next(n for n in form.names() if form.row(n).isAncestorOf(focused))
        if not visited or visited[-1] != name:
            visited.append(name)
        if name == form.names()[-1]:
            break
        form.focusNextPrevChild(True)
    assert visited == form.names()


def test_a_click_on_the_label_goes_to_the_field(qtbot: Any) -> None:
    form, _ = shown(qtbot, F8NET)
    row = form.row("weight_decay")
    QTest.mouseClick(row, Qt.MouseButton.LeftButton, pos=row._label_rect().center())
    assert form.focusWidget() is row.editor.edit


def test_scrolling_over_a_list_does_not_change_it(qtbot: Any) -> None:
    form, heard = shown(qtbot, F8NET)
    combo = form.row("selector").editor.combo
    combo.setFocus()
    place = QPointF(combo.rect().center())
    event = QWheelEvent(
        place,
        combo.mapToGlobal(place),
        QPoint(0, -120),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(combo, event)
    assert heard.changes == []
    assert combo.currentIndex() == 0
