"""Work that may take long and touches no widget: done by one thread, told by a signal."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal


class Background(QObject):
    """One thread that does what it is given, in order. It ends with :meth:`close`."""

    _told = Signal(object, object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None]
        self._jobs = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.is_closing = False
        """Long work looks at this between its steps and gives up."""
        self._told.connect(self._tell)

    def do(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Call ``work`` in the thread, then ``then`` with its result in this one.

        ``work`` must raise nothing; what it raises is handed to ``then`` instead of a result.
        """
        if self.is_closing:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put((work, then))

    def close(self) -> None:
        """End the thread and wait for it; results that are on their way are dropped."""
        self.is_closing = True
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self.is_closing:
                continue
            work, then = job
            try:
                result = work()
            except Exception as error:
                result = error
            if not self.is_closing:
                self._told.emit(then, result)

    def _tell(self, then: Callable[[Any], None], result: Any) -> None:
        if not self.is_closing:
            then(result)
