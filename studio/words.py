"""Times, sizes and counts in words."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Say a time: ``9 s``, ``2 min 10 s``, ``1 h 4 min``."""
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
