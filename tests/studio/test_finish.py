"""The finish: nothing is cut or unreadable in any mode, and nothing lies on top of another."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from studio.theme import theme
from studio.widgets.elided import ElidedLabel

MODES = ("dark", "light", "contrast", "contrast_light")


def luminance(color: QColor) -> float:
    """Relative luminance as the WCAG has it."""
    parts = (color.redF(), color.greenF(), color.blueF())
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: QColor, other: QColor) -> float:
    """Contrast of two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def cut(root: QWidget) -> list[str]:
    """Words that their label or button has no room for."""
    found = []
    for widget in root.findChildren(QWidget):
        if not widget.isVisible() or not isinstance(widget, QLabel | QPushButton):
            continue
        if isinstance(widget, ElidedLabel) or not widget.text():
            continue
        if isinstance(widget, QLabel) and (widget.wordWrap() or "<" in widget.text()):
            continue
        room = widget.contentsRect().width()
        if widget.fontMetrics().horizontalAdvance(widget.text()) > room + 1:
            found.append(f"{widget.text()!r} in {widget.width()} px")
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ground", ["bench", "panel", "card", "field"])
def test_words_stand_out_from_every_ground(mode, ground):
    theme().choose(mode)
    for ink in ("ink", "muted", "bad"):
        assert contrast(theme().color(ink), theme().color(ground)) >= 4.5, ink
    assert contrast(theme().color("on_blade"), theme().color("blade")) >= 4.5


@pytest.mark.parametrize("scale", [0.9, 1.0, 1.5])
def test_no_words_of_the_top_rows_and_the_status_bar_are_cut(window, qtbot, scale):
    window.act("open_pipeline", path="quantize_classifier.json")
    theme().choose(scale=scale)
    qtbot.wait(20)
    for part in (window.tool_row, window.status):
        assert cut(part) == []


def test_a_workspace_comes_back_with_the_docks_it_had(window, qtbot):
    window.act("open_pipeline", path="quantize_classifier.json")

    def shown() -> set[str]:
        return {name for name, frame in window.frames.items() if not frame.isHidden()}

    window.set_workspace("Compare")
    first = shown()
    window.set_workspace("Graph")
    window.set_workspace("Compare")
    assert shown() == first
    assert "nodes" not in first


def test_another_workspace_fits_the_graph_anew_unless_the_user_zoomed(window, qtbot):
    window.act("open_pipeline", path="quantize_classifier.json")
    view = window.view

    def is_all_seen() -> bool:
        seen = view.mapToScene(view.viewport().rect()).boundingRect()
        return bool(seen.contains(view.scene().content_rect()))

    window.act("fit")
    window.set_workspace("Compare")
    qtbot.waitUntil(is_all_seen)
    view.zoom(1.1)
    chosen = view.zoom_level
    window.set_workspace("Graph")
    qtbot.wait(50)
    assert view.zoom_level == chosen


def test_two_messages_at_once_do_not_lie_on_each_other(window, qtbot):
    window.act("open_pipeline", path="quantize_classifier.json")
    window.session.tell("One.", "The first.", kind="bad")
    window.session.tell("Two.", "The second.", kind="warn")
    qtbot.wait(theme().motion("toast_in") + 80)
    first, second = window.toasts.toasts[-2:]
    assert first.y() < second.y()
    window.toasts.clear()


def test_the_two_halves_of_run_make_one_button(window, qtbot):
    window.show_graph()
    qtbot.wait(20)
    row = window.tool_row
    assert (row.run.joined, row.more.joined) == ("right", "left")
    assert row.run.height() == row.more.height()
    assert row.run.geometry().right() + 1 == row.more.x()
