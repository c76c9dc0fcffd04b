"""Hypothesis strategies from the protocol's own models: valid and nearly valid messages."""

from __future__ import annotations

import functools
import json
import types
from collections.abc import Callable
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types as at
from hypothesis import strategies as st
from pydantic import BaseModel

from device_bridge import protocol
from device_bridge.frames import HEADER

JPEG = b"\xff\xd8\xff\xe0" + bytes(60) + b"\xff\xd9"
MESSAGES: tuple[type[BaseModel], ...] = get_args(get_args(protocol.FromPhone)[0])
_WORDS = ["", "a", "Pixel 7", "ß漢\u202e", "x" * 40, "\\\"'<script>", "\x00", "edit", "phone-1"]
_WRONG: st.SearchStrategy[Any] = st.sampled_from([
    None, True, -1, 2**64, 1e308, "", "x" * 5000, [], {}, [[[[]]]], {"v": 1}, "NaN", 0.5, [None],
])  # fmt: skip
_PLACE = st.integers(0, 59).map(lambda n: lambda names: names[n % len(names)])
_DEEPER = st.booleans()
_HOW = st.integers(0, 9)


@functools.cache  # building the strategies takes longer than drawing from them
def valid() -> st.SearchStrategy[dict[str, Any]]:
    """Messages that fit in every field, of all types equally often."""
    return st.one_of([_model(message) for message in MESSAGES])


@st.composite
def nearly_valid(draw: Callable[..., Any]) -> str:
    """Return messages that fit but for one field: another type or size, missing, or too much."""
    message = draw(valid())
    inner, name = message, draw(_PLACE)(sorted(message))
    while isinstance(inner[name], dict) and inner[name] and draw(_DEEPER):
        inner = inner[name]
        name = draw(_PLACE)(sorted(inner))
    how = draw(_HOW)
    if how == 0:
        del inner[name]
    elif how == 1:
        inner[name] = float("nan")  # which Python writes though JSON has no such number
    elif how == 2:
        inner[name] = "y" * (protocol.MAX_JSON + 1)
    else:
        inner[name] = draw(_WRONG)
    return json.dumps(message)


def valid_frames() -> st.SearchStrategy[bytes]:
    """Pictures that fit: previews, and questions for the desktop."""
    magic = st.sampled_from([b"FRM1", b"ASK1"])
    number = st.integers(0, 2**32 - 1)
    return st.builds(
        lambda m, seq, us: HEADER.pack(m, seq, 1.0, len(JPEG), us) + JPEG, magic, number, number
    )


@st.composite
def nearly_valid_frames(draw: Callable[..., Any]) -> bytes:
    """Return pictures whose magic, length, time or content is wrong."""
    magic, length, at_ms, jpeg = b"FRM1", len(JPEG), 1.0, JPEG
    match draw(st.integers(0, 5)):
        case 0:
            magic = draw(st.sampled_from([b"ANS1", b"FRM2", b"\0\0\0\0", b"frm1"]))
        case 1:
            length = draw(st.sampled_from([0, 1, len(JPEG) - 1, len(JPEG) + 1, 2**32 - 1]))
        case 2:
            at_ms = draw(st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e300]))
        case 3:
            jpeg = bytes(len(JPEG))
        case 4:
            jpeg = JPEG + bytes(protocol.MAX_FRAME)
            length = len(jpeg)
        case _:
            cut = HEADER.pack(magic, 1, at_ms, length, 1) + jpeg
            return cut[: draw(st.integers(0, len(cut) - 1))]
    return HEADER.pack(magic, 1, at_ms, length, 1) + jpeg


def noise() -> st.SearchStrategy[str | bytes]:
    """What is no message at all."""
    texts = [
        "", "null", "[]", "{}", "{", "[" * 5000, '{"v": 2, "t": "hello"}', '{"v": 1}', "1e999",
        '{"v": 1, "t": "dance"}', '{"v": 1, "t": ["hello"]}', '{"v": true, "t": "hello"}',
    ]  # fmt: skip
    return st.one_of(st.sampled_from(texts), st.binary(max_size=40), st.text(max_size=20))


def _model(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {
        name: _value(field.annotation, tuple(field.metadata))
        for name, field in model.model_fields.items()
    }
    return st.fixed_dictionaries(fields)


def _value(kind: Any, limits: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    origin = get_origin(kind)
    if hasattr(kind, "__metadata__"):  # Annotated
        return _value(kind.__origin__, (*_flat(kind.__metadata__), *limits))
    if origin is Literal:
        return st.sampled_from(get_args(kind))
    if origin in (Union, types.UnionType):
        return st.one_of([_value(one, limits) for one in get_args(kind)])
    if origin is list:
        least = max([m.min_length for m in limits if isinstance(m, at.MinLen)], default=0)
        return st.lists(_value(get_args(kind)[0], ()), min_size=least, max_size=least + 2)
    if origin is dict:
        key, value = (_value(one, ()) for one in get_args(kind))
        return st.dictionaries(key, value, max_size=2)
    if kind is type(None):
        return st.none()
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _model(kind)
    return _scalar(kind, limits)


def _scalar(kind: Any, limits: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    low = max([m.ge for m in limits if isinstance(m, at.Ge)], default=0)
    high = min([m.le for m in limits if isinstance(m, at.Le)], default=10**6)
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.one_of(st.integers(low, high), st.sampled_from([low, high]))
    if kind is float:
        return st.sampled_from([float(low), float(high), (low + high) / 2, low + 0.25])
    assert kind is str, kind
    pattern = next((m.pattern for m in limits if getattr(m, "pattern", None)), None)
    if pattern is None:
        return st.sampled_from(_WORDS)
    return st.sampled_from(["0" * 64, "a" * 64] if "64" in pattern and "{64}" in pattern else
                           ["edit", "other", "0"])  # fmt: skip


def _flat(metadata: tuple[Any, ...]) -> list[Any]:
    """Return limits, also those that pydantic keeps inside its field descriptions."""
    found: list[Any] = []
    for one in metadata:
        inner = getattr(one, "metadata", None)
        found += inner if inner else [one]
    return found
