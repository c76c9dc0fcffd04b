"""News of the run in focus, at a pace that an eye can follow, and payloads read beside it."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from backend.core import events as ev
from backend.core.files import inside
from backend.core.views import read_payload
from studio.background import Background
from studio.run_watch import RunWatch
from studio.session import Session

_PAUSE_MS = 100
_KEPT = 24


class Following(QObject):
    """Tells ``news`` when the run in focus changed: ten times a second at most, while seen."""

    news = Signal()

    def __init__(self, session: Session, owner: QWidget) -> None:
        super().__init__(owner)
        self._session = session
        self._owner = owner
        self._watch: RunWatch | None = None
        self._is_stale = True
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._flush)
        owner.installEventFilter(self)
        session.focus_changed.connect(self._refocus)
        self._refocus()

    @property
    def watch(self) -> RunWatch | None:
        """The run in focus."""
        return self._watch

    def _refocus(self) -> None:
        if self._watch is not None:
            with contextlib.suppress(RuntimeError):  # the watch may be gone already
                self._watch.changed.disconnect(self._came)
                self._watch.restarted.disconnect(self._restarted)
        self._watch = self._session.focus
        if self._watch is not None:
            self._watch.changed.connect(self._came)
            self._watch.restarted.connect(self._restarted)
        self._is_stale = True
        self._flush()

    def _came(self, _events: object) -> None:
        self._is_stale = True
        if self._owner.isVisible() and not self._timer.isActive():
            self._timer.start()

    def _restarted(self) -> None:
        self._came(None)

    def _flush(self) -> None:
        if self._is_stale and self._owner.isVisible():
            self._is_stale = False
            self.news.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Catch up when the owner is shown, rest when it is hidden."""
        if "_timer" not in self.__dict__:  # it is being taken apart together with its owner
            return False
        if event.type() == QEvent.Type.Show:
            self._flush()
        elif event.type() == QEvent.Type.Hide:
            self._timer.stop()
        return False


class Payloads(QObject):
    """Payloads of view events: those in the event at once, those in files read in a thread."""

    ready = Signal(object)
    """The payload of this event (its run folder and path) came, or will not come."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._work = Background("views", self)
        self._kept: OrderedDict[tuple[Path, str], Any] = OrderedDict()
        self._asked: set[tuple[Path, str]] = set()
        parent.destroyed.connect(self._work.close)

    def get(self, folder: Path, event: ev.View) -> Any | str | None:
        """Return the payload, a sentence if there is none, or None while it is being read."""
        if event.data is not None:
            return event.data
        if not event.path:
            return "This view has no data."
        key = (folder, event.path)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._asked:
            self._asked.add(key)
            self._work.do(lambda: (key, load_payload(*key)), self._came)
        return None

    def forget_failures(self) -> None:
        """Try again what could not be read."""
        for key in [k for k, v in self._kept.items() if isinstance(v, str)]:
            del self._kept[key]

    def close(self) -> None:
        """End the thread."""
        self._work.close()

    def _came(self, outcome: Any) -> None:
        key, payload = outcome
        self._asked.discard(key)
        self._kept[key] = payload
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        self.ready.emit(key)


def load_payload(folder: Path, name: str) -> Any | str:
    """Read a payload from a run folder; a sentence if that fails."""
    try:
        return read_payload(inside(folder, name))
    except FileNotFoundError:
        return f'The file "{name}" is missing from the run folder.'
    except (gzip.BadGzipFile, EOFError, zlib.error, ValidationError, UnicodeDecodeError):
        return f'The file "{name}" is damaged. Run the node again to make it anew.'
    except ValueError as error:  # the path leads out of the folder
        return str(error)
    except OSError as error:
        return f'The file "{name}" cannot be read: {error.strerror or error}.'
    except MemoryError:
        return f'The file "{name}" is too large for the memory that is free.'
    except Exception as error:  # whatever a damaged file leads to, it is said in its place
        return f'The file "{name}" cannot be read: {error}'
