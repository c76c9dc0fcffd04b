"""How long nodes took in earlier runs of the open document, for cards that were not run yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from studio.docks.measured import EarlierRuns

if TYPE_CHECKING:
    from studio.session import Session


class Estimates(QObject):
    """Measured times only; looks anew when runs came or went, or another document is open."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._runs = EarlierRuns(session.workspace)
        self._is_old = True
        session.runner.changed.connect(self._forget)
        session.document.replaced.connect(self._forget)

    def of(self, node: str) -> float | None:
        """Return the seconds that a node took when it was computed last; None if it never was."""
        document = self._session.document
        if self._is_old:
            self._is_old = False
            self._runs.refresh(document.name)
        found = self._runs.find(node, document.graph.nodes[node])
        return found.seconds if found is not None else None

    def _forget(self) -> None:
        self._is_old = True
