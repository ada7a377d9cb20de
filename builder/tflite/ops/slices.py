"""Slices."""

from __future__ import annotations

from typing import Any

from ...lowering.layout import Shape
from ...lowering.values import Value
from ..registry import Context, lowers
from ..strides import indices_of

masks = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


@lowers("SLICE")
def slice_(c: Context) -> Value:
    """Lower a slice of known or computed begin; -1 stands for all that is left."""
    x, begin, size = c.input(0), c.input(1), c.input(2)
    shape: list[int | None] = [None] * x.rank
    if size.array is not None:
        shape = [int(n) if n >= 0 else None for n in size.array.ravel()]
        if begin.array is not None:
            for axis, (first, n) in enumerate(zip(begin.array.ravel().tolist(), x.shape, strict=True)):
                if shape[axis] is None and n is not None:
                    shape[axis] = n - int(first)
    places = [c.graph.cast(value, "int32") for value in (begin, size)]
    return c.graph.op("Slice", [x, *places], shape=tuple(shape), name=c.name)


@lowers("STRIDED_SLICE")
def strided_slice(c: Context) -> Value:
    """Lower StridedSlice, whose masks are TensorFlow's."""
    x = c.input(0)
    places = [c.graph.cast(c.input(index), "int32") for index in (1, 2, 3)]
    settings: dict[str, Any] = {name: int(c.option(name, 0)) for name in masks}
    if c.option("offset", False):
        begin, end = c.known(1, "the begin"), c.known(2, "the end")
        places[1] = c.whole([int(n) for n in begin + end])
    shape = _shape(c, x, places)
    if shape is None and c.shape() is not None:
        shape = c.shape()
    if shape is None:
        c.refuse("a result of unknown rank", "Convert the model with a fixed size")
    return c.graph.op("StridedSlice", [x, *places], shape=shape, name=c.name, **settings)


def _shape(c: Context, x: Value, places: list[Value]) -> Shape | None:
    """Return the shape of the result; None where even its rank cannot be told."""
    count = places[0].shape[0]
    if count is None:
        return None
    options = {name: int(c.option(name, 0)) for name in masks}
    numbers = [None if place.array is None else [int(k) for k in place.array] for place in places]
    found: list[int | None] = []
    axis = 0
    for entry in range(count):
        bit = 1 << entry
        if options["ellipsis_mask"] & bit:
            later = range(entry + 1, count)
            kept = x.rank - axis - sum(not options["new_axis_mask"] & 1 << other for other in later)
            found += x.shape[axis : axis + kept]
            axis += kept
        elif options["new_axis_mask"] & bit:
            found.append(1)
        else:
            if not options["shrink_axis_mask"] & bit:
                found.append(_length(x.shape[axis], entry, numbers, options))
            axis += 1
    return (*found, *x.shape[axis:])


def _length(n: int | None, entry: int, numbers: list[list[int] | None], options: dict[str, int]) -> int | None:
    """Return the length of the part of an axis of ``n`` numbers that an entry of the slice takes."""
    begin, end, strides = numbers
    whole = {name: bool(options[name] >> entry & 1) for name in ("begin_mask", "end_mask")}
    if all(whole.values()) and strides is not None and strides[entry] == 1:
        return n
    if n is None or begin is None or end is None or strides is None:
        return None
    part = indices_of([begin[entry]], [end[entry]], [strides[entry]], whole)[0]
    return len(range(*part.indices(n))) if isinstance(part, slice) else 1
