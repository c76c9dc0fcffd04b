"""The files of the phone page: an explicit list, read once; nothing else is ever served."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from backend.core.files import inside

FOLDER = Path(__file__).parent / "page"


@dataclass(frozen=True)
class PageFile:
    """One file: its URL path, where it lies, media type, and content coding as stored."""

    url: str
    path: Path
    type: str
    encoding: str = ""


def page_files(folder: Path = FOLDER) -> dict[str, PageFile]:
    """Return the served files by URL path, as ``files.json`` lists them.

    Raises:
        ValueError: the list names a file outside the folder, or one that is not there.
    """
    found = {}
    for entry in json.loads((folder / "files.json").read_text()):
        path = inside(folder, entry["file"])
        if not path.is_file():
            raise ValueError(f'The phone page lacks "{entry["file"]}"; install Fretsaw again.')
        found[entry["url"]] = PageFile(entry["url"], path, entry["type"], entry.get("encoding", ""))
    return found
