"""Pictures before and after an edit, as a manifest of hashed files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PIL import Image

from backend.data.image_folder import BROKEN, load_upright, reason_of
from backend.data.manifest import DataError, FileEntry, Split

PICTURES = "pictures"
"""The folder beside ``pairs.json`` with pictures that were made: ``SHA256.png``."""

_FILE = "pairs.json"
_NAME = re.compile(r"[0-9a-f]{64}\.png")
_FORMAT = 1
# Decoded pictures are kept in memory when a whole split fits in this many bytes.
_KEEP_BYTES = 2**30


@dataclass(frozen=True)
class Pair:
    """One pair: source and target files, its split, seed, prompt and concept.

    ``photo`` tells which pairs are of one photo; those are in one split.
    """

    source: FileEntry
    target: FileEntry
    split: str = "train"
    seed: int = 0
    prompt: str = ""
    concept: str = ""
    photo: int = 0


@dataclass(frozen=True)
class PairsManifest:
    """A set of pairs of one size: ``options`` is JSON data about how it was made.

    Pictures that a node made are named by their content, are of ``size`` (H, W), and are kept
    beside the manifest. Pictures of the user stay where they are, and are cropped when they are
    read; ``options["halves"]`` says that one picture is both, source on the left.
    """

    title: str
    size: tuple[int, int]
    pairs: tuple[Pair, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def count(self, split: str) -> int:
        """Return how many pairs a split has."""
        return sum(pair.split == split for pair in self.pairs)

    def concepts(self) -> tuple[str, ...]:
        """Return the names of the edits, in order of their first pair."""
        return tuple(dict.fromkeys(pair.concept for pair in self.pairs))

    def save(self, folder: Path) -> None:
        """Write ``pairs.json``, and into ``pictures`` what was made and is not there yet.

        Raises:
            DataError: a picture is gone.
        """
        inside = folder / PICTURES
        for entry in self._made():
            _keep(Path(entry.path), inside)
        record = asdict(self) | {"format": _FORMAT}
        for pair in record["pairs"]:
            for side in ("source", "target"):
                entry = pair[side]
                if _is_made(entry["path"], entry["sha256"]):
                    # Neither place nor time of a picture that was made is part of the value.
                    pair[side] = {"sha256": entry["sha256"], "size": entry["size"]}
        (folder / _FILE).write_text(json.dumps(record, indent=1))

    @classmethod
    def load(cls, folder: Path) -> PairsManifest:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: the manifest is damaged, or a picture changed or vanished since.
        """
        try:
            record = json.loads((folder / _FILE).read_bytes())
            pairs = tuple(_pair(entry, folder / PICTURES) for entry in record["pairs"])
            height, width = map(int, record["size"])
            return cls(record["title"], (height, width), pairs, dict(record["options"]))
        except DataError:
            raise
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f'The pairs in "{folder}" are damaged ({error}); run the node that made them again.'
            ) from error

    def _made(self) -> Iterable[FileEntry]:
        entries = {e.path: e for pair in self.pairs for e in (pair.source, pair.target)}
        return (entry for entry in entries.values() if _is_made(entry.path, entry.sha256))


