"""The values of the look: colours, sizes, times. Read from ``assets/tokens.json``; no Qt."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).resolve().parent.parent / "assets"
RGB = tuple[int, int, int]


@lru_cache(maxsize=1)
def tokens() -> dict[str, Any]:
    """Return the whole of ``tokens.json``."""
    data: dict[str, Any] = json.loads((ASSETS / "tokens.json").read_text(encoding="utf-8"))
    return data


def token(path: str) -> Any:
    """Return one value by its path, such as ``node.width``.

    Raises:
        KeyError: there is no such value.
    """
    value: Any = tokens()
    for key in path.split("."):
        value = value[key]
    return value


def rgb(text: str) -> RGB:
    """Read ``#RRGGBB``."""
    number = int(text.lstrip("#"), 16)
    return number >> 16, number >> 8 & 255, number & 255


def mix(a: RGB, b: RGB, t: float) -> RGB:
    """Return ``a (1 - t) + b t`` in sRGB, rounded."""
    red, green, blue = (round(x * (1 - t) + y * t) for x, y in zip(a, b, strict=True))
    return red, green, blue


def luminance(color: RGB) -> float:
    """Return the relative luminance in 0..1.

    Source: WCAG 2.2, relative luminance.
    """
    parts = [channel / 255 for channel in color]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: RGB, b: RGB) -> float:
    """Return the contrast ratio of two colours, 1 to 21.

    Source: WCAG 2.2, contrast ratio.
    """
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def ramp(colors: list[RGB], t: float) -> RGB:
    """Return the colour at ``t`` in 0..1 of a ramp with equal steps."""
    place = min(max(t, 0.0), 1.0) * (len(colors) - 1)
    index = min(int(place), len(colors) - 2)
    return mix(colors[index], colors[index + 1], place - index)


class Colors:
    """The named colours of one mode, and those that the rules derive from them."""

    def __init__(self, is_dark: bool, is_contrast: bool = False) -> None:
        self.key = "dark" if is_dark else "light"
        self.is_contrast = is_contrast
        self._named = {name: rgb(entry[self.key]) for name, entry in token("colors").items()}
        if is_contrast:
            self._named["line"] = self._named["muted"]
            self._named["muted"] = mix(self._named["muted"], self._named["ink"], 0.5)

    def named(self, name: str, of: str | None = None) -> RGB:
        """Return a colour by name; ``of`` fills the open place of a rule such as ``tint``.

        Raises:
            KeyError: no such colour, or the rule needs ``of``.
        """
        if name in self._named:
            return self._named[name]
        rule = token("derived")[name]
        if isinstance(rule, dict):
            return rgb(rule[self.key]) if self.key in rule else self._named[rule["color"]]
        ground, other, share = rule
        if other.startswith("<"):
            if of is None:
                raise KeyError(f'The colour "{name}" is a mixture: say of what.')
            other = of
        if self.is_contrast and name in ("link_idle", "faint_raw", "disabled_ink"):
            share = min(1.0, share + 0.38)
        return mix(self._named[ground], self._named[other], share)
