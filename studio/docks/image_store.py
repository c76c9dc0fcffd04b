"""Pictures of runs, decoded in a thread when they are first seen, kept within a bound of bytes."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor, QImage, QImageReader

from backend.core.files import inside
from studio.background import Background

MOST_BYTES = 192 * 1024 * 1024
_MOST_PIXELS = 64_000_000
DIFFERENCE_SCALE = 48
"""Absolute difference of a channel, of 255, that gets the hottest colour."""


class Place(NamedTuple):
    """A picture: the folder of its run, and its path in there."""

    folder: Path
    path: str


class Pictures(QObject):
    """Decoded pictures, the least recently seen dropped first."""

    ready = Signal(object)
    """The picture of this place came, or a sentence why not."""

    def __init__(self, parent: QObject, most_bytes: int = MOST_BYTES) -> None:
        super().__init__(parent)
        self._most = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[Place, QImage | str] = OrderedDict()
        self._asked: set[Place] = set()
        self._work = Background("pictures", self)
        parent.destroyed.connect(self._work.close)

    @property
    def bytes_kept(self) -> int:
        """Bytes of the decoded pictures that are held."""
        return self._bytes

    def get(self, place: Place) -> QImage | str | None:
        """Return the picture, a sentence if there is none, or None while it is read."""
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place]
        if place not in self._asked:
            self._asked.add(place)
            self._work.do(lambda: (place, read_picture(place)), self._came)
        return None

    def work(self, job: Any, then: Any) -> None:
        """Do something else in the same thread."""
        self._work.do(job, then)

    def retry(self) -> None:
        """Forget what could not be read, so that it is tried again."""
        for place in [p for p, found in self._kept.items() if isinstance(found, str)]:
            del self._kept[place]

    def close(self) -> None:
        """End the thread."""
        self._work.close()

    def _came(self, outcome: tuple[Place, QImage | str]) -> None:
        place, found = outcome
        self._asked.discard(place)
        self._kept[place] = found
        self._bytes += _size(found)
        while self._bytes > self._most and len(self._kept) > 1:
            self._bytes -= _size(self._kept.popitem(last=False)[1])
        self.ready.emit(place)


def _size(found: QImage | str) -> int:
    return found.sizeInBytes() if isinstance(found, QImage) else 0


def read_picture(place: Place) -> QImage | str:
    """Decode a picture; a sentence if that cannot be done."""
    try:
        path = inside(place.folder, place.path)
    except ValueError as error:
        return str(error)
    name = Path(place.path).name
    if not path.is_file():
        return f'The picture "{name}" is missing from the run folder.'
    reader = QImageReader(str(path))
    size = reader.size()
    if size.width() * size.height() > _MOST_PIXELS:
        return f'The picture "{name}" is too large to show: {size.width()} x {size.height()}.'
    image = reader.read()
    if image.isNull():
        return f'The picture "{name}" is damaged. Run the node again to make it anew.'
    return image.convertToFormat(QImage.Format.Format_ARGB32)


def as_array(image: QImage) -> np.ndarray:
    """Red, green, blue of an image as ``(height, width, 3)`` bytes."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    height, width = image.height(), image.width()
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(height, image.bytesPerLine())
    return rows[:, : width * 3].reshape(height, width, 3).copy()


class Difference(NamedTuple):
    """Where two pictures differ, and by how much (of 255)."""

    image: QImage
    mean: float
    largest: int
    words: str


def difference(a: QImage, b: QImage, ramp: list[QColor]) -> Difference:
    """Map the largest absolute difference of the channels of each pixel on the ramp.

    The scale is fixed: ``DIFFERENCE_SCALE`` and more get the last colour, so maps of different
    steps can be compared. Pictures of different sizes give a sentence and no map.
    """
    if a.size() != b.size():
        sizes = f"{a.width()} x {a.height()} and {b.width()} x {b.height()}"
        return Difference(QImage(), 0.0, 0, f"The pictures differ in size: {sizes}.")
    gap = np.abs(as_array(a).astype(np.int16) - as_array(b).astype(np.int16))
    most = gap.max(axis=2) if gap.size else gap.reshape(0, 0)
    table = np.array([color.rgb() for color in ramp], dtype=np.uint32)
    share = np.minimum(most / DIFFERENCE_SCALE, 1.0)
    pixels = np.ascontiguousarray(table[np.round(share * (len(ramp) - 1)).astype(int)])
    height, width = pixels.shape
    image = QImage(pixels.tobytes(), width, height, width * 4, QImage.Format.Format_RGB32).copy()
    mean, largest = float(gap.mean()), int(most.max())
    words = f"mean {mean:.2f}, largest {largest} of 255"
    return Difference(image, mean, largest, words if largest else "no difference")


def with_receipt(image: QImage, receipt: dict[str, str]) -> QImage:
    """Copy an image with exactly these texts in it; none if ``receipt`` is empty."""
    pixels = image.convertToFormat(QImage.Format.Format_ARGB32)
    plain = QImage(
        bytes(pixels.constBits()),
        pixels.width(),
        pixels.height(),
        pixels.bytesPerLine(),
        pixels.format(),
    ).copy()
    for key, text in receipt.items():
        plain.setText(key, text)
    return plain


def graph_hash(folder: Path) -> str:
    """First 16 digits of the SHA-256 of the graph of a run; empty if it cannot be read."""
    try:
        return hashlib.sha256((folder / "graph.json").read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def receipt_of(folder: Path, node: str, picture: str) -> dict[str, str]:
    """Texts that say where a picture comes from: run, node, hash of the graph, what it shows."""
    found = {
        "Software": "Fretsaw",
        "Fretsaw run": folder.name,
        "Fretsaw node": node,
        "Fretsaw graph": graph_hash(folder),
        "Fretsaw picture": picture,
    }
    return {key: text for key, text in found.items() if text}
