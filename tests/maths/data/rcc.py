"""A writer of Qt resource archives, for tests of the reader."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any


def write_rcc(path: Path, files: dict[str, bytes], *, packed: bool = False, flag: int = 1) -> Path:
    """Write version 3 of the format; ``packed`` compresses with zlib and sets ``flag``."""
    root: dict[str, Any] = {}
    for name, content in files.items():
        place = root
        *folders, last = name.strip("/").split("/")
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = content
    names, blocks = bytearray(), bytearray()
    nodes: list[bytes] = []
    queue: list[tuple[str, Any]] = [("", root)]
    count = 1
    while queue:  # breadth first, so that the children of a folder stand together
        name, value = queue.pop(0)
        at = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
        if isinstance(value, dict):
            nodes.append(struct.pack(">IHIIQ", at, 2, len(value), count, 0))
            count += len(value)
            queue += value.items()
            continue
        stored = struct.pack(">I", len(value)) + zlib.compress(value) if packed else value
        nodes.append(struct.pack(">IHHHIQ", at, flag if packed else 0, 0, 0, len(blocks), 0))
        blocks += struct.pack(">I", len(stored)) + stored
    header = 24
    tree = header + len(blocks) + len(names)
    offsets = struct.pack(">4sIIIII", b"qres", 3, tree, header, header + len(blocks), 0)
    path.write_bytes(offsets + bytes(blocks) + bytes(names) + b"".join(nodes))
    return path
