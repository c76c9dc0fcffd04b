"""Words and numbers as the report writes them; everything that enters HTML passes :func:`esc`."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

_SCALED = {"b": "B", "byte": "B", "bytes": "B", "mac": "MAC", "macs": "MAC"}
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def esc(value: object) -> str:
    """Escape text for HTML, quotes too; control characters become a visible mark."""
    text = "".join(
        c if c >= " " or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in str(value)
    )
    # Half of a surrogate pair is legal in JSON and in a Python string, but not in a UTF-8 file.
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"), quote=True)


def number(value: float | int | None, digits: int = 4) -> str:
    """Write a number with ``digits`` significant digits: ``1,234``, ``0.0271``, ``4e-5``, NaN."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**15 else f"{min(value, 10**300):.{digits - 1}e}"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "\N{INFINITY}" if value > 0 else "-\N{INFINITY}"
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e9:
        mantissa, _, power = f"{value:.{digits - 2}e}".partition("e")
        return f"{_stripped(mantissa)}e{int(power)}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return _stripped(f"{value:,.{decimals}f}")


def shown(value: float | int | None, digits: int = 4) -> str:
    """Write a number for HTML, with a true minus sign."""
    return esc(number(value, digits).replace("-", "\N{MINUS SIGN}"))


def column_numbers(values: Sequence[float | int | None]) -> list[str]:
    """Write the numbers of one column with the same count of decimals, so that points align."""
    finite = [float(v) for v in values if v is not None and math.isfinite(v)]
    if not finite or all(v == round(v) for v in finite):
        return [
            number(round(v)) if v is not None and math.isfinite(v) else number(v) for v in values
        ]
    largest = max(abs(v) for v in finite)
    smallest = min((abs(v) for v in finite if v), default=largest)
    decimals = max(0, 3 - math.floor(math.log10(largest)))
    most = decimals + 2  # more only where two values would look alike
    while decimals < most and len({f"{v:.{decimals}f}" for v in finite}) < len(set(finite)):
        decimals += 1
    if decimals > 6 or smallest < 10.0**-decimals or largest >= 1e9:
        return [number(v) for v in values]
    written = [f"{v:,.{decimals}f}" if _is_finite(v) else number(v) for v in values]
    points = [w for w, v in zip(written, values, strict=True) if _is_finite(v)]
    while all("." in w and w.endswith("0") for w in points):
        points = [w[:-1].rstrip(".") for w in points]
        written = [
            w[:-1].rstrip(".") if _is_finite(v) else w for w, v in zip(written, values, strict=True)
        ]
    return written


def scaled(unit: str, values: Sequence[float | int | None]) -> tuple[str, float]:
    """Choose a prefix for bytes and MACs: ``("MB", 1e6)``; any other unit stays as it is."""
    base = _SCALED.get(unit.lower())
    largest = max((abs(v) for v in values if v is not None and math.isfinite(v)), default=0.0)
    if base is not None:
        for factor, prefix in _PREFIXES:
            if largest >= factor:
                return prefix + base, factor
    return unit, 1.0


def percent(share: float) -> str:
    """Write a share of 1 as a percentage."""
    if not math.isfinite(share):
        return shown(share)
    value = 100 * share
    if value == 0:
        return "0 %"
    if abs(value) < 0.01:
        return "< 0.01 %"
    return f"{value:.2f} %" if abs(value) < 10 else f"{value:.1f} %"


def duration(seconds: float) -> str:
    """Write a time: ``0.4 s``, ``12 s``, ``3 min 41 s``, ``2 h 05 min``."""
    if not math.isfinite(seconds) or seconds < 0:
        return "unknown time"
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def moment(t: float | None) -> str:
    """Write a time of day in the local zone: ``24 Nov 2026, 14:03 (UTC+01:00)``."""
    if t is None:
        return ""
    try:
        local = datetime.fromtimestamp(t).astimezone()
    except (OverflowError, OSError, ValueError):
        return ""
    zone = local.strftime("%z")
    return f"{local.day} {local:%b %Y, %H:%M} (UTC{zone[:3]}:{zone[3:5]})"


def json_text(value: Any) -> str:
    """Write a parameter: text without quotes, anything else as JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return str(value)


def shorten(text: str, length: int) -> str:
    """Cut text to ``length`` characters with an ellipsis."""
    return text if len(text) <= length else text[: max(1, length - 1)] + "\N{HORIZONTAL ELLIPSIS}"


def tail(text: str, length: int) -> str:
    """Cut the front off a layer's name: what tells layers apart stands at their ends."""
    return text if len(text) <= length else "\N{HORIZONTAL ELLIPSIS}" + text[1 - length :]


def split_sentence(text: str) -> tuple[str, str]:
    """Split a message into its first sentence (what happened) and the rest (what to do)."""
    head, mark, rest = text.strip().partition(". ")
    return (head + ".", rest) if mark else (text.strip(), "")


def plural(count: int, word: str) -> str:
    """Write ``1 step`` or ``2 steps``."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def _is_finite(value: float | int | None) -> bool:
    return value is not None and math.isfinite(value)


def _stripped(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
