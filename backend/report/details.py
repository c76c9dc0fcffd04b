"""The folded part of the page: every step with its settings, the log, versions, the document."""

from __future__ import annotations

from datetime import datetime

from backend.core import events as ev
from backend.report import diagram
from backend.report.digest import Digest, Step
from backend.report.markup import empty, scroller, settings
from backend.report.tables import copy_button
from backend.report.text import duration, esc, json_text, plural, shorten

_LOG_LINES = 300
_DOCUMENT_LETTERS = 120_000


def details(digest: Digest) -> str:
    """Draw steps, log, environment and document, all folded."""
    rows = "".join(_step(step, i, digest) for i, step in enumerate(digest.steps.values()))
    steps = f'<div class="steps">{rows}</div>' if rows else empty("There are no steps.")
    return steps + _log(digest) + _environment(digest) + _document(digest)


def _step(step: Step, index: int, digest: Digest) -> str:
    state = diagram.look(step)
    word = diagram.WORDS.get(state, state)
    time = "" if step.seconds is None else duration(step.seconds)
    sources = [source for source, target in digest.links if target == step.name]
    brief = ", ".join(f"{k} {shorten(json_text(v), 24)}" for k, v in step.params.items())
    return (
        f'<details id="step-{index}"><summary><i class="hue f-{diagram.family(step.type)}" '
        f'aria-hidden="true"></i><b>{esc(step.name)}</b><span class="kind">{esc(step.type)}</span>'
        f'<span class="brief">{esc(shorten(brief, 90))}</span>'
        f'<span class="word c-{diagram.state_color(state)}">{diagram.state_icon(state)}'
        f'<em>{esc(word)}</em></span><span class="n">{esc(time)}</span></summary>'
        f"{_inner(step, sources)}</details>"
    )


def _inner(step: Step, sources: list[str]) -> str:
    rows = [(name, shorten(json_text(value), 2000)) for name, value in step.params.items()]
    said = [f"Fed by {', '.join(dict.fromkeys(sources))}."] if sources else []
    said.append("Other settings have their defaults." if rows else "All settings have defaults.")
    table = settings(rows, f"Settings of {step.name}") if rows else ""
    facts = f'<p class="note">{esc(" ".join(said))}</p>'
    if step.fingerprint:
        facts += f'<p class="note">Fingerprint <code>{esc(step.fingerprint)}</code></p>'
    if step.error:
        facts += f'<p class="note">{esc(step.error)}</p>'
    return f'<div class="inner">{table}{facts}</div>'


def _log(digest: Digest) -> str:
    lines = digest.log[-_LOG_LINES:]
    if not lines:
        return ""
    left = len(digest.log) - len(lines)
    more = f'<p class="note">{plural(left, "earlier line")} in log.txt.</p>' if left else ""
    rows = "".join(_line(event) for event in lines)
    table = (
        '<table class="log"><thead><tr><th scope="col">Time</th><th scope="col">Level</th>'
        f'<th scope="col">Step</th><th scope="col">Text</th></tr></thead><tbody>{rows}</tbody>'
        "</table>"
    )
    return _fold("Log", plural(len(digest.log), "line"), more + scroller("Log", table))


def _line(event: ev.Log) -> str:
    try:
        clock = f"{datetime.fromtimestamp(event.t):%H:%M:%S}"
    except (OverflowError, OSError, ValueError):
        clock = ""
    mark = f' class="{event.level}"' if event.level != "info" else ""
    return (
        f'<tr{mark}><td class="mono">{clock}</td><td>{event.level}</td><td>{esc(event.node)}</td>'
        f"<td>{esc(shorten(event.text, 1000))}</td></tr>"
    )


def _environment(digest: Digest) -> str:
    started = digest.started
    if started is None:
        return ""
    rows = [("Device", started.device), ("Threads", str(started.threads))]
    rows += [("Seed", str(started.seed)), ("Commit", started.commit or "outside a repository")]
    rows += list(started.versions.items())
    rows += [(f"Input {name}", shorten(value, 400)) for name, value in started.inputs.items()]
    table = settings(rows, "What the result depends on")
    return _fold("Versions and inputs", "what the result depends on", table)


def _document(digest: Digest) -> str:
    if not digest.document:
        return ""
    text = digest.document
    if len(text) > _DOCUMENT_LETTERS:
        note = '<p class="note">Cut here; the whole document is graph.json.</p>'
        inner = f'<pre tabindex="0">{esc(text[:_DOCUMENT_LETTERS])}</pre>{note}'
    else:
        inner = f'{copy_button(text, "Copy the document")}<pre tabindex="0">{esc(text)}</pre>'
    return _fold("Graph document", "graph.json", inner)


def _fold(title: str, beside: str, inner: str) -> str:
    return (
        f"<details><summary><b>{title}</b><span>{esc(beside)}</span></summary>"
        f'<div class="inner">{inner}</div></details>'
    )
