"""The small widgets by mouse and by key, what they say to a screen reader, and what they draw."""

from __future__ import annotations

import math

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QStandardItem, QStandardItemModel, QWheelEvent
from PySide6.QtWidgets import QApplication, QTableView, QTreeView, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from studio.theme import theme
from studio.widgets.button import Button, danger, plain, primary, quiet, tool
from studio.widgets.elided import ElidedLabel
from studio.widgets.empty_state import EmptyState
from studio.widgets.kerf import KerfBar
from studio.widgets.keycap import KeyCap, keys_of
from studio.widgets.meter import Meter
from studio.widgets.pill import KINDS, Pill
from studio.widgets.popover import Popover
from studio.widgets.ring import Ring, paint_ring
from studio.widgets.section import Section
from studio.widgets.segment import Segment
from studio.widgets.slider import Slider
from studio.widgets.strip import StripHeader
from studio.widgets.switch import Switch
from studio.widgets.table import BEST_ROLE, prepare_table, prepare_tree


def shown(qtbot: QtBot, widget: QWidget) -> QWidget:
    qtbot.addWidget(widget)
    with qtbot.waitActive(widget):
        widget.show()
        widget.activateWindow()
    return widget


def has_color(image: QImage, color: QColor) -> bool:
    """Whether any pixel is (almost) that colour."""
    wanted = color.getRgb()[:3]
    for y in range(image.height()):
        for x in range(image.width()):
            pixel = image.pixelColor(x, y).getRgb()[:3]
            if all(abs(a - b) <= 2 for a, b in zip(pixel, wanted, strict=True)):
                return True
    return False


def ring_image(state: str, fraction: float | None = 0.0, phase: float | None = None) -> QImage:
    image = QImage(44, 44, QImage.Format.Format_ARGB32)
    image.fill(theme().color("panel"))
    painter = QPainter(image)
    paint_ring(painter, QRectF(0, 0, 44, 44), state, fraction, phase)
    painter.end()
    return image


# -- buttons ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [primary, plain, quiet, danger])
def test_buttons_click_by_mouse_and_by_key(qtbot, make):
    button = shown(qtbot, make("Halve the batch"))
    clicks = []
    button.clicked.connect(lambda: clicks.append(1))
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert len(clicks) == 2
    assert button.accessibleName() == "Halve the batch"
    button.setText("Shrink")
    assert button.accessibleName() == "Shrink"


def test_only_the_primary_button_is_filled_with_blade(qtbot):
    blades = [theme().color("blade"), theme().color("blade_hover")]  # the pointer may be anywhere
    filled = {}
    for make in (primary, plain, quiet, danger):
        image = shown(qtbot, make("Run")).grab().toImage()
        filled[make.__name__] = any(has_color(image, blade) for blade in blades)
    assert filled == {"primary": True, "plain": False, "quiet": False, "danger": False}


def test_words_of_a_button_are_never_cut(qtbot):
    short, long = plain("Run"), plain("Checkpoint activations", "school-outline")
    qtbot.addWidget(short)
    qtbot.addWidget(long)
    assert long.minimumSizeHint().width() > short.minimumSizeHint().width() + 100
    before = long.sizeHint()
    theme().choose(scale=1.5)
    assert long.sizeHint().width() > before.width()
    assert long.sizeHint().height() == 42


def test_a_tool_is_named_by_its_tooltip(qtbot):
    button = shown(qtbot, tool("undo", "Undo", shortcut="Ctrl+Z"))
    assert button.accessibleName() == "Undo"
    assert "Ctrl+Z" in button.toolTip()
    assert button.shortcut().toString() == "Ctrl+Z"
    assert min(button.width(), button.height()) >= 24
    checkable = shown(qtbot, tool("map-outline", "Map", checkable=True))
    qtbot.mouseClick(checkable, Qt.MouseButton.LeftButton)
    assert checkable.isChecked()


