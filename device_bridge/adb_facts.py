"""What a phone says about itself in one call of its shell."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = "fretsaw"  # what a line of ours starts with, so that no warning is read as an answer
# A constant without any text of a user.
SCRIPT = (
    f"for k in ro.product.model ro.build.version.release ro.build.version.sdk "
    f'ro.product.cpu.abi; do echo "{_LINE} $k $(getprop $k)"; done; '
    f'echo "{_LINE} cores $(nproc)"; '
    "for z in /sys/class/thermal/thermal_zone*; do "
    f'[ -r $z/temp ] && echo "{_LINE} zone $(cat $z/type) $(cat $z/temp 2>/dev/null)"; done; '
    f'dumpsys battery | while read l; do echo "{_LINE} battery $l"; done; true'
)


@dataclass(frozen=True)
class Facts:
    """A phone: what it did not tell is empty or None."""

    model: str
    android: str
    sdk: int | None
    abi: str
    cores: int | None
    thermal: dict[str, float]  # zone to degrees Celsius
    battery_percent: int | None
    battery_celsius: float | None
    is_charging: bool | None


def parse(text: str) -> Facts:
    """Read what SCRIPT prints."""
    rows = [line.split(" ", 2)[1:] for line in text.splitlines() if line.startswith(f"{_LINE} ")]
    pairs = [(row[0], row[1].strip() if len(row) > 1 else "") for row in rows]
    known = dict(pairs)
    battery = [value for key, value in pairs if key == "battery"]
    level = _number(battery, "level")
    tenths = _number(battery, "temperature")
    power = [row.endswith("true") for row in battery if re.match(r"\w+ powered:", row)]
    return Facts(
        model=known.get("ro.product.model", ""),
        android=known.get("ro.build.version.release", ""),
        sdk=_whole(known.get("ro.build.version.sdk", "")),
        abi=known.get("ro.product.cpu.abi", ""),
        cores=_whole(known.get("cores", "")),
        thermal=_zones([value for key, value in pairs if key == "zone"]),
        battery_percent=level,
        battery_celsius=None if tenths is None else tenths / 10,
        is_charging=any(power) if power else None,
    )


def _zones(rows: list[str]) -> dict[str, float]:
    """Return temperatures in degrees; zones that are switched off say nothing or nonsense."""
    zones = {}
    for row in rows:
        name, _, text = row.rpartition(" ")
        value = _whole(text)
        if not name or value is None:
            continue
        degrees = value / 1000 if abs(value) >= 1000 else float(value)  # most are in thousandths
        if 0 < degrees < 150:
            zones[name] = degrees
    return zones


def _number(rows: list[str], name: str) -> int | None:
    values = (_whole(row.partition(":")[2].strip()) for row in rows if row.startswith(f"{name}:"))
    return next(values, None)


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None
