"""What a field of a JSON Schema says, as one plain record. Knows no window."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from studio.fields import words

Kind = Literal["integer", "number", "text", "bool", "choice", "path", "list", "group", "json"]

ORIGINS = {
    "paper": "from the paper",
    "code": "from the code",
    "memory": "from memory",
    "choice": "our choice",
}
MOST_SLIDER_STEPS = 128
_DECADES = 6


@dataclass(frozen=True)
class FieldSpec:
    """One field: its kind, bounds, unit, default and where the default comes from."""

    name: str
    label: str
    kind: Kind
    schema: dict[str, Any]
    definitions: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    default: Any = None
    has_default: bool = False
    is_optional: bool = False
    unit: str = ""
    origin: str = ""
    is_log: bool = False
    group: str = ""
    low: float | None = None
    high: float | None = None
    is_low_open: bool = False
    is_high_open: bool = False
    choices: tuple[Any, ...] = ()
    choice_labels: dict[str, str] = field(default_factory=dict)
    wants_folder: bool = False

    @property
    def has_slider(self) -> bool:
        """Whether a slider makes sense: bounded both ends, and few steps or a log scale."""
        if self.kind not in ("integer", "number") or self.low is None or self.high is None:
            return False
        if self.high <= self.low:
            return False
        if self.kind == "integer" and not self.is_log:
            return self.high - self.low <= MOST_SLIDER_STEPS
        return not self.is_log or self.high > 0

    def slider_ends(self) -> tuple[float, float]:
        """Return the ends of the slider; a log scale that begins at 0 gets a positive end."""
        assert self.low is not None
        assert self.high is not None
        if self.is_log and self.low <= 0:
            return 10.0 ** (math.floor(math.log10(self.high)) - _DECADES), self.high
        return self.low, self.high

    def from_slider(self, position: float) -> float | int:
        """Return a round value for a place of the slider."""
        low, high = self.slider_ends()
        if self.kind == "integer":
            return int(min(max(round(position), math.ceil(low)), math.floor(high)))
        if self.is_log:
            if position <= low * 1.0001 and self.low == 0 and not self.is_low_open:
                return 0.0
            return float(f"{position:.2g}")
        digits = max(0, 2 - math.floor(math.log10(high - low)))
        value = round(position, digits)
        step = 10.0**-digits
        if self.is_low_open and value <= low:
            return round(low + step, digits)
        if self.is_high_open and value >= high:
            return round(high - step, digits)
        return value

    def bounds(self) -> str:
        """Say the bounds in a few words: ``1 or more``, ``2 to 16``, ``above 0``."""
        low = None if self.low is None else words.show(float(self.low))
        high = None if self.high is None else words.show(float(self.high))
        if low is not None and high is not None:
            if self.is_low_open or self.is_high_open:
                first = f"above {low}" if self.is_low_open else f"{low} or more"
                return f"{first}, {'below' if self.is_high_open else 'at most'} {high}"
            return f"{low} to {high}"
        if low is not None:
            return f"above {low}" if self.is_low_open else f"{low} or more"
        if high is not None:
            return f"below {high}" if self.is_high_open else f"at most {high}"
        return ""

    def range(self) -> str:
        """Say all that is allowed: bounds with the unit, or the choices."""
        if self.kind == "choice":
            return ", ".join(map(self.show, self.choices))
        if self.kind == "bool":
            return "on, off"
        text = self.bounds()
        if text and self.unit:
            text = f"{text} {self.unit}"
        return f"{text}, or none" if text and self.is_optional else text

    def show(self, value: Any) -> str:
        """Write a value of this field for a reader."""
        if value is None:
            return "none"
        if self.kind == "choice":
            return words.choice(value, self.choice_labels)
        return words.show(value)


def fields_of(schema: dict[str, Any]) -> list[FieldSpec]:
    """Return every field of an object schema, in order."""
    definitions = schema.get("$defs", {})
    properties: dict[str, dict[str, Any]] = schema.get("properties", {})
    return [field_of(name, entry, definitions) for name, entry in properties.items()]


def field_of(name: str, entry: dict[str, Any], definitions: dict[str, Any]) -> FieldSpec:
    """Read one field; what cannot be told apart is edited as JSON."""
    flat, is_optional = _flat(entry, definitions)
    kind = _kind(flat)
    low, is_low_open = _bound(flat, "minimum", "exclusiveMinimum")
    high, is_high_open = _bound(flat, "maximum", "exclusiveMaximum")
    title = entry.get("title", "") if kind != "group" else entry.get("title", name)
    return FieldSpec(
        name=name,
        label=words.label(name, title),
        kind=kind,
        schema=flat,
        definitions=definitions,
        description=entry.get("description", flat.get("description", "")),
        default=entry.get("default"),
        has_default="default" in entry,
        is_optional=is_optional,
        unit=str(flat.get("unit", "")),
        origin=str(flat.get("origin", "")),
        is_log=flat.get("scale") == "log",
        group=str(flat.get("group", "")),
        low=low,
        high=high,
        is_low_open=is_low_open,
        is_high_open=is_high_open,
        choices=_choices(flat) if kind == "choice" else (),
        choice_labels=dict(flat.get("labels", {})),
        wants_folder=flat.get("format") == "directory-path"
        or any(word in name for word in ("folder", "directory")),
    )


def _flat(entry: dict[str, Any], definitions: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Follow references and take ``null`` out of a union; what stands beside them wins."""
    beside = {k: v for k, v in entry.items() if k not in ("$ref", "allOf", "anyOf", "default")}
    if "$ref" in entry:
        target = definitions.get(str(entry["$ref"]).rsplit("/", 1)[-1], {})
        inner, is_optional = _flat(target, definitions)
        return {**inner, **beside}, is_optional
    if len(entry.get("allOf", ())) == 1:
        inner, is_optional = _flat(entry["allOf"][0], definitions)
        return {**inner, **beside}, is_optional
    if "anyOf" in entry:
        options = [option for option in entry["anyOf"] if option.get("type") != "null"]
        is_optional = len(options) < len(entry["anyOf"])
        if len(options) == 1:
            inner, _ = _flat(options[0], definitions)
            return {**inner, **beside}, is_optional
        return {**beside, "anyOf": entry["anyOf"]}, False
    return dict(entry), False


def _kind(flat: dict[str, Any]) -> Kind:
    if "enum" in flat or "const" in flat:
        return "choice"
    kind = flat.get("type")
    if kind == "string":
        return "path" if "path" in str(flat.get("format", "")) else "text"
    if kind == "array":
        items = flat.get("items", {}).get("type")
        return "list" if items in ("integer", "number", "string") else "json"
    if kind == "object" and flat.get("properties"):
        return "group"
    plain: dict[Any, Kind] = {"integer": "integer", "number": "number", "boolean": "bool"}
    return plain.get(kind, "json")


def _choices(flat: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(flat["enum"]) if "enum" in flat else (flat["const"],)


def _bound(flat: dict[str, Any], closed: str, opened: str) -> tuple[float | None, bool]:
    if isinstance(flat.get(opened), int | float):
        return flat[opened], True
    value = flat.get(closed)
    return (value, False) if isinstance(value, int | float) else (None, False)