def test_the_frame_of_focus_shows_for_keys_and_not_for_the_mouse(qtbot):
    window = QWidget()
    column = QVBoxLayout(window)
    first, second = plain("One"), plain("Two")
    column.addWidget(first)
    column.addWidget(second)
    shown(qtbot, window)
    blade = theme().color("blade")
    second.setFocus(Qt.FocusReason.MouseFocusReason)
    assert not has_color(second.grab().toImage(), blade)
    first.setFocus(Qt.FocusReason.TabFocusReason)
    assert has_color(first.grab().toImage(), blade)


# -- choices ---------------------------------------------------------------------------------------


def test_switch(qtbot):
    switch = shown(qtbot, Switch("Share clip level"))
    told = []
    switch.toggled.connect(told.append)
    qtbot.mouseClick(switch, Qt.MouseButton.LeftButton, pos=QPoint(3, 3))
    qtbot.keyClick(switch, Qt.Key.Key_Space)
    qtbot.mouseClick(switch, Qt.MouseButton.LeftButton)
    assert told == [True, False, True]
    assert has_color(switch.grab().toImage(), theme().color("blade"))
    assert switch.accessibleName() == "Share clip level"


def test_segment_picks_by_mouse_and_by_arrows(qtbot):
    segment = shown(qtbot, Segment([("layer", "Layer"), ("channel", "Channel"), (3, "Three")]))
    told = []
    segment.changed.connect(told.append)
    assert segment.value == "layer"
    parts = segment.parts()
    qtbot.mouseClick(parts[1], Qt.MouseButton.LeftButton)
    assert segment.value == "channel"
    parts[1].setFocus()
    qtbot.keyClick(parts[1], Qt.Key.Key_Right)
    assert segment.value == 3
    qtbot.mouseClick(parts[2], Qt.MouseButton.LeftButton)
    assert told == ["channel", 3]


def test_segment_set_value_is_silent_and_takes_the_unknown(qtbot):
    segment = shown(qtbot, Segment([(1, "One"), (2, "Two")], 2))
    told = []
    segment.changed.connect(told.append)
    segment.set_value(1)
    assert segment.value == 1
    segment.set_value("neither")
    assert segment.value is None
    qtbot.mouseClick(segment.parts()[0], Qt.MouseButton.LeftButton)
    assert told == [1]


# -- slider ----------------------------------------------------------------------------------------


def test_slider_keys(qtbot):
    slider = shown(qtbot, Slider(0, 10, 5, step=1))
    told, settled = [], []
    slider.changed.connect(told.append)
    slider.settled.connect(settled.append)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Left, Qt.Key.Key_PageUp):
        qtbot.keyClick(slider, key)
    assert told == [6, 7, 6, 7]
    qtbot.keyClick(slider, Qt.Key.Key_End)
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    assert told[4:] == [10, 0]
    assert settled == told


def test_slider_follows_the_mouse_to_both_ends(qtbot):
    slider = shown(qtbot, Slider(2, 16, 8))
    slider.resize(200, 24)
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(100, 12))
    assert slider.value == pytest.approx(9, abs=0.2)
    qtbot.mouseMove(slider, QPoint(500, 12))
    assert slider.value == 16
    qtbot.mouseMove(slider, QPoint(-50, 12))
    assert slider.value == 2
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=QPoint(-50, 12))
    qtbot.mouseMove(slider, QPoint(150, 12))
    assert slider.value == 2


def test_a_log_slider_has_equal_ratios(qtbot):
    slider = Slider(1e-5, 1.0, 1e-3, log=True)
    qtbot.addWidget(slider)
    assert slider.fraction_of(10**-2.5) == pytest.approx(0.5)
    assert slider.value_at(0.2) == pytest.approx(1e-4)
    assert slider.value_at(0.0) == 1e-5
    assert slider.value_at(1.0) == 1.0
    with pytest.raises(ValueError, match="cannot go"):
        Slider(0.0, 1.0, 0.5, log=True)


