"""Exported concepts: one base network and small adapters, as the gallery shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.core.errors import DocumentError
from backend.core.files import parse_json
from backend.core.workspace import Workspace
from studio.phone.artefacts import exported_folders, file_in, read_edit
from studio.phone.edit import Edit


@dataclass(frozen=True)
class Concept:
    """One edit of a set: its id on the phone, words, pictures (paths or ""), and figures.

    ``bytes`` is what it adds to the base; ``l1`` (on a scale of 0..1) and ``psnr`` (dB) compare it
    with its teacher on validation pictures, where that is known.
    """

    id: str
    name: str
    prompt: str = ""
    kind: str = "adapter"
    bytes: int = 0
    before: str = ""
    after: str = ""
    l1: float | None = None
    psnr: float | None = None


@dataclass(frozen=True)
class ConceptSet:
    """What an export of concepts gave: the edit to push, and its concepts in order."""

    edit: Edit
    concepts: tuple[Concept, ...]

    @property
    def base_bytes(self) -> int:
        """Bytes that a phone fetches once, whatever the concept."""
        return self.edit.bytes

    @property
    def adapter_bytes(self) -> int:
        """Bytes of all adapters together."""
        return sum(concept.bytes for concept in self.concepts)

    def named(self, id: str | None) -> str:
        """What a concept is called; its id where it is not one of these."""
        return next((one.name for one in self.concepts if one.id == id), id or "")


def read_set(folder: Path, run: str = "", node: str = "") -> ConceptSet | None:
    """Return the concepts in an artefact folder; None when what it holds has none.

    Raises:
        DocumentError: it is no exported network, or none that edits pictures.
    """
    edit = read_edit(folder, run, node)
    facts = parse_json((folder / "artifact.json").read_bytes())["facts"]
    entries = facts.get("concepts")
    if not isinstance(entries, list):
        return None
    before = file_in(folder, facts.get("before"))
    found = [_concept(folder, one, before) for one in entries if isinstance(one, dict)]
    concepts = tuple(one for one in found if one is not None)
    return ConceptSet(edit, concepts) if concepts else None


def all_sets(workspace: Workspace, first: str = "") -> list[ConceptSet]:
    """Return the sets that the newest runs exported, newest first; reads many files.

    ``first`` is a run whose sets come before all others. Of one id, the newest counts.
    """
    found: dict[str, ConceptSet] = {}
    for folder, run, node in exported_folders(workspace, first):
        try:
            one = read_set(folder, str(run), node)
        except (DocumentError, OSError, ValueError, KeyError, TypeError):
            continue
        if one is not None:
            found.setdefault(one.edit.id, one)
    return list(found.values())


def _concept(folder: Path, entry: Mapping[str, Any], before: str) -> Concept | None:
    id, name = entry.get("id"), entry.get("name")
    if not isinstance(id, str) or not id:
        return None
    count = entry.get("bytes")
    return Concept(
        id=id,
        name=str(name or id)[:60],
        prompt=str(entry.get("prompt") or "")[:200],
        kind=str(entry.get("kind") or "adapter"),
        bytes=count if isinstance(count, int) and count > 0 else 0,
        before=before,
        after=file_in(folder, entry.get("thumb")),
        l1=_number(entry.get("l1")),
        psnr=_number(entry.get("psnr")),
    )


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None  # type: ignore[arg-type]
