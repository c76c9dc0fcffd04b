"""The small file of one concept: what it adds to the weights of a base, and its projected text.

A safetensors file with one tensor ``values``, float32 or float16. Which numbers they are stands in
the header's notes: A (r, n) and B (out, r) of each layer of ``ranks``, in that order, then ``key``
and ``value`` of the text in the shapes of their slots. The text itself does not travel.

Of an adapter of the form ``matrix`` B has k rows for each output channel, and A a k-th of the
columns: the product is the kernel as a matrix (out k, in k), which lies in memory as the kernel
does. The notes name k by layer as ``rows``, and the format is 2, which pages of before refuse. In
the shape (out, in k^2) such a product has a rank of up to r k^2: files would grow, and a
factorization would not give the same bits.

Where a concept adapts the layers that project the text, a blend of two concepts is not only the mix
of their projections: each one's change meets the other's text. That is what a second file holds,
fetched for blends alone: B (out, r) of such a layer and A t (r, T) for the text t of every concept.

The page of the phone reads the same files: ``device_bridge/page/concepts.js``.
Source of the blending: W + (1 - s) s1 B1 A1 + s s2 B2 A2, see :func:`backend.distill.lora.blend`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from backend.export.slots import Slot

FORMAT = 1
FORMAT_ROWS = 2
"""With pairs of several rows for an output channel."""
MOST_BYTES = 16 * 1024 * 1024
"""Bytes of the largest file that is read; the largest adapters of phone networks have 200 kB."""
MOST_RANK = 1024
KEY, VALUE = "tb.key", "tb.value"
TEXT_LAYERS = {"tb.k2": KEY, "tb.v2": VALUE}
"""Layers that project the text, and the slot of what they make of it."""
Precision = Literal["float32", "float16"]
_TYPES = {"float32": ("F32", "<f4"), "float16": ("F16", "<f2")}
_MOST_HEADER = 256 * 1024
_TENSOR = "values"
Pair = tuple[np.ndarray, np.ndarray]


class ConceptError(ValueError):
    """A concept's file that cannot be read or does not fit; the message says what is wrong."""

    for_user = True


@dataclass(frozen=True)
class Met:
    """What a concept's change of a text layer makes of the texts of all concepts.

    ``b`` (out, r), and ``texts``: A t (r, T) by the concept's id, A being the concept's own.
    """

    b: np.ndarray
    texts: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Concept:
    """What one concept adds: pairs A (r, n), B (out, r) of layers, key and value of its text.

    ``met`` is there, by layer, for blends of a concept that adapts how the text is projected. All
    float32. ``base`` is the digest of the base that it belongs to. ``rows`` names layers whose B is
    (out k, r) and whose A is (r, n / k), and k.
    """

    pairs: Mapping[str, Pair]
    scale: float
    key: np.ndarray
    value: np.ndarray
    base: str
    id: str = ""
    met: Mapping[str, Met] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)


def write(concept: Concept, precision: Precision = "float32") -> bytes:
    """Return the bytes of a concept's file, without what only blends need."""
    notes = {
        "format": FORMAT,
        "base": concept.base,
        "scale": concept.scale,
        "ranks": {layer: len(a) for layer, (a, _) in concept.pairs.items()},
    }
    if concept.rows:
        notes |= {"format": FORMAT_ROWS, "rows": dict(concept.rows)}
    parts = [part for pair in concept.pairs.values() for part in pair]
    return _closed(notes, [*parts, concept.key, concept.value], precision)


def write_met(met: Mapping[str, Met], precision: Precision = "float32") -> bytes:
    """Return the bytes of a concept's file for blends."""
    ids = list(next(iter(met.values())).texts)
    notes = {
        "format": FORMAT,
        "ids": ids,
        "ranks": {layer: one.b.shape[1] for layer, one in met.items()},
    }
    parts = [p for one in met.values() for p in (one.b, *(one.texts[id] for id in ids))]
    return _closed(notes, parts, precision)


