"""What can be done with runs: each deed takes names and turns refusals into messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication

from backend.core.errors import FretsawError
from studio.docks.run_list import RESUMABLE, UNFINISHED, index_of
from studio.plotting import metrics

if TYPE_CHECKING:
    from studio.session import Session


class RunDeeds:
    """Stop, resume, delete and the like, for the Runs dock's buttons, menu and keys."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._runner = session.runner

    def stop(self, names: Iterable[str]) -> None:
        """Ask runs to stop; those that wait are called off."""
        self._each(self._runner.stop, names)

    def kill(self, names: Iterable[str]) -> None:
        """Kill runs that did not obey for five seconds."""
        self._each(self._runner.kill, [name for name in names if self._runner.can_kill(name)])

    def resume(self, names: Iterable[str]) -> None:
        """Go on with runs from their checkpoints."""
        self._each(self._runner.resume, names)

    def rerun(self, names: Iterable[str]) -> None:
        """Run the same graphs again as new runs."""
        self._each(self._runner.rerun, names)

    def shift(self, name: str, by: int) -> None:
        """Move a waiting run up (-1) or down (1) in the queue."""
        queue = list(self._runner.queued)
        if name not in queue:
            return
        at = queue.index(name)
        to = min(max(at + by, 0), len(queue) - 1)
        queue.insert(to, queue.pop(at))
        self._try(lambda: self._runner.reorder(queue))

    def reorder(self, names: Iterable[str]) -> None:
        """Let the waiting runs start in this order."""
        self._try(lambda: self._runner.reorder(list(names)))

    def star(self, names: Iterable[str], on: bool) -> None:
        """Star runs, or take their stars away."""
        self._each(lambda name: index_of(self._session).set_star(name, on), names)

    def set_tags(self, names: Iterable[str], text: str) -> None:
        """Give runs the tags in ``text``, parted by commas."""
        tags = [tag.strip() for tag in text.split(",")]
        self._each(lambda name: index_of(self._session).set_tags(name, tags), names)

    def set_note(self, names: Iterable[str], text: str) -> None:
        """Keep a text with runs."""
        self._each(lambda name: index_of(self._session).set_note(name, text.strip()), names)

    def set_label(self, names: Iterable[str], text: str) -> None:
        """Call runs something else."""
        self._each(lambda name: index_of(self._session).set_label(name, text), names)

    def delete(self, names: Iterable[str]) -> None:
        """Delete runs that are not going on; marks and focus leave them first."""
        for name in list(names):
            if self._runner.state(name) in UNFINISHED:
                self._session.tell(
                    f"{name} is going on.", "Stop it before deleting it.", kind="bad"
                )
                continue
            self._session.mark(name, False)
            focus = self._session.focus
            if focus is not None and focus.name == name:
                self._session.set_focus(None)
            self._each(index_of(self._session).delete, [name])

    def open_folder(self, name: str) -> None:
        """Show a run's folder in the file browser."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.folder(name))))

    def open_pipeline(self, name: str) -> None:
        """Open the graph of a run as a document."""
        self._session.act("open_run_graph", run=name)

    def copy_command(self, name: str) -> None:
        """Put the command that does this run again on the clipboard."""
        self._copy(lambda: str(self._runner.as_command(name)), "Command copied.", name)

    def copy_python(self, name: str) -> None:
        """Put a program that makes and runs the graph on the clipboard."""
        self._copy(
            lambda: str(self._runner.as_python(self._runner.watch(name).run.graph())),
            "Python copied.",
            name,
        )

    def folder(self, name: str) -> Path:
        """The directory of a run."""
        return self._session.workspace.runs / name

    def can_resume(self, name: str) -> bool:
        """Whether a run stopped before its end."""
        return self._runner.state(name) in RESUMABLE

    def resume_point(self, name: str) -> str:
        """Say from where a run would go on: epoch and metric; empty when that is not known."""
        try:
            watch = self._runner.watch(name)
        except FretsawError:
            return ""
        open_states = ("running", "failed", "cancelled", "crashed", "cancelling")
        node = next((n for n, r in watch.fold.nodes.items() if r.state in open_states), None)
        if node is None:
            return ""
        done = _checkpoint(self.folder(name) / "nodes" / node / "checkpoints")
        if not done:
            return f"{node} begins anew; what was before it is kept."
        total = watch.fold.nodes[node].total
        place = _place(watch, node, done, total)
        series = {m: p for (n, m), p in watch.fold.series.items() if n == node}
        for metric in sorted(series, key=lambda m: (m != "loss", metrics.rank(m))):
            value = series[metric].at(done)
            if value is not None:
                figure = f", {metrics.title(metric).lower()} {metrics.with_unit(value, metric)}"
                return f"{node} goes on at {place}{figure}."
        return f"{node} goes on at {place}."

    # -- inner -----------------------------------------------------------------------------------

    def _each(self, deed: Callable[[str], Any], names: Iterable[str]) -> None:
        for name in list(names):
            if not self._try(lambda name=name: deed(name)):  # type: ignore[misc]
                return

    def _try(self, deed: Callable[[], Any]) -> bool:
        try:
            deed()
        except FretsawError as error:
            self._session.tell_error(error)
            return False
        return True

    def _copy(self, make: Callable[[], str], said: str, detail: str) -> None:
        made: list[str] = []
        if self._try(lambda: made.append(make())):
            QGuiApplication.clipboard().setText(made[0])
            self._session.tell(said, detail)


def _checkpoint(folder: Path) -> int:
    """Steps done in the newest checkpoint of a node; 0 without one."""
    files: list[tuple[float, Path]] = []
    with suppress(OSError):
        files = [(path.stat().st_mtime, path) for path in folder.rglob("loop-*.json")]
    for _, path in sorted(files, reverse=True):
        with suppress(OSError, ValueError, KeyError, TypeError):
            return int(json.loads(path.read_bytes())["done"])
    return 0


def _place(watch: Any, node: str, done: int, total: int) -> str:
    with suppress(FretsawError, OSError, KeyError):
        epochs = watch.run.graph().nodes[node].params.get("epochs")
        if isinstance(epochs, int | float) and epochs > 0 and total > 0:
            return f"epoch {done * epochs / total:.3g} of {epochs:g}"
    return f"step {done:,} of {total:,}" if total else f"step {done:,}"
