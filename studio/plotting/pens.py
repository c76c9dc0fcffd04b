"""Which pen a run has: the same in every dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen

from studio.theme import theme
from studio.tokens import token

if TYPE_CHECKING:
    from studio.session import Session

FOCUS = 0


def shown_runs(session: Session) -> list[str]:
    """Names of the runs that docks draw: the one in focus, then the marked ones, in pen order."""
    focus = session.focus.name if session.focus is not None else None
    names = [focus] if focus is not None else []
    return names + [name for name in session.marked if name != focus]


def pen_index(session: Session, run: str) -> int | None:
    """Index of a run's pen; None for a run that is neither in focus nor marked."""
    focus = session.focus.name if session.focus is not None else None
    if run == focus:
        return FOCUS
    others = [name for name in session.marked if name != focus]
    return others.index(run) + 1 if run in others else None


def faint(color: QColor) -> QColor:
    """The colour of a raw line, or of a curve that steps back, for a pen's colour."""
    return theme().mix("panel", color, token("derived.faint_raw")[2])


def band(color: QColor) -> QColor:
    """The colour of the band from least to greatest value for a pen's colour."""
    return theme().mix("panel", color, token("derived.band")[2])


def make_pen(color: QColor, width: float = 1.0, dash: list[float] | None = None) -> QPen:
    """Return a cosmetic pen, dashed where the pen's turn says so."""
    pen = QPen(color, width)
    pen.setCosmetic(True)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    if dash:
        pen.setDashPattern(dash)
    return pen
