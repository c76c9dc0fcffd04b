"""What can be done with runs: each deed takes names and turns refusals into messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication

from backend.core.errors import FretsawError
from studio.docks.run_list import RESUMABLE, UNFINISHED, index_of
from studio.resuming import goes_on

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
        return goes_on(watch, self._session.catalog.specs)

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
