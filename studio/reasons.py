"""Why an action cannot be done now, in a few words; empty when it can. Which switches are on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from studio.phone.known import known_phone
from studio.phone.targets import node_to_follow
from studio.theme import theme

if TYPE_CHECKING:
    from studio.main_window import MainWindow


def why_not(window: MainWindow, name: str) -> str:
    """Return the reason ``name``; a name that is not known never stands in the way."""
    return _REASONS[name](window) if name else ""


def is_checked(window: MainWindow, name: str) -> bool:
    """Say whether the switch ``name`` is on."""
    if name.startswith("theme_"):
        return theme().mode == name.removeprefix("theme_")
    if name.startswith("text_"):
        return round(theme().scale * 100) == int(name.removeprefix("text_"))
    return _SWITCHES[name](window)


def _graph(window: MainWindow) -> str:
    return "" if window.shows_graph else "no graph is open"


def _nodes(window: MainWindow) -> str:
    return _graph(window) or ("" if window.session.document.graph.nodes else "the graph is empty")


def _selected(window: MainWindow) -> str:
    return _nodes(window) or ("" if window.session.selection.nodes else "no node is selected")


def _anything(window: MainWindow) -> str:
    chosen = window.session.selection
    is_any = chosen.nodes or chosen.links or chosen.notes
    return _graph(window) or ("" if is_any else "nothing is selected")


def _several(window: MainWindow, least: int = 2) -> str:
    count = len(window.session.selection.nodes)
    return _graph(window) or ("" if count >= least else f"select at least {least} nodes")


def _three(window: MainWindow) -> str:
    return _several(window, 3)


def _can_undo(window: MainWindow) -> str:
    return _graph(window) or ("" if window.session.document.stack.canUndo() else "nothing to undo")


def _can_redo(window: MainWindow) -> str:
    return _graph(window) or ("" if window.session.document.stack.canRedo() else "nothing to redo")


def _saved_and_edited(window: MainWindow) -> str:
    document = window.session.document
    if document.path is None:
        return "the graph was never saved"
    return _graph(window) or ("nothing was changed" if document.is_saved else "")


def _problems(window: MainWindow) -> str:
    return _graph(window) or ("" if window.session.document.problems else "there are no problems")


def _runnable(window: MainWindow) -> str:
    faults = [p for p in window.session.document.problems if p.severity == "error"]
    return _nodes(window) or (str(faults[0]) if faults else "")


def _runnable_one(window: MainWindow) -> str:
    """Only the problems of what the node needs count; the runner judges them once more."""
    return _selected(window) or _needed_problem(window, window.session.selection.nodes[:1])


def _runnable_selected(window: MainWindow) -> str:
    return _selected(window) or _needed_problem(window, window.session.selection.nodes)


def _needed_problem(window: MainWindow, names: tuple[str, ...]) -> str:
    document = window.session.document
    if document.graph.circle():
        return "the links go round in a circle"
    needed = {node for name in names for node in document.graph.order(name)}
    faults = [p for p in document.problems if p.severity == "error" and p.node in {"", *needed}]
    return str(faults[0]) if faults else ""


def _running(window: MainWindow) -> str:
    return "" if window.run_to_stop() else "nothing runs"


def _killable(window: MainWindow) -> str:
    name = window.run_to_stop()
    if not name:
        return "nothing runs"
    is_late = window.session.runner.can_kill(name)
    return "" if is_late else "ask it to stop first, and give it 5 s"


def _resumable(window: MainWindow) -> str:
    focus = window.session.focus
    can = focus is not None and focus.state in ("crashed", "cancelled", "failed")
    return "" if can else "the run shown was not interrupted"


def _has_failed(window: MainWindow) -> str:
    focus = window.session.focus
    failed = focus is not None and any(n.state == "failed" for n in focus.fold.nodes.values())
    return _runnable(window) or ("" if failed else "no failed node")


def _phone(window: MainWindow) -> str:
    phone = known_phone(window.session)
    return "" if phone is not None and phone.device is not None else "no phone is connected"


def _bridge(window: MainWindow) -> str:
    phone = known_phone(window.session)
    return "" if phone is not None and phone.is_open else "no phone is paired"


def _pushable(window: MainWindow) -> str:
    """Files are looked at when it is done; here only whether anything was run."""
    phone = known_phone(window.session)
    has_some = window.session.focus is not None or (phone is not None and phone.state.edits)
    return "" if has_some else "nothing was exported yet"


def _followable(window: MainWindow) -> str:
    if _following(window) or node_to_follow(window.session) is not None:
        return ""
    return "no training that can be followed is shown"


def _following(window: MainWindow) -> bool:
    phone = known_phone(window.session)
    return phone is not None and phone.follower.is_running


_REASONS: dict[str, Callable[[MainWindow], str]] = {
    "graph": _graph,
    "nodes": _nodes,
    "selected": _selected,
    "anything": _anything,
    "several": _several,
    "three": _three,
    "can_undo": _can_undo,
    "can_redo": _can_redo,
    "saved_and_edited": _saved_and_edited,
    "problems": _problems,
    "runnable": _runnable,
    "runnable_one": _runnable_one,
    "runnable_selected": _runnable_selected,
    "running": _running,
    "killable": _killable,
    "resumable": _resumable,
    "has_failed": _has_failed,
    "phone": _phone,
    "bridge": _bridge,
    "pushable": _pushable,
    "followable": _followable,
}


def _minimap_shown(window: MainWindow) -> bool:
    return window.canvas.is_map_shown()


def _queue_paused(window: MainWindow) -> bool:
    return window.session.runner.is_paused


def _bypassed(window: MainWindow) -> bool:
    names, nodes = window.session.selection.nodes, window.session.document.graph.nodes
    return bool(names) and all(nodes[name].bypass for name in names if name in nodes)


def _collapsed(window: MainWindow) -> bool:
    items = window.view.scene().node_items
    names = [name for name in window.session.selection.nodes if name in items]
    return bool(names) and all(items[name].face.collapsed for name in names)


_SWITCHES: dict[str, Callable[[MainWindow], bool]] = {
    "minimap_shown": _minimap_shown,
    "queue_paused": _queue_paused,
    "bypassed": _bypassed,
    "collapsed": _collapsed,
    "following": _following,
}
