"""The words for phones, steps, backends and times."""

from __future__ import annotations

import re

BACKENDS = {
    "wasm-1": "WASM, 1 thread",
    "wasm-2": "WASM, 2 threads",
    "wasm-4": "WASM, 4 threads",
    "webgpu": "WebGPU",
    "desktop": "This computer",
}
_MODEL = re.compile(r"Android [\d.]+; ([^;)]+?)(?: Build|[;)])")
_BROWSERS = (
    ("Edg", "Edge"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)


def device_name(name: str, agent: str = "") -> str:
    """What a phone is called: by its own word, else by its browser's, else "Phone"."""
    if name.strip():
        return name.strip()[:40]
    found = _MODEL.search(agent)
    if found and found[1] != "K":  # what Chrome says instead of a model
        return found[1][:40]
    for word in ("iPhone", "iPad"):
        if word in agent:
            return word
    return "Android phone" if "Android" in agent else "Phone"


def browser(agent: str) -> str:
    """The browser by its user agent; empty when it is not known."""
    return next((name for sign, name in _BROWSERS if sign in agent), "")


def size(count: int) -> str:
    """Bytes as kB or MB."""
    if count >= 1_000_000:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1e6:.2f} MB" if count >= 100_000 else f"{max(1, round(count / 1e3))} kB"


def milliseconds(value: float) -> str:
    """A time in ms with as many digits as help: 4.6, 38."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def small(value: float) -> str:
    """A tiny error: 1.1e-5."""
    mantissa, _, power = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(power)}" if value else "0"


def code_groups(code: str) -> str:
    """A typed code in two groups of three."""
    return f"{code[:3]} {code[3:]}"
