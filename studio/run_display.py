"""Shows in tool row, status bar and messages how the run in focus stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from studio.notify import notify
from studio.remedies import remedy_for
from studio.resuming import goes_on
from studio.run_fold import RunFold
from studio.run_names import newest_of
from studio.words import duration

if TYPE_CHECKING:
    from studio.main_window import MainWindow

LIVE = ("queued", "running", "cancelling")
WORDS = {
    "queued": "Queued",
    "running": "Running",
    "cancelling": "Cancelling",
    "finished": "Finished",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "crashed": "Crashed",
}
REFRESH_MS = 250


class RunDisplay(QObject):
    """Follows the runner for one window."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._session = window.session
        self._live: set[str] = set()
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self._session.runner.changed.connect(self._look_for_ends)
        self._session.runner.batch.connect(self._batch)
        self._is_stale = False
        self._told_trouble = ("", "")

    def _tell_trouble(self, name: str, trouble: str) -> None:
        """Tell once that the events of the run shown cannot be read."""
        if trouble and (name, trouble) != self._told_trouble:
            self._told_trouble = (name, trouble)
            self._session.tell(trouble, name, kind="warn")

    def run_to_stop(self) -> str:
        """Name of the run that Stop means; empty when nothing runs or waits."""
        focus, runner = self._session.focus, self._session.runner
        if focus is not None and focus.state in LIVE:
            return str(focus.name)
        live = [*runner.active, *runner.queued]
        return live[0] if live else ""

    def focus_run_of_document(self) -> None:
        """Show the newest run of the open document; none if it was never run."""
        document = self._session.document
        runner = self._session.runner
        names = newest_of(self._session.workspace, document.name)
        live = [name for name in names[:20] if runner.state(name) in LIVE]
        self._session.set_focus(next(iter(live or names), None))

    def close(self) -> None:
        """Stop following."""
        self._timer.stop()

    def refresh(self) -> None:
        """Bring tool row and status bar in line with the run shown."""
        window, session = self._window, self._session
        focus = session.focus
        row, status = window.tool_row, window.status
        live = self.run_to_stop()
        row.stop.setVisible(bool(live))
        row.kill.setVisible(bool(live) and session.runner.can_kill(live))
        row.run.setText("Run again" if focus is not None and not live else "Run")
        errors = sum(p.severity == "error" for p in session.document.problems)
        status.set_problems(errors, len(session.document.problems) - errors)
        status.set_saved(window.saved_at, is_modified=window.session.document.is_modified)
        values = session.settings.values
        threads = f", {values.threads} threads" if values.threads else ""
        row.device.setText(f"{str(values.device).upper()}{threads}")
        if focus is None or not window.shows_graph:
            row.show_run(None, "", "", "idle")
            kinds = len(session.catalog.specs)
            status.set_run("done" if kinds else "idle", f"{kinds} nodes ready", "")
        else:
            self._show(focus.fold, focus.state, focus.name)
            self._tell_trouble(focus.name, focus.trouble)
        if live and not self._timer.isActive():
            self._timer.start()
        elif not live:
            self._timer.stop()

    def _show(self, fold: RunFold, state: str, name: str) -> None:
        window = self._window
        total = max(1, len(fold.nodes))
        done = sum(n.state in ("done", "cached", "warning") for n in fold.nodes.values())
        current = next(
            ((key, n) for key, n in fold.nodes.items() if n.state in ("running", "cancelling")),
            None,
        )
        share, rest = done / total, "nodes"
        words = WORDS.get(state, state)
        if current is not None:
            key, node = current
            part = node.done / node.total if node.total else 0.0
            share = (done + part) / total
            title = self._title(key)
            words = f"{words} {title}" if state == "running" else words
            if node.stage:
                words += f", {node.stage}"
            if node.eta is not None and state == "running":
                rest = f"nodes, {duration(node.eta)} left in {title}"
        if state in LIVE:
            window.tool_row.show_run(share, f"{done} of {total}", rest, state)
        else:
            window.tool_row.show_run(None, "", "", state)
        window.status.set_run("done" if state == "finished" else state, words, name, share)

    def _remedy(self, run: str, error: str) -> tuple[str, Callable[[], None]] | None:
        """A click that changes the document as the error proposes; applies to the next run."""
        document, specs = self._session.document, self._session.catalog.specs
        nodes = self._session.runner.watch(run).fold.nodes
        failed = next((node for node, it in nodes.items() if it.state == "failed"), "")
        found = remedy_for(document.graph, specs, failed, error)
        if found is None:
            return None
        values = {found.param: found.value}
        return found.text, lambda: document.set(found.node, **values)

    def _title(self, node: str) -> str:
        graph, specs = self._session.document.graph, self._session.catalog.specs
        kind = graph.nodes[node].type if node in graph.nodes else ""
        return specs[kind].title if kind in specs else node

    # -- news ------------------------------------------------------------------------------------

    def _batch(self, _news: object) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _look_for_ends(self) -> None:
        runner = self._session.runner
        now = {*runner.active, *runner.queued}
        for name in sorted(self._live):
            if name not in now:
                self._tell_end(name, runner.state(name))
        self._live = now

    def _tell_end(self, name: str, state: str) -> None:
        session, window = self._session, self._window
        show = ("Show", lambda: window.act("open_run", run=name))
        if state == "finished":
            session.tell("Run finished.", name, kind="good", action=show)
        elif state == "cancelled":
            rest = goes_on(session.runner.watch(name), session.catalog.specs) or name
            session.tell(
                "Run cancelled.", rest, action=("Resume", lambda: window.act("resume", run=name))
            )
        elif state in ("failed", "crashed"):
            error = str(session.runner.watch(name).run.result.get("error", ""))
            remedy = self._remedy(name, error)
            session.tell(f"Run {state}.", error or name, kind="bad", action=remedy or show)
        if session.settings.values.notify and not window.isActiveWindow():
            QApplication.alert(window)
            notify(f"Fretsaw: run {state}", name)
        if session.settings.values.sound:
            QApplication.beep()
