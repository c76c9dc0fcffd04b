"""Offers what a window left behind that ended without being asked to save."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from studio.document_file import InUse
from studio.journal import Journal, Leftover

if TYPE_CHECKING:
    from studio.main_window import MainWindow

MOST_LINES = 12


def offer(window: MainWindow) -> None:
    """Ask about each leftover in turn; without any, nothing is shown."""
    left = Journal.leftovers(window.session.workspace)
    if left:
        _ask(window, left)


def _ask(window: MainWindow, left: list[Leftover]) -> None:
    first, rest = left[0], left[1:]
    when = f"{datetime.fromtimestamp(first.written):%d %b %H:%M}"

    def go_on() -> None:
        if rest:
            _ask(window, rest)

    def restore() -> None:
        try:
            window.session.document.restore(first)
        except InUse:
            window.session.document.restore(first, as_copy=True)
        if rest:
            window.session.tell(
                f"{len(rest)} more unsaved graphs were kept.",
                kind="warn",
                action=("Look at them", lambda: _ask(window, rest)),
            )
        window.show_graph()
        window.view.zoom_to_fit()
        text = f'"{first.name}" is as you left it.'
        window.session.tell(text, "It is not saved yet.", kind="good")

    def discard() -> None:
        first.discard()
        go_on()

    def show() -> None:
        window.ask(
            f"{first.name}, {when}:\n{_summary(first)}", ("Restore", restore), ("Discard", discard)
        )

    window.ask(
        f'The studio ended before "{first.name}" was saved. Its state of {when} was kept.',
        ("Restore", restore),
        ("Discard", discard),
        ("Show", show),
    )


def _summary(leftover: Leftover) -> str:
    lines = leftover.differences()
    more = len(lines) - MOST_LINES
    text = "\n".join(lines[:MOST_LINES])
    return f"{text}\nand {more} more" if more > 0 else text
