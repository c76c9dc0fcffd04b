"""Reads a file of events in slices of time, so that neither a live run nor a huge one is felt."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

from backend.core import events as ev

_CHUNK = 256 * 1024
# With more than this unread, progress is skipped: what follows supersedes it, and it is half of a
# file. What is left at the end is read with everything in it.
_BACKLOG = 1024 * 1024
# No event is longer: what is large is kept in a file of its own.
_LONGEST = 4 * 1024 * 1024
_PROGRESS = b'"kind":"progress"'


class EventReader:
    """Follows ``events.jsonl``. A line without its end waits; one that does not parse is skipped.

    Raises nothing: a file that cannot be read says so in ``error`` and gives no events.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error = ""
        self.has_more = False
        """Whether the last call ended because its time was up."""
        self.begins_anew = False
        """Whether the file became shorter: what was read from it before is void."""
        self._offset = 0
        self._size = 0
        self._rest = b""
        self._lines: deque[bytes] = deque()

    def read(self, seconds: float) -> list[ev.Event]:
        """Return new events, reading for about ``seconds``; the rest comes with the next call."""
        until = time.perf_counter() + seconds
        found: list[ev.Event] = []
        self.begins_anew = False
        try:
            self._look()
            while self._lines or self._fill():
                line = self._lines.popleft()
                if not self._is_skipped(line) and (event := ev.parse_line(line)) is not None:
                    found.append(event)
                if time.perf_counter() >= until:
                    break
            self.error = ""
        except OSError as error:
            self.error = f'The events in "{self.path}" cannot be read ({error.strerror}).'
        self.has_more = bool(self._lines) or (not self.error and self._offset < self._size)
        return found

    def _look(self) -> None:
        try:
            self._size = self.path.stat().st_size
        except FileNotFoundError:
            self._size = 0
        if self._size < self._offset:
            self._offset, self._rest, self.begins_anew = 0, b"", True
            self._lines.clear()

    def _fill(self) -> bool:
        """Read the next piece; False when there is no whole line in what is left."""
        while self._offset < self._size:
            with open(self.path, "rb") as file:
                file.seek(self._offset)
                data = file.read(min(_CHUNK, self._size - self._offset))
            if not data:
                break
            self._offset += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._lines.extend(line for line in lines if line)
            if len(self._rest) > _LONGEST:
                self._rest = b"\0"  # no event: what is left of the line makes none either
            if self._lines:
                return True
        return False

    def _is_skipped(self, line: bytes) -> bool:
        return self._size - self._offset > _BACKLOG and line.find(_PROGRESS, 0, 80) >= 0
