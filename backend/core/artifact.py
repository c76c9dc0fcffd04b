"""An exported file: what a phone, a bridge or another program is given."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backend.core.files import inside, write_atomic
from backend.core.value import value


@dataclass(frozen=True)
class TensorSpec:
    """Name, shape (``None`` for a free axis) and dtype of an input or output."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@value
@dataclass(frozen=True)
class Artifact:
    """A file with its hash and the facts that a device needs to run it.

    ``format`` is ``onnx`` or ``onnx-qdq``; ``golden`` is an .npz beside the file with one input and
    the output that the trained network gives for it; ``facts`` holds what the exporter measured.
    Three of them name files beside it: ``facts["weights"]`` (``path``, ``sha256``, ``bytes``) where
    the weights lie outside the file, ``facts["thumb"]`` a small picture of what it does, and
    ``facts["files"]``, records like that of the weights, whatever else belongs to it.
    """

    path: Path
    format: str
    sha256: str
    bytes: int
    input: TensorSpec
    output: TensorSpec
    golden: Path | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        path: Path,
        format: str,
        input: TensorSpec,
        output: TensorSpec,
        *,
        golden: Path | None = None,
        facts: dict[str, Any] | None = None,
    ) -> Artifact:
        """Describe the file at ``path``: measures its size and hash."""
        return cls(
            path,
            format,
            file_sha256(path),
            path.stat().st_size,
            input,
            output,
            golden,
            facts or {},
        )

    @property
    def weights(self) -> Path | None:
        """The file with the weights, where they lie outside the model file."""
        named = self.facts.get("weights")
        return inside(self.path.parent, named["path"]) if named else None

    @property
    def thumb(self) -> Path | None:
        """A small picture of what the network does, if the exporter had one."""
        named = self.facts.get("thumb")
        return inside(self.path.parent, named) if named else None

    @property
    def others(self) -> dict[str, Path]:
        """Further files that belong to it, by the name that ``facts["files"]`` gives them."""
        names = [record["path"] for record in self.facts.get("files") or ()]
        return {name: inside(self.path.parent, name) for name in names}

    def save(self, folder: Path) -> None:
        """Copy the file, its golden pair, what its facts name and the description to ``folder``."""
        for path in (self.path, self.golden, self.weights, self.thumb, *self.others.values()):
            if path is not None:
                shutil.copyfile(path, folder / path.name)
        self.describe(folder)

    def describe(self, folder: Path) -> None:
        """Write the description alone, into the folder in which the files lie already."""
        record = asdict(self)
        record["path"] = self.path.name
        record["golden"] = self.golden.name if self.golden else None
        write_atomic(folder / "artifact.json", json.dumps(record, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Artifact:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: the file is missing, changed, or named outside the folder.
        """
        record = json.loads((folder / "artifact.json").read_text())
        path = inside(folder, record["path"])
        if not path.is_file() or file_sha256(path) != record["sha256"]:
            raise ValueError(f'The exported file "{path}" is missing or was changed. Export again.')
        golden = inside(folder, record["golden"]) if record["golden"] else None
        found = cls(
            path,
            record["format"],
            record["sha256"],
            record["bytes"],
            _tensor_spec(record["input"]),
            _tensor_spec(record["output"]),
            golden,
            record["facts"],
        )
        weights, _ = found.weights, found.thumb  # both refuse a name outside the folder
        if weights is not None and not (
            weights.is_file() and file_sha256(weights) == found.facts["weights"]["sha256"]
        ):
            raise ValueError(f'The weights "{weights}" are missing or were changed. Export again.')
        for record in found.facts.get("files") or ():
            other = found.others[record["path"]]
            if not (other.is_file() and file_sha256(other) == record["sha256"]):
                raise ValueError(f'"{other}" is missing or was changed. Export again.')
        return found


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tensor_spec(record: dict[str, Any]) -> TensorSpec:
    return TensorSpec(record["name"], tuple(record["shape"]), record["dtype"])
