"""Write ``files.json``, the list of all files that the server gives out for the page.

python -m device_bridge.page.write_list
"""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parent
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_PLACES = {"index.html": "/", "sw.js": "/sw.js"}
"""Files with an address of their own; a service worker rules only what lies below it."""
_FOLDERS = ("", "icons", "licences", "vendor")


def _entry(path: Path) -> dict[str, str] | None:
    name = path.relative_to(FOLDER).as_posix()
    bare = name.removesuffix(".gz")
    media = TYPES.get(Path(bare).suffix)
    if media is None or name in ("files.json", "vendor/vendor.json"):
        return None
    url = bare if bare.startswith("vendor/") else f"page/{bare}"
    entry = {"url": _PLACES.get(name, f"/{url}"), "file": name, "type": media}
    return entry | ({"encoding": "gzip"} if name.endswith(".gz") else {})


def listed() -> list[dict[str, str]]:
    """Return one record a file: address, file, media type, content coding as stored."""
    found = [path for folder in _FOLDERS for path in sorted((FOLDER / folder).glob("*.*"))]
    entries = [_entry(path) for path in found if path.is_file()]
    return [entry for entry in entries if entry is not None]


def text() -> str:
    """Return the list as it is kept."""
    lines = ",\n".join(" " + json.dumps(entry) for entry in listed())
    return f"[\n{lines}\n]\n"


if __name__ == "__main__":
    (FOLDER / "files.json").write_text(text())
