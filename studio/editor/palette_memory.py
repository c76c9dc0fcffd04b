"""What the palette remembers between sessions: favourites, folded groups, what was used."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from PySide6.QtCore import QObject, Signal

from backend.core.files import parse_json, write_atomic
from backend.core.workspace import Workspace

_MOST_RECENT = 5


class PaletteMemory(QObject):
    """Kept in ``studio/palette.json`` of the workspace.

    A file that cannot be read or written costs what is remembered, never what is being done.
    """

    changed = Signal()

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        data = _read(path)
        self.favourites = set(_texts(data.get("favourites")))
        self.folded = set(_texts(data.get("folded")))
        self.recent = _texts(data.get("recent"))[:_MOST_RECENT]
        uses = data.get("uses")
        self.uses: dict[str, int] = (
            {str(k): v for k, v in uses.items() if type(v) is int} if isinstance(uses, dict) else {}
        )

    @classmethod
    def of(cls, workspace: Workspace) -> PaletteMemory:
        """Return the one memory of this workspace, which palette and quick search share."""
        path = workspace.root / "studio" / "palette.json"
        return _shared.get(path) or _shared.setdefault(path, cls(path))

    def favour(self, type_id: str, on: bool) -> None:
        """Make a kind of node a favourite, or an ordinary one again."""
        (self.favourites.add if on else self.favourites.discard)(type_id)
        self._keep()

    def fold(self, group: str, on: bool) -> None:
        """Fold or unfold a group of the palette."""
        (self.folded.add if on else self.folded.discard)(group)
        self._keep()

    def use(self, type_id: str) -> None:
        """Note that a node of this kind was added by hand."""
        self.uses[type_id] = self.uses.get(type_id, 0) + 1
        rest = [other for other in self.recent if other != type_id]
        self.recent = [type_id, *rest][:_MOST_RECENT]
        self._keep()

    def _keep(self) -> None:
        data = {
            "favourites": sorted(self.favourites),
            "folded": sorted(self.folded),
            "recent": self.recent,
            "uses": self.uses,
        }
        with contextlib.suppress(OSError):
            write_atomic(self._path, json.dumps(data, indent=1))
        self.changed.emit()


_shared: WeakValueDictionary[Path, PaletteMemory] = WeakValueDictionary()


def _texts(value: Any) -> list[str]:
    return [x for x in value if isinstance(x, str)] if isinstance(value, list) else []


def _read(path: Path) -> Mapping[str, Any]:
    try:
        data = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