def read(data: bytes, slots: Sequence[Slot], id: str = "") -> Concept:
    """Read what :func:`write` gave, for a graph with weights in ``slots``.

    Raises:
        ConceptError: no such file, damaged, or of another network.
    """
    with _explained():
        notes, values = _opened(data)
        return replace(_split(notes, _Parts(values), {slot.name: slot for slot in slots}), id=id)


def read_met(data: bytes, slots: Sequence[Slot]) -> dict[str, Met]:
    """Read what :func:`write_met` gave.

    Raises:
        ConceptError: no such file, damaged, or of another network.
    """
    with _explained():
        notes, values = _opened(data)
        key = next(slot for slot in slots if slot.name == KEY)
        _, heads, tokens, head = key.shape
        rest, found = _Parts(values), {}
        for layer, rank in _ranks(notes["ranks"]):
            if layer not in TEXT_LAYERS:
                raise ConceptError(f'A concept projects its text by "{layer[:60]}".')
            b = rest.take((heads * head, rank))
            found[layer] = Met(b, {str(id): rest.take((rank, tokens)) for id in notes["ids"]})
        rest.end()
        return found


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ConceptError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise ConceptError(f"This is no concept's file ({type(error).__name__}).") from error
    except (RecursionError, StopIteration) as error:
        raise ConceptError("This is no concept's file.") from error


