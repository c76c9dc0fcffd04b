"""What a dock remembers between starts: a few choices, kept as JSON in the workspace."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from backend.core.files import parse_json, write_atomic
from backend.core.workspace import Workspace


class Memory:
    """The choices of one dock. A file that cannot be read or written costs only the memory."""

    def __init__(self, workspace: Workspace, dock: str) -> None:
        self._path = workspace.root / "studio" / f"dock-{dock}.json"
        try:
            data = parse_json(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            data = {}
        self._values: dict[str, Any] = data if isinstance(data, dict) else {}

    def get(self, name: str, default: Any) -> Any:
        """Return a choice, or the default where there is none of the same kind."""
        value = self._values.get(name, default)
        return value if isinstance(value, type(default)) or default is None else default

    def set(self, **values: Any) -> None:
        """Remember choices; written at once."""
        if all(name in self._values and self._values[name] == v for name, v in values.items()):
            return
        self._values.update(values)
        with contextlib.suppress(OSError):
            write_atomic(self._path, json.dumps(self._values, indent=1))
