"""The masks of StridedSlice, which is the same operator in TensorFlow and in TensorFlow Lite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Index = tuple[slice | int | None, ...]


def indices_of(begin: Sequence[int], end: Sequence[int], strides: Sequence[int], options: Mapping[str, Any]) -> Index:
    """Return what NumPy takes for the same.

    Raises:
        ValueError: it has an ellipsis or new axes.
    """
    if options.get("ellipsis_mask") or options.get("new_axis_mask"):
        raise ValueError("an ellipsis or a new axis")
    found: list[slice | int | None] = []
    for axis, (first, last, step) in enumerate(zip(begin, end, strides, strict=True)):
        bit = 1 << axis
        if options.get("shrink_axis_mask", 0) & bit:
            found.append(first)
            continue
        start = None if options.get("begin_mask", 0) & bit else first
        stop = None if options.get("end_mask", 0) & bit else last
        if options.get("offset") and start is not None and stop is not None:
            stop = start + stop
        found.append(slice(start, stop, step))
    return tuple(found)
