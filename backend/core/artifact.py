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

    def save(self, folder: Path) -> None:
        """Copy the file, its golden pair and the description into ``folder``."""
        shutil.copyfile(self.path, folder / self.path.name)
        if self.golden is not None:
            shutil.copyfile(self.golden, folder / self.golden.name)
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
        return cls(
            path,
            record["format"],
            record["sha256"],
            record["bytes"],
            _tensor_spec(record["input"]),
            _tensor_spec(record["output"]),
            golden,
            record["facts"],
        )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tensor_spec(record: dict[str, Any]) -> TensorSpec:
    return TensorSpec(record["name"], tuple(record["shape"]), record["dtype"])
