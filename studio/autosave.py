"""Saves a named graph after each edit, for those who switched that on."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from backend.core.errors import DocumentError, sentence
from studio.session import Session

DELAY_MS = 1000


class Autosave(QObject):
    """Waits until the edits of a second are together; without the switch it does nothing."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._save)
        session.document.changed.connect(self._edited)

    def stop(self) -> None:
        """Save nothing more by itself."""
        self._timer.stop()

    def _edited(self, _change: object) -> None:
        if self._session.settings.values.autosave and self._session.document.path is not None:
            self._timer.start()

    def _save(self) -> None:
        document = self._session.document
        if document.path is None or document.is_saved:
            return
        try:
            document.save()
        except (DocumentError, OSError) as error:  # such as a file that something else changed
            self._session.tell(sentence(error), kind="warn")
