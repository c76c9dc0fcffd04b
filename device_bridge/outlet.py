"""Events on their way to the studio: all of them in order, but of previews only the latest."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, BinaryIO

from device_bridge.wire import Preview


class Outlet:
    """Writes events as JSON lines from a thread of its own.

    A studio that reads slowly never holds the server up and never gets a queue of old pictures.
    """

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._events: list[Any] = []
        self._previews: OrderedDict[str, Preview] = OrderedDict()
        self._change = threading.Condition()
        self._is_open = True
        self._thread = threading.Thread(target=self._write, name="outlet", daemon=True)
        self._thread.start()

    def put(self, event: Any) -> bool:
        """Take an event; True if an older preview of the same device was dropped for it."""
        with self._change:
            is_preview = isinstance(event, Preview)
            replaced = is_preview and event.device in self._previews
            if is_preview:
                self._previews[event.device] = event
            else:
                self._events.append(event)
            self._change.notify()
        return replaced

    def close(self) -> None:
        """Write what is left, for at most two seconds."""
        with self._change:
            self._is_open = False
            self._change.notify()
        self._thread.join(2.0)

    def _write(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._events or self._previews or not self._is_open)
                batch = [*self._events, *self._previews.values()]
                self._events.clear()
                self._previews.clear()
                if not batch and not self._is_open:
                    return
            lines = b"".join(e.model_dump_json(exclude_none=True).encode() + b"\n" for e in batch)
            try:
                self._sink.write(lines)
                self._sink.flush()
            except (OSError, ValueError):
                return  # the studio is gone; standard input ends next
