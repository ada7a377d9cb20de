"""Sizes as people write them."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

factors = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}

SizeText = Annotated[
    str, Meta(extra_json_schema={"pattern": r"^\s*\d+(\.\d+)?\s*([kKmMgG][iI]?)?[bB]?\s*$"})  # for editors only
]
Size = Annotated[int | SizeText, Meta(description="Bytes, as a number or as text: '256 KiB', '600 kB'.")]


def parse_size(text: str | int) -> int:
    """Return the bytes of ``"256 KiB"``, ``"600 kB"`` or a plain number.

    Raises:
        ValueError: it is none of these, or negative.
    """
    if isinstance(text, int):
        if text < 0:
            raise ValueError(f"{text} is negative")
        return text
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text)
    unit = match[2].lower() if match else "?"
    if not match or unit not in factors:
        raise ValueError(f"{text!r} is not a size such as '256 KiB' or '600 kB'")
    return round(float(match[1]) * factors[unit])


def show_size(count: float) -> str:
    """Write a number of bytes for people: ``1.4 MB`` (decimal units)."""
    for unit in ("B", "kB", "MB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def show_count(count: int) -> str:
    """Write a large number for people: ``301 million``."""
    for unit, name in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million")):
        if count >= unit:
            return f"{count / unit:.3g} {name}" if count < 1000 * unit else f"{count / unit:,.0f} {name}"
    return f"{count:,}"


def parse_duration(text: str) -> float:
    """Return the seconds of ``"24 h"``, ``"7d"``, ``"90 s"`` or ``"15 min"``.

    Raises:
        ValueError: it is none of these.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)\s*", text)
    if not match:
        raise ValueError(f"{text!r} is not a duration such as '24 h' or '7 d'")
    return float(match[1]) * {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[match[2]]
