"""Edits that phones can install: artefacts described in an offer, their files by hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from backend.core.artifact import Artifact, file_sha256
from backend.core.errors import FretsawError
from backend.core.files import inside
from device_bridge.concepts import concept_set
from device_bridge.protocol import (
    MAX_JSON,
    ConceptShown,
    FileOffer,
    Mix,
    Offer,
    PictureFormat,
    ProtocolError,
)
from device_bridge.wire import Push

DEFAULT_SIZE = 256
"""Side of the picture where the graph leaves height and width open."""
MOST_IN_MEMORY = 64 * 1024 * 1024
"""Bytes of the largest file that is held in memory."""
_AGAIN = "Export it again."


@dataclass(frozen=True)
class Edit:
    """What is offered under an id: the offer, the artefact's folder, the run it belongs to."""

    offer: Offer
    folder: Path
    run: Path | None
    node: str


@dataclass(frozen=True)
class Content:
    """A file that phones may fetch: on disk, or in memory."""

    size: int
    path: Path | None = None
    data: bytes = b""


@dataclass
class Edits:
    """All edits of a server by id, and the only files that it gives out, by SHA-256."""

    edits: dict[str, Edit] = field(default_factory=dict)
    files: dict[str, Content] = field(default_factory=dict)
    _before: set[str] = field(default_factory=set)

    def push(self, push: Push) -> Edit:
        """Take an artefact in under an id; one of the same id is replaced.

        Raises:
            FretsawError: the folder holds no artefact that a phone could show, and why.
        """
        artifact = _load(Path(push.folder))
        _require_pictures(artifact)
        try:
            offer = self._offer(push, artifact)
        except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
            raise FretsawError(
                f"The description of {artifact.path.name} is damaged.", _AGAIN
            ) from error
        old = self.edits.get(push.id)
        self._before = {file.sha256 for file in _all_files(old.offer)} if old else set()
        run = Path(push.run) if push.run else None
        edit = Edit(offer, Path(push.folder), run, push.node)
        self.edits[push.id] = edit
        self._let_go()
        return edit

    def drop(self, id: str) -> bool:
        """Take an edit off the list; False if there is none."""
        found = self.edits.pop(id, None) is not None
        self._let_go()
        return found

    def _let_go(self) -> None:
        """Forget files that no edit names any more, but for those of the version before."""
        named = {file.sha256 for edit in self.edits.values() for file in _all_files(edit.offer)}
        for sha256 in [one for one in self.files if one not in named | self._before]:
            del self.files[sha256]

    def content(self, sha256: str) -> Content | None:
        """Return the file of a hash, if one of the edits was ever offered with it."""
        return self.files.get(sha256)

    def require_known(self, message: Any) -> None:
        """Check that a phone names only concepts that its edit has; edits may be gone meanwhile.

        Raises:
            ProtocolError: another concept.
        """
        edit = self.edits.get(getattr(message, "id", None) or "")
        is_shown = isinstance(message, ConceptShown)
        mix = message.mix if is_shown else getattr(message, "concept", None)
        if edit is None or mix is None:
            return
        known = {one.id for one in edit.offer.concepts.concepts} if edit.offer.concepts else set()
        for id in mix.ids if isinstance(mix, Mix) else (mix,):
            if id not in known:
                raise ProtocolError(f'The edit "{message.id}" has no concept "{id}".')

    def of_graph(self, id: str, graph: str) -> Edit | None:
        """Return the edit ``id`` if its graph is the one of that hash."""
        edit = self.edits.get(id)
        known = edit is not None and any(file.sha256 == graph for file in edit.offer.files)
        return edit if known else None

    def _offer(self, push: Push, artifact: Artifact) -> Offer:
        gmacs = artifact.facts.get("gmacs")
        offer = Offer(
            id=push.id,
            name=push.name,
            files=self._files(artifact, Path(push.folder)),
            input=_input(artifact),
            output=_output(artifact),
            tolerance=float(artifact.facts.get("tolerance") or 1e-4),
            gmacs=None if gmacs is None else float(gmacs),
            note=push.note,
            show=push.show,
            following=push.following,
            concepts=concept_set(artifact, self.file, self.data),
        )
        if len(offer.model_dump_json(exclude_none=True)) > MAX_JSON:
            raise FretsawError(
                f"{artifact.path.name} holds more concepts than one message to a phone can name.",
                "Export fewer of them, or give them shorter names.",
            )
        return offer

    def _files(self, artifact: Artifact, folder: Path) -> list[FileOffer]:
        files = [self.file("graph", artifact.path, artifact.sha256)]
        for name in artifact.facts.get("switch") or ():
            path = artifact.others[name]
            files.append(self.file("switch", path, file_sha256(path)))
        for name in (artifact.facts.get("quick") or {}).get("graphs", ()):
            path = artifact.others[name]
            files.append(self.file("quick", path, file_sha256(path)))
        weights = artifact.facts.get("weights")
        if weights:
            path = inside(folder, str(weights["path"]))
            if not path.is_file() or file_sha256(path) != weights["sha256"]:
                raise FretsawError(
                    f"The weights beside {artifact.path.name} are not whole.", _AGAIN
                )
            offer = self.file("weights", path, weights["sha256"])
            files.append(offer.model_copy(update={"path": str(weights["path"])}))
        if artifact.golden is not None:
            files.append(self.data("golden", _golden(artifact.golden)))
        thumb = artifact.facts.get("thumb")
        if thumb:
            path = inside(folder, str(thumb))
            if path.is_file():
                files.append(self.file("thumb", path, file_sha256(path)))
        return files

    def file(self, role: Any, path: Path, sha256: str) -> FileOffer:
        """Give out a file of an artefact, as it is now."""
        size = path.stat().st_size
        if size <= MOST_IN_MEMORY:
            # The next epoch may be written over the file while a phone still fetches this one.
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != sha256:
                raise FretsawError(f"{path.name} changed while it was read.", "Push it again.")
            self.files[sha256] = Content(size, data=data)
        else:
            self.files[sha256] = Content(size, path=path)
        return FileOffer(role=role, sha256=sha256, bytes=size)

    def data(self, role: Any, data: bytes) -> FileOffer:
        """Give out bytes that are made here."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.files[sha256] = Content(len(data), data=data)
        return FileOffer(role=role, sha256=sha256, bytes=len(data))


def _all_files(offer: Offer) -> list[FileOffer]:
    concepts = offer.concepts.concepts if offer.concepts else []
    return [*offer.files, *(file for concept in concepts for file in concept.files)]


def _load(folder: Path) -> Artifact:
    try:
        return Artifact.load(folder)
    except FretsawError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FretsawError(f'"{folder.name}" holds no exported file that is whole.', _AGAIN) from (
            error
        )


def _require_pictures(artifact: Artifact) -> None:
    name = artifact.path.name
    if artifact.format not in ("onnx", "onnx-qdq"):
        raise FretsawError(
            f"{name} is of the format {artifact.format}, which the phone page does not run.",
            "Export it as ONNX.",
        )
    shapes = [spec.shape for spec in (artifact.input, artifact.output)]
    is_edit = all(len(shape) == 4 and shape[1] == 3 for shape in shapes)
    if not is_edit or artifact.input.dtype != "float32":
        raise FretsawError(
            f"{name} does not turn pictures into pictures, so there is nothing to show live.",
            "Push an exported generator.",
        )


def _input(artifact: Artifact) -> PictureFormat:
    image = artifact.facts.get("image") or {}
    mean, std = image.get("mean") or [0.5] * 3, image.get("std") or [0.5] * 3
    return _format(
        artifact.input,
        image,
        [1 / (255 * float(s)) for s in std],
        [-float(m) / float(s) for m, s in zip(mean, std, strict=True)],
    )


def _output(artifact: Artifact) -> PictureFormat:
    limits = artifact.facts.get("output") or {}
    low, high = float(limits.get("low", -1.0)), float(limits.get("high", 1.0))
    if not high > low:
        raise FretsawError(f"{artifact.path.name} says that white is not above black.", _AGAIN)
    scale = 255 / (high - low)
    image = artifact.facts.get("image") or {}
    return _format(artifact.output, image, [scale] * 3, [-low * scale] * 3)


def _format(
    spec: Any, image: dict[str, Any], scale: list[float], bias: list[float]
) -> PictureFormat:
    height, width = spec.shape[2], spec.shape[3]
    try:
        return PictureFormat(
            name=spec.name,
            height=int(height or image.get("height") or DEFAULT_SIZE),
            width=int(width or image.get("width") or DEFAULT_SIZE),
            scale=scale,
            bias=bias,
        )
    except ValueError as error:
        raise FretsawError(
            f"Pictures of {height} x {width} are outside what a phone shows (8 to 2048 pixels).",
            "Export for another size.",
        ) from error


def _golden(path: Path) -> bytes:
    """Return input and output of a golden pair as raw little-endian float32."""
    try:
        with np.load(path, allow_pickle=False) as pair:
            arrays = [pair["input"], pair["output"]]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise FretsawError(f"The golden pair {path.name} cannot be read.", _AGAIN) from error
    return b"".join(np.ascontiguousarray(a, dtype="<f4").tobytes() for a in arrays)
