"""What is wrong with the open document, found again in the next idle turn after edits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QObject, QTimer, Signal

from backend.core.graph import Graph, Problem
from backend.core.node import NodeSpec


class Validation(QObject):
    """Problems of a graph, by node. A burst of edits costs one validation, not one an edit."""

    done = Signal()

    def __init__(self, graph: Callable[[], Graph], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.specs: Mapping[str, NodeSpec] = {}
        self.problems: list[Problem] = []
        self._of: dict[str, list[Problem]] = {}
        self._graph = graph
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.run)

    def soon(self) -> None:
        """Validate when nothing else is to be done."""
        if not self._timer.isActive():
            self._timer.start(0)

    def run(self) -> None:
        """Validate now."""
        self.stop()
        # Before the catalogue is there, every kind would be one that is not installed.
        self.problems = self._graph().problems(self.specs) if self.specs else []
        self._of = {}
        for problem in self.problems:
            self._of.setdefault(problem.node, []).append(problem)
        self.done.emit()

    def of(self, node: str) -> list[Problem]:
        """Return the problems of one node."""
        return self._of.get(node, [])

    def stop(self) -> None:
        """Do not validate after all."""
        self._timer.stop()
