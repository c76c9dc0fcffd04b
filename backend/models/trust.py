"""Which Python files the user has allowed to run, by the SHA-256 of their content.

The list is ``trusted.json`` in the workspace (``FRETSAW_HOME``, else the documents folder
``Fretsaw``). Only the user's own word adds to it; a changed file has another hash and is asked
about again.
"""

from __future__ import annotations

import json
import re

from backend.data.manifest import workspace
from backend.models.errors import RecipeError
from backend.models.tensors import read_bytes, write_together

_LIST = "trusted.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class UntrustedPython(RecipeError):  # noqa: N818  (a refusal that asks, not a fault)
    """A network needs a Python file to run that the user has not allowed yet."""

    def __init__(self, sha256: str, file: str) -> None:
        super().__init__(
            f"The network is built by the Python file {file}, which may do anything on this "
            f"computer once it runs. Read it, and if you trust it, allow it with: "
            f"python -m backend trust {sha256}"
        )
        self.sha256 = sha256
        self.file = file


def is_trusted(sha256: str) -> bool:
    """Tell whether the user has allowed the file with this SHA-256 (64 hexadecimal digits)."""
    return sha256.lower() in _read()


def trust(sha256: str) -> None:
    """Allow the file with this SHA-256 from now on.

    Raises:
        RecipeError: not a SHA-256, or the list cannot be written.
    """
    sha256 = sha256.lower()
    if not _SHA256.fullmatch(sha256):
        raise RecipeError(f"{sha256!r} is no SHA-256: it has 64 hexadecimal digits.")
    listed = sorted({*_read(), sha256})
    write_together(workspace(), {_LIST: (json.dumps(listed, indent=2) + "\n").encode()})


def _read() -> list[str]:
    path = workspace() / _LIST
    if not path.exists():
        return []
    try:
        listed = json.loads(read_bytes(path))
    except ValueError:
        listed = None
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise RecipeError(
            f"{path} is damaged; delete it, and allow the files that you trust again."
        )
    return listed
