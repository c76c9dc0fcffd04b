"""Which concept the phones show: a wish is sent at once, further ones at a measured pace."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from device_bridge import protocol as say
from studio.phone.concepts import ConceptSet
from studio.phone.phone import Phone
from studio.phone.state import ShownConcept

PACE_MS = 40
"""Least time between two wishes: a slider that is dragged tells more than a phone can show."""


_SAME = 0.005  # shares that look the same


class Switching(QObject):
    """Sends all phones the concept to show. Of wishes that come too fast the latest wins."""

    def __init__(self, phone: Phone, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._phone = phone
        self._waiting: say.ShowConcept | None = None
        self._sent: say.ShowConcept | None = None
        self._pace = QTimer(self)
        self._pace.setSingleShot(True)
        self._pace.setInterval(PACE_MS)
        self._pace.timeout.connect(self._next)

    @property
    def is_busy(self) -> bool:
        """Whether a wish waits, or has just been sent."""
        return self._pace.isActive()

    def is_overtaken(self, shown: ShownConcept) -> bool:
        """Whether a phone's answer is to a wish that newer ones have overtaken meanwhile."""
        last = self._waiting or self._sent
        if shown.by != "studio" or last is None:
            return False
        mine = (last.id, last.first, last.second)
        is_other = (shown.edit, shown.first, shown.second) != mine
        return is_other or abs(shown.share - last.share) > _SAME

    def show(
        self, one: ConceptSet, first: str, second: str | None = None, share: float = 0.0
    ) -> bool:
        """Show a concept, or a blend with ``share`` (0..1) of ``second``.

        A set that the phones do not have is pushed before; they keep the wish until it is there.
        Returns False without a phone.
        """
        phone = self._phone
        if phone.device is None:
            return False
        pushed = phone.state.edits.get(one.edit.id)
        if pushed is None or pushed.folder != one.edit.folder:
            phone.push(one.edit)
            self._sent = None
        if second is None or second == first or share <= 0.0:
            second, share = None, 0.0
        self._waiting = say.ShowConcept(
            id=one.edit.id, first=first, second=second, share=min(share, 1.0)
        )
        if not self._pace.isActive():
            self._next()
        return True

    def forget(self) -> None:
        """Send nothing that still waits: the phones are gone, or show what they chose."""
        self._waiting = self._sent = None

    def _next(self) -> None:
        wish, self._waiting = self._waiting, None
        if wish is None or wish == self._sent:
            return
        self._sent = wish
        self._phone.link.tell(None, wish)
        self._pace.start()
