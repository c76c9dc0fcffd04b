"""Starts runs and follows all that are not finished: in this workspace, by whomever started.

Nothing is computed here: the command line is, in a process of its own that outlives the window.
"""

from __future__ import annotations

import shutil
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakValueDictionary

from PySide6.QtCore import QObject, QTimer, Signal

from backend.core.errors import DocumentError, sentence
from backend.core.graph import Graph, Specs
from backend.core.queue import Queue
from backend.core.run import Run
from backend.core.workspace import Workspace
from studio import reproduce, run_process
from studio.background import Background
from studio.launch import Launch
from studio.prepare_run import Sweep, make_runs
from studio.run_index import RunIndex
from studio.run_tail import RunTail
from studio.run_watch import UNFINISHED, RunWatch, is_taken, quick_state, stop_asked_for
from studio.scan import traces, unfinished
from studio.stale import Stale, StaleCheck

_LOOK_MS = 2_000
_KILL_SECONDS = 5.0
_KEPT = 12


class Runner(QObject):
    """The runs of a workspace: start, stop, kill, resume, reorder, and follow them."""

    changed = Signal()
    """The list, order or state of runs is another one."""
    batch = Signal(object)
    """``(RunWatch, list of events)``: new events of a run that is followed or being read."""
    stale_changed = Signal()
    """:meth:`stale` has news for the document that was asked about."""

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.queue = Queue(workspace)
        self.specs: Specs = {}
        self._watches: WeakValueDictionary[str, RunWatch] = WeakValueDictionary()
        self._recent: OrderedDict[str, RunWatch] = OrderedDict()
        self._launches: list[Launch] = []
        self._killed: set[str] = set()
        self._late: set[str] = set()
        self._order: list[str] = []
        self._looked: tuple[int, ...] = ()
        self._is_scanning = False
        self._background = Background("runs", self)
        self._stale = StaleCheck(workspace, lambda: self.specs, self)
        self._stale.changed.connect(self.stale_changed)
        self._tail = RunTail(self._state_now, self)
        self._tail.batch.connect(self.batch)
        self._tail.states_changed.connect(self._states_changed)
        self.index = RunIndex(self, self)
        self._look_timer = QTimer(self)
        self._look_timer.setInterval(_LOOK_MS)
        self._look_timer.timeout.connect(self._look)

    # -- life ------------------------------------------------------------------------------------

    def set_specs(self, specs: Specs) -> None:
        """Tell which kinds of node there are; called when the catalogue changes."""
        self.specs = specs

    def scan(self) -> None:
        """Look for runs that wait or compute, whoever started them; :attr:`changed` tells.

        From then on it is looked for new ones every two seconds while the window is visible.
        """
        self._look_timer.start()
        self._looked = traces(self.workspace)
        self.index.refresh()
        if not self._is_scanning:
            self._is_scanning = True
            self._background.do(lambda: unfinished(self.workspace), self._scanned)

    def set_visible(self, on: bool) -> None:
        """Follow slowly while the window is hidden, and catch up when it is seen again."""
        self._tail.set_visible(on)
        if on:
            self.scan()

    def close(self) -> None:
        """Stop timers, threads and questions; runs go on."""
        self._tail.close()
        self._look_timer.stop()
        self._stale.close()
        self.index.close()
        self._background.close()

    # -- what there is ---------------------------------------------------------------------------

    @property
    def active(self) -> list[str]:
        """Names of the runs that compute."""
        busy = ("running", "cancelling")
        return [name for name, watch in self._tail.followed.items() if watch.state in busy]

    @property
    def queued(self) -> list[str]:
        """Names of the runs that wait, the next first."""
        waiting = [name for name, watch in self._tail.followed.items() if watch.state == "queued"]
        place = {name: index for index, name in enumerate(self._order)}
        return sorted(waiting, key=lambda name: place.get(name, len(place)))

    def state(self, name: str) -> str:
        """Say how a run stands; ``crashed`` also for one that is not there."""
        watch = self._watches.get(name)
        if watch is not None:
            return watch.state
        return quick_state(Run(self.workspace.runs / name))

    def known_state(self, name: str) -> str:
        """Return the state of a run that is followed or open; empty for others, at no cost."""
        watch = self._watches.get(name)
        return watch.state if watch is not None else ""

    def forget(self, name: str) -> None:
        """Follow a run no longer; its folder is gone."""
        self._tail.followed.pop(name, None)
        self._recent.pop(name, None)
        self._watches.pop(name, None)

    def watch(self, name: str) -> RunWatch:
        """Return the run, which is being read from now on; the same object while it is in use.

        Raises:
            DocumentError: there is no such run, or it is half deleted.
        """
        watch = self._watches.get(name)
        if watch is None:
            watch = RunWatch(self.open(name))
            self._watches[name] = watch
            self._tail.follow(watch)
        self._recent[name] = watch
        self._recent.move_to_end(name)
        while len(self._recent) > _KEPT:
            self._recent.popitem(last=False)
        return watch

    def can_kill(self, name: str) -> bool:
        """Whether the run did not obey a request to stop for five seconds."""
        late = self.state(name) == "cancelling" and stop_asked_for(self.workspace.runs / name)
        return late >= _KILL_SECONDS

    # -- deeds -----------------------------------------------------------------------------------

    def start(
        self,
        document_graph: Graph,
        *,
        target: str | None = None,
        only: Iterable[str] | None = None,
        force: Iterable[str] = (),
        seed: int | None = None,
        device: str = "cpu",
        threads: int | None = None,
        sweep: Sweep | None = None,
    ) -> str:
        """Run a document and return the name of the run; of a sweep, that of the first.

        Args:
            target: run to this node.
            only: run what these nodes need, and them.
            force: compute these although their results are stored.
            sweep: values by ``node.param``; one run for each combination.

        Raises:
            DocumentError: it cannot run; the sentence says why. Nothing was started.
        """
        with _in_words():
            runs = make_runs(
                document_graph,
                self.specs,
                self.workspace,
                target=target,
                only=only,
                force=force,
                seed=seed,
                device=device,
                threads=threads,
                sweep=sweep,
            )
        self._launch_new(runs)
        return runs[0].name

    def stop(self, name: str) -> None:
        """Ask a run to stop; one that waits is called off. One that has ended stays as it is."""
        run = self.open(name)
        if self._state_now(run) not in UNFINISHED:
            return
        with _in_words():
            # Not by asking the queue: its look at a lock that is held takes a tenth of a second.
            if self._is_launching(name) or is_taken(run):
                run.request_stop()
            else:
                self.queue.cancel(run)
        self._check(name)

    cancel_queued = stop

    def kill(self, name: str) -> None:
        """Kill the processes of a run that does not stop. What it saved before stays.

        Raises:
            DocumentError: its process cannot be told for certain, or may not be killed.
        """
        run = self.open(name)
        waiting = [Run(self.workspace.runs / other) for other in self.queued]
        others = run_process.sharing(run, waiting)
        run_process.kill(run)
        self._killed.add(name)
        if others:  # the rest of a sweep, which one process computes in turn
            self._launch(others)

    def resume(self, name: str) -> None:
        """Go on with a run that was cancelled, failed or crashed.

        Raises:
            DocumentError: it is finished, or goes on already.
        """
        run = self.open(name)
        state = quick_state(run)
        if state == "finished":
            raise DocumentError(
                f'The run "{name}" is finished.', "Run it again to compute a new one."
            )
        if is_taken(run) or self._is_launching(name):
            raise DocumentError(f'The run "{name}" is {state} already.')
        self._launch([run])

    def rerun(self, name: str) -> str:
        """Start a new run of the same document with the same settings; returns its name."""
        run = self.open(name)
        settings: dict[str, Any] = {k: v for k, v in run.settings.items() if k != "sweep"}
        with _in_words():
            again = Run.create(run.graph(), self.workspace, settings=settings)
        self._launch_new([again])
        return again.name

    def reorder(self, names: Iterable[str]) -> None:
        """Let the waiting runs start in this order."""
        with _in_words():
            self.queue.reorder(names)
        self._note_order()

    def pause_queue(self, on: bool) -> None:
        """Let no new run start, or let them start again."""
        with _in_words():
            self.queue.pause() if on else self.queue.resume()
        self.changed.emit()

    @property
    def is_paused(self) -> bool:
        """Whether no new run starts."""
        return self.queue.is_paused

    def as_command(self, what: str | Graph, shell: str | None = None) -> str:
        """Return the command that does a run again; see :func:`studio.reproduce.as_command`."""
        if isinstance(what, Graph):
            return reproduce.as_command(what, shell=shell)
        return reproduce.as_command(self.open(what), shell=shell)

    def as_python(self, graph: Graph) -> str:
        """Return a program that makes and runs the document."""
        return reproduce.as_python(graph)

    def stale(self, graph: Graph, device: str = "cpu") -> dict[str, Stale]:
        """Say of each node whether its result is stored; what is not known yet is left out.

        Asked in the background; :attr:`stale_changed` tells of the answer.
        """
        return self._stale.ask(graph, device)

    # -- inner -----------------------------------------------------------------------------------

    def open(self, name: str) -> Run:
        """Return the run of this name, without reading it.

        Raises:
            DocumentError: there is no such run, or it is half deleted.
        """
        folder = self.workspace.runs / name
        if (folder / "graph.json").is_file():
            return Run(folder)
        if folder.is_dir():
            raise DocumentError(
                f'The run "{name}" lacks its file graph.json; part of it was deleted.',
                "Delete the rest, or put the file back.",
            )
        raise DocumentError(f'There is no run "{name}" any more.')

    def _launch_new(self, runs: list[Run]) -> None:
        try:
            self._launch(runs)
        except DocumentError:
            for run in runs:  # nobody will ever compute them
                shutil.rmtree(run.path, ignore_errors=True)
            raise

    def _launch(self, runs: list[Run]) -> None:
        with _in_words():
            launch = Launch(runs, self.workspace)
        self._launches.append(launch)
        for run in runs:
            watch = self.watch(run.name)
            watch.set_state("queued")
            self._tail.follow(watch)
        self._states_changed()

    def _is_launching(self, name: str) -> bool:
        return any(name in launch.names for launch in self._launches)

    def _state_now(self, run: Run) -> str:
        for launch in [launch for launch in self._launches if run.name in launch.names]:
            if not launch.is_over(run):
                if launch.wants_look():
                    self._background.do(launch.is_running, launch.note)
                return "cancelling" if run.stop_requested() else "queued"
            launch.names.discard(run.name)
        state = quick_state(run)
        self._launches = [launch for launch in self._launches if launch.names]
        if state == "crashed" and run.name in self._killed:
            self._killed.discard(run.name)
            self._note_killed(run)
            state = quick_state(run)
        late = state == "cancelling" and stop_asked_for(run.path) >= _KILL_SECONDS
        if late != (run.name in self._late):  # whoever offers to kill it hears of it
            self._late ^= {run.name}
            self.changed.emit()
        return state

    def _note_killed(self, run: Run) -> None:
        try:
            self.queue.cancel(run)  # it was asked for: a cancelled run, not a crashed one
        except OSError:
            return

    def _check(self, name: str) -> None:
        watch = self._watches.get(name)
        if watch is not None:
            watch.must_check = True
            if watch.set_state(self._state_now(watch.run)):
                self._states_changed()
            self._tail.follow(watch)

    def _states_changed(self) -> None:
        if any(not watch.is_unfinished for watch in self._tail.followed.values()):
            self._stale.forget()  # what it computed is stored now
        self._note_order(must_tell=True)

    def _note_order(self, *, must_tell: bool = False) -> None:
        order = self.queue.names()
        if must_tell or order != self._order:
            self._order = order
            self.changed.emit()

    def _look(self) -> None:
        """Scan if a run was added or the queue changed since the last look."""
        if traces(self.workspace) != self._looked:
            self.scan()

    def _scanned(self, found: object) -> None:
        self._is_scanning = False
        if not isinstance(found, list):
            return
        is_news = False
        for name in found:
            if name not in self._tail.followed:
                try:
                    watch = self.watch(name)
                except DocumentError:
                    continue  # deleted meanwhile
                watch.set_state(self._state_now(watch.run))
                self._tail.follow(watch)
                is_news = True
        self._note_order(must_tell=is_news)


@contextmanager
def _in_words() -> Iterator[None]:
    """Say in a sentence what the disk refused."""
    try:
        yield
    except OSError as error:
        raise DocumentError(sentence(error)) from error
