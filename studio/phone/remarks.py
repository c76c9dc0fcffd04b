"""What the person at the phone says of an edit becomes a note of the run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from backend.core.errors import FretsawError
from device_bridge import protocol as say
from studio.phone.state import PhoneState, Remark

if TYPE_CHECKING:
    from studio.session import Session


def keep_remark(session: Session, state: PhoneState, device: str, note: say.Note) -> Remark:
    """Add a note to that of its run, tell the user, and return what to show."""
    edit = state.edits.get(note.id)
    thumb = {"up": "Thumbs up", "down": "Thumbs down", None: ""}[note.thumb]
    text = " ".join(note.text.split())
    said = f"\u201c{text}\u201d" if text else f"{thumb} for {state.name_of(note.id)}."
    place = f" on epoch {edit.epoch}" if edit is not None and edit.epoch is not None else ""
    name = Path(edit.run).name if edit is not None and edit.run else ""
    kept = ""
    if name:
        line = f"{state.name_of(note.id)}{place.replace(' on', ',')}: " + (text or thumb)
        kept = f"Saved as a note{place}." if _add(session, name, line, thumb, text) else ""
    session.tell("From the phone", f"{said} {kept}".strip(), kind="info")
    named = state.devices[device].name if device in state.devices else "Phone"
    return Remark(time.time(), named, said, note.thumb or "", kept)


def _add(session: Session, run: str, line: str, thumb: str, text: str) -> bool:
    index = session.runner.index
    row = index.row(run)
    before = row.note.strip() if row is not None else ""
    if thumb and text:
        line += f" ({thumb.lower()})"
    try:
        index.set_note(run, f"{before}\n{line}".strip())
    except (FretsawError, OSError):
        return False  # the run is gone; what was said is still shown
    return True
