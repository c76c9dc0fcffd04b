"""The pipeline that a page carries, and what is taken out of a page that is to be shared."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from backend.report.digest import Digest, Note, Step

_FOLDERS = re.compile(r"""(?<![\w.:/\\])(?:[A-Za-z]:|\\)?[/\\](?:[^/\\\s"'<>|,;]+[/\\])+""")


def receipt(digest: Digest) -> str:
    """Return the run's document as data in the page: dropped on the window, it opens again."""
    if not digest.document:
        return ""
    text = digest.document.replace("<", "\\u003c")  # nothing in it can end the element
    return f'<script type="application/json" class="receipt">\n{text}\n</script>'


def stripped(digest: Digest) -> Digest:
    """Copy a digest without pipeline, log, technical details, and folders in what it says."""
    started = digest.started
    if started is not None:
        inputs = {_without_folders(name): value for name, value in started.inputs.items()}
        started = started.model_copy(update={"inputs": inputs})
    return replace(
        digest,
        document="",
        log=[],
        started=started,
        steps={name: _step(step) for name, step in digest.steps.items()},
        notes=[_note(note) for note in digest.notes],
    )


def _step(step: Step) -> Step:
    return replace(
        step,
        params={name: _told(value) for name, value in step.params.items()},
        error=_without_folders(step.error),
        details="",
    )


def _note(note: Note) -> Note:
    return replace(note, text=_without_folders(note.text), details="")


def _told(value: Any) -> Any:
    """Leave folders out of a setting, however deep its texts lie."""
    if isinstance(value, str):
        return _without_folders(value)
    if isinstance(value, dict):
        return {name: _told(one) for name, one in value.items()}
    return [_told(one) for one in value] if isinstance(value, list | tuple) else value


def _without_folders(text: str) -> str:
    """Leave the last part of every absolute path."""
    return _FOLDERS.sub("", text)
