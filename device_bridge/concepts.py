"""Concepts of an exported base: what is offered of each, and their merging on the desktop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from backend.core.artifact import Artifact
from backend.core.errors import FretsawError, nearest
from backend.export import concept_file
from backend.export.concept_file import Concept, ConceptError
from backend.export.slots import Slot
from device_bridge.concept_words import (
    PAGE,
    ConceptOffer,
    ConceptSet,
    Mix,
    QuickSize,
    ShowConcept,
    SlotOffer,
)
from device_bridge.wire import Trouble
from device_bridge.words import FileOffer

if TYPE_CHECKING:
    from device_bridge.edits import Edit
    from device_bridge.phones import Phone

_AGAIN = "Export it again."


def concept_set(
    artifact: Artifact,
    file: Callable[[Any, Path, str], FileOffer],
    data: Callable[[Any, bytes], FileOffer],
) -> ConceptSet | None:
    """Return what a phone is told of an artefact's concepts; None where it has none.

    ``file`` and ``data`` put a file, or bytes, where phones can fetch them.

    Raises:
        FretsawError: the file of a concept is damaged, or of another network, and which.
    """
    records = artifact.facts.get("concepts")
    if not records:
        return None
    places = slots_of(artifact)
    inputs = set(artifact.facts["inputs"])
    offers = []
    for record in records:
        read_concept(artifact, record, places)
        hashes = {one["path"]: one["sha256"] for one in artifact.facts["files"]}
        name = record["adapter"]
        files = [file("adapter", artifact.others[name], hashes[name])]
        step, output = _golden(artifact.others[record["golden"]])
        files.append(data("golden", output))
        for role in ("blend", "thumb"):
            name = record[role]
            if name:
                files.append(file(role, artifact.others[name], hashes[name]))
        offers.append(
            ConceptOffer(
                id=record["id"],
                name=str(record["name"])[:80],
                kind=record["kind"],
                files=files,
                step=step,
            )
        )
    if len({offer.id for offer in offers}) != len(offers):
        raise FretsawError(f"Two concepts of {artifact.path.name} have the same id.", _AGAIN)
    slots = [
        SlotOffer(name=s.name, shape=list(s.shape), offset=s.offset, told=s.name in inputs)
        for s in places
    ]
    quick = artifact.facts.get("quick")
    size = QuickSize(height=quick["height"], width=quick["width"]) if quick else None
    return ConceptSet(slots=slots, concepts=offers, quick=size)


def slots_of(artifact: Artifact) -> list[Slot]:
    """Return where the base's weights lie, each inside the file of weights and nowhere twice.

    Raises:
        FretsawError: they do not.
    """
    places = [Slot(str(n), tuple(s), int(o), int(b)) for n, s, o, b in artifact.facts["slots"]]
    weights = artifact.weights
    size = weights.stat().st_size if weights else 0
    end = 0
    for slot in sorted(places, key=lambda slot: slot.offset):
        count = 4 * int(np.prod(slot.shape, dtype=np.int64))
        if slot.offset < end or slot.offset % 4 or slot.bytes != count or min(slot.shape) < 1:
            raise FretsawError(
                f"The weights of {artifact.path.name} are not where it says.", _AGAIN
            )
        end = slot.offset + slot.bytes
    if end > size:
        raise FretsawError(f"The weights beside {artifact.path.name} are not whole.", _AGAIN)
    return places


def read_concept(artifact: Artifact, record: dict[str, Any], places: Sequence[Slot]) -> Concept:
    """Read the file of a concept and check that it fits the base.

    Raises:
        FretsawError: it is damaged, or of another base.
    """
    name = str(record["name"])[:80]
    path = artifact.others[record["adapter"]]
    try:
        if path.stat().st_size > concept_file.MOST_BYTES:
            raise ConceptError(f"It has {path.stat().st_size} bytes, too many for a concept.")
        concept = concept_file.read(path.read_bytes(), places, record["id"])
        if record["blend"]:
            met = concept_file.read_met(artifact.others[record["blend"]].read_bytes(), places)
            concept = replace(concept, met=met)
    except (ConceptError, OSError) as error:
        raise FretsawError(f'The concept "{name}" cannot be read: {error}', _AGAIN) from error
    if concept.base != artifact.facts["base"]:
        raise FretsawError(
            f'The concept "{name}" belongs to another base than {artifact.path.name}.', _AGAIN
        )
    inputs = set(artifact.facts["inputs"])
    strange = [layer for layer in concept.pairs if f"{layer}.weight" not in inputs]
    if strange:
        raise FretsawError(
            f'The concept "{name}" changes "{strange[0]}", which is fixed in the graph.', _AGAIN
        )
    return concept


def require_concept(edit: Edit | None, wish: ShowConcept) -> None:
    """Check that a studio's wish names an edit and concepts that it has.

    Raises:
        FretsawError: it does not.
    """
    if edit is None or edit.offer.concepts is None:
        raise FretsawError(
            f'The edit "{wish.id}" has no concepts to switch.'
            if edit
            else f'The edit "{wish.id}" was not pushed.',
            "Push a file of Export concepts first.",
        )
    known = [one.id for one in edit.offer.concepts.concepts]
    for id in wish.mix.ids:
        if id not in known:
            raise FretsawError(f'"{edit.offer.name}" has no concept "{id}".', nearest(id, known))


def can_switch(phone: Phone, emit: Callable[[Any], bool]) -> bool:
    """Tell whether the page of a phone knows concepts; the studio is told if it does not."""
    page = phone.hello.page if phone.hello else ""
    if page.isdecimal() and int(page) >= PAGE:
        return True
    if phone.hello is not None:
        emit(
            Trouble(
                text=f"The page on {phone.session.name} is older than this studio and cannot "
                "switch concepts.",
                remedy="Reload the page on the phone.",
                command="tell",
            )
        )
    return False


class Mixer:
    """The weights of an artefact for any mix of its concepts; for the desktop's worker."""

    def __init__(self, artifact: Artifact) -> None:
        """Read all concepts of ``artifact``.

        Raises:
            FretsawError: it has none, or one of them is damaged.
        """
        records = artifact.facts.get("concepts")
        weights = artifact.weights
        if not records or weights is None:
            raise FretsawError(f"{artifact.path.name} holds no concepts.", _AGAIN)
        self.first = Mix(first=records[0]["id"])
        self.location = weights.name
        self._slots = slots_of(artifact)
        self._base = weights.read_bytes()
        self._concepts = {r["id"]: read_concept(artifact, r, self._slots) for r in records}

    def weights(self, mix: Mix) -> bytearray:
        """Return the file of weights for a mix.

        Raises:
            FretsawError: there is no such concept.
        """
        missing = [id for id in mix.ids if id not in self._concepts]
        if missing:
            raise FretsawError(f'There is no concept "{missing[0]}".', "Choose one of the gallery.")
        parts = [(self._concepts[id], share) for id, share in mix.parts()]
        return concept_file.merged(self._base, self._slots, parts)


def _golden(path: Path) -> tuple[int, bytes]:
    """Return the step and the sampled output of a concept's golden pair, float32."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            step, output = int(kept["step"]), np.ascontiguousarray(kept["output"], "<f4")
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise FretsawError(f"The golden pair {path.name} cannot be read.", _AGAIN) from error
    return step, output.tobytes()
