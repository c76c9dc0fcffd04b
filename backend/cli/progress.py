"""What a run looks like in a terminal, in a pipe, and as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from backend.core import events as ev
from backend.core.run import Run
from backend.core.views import Table


class Printer(Protocol):
    """Shows the events of a run."""

    def show(self, event: ev.Event) -> None:
        """Show one event."""
        ...

    def waiting(self) -> None:
        """Say that another run is being computed first."""
        ...

    def done(self, status: str, page: Path | None) -> None:
        """Show the result and where the report is."""
        ...


@contextmanager
def make_printer(run: Run, *, as_json: bool, quiet: bool) -> Iterator[Printer]:
    """Choose the printer that fits: JSON lines, a live bar in a terminal, else plain lines."""
    if as_json:
        yield JsonPrinter(run)
        return
    if quiet or not sys.stderr.isatty():
        yield PlainPrinter(run, quiet=quiet)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<18}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>4.0f} %"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=False) as bars:
        printer = BarPrinter(run, bars)
        yield printer
    print(printer.closing)


class JsonPrinter:
    """Every event as one JSON line, the result last."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def show(self, event: ev.Event) -> None:
        """Print the event."""
        print(ev.to_line(event), flush=True)

    def waiting(self) -> None:
        """Print that it waits."""
        print(json.dumps({"kind": "waiting", "run": self._run.name}), flush=True)

    def done(self, status: str, page: Path | None) -> None:
        """Print the result."""
        result = {"kind": "result", "run": str(self._run.path), **self._run.result}
        print(json.dumps({**result, "report": str(page or "")}), flush=True)


class PlainPrinter:
    """One line a node and a progress line now and then, for logs and pipes."""

    def __init__(self, run: Run, *, quiet: bool) -> None:
        self._run, self._quiet = run, quiet
        self._last = time.monotonic()
        self._notes: dict[str, str] = {}

    def show(self, event: ev.Event) -> None:
        """Print what matters of the event."""
        if isinstance(event, ev.NodeFailed):
            print(f"{event.node}: failed. {event.error}", file=sys.stderr, flush=True)
        elif isinstance(event, ev.Log) and event.level != "info":
            print(f"{event.node}: {event.level}: {event.text}", file=sys.stderr, flush=True)
        elif self._quiet:
            return
        elif isinstance(event, ev.Metric):
            self._notes[event.node] = _figures(event.values)
        elif isinstance(event, ev.NodeFinished):
            note = "cached" if event.cached else f"{event.seconds:.1f} s"
            print(f"{event.node}: done ({note}) {self._notes.get(event.node, '')}", flush=True)
        elif isinstance(event, ev.Progress) and time.monotonic() - self._last > 10:
            self._last = time.monotonic()
            eta = f", {_duration(event.eta)} left" if event.eta else ""
            share = 100 * event.done / max(1, event.total)
            note = self._notes.get(event.node, "")
            print(f"{event.node}: {event.stage} {share:.0f} %{eta} {note}", flush=True)

    def waiting(self) -> None:
        """Print that it waits."""
        print("Waiting for another run to finish.", file=sys.stderr, flush=True)

    def done(self, status: str, page: Path | None) -> None:
        """Print status and place."""
        print(_closing(self._run, status, page), flush=True)


class BarPrinter:
    """A bar for each node, in a terminal."""

    def __init__(self, run: Run, bars: Any) -> None:
        self._run, self._bars = run, bars
        self.closing = ""
        self._tasks: dict[str, Any] = {}

    def show(self, event: ev.Event) -> None:
        """Move the bar of the event's node."""
        if isinstance(event, ev.NodeStarted):
            self._task(event.node)
        elif isinstance(event, ev.Progress):
            task = self._task(event.node)
            self._bars.update(task, completed=event.done, total=max(1, event.total))
        elif isinstance(event, ev.Metric):
            self._bars.update(self._task(event.node), note=_figures(event.values))
        elif isinstance(event, ev.NodeFinished):
            note = "cached" if event.cached else f"{event.seconds:.1f} s"
            task = self._task(event.node)
            self._bars.update(task, total=1, completed=1, note=f"[green]{note}")
        elif isinstance(event, ev.NodeFailed):
            self._bars.update(self._task(event.node), note="[red]failed")
            self._print(f"{event.node}: failed. {event.error}", "red")
        elif isinstance(event, ev.Log) and event.level != "info":
            self._print(f"{event.node}: {event.text}", "yellow")

    def waiting(self) -> None:
        """Print that it waits."""
        self._print("Waiting for another run to finish.", "yellow")

    def done(self, status: str, page: Path | None) -> None:
        """Keep status and place, to be printed below the bars."""
        self.closing = _closing(self._run, status, page)

    def _print(self, text: str, style: str) -> None:
        self._bars.console.print(text, style=style, markup=False, highlight=False)

    def _task(self, node: str) -> Any:
        if node not in self._tasks:
            self._tasks[node] = self._bars.add_task(node, total=None, note="")
        return self._tasks[node]


def _figures(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in list(values.items())[:4])


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def table_text(run: Run) -> str:
    """Return the last table of the run that compares something, laid out for a terminal."""
    tables = [
        event.data
        for event in run.events()
        if isinstance(event, ev.View) and isinstance(event.data, Table)
    ]
    tables = [table for table in tables if any(column.better for column in table.columns)]
    if not tables:
        return ""
    found = tables[-1]
    head = [f"{c.name} {c.unit}".strip() for c in found.columns]
    body = [["" if cell is None else _cell(cell) for cell in row] for row in found.rows]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    lines = [found.title]
    for row in (head, *body):
        texts = [row[0].ljust(widths[0])]
        texts += [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(texts).rstrip())
    return "\n".join(lines) + "\n\n"


def _cell(value: str | float) -> str:
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return f"{int(value):,}"
    return f"{value:.4g}" if isinstance(value, float) else value


def _closing(run: Run, status: str, page: Path | None) -> str:
    text = table_text(run) + f"{run.name}: {status} in {_duration(run.result.get('seconds', 0.0))}."
    if page is not None:
        text += f"\nReport: {page}"
    if status == "cancelled":
        text += f"\nGo on with: python -m backend resume {run.name}"
    return text
