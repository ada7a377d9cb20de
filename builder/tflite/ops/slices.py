"""Slices."""

from __future__ import annotations

from typing import Any

from ...lowering.layout import Shape
from ...lowering.values import Value
from ..registry import Context, fix_size, lowers
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
    known = _known(c, x, places)
    if known is not None:
        return known
    shape = _shape(c, x, places)
    if shape is None and c.shape() is not None:
        shape = c.shape()
    if shape is None:
        c.refuse("a result of unknown rank", fix_size)
    return c.graph.op("StridedSlice", [x, *places], shape=shape, name=c.name, **settings)


def _known(c: Context, x: Value, places: list[Value]) -> Value | None:
    """Lower a slice whose places are known with these counted from the front, as TensorFlow.js takes some wrongly."""
    if c.option("ellipsis_mask", 0) or c.option("new_axis_mask", 0) or any(place.array is None for place in places):
        return None
    begin, end, steps = ([int(n) for n in place.array.ravel()] for place in places if place.array is not None)
    index = list(indices_of(begin, end, steps, {**c.options, "offset": False}))
    index += [slice(None)] * (x.rank - len(index))
    found = [_place(entry, n) for entry, n in zip(index, x.shape, strict=True)]
    if any(place is None for place in found):
        return None
    spans = [place for place in found if place is not None]
    shrunk = [axis for axis, entry in enumerate(index) if isinstance(entry, int)]
    shape = tuple(length for _, length in spans)
    if any(span.step != 1 for span, _ in spans):
        if min(span.step for span, _ in spans) < 0 or None in x.shape:
            return None
        bounds = ([span.start for span, _ in spans], [span.stop for span, _ in spans], [span.step for span, _ in spans])
        settings: dict[str, Any] = dict.fromkeys(masks, 0)
        part = c.graph.op("StridedSlice", [x, *map(c.whole, bounds)], shape=shape, name=c.name, **settings)
    else:
        places = [c.whole([span.start for span, _ in spans]), c.whole([-1 if n is None else n for n in shape])]
        part = c.graph.op("Slice", [x, *places], shape=shape, name=c.name)
    return c.graph.squeeze(part, shrunk) if shrunk else part


def _place(entry: slice | int | None, n: int | None) -> tuple[slice, int | None] | None:
    """Return where a slice of an axis of ``n`` numbers begins and ends, and its length; None where that is open."""
    if entry in (slice(None), slice(None, None, 1)):
        return slice(0, n, 1), n
    if n is None or entry is None:
        return None
    if isinstance(entry, int):
        first = entry + n if entry < 0 else entry
        return slice(first, first + 1, 1), 1
    places = range(*entry.indices(n))
    return slice(places.start, places.stop, places.step), len(places)


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
