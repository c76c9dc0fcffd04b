"""Which results of a document are stored, and why others are not: asked of the command line."""

from __future__ import annotations

import json
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from backend.core.files import parse_json
from backend.core.graph import Graph, Specs
from backend.core.graph_paths import make_paths_absolute
from backend.core.workspace import Workspace
from studio.launcher import backend_command, environment

_WAIT_MS = 800
_MOST_ANSWERS = 5_000
Signature = int


@dataclass(frozen=True)
class Stale:
    """Of one node: its result is stored, is out of date, or was never computed; and why."""

    state: Literal["cached", "stale", "new"]
    why: str = ""


class StaleCheck(QObject):
    """Asks about one document at a time, a moment after the last question.

    An answer counts for a node as long as it and all that it needs stay as they were.
    """

    changed = Signal()

    def __init__(
        self, workspace: Workspace, specs: Callable[[], Specs], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._specs = specs
        self._answers: OrderedDict[Signature, Stale | None] = OrderedDict()
        self._waiting: dict[str, Signature] | None = None
        self._wanted: tuple[Graph, str] | None = None
        self._asked: dict[str, Signature] = {}
        self._process: QProcess | None = None
        self._file = ""
        self._memo: tuple[Graph, str, dict[str, Stale]] | None = None
        self._memo_timer = QTimer(self)
        self._memo_timer.setSingleShot(True)
        self._memo_timer.timeout.connect(self._forget_memo)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._start)

    def ask(self, graph: Graph, device: str = "cpu") -> dict[str, Stale]:
        """Return what is known; for the rest :attr:`changed` tells when it is."""
        if self._memo is not None and self._memo[0] is graph and self._memo[1] == device:
            return self._memo[2]
        marks = signatures(graph, device)
        is_open = any(mark not in self._answers for mark in marks.values())
        if is_open and marks not in (self._asked if self._process else None, self._waiting):
            self._waiting = marks
            self._wanted = (Graph.from_json(graph.to_json()), device)
            if self._process is None:
                self._timer.start()
        known = {name: self._answers.get(mark) for name, mark in marks.items()}
        answers = {name: answer for name, answer in known.items() if answer is not None}
        # A canvas asks once for each of its nodes: the same until the event loop's next turn.
        self._memo = (graph, device, answers)
        self._memo_timer.start()
        return answers

    def forget(self) -> None:
        """Drop all answers: a run computed something."""
        self._answers.clear()
        self._memo = None
        self._asked = {}  # an answer that is on its way is of before
        self.changed.emit()

    def close(self) -> None:
        """Ask no more."""
        self._timer.stop()
        self._memo_timer.stop()
        process, self._process = self._process, None
        if process is not None:
            process.finished.disconnect(self._finished)
            process.kill()
            process.waitForFinished(2000)
        self._remove_file()

    def _start(self) -> None:
        if self._wanted is None or self._process is not None:
            return
        (graph, device), self._wanted, self._waiting = self._wanted, None, None
        self._asked = signatures(graph, device)
        make_paths_absolute(graph, self._specs())
        try:
            handle, self._file = tempfile.mkstemp(prefix="fretsaw-", suffix=".json")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(graph.to_json(), file)
        except OSError:
            return  # no room for a small file: then nothing is known
        words = ("run", self._file, "--dry-run", "--json", "--device", device)
        process = QProcess(self)
        process.setProgram(backend_command()[0])
        process.setArguments(backend_command(*words)[1:])
        process.setProcessEnvironment(environment(self._workspace))
        process.setStandardInputFile(QProcess.nullDevice())
        process.setStandardErrorFile(QProcess.nullDevice())
        process.finished.connect(self._finished)
        self._process = process
        process.start()

    def _finished(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        output = bytes(process.readAllStandardOutput().data())
        process.deleteLater()
        self._remove_file()
        # No answer is one, too: a node with a problem is not asked about again until it changes.
        found = {**dict.fromkeys(self._asked), **_parsed(output)}
        for name, mark in self._asked.items():
            self._answers[mark] = found[name]
        while len(self._answers) > _MOST_ANSWERS:
            self._answers.popitem(last=False)
        if self._wanted is not None:
            self._timer.start()
        self._memo = None
        if self._asked:
            self.changed.emit()

    def _forget_memo(self) -> None:
        self._memo = None

    def _remove_file(self) -> None:
        if self._file:
            with suppress(OSError):
                os.unlink(self._file)
            self._file = ""


def signatures(graph: Graph, device: str) -> dict[str, Signature]:
    """Return for each node a number that changes when it or anything that it needs changes.

    Empty for a document whose links go round in a circle.
    """
    if graph.circle():
        return {}
    marks: dict[str, Signature] = {}
    into: dict[str, list[tuple[str, str, str]]] = {}
    for link in graph.links:
        into.setdefault(link.target_node, []).append((link.source_node, link.source, link.target))
    for name in graph.order():
        node = graph.nodes[name]
        params = json.dumps(node.params, sort_keys=True, default=str)
        sources = tuple(
            (source, target, marks.get(origin)) for origin, source, target in into.get(name, ())
        )
        facts = (graph.name, graph.seed, device, name, node.type, node.version, node.bypass)
        marks[name] = hash((*facts, params, sources))
    return marks


def _parsed(output: bytes) -> dict[str, Stale]:
    found: dict[str, Stale] = {}
    with suppress(ValueError, KeyError, TypeError):
        for name, answer in parse_json(output)["nodes"].items():
            found[name] = Stale(answer["state"], answer["why"])
    return found
