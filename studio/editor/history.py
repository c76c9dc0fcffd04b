"""The steps back and forth of a document, and whether its file is up to date."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoStack

from backend.core.graph import Graph
from studio.editor.commands import Edit, Marks, Step, done

DEPTH = 200
BURST_SECONDS = 1.0
"""Edits of the same thing that follow each other within this time are one step."""


class History(QObject):
    """Does edits and remembers them in a `QUndoStack`; selection and panning are no edits."""

    stepped = Signal()
    """After an edit, an undo, a redo or a save."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stack = QUndoStack(self)
        self.stack.setUndoLimit(DEPTH)
        self.stack.indexChanged.connect(self._stepped)
        self._graph = Graph()
        self._marks = Marks(None, None)
        self._macro: list[Step] | None = None
        self._burst: tuple[Hashable, float] | None = None

    @property
    def is_modified(self) -> bool:
        """Whether the present state means something else than the saved one."""
        return self._marks.now is not self._marks.saved

    def begin(self, graph: Graph, *, is_modified: bool = False) -> None:
        """Start anew with another graph."""
        self._graph = graph
        self._marks.saved = object()
        self._marks.now = object() if is_modified else self._marks.saved
        self.stack.clear()
        self._stepped()

    def saved(self) -> None:
        """Remember that the file is as the graph is now; the next edit is a step of its own."""
        self._marks.saved = self._marks.now
        self.stack.setClean()
        self._stepped()

    def do(self, text: str, steps: Sequence[Step], key: Hashable = None) -> None:
        """Do ``steps`` as one edit, which joins the one before if that has the same ``key``."""
        before = self._marks.now
        finished = done(self._graph, steps)
        if any(step.counts for step in finished):
            self._marks.now = object()
        if self._macro is not None:
            self._macro += finished
        else:
            self._push(text, finished, before, key)

    @contextmanager
    def macro(self, text: str, key: Hashable = None) -> Iterator[None]:
        """Make several edits one; if one is refused, none of them happens.

        With a ``key`` it continues one of the same key that was made within a second.
        """
        is_inner, first, before = self._macro is not None, len(self._macro or ()), self._marks.now
        steps = self._macro = [] if self._macro is None else self._macro
        try:
            yield
        except BaseException:
            for step in reversed(steps[first:]):
                step.undo(self._graph)
            del steps[first:]
            self._macro = steps if is_inner else None
            self._marks.now = before
            raise
        if not is_inner:  # an inner one is part of the outer
            self._macro = None
            self._push(text, steps, before, key)

    # -- inner -----------------------------------------------------------------------------------

    def _push(self, text: str, steps: list[Step], before: object, key: Hashable) -> None:
        if not steps:
            return
        now, burst = time.monotonic(), self._burst
        joins = key is not None and burst is not None and burst[0] == key
        joins = joins and burst is not None and now - burst[1] <= BURST_SECONDS
        self.stack.push(Edit(text, steps, self._graph, self._marks, before, joins))
        self._stepped()  # Qt is silent when an edit joined
        self._burst = (key, now) if key is not None else None

    def _stepped(self) -> None:
        self._burst = None
        self.stepped.emit()