class PairSet:
    """The pairs of a split, checked against their hashes and decoded when they are first taken."""

    def __init__(self, manifest: PairsManifest, pairs: tuple[Pair, ...]) -> None:
        self.pairs = pairs
        height, width = manifest.size
        self.shape = (height, width, 3)
        self._halves = bool(manifest.options.get("halves"))
        self._fit = manifest.options.get("fit", "crop")
        self.are_labels = bool(manifest.options.get("labels"))
        """Sources are label maps, whose levels must not be mixed."""
        self._known = np.zeros(len(pairs), bool)
        # Pages of a zero array take memory only once they are written.
        size = (len(pairs), 2, *self.shape)
        self._kept = np.zeros(size, np.uint8) if np.prod(size) <= _KEEP_BYTES else None

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.pairs)

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return sources and targets at ``indices`` (B,), each uint8 (B, H, W, 3).

        Raises:
            DataError: a picture is gone, changed, or cannot be decoded.
        """
        if self._kept is None:
            both = np.stack([self._both(self.pairs[int(i)]) for i in indices])
            return both[:, 0], both[:, 1]
        for i in np.unique(indices):
            if not self._known[i]:
                self._kept[i] = self._both(self.pairs[int(i)])
                self._known[i] = True
        return self._kept[indices, 0], self._kept[indices, 1]

    def _both(self, pair: Pair) -> np.ndarray:
        if not self._halves:
            sides = (_open(pair.source), _open(pair.target))
            return np.stack([self._picture(side) for side in sides])
        whole = _open(pair.source)
        middle = whole.width // 2
        left, right = (0, 0, middle, whole.height), (middle, 0, 2 * middle, whole.height)
        return np.stack([self._picture(whole.crop(left)), self._picture(whole.crop(right))])

    def _picture(self, image: Image.Image) -> np.ndarray:
        return fitted(image, self.shape[:2], self._fit)


def open_pairs(manifest: PairsManifest, split: Split) -> PairSet:
    """Return the pairs of ``train``, ``val`` or ``test``; the only reader of test pairs.

    Raises:
        DataError: there is no such split, or it is empty.
    """
    if split not in get_args(Split):
        raise DataError(f'There is no split "{split}"; choose train, val or test.')
    pairs = tuple(pair for pair in manifest.pairs if pair.split == split)
    if not pairs:
        raise DataError(
            f'There are no pairs in the "{split}" split of {manifest.title}; add photos or raise '
            "its share."
        )
    return PairSet(manifest, pairs)


def write_picture(pixels: np.ndarray, folder: Path) -> FileEntry:
    """Write pixels (H, W, 3) uint8 into ``folder`` as a PNG named by its content; describe it."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=6)
    data = buffer.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    path = folder / f"{sha256}.png"
    if not path.is_file() or path.stat().st_size != len(data):
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{sha256}.part"
        partial.write_bytes(data)
        os.replace(partial, path)
    return replace(FileEntry.of(path), sha256=sha256)


def find_picture(sha256: str, folder: Path) -> FileEntry | None:
    """Return the picture of that content in ``folder``, or None if it is not there whole."""
    path = folder / f"{sha256}.png"
    if not _NAME.fullmatch(path.name) or not path.is_file():
        return None
    entry = FileEntry.of(path, digest=True)
    return entry if entry.sha256 == sha256 else None


def fitted(image: Image.Image, size: tuple[int, int], fit: str = "crop") -> np.ndarray:
    """Return an RGB picture as uint8 (H, W, 3): the middle cut out, or bent by ``stretch``."""
    height, width = size
    if image.size == (width, height):
        return np.asarray(image, np.uint8)
    box = None
    if fit == "crop":
        scale = min(image.width / width, image.height / height)
        wide, high = width * scale, height * scale
        left, top = (image.width - wide) / 2, (image.height - high) / 2
        box = (left, top, left + wide, top + high)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, box=box), np.uint8)


def _open(entry: FileEntry) -> Image.Image:
    try:
        if entry.sha256 is None:
            return load_upright(entry.path)
        data = Path(entry.path).read_bytes()
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise DataError(
                f'The picture "{entry.path}" has changed since the pairs were made; run the node '
                "that made them again."
            )
        return load_upright(io.BytesIO(data))
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(
            f'The picture "{entry.path}" is gone; run the node that made the pairs again.'
        ) from error
    except BROKEN as error:
        raise DataError(
            f'The picture "{entry.path}" cannot be read ({reason_of(error)}); run the node that '
            "made the pairs again."
        ) from error


def _pair(record: dict[str, Any], folder: Path) -> Pair:
    sides = {side: _entry(record.pop(side), folder) for side in ("source", "target")}
    return Pair(**sides, **record)


def _entry(record: dict[str, Any], folder: Path) -> FileEntry:
    if "path" in record:
        entry = FileEntry(**record)
        problem = entry.change()
        if problem:
            raise DataError(problem)
        return entry
    path = folder / f"{record['sha256']}.png"
    if not _NAME.fullmatch(path.name):
        raise ValueError(f"{record['sha256'][:80]!r} is no SHA-256")
    if not path.is_file():
        raise DataError(f'The picture "{path}" is gone; run the node that made the pairs again.')
    entry = replace(FileEntry.of(path), sha256=record["sha256"])
    if entry.size != record["size"]:
        raise DataError(
            f'The picture "{path}" has changed since the pairs were made; run the node that made '
            "them again."
        )
    return entry


def _is_made(path: str, sha256: str | None) -> bool:
    return sha256 is not None and os.path.basename(path) == f"{sha256}.png"


def _keep(path: Path, folder: Path) -> None:
    """Put a picture into ``folder`` under its own name; the disk is shared where it can be."""
    target = folder / path.name
    if target.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target)
    except FileNotFoundError as error:
        raise DataError(
            f'The picture "{path}" is gone; run the node that made the pairs again.'
        ) from error
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(path, target)
