"""Toasts: what stays, what goes, and how they are reached."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QApplication, QWidget

from studio.theme import theme
from studio.widgets.toast import ToastStack


@pytest.fixture
def ground(qtbot):
    made = QWidget()
    qtbot.addWidget(made)
    made.resize(800, 500)
    with qtbot.waitActive(made):
        made.show()
        made.activateWindow()
    theme().choose(reduced_motion=True)
    return made


@pytest.fixture
def stack(ground):
    return ToastStack(ground)


def test_news_goes_by_itself_and_errors_stay(stack):
    good = stack.show_toast("Export finished.", "0.28 MB", "good")
    bad = stack.show_toast("Out of memory in Train.", kind="bad")
    assert good.is_timed
    assert not bad.is_timed
    good._timer.timeout.emit()
    assert stack.toasts == (bad,)
    bad.closer.click()
    assert stack.toasts == ()


def test_the_pointer_holds_a_toast(stack):
    toast = stack.show_toast("Graph saved.")
    spot = QPointF(5, 5)
    QApplication.sendEvent(toast, QEnterEvent(spot, spot, spot))
    assert not toast.is_timed
    QApplication.sendEvent(toast, QEvent(QEvent.Type.Leave))
    assert toast.is_timed


def test_no_timer_runs_in_a_hidden_window(stack, ground):
    toast = stack.show_toast("Graph saved.")
    ground.hide()
    assert not toast.is_timed
    ground.show()
    assert toast.is_timed


def test_the_action_is_done_once_and_the_toast_goes(qtbot, stack):
    done = []
    toast = stack.show_toast("Export finished.", "", "good", ("Push", lambda: done.append(1)))
    qtbot.mouseClick(toast.button, Qt.MouseButton.LeftButton)
    assert done == [1]
    assert stack.toasts == ()


def test_toasts_are_reached_and_left_by_keys(qtbot, stack, ground):
    stack.show_toast("Export finished.", "", "good", ("Push", lambda: None))
    assert stack.focus_newest()
    toast = stack.toasts[0]
    assert toast.button.hasFocus()
    qtbot.keyClick(toast.button, Qt.Key.Key_Tab)
    assert toast.closer.hasFocus()
    qtbot.keyClick(toast.closer, Qt.Key.Key_Escape)
    assert stack.toasts == ()
    assert not stack.focus_newest()


def test_they_stack_up_from_the_lower_right_corner(stack, ground):
    first = stack.show_toast("First.")
    second = stack.show_toast("Second, and rather longer than the first one.")
    assert second.geometry().bottom() > first.geometry().bottom()
    assert first.geometry().right() == second.geometry().right()
    assert (
        not first.childrenRect()
        .translated(first.pos())
        .intersects(second.childrenRect().translated(second.pos()))
    )
    before = second.geometry().topLeft()
    ground.resize(600, 300)
    QApplication.processEvents()
    assert second.geometry().topLeft() != before
    assert ground.rect().contains(second.geometry().center())


def test_the_same_message_again_renews_the_one_that_is_there(stack):
    stack.show_toast("Graph saved.")
    stack.show_toast("Other.")
    again = stack.show_toast("Graph saved.")
    assert [toast.text for toast in stack.toasts] == ["Other.", "Graph saved."]
    assert stack.toasts[-1] is again


def test_at_most_four_and_errors_leave_last(stack):
    bad = stack.show_toast("Failed.", kind="bad")
    for number in range(6):
        stack.show_toast(f"News {number}.")
    assert len(stack.toasts) == 4
    assert stack.toasts[0] is bad


def test_markup_in_a_message_is_shown_not_obeyed(stack):
    toast = stack.show_toast("<b>name</b>", "a & b <i>")
    assert "&lt;b&gt;name&lt;/b&gt;" in toast.label.text()
    assert "a &amp; b &lt;i&gt;" in toast.label.text()


def test_a_long_message_wraps_inside_the_canvas(stack, ground):
    short = stack.show_toast("Saved.")
    long = stack.show_toast("Out of memory.", "Needed more than there was. " * 12, "bad")
    assert long.width() <= ground.width()
    assert long.height() > short.height() + 2 * 16


def test_what_a_screen_reader_hears(stack):
    toast = stack.show_toast("Out of memory in Train.", "1.4 GB was free.", "bad")
    assert toast.accessibleName() == "Error Out of memory in Train. 1.4 GB was free."


def test_sliding_in_ends_where_it_belongs(qtbot, stack):
    theme().choose(reduced_motion=False)
    toast = stack.show_toast("Graph saved.")
    end = toast.parentWidget().height() - 16 + 12 - toast.height()
    qtbot.waitUntil(lambda: toast.y() == end)