def test_the_wheel_turns_a_slider_only_with_focus(qtbot):
    window = QWidget()
    column = QVBoxLayout(window)
    slider, other = Slider(0, 100, 50), plain("Other")
    column.addWidget(slider)
    column.addWidget(other)
    shown(qtbot, window)
    other.setFocus()

    def turn() -> None:
        spot = QPointF(20, 10)
        event = QWheelEvent(
            spot,
            slider.mapToGlobal(spot),
            QPoint(),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(slider, event)

    turn()
    assert slider.value == 50
    slider.setFocus()
    turn()
    assert slider.value == pytest.approx(51)


def test_slider_values_are_short_and_double_click_returns_to_the_default(qtbot):
    slider = shown(qtbot, Slider(0.0, 1.0, 0.1, tick=0.25))
    slider.resize(173, 24)
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(60, 12))
    assert slider.value == float(f"{slider.value:.3g}")
    qtbot.mouseDClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(60, 12))
    assert slider.value == 0.25
    assert "0.25" in slider.accessibleDescription()


def test_slider_set_range_keeps_the_knob_inside_without_a_signal(qtbot):
    slider = Slider(0, 10, 9)
    qtbot.addWidget(slider)
    told = []
    slider.changed.connect(told.append)
    slider.set_range(0, 5)
    assert slider.value == 5
    assert told == []
    with pytest.raises(ValueError, match="cannot go"):
        slider.set_range(3, 3)
    assert not math.isnan(slider.value)


# -- ring, kerf, meter -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "color"),
    [
        ("idle", "line"),
        ("queued", "muted"),
        ("running", "blade"),
        ("cancelling", "blade"),
        ("done", "good"),
        ("warning", "warn"),
        ("failed", "bad"),
        ("cancelled", "muted"),
        ("crashed", "bad"),
    ],
)
def test_ring_states_have_their_colour(state, color, qapp):
    assert has_color(ring_image(state, 0.6), theme().color(color))


def test_ring_states_differ_in_shape_not_only_in_colour(qapp):
    """In greyscale every state that can be told apart by colour has its own picture."""
    seen = set()
    for state in (
        "idle",
        "queued",
        "cancelling",
        "done",
        "cached",
        "warning",
        "failed",
        "cancelled",
    ):
        image = ring_image(state, 0.5).convertToFormat(QImage.Format.Format_Mono)
        seen.add(bytes(image.constBits()))
    assert len(seen) >= 7


def test_ring_arc_grows_clockwise_from_twelve(qapp):
    blade = theme().color("blade")
    image = ring_image("running", 0.3)
    right, left = image.copy(22, 0, 22, 44), image.copy(0, 0, 20, 44)
    assert has_color(right, blade)
    assert not has_color(left, blade)
    assert has_color(ring_image("running", 0.8).copy(0, 0, 20, 44), blade)


def test_ring_turns_only_while_running_visible_and_allowed(qtbot):
    ring = Ring("running", 0.4)
    qtbot.addWidget(ring)
    assert not ring.is_turning
    ring.show()
    assert ring.is_turning
    theme().choose(reduced_motion=True)
    assert not ring.is_turning
    theme().choose(reduced_motion=False)
    assert ring.is_turning
    ring.hide()
    assert not ring.is_turning
    ring.show()
    ring.set("done", 1.0)
    assert not ring.is_turning
    assert ring.accessibleName() == "done"


def test_ring_says_how_far(qtbot):
    ring = Ring("running", 0.384)
    qtbot.addWidget(ring)
    assert ring.accessibleName() == "running, 38%"
    ring.set("running", None)
    assert ring.accessibleName() == "running"


