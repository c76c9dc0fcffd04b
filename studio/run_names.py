"""What the names of run folders tell: when a run was made, and of which graph."""

from __future__ import annotations

import os
import re

from backend.core.files import slug
from backend.core.workspace import Workspace

# 2026-11-24_14-03_quantize-classifier, and -2 for the second of that minute
_NAME = re.compile(r"(\d{4}-\d\d-\d\d_\d\d-\d\d)_(.+?)(?:-(\d+))?$")


def newest(workspace: Workspace, count: int) -> list[str]:
    """Return the names of the newest runs, the newest first."""
    return sorted(_folders(workspace), key=_age, reverse=True)[:count]


def newest_of(workspace: Workspace, graph_name: str) -> list[str]:
    """Return the names of all runs of graphs of this name, the newest first."""
    stem = slug(graph_name)
    found = [name for name in _folders(workspace) if _is_of(name, stem)]
    return sorted(found, key=_age, reverse=True)


def _folders(workspace: Workspace) -> list[str]:
    try:
        with os.scandir(workspace.runs) as entries:
            return [entry.name for entry in entries if _NAME.match(entry.name)]
    except OSError:
        return []


def _is_of(name: str, stem: str) -> bool:
    rest = name[len("2026-11-24_14-03_") :]
    return rest == stem or bool(re.fullmatch(re.escape(stem) + r"-\d+", rest))


def _age(name: str) -> tuple[str, int]:
    match = _NAME.match(name)
    return (match[1], int(match[3] or 1)) if match else (name, 0)