def _closed(notes: Any, parts: Sequence[np.ndarray], precision: Precision) -> bytes:
    name, dtype = _TYPES[precision]
    with np.errstate(over="ignore"):  # what is too large is refused below
        values = np.concatenate([part.ravel() for part in parts]).astype(dtype)
    if not np.isfinite(values).all():
        raise ConceptError(f"A number of the adapter is not finite, or too large for {precision}.")
    header = {
        "__metadata__": {"fretsaw.concept": json.dumps(notes, separators=(",", ":"))},
        _TENSOR: {"dtype": name, "shape": [values.size], "data_offsets": [0, values.nbytes]},
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + values.tobytes()


def merged(
    weights: bytes, slots: Sequence[Slot], mix: Sequence[tuple[Concept, float]]
) -> bytearray:
    """Return the base's ``weights`` with the concepts of ``mix`` added in their shares.

    Deltas B A are mixed, not A and B, which would mix products that belong to neither concept.
    Key and value are mixed too; where the projections of the text are adapted, the products of one
    concept's change and the other's text are added. Float32 throughout.
    """
    out = bytearray(weights)
    places = {slot.name: slot for slot in slots}
    for concept, share in mix:
        for layer, (a, b) in concept.pairs.items():
            view = _view(out, places[f"{layer}.weight"])
            view += (np.float32(share * concept.scale) * (b @ a)).reshape(view.shape)
    for name in (KEY, VALUE) if mix else ():
        view = _view(out, places[name])
        view[:] = sum(
            np.float32(share) * (concept.key if name == KEY else concept.value)
            for concept, share in mix
        )
    if len(mix) == 2:
        for layer, name in TEXT_LAYERS.items():
            _cross(_view(out, places[name]), mix, layer)
    return out


def _cross(view: np.ndarray, mix: Sequence[tuple[Concept, float]], layer: str) -> None:
    """Subtract s (1 - s) (d1 - d2)(t1 - t2) from a mixed projection (1, heads, T, c).

    With changes d and texts t, it is the difference between the mix of the projections and the
    projection of the mixed text by the mixed layer.
    """
    (first, share), (second, _) = mix
    for own, other in ((first, second), (second, first)):
        if layer not in own.met:
            continue
        met = own.met[layer]
        if other.id not in met.texts:
            raise ConceptError(f'The concept "{own.id}" does not know "{other.id}" yet.')
        apart = met.b @ (met.texts[own.id] - met.texts[other.id])  # (out, T)
        heads = apart.reshape(view.shape[1], view.shape[3], -1).transpose(0, 2, 1)
        view -= np.float32(share * (1 - share) * own.scale) * heads[None]


def _view(weights: bytearray, slot: Slot) -> np.ndarray:
    count = math.prod(slot.shape)
    return np.frombuffer(weights, "<f4", count, slot.offset).reshape(slot.shape)


def _opened(data: bytes) -> tuple[dict[str, Any], np.ndarray]:
    if len(data) > MOST_BYTES:
        raise ConceptError(f"A concept's file of {len(data)} bytes is above {MOST_BYTES}.")
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(_MOST_HEADER, len(data) - 8):
        raise ConceptError("A concept's file is cut off.")
    header = json.loads(data[8 : 8 + length])
    notes = json.loads(header["__metadata__"]["fretsaw.concept"])
    if notes["format"] not in (FORMAT, FORMAT_ROWS):
        raise ConceptError(
            f"A concept's file is of the format {notes['format']}, not {FORMAT} or {FORMAT_ROWS}."
        )
    about = header[_TENSOR]
    dtype = next((d for name, d in _TYPES.values() if name == about["dtype"]), None)
    if dtype is None:
        raise ConceptError(f"A concept's numbers are of the type {about['dtype']}.")
    values = np.frombuffer(data[8 + length :], dtype).astype(np.float32)
    if about["shape"] != [values.size] or about["data_offsets"] != [0, len(data) - 8 - length]:
        raise ConceptError("A concept's file is not as long as it says.")
    if not np.isfinite(values).all():
        raise ConceptError("A concept's file holds numbers that are not finite.")
    return notes, values


def _split(notes: dict[str, Any], rest: _Parts, places: Mapping[str, Slot]) -> Concept:
    pairs, rows = {}, dict(notes.get("rows", {}))
    for layer, rank in _ranks(notes["ranks"]):
        slot = places.get(f"{layer}.weight")
        if slot is None or len(slot.shape) not in (2, 4):
            raise ConceptError(f'A concept changes a layer "{layer[:60]}", which the base has not.')
        k, inputs = rows.get(layer, 1), math.prod(slot.shape[1:])
        if isinstance(k, bool) or not isinstance(k, int) or k < 1 or inputs % k:
            raise ConceptError(f'A concept\'s rows of "{layer[:60]}" are {str(k)[:20]}.')
        pairs[layer] = rest.pair(rank, slot.shape[0] * k, inputs // k)
    key, value = (rest.take(places[name].shape) for name in (KEY, VALUE))
    rest.end()
    scale = float(notes["scale"])
    if not math.isfinite(scale):
        raise ConceptError("A concept's scale is not finite.")
    rows = {layer: rows[layer] for layer in pairs if layer in rows}
    return Concept(pairs, scale, key, value, str(notes["base"]), rows=rows)


def _ranks(ranks: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for layer, rank in ranks.items():
        if isinstance(rank, bool) or not isinstance(rank, int) or not 1 <= rank <= MOST_RANK:
            raise ConceptError(f'A concept\'s rank of "{layer[:60]}" is {str(rank)[:20]}.')
        yield layer, rank


class _Parts:
    """Takes arrays off the front of a row of numbers."""

    def __init__(self, values: np.ndarray) -> None:
        self._values, self._at = values, 0

    def take(self, shape: tuple[int, ...]) -> np.ndarray:
        count = math.prod(shape)
        if self._at + count > self._values.size:
            raise ConceptError("A concept's file has fewer numbers than it says.")
        part = self._values[self._at : self._at + count].reshape(shape)
        self._at += count
        return part

    def pair(self, rank: int, out: int, inputs: int) -> Pair:
        return self.take((rank, inputs)), self.take((out, rank))

    def end(self) -> None:
        if self._at != self._values.size:
            raise ConceptError("A concept's file has more numbers than it says.")
