"""Times, sizes and counts in words."""

from __future__ import annotations

_LATEST = 32_503_680_000.0  # the year 3000, the last that every system can tell
_LONGEST = 3.2e9  # a century


def is_moment(value: object) -> bool:
    """Whether a value is a time in seconds since 1970 that a clock can show."""
    return isinstance(value, int | float) and 0 <= value <= _LATEST


def duration(seconds: float) -> str:
    """Say a time: ``9 s``, ``2 min 10 s``, ``1 h 4 min``; of no length, ``unknown time``."""
    if not abs(seconds) < _LONGEST:
        return "unknown time"
    whole = round(seconds)
    if seconds < 0.95:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: float) -> str:
    """Say a number of bytes: ``812 B``, ``0.28 MB``, ``4.1 GB`` (powers of 1,000)."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step or (unit == "MB" and count >= 1e5):
            value = count / step
            return f"{value:.2f} {unit}" if value < 1 else f"{value:.1f} {unit}"
    return f"{count:.0f} B"
