"""Checks parameters against the JSON Schema of a node, without importing the node.

Covers what pydantic writes for parameter models: types, bounds, choices, lists, nested models and
optional values. The node's own model checks once more when the node runs.
"""

from __future__ import annotations

import math
from typing import Any

from backend.core.errors import ended, nearest, short

_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "null": (type(None),),
}
_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a group of settings",
    "null": "nothing",
}


def defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the default of every field that has one."""
    fields: dict[str, dict[str, Any]] = schema.get("properties", {})
    return {name: field["default"] for name, field in fields.items() if "default" in field}


def faults(schema: dict[str, Any], params: dict[str, Any]) -> list[tuple[str, str]]:
    """Return ``(parameter, sentence)`` for everything that is wrong with ``params``."""
    fields: dict[str, dict[str, Any]] = schema.get("properties", {})
    found: list[tuple[str, str]] = []
    for name, given in params.items():
        if name not in fields:
            found.append((name, f'There is no parameter "{name}". {nearest(name, fields)}'))
            continue
        fault = _fault(fields[name], given, schema.get("$defs", {}))
        if fault:
            found.append((name, ended(f'Parameter "{name}" {fault}')))
    for name in schema.get("required", []):
        if name not in params:
            found.append((name, f'Parameter "{name}" must be given; it has no default.'))
    return found


def _fault(field: dict[str, Any], given: Any, definitions: dict[str, Any]) -> str:
    if "$ref" in field:
        field = definitions.get(field["$ref"].rsplit("/", 1)[-1], {})
    if "allOf" in field:
        return next(filter(None, (_fault(f, given, definitions) for f in field["allOf"])), "")
    if "anyOf" in field:
        reasons = [_fault(option, given, definitions) for option in field["anyOf"]]
        return "" if "" in reasons else reasons[0]
    if "enum" in field and given not in field["enum"]:
        hint = nearest(given, map(str, field["enum"])) if isinstance(given, str) else ""
        choices = ", ".join(map(str, field["enum"]))
        return f"must be one of {choices}; it is {short(given)}. {hint}".rstrip(". ")
    if "const" in field and given != field["const"]:
        return f"must be {field['const']!r}; it is {short(given)}"
    return _type_fault(field, given) or _bound_fault(field, given, definitions)


def _type_fault(field: dict[str, Any], given: Any) -> str:
    wanted = field.get("type")
    if wanted not in _TYPES:
        return ""
    is_number_for_bool = wanted != "boolean" and isinstance(given, bool)
    if isinstance(given, _TYPES[wanted]) and not is_number_for_bool:
        return ""
    if wanted == "integer" and isinstance(given, float) and given.is_integer():
        return ""
    return f"must be {_WORDS[wanted]}; it is {short(given)}"


def _bound_fault(field: dict[str, Any], given: Any, definitions: dict[str, Any]) -> str:
    unit = f" {field['unit']}" if field.get("unit") else ""
    if isinstance(given, int | float) and not isinstance(given, bool):
        if isinstance(given, float) and not math.isfinite(given):
            what = "NaN" if given != given else short(given)
            return f"must be a number that is finite; it is {what}"
        if "minimum" in field and given < field["minimum"]:
            return f"must be at least {field['minimum']}{unit}; it is {short(given)}"
        if "maximum" in field and given > field["maximum"]:
            return f"must be at most {field['maximum']}{unit}; it is {short(given)}"
        if "exclusiveMinimum" in field and given <= field["exclusiveMinimum"]:
            return f"must be above {field['exclusiveMinimum']}{unit}; it is {short(given)}"
        if "exclusiveMaximum" in field and given >= field["exclusiveMaximum"]:
            return f"must be below {field['exclusiveMaximum']}{unit}; it is {short(given)}"
    if isinstance(given, list | tuple):
        if len(given) < field.get("minItems", 0):
            return f"needs at least {field['minItems']} entries; it has {len(given)}"
        if len(given) > field.get("maxItems", len(given)):
            return f"takes at most {field['maxItems']} entries; it has {len(given)}"
        items = field.get("items", {})
        return next(filter(None, (_fault(items, entry, definitions) for entry in given)), "")
    if isinstance(given, dict) and "properties" in field:
        inner = faults({**field, "$defs": definitions}, given)
        return "is not right: " + " ".join(text for _, text in inner) if inner else ""
    return ""
