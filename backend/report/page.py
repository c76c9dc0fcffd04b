"""The page: one HTML file with everything in it, readable without a script and on paper."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from backend.core.files import write_atomic
from backend.core.run import Run
from backend.core.views import Table
from backend.report import curves, diagram, tables, views
from backend.report.details import details
from backend.report.digest import Digest, Note, Shown, read
from backend.report.markdown import from_digest, status
from backend.report.markup import empty
from backend.report.pictures import gallery
from backend.report.receipt import receipt, stripped
from backend.report.text import esc, moment, plural, shown, split_sentence
from backend.report.theme import css_variables

FOLDER = Path(__file__).resolve().parent
_HEADLINE = ("verdict", "table")
_FORMATS = ("layers",)
_MOST_VIEWS = 60
_MOST_NOTES = 12
_MOST_FIGURES = 60
_LONG = 12
# Nothing may be fetched, whatever a run's texts hold: only what is in the file itself is used.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
_COLORS = {"finished": "done", "failed": "failed", "crashed": "broken off", "running": "running"}


def write(run: Run, path: Path | None = None, *, strip: bool = False) -> Path:
    """Write the report of a run and return where it is (``report.html`` in the run folder).

    A run that failed, was cancelled, broke off or still goes on gets a report too, and what its
    folder no longer holds is named in its place. The page carries the run's document, so that the
    pipeline can be taken up again from it; ``strip`` leaves that out, and the log, technical
    details and the folders in settings and messages.

    Raises:
        OSError: the file cannot be written; a previous one is intact.
    """
    target = path or run.path / "report.html"
    digest = read(run)
    write_atomic(target, page(stripped(digest) if strip else digest))
    return target


def page(digest: Digest) -> str:
    """Return the whole page as HTML."""
    parts = [
        ("results", "Results", _results(digest)),
        ("curves", "Curves", curves.section(digest.curves)),
        ("formats", "Number formats", _views(digest.of_kind(*_FORMATS))),
        ("views", "Views", _views(_others(digest))),
        ("pictures", "Pictures", gallery(digest.pictures) if digest.pictures else ""),
        ("steps", "Steps", details(digest)),
    ]
    parts = [part for part in parts if part[2]]
    body = "".join(
        f'<section id="{id}" class="part" aria-labelledby="{id}-h"><h2 id="{id}-h">{title}</h2>'
        f"{content}</section>"
        for id, title, content in parts
    )
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    script = (FOLDER / "script.js").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="generator" content="Fretsaw">'
        f"<title>{esc(digest.name)}: run report</title>"
        f"<style>{css_variables()}\n{style}</style></head><body>"
        f'<a class="skip" href="#main">Skip to the results</a>{_bar(digest, parts)}'
        f'<main id="main">{_head(digest)}{_notes(digest)}{body}</main>{_foot(digest)}'
        f"{receipt(digest)}<script>{script}</script></body></html>\n"
    )


def _bar(digest: Digest, parts: Sequence[tuple[str, str, str]]) -> str:
    links = "".join(f'<a href="#{id}">{title}</a>' for id, title, _ in parts)
    logo = (
        '<svg class="logo" width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">'
        '<rect width="20" height="20" rx="5"/><path d="M0 11H11V6.5"/></svg>'
    )
    copy = tables.copy_button(from_digest(digest), "Copy as Markdown")
    theme = (
        '<button type="button" class="theme needs-js" aria-label="Light or dark">'
        '<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" '
        'r="6"/><path d="M8 2a6 6 0 0 1 0 12z"/></svg></button>'
    )
    return (
        f'<header class="top"><div><a class="brand" href="#main">{logo}<b>Fretsaw</b></a>'
        f'<nav aria-label="Parts of the report">{links}</nav>{copy}{theme}</div></header>'
    )


def _head(digest: Digest) -> str:
    state = _COLORS.get(digest.state, "cancelled" if digest.state == "cancelled" else "idle")
    color = diagram.state_color(state)
    done = [s for s in digest.steps.values() if s.state in ("done", "cached")]
    share = len(done) / len(digest.steps) if digest.steps else 0.0
    words = status(digest)
    graph = diagram.draw(digest.steps, digest.links)
    return (
        f'<div class="title"><h1>{esc(digest.name)}</h1><p class="status c-{color}">'
        f"{diagram.state_icon(state, 20)}<b>{words[:1].upper()}{words[1:]}</b>"
        f"<span>{len(done)} of {plural(len(digest.steps), 'step')} done</span></p></div>"
        f'<div class="kerf-line c-{color}" aria-hidden="true"><i style="width:{100 * share:.1f}%">'
        f"</i></div>{tables.pairs(_facts(digest))}{graph or empty('There is no graph to draw.')}"
    )


def _facts(digest: Digest) -> list[tuple[str, str]]:
    facts = [("Run", digest.run)]
    if digest.began is not None:
        facts.append(("Started", moment(digest.began)))
    if digest.attempts > 1:
        facts.append(("Attempts", f"{digest.attempts}, times added up"))
    started = digest.started
    if started is not None:
        facts += [
            ("Seed", str(started.seed)),
            ("Device", f"{started.device}, {plural(started.threads, 'thread')}"),
            ("Commit", started.commit or "outside a repository"),
        ]
        main = [f"{k} {v}" for k, v in started.versions.items() if k in ("fretsaw", "torch")]
        facts += [("Versions", ", ".join(main))] if main else []
    elif digest.seed is not None:
        facts.append(("Seed", str(digest.seed)))
    return facts


def _notes(digest: Digest) -> str:
    if not digest.notes:
        return ""
    shown_notes = digest.notes[:_MOST_NOTES]
    items = "".join(_note(note) for note in shown_notes)
    left = len(digest.notes) - len(shown_notes)
    more = f'<p class="remark">{plural(left, "more note")} in the log below.</p>' if left else ""
    return f'<section class="notes" aria-label="Errors and warnings">{items}{more}</section>'


def _note(note: Note) -> str:
    color, sign = ("bad", "failed") if note.level == "error" else ("warn", "warning")
    what, remedy = split_sentence(note.text)
    where = f'<span class="where">{esc(note.node)}</span>' if note.node else ""
    times = f'<span class="where">{note.count:,} times</span>' if note.count > 1 else ""
    fold = ""
    if note.details:
        fold = (
            "<details><summary>Technical details</summary>"
            f"<pre tabindex='0'>{esc(note.details[-6000:])}</pre></details>"
        )
    cure = f"<p>{esc(remedy)}</p>" if remedy else ""
    word = "Error" if note.level == "error" else "Warning"
    return (
        f'<div class="issue b-{color}">{diagram.state_icon(sign, 20)}<div><p><span class="vh">'
        f"{word}: </span><b>{esc(what)}</b> {where}{times}</p>{cure}{fold}</div></div>"
    )


def _results(digest: Digest) -> str:
    found = digest.of_kind("verdict")
    verdicts = "".join(views.draw(view) for view in found)
    out = f'<div class="verdicts">{verdicts}</div>' if verdicts else ""
    found = sorted(digest.of_kind("table"), key=_rank)
    short = [view for view in found if not _is_long(view)]
    out += "".join(views.draw(view) for view in short)
    out += _figures(digest)
    out += "".join(_folded(view) for view in found if _is_long(view))
    return out or empty(
        "No step has given a table or a verdict. They come from steps that evaluate, profile or "
        "compare."
    )


def _rank(view: Shown) -> int:
    """Tables that compare come first."""
    columns = view.payload.columns if isinstance(view.payload, Table) else []
    return 0 if any(column.better for column in columns) else 1


def _is_long(view: Shown) -> bool:
    return isinstance(view.payload, Table) and len(view.payload.rows) > _LONG and _rank(view) > 0


def _folded(view: Shown) -> str:
    rows = len(view.payload.rows) if isinstance(view.payload, Table) else 0
    return (
        f'<details class="fold"><summary><b>{esc(view.title)}</b><span>{esc(view.node)}, '
        f'{plural(rows, "row")}</span></summary><div class="inner">{views.draw(view)}</div>'
        "</details>"
    )


def _figures(digest: Digest) -> str:
    """Draw the figures that were given once, a line for each step."""
    nodes: dict[str, list[str]] = {}
    for node, name, value in curves.figures(digest.curves):
        cell = f"<span>{esc(name)} <code>{shown(value)}</code></span>"
        nodes.setdefault(node, []).append(cell)
    if not nodes:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{esc(node)}</th><td>{"".join(cells[:_MOST_FIGURES])}</td></tr>'
        for node, cells in list(nodes.items())[:_MOST_FIGURES]
    )
    return (
        '<section class="view"><header><h3>Single figures</h3></header><table class="singles">'
        f'<caption class="vh">Figures given once, by step</caption><tbody>{rows}</tbody></table>'
        "</section>"
    )


def _others(digest: Digest) -> list[Shown]:
    return [view for view in digest.views if view.kind not in (*_HEADLINE, *_FORMATS)]


def _views(found: Sequence[Shown]) -> str:
    drawn = "".join(views.draw(view) for view in found[:_MOST_VIEWS])
    left = len(found) - _MOST_VIEWS
    more = (
        f'<p class="remark">{plural(left, "more view")} in the run folder.</p>' if left > 0 else ""
    )
    return f'<div class="views">{drawn}</div>{more}' if drawn else ""


def _foot(digest: Digest) -> str:
    written = moment(time.time())
    return (
        f"<footer><p>Written by Fretsaw, {esc(written)}. This file needs no network.</p></footer>"
    )
