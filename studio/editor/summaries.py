"""One line of a node's settings for its card, made from the schema alone.

A card has no room for titles, so it calls settings by their names, which are shorter.
"""

from __future__ import annotations

from typing import Any

from backend.core.schema import defaults

MOST = 21
"""Characters that fit beside the ring of a card, about."""

_VOWELS = set("aeiouy")


def summary_of(schema: dict[str, Any], params: dict[str, Any]) -> str:
    """Name the one or two settings that say most: changed ones first, then those named first."""
    fields: dict[str, dict[str, Any]] = schema.get("properties", {})
    usual = defaults(schema)
    changed = [name for name in fields if name in params and params[name] != usual.get(name)]
    others = [name for name in fields if name not in changed and name not in params]
    parts: list[str] = []
    for name in (*changed, *others):
        value = params.get(name, usual.get(name))
        text = _said(name, fields[name], value, is_changed=name in changed)
        if not text or text in parts:
            continue
        if parts and len(", ".join((*parts, text))) > MOST:
            continue
        parts.append(text)
        if len(parts) == 2:
            break
    return ", ".join(parts)


def _said(name: str, field: dict[str, Any], value: Any, *, is_changed: bool) -> str:
    words = name.replace("_", " ").lower()
    if isinstance(value, bool):
        return (words if value else f"no {words}") if is_changed else ""
    if isinstance(value, int | float):
        return _number(words, field, value)
    if isinstance(value, str) and value.strip() and (is_changed or value != "auto"):
        return _word(field, value)
    return ""


def _number(words: str, field: dict[str, Any], value: float) -> str:
    figure = f"{value:g}" if isinstance(value, float) else f"{value}"
    unit = str(field.get("unit", ""))
    if unit and words.startswith(unit):  # "2 s" says that it is seconds
        return f"{figure} {unit}"
    if unit and len(unit) < len("epochs"):  # a word there says nothing that the name does not
        return f"{words} {figure} {unit}"
    if words.endswith("s") and " " not in words and isinstance(value, int):
        return f"{figure} {words[:-1] if value == 1 else words}"
    return f"{words} {figure}"


def _word(field: dict[str, Any], value: str) -> str:
    tail = value.replace("\\", "/").rstrip("/").rpartition("/")[2]
    if "enum" not in field:
        return tail
    label = str(field.get("labels", {}).get(value, ""))
    if label:
        return label if label[:2].isupper() else label[:1].lower() + label[1:]
    letters = value.replace("_", "")
    if letters.isalpha() and not _VOWELS & set(letters.lower()):
        return value.upper()  # sgd, vgg: nobody says them as words
    return value.replace("_", " ")
