"""Names of nodes: they stand in documents and on the command line, and name folders."""

from __future__ import annotations

import re

from backend.core.errors import DocumentError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_DEVICE = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)  # no folder names on Windows


def check_name(name: str) -> None:
    """Refuse a name that cannot be that of a node; it becomes the name of a folder, too.

    Raises:
        DocumentError: the name is empty, longer than 64, or has other signs.
    """
    if not _NAME.fullmatch(name) or _DEVICE.fullmatch(name):
        shown = name if len(name) <= 64 else f"{name[:64]}…"
        raise DocumentError(
            f'"{shown}" cannot be the name of a node.',
            "Use at most 64 letters, digits, _ and -, and begin with a letter or digit.",
        )
