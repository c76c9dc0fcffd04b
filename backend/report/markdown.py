"""The figures of a run in short, as Markdown for a note, an issue or a model card."""

from __future__ import annotations

import math

from backend.core.run import Run
from backend.core.views import Column, Layers, Table, Verdict
from backend.report import tables
from backend.report.digest import Digest, read
from backend.report.text import duration, moment, number

_STATES = {
    "finished": ("finished", "in"),
    "failed": ("failed", "after"),
    "cancelled": ("cancelled", "after"),
    "crashed": ("broke off", "after"),
    "running": ("running", "for"),
    "cancelling": ("stopping", "after"),
    "queued": ("not started", "after"),
}


def status(digest: Digest) -> str:
    """Say how a run stands: ``finished in 3 min 41 s``, ``running for 12 s``."""
    word, preposition = _STATES[digest.state]
    return f"{word} {preposition} {duration(digest.seconds)}" if digest.seconds else word


def markdown(run: Run) -> str:
    """Return status, problems, verdicts, tables and last figures of a run as Markdown."""
    return from_digest(read(run))


def from_digest(digest: Digest) -> str:
    """Write what was read of a run."""
    parts = [f"# {tables.plain(digest.name)}", _facts(digest)]
    if digest.notes:
        lines = [
            f"- {note.level}{' in ' + tables.plain(note.node) if note.node else ''}: "
            f"{tables.plain(note.text)}"
            for note in digest.notes
        ]
        parts += ["## Problems", "\n".join(lines)]
    verdicts = [v.payload for v in digest.views if isinstance(v.payload, Verdict)]
    if verdicts:
        parts += ["## Verdicts", "\n".join(_verdict(v) for v in verdicts)]
    for view in digest.views:
        table = view.payload
        if isinstance(view.payload, Layers):
            table = layer_table(view.payload)
        if isinstance(table, Table):
            parts += [f"## {tables.plain(view.title)}", tables.markdown(table)]
            parts += [tables.plain(table.caption)] if table.caption else []
    last = figure_table(digest)
    if last.rows:
        parts += ["## Figures", tables.markdown(last)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(digest: Digest) -> str:
    said = [f"Run {tables.plain(digest.run)} {status(digest)}"]
    if digest.began is not None:
        said.append(moment(digest.began))
    started = digest.started
    if started is not None:
        said.append(f"seed {started.seed}")
        said.append(f"{tables.plain(started.device)}, threads: {started.threads}")
        said += [f"commit {tables.plain(started.commit)}"] if started.commit else []
    return "; ".join(said) + "."


def _verdict(verdict: Verdict) -> str:
    word = {True: "holds", False: "does not hold", None: "not decided"}[verdict.holds]
    evidence = [f"{tables.plain(k)} {number(v)}" for k, v in verdict.evidence.items()]
    evidence += [f"n = {verdict.samples:,}"] if verdict.samples is not None else []
    tail = f" ({', '.join(evidence)})" if evidence else ""
    return f"- **{word}**: {tables.plain(verdict.claim)}{tail}"


def layer_table(payload: Layers) -> Table:
    """Return the formats of a network as a plain table."""
    columns = [
        Column(name="Layer"),
        Column(name="Weight"),
        Column(name="Input"),
        Column(name="Clipped weights", unit="%"),
        Column(name="Clipped inputs", unit="%"),
    ]
    rows: list[list[str | float | int | None]] = []
    for row in payload.rows:
        words = [
            None if f is None else f"{f.bits} bit, {f.integer}.{f.fraction}, signed {f.signed}"
            for f in (row.weight, row.input)
        ]
        rows.append([row.layer, *words, 100 * row.weight_clipped, 100 * row.input_clipped])
    return Table(columns=columns, rows=rows)


def figure_table(digest: Digest) -> Table:
    """Return last, lowest and highest value of every metric, with how many values there were."""
    rows: list[list[str | float | int | None]] = []
    for (node, stage, name), points in digest.curves.items():
        finite = [y for _, y in points if math.isfinite(y)]
        low, high = (min(finite), max(finite)) if finite else (math.nan, math.nan)
        last = points[-1][1]
        rows.append(
            [node, f"{stage} {name}".strip(), *(number(x) for x in (last, low, high)), len(points)]
        )
    names = ("Node", "Figure", "Last", "Lowest", "Highest", "Values")
    return Table(columns=[Column(name=name) for name in names], rows=rows)