def test_kerf_cuts_from_the_left(qtbot):
    bar = shown(qtbot, KerfBar(4, "Run"))
    bar.resize(100, 4)
    bar.set(0.5)
    image = bar.grab().toImage()
    assert has_color(image.copy(0, 0, 48, 4), theme().color("blade"))
    assert not has_color(image.copy(52, 0, 48, 4), theme().color("blade"))
    bar.set(0.7, "failed")
    assert has_color(bar.grab().toImage(), theme().color("bad"))
    assert bar.accessibleName() == "Run failed 70%"


def test_meter_turns_blade_above_85_percent(qtbot):
    meter = shown(qtbot, Meter("RAM"))
    meter.set(0.85, "8.5 / 10 GB")
    meter.adjustSize()
    assert not meter.is_high
    assert not has_color(meter.grab().toImage(), theme().color("blade"))
    meter.set(0.86, "8.6 / 10 GB")
    assert has_color(meter.grab().toImage(), theme().color("blade"))
    assert meter.accessibleName() == "RAM 8.6 / 10 GB"


# -- labels ----------------------------------------------------------------------------------------


def test_pill_kinds(qtbot):
    for kind in KINDS:
        pill = shown(qtbot, Pill("parity 1e-5", kind, "check"))
        pill.adjustSize()
        ground = theme().color("card") if kind == "muted" else theme().color("tint", kind)
        assert has_color(pill.grab().toImage(), ground)
        assert pill.height() == 20
    pill.set("other words", "bad")
    assert pill.accessibleName() == "other words"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Ctrl+Shift+C", ["Ctrl", "Shift", "C"]),
        ("F5", ["F5"]),
        ("Ctrl++", ["Ctrl", "+"]),
        ("Ctrl+-", ["Ctrl", "-"]),
        ("+", ["+"]),
        ("", []),
    ],
)
def test_keys_of_a_shortcut(text, keys):
    assert keys_of(text) == keys


def test_keycap_grows_with_its_keys(qtbot):
    one, three = KeyCap("K"), KeyCap("Ctrl+Shift+K")
    qtbot.addWidget(one)
    qtbot.addWidget(three)
    assert three.sizeHint().width() > 2 * one.sizeHint().width()


def test_elided_label_shows_the_rest_in_its_tooltip(qtbot):
    label = shown(qtbot, ElidedLabel("a rather long name of a layer in a network"))
    label.resize(60, 20)
    assert label.shown_text().endswith("…")
    assert label.toolTip() == label.text()
    label.resize(600, 20)
    assert label.shown_text() == label.text()
    assert label.toolTip() == ""


def test_empty_state_calls_back(qtbot):
    calls = []
    state = EmptyState("history", "Every run is kept here.", "Run all", lambda: calls.append(1))
    shown(qtbot, state)
    qtbot.mouseClick(state.button, Qt.MouseButton.LeftButton)
    assert calls == [1]
    state.set("Nothing to report.")
    assert not state.button.isVisible()
    assert state.accessibleName() == "Nothing to report."


# -- containers ------------------------------------------------------------------------------------


def test_section_folds_by_mouse_and_by_key(qtbot):
    section = Section("Training")
    inside = ElidedLabel("Epochs")
    section.body.addWidget(inside)
    shown(qtbot, section)
    told = []
    section.toggled.connect(told.append)
    qtbot.mouseClick(section.header, Qt.MouseButton.LeftButton)
    assert not inside.isVisible()
    qtbot.keyClick(section.header, Qt.Key.Key_Return)
    assert inside.isVisible()
    qtbot.keyClick(section.header, Qt.Key.Key_Left)
    assert told == [False, True, False]
    assert section.header.accessibleName() == "Training, folded"


def test_strip_puts_tools_at_the_right(qtbot):
    strip = StripHeader("Layers", tall=True)
    button = strip.add_tool(tool("filter-variant", "Filter", small=True))
    shown(qtbot, strip)
    strip.resize(300, 32)
    QApplication.processEvents()
    assert strip.sizeHint().height() == 32
    assert button.geometry().right() > 280


