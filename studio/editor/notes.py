"""Notes and frames of a document: mappings with an id, a place, a text and a colour."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QRectF

from backend.core.errors import DocumentError
from studio.editor.commands import SetNotes

PLACE = ("x", "y", "width", "height")
KINDS = ("note", "frame")
Note = dict[str, Any]
_USUAL: Note = {"kind": "note", "width": 200.0, "height": 120.0, "text": "", "color": ""}


def numbered(notes: list[Note]) -> list[Note]:
    """Return notes of a file with what each needs: an id of its own, a kind, a size, a text."""
    found: list[Note] = []
    for note in notes:
        full = {**note, **{key: value for key, value in _USUAL.items() if key not in note}}
        full |= {key: str(full[key]) for key in ("kind", "text", "color")}
        taken = {other["id"] for other in found}
        if not isinstance(note.get("id"), str) or note["id"] in taken:
            ids = [other.get("id") for other in notes]
            full["id"] = _free(taken | {id for id in ids if isinstance(id, str)})
        found.append(full)
    return found


def place(rect: QRectF | Sequence[float]) -> dict[str, float]:
    """Return a rectangle as notes hold it; as numbers it is x, y, width, height."""
    if isinstance(rect, QRectF):
        rect = (rect.x(), rect.y(), rect.width(), rect.height())
    return dict(zip(PLACE, map(float, rect), strict=True))


def added(notes: list[Note], note: Mapping[str, Any]) -> SetNotes:
    """Return the step that adds a note; it gets an id if it has none that is free."""
    known = {other["id"] for other in notes}
    id = note.get("id")
    new = {**note, "id": id if id and id not in known else _free(known)}
    new.setdefault("color", "")
    _check(new)
    return SetNotes(notes, [*notes, new])


def changed(notes: list[Note], id: str, fields: Mapping[str, Any]) -> SetNotes:
    """Return the step that changes fields of a note; place and size alone do not count."""
    if all(note["id"] != id for note in notes):
        raise DocumentError("This note is no longer there.")
    new = [{**note, **fields, "id": id} if note["id"] == id else note for note in notes]
    _check(next(note for note in new if note["id"] == id))
    return SetNotes(notes, new, counts=not set(fields) <= set(PLACE))


def removed(notes: list[Note], ids: Collection[str]) -> SetNotes:
    """Return the step that removes notes; ids that are not there are passed over."""
    return SetNotes(notes, [note for note in notes if note["id"] not in ids])


def _free(known: set[Any]) -> str:
    return next(f"note{n}" for n in range(1, len(known) + 2) if f"note{n}" not in known)


def _check(note: Note) -> None:
    for key in PLACE:
        value = note[key]
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise DocumentError(f"The {key} of a note must be a number; it is {value!r}.")
    if note.get("kind") not in KINDS:
        raise DocumentError(f'"{note.get("kind")}" is no kind of note.', "Known: note, frame.")
