"""What was changed in the document since the run that the cards show, node by node."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from backend.core.errors import FretsawError
from backend.core.graph import Graph, GraphNode, Specs
from backend.core.run import Run
from backend.core.schema import defaults
from studio.differences import shown

if TYPE_CHECKING:
    from studio.session import Session


@dataclass(frozen=True)
class Outdated:
    """Why what a run gave for a node is not what the node would give now."""

    short: str
    """A few words for the card: ``bits changed``."""
    long: str
    """A sentence: what is, and what was in that run."""


class Changes(QObject):
    """Compares the document with the graph of the run in focus; looks anew after every edit."""

    changed = Signal(object)
    """Names of the nodes for which the answer is another one."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._found: dict[str, Outdated] | None = None
        self._told: dict[str, Outdated] = {}
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self._tell)
        for signal in (
            session.document.changed,
            session.document.replaced,
            session.focus_changed,
            session.catalog.changed,
        ):
            signal.connect(self._forget)

    def of(self, node: str) -> Outdated | None:
        """Return why a node's result is out of date; None when it is not, or without a run."""
        if self._session.focus is None:
            return None
        if self._found is None:
            self._found = self._look()
        return self._found.get(node)

    def _look(self) -> dict[str, Outdated]:
        focus, graph = self._session.focus, self._session.document.graph
        then = graph_of(focus.run.path) if focus is not None else None
        return outdated(then, graph, self._session.catalog.specs) if then is not None else {}

    def _forget(self, _change: object = None) -> None:
        self._found = None
        if self._session.focus is not None or self._told:
            self._later.start()

    def _tell(self) -> None:
        now = self._look() if self._session.focus is not None else {}
        names = {n for n in now.keys() | self._told.keys() if now.get(n) != self._told.get(n)}
        self._found, self._told = now, now
        if names:
            self.changed.emit(names)


@lru_cache(maxsize=16)
def graph_of(folder: Path) -> Graph | None:
    """Return the graph of a run, which never changes; None when it cannot be read."""
    try:
        return Run(folder).graph()
    except (FretsawError, OSError):
        return None


def outdated(then: Graph, now: Graph, specs: Specs) -> dict[str, Outdated]:
    """Return for each node of both graphs what changed of it or of what it needs."""
    if now.circle():
        return {}
    found: dict[str, Outdated] = {}
    for name in now.order():
        node, old = now.nodes[name], then.nodes.get(name)
        if old is None or old.type != node.type:
            continue
        reason = _own(then, now, name, specs)
        if reason is None:
            sources = [link.source_node for link in now.into(name)]
            cause = next((source for source in sources if source in found), None)
            if cause is not None:
                kind = now.nodes[cause].type
                title = specs[kind].title if kind in specs else cause
                reason = Outdated(f"{title} changed", f"Needs {title}. {found[cause].long}")
        if reason is not None:
            found[name] = reason
    return found


def _own(then: Graph, now: Graph, name: str, specs: Specs) -> Outdated | None:
    old, node = then.nodes[name], now.nodes[name]
    if then.seed != now.seed:
        return Outdated("seed changed", f"The seed is {now.seed}, was {then.seed}.")
    if old.bypass != node.bypass:
        words = "bypassed now" if node.bypass else "no longer bypassed"
        return Outdated(words, f"{name} is {words}.")
    spec = specs.get(node.type)
    usual = defaults(spec.params) if spec is not None else {}
    lines = _settings(old, node, usual)
    if lines:
        short = f"{next(iter(lines))} changed" if len(lines) == 1 else f"{len(lines)} settings"
        told = ", ".join(f"{key.replace('_', ' ')} {text}" for key, text in lines.items())
        short = short if len(lines) == 1 else f"{short} changed"
        return Outdated(short.replace("_", " "), f"{name}: {told} in the run shown.")
    before = [(link.source, link.target) for link in then.into(name)]
    after = [(link.source, link.target) for link in now.into(name)]
    if before != after:
        return Outdated("links changed", f"What is linked to {name} is not as in the run shown.")
    return None


def _settings(old: GraphNode, new: GraphNode, usual: Mapping[str, Any]) -> dict[str, str]:
    was, now = {**usual, **old.params}, {**usual, **new.params}
    keys = dict.fromkeys((*now, *was))
    return {
        key: f"is {shown(now.get(key))}, was {shown(was.get(key))}"
        for key in keys
        if not _is_same(was.get(key), now.get(key))
    }


def _is_same(one: Any, two: Any) -> bool:
    if one == two:
        return True
    if isinstance(one, str) and isinstance(two, str):  # runs keep paths in full
        return os.path.abspath(os.path.expanduser(one)) == os.path.abspath(os.path.expanduser(two))
    return False