def test_popover_closes_on_escape_and_stays_on_the_screen(qtbot):
    theme().choose(reduced_motion=True)
    window = QWidget()
    column = QVBoxLayout(window)
    anchor = plain("More")
    column.addWidget(anchor)
    shown(qtbot, window)
    popover = Popover(window)
    popover.body.addWidget(ElidedLabel("Does not fit"))
    popover.popup_below(anchor)
    assert popover.isVisible()
    assert popover.y() >= anchor.mapToGlobal(QPoint(0, 0)).y()
    qtbot.keyClick(popover, Qt.Key.Key_Escape)
    assert not popover.isVisible()
    popover.popup_at(QPoint(100_000, 100_000))
    assert popover.screen().availableGeometry().contains(popover.geometry().center())
    popover.hide()


def model_of(rows: list[tuple[str, float]]) -> QStandardItemModel:
    model = QStandardItemModel(0, 2)
    model.setHorizontalHeaderLabels(["Run", "Top-1"])
    for name, value in rows:
        item = QStandardItem()
        item.setData(value, Qt.ItemDataRole.DisplayRole)
        model.appendRow([QStandardItem(name), item])
    return model


def test_table_sorts_by_a_click_on_its_header(qtbot):
    view = QTableView()
    view.setModel(model_of([("a", 2.0), ("b", 10.0), ("c", 1.0)]))
    header = prepare_table(view, numbers=(1,))
    shown(qtbot, view)
    view.resize(300, 200)
    middle = QPoint(header.sectionViewportPosition(1) + 10, 10)
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=middle)
    first = [view.model().index(row, 0).data() for row in range(3)]
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=middle)
    second = [view.model().index(row, 0).data() for row in range(3)]
    assert sorted([first, second]) == [["b", "a", "c"], ["c", "a", "b"]]
    assert view.rowHeight(0) == 26


def test_numbers_stand_at_the_right_and_the_picked_row_is_tinted(qtbot):
    view = QTableView()
    view.setModel(model_of([("a", 2.0)]))
    prepare_table(view, numbers=(1,))
    view.model().setData(view.model().index(0, 1), True, BEST_ROLE)
    shown(qtbot, view)
    view.resize(400, 120)
    view.setColumnWidth(0, 100)
    cell = view.visualRect(view.model().index(0, 1))
    image = view.viewport().grab(cell).toImage()
    half = image.width() // 2
    plain_ground = image.pixelColor(4, 4)
    inked = [
        x
        for x in range(image.width())
        for y in range(image.height() - 2)
        if image.pixelColor(x, y) != plain_ground
    ]
    assert inked
    assert min(inked) > half
    view.selectRow(0)
    assert has_color(view.viewport().grab(cell).toImage(), theme().color("selected"))


def test_tree_takes_the_same_look(qtbot):
    view = QTreeView()
    view.setModel(model_of([("a", 2.0), ("b", 3.0)]))
    prepare_tree(view, numbers=(1,))
    shown(qtbot, view)
    assert view.visualRect(view.model().index(0, 0)).height() == 26
    assert view.header().sizeHint().height() == 24


@pytest.mark.parametrize("mode", ["dark", "light", "contrast", "contrast_light"])
def test_everything_repaints_in_every_mode(qtbot, mode):
    window = QWidget()
    column = QVBoxLayout(window)
    parts = [
        primary("Run", "play"),
        tool("undo", "Undo"),
        Switch("x", True),
        Segment([(1, "One"), (2, "Two")]),
        Slider(0, 1, 0.5, tick=0.2),
        Ring("done"),
        Pill("good", "good"),
        KeyCap("F5"),
        Meter("CPU"),
        KerfBar(),
        StripHeader("Title"),
        Section("Part"),
        Popover(floating=False),
    ]
    for part in parts:
        column.addWidget(part)
    shown(qtbot, window)
    before = window.grab().toImage()
    theme().choose(mode, 1.3)
    after = window.grab().toImage()
    assert before != after
    assert isinstance(parts[0], Button)
