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
STEPS = {
    # step: (what it says when done, while it waits, when it failed, the fix)
    "page": (
        "The phone reached the page",
        "Scan the code with the phone",
        "The phone does not reach the page",
        "Put the phone on the same network as this computer, or choose another network above. "
        "Guest networks keep devices apart, and a firewall may ask once: allow it. A cable always "
        "works on Android.",
    ),
    "code": (
        "The code was right",
        "The code is checked",
        "The code was refused",
        "A code lives two minutes and works once. Make a new code and scan that.",
    ),
    "allowed": (
        "You let the phone in",
        "Waits for your answer",
        "The phone was refused",
        "Make a new code and scan it again, then choose Allow.",
    ),
    "secure": (
        "The connection is secure",
        "The connection is checked",
        "The certificate is not trusted yet",
        "Android: choose Advanced, then Proceed. iPhone: open /ca.crt of the same address, install "
        "the profile, then switch it on in General, About, Certificate Trust Settings. Compare the "
        "fingerprint shown here.",
    ),
    "camera": (
        "The camera is open",
        "The camera waits for a tap on the phone",
        "The camera is not allowed",
        "On the phone, tap the lock beside the address and allow the camera, or use a photo "
        "instead.",
    ),
    "backend": (
        "The phone can compute",
        "The phone looks for its fastest way to compute",
        "The phone cannot compute networks",
        "Update the phone's browser. Until then this computer computes, and the phone shows.",
    ),
    "memory": (
        "There is enough memory",
        "Memory is checked",
        "There is too little memory",
        "Close other pages and apps on the phone, or push a smaller network.",
    ),
    "model": (
        "The edit is on the phone",
        "Push an edit to the phone",
        "The edit did not arrive",
        "Push it again. If the phone's storage is full, remove edits you do not need.",
    ),
    "golden": (
        "The phone computes what this computer does",
        "The phone's result is compared",
        "The phone computes something else",
        "Choose another backend on the phone, in This phone, and push the edit again.",
    ),
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
