"""The pictures of a run, carried inside the page as data URIs."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.core import events as ev
from backend.core.files import inside
from backend.report.text import esc, plural

TOTAL_BYTES = 900_000
MOST = 36
_TINY = 128
_SHOWN_WIDTH = 144
_SHEET = (560, 240)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """The last picture under one name; ``missing`` says why there is none."""

    node: str
    name: str
    count: int
    uri: str = ""
    width: int = 0
    height: int = 0
    missing: str = ""


class PictureBox:
    """Reads pictures of one run folder until the page would grow too large."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._left = TOTAL_BYTES

    def read(self, events: Sequence[ev.Image]) -> list[Picture]:
        """Return the last picture of each node and name."""
        last: dict[tuple[str, str], ev.Image] = {}
        counts: dict[tuple[str, str], int] = {}
        for event in events:
            key = (event.node, event.name)
            last[key] = event
            counts[key] = counts.get(key, 0) + 1
        return [self._one(event, counts[key]) for key, event in list(last.items())[:MOST]]

    def _one(self, event: ev.Image, count: int) -> Picture:
        try:
            path = inside(self._folder, event.path)
            size = path.stat().st_size
            data = path.read_bytes() if size <= self._left else b""
        except FileNotFoundError:
            return self._none(event, count, "is no longer in the run folder")
        except (OSError, ValueError):
            return self._none(event, count, "cannot be read")
        if size > self._left:
            return self._none(event, count, "is left out to keep this page small")
        if not data.startswith(_SIGNATURE) or len(data) < 33:
            return self._none(event, count, "is not a whole PNG picture")
        self._left -= size
        width, height = struct.unpack(">II", data[16:24])
        uri = "data:image/png;base64," + base64.b64encode(data).decode("ascii")
        return Picture(event.node, event.name, count, uri, width, height)

    @staticmethod
    def _none(event: ev.Image, count: int, why: str) -> Picture:
        return Picture(event.node, event.name, count, missing=f'"{event.path}" {why}.')


def gallery(pictures: Sequence[Picture]) -> str:
    """Draw pictures side by side, tiny ones enlarged with their pixels kept sharp."""
    return f'<div class="gallery">{"".join(_figure(p) for p in pictures)}</div>'


def _times(width: int, height: int) -> int:
    """Return by how much a picture is enlarged: tiny ones to a fair size, sheets of them twice."""
    if 0 < width <= _TINY and height <= _TINY:
        return math.ceil(_SHOWN_WIDTH / width)
    return 2 if 0 < width <= _SHEET[0] and height <= _SHEET[1] else 1


def _figure(picture: Picture) -> str:
    again = f", the last of {picture.count}" if picture.count > 1 else ""
    size = f"{picture.width} × {picture.height}" if picture.width else plural(picture.count, "look")
    caption = (
        f"<figcaption><b>{esc(picture.name)}</b>"
        f"<span>{esc(picture.node)}, {size}{again}</span></figcaption>"
    )
    if picture.missing:
        return f'<figure class="none"><p>{esc(picture.missing)}</p>{caption}</figure>'
    times = _times(picture.width, picture.height)
    width = max(1, picture.width) * times
    kind = ' class="pixels"' if times > 1 else ""
    return (
        f'<figure style="width:{min(width, 1120)}px"><img{kind} src="{picture.uri}" '
        f'alt="{esc(picture.name)}" width="{picture.width}" height="{picture.height}">'
        f"{caption}</figure>"
    )
