"""What the welcome page says of runs: how a graph's last one stands, what ended meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from studio.docks.while_away import Ended
from studio.run_row import RunRow
from studio.theme import theme
from studio.words import duration

_ENDED = ("finished", "failed", "cancelled", "crashed")
_ACCURACIES = ("top1", "val_top1")


def figure_of(row: RunRow) -> tuple[str, str]:
    """Return the accuracy that a run ended with, and that of the node to hold it against.

    Empty when the run measured none. Of several nodes the last one in the run is the result, the
    first one its rival.
    """
    for metric in _ACCURACIES:
        found = {k.rpartition(".")[0]: v for k, v in row.last.items() if _metric(k) == metric}
        if found:
            names = list(found)
            rival = f"{names[0]} {found[names[0]]:.1f} %" if len(names) > 1 else "top-1"
            return f"{found[names[-1]]:.1f} %", rival
    return "", ""


def last_of_each(rows: Iterable[RunRow]) -> dict[str, RunRow]:
    """Return the newest run of each graph name."""
    newest: dict[str, RunRow] = {}
    for row in rows:
        if row.label not in newest or row.started >= newest[row.label].started:
            newest[row.label] = row
    return newest


def standing(row: RunRow | None) -> tuple[str, str]:
    """Return how a graph's last run stands, and the colour to say it in; empty without a run."""
    if row is None:
        return "", "muted"
    if row.state == "finished":
        return figure_of(row)[0] or "done", "good"
    color, _, word = theme().state(row.state)
    return word, color


def ended_since(rows: Iterable[RunRow], since: float) -> list[Ended]:
    """Return the runs that ended after ``since`` (seconds since 1970), the newest first."""
    ended = [row for row in rows if row.state in _ENDED and row.started + row.seconds > since]
    return sorted((_ended(row) for row in ended), key=lambda run: -run.at)


def _ended(row: RunRow) -> Ended:
    label = ", ".join([row.label, *_given(row.set)])
    at = row.started + row.seconds
    if row.state == "finished":
        figure, beside = figure_of(row)
        return Ended(row.name, label, figure or "done", beside or duration(row.seconds), at=at)
    if row.state == "cancelled":
        return Ended(row.name, label, "cancelled", f"after {duration(row.seconds)}", at=at)
    why = row.error if row.state == "failed" else "it stopped without saying why"
    return Ended(row.name, label, theme().state(row.state)[2], why, is_bad=True, at=at)


def _given(values: Mapping[str, object]) -> list[str]:
    return [f"{key.rpartition('.')[2]} {value}" for key, value in values.items()]


def _metric(key: str) -> str:
    return key.rpartition(".")[2].rpartition("/")[2]
