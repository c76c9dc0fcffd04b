"""Reads what a person typed into a field, or says in one sentence why it cannot be."""

from __future__ import annotations

import math
import re
from typing import Any

from backend.core.files import parse_json
from backend.core.schema import faults
from studio.fields import words
from studio.fields.spec import FieldSpec

NOTHING = object()
"""Stands for "no value yet" where None is a value."""

_INCOMPLETE = re.compile(r"[-+]?(\d*\.?)?(\d+\.?\d*(e[-+]?|/)?)?", re.I)
_ENDS = ("", "-", "+", ".", "e", "E", "/")


class UnreadableError(ValueError):
    """What was typed is no value of the field; the message is a sentence for the user."""


def is_unfinished(spec: FieldSpec, text: str) -> bool:
    """Whether ``text`` is the beginning of a number that needs more letters: ``4e-``, ``0.``."""
    text = text.strip()
    if spec.kind not in ("integer", "number"):
        return False
    return text[-1:] in _ENDS and bool(_INCOMPLETE.fullmatch(text))


def read(spec: FieldSpec, text: str, last: Any = NOTHING) -> Any:
    """Return the value that ``text`` means.

    Raises:
        UnreadableError: it means none; the sentence names what is allowed and the last value.
    """
    try:
        return _read(spec, text)
    except UnreadableError as error:
        was = "" if last is NOTHING or last is None else f" Was {words.show(last)}."
        raise UnreadableError(f"{error}{was}") from None


def check(spec: FieldSpec, value: Any, last: Any = NOTHING) -> None:
    """Refuse a value that the schema does not allow.

    Raises:
        UnreadableError: it is out of bounds, or of another kind.
    """
    try:
        _check(spec, value)
    except UnreadableError as error:
        was = "" if last is NOTHING or last is None else f" Was {words.show(last)}."
        raise UnreadableError(f"{error}{was}") from None


def _read(spec: FieldSpec, text: str) -> Any:
    stripped = text.strip()
    if spec.kind in ("text", "path"):
        value = text if spec.kind == "text" else stripped
        return None if spec.is_optional and not stripped else _checked(spec, value)
    if not stripped and spec.is_optional:
        return None
    if spec.kind == "list":
        return _checked(spec, _list(spec, stripped))
    if spec.kind in ("integer", "number"):
        return _checked(spec, _number(stripped, is_whole=spec.kind == "integer", spec=spec))
    try:
        return _checked(spec, parse_json(stripped))
    except ValueError as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError('Write it as JSON, such as [1, 2] or {"name": 1}.') from None


def _checked(spec: FieldSpec, value: Any) -> Any:
    _check(spec, value)
    return value


def _check(spec: FieldSpec, value: Any) -> None:
    if value is None and spec.is_optional:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if spec.kind in ("integer", "number") and is_number:
        _check_bounds(spec, value)
        return
    wrong = faults(
        {"properties": {spec.name: spec.schema}, "$defs": spec.definitions}, {spec.name: value}
    )
    if wrong:
        text = re.sub(r'^Parameter "[^"]*" ', "", wrong[0][1])
        text = re.sub(r"; (it is|it has) .*$", ".", text)
        raise UnreadableError(text[:1].upper() + text[1:])


def _check_bounds(spec: FieldSpec, value: float) -> None:
    if not math.isfinite(value):
        raise UnreadableError("A finite number, such as 0.02.")
    unit = f" {spec.unit}" if spec.unit else ""
    if spec.low is not None:
        low = words.show(float(spec.low))
        if spec.is_low_open and value <= spec.low:
            raise UnreadableError(f"Above {low}{unit}.")
        if value < spec.low:
            raise UnreadableError(f"At least {low}{unit}.")
    if spec.high is not None:
        high = words.show(float(spec.high))
        if spec.is_high_open and value >= spec.high:
            raise UnreadableError(f"Below {high}{unit}.")
        if value > spec.high:
            raise UnreadableError(f"At most {high}{unit}.")


def _number(text: str, *, is_whole: bool, spec: FieldSpec) -> int | float:
    text = text.replace("\N{MINUS SIGN}", "-")
    if spec.unit and text.endswith(spec.unit):
        text = text[: -len(spec.unit)].rstrip()  # "8 px": the unit is in the field already
    if not text:
        raise UnreadableError("A number is needed here.")
    if "," in text:
        raise UnreadableError(_comma(text))
    top, slash, bottom = text.partition("/")
    try:
        value = _plain(top)
        if slash:
            value = value / _plain(bottom)
    except ZeroDivisionError:
        raise UnreadableError("Nothing can be divided by 0.") from None
    except (ValueError, OverflowError):
        example = "such as 8" if is_whole else "such as 0.02, 4e-5 or 1/4"
        kind = "A whole number" if is_whole else "A number"
        raise UnreadableError(f"{kind}, {example}.") from None
    if not is_whole:
        return float(value)
    if not math.isfinite(value) or value != int(value):
        raise UnreadableError("A whole number, such as 8.")
    return int(value)


def _plain(text: str) -> int | float:
    text = text.strip()
    if "_" in text or not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", text, re.I):
        raise ValueError(text)
    return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)


def _comma(text: str) -> str:
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?", text):
        return f"Write {text.replace(',', '')}, without commas."
    if text.count(",") == 1 and re.fullmatch(r"[-+]?\d*,\d+", text):
        return f"Use a point, not a comma: {text.replace(',', '.')}."
    return "One number, with a point and no commas."


def _list(spec: FieldSpec, text: str) -> list[Any]:
    kind = spec.schema.get("items", {}).get("type")
    if kind == "string":
        return [part.strip() for part in text.split(",") if part.strip()]
    parts = [part for part in re.split(r"[\s,;]+", text.strip("[]() ")) if part]
    try:
        return [int(part) if kind == "integer" else float(part) for part in parts]
    except ValueError:
        wanted = "Whole numbers" if kind == "integer" else "Numbers"
        raise UnreadableError(f"{wanted} with commas between them, such as 1, 2, 3.") from None
