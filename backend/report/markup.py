"""Pieces of HTML that several parts of the page share."""

from __future__ import annotations

from collections.abc import Sequence

from backend.report.text import esc


def scroller(label: str, inner: str) -> str:
    """Wrap something wide so that it scrolls by itself, by keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{esc(label)}">{inner}</div>'


def empty(words: str) -> str:
    """Say in one sentence why there is nothing to draw."""
    return f'<p class="empty">{esc(words)}</p>'


def svg(inner: str, label: str, box: str, *, attributes: str = "") -> str:
    """Wrap drawn shapes as a picture with a name; ``box`` is its view box."""
    name = esc(label)
    return (
        f'<svg viewBox="{box}" role="img" aria-label="{name}" {attributes}>'
        f"<title>{name}</title>{inner}</svg>"
    )


def settings(rows: Sequence[tuple[str, str]], caption: str) -> str:
    """Draw names and values as a two-column table."""
    cells = "".join(
        f'<tr><th scope="row">{esc(name)}</th><td class="mono">{esc(value)}</td></tr>'
        for name, value in rows
    )
    return (
        f'<table class="settings"><caption class="vh">{esc(caption)}</caption>'
        f"<tbody>{cells}</tbody></table>"
    )


def names(labels: Sequence[str]) -> str:
    """Draw the names of a matrix's rows, to stand left of it."""
    spans = "".join(f"<span>{esc(label)}</span>" for label in labels)
    return f'<div class="names" aria-hidden="true">{spans}</div>'
