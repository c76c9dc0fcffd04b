"""A small stand-in for the session, so that docks are tested without runner and window."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from PySide6.QtCore import QObject, Signal

from backend.core import events as ev
from backend.core.catalog import Catalog
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.workspace import Workspace
from studio.run_watch import RunWatch
from studio.settings import SettingsStore


class World(QObject):
    """Session, runner and run index in one; keeps what docks asked for in ``calls``."""

    focus_changed = Signal()
    marks_changed = Signal()

    def __init__(self, workspace: Workspace, catalog: Catalog) -> None:
        super().__init__()
        self.workspace = workspace
        self.settings = SettingsStore(workspace)
        self.catalog = SimpleNamespace(specs=dict(catalog.nodes))
        self.selection = SimpleNamespace(current=None)
        self.runner = StubRunner(workspace, self)
        self.marked: tuple[str, ...] = ()
        self.focus: RunWatch | None = None
        self.calls: list[tuple[Any, ...]] = []

    def tell(self, text: str, detail: str = "", **how: Any) -> None:
        self.calls.append(("tell", text, detail))

    def tell_error(self, error: object) -> None:
        self.calls.append(("error", str(error)))

    def act(self, action: str, **details: Any) -> None:
        self.calls.append(("act", action, details))

    def set_focus(self, name: str | None) -> None:
        self.focus = None if name is None else self.runner.watch(name)
        self.focus_changed.emit()

    def mark(self, name: str, on: bool = True) -> None:
        rest = tuple(other for other in self.marked if other != name)
        self.marked = (*rest, name) if on else rest
        self.marks_changed.emit()


class StubRunner(QObject):
    """Watches real run directories; does nothing but note what it was asked for."""

    changed = Signal()

    def __init__(self, workspace: Workspace, world: World) -> None:
        super().__init__(world)
        self.workspace = workspace
        self.world = world
        self.states: dict[str, str] = {}
        self.queued: list[str] = []
        self.killable: set[str] = set()
        self.index: Any = None
        self._watches: dict[str, RunWatch] = {}

    def watch(self, name: str) -> RunWatch:
        if name not in self._watches:
            watch = RunWatch(Run.open(name, self.workspace))
            watch.read(10.0)
            self._watches[name] = watch
        return self._watches[name]

    def state(self, name: str) -> str:
        return self.states.get(name, "finished")

    def can_kill(self, name: str) -> bool:
        return name in self.killable

    def as_command(self, name: str) -> str:
        return f"python -m backend run {name}"

    def as_python(self, graph: Graph) -> str:
        return f"graph = Graph({graph.name!r})"

    def __getattr__(self, name: str) -> Any:
        if name not in ("stop", "kill", "resume", "rerun", "cancel_queued", "reorder"):
            raise AttributeError(name)

        def deed(*args: Any) -> str:
            self.world.calls.append((name, *args))
            return str(args[0]) if args else ""

        return deed


def make_run(workspace: Workspace, name: str, **params: Any) -> Run:
    """Make a run directory of one training node with these parameters."""
    graph = Graph()
    graph.add("train", name="train", **params)
    run = Run.create(graph, workspace)
    run.path.rename(run.path.with_name(name))
    run = Run(run.path.with_name(name))
    run.append(ev.RunStarted(seed=0, device="cpu", threads=1, nodes=["train"]))
    run.append(ev.NodeStarted(node="train"))
    return run


def write(run: Run, metric: str, values: list[float], start: int = 0, node: str = "train") -> None:
    """Append a value of a metric for each step."""
    for step, value in enumerate(values, start):
        run.append(ev.Metric(node=node, step=step, values={metric: value}, seq=step + 1))
    run.close()
