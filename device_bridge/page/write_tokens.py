"""Write ``tokens.css`` and the manifest: ``python -m device_bridge.page.write_tokens``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
TOKENS = FOLDER.parents[1] / "assets" / "tokens.json"
_OVER_PICTURES = ("bench", "ink", "muted", "good", "warn")
_TINTED = ("blade", "good", "warn", "bad", "muted")


def mix(a: str, b: str, t: float) -> str:
    """Return the colour between two ``#RRGGBB`` in sRGB, a*(1-t) + b*t."""
    pairs = zip(*([int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (a, b)), strict=True)
    return "#" + "".join(f"{round(x * (1 - t) + y * t):02X}" for x, y in pairs)


def _theme(tokens: dict[str, Any], theme: str) -> str:
    colors = {name: value[theme] for name, value in tokens["colors"].items()}
    for name, rule in tokens["derived"].items():
        if isinstance(rule, list) and not any("<" in str(part) for part in rule):
            colors[name] = mix(colors[rule[0]], colors[rule[1]], rule[2])
    amount = tokens["derived"]["tint"][2]
    for name in _TINTED:
        colors[f"tint_{name}"] = mix(colors["card"], colors[name], amount)
    colors["on_blade"] = tokens["derived"]["on_blade"][theme]
    return "".join(f"  --{name.replace('_', '-')}: {value};\n" for name, value in colors.items())


def _night(tokens: dict[str, Any]) -> str:
    """Colours of what lies over a picture: those of the dark theme, whatever the theme is."""
    colors = {name: tokens["colors"][name]["dark"] for name in _OVER_PICTURES}
    lines = "".join(f"  --night-{name}: {value};\n" for name, value in colors.items())
    ground = " ".join(str(int(colors["bench"][i : i + 2], 16)) for i in (1, 3, 5))
    return lines + f"  --night-scrim: rgb({ground} / 72%);\n"


def css(tokens: dict[str, Any]) -> str:
    """Return the style sheet: dark by default, light where ``data-theme`` says so."""
    dark, light = _theme(tokens, "dark"), _theme(tokens, "light")
    head = "/* Written by device_bridge/page/write_tokens.py from assets/tokens.json. */\n"
    dark_rule = f":root {{\n  color-scheme: dark;\n{dark}{_night(tokens)}}}\n"
    light_rule = f':root[data-theme="light"] {{\n  color-scheme: light;\n{light}}}\n'
    return head + dark_rule + light_rule


def manifest(tokens: dict[str, Any]) -> str:
    """Return the web app manifest, by which a phone installs the page."""
    ground = tokens["colors"]["bench"]["dark"]
    icons = [
        {"src": "/page/icons/icon-192.png", "sizes": "192x192", "type": "image/png"},
        {"src": "/page/icons/icon-512.png", "sizes": "512x512", "type": "image/png"},
        {
            "src": "/page/icons/icon-maskable-512.png",
            "sizes": "512x512",
            "type": "image/png",
            "purpose": "maskable",
        },
    ]
    record = {
        "name": "Fretsaw",
        "short_name": "Fretsaw",
        "description": "Edit the camera picture with the network that was just trained.",
        "id": "/",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "orientation": "any",
        "background_color": ground,
        "theme_color": ground,
        "icons": icons,
    }
    return json.dumps(record, indent=2) + "\n"


if __name__ == "__main__":
    look = json.loads(TOKENS.read_text())
    (FOLDER / "tokens.css").write_text(css(look))
    (FOLDER / "manifest.webmanifest").write_text(manifest(look))
