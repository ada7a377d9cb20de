"""Structs and dataclasses as the plain values that JSON holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec


def plain_values(value: object) -> Any:
    """Return dicts, lists, strings and numbers for structs and dataclasses of them, and of paths.

    Raises:
        TypeError: something in it has no such form.
    """
    return msgspec.to_builtins(value, enc_hook=_plain)


def _plain(value: object) -> object:
    """Take also what json takes: NumPy's float64 and str_ are kinds of Python's own."""
    if isinstance(value, Path):
        return value.as_posix()
    for kind in (str, float, int):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
