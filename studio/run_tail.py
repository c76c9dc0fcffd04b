"""Reads what unfinished runs write: one timer for all of them, a few milliseconds a tick."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

from backend.core.run import Run
from studio.run_watch import RunWatch

TICK_MS = 100
HIDDEN_MS = 1000
BACKLOG_MS = 20
PARSE_SECONDS = 0.005
_LEAST_SLICE = 0.0003
_CHECK_SECONDS = 1.0
_CHECKS_A_TICK = 2


class RunTail(QObject):
    """Follows runs until they end and all they wrote was read; the timer rests without any."""

    batch = Signal(object)
    """``(RunWatch, list of events)``"""
    states_changed = Signal()
    """A run began, ended or was stopped."""

    def __init__(self, state_of: Callable[[Run], str], parent: QObject | None = None) -> None:
        """``state_of`` says how a run stands, without waiting for anybody."""
        super().__init__(parent)
        self.followed: dict[str, RunWatch] = {}
        self._state_of = state_of
        self._turn = 0
        self._is_visible = True
        self._is_closed = False
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.tick)

    def follow(self, watch: RunWatch) -> None:
        """Read a run from now on."""
        self.followed[watch.name] = watch
        self.wake()

    def set_visible(self, on: bool) -> None:
        """Go slowly while nobody looks: that a run ended is to be told all the same."""
        self._is_visible = on
        if self._timer.isActive():
            self._timer.setInterval(TICK_MS if on else HIDDEN_MS)
        else:
            self.wake()

    @property
    def interval_ms(self) -> int:
        """Time between two looks at the runs."""
        return self._timer.interval()

    @property
    def is_active(self) -> bool:
        """Whether the timer runs."""
        return self._timer.isActive()

    def wake(self) -> None:
        """Start the timer if there is something to follow."""
        if not self._is_closed and self.followed and not self._timer.isActive():
            self._timer.start(TICK_MS if self._is_visible else HIDDEN_MS)

    def close(self) -> None:
        """Stop the timer."""
        self._is_closed = True
        self._timer.stop()

    def tick(self) -> None:
        """Read what is new: at most 5 ms in total, the same share for each run."""
        watches = list(self.followed.values())
        if watches:
            self._turn = (self._turn + 1) % len(watches)
        watches = watches[self._turn :] + watches[: self._turn]
        has_more = self._read(watches)
        self._look_at_states(watches)
        for name, watch in list(self.followed.items()):
            if not watch.is_unfinished and watch.is_caught_up and not watch.must_check:
                del self.followed[name]
        if not self.followed:
            self._timer.stop()
        elif self._timer.isActive():
            rest = TICK_MS if self._is_visible else HIDDEN_MS
            wanted = BACKLOG_MS if has_more else rest
            if self._timer.interval() != wanted:
                self._timer.setInterval(wanted)

    def _read(self, watches: list[RunWatch]) -> bool:
        """Read each in turn; what one leaves of its share is for the rest. Tells if more is left.

        Time that listeners take counts, too, so that many of them cannot make a tick long.
        """
        has_more = False
        until = time.perf_counter() + PARSE_SECONDS
        for index, watch in enumerate(watches):
            share = (until - time.perf_counter()) / (len(watches) - index)
            if share < _LEAST_SLICE and index:
                return True  # the others come first in one of the next ticks
            if found := watch.read(max(share, _LEAST_SLICE)):
                self.batch.emit((watch, found))
            has_more |= not watch.is_caught_up
        return has_more

    def _look_at_states(self, watches: list[RunWatch]) -> None:
        """Look at the locks of a run or two; each one's turn comes about once a second."""
        now = time.monotonic()
        due = [w for w in watches if w.must_check or now - w.checked_at > _CHECK_SECONDS]
        due = [w for w in due if w.must_check or w.is_unfinished]
        due.sort(key=lambda watch: (not watch.must_check, watch.checked_at))
        news = [watch.set_state(self._state_of(watch.run)) for watch in due[:_CHECKS_A_TICK]]
        if any(news):
            self.states_changed.emit()
