"""Writes a run's events, within the event budget, and tells listeners of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from backend.core import events as ev
from backend.core.run import Run

EVENTS_PER_SECOND = 20.0
_BURST = 200.0


class Recorder:
    """The only writer of ``events.jsonl`` and ``log.txt`` of a run."""

    def __init__(self, run: Run, on_event: Callable[[ev.Event], None] | None = None) -> None:
        self.run = run
        self._on_event = on_event
        self._held: dict[tuple[str, ...], Any] = {}
        self._budget, self._refilled = _BURST, time.monotonic()
        before = run.tail()[0]
        self._started = {e.node for e in before if isinstance(e, ev.NodeStarted)}
        self._finished = {e.node: e.fingerprint for e in before if isinstance(e, ev.NodeFinished)}

    def has_started(self, node: str) -> bool:
        """Whether an earlier attempt of this run had begun the node."""
        return node in self._started

    def finished(self, node: str) -> str:
        """Fingerprint with which an earlier attempt of this run finished the node; else empty."""
        return self._finished.get(node, "")

    def write(self, event: ev.Event) -> None:
        """Write an event now."""
        self.run.append(event)
        if isinstance(event, ev.Log):
            self.write_log(f"{event.level.upper():7} {event.node or 'run'}: {event.text}")
        self._hear(event)

    def tell(self, event: ev.Event) -> None:
        """Write an event if the disk lets us; listeners hear of it in any case.

        For the end of a run, which must be told even when a full disk is what ended it.
        """
        with contextlib.suppress(OSError):
            self.flush()
            self.run.append(event)
            if isinstance(event, ev.NodeFailed):
                self.write_log(f"ERROR   {event.node}: {event.error}\n{event.details}")
        self._hear(event)

    def write_limited(self, event: ev.Event, key: tuple[str, ...]) -> None:
        """Write an event if the budget allows; else hold it, in place of an older one of ``key``.

        Nothing that is the last of its kind is lost: held events are written as the budget
        refills and by :meth:`flush`.
        """
        now = time.monotonic()
        gained = (now - self._refilled) * EVENTS_PER_SECOND
        self._budget, self._refilled = min(_BURST, self._budget + gained), now
        self._held.pop(key, None)
        self._held[key] = event
        while self._held and self._budget >= 1:
            self._budget -= 1
            self.write(self._held.pop(next(iter(self._held))))

    def flush(self) -> None:
        """Write what is held and make sure of it on disk."""
        while self._held:
            self.write(self._held.pop(next(iter(self._held))))
        self.run.sync()

    def _hear(self, event: ev.Event) -> None:
        """Tell the listener. One that fails is not heard of again; the run is not its business."""
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception as error:
            self._on_event = None
            with contextlib.suppress(OSError):
                self.write_log(f"WARNING run: the listener failed and was left out: {error!r}")

    def write_log(self, text: str) -> None:
        """Append a line (or a traceback) to ``log.txt``."""
        with open(self.run.path / "log.txt", "a", encoding="utf-8") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {text.rstrip()}\n")
