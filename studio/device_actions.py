"""The Device menu: phones and what is sent to them."""

from __future__ import annotations

from studio.action import Action

_WORDS = "phone device bridge"


def _entry(
    id: str,
    text: str,
    group: int,
    icon: str = "",
    why_not: str = "",
    *,
    keys: str = "",
    checked: str = "",
    keywords: str = "",
) -> Action:
    do = f"phone:{id.removeprefix('phone_')}"
    words = f"{_WORDS} {keywords}".strip()
    return Action(id, text, do, "Device", group, keys, icon, why_not, checked, keywords=words)


DEVICE: tuple[Action, ...] = (
    _entry("phone_pair", "Pair a phone", 0, "qrcode", keys="Ctrl+Shift+D", keywords="qr usb wi-fi"),
    _entry("phone_show", "Show the phone", 0),
    _entry(
        "phone_push",
        "Push to the phone",
        1,
        "cellphone-link",
        keys="Ctrl+Shift+U",
        keywords="send install export",
    ),
    _entry(
        "phone_follow",
        "Follow training",
        1,
        "school-outline",
        "followable",
        checked="following",
        keywords="epoch live",
    ),
    _entry(
        "phone_benchmark",
        "Benchmark on the phone",
        1,
        "speedometer",
        "phone",
        keywords="latency measure",
    ),
    _entry("phone_remove", "Remove the edit from the phone", 2, "trash-can-outline", "phone"),
    _entry("phone_forget_all", "Forget all phones", 2, "", "bridge", keywords="revoke unpair"),
)
