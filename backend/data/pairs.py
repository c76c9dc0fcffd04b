"""Pairs of pictures, before and after an edit, as a manifest of hashed files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backend.data.manifest import FileEntry


@dataclass(frozen=True)
class Pair:
    """One pair: source and target files, its split, seed, prompt and concept."""

    source: FileEntry
    target: FileEntry
    split: str = "train"
    seed: int = 0
    prompt: str = ""
    concept: str = ""


@dataclass(frozen=True)
class PairsManifest:
    """A set of pairs of one size: ``options`` is JSON data about how it was made."""

    title: str
    size: tuple[int, int]
    pairs: tuple[Pair, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write ``pairs.json``."""
        (folder / "pairs.json").write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, folder: Path) -> PairsManifest:
        """Read what :meth:`save` wrote."""
        record = json.loads((folder / "pairs.json").read_text())
        pairs = tuple(
            Pair(FileEntry(**entry.pop("source")), FileEntry(**entry.pop("target")), **entry)
            for entry in record["pairs"]
        )
        return cls(record["title"], tuple(record["size"]), pairs, record["options"])
