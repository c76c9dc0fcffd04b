"""Starting and stopping runs: what the Run menu does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QGuiApplication

from backend.core.errors import DocumentError
from studio import reproduce
from studio.resuming import goes_on
from studio.run_names import newest

if TYPE_CHECKING:
    from studio.main_window import MainWindow


def run_all(window: MainWindow) -> None:
    """Run the whole graph; nodes whose results are stored are not computed again."""
    start(window)


def run_here(window: MainWindow) -> None:
    """Run what the selected node needs, and the node."""
    start(window, target=window.session.selection.current)


def run_selected(window: MainWindow) -> None:
    """Run the selected nodes and what they need."""
    start(window, only=list(window.session.selection.nodes))


def run_anew(window: MainWindow) -> None:
    """Run the whole graph and take nothing from the store."""
    start(window, force=list(window.session.document.graph.nodes))


def rerun_failed(window: MainWindow) -> None:
    """Run the nodes that failed in the run shown, and what follows from them."""
    focus = window.session.focus
    nodes = focus.fold.nodes if focus else {}
    failed = [name for name, node in nodes.items() if node.state == "failed"]
    known = window.session.document.graph.nodes
    start(window, force=[name for name in failed if name in known])


def start(window: MainWindow, **how: Any) -> None:
    """Start a run of the document as it is now and show it."""
    session = window.session
    values = session.settings.values
    how.setdefault("device", values.device)
    if values.threads:
        how.setdefault("threads", values.threads)
    watched = session.focus
    name = session.runner.start(session.document.graph, **how)
    others = [*session.runner.active, *session.runner.queued]
    if not any(other != name for other in others):
        session.set_focus(name)
    elif watched is not None and watched.state in ("running", "cancelling"):
        # What is being watched stays in sight: a run that waits has nothing to show yet.
        show = ("Show", lambda: window.act("open_run", run=name))
        session.tell("Queued.", f"{name} starts when {watched.name} has ended.", action=show)
    else:
        session.set_focus(name)
        session.tell("Queued.", f"{name} starts when the run before it has ended.")
    window.show_dock("curves", focus=False)


def stop(window: MainWindow, run: str = "") -> None:
    """Ask the run to stop; it saves where it is and does so within about a second."""
    name = run or window.run_to_stop()
    if name:
        window.session.runner.stop(name)


def kill(window: MainWindow, run: str = "") -> None:
    """End the run's processes at once; what was saved last stays."""
    name = run or window.run_to_stop()
    if name:
        window.session.runner.kill(name)


def resume(window: MainWindow, run: str = "") -> None:
    """Go on with an interrupted run from what it saved last."""
    focus = window.session.focus
    name = run or (focus.name if focus else "")
    if not name:
        raise DocumentError("No run is shown.", "Pick one in the Runs dock.")
    rest = goes_on(window.session.runner.watch(name), window.session.catalog.specs)
    window.session.runner.resume(name)
    window.session.set_focus(name)
    window.session.tell("Resumed.", rest or name)


def show(window: MainWindow, run: str) -> None:
    """Let the docks show a run."""
    window.session.set_focus(run)
    window.show_graph()


def open_graph(window: MainWindow, run: str) -> None:
    """Open the graph of a run as a new document."""
    from studio.deeds import files

    watch = window.session.runner.watch(run)
    files.open_pipeline(window, path=watch.run.path / "graph.json")
    window.session.set_focus(run)


def pause_queue(window: MainWindow) -> None:
    """Let no queued run start, or let them start again."""
    runner = window.session.runner
    runner.pause_queue(not runner.is_paused)


def mark_last_two(window: MainWindow) -> None:
    """Mark the two newest runs and compare them."""
    names = newest(window.session.workspace, 2)
    if len(names) < 2:
        raise DocumentError("There are not two runs yet.", "Run the graph twice.")
    for name in window.session.marked:
        window.session.mark(name, False)
    for name in names:
        window.session.mark(name)
    window.set_workspace("Compare")
    window.show_dock("compare")


def copy_command(window: MainWindow) -> None:
    """Put the command that runs this graph on the clipboard."""
    document = window.session.document
    if document.path is None or document.is_modified:
        raise DocumentError("The command names a file.", "Save the graph first.")
    QGuiApplication.clipboard().setText(reproduce.as_command(document.graph, path=document.path))
    window.session.tell("Command copied.", str(document.path))


def copy_python(window: MainWindow) -> None:
    """Put Python that builds and runs this graph on the clipboard."""
    QGuiApplication.clipboard().setText(reproduce.as_python(window.session.document.graph))
    window.session.tell("Python copied.", "It builds this graph and runs it.")
