"""Turns ``assets/tokens.json``, the project's design data, into the page's CSS variables."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

TOKENS = Path(__file__).resolve().parents[2] / "assets" / "tokens.json"
RAMP_LEVELS = 16
PENS = 8
_LEAST_CONTRAST = 4.5
_SANS = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial'
_MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono"'


@cache
def tokens() -> dict[str, Any]:
    """Return the design data."""
    data: dict[str, Any] = json.loads(TOKENS.read_text(encoding="utf-8"))
    return data


def css_variables() -> str:
    """Return the rules that define every colour (both schemes), size, space and font."""
    data = tokens()
    ui, mono = data["type"]["ui"]["family"], data["type"]["mono"]["family"]
    common = {
        "ui": f'"{ui}", {_SANS}, sans-serif',
        "mono": f'"{mono}", {_MONO}, monospace',
        **{f"s{step}": f"{step}px" for step in data["space"]["steps"]},
        **{f"r-{name}": f"{value}px" for name, value in data["radius"].items()},
    }
    for name, (size, line, weight) in data["type"]["scale"].items():
        common[f"t-{name}"] = f"{weight} {size}px/{line}px var(--ui)"
    for name, (size, line, weight) in data["type"]["number"].items():
        common[f"n-{name}"] = f"{weight} {size}px/{line}px var(--mono)"
    light, dark = _rules(_scheme("light")), _rules(_scheme("dark"))
    return "\n".join(
        [
            f":root{{color-scheme:light dark;{_rules(common)}}}",
            f":root{{{light}}}",
            f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}",
            f':root[data-theme="light"]{{color-scheme:light;{light}}}',
            f':root[data-theme="dark"]{{color-scheme:dark;{dark}}}',
            f"@media print{{:root:root[data-theme],:root:root{{color-scheme:light;{light}}}}}",
            _level_rules(),
        ]
    )


def _level_rules() -> str:
    heat = "".join(
        f".h{i}{{--c:var(--heat{i});--ct:var(--heat{i}t)}}.d{i}{{--c:var(--diff{i});--ct:var(--diff{i}t)}}"
        for i in range(RAMP_LEVELS)
    )
    pens = "".join(
        f".p{i}{{--pen:var(--pen{i});--raw:var(--pen{i}-raw);--band:var(--pen{i}-band)}}"
        for i in range(PENS)
    )
    return heat + pens


def _scheme(scheme: str) -> dict[str, str]:
    data = tokens()
    colors = {name: entry[scheme] for name, entry in data["colors"].items()}
    out = dict(colors)
    derived = data["derived"]
    for name in ("hover", "pressed", "selected", "field", "stripe", "grid_dot", "plot_grid"):
        out[name] = _mixed(colors, *derived[name])
    out["border_strong"] = _mixed(colors, *derived["border_strong"])
    out["on_blade"] = derived["on_blade"][scheme]
    for family in ("model", "data", "result", "chip", "good", "warn", "bad", "blade", "muted"):
        ground, _, share = derived["tint"]
        out[f"{family}-tint"] = _mix(colors[ground], colors[family], share)
        ground, _, share = derived["link_idle"]
        out[f"{family}-link"] = _mix(colors[ground], colors[family], share)
    for index, pen in enumerate(data["plot"]["pens"][:PENS]):
        out[f"pen{index}"] = colors[pen]
        for name, rule in (("raw", "faint_raw"), ("band", "band")):
            ground, _, share = derived[rule]
            out[f"pen{index}-{name}"] = _mix(colors[ground], colors[pen], share)
    for name, key in (("heat", "heat"), ("diff", "difference")):
        stops = data["plot"][key][scheme]
        for level in range(RAMP_LEVELS):
            cell, text = _readable(_ramp(stops, level / (RAMP_LEVELS - 1)))
            out[f"{name}{level}"], out[f"{name}{level}t"] = cell, text
    return out


def _readable(color: str) -> tuple[str, str]:
    """Return a cell's colour and that of its text, the cell moved a little where both are too near.

    Between the darkest and the lightest ink lies a grey on which neither reaches a contrast of 4.5.
    """
    colors = tokens()["colors"]
    dark, light = colors["bench"]["dark"], colors["card"]["light"]
    text = max((dark, light), key=partial(contrast, color))
    while contrast(text, color) < _LEAST_CONTRAST:
        color = _mix(color, light if text == dark else dark, 0.04)
    return color, text


def contrast(a: str, b: str) -> float:
    """Return the WCAG contrast of two colours written as ``#RRGGBB``."""
    bright, dim = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(color: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgb(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _mixed(colors: dict[str, str], a: str, b: str, share: float) -> str:
    return _mix(colors[a], colors[b], share)


def _mix(a: str, b: str, share: float) -> str:
    pairs = zip(_rgb(a), _rgb(b), strict=True)
    return "#" + "".join(f"{round(255 * (x * (1 - share) + y * share)):02X}" for x, y in pairs)


def _ramp(stops: list[str], position: float) -> str:
    place = position * (len(stops) - 1)
    index = min(int(place), len(stops) - 2)
    return _mix(stops[index], stops[index + 1], place - index)


def _rules(values: dict[str, str]) -> str:
    return "".join(f"--{name.replace('_', '-')}:{value};" for name, value in values.items())
